//! How long a verification takes: `cargo bench -p countersign-sigv4`.

use std::{hint::black_box, time::Instant};

use bytes::Bytes;
use countersign_domain::Timestamp;
use countersign_sigv4::{Presented, SecretKey, UnverifiedRequest, verify};
use serde::Deserialize;

#[derive(Deserialize)]
struct Line {
    name: String,
    secret: String,
    now: u64,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

#[expect(clippy::expect_used, reason = "a benchmark over checked-in fixtures")]
fn main() {
    let lines = include_str!("../tests/fixtures/botocore.jsonl").lines();
    let lines: Vec<Line> = lines.map(|line| serde_json::from_str(line).expect("a fixture is valid")).collect();
    for name in [
        "json dynamodb",
        "query iam",
        "rest-json lambda arn",
        "s3 get odd key 0",
        "s3 presigned get odd key 0",
        "s3 put trailer CRC32",
        "s3 chunk-signed",
    ] {
        let line = lines.iter().find(|line| line.name == name).expect("the fixture is there");
        report(line);
    }
}

#[expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark over checked-in fixtures, which prints its figures"
)]
fn report(line: &Line) {
    let body = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &line.body);
    let body = Bytes::from(body.expect("a body is base64"));
    let request = UnverifiedRequest {
        method: &line.method,
        path: &line.path,
        query: &line.query,
        headers: &line.headers,
        body: &body,
    };
    let (secret, now) = (SecretKey::new(line.secret.as_str()), Timestamp::from_secs(line.now));
    let once = || {
        let presented = Presented::parse(black_box(&request)).expect("a fixture is signed");
        black_box(verify(&presented, &request, &secret, now).expect("a fixture verifies"));
    };
    // the best of many batches: what the code takes, not what else the machine does
    let batch = || {
        let started = Instant::now();
        (0..50).for_each(|_| once());
        started.elapsed() / 50
    };
    let each = (0..400).map(|_| batch()).min().unwrap_or_default();
    let head: usize = line.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    println!("{:<28} head {head:>5} B, body {:>6} B: {each:?}", line.name, body.len());
}
