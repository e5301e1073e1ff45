//! Recorded calls against bundles, with counts that were worked out by hand.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use countersign_authoring::{AgentMapping, Counts, Outcome, Placeholders, Simulation, Tally};
use countersign_domain::AgentId;
use countersign_policy::Bundle;

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn bundle(rules: Option<&str>) -> Bundle {
    let folder = at("../../infra/bundle");
    let samples = Placeholders::default();
    let value = |name: &str| samples.value(name);
    match rules {
        None => Bundle::load(&folder, value, &[]),
        Some(rules) => {
            let settings = fs::read_to_string(folder.join("countersign.toml")).unwrap();
            let files = [("countersign.toml", settings), ("rules.cedar", rules.to_owned())];
            Bundle::from_sources(files.map(|(name, text)| (name.to_owned(), text)).into(), value, &[])
        }
    }
    .unwrap_or_else(|error| panic!("{error}"))
}

fn simulate(files: &[PathBuf], bundle: &Bundle, against: Option<&Bundle>) -> Tally {
    let agents = AgentMapping::default();
    Simulation { bundle, against, agents: &agents }.run(files, |_| {}).unwrap_or_else(|error| panic!("{error}"))
}

fn counts(pass: u64, wait: u64, deny: u64) -> Counts {
    Counts { pass, wait, deny }
}

fn rows(rows: &[(&str, Counts)]) -> BTreeMap<String, Counts> {
    rows.iter().map(|(name, counts)| ((*name).to_owned(), *counts)).collect()
}

#[test]
fn a_sample_of_cloudtrail_counts_as_worked_out_by_hand() {
    let tally = simulate(&[at("tests/trail/sample.json")], &bundle(None), None);
    // Passing: DescribeInstances, GetObject, PutObject to the scratch bucket. Waiting: PutItem, DeleteTable,
    // TerminateInstances, GetSecretValue, CreateFunction, Decrypt. Denied: CreateUser, CreateQueue in another region,
    // DeleteQueue by an agent that nobody owns.
    assert_eq!(tally.calls, counts(3, 6, 3), "{tally:#?}");
    assert_eq!(
        tally.by_day,
        rows(&[("2026-11-19", counts(1, 2, 0)), ("2026-11-20", counts(2, 3, 3)), ("2026-11-21", counts(0, 1, 0))])
    );
    assert_eq!(
        tally.by_agent,
        rows(&[("deployer", counts(0, 5, 2)), ("explorer", counts(3, 1, 0)), ("newcomer", counts(0, 0, 1))])
    );
    for (rule, expected) in [
        ("10-reads/reads", counts(2, 0, 0)),
        ("30-scratch/scratch", counts(1, 0, 0)),
        ("20-writes/destructive", counts(0, 2, 0)),
        ("00-denied/identities", counts(0, 0, 1)),
        ("built-in/no-owner", counts(0, 0, 1)),
        ("gateway/Region", counts(0, 0, 1)),
    ] {
        assert_eq!(tally.by_rule.get(rule), Some(&expected), "{rule}: {tally:#?}");
    }
    // PutItem's key, CreateFunction's code and Decrypt's blob are not what the operations take.
    assert!(tally.in_part >= 2, "{tally:#?}");
    let skipped: Vec<_> = tally.skipped.iter().map(|(reason, count)| (*reason, *count)).collect();
    assert_eq!(
        skipped,
        [("a call that an AWS service made by itself", 1), ("an event of CloudTrail that is no API call", 1)]
    );
    let unmapped: Vec<_> =
        tally.unmapped.iter().map(|(reason, seen)| (*reason, seen.count, seen.example.as_str())).collect();
    assert_eq!(
        unmapped,
        [
            ("no target of the bundle has this account", 1, "iam.amazonaws.com GetRole"),
            ("the catalogue has no such operation", 1, "quantumledger.amazonaws.com Entangle"),
            ("the principal has no name that can be an agent's", 1, "iam.amazonaws.com GetRole"),
        ]
    );
}

#[test]
fn every_form_of_a_file_counts_alike() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(at("tests/trail/sample.json")).unwrap();
    let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
    let records = whole["Records"].as_array().unwrap();
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    let looked_up: Vec<_> = records
        .iter()
        .map(|record| serde_json::json!({ "EventId": "x", "CloudTrailEvent": record.to_string() }))
        .collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let expected = simulate(&[at("tests/trail/sample.json")], &bundle(None), None);
    for (name, bytes) in [
        ("lines.jsonl", lines.into_bytes()),
        ("list.json", whole["Records"].to_string().into_bytes()),
        ("looked-up.json", serde_json::json!({ "Events": looked_up }).to_string().into_bytes()),
        ("packed.json.gz", gzip.finish().unwrap()),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        assert_eq!(simulate(&[path], &bundle(None), None), expected, "{name}");
    }
}

#[test]
fn two_bundles_differ_where_a_rule_was_added() {
    let before = bundle(Some("@id(\"reads\") permit (principal, action in Action::\"level:Read\", resource);"));
    let after = bundle(Some(
        "@id(\"reads\") permit (principal, action in Action::\"level:Read\", resource);\n\
         @id(\"secrets\") @approval(\"approvers\") permit (principal, action in Action::\"class:secret-returning\", resource);",
    ));
    let tally = simulate(&[at("tests/trail/sample.json")], &after, Some(&before));
    let differences: Vec<_> = tally
        .differences
        .iter()
        .map(|(one, count)| (one.agent.as_str(), one.operation.as_str(), one.before, one.after, *count))
        .collect();
    assert_eq!(
        differences,
        [
            ("deployer", "kms:Decrypt", Outcome::Deny, Outcome::Wait, 1),
            ("explorer", "secretsmanager:GetSecretValue", Outcome::Pass, Outcome::Wait, 1)
        ]
    );
    assert_eq!(tally.differ, 2);
    assert_eq!(simulate(&[at("tests/trail/sample.json")], &after, Some(&after)).differ, 0);
}

#[test]
fn principals_can_be_named_as_agents() {
    let agents = AgentMapping {
        everyone: None,
        named: BTreeMap::from([("newcomer".to_owned(), AgentId::new("deployer").unwrap())]),
    };
    let bundle = bundle(None);
    let simulation = Simulation { bundle: &bundle, against: None, agents: &agents };
    let tally = simulation.run(&[at("tests/trail/sample.json")], |_| {}).unwrap();
    // Whoever is the deployer has an owner, so its deletion of a queue waits.
    assert_eq!(tally.by_agent.get("deployer"), Some(&counts(0, 6, 2)));
    let everyone = AgentMapping { everyone: AgentId::new("explorer").ok(), named: BTreeMap::new() };
    let tally = Simulation { bundle: &bundle, against: None, agents: &everyone }
        .run(&[at("tests/trail/sample.json")], |_| {})
        .unwrap();
    // The principal without a name is somebody now, and reads.
    assert_eq!(tally.by_agent, rows(&[("explorer", counts(4, 7, 2))]));
}

#[test]
fn limits_are_counted_by_window_in_whatever_parts_the_input_comes() {
    let folder = at("../../infra/bundle");
    let samples = Placeholders::default();
    let limits = "\n[[limits.rate]]\nname = \"daily\"\nper = \"agent\"\ncalls = 1\ndistinct_resources = 200\nwindow = \"1d\"\n\
                  [[limits.rate]]\nname = \"unused\"\nper = \"target\"\nagents = [\"nobody\"]\ncalls = 5\nwindow = \"1h\"\n";
    let files = ["00-denied", "10-reads", "20-writes", "30-scratch"].map(|name| format!("{name}.cedar"));
    let mut files: Vec<_> =
        files.into_iter().map(|name| (name.clone(), fs::read_to_string(folder.join(name)).unwrap())).collect();
    let settings = fs::read_to_string(folder.join("countersign.toml")).unwrap();
    files.push(("countersign.toml".to_owned(), settings + limits));
    let bundle = Bundle::from_sources(files, |name| samples.value(name), &[]).unwrap_or_else(|error| panic!("{error}"));
    let tally = simulate(&[at("tests/trail/sample.json")], &bundle, None);
    assert_eq!(tally.calls, counts(3, 6, 3), "the rules decide as before");
    let rows: Vec<_> = tally
        .limits(bundle.settings())
        .into_iter()
        .map(|row| (row.limit.to_string(), row.counted, row.highest, row.windows, row.windows_over, row.calls_over))
        .collect();
    // By agent and day. On the 19th the explorer made one call and the deployer two; on the 20th three and two; on the
    // 21st the deployer one. What is denied is not counted.
    assert_eq!(rows[0], ("daily".to_owned(), "calls", 3, 5, 3, Some(4)), "{rows:?}");
    assert_eq!((rows[1].1, rows[1].3, rows[1].4, rows[1].5), ("distinct_resources", 5, 0, None), "{rows:?}");
    assert_eq!(rows[2], ("unused".to_owned(), "calls", 0, 0, 0, Some(0)), "{rows:?}");
    // The same records, one file each: threads fold them in another order.
    let parts = tempfile::tempdir().unwrap();
    let whole: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(at("tests/trail/sample.json")).unwrap()).unwrap();
    let mut files = Vec::new();
    for (number, record) in whole["Records"].as_array().unwrap().iter().enumerate().rev() {
        let path = parts.path().join(format!("{number}.jsonl"));
        fs::write(&path, format!("{record}\n")).unwrap();
        files.push(path);
    }
    assert_eq!(simulate(&files, &bundle, None), tally);
}
