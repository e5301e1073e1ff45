//! Laws of the decision, on rules made at random.

use std::collections::{HashMap, HashSet};

use cedar_policy::{Authorizer, Context, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression};
use countersign_domain::{AccessLevel, Call, Resource};
use proptest::prelude::*;

use crate::harness::*;

/// Resources that differ in everything that conditions ask for.
const RESOURCES: [&str; 6] = [
    "arn:aws:dynamodb:eu-central-1:111122223333:table/orders",
    "arn:aws:dynamodb:eu-west-1:999988887777:table/secret",
    "arn:aws:s3:::secret/orders",
    "arn:aws:s3:::orders",
    "arn:aws:iam::111122223333:role/secret",
    "odd",
];

fn condition() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(vec![
        "true",
        "false",
        "context.operation == \"PutItem\"",
        "context.operation == \"Other\"",
        "context.params.Missing == 1",
        "resource.name == \"secret\"",
        "resource.name like \"ord*\"",
        "resource.arn like \"*secret*\"",
        "resource.account == \"111122223333\"",
        "resource.region < 3",
        "resource in Account::\"111122223333\"",
        "resource in Target::\"dev\"",
        "resource in Target::\"prod\"",
        "resource in [Target::\"dev\", Account::\"1\"]",
        "resource is Resource",
        "resource == Resource::\"odd\"",
        "resource has name",
    ])
    .prop_map(str::to_owned);
    atom.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) && ({right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) || ({right})")),
            inner.clone().prop_map(|one| format!("!({one})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(when, then, or)| format!("if {when} then {then} else {or}")),
        ]
    })
}

fn known(arn: &str) -> Call {
    call("dynamodb:PutItem", AccessLevel::Write, Resource::Exact(arn.to_owned()))
}

fn unknown() -> Call {
    call("dynamodb:PutItem", AccessLevel::Write, Resource::Unresolved)
}

fn head() -> impl Strategy<Value = String> {
    let principal = prop::sample::select(vec![
        "principal",
        "principal == Agent::\"deployer\"",
        "principal == Agent::\"other\"",
        "principal in Group::\"deployers\"",
        "principal in Group::\"others\"",
    ]);
    let action = prop::sample::select(vec![
        "action",
        "action == Action::\"dynamodb:PutItem\"",
        "action == Action::\"s3:PutObject\"",
        "action in Action::\"dynamodb:*\"",
        "action in [Action::\"level:Write\", Action::\"s3:*\"]",
        "action in Action::\"level:Read\"",
    ]);
    let resource = prop::sample::select(vec![
        "resource",
        "resource in Target::\"dev\"",
        "resource in Target::\"prod\"",
        "resource in Account::\"111122223333\"",
        "resource == Resource::\"arn:aws:s3:::orders\"",
        "resource is Resource",
    ]);
    (principal, action, resource)
        .prop_map(|(principal, action, resource)| format!("({principal}, {action}, {resource})"))
}

/// The decision of plain Cedar over the whole set: no index, no laziness.
fn plain_cedar(rules: &str, arn: &str) -> &'static str {
    let uid = |text: String| text.parse::<EntityUid>().unwrap();
    let parents = |names: &[&str]| names.iter().map(|name| uid((*name).to_owned())).collect::<HashSet<_>>();
    let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
    let agent = uid("Agent::\"deployer\"".to_owned());
    let action = uid("Action::\"dynamodb:PutItem\"".to_owned());
    let resource = uid(format!("Resource::\"{arn}\""));
    let account = if arn.contains("999988887777") { "999988887777" } else { "111122223333" };
    let account = if arn == "odd" { "111122223333" } else { account };
    let attributes = HashMap::from([("arn".to_owned(), text(arn))]);
    let entities = Entities::from_entities(
        [
            Entity::new_no_attrs(agent.clone(), parents(&["Group::\"deployers\""])),
            Entity::new_no_attrs(action.clone(), parents(&["Action::\"dynamodb:*\"", "Action::\"level:Write\""])),
            Entity::new(
                resource.clone(),
                attributes,
                parents(&["Target::\"dev\"", &format!("Account::\"{account}\"")]),
            )
            .unwrap(),
        ],
        None,
    )
    .unwrap();
    let request = Request::new(agent, action, resource, Context::empty(), None).unwrap();
    let set: PolicySet = rules.parse().unwrap();
    match Authorizer::new().is_authorized(&request, &set, &entities).decision() {
        cedar_policy::Decision::Allow => "allow",
        cedar_policy::Decision::Deny => "deny",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// An unknown resource is read at least as strictly as each resource that it may be, and
    /// that by every rule alone.
    #[test]
    fn an_unknown_resource_is_the_strictest_of_all(condition in condition()) {
        let forbid = bundle(&format!("permit(principal, action, resource); forbid(principal, action, resource) when {{ {condition} }};"));
        let permit = bundle(&format!("permit(principal, action, resource) when {{ {condition} }};"));
        let ask = bundle(&format!("permit(principal, action, resource); @approval(\"dba\") permit(principal, action, resource) when {{ {condition} }};"));
        for arn in RESOURCES {
            for (bundle, what) in [(&forbid, "forbid"), (&permit, "permit"), (&ask, "approval")] {
                let exact = decide(bundle, &known(arn));
                // Of a rule that errs for some resources and not for others, only a forbid counts
                // as matching all the same; the others' error shows once the resource is known.
                if !exact.errors.is_empty() && what != "forbid" {
                    continue;
                }
                let one = exact.decision.as_str();
                let any = decide(bundle, &unknown()).decision.as_str();
                let strictness = |decision: &str| ["allow", "needs-approval", "deny"].iter().position(|one| *one == decision);
                prop_assert!(strictness(any) >= strictness(one), "{} {} {}: {} but unknown {}", what, arn, condition, one, any);
            }
        }
    }

    /// The index finds every rule that matters: same decision as Cedar over the whole set.
    #[test]
    fn the_index_loses_no_rule(heads in prop::collection::vec((head(), any::<bool>()), 1..8), place in 0..RESOURCES.len()) {
        let rules: Vec<_> = heads.iter().map(|(head, forbid)| format!("{}{head};", if *forbid { "forbid" } else { "permit" })).collect();
        let rules = rules.join("\n");
        prop_assert_eq!(outcome(&rules, &known(RESOURCES[place])), plain_cedar(&rules, RESOURCES[place]));
    }

    /// The order of rules does not matter, and neither does saying one twice.
    #[test]
    fn order_and_repetition_do_not_matter(
        rules in prop::collection::vec((head(), condition(), 0..3_usize), 1..5).prop_shuffle()
    ) {
        let write = |rules: &[(String, String, usize)]| -> String {
            rules.iter().map(|(head, condition, kind)| {
                let effect = ["permit", "forbid", "@approval(\"dba\") permit"][*kind];
                format!("{effect}{head} when {{ {condition} }};\n")
            }).collect()
        };
        let forwards = outcome(&write(&rules), &unknown());
        let doubled: Vec<_> = rules.iter().chain(&rules).cloned().rev().collect();
        prop_assert_eq!(forwards, outcome(&write(&doubled), &unknown()));
    }

    /// Cutting a file at `;` and parsing the pieces is parsing the file.
    #[test]
    fn hostile_text_never_panics(text in "[a-z(){}\\[\\]\";/\\\\@ \n.&|!]{0,80}") {
        let _ = load(&text);
        let _ = load(&format!("permit(principal, action, resource) when {{ resource.name == \"{text}\" }};"));
    }
}
