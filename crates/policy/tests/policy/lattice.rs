//! The decision lattice, exhausted: every combination of what rules can say about one permission.

use countersign_domain::{Class, Decision, Value};

use crate::harness::*;

/// What a rule can do, as a rule that does it.
const PARTS: [(&str, &str); 8] = [
    ("forbid", "forbid(principal, action, resource) when { context.operation == \"PutItem\" };"),
    ("forbid-fails", "forbid(principal, action, resource) when { context.operation == \"Other\" };"),
    ("forbid-errs", "forbid(principal, action, resource) when { context.params.Missing == 1 };"),
    ("approval", "@approval(\"dba\") permit(principal, action, resource);"),
    ("approval-fails", "@approval(\"dba\") permit(principal, action == Action::\"s3:GetObject\", resource);"),
    ("approval-errs", "@approval(\"dba\") permit(principal, action, resource) when { context.params.Missing == 1 };"),
    ("permit", "permit(principal, action, resource);"),
    ("permit-errs", "permit(principal, action, resource) when { context.params.Missing == 1 };"),
];

fn expected(chosen: &[&str]) -> &'static str {
    let has = |part: &str| chosen.contains(&part);
    if has("forbid") || has("forbid-errs") || has("approval-errs") || has("permit-errs") {
        "deny"
    } else if has("approval") {
        "needs-approval"
    } else if has("permit") {
        "allow"
    } else {
        "deny"
    }
}

#[test]
fn every_combination_of_rules_decides_as_the_lattice_says() {
    for subset in 0_u32..1 << PARTS.len() {
        let chosen: Vec<_> = PARTS.iter().enumerate().filter(|(place, _)| subset & (1 << place) != 0).collect();
        let names: Vec<_> = chosen.iter().map(|(_, (name, _))| *name).collect();
        let rules: String = chosen.iter().map(|(_, (_, rule))| format!("{rule}\n")).collect();
        assert_eq!(outcome(&rules, &put_item()), expected(&names), "{names:?}");
        if chosen.len() > 3 {
            continue;
        }
        let backwards: String = chosen.iter().rev().map(|(_, (_, rule))| format!("{rule}\n")).collect();
        assert_eq!(outcome(&backwards, &put_item()), expected(&names), "{names:?}, backwards");
    }
}

#[test]
fn an_erring_forbid_denies_and_says_why() {
    let bundle = bundle(
        "permit(principal, action, resource);
         @id(\"limit\") forbid(principal, action, resource) when { context.params.Size > 10 };",
    );
    let verdict = decide(&bundle, &put_item());
    assert_eq!(verdict.decision.as_str(), "deny");
    assert_eq!(verdict.errors[0].rule, "rules/limit");
    assert!(reason(&verdict.decision).contains("Size"), "{}", reason(&verdict.decision));
    // A type that does not fit errs too.
    let text_size = with_parameters(put_item(), &[("Size", text("11"))]);
    assert_eq!(decide(&bundle, &text_size).decision.as_str(), "deny");
    let small = with_parameters(put_item(), &[("Size", Value::Integer(10))]);
    assert_eq!(decide(&bundle, &small).decision.as_str(), "allow");
}

#[test]
fn shadow_rules_decide_nothing_and_are_reported() {
    for (shadow, would_be) in [
        ("@mode(\"shadow\") forbid(principal, action, resource);", "deny"),
        ("@mode(\"shadow\") forbid(principal, action, resource) when { context.params.Missing == 1 };", "deny"),
        ("@mode(\"shadow\") @approval(\"dba\") permit(principal, action, resource);", "needs-approval"),
        ("@mode(\"shadow\") permit(principal, action, resource);", "allow"),
    ] {
        let verdict = decide(&bundle(&format!("permit(principal, action, resource);{shadow}")), &put_item());
        assert_eq!(verdict.decision.as_str(), "allow", "{shadow}");
        assert_eq!(verdict.shadow.len(), 1, "{shadow}");
        assert_eq!(verdict.shadow_decision.unwrap().as_str(), would_be, "{shadow}");
        assert!(verdict.errors.is_empty());
    }
    let alone = decide(&bundle("@mode(\"shadow\") permit(principal, action, resource);"), &put_item());
    assert_eq!(alone.decision.as_str(), "deny");
    assert_eq!(alone.shadow_decision.unwrap().as_str(), "allow");
    assert!(decide(&bundle("permit(principal, action, resource);"), &put_item()).shadow_decision.is_none());
}

#[test]
fn the_strictest_of_several_pairs_wins() {
    let rules = "@id(\"put\") permit(principal, action == Action::\"a:Put\", resource);
        @id(\"list\") @approval(\"dba\") @grant(\"1h, 5 uses\") permit(principal, action == Action::\"a:List\", resource);
        @id(\"ask\") @approval(\"security\") @quorum(\"2\") @expires(\"5m\")
        permit(principal, action == Action::\"a:Ask\", resource);
        @id(\"no\") forbid(principal, action == Action::\"a:No\", resource);";
    let bundle = bundle(rules);
    let decide = |actions: &[&str]| {
        let permissions = actions
            .iter()
            .map(|action| {
                permission(
                    action,
                    countersign_domain::AccessLevel::Write,
                    countersign_domain::Resource::Exact(TABLE.to_owned()),
                )
            })
            .collect();
        decide(&bundle, &call_of(permissions))
    };
    for (actions, expected) in [
        (&["a:Put"][..], "allow"),
        (&["a:Put", "a:List"], "needs-approval"),
        (&["a:List", "a:Put"], "needs-approval"),
        (&["a:Put", "a:No"], "deny"),
        (&["a:No", "a:List"], "deny"),
        (&["a:Put", "a:Unknown"], "deny"),
        (&[], "deny"),
    ] {
        let verdict = decide(actions);
        assert_eq!(verdict.decision.as_str(), expected, "{actions:?}");
        assert_eq!(verdict.per_permission.len(), actions.len());
    }
    let Decision::NeedsApproval { obligations, rules } = decide(&["a:List", "a:Ask", "a:Put"]).decision else {
        panic!()
    };
    assert_eq!(obligations.approvals.len(), 2);
    assert_eq!(obligations.approvals.values().copied().max(), Some(2));
    assert_eq!(obligations.expires.as_secs(), 300);
    assert!(obligations.grant.is_none(), "only one of the rules offers a grant");
    assert_eq!(rules.len(), 3);
}

#[test]
fn groups_of_actions_are_seen_as_parents() {
    for (head, expected) in [
        ("action == Action::\"dynamodb:PutItem\"", "allow"),
        ("action in Action::\"dynamodb:*\"", "allow"),
        ("action in [Action::\"s3:*\", Action::\"dynamodb:PutItem\"]", "allow"),
        ("action in Action::\"level:Write\"", "allow"),
        ("action in Action::\"level:Read\"", "deny"),
        ("action in Action::\"class:destructive\"", "allow"),
        ("action in Action::\"class:delegating\"", "deny"),
        ("action == Action::\"dynamodb:putitem\"", "deny"),
    ] {
        let call = with_class(put_item(), Class::Destructive);
        assert_eq!(outcome(&format!("permit(principal, {head}, resource);"), &call), expected, "{head}");
        let condition = format!("permit(principal, action, resource) when {{ {head} }};");
        assert_eq!(outcome(&condition, &call), expected, "{condition}");
    }
}

#[test]
fn principals_and_their_groups() {
    for (head, expected) in [
        ("principal == Agent::\"deployer\"", "allow"),
        ("principal == Agent::\"other\"", "deny"),
        ("principal in Group::\"deployers\"", "allow"),
        ("principal in Group::\"others\"", "deny"),
        ("principal is Agent in Group::\"deployers\"", "allow"),
        ("principal is Agent", "allow"),
    ] {
        assert_eq!(outcome(&format!("permit({head}, action, resource);"), &put_item()), expected, "{head}");
    }
    assert_eq!(
        outcome("permit(principal, action, resource) when { principal.name like \"dep*\" };", &put_item()),
        "allow"
    );
    assert_eq!(
        outcome("permit(principal, action, resource) when { principal.owners.contains(\"carol\") };", &put_item()),
        "allow"
    );
}

#[test]
fn an_agent_without_an_owner_gets_no_approval() {
    let bundle = bundle("@approval(\"dba\") permit(principal, action, resource);");
    let mut world = World::new(&bundle);
    world.agent = countersign_domain::AgentId::new("orphan").unwrap();
    let verdict = bundle.decide(&put_item(), &world.facts());
    assert_eq!(verdict.decision.rules()[0].rule, "built-in/no-owner");
    world.owners = [countersign_domain::PersonId::new("carol").unwrap()].into();
    assert_eq!(bundle.decide(&put_item(), &world.facts()).decision.as_str(), "needs-approval");
}

#[test]
fn more_groups_than_a_quorum_is_computed_for_deny() {
    let rules: String = (0..9)
        .map(|number| format!("@id(\"r{number}\") @approval(\"g{number}\") permit(principal, action, resource);"))
        .collect();
    let verdict = decide(&bundle(&rules), &put_item());
    assert!(reason(&verdict.decision).contains("9 groups"));
}

#[test]
fn a_denial_teaches_the_nearest_rule_and_nothing_of_other_agents() {
    let bundle = bundle(
        "@id(\"scratch\") @reason(\"scratch area\") permit(principal, action == Action::\"dynamodb:PutItem\", resource)
         when { resource.name like \"scratch-*\" };
         @id(\"secret\") permit(principal == Agent::\"other\", action == Action::\"dynamodb:PutItem\", resource);
         @id(\"hidden\") permit(principal, action == Action::\"dynamodb:PutItem\", resource)
         when { principal in Group::\"other\" };",
    );
    let told = reason(&decide(&bundle, &put_item()).decision);
    assert!(told.contains("rules/scratch") && told.contains("scratch area") && told.contains("scratch-*"), "{told}");
    assert!(!told.contains("other") && !told.contains("secret"), "{told}");
    let explanation = bundle.explain(&put_item(), &World::new(&bundle).facts());
    let other = explanation.considered.iter().find(|one| one.rule == "rules/secret").unwrap();
    assert_eq!(other.unmet, ["`principal == Agent::\"other\"`"]);
    assert_eq!(other.line, 3);
}
