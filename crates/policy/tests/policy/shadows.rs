//! The report of what shadow rules and bundles would have changed.

use countersign_policy::{NO_RULE, ShadowCount, ShadowReport};
use serde_json::{Value as Json, json};

fn event(decision: &str, more: &Json) -> Json {
    let mut happening = json!({
        "kind": "decided", "decision": decision, "rules": [], "bundle": "00".repeat(32),
        "call": {"operation": "sqs:SendMessage", "account": "111122223333", "region": "eu-central-1",
                 "host": "h", "permissions": [], "parameters": {}},
    });
    happening.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"at": 1000, "subject": {"agent": "deployer"}, "happening": happening})
}

fn hit(rule: &str, reason: &str) -> Json {
    json!({"rule": rule, "reason": reason})
}

fn bundle(decision: &str, rules: &[&str]) -> Json {
    let rules: Vec<_> = rules.iter().map(|rule| hit(rule, "r")).collect();
    json!({"shadow_bundle": {"decided": {"decision": decision, "rules": rules, "bundle": "11".repeat(32)}}})
}

fn report(events: &[Json]) -> ShadowReport {
    let mut report = ShadowReport::default();
    for event in events {
        report.add_line(&event.to_string()).unwrap();
    }
    report
}

#[test]
fn rules_in_shadow_mode_are_counted_by_what_they_would_change() {
    let tighter = json!({"shadow": [hit("a/x", "r")], "shadow_decision": "deny"});
    let same = json!({"shadow": [hit("a/x", "r"), hit("a/y", "r")], "shadow_decision": "deny"});
    let looser = json!({"shadow": [hit("a/y", "r")], "shadow_decision": "allow"});
    let errs = json!({"shadow": [hit("a/x", "the rule could not be evaluated: no such attribute")], "shadow_decision": "deny"});
    let report = report(&[
        event("allow", &json!({})),
        event("allow", &tighter),
        event("deny", &same),
        event("needs-approval", &looser),
        event("allow", &errs),
        json!({"at": 1, "subject": {}, "happening": {"kind": "closed", "state": "expired"}}),
    ]);
    assert_eq!(report.decisions, 5);
    assert_eq!(report.rules["a/x"], ShadowCount { matched: 3, erred: 1, stricter: 2, looser: 0 });
    assert_eq!(report.rules["a/y"], ShadowCount { matched: 2, erred: 0, stricter: 0, looser: 1 });
}

#[test]
fn the_shadow_bundle_is_counted_where_it_differs_and_where_it_fails() {
    let failed = json!({"shadow_bundle": {"failed": {"error": "shadow/next.cedar:2: the rule does not parse"}}});
    let report = report(&[
        event("allow", &bundle("allow", &["next/reads"])),
        event("allow", &bundle("deny", &[])),
        event("allow", &bundle("needs-approval", &["next/held"])),
        event("deny", &bundle("allow", &["next/reads"])),
        event("allow", &failed),
    ]);
    let count = |matched, stricter, looser| ShadowCount { matched, erred: 0, stricter, looser };
    assert_eq!(report.bundle_rules[NO_RULE], count(1, 1, 0));
    assert_eq!(report.bundle_rules["next/held"], count(1, 1, 0));
    assert_eq!(report.bundle_rules["next/reads"], count(1, 0, 1));
    assert_eq!(report.changes[&("allow".to_owned(), "allow".to_owned())], 1);
    assert_eq!(report.failures.values().sum::<u64>(), 1);
    insta::assert_snapshot!("shadow_report", report.to_string());
}

#[test]
fn items_of_the_record_table_are_read_in_the_forms_they_are_exported_in() {
    let body = event("allow", &bundle("deny", &["next/x"])).to_string();
    let report = report(&[
        json!({"pk": {"S": "GW#s#i"}, "body": {"S": body}}),
        json!({"Item": {"body": {"S": body}}}),
        json!({"body": body}),
    ]);
    assert_eq!(report.decisions, 3);
    for bad in ["", "{", "{}", "{\"body\": {\"S\": \"{}\"}}"] {
        assert!(ShadowReport::default().add_line(bad).is_err(), "{bad}");
    }
}
