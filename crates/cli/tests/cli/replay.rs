//! `countersign policy explain`, `simulate`, `suggest`, `roles` and `compile`, as people run them.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value as Json, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(arguments: &[&str], input: &str) -> (String, String, i32) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .current_dir(root())
        .arg("policy")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

fn json_of(arguments: &[&str], input: &str) -> Json {
    let (out, told, _) = run(arguments, input);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{told}"))
}

const SAMPLE: &str = "crates/authoring/tests/trail/sample.json";

#[test]
fn a_call_is_explained_with_what_would_change_it() {
    let delete =
        ["explain", "--agent", "deployer", "dynamodb:DeleteTable", "--parameters", r#"{"TableName":"orders"}"#];
    let (out, told, code) = run(&delete, "");
    assert_eq!(code, 0, "{told}");
    for part in [
        "dynamodb:DeleteTable by deployer in main (eu-central-1): needs approval",
        "1 of approvers, within 1800 s, after looking for 10 s, typing the resource's name",
        "dynamodb:DeleteTable on arn:aws:dynamodb:eu-central-1:123456789012:table/orders (Write, destructive): needs approval",
        "approval 20-writes/destructive (20-writes.cedar:",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    let put = [
        "explain",
        "--agent",
        "explorer",
        "s3:PutObject",
        "--parameters",
        r#"{"Bucket":"reports","Key":"a.txt"}"#,
        "--body",
        "hello",
    ];
    let (out, _, _) = run(&put, "");
    assert!(
        out.contains("permit   30-scratch/scratch")
            && out.contains("would match with `resource.name like \"agent-scratch-*\"`"),
        "{out}"
    );
    let as_json = json_of(&[&put[..], &["--json"]].concat(), "");
    assert_eq!(as_json["decision"], "needs-approval");
    assert_eq!(as_json["permissions"][0]["resource"], "arn:aws:s3:::reports/a.txt");
    let considered = as_json["considered"].as_array().unwrap();
    assert!(
        considered.iter().any(|one| one["rule"] == "30-scratch/scratch" && one["outcome"] == "fails"),
        "{as_json:#}"
    );
}

/// An event as the gateway records it.
fn event(action: &str, operation: &str, resource: &str, parameters: &Json) -> Json {
    json!({
        "at": 1_795_272_000_000_u64,
        "subject": { "agent": "deployer", "target": "main" },
        "happening": {
            "kind": "decided", "decision": "allow", "rules": [], "bundle": "00".repeat(32),
            "call": {
                "operation": operation, "account": "123456789012", "region": "eu-central-1", "host": "x",
                "permissions": [{ "action": action, "resource": resource, "level": "Write" }],
                "parameters": parameters, "source_ip": "192.0.2.7",
            },
        },
    })
}

#[test]
fn a_recorded_event_is_explained() {
    let table = "arn:aws:dynamodb:eu-central-1:123456789012:table/agent-scratch-notes";
    let put = |parameters: &Json| event("dynamodb:PutItem", "dynamodb:PutItem", table, parameters).to_string();
    let (out, told, code) = run(
        &["explain", "--event", "-"],
        &put(&json!({ "TableName": "agent-scratch-notes", "Item": { "id": { "S": "1" } } })),
    );
    assert!(code == 0 && out.contains("dynamodb:PutItem by deployer in main (eu-central-1): allowed"), "{out}{told}");
    // A masked value is no reason to deny what was allowed, and a resource that cannot be told again is not exact.
    let masked = put(&json!({ "TableName": "agent-scratch-notes", "Item": { "id": { "S": "‹masked:card›" } } }));
    let (out, told, _) = run(&["explain", "--event", "-"], &masked);
    assert!(out.contains("allowed") && told.contains("in part"), "{out}{told}");
    let (out, _, _) = run(&["explain", "--event", "-"], &put(&json!({ "TableName": "‹masked:card›" })));
    assert!(out.contains("counts as every resource") && out.contains("needs approval"), "{out}");
    let (_, told, code) = run(&["explain", "--event", "-"], r#"{"what":"ever"}"#);
    assert!(code == 2 && told.contains("neither an event of Countersign nor of CloudTrail"), "{told}");
}

#[test]
fn what_cannot_be_explained_says_what_to_do() {
    for (arguments, part) in [
        (&["explain", "--agent", "a", "dynamodb:PutItems"][..], "did you mean `dynamodb:PutItem`?"),
        (&["explain", "--agent", "a", "iam:GetRole", "--parameters", "{\"Role\":1}"], "do not fit"),
        (
            &["explain", "--agent", "a", "iam:GetRole", "--parameters", "{\"RoleName\":\"x\"}", "--target", "mainn"],
            "did you mean `main`?",
        ),
        (&["explain", "--agent", "a", "iam:GetRole", "--at", "noon"], "no moment"),
        (&["explain", "iam:GetRole"], "--agent"),
    ] {
        let (_, told, code) = run(arguments, "");
        assert!(code == 2 && told.contains(part), "{arguments:?} {told}");
    }
}

#[test]
fn a_simulation_tells_its_counts_in_words_and_in_json() {
    let (out, told, code) = run(&["simulate", "--calls", SAMPLE], "");
    assert_eq!(code, 0, "{told}");
    for part in [
        "12 calls: 3 pass, 6 wait, 3 are denied",
        "        1         2         0  2026-11-19",
        "3 calls cannot be told, and are not among those above:",
        "the catalogue has no such operation, as `quantumledger.amazonaws.com Entangle`",
        "2 left out:",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    let report = json_of(&["simulate", "--calls", SAMPLE, "--json"], "");
    assert_eq!(report["calls"], json!({ "pass": 3, "wait": 6, "deny": 3 }));
    assert_eq!(report["unmapped_total"], 3);
    // The same through a pipe.
    let sample = fs::read_to_string(root().join(SAMPLE)).unwrap();
    assert_eq!(json_of(&["simulate", "--calls", "-", "--json"], &sample)["calls"], report["calls"]);
}

#[test]
fn two_bundles_that_differ_end_with_1() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root().join("infra/bundle/countersign.toml"), folder.path().join("countersign.toml")).unwrap();
    fs::write(folder.path().join("rules.cedar"), "permit (principal, action in Action::\"level:List\", resource);")
        .unwrap();
    let path = folder.path().to_str().unwrap();
    let (out, _, code) = run(&["simulate", "--calls", SAMPLE, "--bundle", path, "--against", "infra/bundle"], "");
    assert_eq!(code, 1);
    assert!(out.contains("wait → deny  deployer dynamodb:PutItem"), "{out}");
    let (_, told, code) = run(&["simulate", "--calls", "docs/policy.md"], "");
    assert!(code == 2 && told.contains("where an object should begin"), "{told}");
}

#[test]
fn suggested_rules_load_and_cover() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root().join("infra/bundle/countersign.toml"), folder.path().join("countersign.toml")).unwrap();
    let (cedar, told, code) = run(&["suggest", "--calls", SAMPLE], "");
    assert_eq!(code, 0, "{told}");
    assert!(cedar.contains("@approval(\"approvers\")") && told.contains("left out"), "{cedar}{told}");
    fs::write(folder.path().join("suggested.cedar"), &cedar).unwrap();
    let path = folder.path().to_str().unwrap();
    let report = json_of(&["simulate", "--calls", SAMPLE, "--bundle", path, "--json"], "");
    // Denied is what no rule can allow: what waits for an agent without owner, and another region.
    assert_eq!(report["calls"], json!({ "pass": 4, "wait": 6, "deny": 2 }), "{cedar}");
    let beyond = json_of(&["suggest", "--calls", SAMPLE, "--beyond", "--json"], "");
    assert!(
        beyond["cedar"].as_str().unwrap().contains("iam:CreateUser") && !beyond.to_string().contains("s3:GetObject"),
        "{beyond:#}"
    );
}

#[test]
fn roles_are_written_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let services = ["--service", "s3", "--service", "sqs"];
    let check = ["roles", "--out", out, "--check"];
    assert_eq!(run(&[&check[..], &services].concat(), "").2, 1, "nothing is there");
    let (told, _, code) = run(&[&["roles", "--out", out][..], &services].concat(), "");
    assert!(code == 0 && told.contains("main.json: auto role 1 policy"), "{told}");
    // The services are kept in the file.
    assert_eq!(run(&check, "").2, 0);
    let path = folder.path().join("main.json");
    let stale = fs::read_to_string(&path).unwrap().replace("s3:GetObject", "s3:GetObjects");
    fs::write(&path, stale).unwrap();
    let (told, _, code) = run(&check, "");
    assert!(code == 1 && told.contains("not fresh"), "{told}");
    let (_, told, code) = run(&["roles", "--out", out, "--service", "dynamobd"], "");
    assert!(code == 2 && told.contains("did you mean `dynamodb`?"), "{told}");
}

#[test]
fn a_compiled_bundle_of_other_rules_is_found() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["countersign.toml", "10-reads.cedar"] {
        fs::copy(root().join("infra/bundle").join(name), folder.path().join(name)).unwrap();
    }
    let path = folder.path().to_str().unwrap();
    let out = folder.path().join("bundle.compiled");
    let compile = ["compile", path, "--out", out.to_str().unwrap()];
    assert_eq!(run(&compile, "").2, 0);
    assert_eq!(run(&["check", path], "").2, 0);
    fs::write(
        folder.path().join("20-more.cedar"),
        "forbid (principal, action == Action::\"s3:DeleteBucket\", resource);",
    )
    .unwrap();
    let (told, _, code) = run(&["check", path], "");
    assert!(code == 1 && told.contains("bundle.compiled: error: the compiled bundle is not of these rules"), "{told}");
    assert_eq!(run(&compile, "").2, 0);
    assert_eq!(run(&["check", path], "").2, 0);
    fs::write(folder.path().join("20-more.cedar"), "forbid (principal").unwrap();
    let (_, told, code) = run(&compile, "");
    assert!(code == 2 && told.contains("20-more.cedar:1"), "{told}");
}

#[test]
fn limits_are_shown_beside_what_recorded_calls_would_have_used() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["00-denied.cedar", "10-reads.cedar", "20-writes.cedar", "30-scratch.cedar", "countersign.toml"] {
        fs::copy(root().join("infra/bundle").join(name), folder.path().join(name)).unwrap();
    }
    let bundle = folder.path().to_str().unwrap();
    let simulate = ["simulate", "--calls", SAMPLE, "--bundle", bundle];
    let (out, told, _) = run(&simulate, "");
    assert!(out.contains("12 calls") && !out.contains("by limit"), "{out}{told}");
    let mut settings = fs::OpenOptions::new().append(true).open(folder.path().join("countersign.toml")).unwrap();
    writeln!(settings, "[[limits.rate]]\nname = \"daily\"\nper = \"agent\"\ncalls = 1\nwindow = \"1d\"").unwrap();
    let (out, told, code) = run(&simulate, "");
    assert_eq!(code, 0, "{told}");
    let row = "daily, calls; highest for agent `explorer` from 2026-11-20T00:00:00Z; 4 calls too many";
    assert!(
        out.contains("     most   highest   windows      over  by limit\n        1         3         5         3  "),
        "{out}"
    );
    assert!(out.contains(row), "{out}");
    let limits = json_of(&[&simulate[..], &["--json"]].concat(), "")["limits"].clone();
    assert_eq!(limits[0]["calls_over"], 4, "{limits}");
    assert_eq!(
        limits[0]["highest_in"],
        json!({"subject": "agent `explorer`", "from": "2026-11-20T00:00:00Z"}),
        "{limits}"
    );
}
