//! A seeded sample of what real botocore clients send; the whole is `oracle/generate.py`.

use std::io::BufReader;

use countersign_catalogue::Catalogue;
use countersign_catalogue_builder::oracle;
use flate2::read::GzDecoder;

/// What is refused although a client sends it, each for the reason that it should.
const EXPECTED_REFUSALS: [&str; 3] = ["EventStreamInput", "Ambiguous", "UnsupportedSigning"];

#[test]
fn a_sample_of_real_requests_is_understood() {
    let sample = GzDecoder::new(&include_bytes!("../oracle/sample.jsonl.gz")[..]);
    let report = oracle::check(Catalogue::embedded(), BufReader::new(sample)).expect("sample");
    let unexpected: Vec<_> = report
        .differences
        .iter()
        .filter(|line| !EXPECTED_REFUSALS.iter().any(|reason| line.contains(&format!("refused: {reason}"))))
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    let requests: usize = report.by_protocol.values().map(|figures| figures.requests).sum();
    assert!(requests > 1000, "{requests}");
    assert_eq!(report.by_protocol.len(), 6);
    // Refusals are rare: a rule that refuses too much shows here.
    assert!(report.differences.len() * 100 < requests, "{}", report.differences.len());
}
