//! What rules see of a call, and that data stays data.

use bytes::Bytes;
use countersign_domain::Value;

use crate::harness::*;

fn holds(condition: &str, members: &[(&str, Value)]) -> bool {
    let rules = format!("permit(principal, action, resource) when {{ {condition} }};");
    outcome(&rules, &with_parameters(put_item(), members)) == "allow"
}

#[test]
fn every_kind_of_value_has_its_mapping() {
    let time = Value::Timestamp { seconds: 1_795_272_000, nanoseconds: 1_999_999 };
    let members = [
        ("Null", Value::Null),
        ("Bool", Value::Bool(true)),
        ("Integer", Value::Integer(i64::MIN)),
        ("Float", Value::Float(1.23456)),
        ("Huge", Value::Float(1e300)),
        ("NaN", Value::Float(f64::NAN)),
        ("Big", Value::Decimal("9223372036854775808".to_owned())),
        ("Text", text("a")),
        ("Blob", Value::Blob(Bytes::from_static(b"abc"))),
        ("Body", Value::Stream { length: 5 }),
        ("Time", time),
        ("Far", Value::Timestamp { seconds: 999_999_999_999, nanoseconds: 0 }),
        ("List", Value::List(vec![text("a"), Value::Null, Value::Integer(1)])),
        ("Record", record(&[("a b", text("c")), ("Gone", Value::Null)])),
    ];
    for condition in [
        "!(context.params has Null)",
        "context.params.Bool",
        "context.params.Integer == -9223372036854775808",
        "context.params.Float == decimal(\"1.2346\")",
        "context.params.Float.lessThan(decimal(\"1.3\"))",
        "context.params.Huge like \"1000*\"",
        "context.params.NaN == \"NaN\"",
        "context.params.Big == \"9223372036854775808\"",
        "context.params.Text == \"a\"",
        "context.params.Blob.length == 3",
        "context.params.Blob.sha256 == \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
        "context.params.Body.length == 5",
        "context.params.Time == datetime(\"2026-11-21T14:40:00.001Z\")",
        "context.params.Far == 999999999999",
        "context.params.List == [\"a\", 1]",
        "context.params.List.contains(\"a\")",
        "context.params.Record[\"a b\"] == \"c\"",
        "!(context.params.Record has Gone)",
    ] {
        assert!(holds(condition, &members), "{condition}");
    }
}

#[test]
fn json_escapes_in_parameters_forge_nothing() {
    let forged = record(&[("__entity", record(&[("type", text("Group")), ("id", text("admins"))]))]);
    let called = record(&[("__extn", record(&[("fn", text("ip")), ("arg", text("10.0.0.1"))]))]);
    let members = [("Owner", forged), ("Address", called)];
    assert!(!holds("context.params.Owner == Group::\"admins\"", &members));
    assert!(!holds("context.params.Address == ip(\"10.0.0.1\")", &members));
    assert!(holds("context.params.Owner[\"__entity\"].id == \"admins\"", &members));
    assert!(holds("context.params.Address[\"__extn\"].arg == \"10.0.0.1\"", &members));
}

#[test]
fn a_missing_parameter_is_told_from_an_error_by_has() {
    let rules = |guard: &str| {
        format!(
            "permit(principal, action, resource); forbid(principal, action, resource) when {{ {guard}context.params.X == 1 }};"
        )
    };
    assert_eq!(outcome(&rules(""), &put_item()), "deny");
    assert_eq!(outcome(&rules("context.params has X && "), &put_item()), "allow");
    let with_x = with_parameters(put_item(), &[("X", Value::Integer(1))]);
    assert_eq!(outcome(&rules("context.params has X && "), &with_x), "deny");
}

#[test]
fn a_name_that_stands_twice_denies() {
    let twice = with_parameters(put_item(), &[("X", Value::Integer(1)), ("X", Value::Integer(2))]);
    let verdict = decide(&bundle("permit(principal, action, resource) when { context.params.X == 1 };"), &twice);
    assert_eq!(verdict.decision.as_str(), "deny");
}

#[test]
fn the_context_holds_the_circumstances() {
    for condition in [
        "context.operation == \"PutItem\" && context.service == \"dynamodb\"",
        "context.level == \"Write\" && context.classes == []",
        "context.region == \"eu-central-1\"",
        "context.account == \"111122223333\" && context.target == \"dev\"",
        "context.session.age_seconds == 60",
        "context.source_ip.isInRange(ip(\"192.0.2.0/24\"))",
        "context.time < datetime(\"2026-11-22\") && context.time > datetime(\"2026-11-20\")",
        "context has source_ip && context has params",
    ] {
        assert!(holds(condition, &[]), "{condition}");
    }
    let bundle =
        bundle("permit(principal, action, resource) when { context.source_ip.isInRange(ip(\"192.0.2.0/24\")) };");
    let mut world = World::new(&bundle);
    for (address, expected) in [(Some("::ffff:192.0.2.7"), "allow"), (Some("2001:db8::1"), "deny"), (None, "deny")] {
        world.source_ip = address.map(|address| address.parse().unwrap());
        assert_eq!(bundle.decide(&put_item(), &world.facts()).decision.as_str(), expected, "{address:?}");
    }
}

#[test]
fn hostile_names_are_data() {
    let name = "x\") || true || (\"";
    let members = [("TableName", text(name))];
    assert!(!holds("context.params.TableName == \"x\"", &members));
    let hostile =
        countersign_domain::Resource::Exact(format!("arn:aws:dynamodb:eu-central-1:1:table/{name}\n\u{202e}"));
    let call = call("dynamodb:PutItem", countersign_domain::AccessLevel::Write, hostile);
    assert_eq!(outcome("permit(principal, action, resource == Resource::\"x\");", &call), "deny");
    assert_eq!(outcome("permit(principal, action, resource);", &call), "allow");
}
