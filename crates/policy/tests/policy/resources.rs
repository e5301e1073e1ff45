//! The strict reading of resources that are not known exactly.

use countersign_domain::{AccessLevel, Call, Resource};

use crate::harness::*;

fn of(resource: Resource) -> Call {
    call("dynamodb:PutItem", AccessLevel::Write, resource)
}

/// Resources that may be any: not in the request, an alias, a name without version, odd case.
fn open() -> [Resource; 4] {
    [
        Resource::Unresolved,
        Resource::NonCanonical("alias/orders".to_owned()),
        Resource::NonCanonical("my-function".to_owned()),
        Resource::NonCanonical("arn:aws:rds:eu-central-1:111122223333:db:ORDERS".to_owned()),
    ]
}

const OTHER: &str = "arn:aws:dynamodb:eu-central-1:111122223333:table/other";

#[test]
fn a_forbid_or_approval_that_could_match_matches() {
    for condition in [
        "resource == Resource::\"arn:aws:dynamodb:eu-central-1:111122223333:table/secret\"",
        "resource in Account::\"444455556666\"",
    ] {
        for (tail, head) in [(String::new(), condition), (format!(" when {{ {condition} }}"), "resource")] {
            let forbid = format!("permit(principal, action, resource); forbid(principal, action, {head}){tail};");
            let ask = format!(
                "permit(principal, action, resource); @approval(\"dba\") permit(principal, action, {head}){tail};"
            );
            for resource in open() {
                assert_eq!(outcome(&forbid, &of(resource.clone())), "deny", "{forbid} {resource:?}");
                assert_eq!(outcome(&ask, &of(resource.clone())), "needs-approval", "{ask} {resource:?}");
            }
            let exact = of(Resource::Exact(OTHER.to_owned()));
            assert_eq!(outcome(&forbid, &exact), "allow");
            assert_eq!(outcome(&ask, &exact), "allow");
        }
    }
}

#[test]
fn conditions_on_an_unknown_resource() {
    // condition, does a forbid with it match, does a permit with it match
    for (condition, forbids, permits) in [
        ("resource.arn like \"*:table/secret\"", true, false),
        ("resource.name == \"secret\"", true, false),
        ("!(resource.name == \"secret\")", true, false),
        ("resource.account == \"111122223333\"", true, false),
        ("[Resource::\"a\", Resource::\"b\"].contains(resource)", true, false),
        ("resource has name", true, false),
        ("resource == resource", true, false),
        ("context.operation == \"PutItem\" && resource.name == \"secret\"", true, false),
        ("context.operation == \"Other\" && resource.name == \"secret\"", false, false),
        ("context.operation == \"PutItem\" || resource.name == \"secret\"", true, true),
        ("resource.name == \"secret\" || context.operation == \"PutItem\"", true, false),
        ("if context.operation == \"PutItem\" then true else resource.name == \"x\"", true, true),
        ("if resource.name == \"x\" then true else true", true, false),
        ("context.operation == \"PutItem\"", true, true),
        ("resource is Resource", true, true),
        ("resource in Target::\"dev\"", true, true),
        ("resource in Target::\"prod\"", false, false),
        ("resource in [Target::\"prod\", Target::\"dev\"]", true, true),
        ("resource in [Target::\"prod\"]", false, false),
        ("resource is Resource in Target::\"dev\"", true, true),
        ("!(resource in Target::\"dev\")", false, false),
        ("resource in [Target::\"prod\", Account::\"111122223333\"]", true, false),
        ("resource in Target::\"dev\" && resource.name == \"x\"", true, false),
        ("resource in Target::\"prod\" && resource.name == \"x\"", false, false),
    ] {
        for resource in open() {
            let forbid = format!(
                "permit(principal, action, resource); forbid(principal, action, resource) when {{ {condition} }};"
            );
            let permit = format!("permit(principal, action, resource) when {{ {condition} }};");
            let ask = format!("@approval(\"dba\") {permit}");
            let call = of(resource);
            assert_eq!(outcome(&forbid, &call) == "deny", forbids, "{forbid}");
            assert_eq!(outcome(&permit, &call) == "allow", permits, "{permit}");
            assert_eq!(outcome(&ask, &call) == "needs-approval", forbids, "{ask}");
        }
    }
}

#[test]
fn an_action_without_resources_is_on_its_account_and_on_no_arn() {
    let list = call("dynamodb:ListTables", AccessLevel::List, Resource::AccountLevel);
    // constraint, whether a forbid, an approval and a permit with it match
    for (condition, matches) in [
        ("resource == Resource::\"arn:aws:dynamodb:eu-central-1:111122223333:table/secret\"", false),
        ("resource in Account::\"444455556666\"", false),
        ("resource in Account::\"111122223333\"", true),
        ("resource in Target::\"dev\"", true),
        ("resource in Target::\"prod\"", false),
        ("resource == Resource::\"*\"", true),
    ] {
        for rule in [
            format!("(principal, action in Action::\"dynamodb:*\", {condition});"),
            format!("(principal, action in Action::\"dynamodb:*\", resource) when {{ {condition} }};"),
        ] {
            let forbid = format!("permit(principal, action, resource); forbid{rule}");
            assert_eq!(outcome(&forbid, &list) == "deny", matches, "{forbid}");
            assert_eq!(outcome(&format!("permit{rule}"), &list) == "allow", matches, "permit{rule}");
            let ask = format!("permit(principal, action, resource); @approval(\"dba\") permit{rule}");
            assert_eq!(outcome(&ask, &list) == "needs-approval", matches, "{ask}");
        }
    }
    for (condition, matches) in [
        ("resource.arn like \"*:table/secret\"", false),
        ("resource.arn == \"*\" && resource.name == \"\" && resource.type == \"\"", true),
        ("resource.account == \"111122223333\" && resource.region == \"eu-central-1\"", true),
        ("resource.service == \"dynamodb\" && resource.partition == \"aws\"", true),
        // A rule with an exception for a name has none for what has no name.
        ("!(resource.name like \"agent-scratch-*\")", true),
        ("resource.name like \"agent-scratch-*\"", false),
    ] {
        let forbid =
            format!("permit(principal, action, resource); forbid(principal, action, resource) when {{ {condition} }};");
        assert_eq!(outcome(&forbid, &list) == "deny", matches, "{forbid}");
        let permit = format!("permit(principal, action, resource) when {{ {condition} }};");
        assert_eq!(outcome(&permit, &list) == "allow", matches, "{permit}");
    }
}

#[test]
fn heads_that_constrain_the_resource() {
    for (head, exact, unknown) in [
        ("resource", "allow", "allow"),
        ("resource is Resource", "allow", "allow"),
        ("resource in Target::\"dev\"", "allow", "allow"),
        ("resource in Target::\"prod\"", "deny", "deny"),
        ("resource is Resource in Target::\"dev\"", "allow", "allow"),
        ("resource in Account::\"111122223333\"", "allow", "deny"),
        ("resource in Account::\"999988887777\"", "deny", "deny"),
        ("resource == Resource::\"arn:aws:dynamodb:eu-central-1:111122223333:table/orders\"", "allow", "deny"),
        ("resource in Resource::\"arn:aws:dynamodb:eu-central-1:111122223333:table/orders\"", "allow", "deny"),
    ] {
        let rules = format!("permit(principal, action, {head});");
        assert_eq!(outcome(&rules, &put_item()), exact, "{head}");
        for resource in open() {
            assert_eq!(outcome(&rules, &of(resource)), unknown, "{head}");
        }
    }
}

#[test]
fn an_error_that_no_resource_could_avoid_denies() {
    let rules = "permit(principal, action, resource);
        forbid(principal, action, resource) when { context.params.Missing == 1 && resource.name == \"x\" };";
    let verdict = decide(&bundle(rules), &of(Resource::Unresolved));
    assert_eq!(verdict.decision.as_str(), "deny");
    assert_eq!(verdict.errors.len(), 1);
}

#[test]
fn attributes_of_a_known_resource() {
    for (arn, condition) in [
        (TABLE, "resource.name == \"orders\" && resource.type == \"table\" && resource.service == \"dynamodb\""),
        (
            TABLE,
            "resource.account == \"111122223333\" && resource.region == \"eu-central-1\" && resource.partition == \"aws\"",
        ),
        ("arn:aws:s3:::bucket/a/b", "resource.name == \"bucket\" && resource.type == \"object\""),
        ("arn:aws:s3:::bucket", "resource in Account::\"111122223333\" && resource.account == \"111122223333\""),
        ("arn:aws:s3:::bucket", "resource.arn == \"arn:aws:s3:::bucket\" && resource in Target::\"dev\""),
    ] {
        let rules = format!("permit(principal, action, resource) when {{ {condition} }};");
        assert_eq!(outcome(&rules, &of(Resource::Exact(arn.to_owned()))), "allow", "{condition}");
    }
}
