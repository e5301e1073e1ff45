//! Hosts and credential scopes against botocore's own endpoint rules: every service, three partitions,
//! two regions of each. `oracle/hosts.py` writes what botocore says.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use std::io::Read;

use countersign_catalogue::{Catalogue, Place};
use countersign_domain::Value;
use flate2::read::GzDecoder;
use serde_json::Value as Json;

/// What the catalogue says of one row: host, signing name and signing region, or why not.
fn found(row: &Json) -> String {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let (service, operation) = Catalogue::embedded().operation(text("service"), text("operation")).unwrap();
    let place = Place { partition: text("partition").to_owned() };
    let nothing = Value::Record(Vec::new());
    match Catalogue::embedded().upstream(service, operation, &nothing, &place, text("region")) {
        Ok(upstream) => format!("{} {} {}", upstream.host, upstream.signing_name, upstream.signing_region),
        Err(refusal) => format!("refused: {}", refusal.reason()),
    }
}

#[test]
fn calls_go_where_botocore_sends_them_in_every_partition() {
    let mut text = String::new();
    GzDecoder::new(include_bytes!("../oracle/hosts.jsonl.gz").as_slice()).read_to_string(&mut text).unwrap();
    let mut counts = std::collections::BTreeMap::new();
    let mut differences = Vec::new();
    for line in text.lines() {
        let row: Json = serde_json::from_str(line).unwrap();
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        let expected = format!("{} {} {}", text("host"), text("signing_name"), text("signing_region"));
        let found = found(&row);
        let of_partition: &mut [usize; 2] = counts.entry(text("partition").to_owned()).or_default();
        if found == expected {
            of_partition[0] += 1;
        } else {
            of_partition[1] += 1;
            differences.push(format!("{} {}: {found}, botocore: {expected}", text("service"), text("region")));
        }
    }
    println!("equal and different, by partition: {counts:?}");
    assert!(counts.values().map(|[equal, _]| equal).sum::<usize>() > 2_500, "{counts:?}");
    // Calls of CodeCatalyst carry a bearer token: they are refused, and have no credential scope.
    differences.retain(|line| !line.starts_with("codecatalyst "));
    assert!(differences.is_empty(), "{}\n{counts:?}", differences.join("\n"));
}
