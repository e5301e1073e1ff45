//! The bundles that the project ships, held to their own tests.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use countersign_authoring::{AwsActions, CaseFile, Coverage, Placeholders, find_cases, run};
use countersign_policy::{Bundle, Severity, check};

fn infra() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra")
}

/// The default bundle and every starter pack.
fn folders() -> Vec<PathBuf> {
    let packs = std::fs::read_dir(infra().join("packs")).unwrap().map(|entry| entry.unwrap().path());
    let folders: Vec<_> = [infra().join("bundle")].into_iter().chain(packs.filter(|path| path.is_dir())).collect();
    assert!(folders.len() >= 6, "{folders:?}");
    folders
}

fn load(folder: &Path) -> Bundle {
    let samples = Placeholders::default();
    Bundle::load(folder, |name| samples.value(name), &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn shipped() -> Bundle {
    load(&infra().join("bundle"))
}

#[test]
fn their_cases_pass_and_reach_every_rule() {
    for folder in folders() {
        let bundle = load(&folder);
        let mut results = Vec::new();
        for path in find_cases(&folder, None).unwrap().cases {
            let text = std::fs::read_to_string(&path).unwrap();
            let file = CaseFile::read(&path, &text).unwrap_or_else(|error| panic!("{error}"));
            results.extend(run(&bundle, &file));
        }
        let failed: Vec<_> = results.iter().filter(|result| !result.passed()).collect();
        assert!(failed.is_empty(), "{failed:#?}");
        let coverage = Coverage::of(&bundle, &results);
        let missing: Vec<_> = coverage.missing().collect();
        assert!(missing.is_empty() && coverage.percent() == 100, "{}: no case reaches {missing:#?}", folder.display());
    }
}

/// What the checks warn of and a pack means all the same: its rules that forbid are conditional, or deploying is what it is for.
const MEANT: [(&str, u32); 4] =
    [("10-deploying.cedar", 3), ("10-deploying.cedar", 26), ("10-looking.cedar", 3), ("10-looking.cedar", 9)];

#[test]
fn aws_has_everything_that_they_name() {
    for folder in folders() {
        let mut found = check(&load(&folder), AwsActions::embedded());
        found.retain(|one| one.severity == Severity::Error || !MEANT.contains(&(one.file.as_str(), one.line)));
        assert_eq!(found, [], "{}", folder.display());
    }
}

#[test]
fn a_case_that_expects_something_else_fails_and_says_what_is() {
    let bundle = shipped();
    let case = |more: &str| {
        let text = format!("[[case]]\nagent = \"deployer\"\n{more}\n");
        let file = CaseFile::read(Path::new("x.toml"), &text).unwrap();
        run(&bundle, &file).remove(0)
    };
    let put = "call = \"dynamodb:PutItem\"\nparameters = { TableName = \"orders\", Item = { id = { S = \"1\" } } }\n";
    for (more, part) in [
        (format!("{put}expect = \"allow\""), "expected allow, and it is approval by 20-writes/writes"),
        (
            format!("{put}expect = \"approval\"\nrule = \"20-writes/destructive\""),
            "expected the rule 20-writes/destructive",
        ),
        (format!("{put}expect = \"approval\"\nrules = []"), "expected exactly the rules"),
        (format!("{put}expect = \"approval\"\nquorum = 2"), "expected a quorum of 2, and it is 1"),
        (format!("{put}expect = \"approval\"\napprovers = [\"dba\"]"), "expected approvers dba, and it is approvers"),
        (format!("{put}expect = \"approval\"\nexpires = \"1h\""), "expected expiry after 3600 s, and it is 1800 s"),
        (format!("{put}expect = \"approval\"\nconfirm = true"), "expected confirmation by name true"),
        (format!("{put}expect = \"approval\"\nshadow = [\"a/b\"]"), "expected the shadow rules"),
        (format!("{put}expect = \"deny\"\ntarget = \"maim\""), "did you mean `main`?"),
        ("call = \"dynamodb:PutItems\"\nexpect = \"deny\"".to_owned(), "did you mean `dynamodb:PutItem`?"),
        ("call = \"dynamo:PutItem\"\nexpect = \"deny\"".to_owned(), "did you mean `"),
        (
            "call = \"iam:GetRole\"\nparameters = { Rolename = \"x\" }\nexpect = \"deny\"".to_owned(),
            "the parameters do not fit",
        ),
        (
            "call = \"iam:GetRole\"\nparameters = { RoleName = \"x\" }\nbody = \"x\"\nexpect = \"deny\"".to_owned(),
            "no streamed body",
        ),
        (
            "call = \"organizations:LeaveOrganization\"\nexpect = \"deny\"\nreason = \"elephants\"".to_owned(),
            "expected a reason with `elephants`",
        ),
    ] {
        let result = case(&more);
        assert!(result.failures.iter().any(|failure| failure.contains(part)), "{more}: {result:?}");
    }
    let failing: BTreeSet<_> =
        [case(&format!("{put}expect = \"allow\""))].into_iter().map(|result| result.decision).collect();
    assert_eq!(failing, [Some("approval")].into());
}
