//! The bundle that the project ships.

use std::path::Path;

use countersign_domain::{AccessLevel, Call, Class, Resource, Value};
use countersign_policy::{Bundle, COMPILED_FILE};

use crate::harness::*;

pub(crate) fn environment(name: &str) -> Option<String> {
    let value = match name {
        "COUNTERSIGN_AGENT_ISSUER" | "COUNTERSIGN_PERSON_ISSUER" => "https://issuer.example.com",
        "COUNTERSIGN_AGENT_AUDIENCE" => "countersign",
        "COUNTERSIGN_PERSON_CLIENT_ID" => "countersign-approvals",
        "COUNTERSIGN_TARGET_ACCOUNT" => "111122223333",
        "COUNTERSIGN_TARGET_REGION" => "eu-central-1, us-east-1",
        "COUNTERSIGN_TARGET_AUTO_ROLE" => "arn:aws:iam::111122223333:role/countersign-auto",
        "COUNTERSIGN_TARGET_APPROVED_ROLE" => "arn:aws:iam::111122223333:role/countersign-approved",
        "COUNTERSIGN_EMAIL_FROM" => "countersign@example.com",
        "COUNTERSIGN_SNS_TOPIC" => "",
        _ => return None,
    };
    Some(value.to_owned())
}

pub(crate) fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/bundle")
}

fn shipped() -> Bundle {
    Bundle::load(&folder(), environment, &[]).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn it_loads_and_resolves_its_placeholders() {
    let bundle = shipped();
    let settings = bundle.settings();
    assert_eq!(settings.targets[0].regions.len(), 2);
    assert_eq!(settings.channels.sns_topic, None);
    assert_eq!(settings.persons.len(), 3);
}

fn exact(action: &str, level: AccessLevel, arn: &str) -> Call {
    call(action, level, Resource::Exact(arn.to_owned()))
}

#[test]
fn reads_pass_writes_wait_and_the_dangerous_is_denied() {
    use AccessLevel::{List, PermissionsManagement, Read, Tagging, Write};
    let scratch_table = "arn:aws:dynamodb:eu-central-1:111122223333:table/agent-scratch-notes";
    let role = "arn:aws:iam::111122223333:role/app";
    let unresolved = |action, level| call(action, level, Resource::Unresolved);
    let policy = |text_of: &str| {
        with_parameters(
            exact("s3:PutBucketPolicy", PermissionsManagement, "arn:aws:s3:::data"),
            &[("Policy", text(text_of))],
        )
    };
    let acl = |value: &str| {
        with_parameters(exact("s3:PutBucketAcl", PermissionsManagement, "arn:aws:s3:::data"), &[("ACL", text(value))])
    };
    let group = record(&[("Group", text("all"))]);
    let add = record(&[("Add", Value::List(vec![group]))]);
    let snapshot = exact("ec2:ModifySnapshotAttribute", PermissionsManagement, "arn:aws:ec2:eu-central-1::snapshot/s");
    for (call, expected, rule) in [
        (unresolved("ec2:DescribeInstances", List), "allow", "10-reads/reads"),
        (exact("s3:GetObject", Read, "arn:aws:s3:::data/a b"), "allow", "10-reads/reads"),
        (exact("s3:PutObject", Write, "arn:aws:s3:::data/x"), "needs-approval", "20-writes/writes"),
        (exact("s3:PutObject", Write, "arn:aws:s3:::agent-scratch-1/x"), "allow", "30-scratch/scratch"),
        (exact("s3:PutBucketTagging", Tagging, "arn:aws:s3:::agent-scratch-1"), "needs-approval", "20-writes/writes"),
        (put_item(), "needs-approval", "20-writes/writes"),
        (exact("dynamodb:PutItem", Write, scratch_table), "allow", "30-scratch/scratch"),
        (
            with_class(exact("dynamodb:DeleteItem", Write, scratch_table), Class::Destructive),
            "allow",
            "30-scratch/scratch",
        ),
        (
            with_class(exact("dynamodb:DeleteTable", Write, scratch_table), Class::Destructive),
            "needs-approval",
            "20-writes/destructive",
        ),
        (unresolved("dynamodb:PutItem", Write), "needs-approval", "20-writes/writes"),
        (
            exact("sqs:SendMessage", Write, "arn:aws:sqs:eu-central-1:111122223333:agent-scratch-q"),
            "allow",
            "30-scratch/scratch",
        ),
        (exact("iam:CreateRole", Write, role), "needs-approval", "20-writes/writes"),
        (exact("iam:CreateRole", PermissionsManagement, role), "needs-approval", "20-writes/permissions"),
        (with_class(exact("iam:PassRole", Write, role), Class::Delegating), "needs-approval", "10-reads/delegating"),
        (
            with_class(unresolved("secretsmanager:GetSecretValue", Read), Class::SecretReturning),
            "needs-approval",
            "10-reads/secrets",
        ),
        (unresolved("iam:CreateUser", Write), "deny", "00-denied/identities"),
        (unresolved("organizations:LeaveOrganization", Write), "deny", "00-denied/organization"),
        (unresolved("organizations:ListAccounts", List), "allow", "10-reads/reads"),
        (unresolved("cloudtrail:StopLogging", Write), "deny", "00-denied/audit-trail"),
        (unresolved("kms:ScheduleKeyDeletion", Write), "deny", "00-denied/lost-for-ever"),
        (
            policy(r#"{"Statement":[{"Effect":"Allow","Principal": "*","Action":"s3:*"}]}"#),
            "deny",
            "00-denied/public-bucket-policy",
        ),
        (
            policy(r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]}}]}"#),
            "deny",
            "00-denied/public-bucket-policy",
        ),
        (policy(r#"{"Statement":[{"Principal":{"AWS":"111122223333"}}]}"#), "needs-approval", "20-writes/permissions"),
        (acl("public-read"), "deny", "00-denied/public-acl"),
        (acl("private"), "needs-approval", "20-writes/permissions"),
        (with_parameters(snapshot.clone(), &[("CreateVolumePermission", add)]), "deny", "00-denied/public-snapshot"),
        (snapshot, "needs-approval", "20-writes/permissions"),
    ] {
        let decision = decide(&shipped_once(), &call).decision;
        assert_eq!(decision.as_str(), expected, "{} {decision:?}", call.name());
        assert!(decision.rules().iter().any(|hit| hit.rule == rule), "{} {decision:?}", call.name());
    }
}

fn shipped_once() -> Bundle {
    static BUNDLE: std::sync::OnceLock<Bundle> = std::sync::OnceLock::new();
    BUNDLE.get_or_init(shipped).clone()
}

#[test]
fn no_rule_of_it_errs_on_a_call_without_parameters() {
    let bundle = shipped_once();
    for action in ["s3:PutBucketPolicy", "s3:PutObjectAcl", "ec2:ModifySnapshotAttribute", "ec2:ModifyImageAttribute"] {
        let verdict = decide(&bundle, &call(action, AccessLevel::PermissionsManagement, Resource::Unresolved));
        assert_eq!(verdict.errors, [], "{action}");
    }
}

#[test]
fn its_compiled_form_decides_alike() {
    let compiled = countersign_policy::compile(&folder()).unwrap();
    let beside = tempfile::tempdir().unwrap();
    std::fs::copy(folder().join("countersign.toml"), beside.path().join("countersign.toml")).unwrap();
    std::fs::write(beside.path().join(COMPILED_FILE), &compiled).unwrap();
    let lazy = Bundle::load(beside.path(), environment, &[]).unwrap();
    let eager = shipped_once();
    assert!(lazy.is_compiled() && !eager.is_compiled());
    assert_eq!(lazy.hash(), eager.hash());
    for resource in [Resource::Unresolved, Resource::Exact(TABLE.to_owned())] {
        for action in ["dynamodb:PutItem", "iam:CreateUser", "s3:PutBucketPolicy"] {
            let call = call(action, AccessLevel::Write, resource.clone());
            assert_eq!(decide(&lazy, &call), decide(&eager, &call));
        }
    }
}
