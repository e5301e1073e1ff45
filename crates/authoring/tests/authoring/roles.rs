//! IAM holds the same line as the rules: never narrower, and as narrow as it can be said.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use countersign_authoring::{
    AwsActions, Circumstances, Document, Placeholders, Role, RolesError, allows, call_of, policies, services_of,
    template_text,
};
use countersign_domain::{AgentId, Class, Decision};
use countersign_policy::Bundle;
use proptest::prelude::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/bundle")
}

fn shipped() -> Bundle {
    let samples = Placeholders::default();
    Bundle::load_texts(&folder(), |name| samples.value(name), &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn bundle(rules: &str) -> Bundle {
    let samples = Placeholders::default();
    let settings = fs::read_to_string(folder().join("countersign.toml")).unwrap();
    let files = [("countersign.toml", settings), ("rules.cedar", rules.to_owned())];
    let files = files.map(|(name, text)| (name.to_owned(), text)).into();
    Bundle::from_sources(files, |name| samples.value(name), &[]).unwrap_or_else(|error| panic!("{error}\n{rules}"))
}

/// Limited to the services that the tests call: all of them need more policies than a role takes.
fn of(bundle: &Bundle, role: Role) -> Vec<Document> {
    let services = ["dynamodb", "ec2", "iam", "lambda", "s3", "sqs"].map(str::to_owned).into();
    policies(bundle, "main", role, &services).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_default_bundle_fits_and_holds_its_line() {
    let bundle = shipped();
    let services = services_of(&committed());
    assert!(services.contains("s3") && services.contains("iam"));
    let limited = |role| policies(&bundle, "main", role, &services).unwrap_or_else(|error| panic!("{error}"));
    let (auto, approved) = (limited(Role::Auto), limited(Role::Approved));
    assert!(!allows(&approved, "glue:GetJob", "*"), "the roles are limited to services");
    for document in auto.iter().chain(&approved) {
        assert!(document.size() <= 6144, "{}", document.size());
    }
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}:eu-central-1:123456789012:{rest}");
    for (action, resource, alone, approved_too) in [
        ("ec2:DescribeInstances", "*".to_owned(), true, true),
        ("s3:GetObject", "arn:aws:s3:::reports/a".to_owned(), true, true),
        ("dynamodb:PutItem", arn("dynamodb", "table/agent-scratch-notes"), true, true),
        ("dynamodb:PutItem", arn("dynamodb", "table/orders"), false, true),
        ("s3:PutObject", "arn:aws:s3:::agent-scratch-x/y/z".to_owned(), true, true),
        ("s3:PutObject", "arn:aws:s3:::orders/agent-scratch-x".to_owned(), false, true),
        ("sqs:SendMessage", arn("sqs", "agent-scratch-jobs"), true, true),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/app".to_owned(), false, true),
        ("dynamodb:DeleteTable", arn("dynamodb", "table/agent-scratch-notes"), false, true),
        ("iam:CreateUser", "arn:aws:iam::123456789012:user/x".to_owned(), false, false),
        ("kms:ScheduleKeyDeletion", arn("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab"), false, false),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/app".to_owned(), false, false),
    ] {
        assert_eq!(allows(&auto, action, &resource), alone, "auto: {action} {resource}");
        assert_eq!(allows(&approved, action, &resource), approved_too, "approved: {action} {resource}");
    }
}

/// Bounds of conditions, each with what it lets through and what not.
#[test]
fn conditions_bound_resources_and_actions_where_iam_can_say_it() {
    let table = "arn:aws:dynamodb:eu-central-1:123456789012:table/app-orders";
    let other = "arn:aws:dynamodb:eu-central-1:123456789012:table/orders";
    for (condition, on_table, on_other, writes) in [
        ("", true, true, true),
        ("when { resource.name like \"app-*\" }", true, false, true),
        ("when { resource.name == \"app-orders\" }", true, false, true),
        ("when { [\"app-orders\", \"app-users\"].contains(resource.name) }", true, false, true),
        ("when { resource.name like \"app-*\" || resource.name like \"ord*\" }", true, true, true),
        ("when { resource.name like \"app-*\" || context.region == \"eu-central-1\" }", true, true, true),
        ("when { resource.name like \"app-*\" && context.region == \"eu-central-1\" }", true, false, true),
        ("when { context.level == \"Read\" }", true, true, false),
        ("when { [\"List\", \"Read\"].contains(context.level) }", true, true, false),
        ("when { action in [Action::\"dynamodb:GetItem\"] }", true, true, false),
        ("when { resource in Account::\"123456789012\" }", true, true, true),
        ("when { resource in Account::\"999988887777\" }", false, false, false),
        ("unless { resource.name like \"app-*\" }", true, true, true),
        ("when { false }", false, false, false),
    ] {
        let bundle = bundle(&format!("permit (principal, action in Action::\"dynamodb:*\", resource) {condition};"));
        let auto = of(&bundle, Role::Auto);
        assert_eq!(allows(&auto, "dynamodb:GetItem", table), on_table, "{condition}");
        assert_eq!(allows(&auto, "dynamodb:GetItem", other), on_other, "{condition}");
        assert_eq!(allows(&auto, "dynamodb:PutItem", table), writes, "{condition}");
        assert!(!allows(&auto, "sqs:SendMessage", "*"), "{condition}");
    }
}

/// Where the resource is not known, a rule that asks for approval holds the call whatever it says of resources.
#[test]
fn what_is_held_for_approval_is_not_bounded_by_resources() {
    let rule = "(principal, action in Action::\"ec2:*\", resource) when { resource.name like \"app-*\" };";
    let held = bundle(&format!("@approval(\"approvers\") permit {rule}"));
    assert!(allows(&of(&held, Role::Approved), "ec2:DescribeInstances", "*"));
    let passes = bundle(&format!("permit {rule}"));
    assert!(!allows(&of(&passes, Role::Auto), "ec2:DescribeInstances", "*"));
}

/// An action to which AWS gives no resource is in its account and has no name.
#[test]
fn an_action_without_resources_is_bounded_by_its_account_alone() {
    for (condition, expected) in [
        ("resource in Account::\"123456789012\"", true),
        ("resource.name like \"*\"", true),
        ("resource.arn like \"*\"", true),
        ("resource.name like \"a*\"", false),
        ("resource.arn like \"arn:*\"", false),
    ] {
        let rule = format!("permit (principal, action in Action::\"ec2:*\", resource) when {{ {condition} }};");
        assert_eq!(allows(&of(&bundle(&rule), Role::Auto), "ec2:DescribeInstances", "*"), expected, "{condition}");
    }
}

#[test]
fn forbids_without_conditions_become_denies_and_others_do_not() {
    let permit = "@id(\"all\") permit (principal, action in Action::\"dynamodb:*\", resource);\n";
    let table = "arn:aws:dynamodb:eu-central-1:123456789012:table/orders";
    for (forbid, denied) in [
        ("forbid (principal, action == Action::\"dynamodb:DeleteItem\", resource);", true),
        ("forbid (principal, action == Action::\"dynamodb:DeleteItem\", resource in Account::\"123456789012\");", true),
        ("forbid (principal, action == Action::\"dynamodb:DeleteItem\", resource in Target::\"main\");", true),
        ("forbid (principal == Agent::\"deployer\", action == Action::\"dynamodb:DeleteItem\", resource);", false),
        (
            "forbid (principal, action == Action::\"dynamodb:DeleteItem\", resource) when { context.region == \"x\" };",
            false,
        ),
        ("@mode(\"shadow\") forbid (principal, action == Action::\"dynamodb:DeleteItem\", resource);", false),
    ] {
        let auto = of(&bundle(&format!("{permit}{forbid}")), Role::Auto);
        assert_eq!(allows(&auto, "dynamodb:DeleteItem", table), !denied, "{forbid}");
        let explicit = auto.iter().flat_map(|document| &document.statements).any(|statement| !statement.allow);
        assert_eq!(explicit, denied, "{forbid}");
    }
}

#[test]
fn what_does_not_fit_is_an_error_that_names_the_fix() {
    let names: Vec<_> = (0..100).map(|number| format!("\"application-{number}-with-a-long-name\"")).collect();
    let names = names.join(", ");
    let rules = format!(
        "permit (principal, action == Action::\"sqs:SendMessage\", resource) when {{ [{names}].contains(resource.name) }};"
    );
    let everything = policies(&shipped(), "main", Role::Auto, &BTreeSet::new()).unwrap_err();
    assert!(everything.to_string().contains("`--service`"), "{everything}");
    let error = policies(&bundle(&rules), "main", Role::Auto, &BTreeSet::new()).unwrap_err();
    assert!(matches!(error, RolesError::TooLarge { .. }) && error.to_string().contains("split the rule"), "{error}");
}

fn committed() -> String {
    fs::read_to_string(folder().join("../roles/main.json")).unwrap()
}

#[test]
fn the_committed_templates_are_fresh() {
    let (text, bundle) = (committed(), shipped());
    let services = services_of(&text);
    let limited = |role| policies(&bundle, "main", role, &services).unwrap_or_else(|error| panic!("{error}"));
    let written = template_text("main", &services, &limited(Role::Auto), &limited(Role::Approved));
    assert!(written.len() <= 51_200, "{}", written.len());
    assert!(text == written, "run `countersign policy roles infra/bundle --out infra/roles`");
}

const CALLS: [(&str, &str); 8] = [
    ("dynamodb:PutItem", r#"{"TableName":"NAME","Item":{"id":{"S":"1"}}}"#),
    ("dynamodb:BatchGetItem", r#"{"RequestItems":{"NAME":{"Keys":[{"id":{"S":"1"}}]}}}"#),
    ("s3:GetObject", r#"{"Bucket":"NAME","Key":"a/NAME.txt"}"#),
    ("s3:PutBucketTagging", r#"{"Bucket":"NAME","Tagging":{"TagSet":[]}}"#),
    ("ec2:DescribeInstances", "{}"),
    ("iam:CreateRole", r#"{"RoleName":"NAME","Path":"/team/","AssumeRolePolicyDocument":"{}"}"#),
    (
        "lambda:CreateFunction",
        r#"{"FunctionName":"NAME","Role":"arn:aws:iam::123456789012:role/app","Code":{"S3Bucket":"c","S3Key":"k"}}"#,
    ),
    ("sqs:SendMessage", r#"{"QueueUrl":"https://sqs.eu-central-1.amazonaws.com/999988887777/NAME","MessageBody":"x"}"#),
];
const EFFECTS: [&str; 3] = ["permit", "@approval(\"approvers\") permit", "forbid"];
const PRINCIPALS: [&str; 2] = ["principal", "principal == Agent::\"deployer\""];
const ACTIONS: [&str; 7] = [
    "action",
    "action in Action::\"level:Read\"",
    "action in [Action::\"level:Write\", Action::\"dynamodb:*\"]",
    "action in Action::\"s3:*\"",
    "action in Action::\"class:delegating\"",
    "action == Action::\"sqs:SendMessage\"",
    "action in [Action::\"iam:CreateRole\", Action::\"iam:PassRole\", Action::\"level:Permissions management\"]",
];
const RESOURCES: [&str; 4] = [
    "resource",
    "resource in Target::\"main\"",
    "resource in Account::\"123456789012\"",
    "resource == Resource::\"arn:aws:s3:::app-1\"",
];
const CONDITIONS: [&str; 10] = [
    "",
    "when { resource.name like \"app-*\" }",
    "when { resource.name like \"*-1\" || resource.name like \"*\" }",
    "when { resource in Account::\"123456789012\" }",
    "when { resource.name == \"team/app-1\" || resource.name like \"app-2*\" }",
    "when { resource.arn like \"arn:aws:*:app-1*\" }",
    "when { context.level == \"Write\" || resource.type == \"table\" }",
    "unless { [\"List\", \"Read\"].contains(context.level) }",
    "when { action in [Action::\"dynamodb:*\", Action::\"s3:*\"] && resource.name like \"app-1\" }",
    "when { [\"app-1\", \"app-2\"].contains(resource.name) && context.region == \"eu-central-1\" }",
];

fn rule() -> impl Strategy<Value = String> {
    let parts = (0..EFFECTS.len(), 0..PRINCIPALS.len(), 0..ACTIONS.len(), 0..RESOURCES.len(), 0..CONDITIONS.len());
    parts.prop_map(|(effect, principal, action, resource, condition)| {
        let (effect, principal, action) = (EFFECTS[effect], PRINCIPALS[principal], ACTIONS[action]);
        format!("{effect} ({principal}, {action}, {}) {};\n", RESOURCES[resource], CONDITIONS[condition])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_role_is_narrower_than_its_rules(rules in proptest::collection::vec(rule(), 1..6), call in 0..CALLS.len(), name in 1..3_usize) {
        let bundle = bundle(&rules.concat());
        let target = bundle.settings().targets[0].clone();
        let (operation, parameters) = CALLS[call];
        let parameters = parameters.replace("NAME", &format!("app-{name}"));
        let call = call_of(operation, parameters.as_bytes(), None, "eu-central-1", &target).unwrap();
        let circumstances = Circumstances::new(AgentId::new("deployer").unwrap(), target);
        let role = match bundle.decide(&call, &circumstances.facts()).decision {
            Decision::Deny { .. } => return Ok(()),
            Decision::NeedsApproval { .. } => Role::Approved,
            Decision::Allow { .. } => Role::Auto,
        };
        // Rules of any kind on all services need more policies than a role takes.
        let service = |action: &str| action.split(':').next().unwrap_or_default().to_owned();
        let services = call.permissions.iter().map(|permission| service(&permission.action)).collect();
        let documents = policies(&bundle, "main", role, &services).unwrap();
        for permission in &call.permissions {
            let resource = permission.resource.exact().unwrap_or("*");
            prop_assert!(allows(&documents, &permission.action, resource), "{}{} {}", rules.concat(), permission.action, resource);
        }
    }
}

#[test]
fn every_action_that_a_call_can_need_can_be_selected() {
    let all = bundle("@approval(\"approvers\") permit (principal, action, resource);");
    let aws = AwsActions::embedded();
    let (mut needed, mut missing) = (0, Vec::new());
    for (service, actions) in aws.by_service().iter().step_by(16) {
        let documents = policies(&all, "main", Role::Approved, &[(*service).to_owned()].into()).unwrap();
        for action in actions.iter().filter(|action| !aws.operations_of(action).is_empty()) {
            needed += 1;
            if !allows(&documents, action, "*") {
                missing.push(*action);
            }
        }
    }
    // What is left out returns credentials, whatever the call.
    let certain = |action: &&str| aws.constant_classes(action).contains(Class::CredentialReturning);
    assert!(needed > 500 && missing.iter().all(certain), "{needed}: {missing:?}");
}
