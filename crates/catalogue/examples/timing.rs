//! What understanding costs: `cargo run --release --example timing -p countersign-catalogue`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use countersign_catalogue::{Catalogue, Endpoint, Place, WireRequest};

const ROUNDS: u32 = 20_000;

fn main() {
    let catalogue = Catalogue::embedded();
    for service in ["dynamodb", "s3", "ec2", "quicksight", "lambda", "iam"] {
        show(&format!("first use of {service}, best of ten"), best_first_use(service));
    }
    let item: Vec<String> =
        (0..16).map(|place| format!("\"attribute-{place}\":{{\"S\":\"{}\"}}", "v".repeat(30))).collect();
    let body = Bytes::from(format!("{{\"TableName\":\"orders\",\"Item\":{{{}}}}}", item.join(",")));
    let headers = vec![
        ("x-amz-target".to_owned(), "DynamoDB_20120810.PutItem".to_owned()),
        ("content-type".to_owned(), "application/x-amz-json-1.0".to_owned()),
    ];
    let request = WireRequest {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        body: body.clone(),
        signing_name: "dynamodb",
        signing_region: "eu-central-1",
        host_prefix: "",
        from_chunked: false,
        body_is_signed: true,
        endpoint: Endpoint::Any,
    };
    let place = Place::aws();
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            let understood = catalogue.understand(&request, &place);
            let time = start.elapsed();
            assert!(understood.is_ok());
            time
        })
        .collect();
    times.sort();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    show(&format!("PutItem of {} bytes, identify, read and write anew, median", body.len()), middle);
}

/// The shortest of ten first uses, each of a catalogue of its own: other work on the machine adds.
fn best_first_use(service: &str) -> Duration {
    let times = (0..10).filter_map(|_| {
        let catalogue = Catalogue::from_blob(include_bytes!("../data/catalogue.bin")).ok()?;
        let start = Instant::now();
        catalogue.service(service)?;
        Some(start.elapsed())
    });
    times.min().unwrap_or_default()
}

fn show(what: &str, time: Duration) {
    eprintln!("{what}: {} µs", time.as_nanos() / 1000);
}
