use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

fn limit(json: serde_json::Value) -> RateLimit {
    serde_json::from_value(json).unwrap()
}

fn hits(rules: &[&str]) -> Vec<RuleHit> {
    rules.iter().map(|rule| RuleHit { rule: (*rule).to_owned(), reason: String::new() }).collect()
}

/// The keys of the counters of a call by `ci/build` in group `builders`, at `main`.
fn keys(limit: &RateLimit, rules: &[&str]) -> Vec<String> {
    let (name, target, rules) = (agent("ci/build"), TargetName::new("main").unwrap(), hits(rules));
    let groups = [GroupName::new("builders").unwrap()].into();
    let of = Circumstances { agent: &name, groups: &groups, target: &target, rules: &rules };
    let counters = limit.counters(&of, Timestamp::from_secs(7205));
    counters.iter().map(|counter| counter.subject.key()).collect()
}

#[test]
fn a_limit_counts_per_agent_target_rule_and_their_combinations() {
    let with = |per: serde_json::Value| limit(serde_json::json!({"name": "l", "per": per, "calls": 1, "window": "1h"}));
    let rules = ["10-reads/reads", "30-scratch/scratch"];
    for (per, expected) in [
        (serde_json::json!("agent"), vec!["agent#ci/build"]),
        (serde_json::json!("target"), vec!["target#main"]),
        (serde_json::json!("rule"), vec!["rule#10-reads/reads", "rule#30-scratch/scratch"]),
        (serde_json::json!(["target", "agent"]), vec!["agent#ci/build#target#main"]),
        (
            serde_json::json!(["rule", "agent"]),
            vec!["agent#ci/build#rule#10-reads/reads", "agent#ci/build#rule#30-scratch/scratch"],
        ),
    ] {
        assert_eq!(keys(&with(per), &rules), expected);
    }
}

#[test]
fn a_limit_is_about_those_it_names() {
    let base = serde_json::json!({"name": "l", "per": "agent", "calls": 1, "window": "1h"});
    for (filter, applies) in [
        (serde_json::json!({}), true),
        (serde_json::json!({"agents": ["ci/build"]}), true),
        (serde_json::json!({"agents": ["ci/*"]}), true),
        (serde_json::json!({"agents": ["ci"]}), false),
        (serde_json::json!({"agents": ["other"], "groups": ["builders"]}), true),
        (serde_json::json!({"groups": ["testers"]}), false),
        (serde_json::json!({"targets": ["main"]}), true),
        (serde_json::json!({"targets": ["spare"]}), false),
        (serde_json::json!({"agents": ["ci/*"], "targets": ["spare"]}), false),
        (serde_json::json!({"rules": ["a/b"]}), true),
        (serde_json::json!({"rules": ["a/c"]}), false),
    ] {
        let mut whole = base.clone();
        whole.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
        assert_eq!(!keys(&limit(whole.clone()), &["a/b"]).is_empty(), applies, "{whole}");
    }
}

#[test]
fn settings_that_say_something_else_are_refused() {
    for bad in [
        serde_json::json!({"name": "l", "per": "group"}),
        serde_json::json!({"name": "l", "per": []}),
        serde_json::json!({"name": "l", "per": 1}),
        serde_json::json!({"name": "l"}),
        serde_json::json!({"name": "a#b", "per": "agent"}),
        serde_json::json!({"name": "l", "per": "agent", "window": "0s"}),
        serde_json::json!({"name": "l", "per": "agent", "window": "soon"}),
        serde_json::json!({"name": "l", "per": "agent", "calls": -1}),
        serde_json::json!({"name": "l", "per": "agent", "requests": 1}),
    ] {
        assert!(serde_json::from_value::<RateLimit>(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn windows_follow_each_other_without_a_gap() {
    let window = Window::try_from("1h".to_owned()).unwrap();
    let at = |seconds| {
        let (from, until) = window.around(Timestamp::from_secs(seconds));
        (from.as_secs(), until.as_secs())
    };
    assert_eq!(at(0), (0, 3600));
    assert_eq!(at(3599), (0, 3600));
    assert_eq!(at(3600), (3600, 7200));
    assert_eq!(window.around(Timestamp::from_millis(3_599_999)).1.as_millis(), 3_600_000);
    assert_eq!(window.length(), Duration::from_secs(3600));
}

#[test]
fn a_resource_that_is_not_known_counts_anew_with_each_different_call() {
    let (name, target) = (agent("a"), TargetName::new("main").unwrap());
    let of = |resource: Resource, parameter: i64| {
        let mut call = crate::matching::tests::call(vec![("Number", crate::Value::Integer(parameter))], b"");
        call.permissions = vec![crate::call::Permission {
            action: "dynamodb:GetItem".into(),
            resource,
            level: crate::AccessLevel::Read,
            classes: crate::Classes::NONE,
        }];
        resources_of(&name, &target, &call)
    };
    let exact = || Resource::Exact("arn:aws:dynamodb:eu-central-1:111122223333:table/t".into());
    assert_eq!(of(exact(), 1), of(exact(), 2));
    assert_ne!(of(Resource::Unresolved, 1), of(Resource::Unresolved, 2));
    assert_eq!(of(Resource::Unresolved, 1), of(Resource::Unresolved, 1));
    assert_ne!(of(Resource::NonCanonical("ALIAS".into()), 1), of(Resource::Unresolved, 1));
}

#[test]
fn what_is_exceeded_is_told_with_what_is_left_and_when_it_ends() {
    let charge = charge(Some(100), Some(20), &["a", "b"]);
    let told = |calls: u32, resources: u32| {
        let resources = (0..resources).map(|number| ResourceMark::of(&number.to_string())).collect();
        charge.condition_after(&Tally { calls, resources }).unwrap_err().to_string()
    };
    assert_eq!(
        told(100, 3),
        "the limit `l` for agent `a` is reached: 100 of 100 calls are used. The count starts anew at \
         1970-01-01T01:00:00Z (UTC)"
    );
    assert_eq!(
        told(50, 19),
        "the limit `l` for agent `a` is reached: 19 of 20 distinct resources are used, 1 are left and this call needs 2 \
         more; resources that were used can be used on. The count starts anew at 1970-01-01T01:00:00Z (UTC)"
    );
}

fn charge(calls: Option<u32>, distinct_resources: Option<u32>, resources: &[&str]) -> Charge {
    Charge {
        counter: Counter {
            limit: LimitName::new("l").unwrap(),
            subject: LimitSubject(vec![(Per::Agent, "a".to_owned())]),
            from: Timestamp::from_secs(0),
            until: Timestamp::from_secs(3600),
            calls,
            distinct_resources,
        },
        resources: resources.iter().map(|resource| ResourceMark::of(resource)).collect(),
    }
}

/// What a table does: the condition and the addition in one step, or the refusal with the item.
fn table_adds(table: &mut Option<Tally>, condition: &Condition, charge: &Charge) -> Result<(), Tally> {
    let holds = table.as_ref().is_none_or(|tally| {
        condition.calls_below.is_none_or(|most| tally.calls < most)
            && condition.resources.as_ref().is_none_or(|resources| match resources {
                ResourceCondition::Holds { resource, or_below } => {
                    tally.resources.contains(resource) || tally.resources.len() < *or_below as usize
                }
                ResourceCondition::AtMost(room) => tally.resources.len() <= *room as usize,
            })
    });
    let tally = table.get_or_insert_default();
    if !holds {
        return Err(tally.clone());
    }
    tally.calls += 1;
    tally.resources.extend(charge.resources.iter().copied());
    Ok(())
}

/// A gateway between its steps at the table.
enum Client {
    Trying(Condition),
    Admitted,
    Refused,
}

proptest! {
    /// Whatever the order in which gateways reach the table: never one over, everything that was
    /// admitted is counted, and who is refused had no room.
    #[test]
    fn no_interleaving_admits_more_than_the_limit(
        calls in proptest::option::of(1_u32..12),
        distinct in proptest::option::of(1_u32..6),
        wants in proptest::collection::vec(proptest::collection::btree_set("[a-h]", 1..4), 1..20),
        order in proptest::collection::vec(0_usize..20, 0..200),
    ) {
        let charges: Vec<_> = wants
            .iter()
            .map(|wanted| charge(calls, distinct, &wanted.iter().map(String::as_str).collect::<Vec<_>>()))
            .collect();
        let begin = |charge: &Charge| match charge.condition() {
            Ok(condition) => Client::Trying(condition),
            Err(_) => Client::Refused,
        };
        let mut clients: Vec<_> = charges.iter().map(begin).collect();
        let mut table = None;
        let rest = (0..clients.len()).cycle().take(clients.len() * 20);
        for place in order.into_iter().chain(rest) {
            let place = place % clients.len();
            let Client::Trying(condition) = &clients[place] else { continue };
            clients[place] = match table_adds(&mut table, condition, &charges[place]) {
                Ok(()) => Client::Admitted,
                Err(seen) => match charges[place].condition_after(&seen) {
                    Ok(again) => Client::Trying(again),
                    Err(_) => Client::Refused,
                },
            };
            let tally = table.clone().unwrap_or_default();
            prop_assert!(calls.is_none_or(|most| tally.calls <= most));
            prop_assert!(distinct.is_none_or(|most| tally.resources.len() <= most as usize));
        }
        let tally = table.unwrap_or_default();
        let admitted: Vec<_> = clients.iter().zip(&charges).filter(|(one, _)| matches!(one, Client::Admitted)).collect();
        prop_assert_eq!(tally.calls as usize, admitted.len());
        let used: BTreeSet<_> = admitted.iter().flat_map(|(_, charge)| charge.resources.iter().copied()).collect();
        prop_assert_eq!(&tally.resources, &used);
        for (client, charge) in clients.iter().zip(&charges) {
            match client {
                Client::Admitted => {}
                Client::Trying(_) => prop_assert!(false, "a call was neither admitted nor refused"),
                Client::Refused => {
                    let new = charge.resources.difference(&tally.resources).count();
                    let full = calls.is_some_and(|most| tally.calls >= most)
                        || distinct.is_some_and(|most| tally.resources.len() + new > most as usize);
                    prop_assert!(full, "refused with room");
                }
            }
        }
    }
}
