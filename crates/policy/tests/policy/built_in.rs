//! Forbids that no bundle lifts.

use bytes::Bytes;
use countersign_domain::{AccessLevel, Call, Class, Resource, Value};
use countersign_policy::Bundle;

use crate::harness::*;

const ALL: &str = "permit(principal, action, resource);";

/// As the deployment's template names them; `GATEWAY` stands for the gateway's account.
const PROTECTED: [&str; 9] = [
    "arn:*:dynamodb:*:GATEWAY:table/countersign-*",
    "arn:aws:s3:::countersign-frozen*",
    "arn:aws:kms:eu-central-1:GATEWAY:key/0d7f0000-0000-4000-8000-000000000001",
    "arn:*:kms:*:GATEWAY:alias/countersign-*",
    "arn:*:lambda:*:GATEWAY:*:countersign-*",
    "arn:*:states:*:GATEWAY:*:countersign-*",
    "arn:*:iam::GATEWAY:*/countersign-*",
    "arn:*:logs:*:GATEWAY:log-group:*/countersign-*",
    "arn:*:cloudformation:*:GATEWAY:stack/countersign/*",
];

fn with_protected(account: &str) -> Bundle {
    let files = vec![("rules.cedar".to_owned(), ALL.to_owned()), ("countersign.toml".to_owned(), SETTINGS.to_owned())];
    let protected: Vec<_> = PROTECTED.iter().map(|pattern| pattern.replace("GATEWAY", account)).collect();
    Bundle::from_sources(files, |_| None, &protected).unwrap()
}

fn rule(bundle: &Bundle, call: &Call) -> String {
    let decision = decide(bundle, call).decision;
    decision.rules().first().map(|hit| hit.rule.clone()).unwrap_or_default()
}

#[test]
fn a_credential_never_comes_back() {
    let call = with_class(put_item(), Class::CredentialReturning);
    assert_eq!(rule(&bundle(ALL), &call), "built-in/credential-returning");
    let approved = "@approval(\"dba\") permit(principal, action, resource);";
    assert_eq!(rule(&bundle(approved), &call), "built-in/credential-returning");
}

#[test]
fn a_mask_token_is_not_written_back() {
    let bundle = bundle(ALL);
    let masked = "‹masked:secret:1›";
    for parameters in [
        [("A", text(&format!("x{masked}y")))],
        [("A", Value::List(vec![record(&[("B", text(masked))])]))],
        [("A", record(&[(masked, text("b"))]))],
        [("A", Value::Blob(Bytes::from(masked.as_bytes().to_vec())))],
        [("A", Value::Decimal(masked.to_owned()))],
    ] {
        assert_eq!(rule(&bundle, &with_parameters(put_item(), &parameters)), "built-in/masked-value", "{parameters:?}");
    }
    let mut upload = with_parameters(put_item(), &[("Body", Value::Stream { length: 30 })]);
    upload.outgoing.body = Bytes::from(format!("password = {masked}"));
    assert_eq!(rule(&bundle, &upload), "built-in/masked-value");
    upload.outgoing.body = Bytes::from_static(b"password = masked");
    assert_eq!(decide(&bundle, &upload).decision.as_str(), "allow");
}

#[test]
fn the_roles_of_every_target_are_out_of_reach() {
    for role in [
        "111122223333:role/countersign-auto",
        "999988887777:role/countersign-approved",
        "111122223333:ROLE/Countersign-Auto",
    ] {
        let call = call("iam:GetRole", AccessLevel::Read, Resource::Exact(format!("arn:aws:iam::{role}")));
        assert_eq!(rule(&bundle(ALL), &call), "built-in/own-resources", "{role}");
    }
    let other = call("iam:GetRole", AccessLevel::Read, Resource::Exact("arn:aws:iam::111122223333:role/x".to_owned()));
    assert_eq!(decide(&bundle(ALL), &other).decision.as_str(), "allow");
}

#[test]
fn own_resources_in_a_shared_account() {
    use AccessLevel::{List, Read, Write};
    let exact = |arn: &str| Resource::Exact(arn.to_owned());
    let odd = |name: &str| Resource::NonCanonical(name.to_owned());
    let bundle = with_protected("111122223333");
    for (action, level, resource, denied) in [
        (
            "dynamodb:GetItem",
            Read,
            exact("arn:aws:dynamodb:eu-central-1:111122223333:table/countersign-authority"),
            true,
        ),
        ("dynamodb:Query", Read, exact("arn:aws:dynamodb:eu-central-1:111122223333:table/countersign-a/index/i"), true),
        ("dynamodb:GetItem", Read, exact("arn:aws:dynamodb:eu-central-1:111122223333:table/Countersign-a"), true),
        ("dynamodb:GetItem", Read, exact(TABLE), false),
        ("dynamodb:ListTables", List, Resource::Unresolved, false),
        ("s3:GetObject", Read, exact("arn:aws:s3:::countersign-frozen-1/frozen/x"), true),
        ("s3:GetObject", Read, exact("arn:aws:s3:::mine/x"), false),
        (
            "kms:Decrypt",
            Write,
            exact("arn:aws:kms:eu-central-1:111122223333:key/0d7f0000-0000-4000-8000-000000000001"),
            true,
        ),
        ("kms:Decrypt", Write, odd("alias/anything"), true),
        ("kms:Decrypt", Write, odd("0d7f0000-0000-4000-8000-000000000001"), true),
        ("kms:DescribeKey", Read, odd("alias/anything"), false),
        ("kms:CreateKey", Write, Resource::Unresolved, false),
        ("lambda:UpdateFunctionCode", Write, odd("countersign-gateway"), true),
        ("lambda:UpdateFunctionCode", Write, odd("111122223333:function:Countersign-Gateway:live"), true),
        ("lambda:InvokeFunction", Write, odd("my-function"), false),
        ("states:SendTaskSuccess", Write, Resource::Unresolved, true),
        ("states:SendTaskSuccess", Write, Resource::AccountLevel, true),
        ("states:ListStateMachines", List, Resource::AccountLevel, false),
        (
            "states:StartExecution",
            Write,
            exact("arn:aws:states:eu-central-1:111122223333:stateMachine:countersign-a"),
            true,
        ),
        ("iam:PassRole", Write, exact("arn:aws:iam::111122223333:role/countersign-auto"), true),
        ("iam:PassRole", Write, Resource::Unresolved, false),
        ("iam:PutRolePolicy", AccessLevel::PermissionsManagement, Resource::Unresolved, true),
        ("cloudformation:DeleteStack", Write, odd("countersign"), true),
        ("cloudformation:DeleteStack", Write, odd("other"), false),
        (
            "logs:DeleteLogGroup",
            Write,
            exact("arn:aws:logs:eu-central-1:111122223333:log-group:/aws/lambda/countersign-x:*"),
            true,
        ),
        ("ec2:DescribeInstances", List, Resource::Unresolved, false),
        ("ec2:TerminateInstances", Write, Resource::Unresolved, false),
    ] {
        let found = rule(&bundle, &call(action, level, resource.clone()));
        assert_eq!(found == "built-in/own-resources", denied, "{action} {resource:?}: {found}");
    }
}

#[test]
fn an_unresolved_read_that_names_our_table_is_denied() {
    let bundle = with_protected("111122223333");
    let select = call("dynamodb:PartiQLSelect", AccessLevel::Read, Resource::Unresolved);
    let ours = with_parameters(select.clone(), &[("Statement", text("SELECT * FROM \"Countersign-authority\""))]);
    assert_eq!(rule(&bundle, &ours), "built-in/own-resources");
    let theirs = with_parameters(select, &[("Statement", text("SELECT * FROM orders"))]);
    assert_eq!(decide(&bundle, &theirs).decision.as_str(), "allow");
}

#[test]
fn a_gateway_in_its_own_account_costs_its_targets_nothing() {
    let bundle = with_protected("123456789012");
    for (action, resource) in [
        ("kms:Decrypt", Resource::NonCanonical("alias/mine".to_owned())),
        ("states:SendTaskSuccess", Resource::Unresolved),
        ("lambda:UpdateFunctionCode", Resource::NonCanonical("countersign-gateway".to_owned())),
    ] {
        let decision = decide(&bundle, &call(action, AccessLevel::Write, resource)).decision;
        assert_eq!(decision.as_str(), "allow", "{action}");
    }
}

#[test]
fn what_is_protected_must_be_patterns_of_arns() {
    let files = vec![("countersign.toml".to_owned(), SETTINGS.to_owned())];
    let error = Bundle::from_sources(files, |_| None, &["countersign".to_owned()]).unwrap_err();
    assert_eq!(error.problems[0].file, "COUNTERSIGN_PROTECTED_ARNS");
}
