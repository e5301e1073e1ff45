//! Suggested rules cover what was recorded, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::OnceLock,
};

use countersign_authoring::{
    AgentMapping, AwsActions, Circumstances, Placeholders, RecordedCall, SuggestOptions, call_of, suggest_for,
};
use countersign_domain::{AgentId, Class, Decision, GroupName, Permission};
use countersign_policy::{Bundle, check};
use proptest::prelude::*;

fn settings() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/bundle/countersign.toml")).unwrap()
}

fn bundle(rules: &str) -> Bundle {
    let samples = Placeholders::default();
    let files = [("countersign.toml", settings()), ("suggested.cedar", rules.to_owned())];
    let files = files.map(|(name, text)| (name.to_owned(), text)).into();
    Bundle::from_sources(files, |name| samples.value(name), &[]).unwrap_or_else(|error| panic!("{error}\n{rules}"))
}

/// Calls of every kind: exact and unknown resources, several permissions, classes.
const CALLS: [(&str, &str); 11] = [
    ("dynamodb:PutItem", r#"{"TableName":"NAME","Item":{"id":{"S":"1"}}}"#),
    ("dynamodb:GetItem", r#"{"TableName":"NAME","Key":{"id":{"S":"1"}}}"#),
    ("dynamodb:DeleteTable", r#"{"TableName":"NAME"}"#),
    ("s3:GetObject", r#"{"Bucket":"NAME","Key":"a/b.txt"}"#),
    ("s3:DeleteObject", r#"{"Bucket":"reports","Key":"NAME"}"#),
    ("ec2:DescribeInstances", "{}"),
    ("iam:GetRole", r#"{"RoleName":"NAME"}"#),
    ("iam:CreateRole", r#"{"RoleName":"NAME","AssumeRolePolicyDocument":"{}"}"#),
    (
        "secretsmanager:GetSecretValue",
        r#"{"SecretId":"arn:aws:secretsmanager:eu-central-1:123456789012:secret:NAME-Ab3xY9"}"#,
    ),
    (
        "lambda:CreateFunction",
        r#"{"FunctionName":"NAME","Role":"arn:aws:iam::123456789012:role/app","Code":{"S3Bucket":"c","S3Key":"k"}}"#,
    ),
    ("iam:CreateAccessKey", r#"{"UserName":"NAME"}"#),
];
const NAMES: usize = 4;
const AGENTS: [&str; 2] = ["deployer", "explorer"];

/// An agent, a call and a name, each by number.
type Pick = (usize, usize, usize);

fn recorded(settings: &Bundle, (agent, call, name): Pick) -> RecordedCall {
    let target = settings.settings().targets[0].clone();
    let (operation, parameters) = CALLS[call];
    let parameters = parameters.replace("NAME", &format!("app-{name}"));
    let call = call_of(operation, parameters.as_bytes(), None, "eu-central-1", &target).unwrap();
    let circumstances = Circumstances::new(AgentId::new(AGENTS[agent]).unwrap(), target);
    RecordedCall { call, circumstances, in_part: false }
}

/// Every call that there is to choose from, made once.
fn every() -> &'static BTreeMap<Pick, RecordedCall> {
    static EVERY: OnceLock<BTreeMap<Pick, RecordedCall>> = OnceLock::new();
    EVERY.get_or_init(|| {
        let settings = bundle("");
        let picks = (0..AGENTS.len())
            .flat_map(|agent| (0..CALLS.len()).flat_map(move |call| (0..NAMES).map(move |name| (agent, call, name))));
        picks.map(|pick| (pick, recorded(&settings, pick))).collect()
    })
}

fn picks() -> impl Strategy<Value = Vec<Pick>> {
    proptest::collection::vec((0..AGENTS.len(), 0..CALLS.len(), 0..NAMES), 1..16)
}

fn suggested(bundle: &Bundle, calls: &[RecordedCall], most: usize) -> String {
    let (agents, approvers) = (AgentMapping::default(), GroupName::new("approvers").unwrap());
    let options = SuggestOptions {
        settings: bundle.settings(),
        agents: &agents,
        approvers: &approvers,
        beyond: None,
        most_resources: most,
    };
    suggest_for(calls, &options).text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// Everything else that could have been called is denied: other agents, other actions, other resources.
    #[test]
    fn they_cover_what_was_recorded_and_nothing_else(chosen in picks()) {
        let calls: Vec<_> = chosen.iter().filter_map(|pick| every().get(pick).cloned()).collect();
        let rules = bundle(&suggested(&bundle(""), &calls, usize::MAX));
        let given: BTreeSet<(String, String, String)> = calls
            .iter()
            .filter(|one| !one.call.classes().contains(Class::CredentialReturning))
            .flat_map(|one| one.call.permissions.iter().map(|permission| {
                let resource = permission.resource.exact().unwrap_or("*");
                (one.circumstances.agent.to_string(), permission.action.clone(), resource.to_owned())
            }))
            .collect();
        for (pick, one) in every() {
            let agent = one.circumstances.agent.to_string();
            let is_given = one.call.permissions.iter().all(|permission| {
                let of = |resource: &str| given.contains(&(agent.clone(), permission.action.clone(), resource.to_owned()));
                of("*") || permission.resource.exact().is_some_and(of)
            });
            let verdict = rules.decide(&one.call, &one.circumstances.facts());
            let covered = !matches!(verdict.decision, Decision::Deny { .. });
            let never = one.call.classes().contains(Class::CredentialReturning);
            prop_assert_eq!(covered, is_given && !never, "{:?} {:?}", pick, verdict.decision);
            let passes = matches!(verdict.decision, Decision::Allow { .. });
            prop_assert!(!passes || one.call.classes().is_empty());
        }
    }

    /// With common beginnings they cover at least what was recorded, and still no other action and no other agent.
    #[test]
    fn common_beginnings_never_reach_other_actions(chosen in picks()) {
        let calls: Vec<_> = chosen.iter().filter_map(|pick| every().get(pick).cloned()).collect();
        let text = suggested(&bundle(""), &calls, 2);
        let rules = bundle(&text);
        let errors: Vec<_> = check(&rules, AwsActions::embedded())
            .into_iter()
            .filter(|finding| !finding.message.contains("may approve"))
            .collect();
        prop_assert!(errors.is_empty(), "{text}\n{errors:?}");
        for one in &calls {
            let verdict = rules.decide(&one.call, &one.circumstances.facts());
            let never = one.call.classes().contains(Class::CredentialReturning);
            prop_assert_eq!(matches!(verdict.decision, Decision::Deny { .. }), never, "{:?}", verdict.decision);
        }
        for (pick, one) in every() {
            let used = |permission: &Permission| calls.iter().any(|other| {
                other.circumstances.agent == one.circumstances.agent
                    && other.call.permissions.iter().any(|known| known.action == permission.action)
            });
            if !one.call.permissions.iter().all(used) {
                let verdict = rules.decide(&one.call, &one.circumstances.facts());
                prop_assert!(matches!(verdict.decision, Decision::Deny { .. }), "{:?} {:?}", pick, verdict.decision);
            }
        }
    }
}
