//! `countersign policy`, as people run it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value as Json;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn countersign(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign")).current_dir(root()).arg("policy").args(arguments).output().unwrap()
}

/// What it wrote to stdout and stderr, and its exit code.
fn ran(arguments: &[&str]) -> (String, String, i32) {
    let output = countersign(arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

fn json(arguments: &[&str]) -> Json {
    serde_json::from_str(&ran(arguments).0).unwrap()
}

/// The default bundle's settings with one file of rules and one of cases.
fn bundle(rules: &str, cases: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root().join("infra/bundle/countersign.toml"), folder.path().join("countersign.toml")).unwrap();
    fs::write(folder.path().join("rules.cedar"), rules).unwrap();
    fs::create_dir(folder.path().join("tests")).unwrap();
    fs::write(folder.path().join("tests/cases.toml"), cases).unwrap();
    folder
}

fn path(folder: &tempfile::TempDir) -> &str {
    folder.path().to_str().unwrap()
}

#[test]
fn the_default_bundle_has_no_findings_and_says_what_stands_for_its_placeholders() {
    let (out, told, code) = ran(&["check", "infra/bundle", "--deny-warnings"]);
    assert_eq!(code, 0, "{out}{told}");
    assert!(out.ends_with("0 errors, 0 warnings\n"), "{out}");
    assert!(told.contains("COUNTERSIGN_TARGET_ACCOUNT"), "{told}");
    let (_, told, _) = ran(&["check", "--set", "TARGET_ACCOUNT=999988887777"]);
    assert!(!told.contains("COUNTERSIGN_TARGET_ACCOUNT") && told.contains("COUNTERSIGN_TARGET_REGION"), "{told}");
}

#[test]
fn every_kind_of_finding_is_named_with_its_place_and_its_fix() {
    for (rules, line, severity, message, fix) in [
        (
            "permit (principal, action == Action::\"dynamodb:PutItems\", resource);",
            1,
            "error",
            "AWS has no action `dynamodb:PutItems`",
            "did you mean `dynamodb:PutItem`?",
        ),
        (
            "\npermit (principal, action in Action::\"dynamobd:*\", resource);",
            2,
            "error",
            "AWS has no action `dynamobd:*`",
            "did you mean `dynamodb:*`?",
        ),
        (
            "@aproval(\"approvers\") permit (principal, action, resource);",
            1,
            "error",
            "unknown annotation `@aproval`",
            "did you mean `@approval`?",
        ),
        ("@mode(\"shade\") permit (principal, action, resource);", 1, "error", "unknown mode `shade`", "the only mode"),
        (
            "forbid (principal, action == Action::\"dynamodb:PutItem\", resource) when { context.params has TabelName };",
            1,
            "error",
            "no call of this rule has the parameter `TabelName`",
            "did you mean `TableName`?",
        ),
        (
            "forbid (principal, action in Action::\"sqs:*\", resource) when { context.params has QueueName && context.params has Queueurl };",
            1,
            "error",
            "no call of this rule has the parameter `Queueurl`",
            "did you mean `QueueUrl`?",
        ),
        (
            "@id(\"a\") forbid (principal, action in Action::\"s3:*\", resource);\n@id(\"b\") permit (principal, action == Action::\"s3:GetObject\", resource);",
            2,
            "warning",
            "the rule has no effect: `rules/a` forbids everything",
            "remove one of them",
        ),
        (
            "permit (principal, action == Action::\"s3:GetObject\", resource) when { false };",
            1,
            "warning",
            "the condition never holds",
            "remove the rule",
        ),
        (
            "permit (principal, action in Action::\"secretsmanager:*\", resource);",
            1,
            "warning",
            "lets `secret-returning` calls pass without approval",
            "add a rule with `@approval`",
        ),
        (
            "permit (principal, action == Action::\"iam:PassRole\", resource);",
            1,
            "warning",
            "lets `delegating` calls pass without approval, as `iam:PassRole`",
            "add a rule with `@approval`",
        ),
        (
            "@approval(\"aprovers\") permit (principal, action, resource);",
            1,
            "error",
            "nobody is in the group `aprovers`",
            "did you mean `approvers`?",
        ),
        (
            "@approval(\"approvers\") @quorum(\"3\") permit (principal, action, resource);",
            1,
            "error",
            "the quorum of 3 is larger than the group `approvers` (2)",
            "add persons",
        ),
        (
            "permit (principal, action in Action::\"level:Read\", resource) when { context.session.unverified_task like \"*\" };",
            1,
            "error",
            "the agent's own words",
            "add `@approval",
        ),
        (
            "permit (principal, action == Action::\"s3:GetObject\", resource in Target::\"mains\");",
            1,
            "error",
            "there is no target `mains`",
            "did you mean `main`?",
        ),
    ] {
        let folder = bundle(rules, "");
        let report = json(&["check", path(&folder), "--json"]);
        let found = report["findings"].as_array().unwrap();
        let fits = |one: &&Json| {
            let text = |name: &str| one[name].as_str().unwrap().to_owned();
            text("message").contains(message)
                && text("fix").contains(fix)
                && text("severity") == severity
                && one["line"] == line
        };
        assert!(found.iter().any(|one| fits(&one)), "{rules}\n{message}\n{report:#}");
        let (out, _, code) = ran(&["check", path(&folder)]);
        assert!(out.contains(&format!("rules.cedar:{line}: {severity}: ")), "{out}");
        assert_eq!(code, i32::from(severity == "error"), "{rules}");
        assert_eq!(ran(&["check", path(&folder), "--deny-warnings"]).2, 1, "{rules}");
    }
}

#[test]
fn an_agent_without_owners_is_a_warning() {
    let folder = bundle("permit (principal, action == Action::\"s3:GetObject\", resource);", "");
    let settings = folder.path().join("countersign.toml");
    let text = fs::read_to_string(&settings).unwrap().replacen("owners = [\"carol\"]", "owners = []", 1);
    fs::write(&settings, text).unwrap();
    let report = json(&["check", path(&folder), "--json"]);
    assert!(report.to_string().contains("the agent `deployer` has no owner"), "{report:#}");
}

#[test]
fn the_default_bundle_passes_its_tests_which_reach_every_rule() {
    let (out, _, code) = ran(&["test", "infra/bundle", "--require-coverage", "100"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("0 failed; 100 % of "), "{out}");
    let (out, _, code) = ran(&["test", "infra/bundle/tests/reads.toml", "--coverage", "--require-coverage", "90"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("no case reaches `30-scratch/scratch`") && out.contains("90 % are required"), "{out}");
}

const READS: &str = "@id(\"reads\") permit (principal, action in Action::\"level:Read\", resource);\n\
                     @id(\"spare\") forbid (principal, action == Action::\"s3:DeleteBucket\", resource);";

#[test]
fn a_case_that_fails_is_named_with_its_line_and_ends_with_1() {
    let cases = "[defaults]\nagent = \"deployer\"\n\n[[case]]\nname = \"reading waits\"\ncall = \"iam:GetRole\"\n\
                 parameters = { RoleName = \"x\" }\nexpect = \"approval\"\n";
    let folder = bundle(READS, cases);
    let (out, _, code) = ran(&["test", path(&folder)]);
    assert_eq!(code, 1);
    assert!(
        out.contains("tests/cases.toml:4: reading waits\n    expected approval, and it is allow by rules/reads"),
        "{out}"
    );
    let report = json(&["test", path(&folder), "--json"]);
    assert_eq!((&report["passed"], &report["failed"]), (&Json::from(0), &Json::from(1)));
    assert_eq!(report["bundles"][0]["not_covered"], serde_json::json!(["rules/reads", "rules/spare"]));
}

#[test]
fn what_cannot_be_read_ends_with_2_and_says_why() {
    let folder = bundle(READS, "[[case]]\nexpect = \"maybe\"\n");
    for (arguments, part) in [
        (vec!["test", path(&folder)], "cases.toml:2: unknown variant `maybe`"),
        (vec!["test", "/nowhere"], "/nowhere"),
        (vec!["test", "infra/bundle", "--bundle", "docs"], "countersign.toml"),
        (vec!["test", "infra/bundle", "--set", "X"], "is not `NAME=VALUE`"),
        (vec!["check", "/nowhere"], "is no folder"),
    ] {
        let (_, told, code) = ran(&arguments);
        assert_eq!(code, 2, "{arguments:?} {told}");
        assert!(told.contains(part), "{arguments:?} {told}");
    }
    // With the environment as the functions have it, nothing is made up.
    let (out, _, code) = ran(&["check", "infra/bundle", "--env"]);
    assert!(code == 1 && out.contains("`${COUNTERSIGN_AGENT_ISSUER}` is not set"), "{out}");
}
