//! What denials teach, and what they never tell.

use std::fmt::Write as _;

use countersign_domain::{AccessLevel, Call, Resource};

use crate::harness::*;

fn call_on(action: &str, arn: &str) -> Call {
    call(action, AccessLevel::Write, Resource::Exact(arn.to_owned()))
}

/// What an agent is told.
fn told(rules: &str, call: &Call) -> String {
    reason(&decide(&bundle(rules), call).decision)
}

#[test]
fn a_denial_names_the_nearest_thing_that_would_pass_or_could_be_asked_for() {
    let queue = call_on("sqs:SendMessage", "arn:aws:sqs:eu-central-1:111122223333:jobs");
    let instance = call_on("ec2:RunInstances", "arn:aws:ec2:eu-central-1:111122223333:instance/*");
    let tagged = with_parameters(
        instance.clone(),
        &[("InstanceType", text("x1.32xlarge")), ("TagSpecifications", countersign_domain::Value::List(Vec::new()))],
    );
    let elsewhere = Call { region: "us-east-1".to_owned(), ..queue.clone() };
    let unresolved = call("sqs:SendMessage", AccessLevel::Write, Resource::Unresolved);
    let cases: Vec<(&str, &str, &Call)> = vec![
        (
            "another name",
            "@id(\"scratch\") @reason(\"agents may write in the scratch area\")
             permit(principal, action == Action::\"sqs:SendMessage\", resource) when { resource.name like \"agent-scratch-*\" };",
            &queue,
        ),
        (
            "a name to write to, and another to ask for",
            "@id(\"scratch\") permit(principal, action, resource) when { resource.name like \"agent-scratch-*\" };
             @id(\"asked\") @approval(\"dba\") @reason(\"jobs are looked at\")
             permit(principal, action, resource) when { resource.name like \"jobs-*\" };",
            &queue,
        ),
        (
            "a resource of the target's account",
            "@id(\"one\") permit(principal, action, resource == Resource::\"arn:aws:sqs:eu-central-1:111122223333:notes\");",
            &queue,
        ),
        (
            "a missing parameter",
            "@id(\"small\") permit(principal, action == Action::\"ec2:RunInstances\", resource)
             when { context.params has InstanceType && [\"t3.micro\", \"t3.small\"].contains(context.params.InstanceType) };",
            &instance,
        ),
        (
            "another value of a parameter",
            "@id(\"small\") permit(principal, action == Action::\"ec2:RunInstances\", resource)
             when { context.params has InstanceType && [\"t3.micro\", \"t3.small\"].contains(context.params.InstanceType) };",
            &tagged,
        ),
        (
            "another region",
            "@id(\"home\") permit(principal, action, resource) when { context.region == \"eu-central-1\" };
             @id(\"far\") permit(principal, action, resource) when { context.region == \"ap-south-1\" };",
            &elsewhere,
        ),
        (
            "an exact resource",
            "@id(\"jobs\") permit(principal, action, resource) when { resource.name like \"jobs*\" };",
            &unresolved,
        ),
        (
            "an exception from an approval rule",
            "@id(\"asked\") @approval(\"dba\") permit(principal, action, resource)
             unless { resource.name == \"jobs\" };",
            &queue,
        ),
        (
            "an exception from a forbid",
            "@id(\"any\") permit(principal, action, resource);
             @id(\"large\") @reason(\"large instances are ordered by people\") forbid(principal, action, resource)
             unless { context.params has InstanceType && context.params.InstanceType == \"t3.micro\" };",
            &tagged,
        ),
        (
            "a forbid with a narrow condition",
            "@id(\"any\") permit(principal, action, resource);
             @id(\"jobs\") @reason(\"jobs are closed\") forbid(principal, action, resource) when { resource.name like \"jobs*\" };",
            &queue,
        ),
        ("nothing near", "@id(\"s3\") permit(principal, action in Action::\"s3:*\", resource);", &queue),
    ];
    let mut all = String::new();
    for (name, rules, call) in cases {
        writeln!(all, "# {name}\n{}\n", told(rules, call)).unwrap();
    }
    insta::assert_snapshot!("lessons", all);
}

#[test]
fn a_denial_tells_nothing_of_others_and_nothing_that_an_agent_could_say_to_be_read_otherwise() {
    let queue = call_on("sqs:SendMessage", "arn:aws:sqs:eu-central-1:111122223333:jobs");
    for secret in [
        "permit(principal == Agent::\"SECRET\", action, resource);",
        "permit(principal in Group::\"SECRET\", action, resource);",
        "permit(principal, action, resource) when { principal == Agent::\"SECRET\" };",
        "permit(principal, action, resource) when { principal in Group::\"SECRET\" || resource.name == \"x\" };",
        "permit(principal, action, resource) when { principal.name like \"SECRET*\" };",
        "permit(principal, action, resource) when { principal.owners.contains(\"SECRET\") };",
        "permit(principal, action, resource in Target::\"prod\") when { resource.name == \"SECRET\" };",
        "permit(principal, action, resource in Account::\"999988887777\") when { resource.name == \"SECRET\" };",
        "permit(principal, action, resource == Resource::\"arn:aws:sqs:eu-central-1:999988887777:SECRET\");",
        "permit(principal, action, resource) when { context.target == \"SECRET\" };",
        "permit(principal, action, resource) when { context.account == \"SECRET\" };",
        "permit(principal, action, resource) when { context has source_ip && context.source_ip == ip(\"198.51.100.99\") };",
        "@approval(\"dba\") permit(principal, action, resource) when { context.session.unverified_task like \"SECRET*\" };",
        "forbid(principal, action, resource) unless { context.session.unverified_task like \"SECRET*\" };",
        "forbid(principal, action, resource) unless { principal in Group::\"SECRET\" };",
        "@approval(\"SECRET\") permit(principal, action, resource) when { resource.name like \"a*\" };",
        "@mode(\"shadow\") permit(principal, action, resource) when { resource.name == \"SECRET\" };",
        "permit(principal, action, resource) when { [\"ann\", \"ann@example.com\"].contains(resource.name) };",
        "permit(principal, action, resource) when { [\"leads\"].contains(resource.name) };",
    ] {
        let told = told(&format!("@id(\"r\") {secret}"), &queue);
        for hidden in ["SECRET", "198.51.100.99", "9999", "ann", "leads", "prod"] {
            assert!(!told.contains(hidden), "{secret}\n{told}");
        }
    }
}

#[test]
fn a_denial_is_short_and_cannot_mislead_a_terminal() {
    let long = format!("arn:aws:s3:::{}\u{1b}[2J\u{202e}\u{200b}", "k".repeat(2000));
    let rules = "@id(\"scratch\") permit(principal, action, resource) when { resource.name like \"agent-scratch-*\" };";
    let told = told(rules, &call_on("s3:PutObject", &long));
    assert!(told.chars().count() <= 901, "{}", told.chars().count());
    let near = told + &self::told(rules, &call_on("s3:PutObject", "arn:aws:s3:::a\u{1b}[2J\u{202e}\u{200b}"));
    assert!(!near.contains(['\u{1b}', '\u{202e}', '\u{200b}']), "{near}");
    assert!(near.contains("agent-scratch-*"));
}

#[test]
fn many_permissions_are_told_about_once_and_in_any_order() {
    let rules = "@id(\"scratch\") permit(principal, action, resource) when { resource.name like \"agent-scratch-*\" };";
    let permissions: Vec<_> = ["b", "a", "c"]
        .iter()
        .map(|name| permission("s3:PutObject", AccessLevel::Write, Resource::Exact(format!("arn:aws:s3:::{name}"))))
        .collect();
    let forwards = told(rules, &call_of(permissions.clone()));
    let backwards = told(rules, &call_of(permissions.into_iter().rev().collect()));
    assert_eq!(forwards, backwards);
    assert_eq!(forwards.matches("Nearest").count(), 1, "{forwards}");
}

#[test]
fn accounts_networks_and_names_are_not_told_as_a_part_of_a_value_or_a_pattern() {
    let queue = with_parameters(
        call_on("sqs:SendMessage", "arn:aws:sqs:eu-central-1:111122223333:jobs"),
        &[("RoleArn", text("x")), ("Cidr", text("x"))],
    );
    let rule = |condition: &str| format!("@id(\"r\") permit(principal, action, resource) when {{ {condition} }};");
    for condition in [
        // Accounts: in a parameter's value, in a pattern, most of one before a wildcard.
        "context.params has RoleArn && context.params.RoleArn == \"arn:aws:iam::999988887777:role/x\"",
        "context.params has RoleArn && context.params.RoleArn like \"arn:aws:iam::999988887777:role/*\"",
        "resource.name like \"99998888777*\"",
        // Networks.
        "context.params has Cidr && context.params.Cidr == \"10.99.0.0/16\"",
        "context.params has Cidr && context.params.Cidr like \"10.99.*\"",
        "context.params has Cidr && context.params.Cidr == \"2001:db8:99::/48\"",
        // Persons, groups and agents, whatever they are a part of.
        "resource.name == \"mail-of-someone@else.example\"",
        "resource.name like \"home-ANN-*\"",
        "[\"dba-tables\", \"b\"].contains(resource.name)",
        "context.params has RoleArn && context.params.RoleArn like \"*/deployers-*\"",
        "context.params has \"of-carol\"",
        "context.params has RoleArn && context.params.RoleArn like \"*rival-bot*\"",
    ] {
        let others = "@id(\"other\") forbid(principal == Agent::\"rival-bot\", action, resource);";
        for rules in [
            format!("{} {others}", rule(condition)),
            format!(
                "@id(\"any\") permit(principal, action, resource); {others}
                     @id(\"f\") forbid(principal, action, resource) unless {{ {condition} }};"
            ),
        ] {
            let told = told(&rules, &queue);
            assert!(!told.contains("Nearest") && !told.contains("does not forbid it"), "{condition}\n{told}");
        }
    }
    // The target's own account is no secret, nor is a version.
    for condition in [
        "context.params has RoleArn && context.params.RoleArn like \"arn:aws:iam::111122223333:role/*\"",
        "context.params has RoleArn && context.params.RoleArn == \"8.0.35\"",
    ] {
        let told = told(&rule(condition), &queue);
        assert!(told.contains("Nearest"), "{condition}\n{told}");
    }
}
