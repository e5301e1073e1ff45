//! A seeded sample of what real botocore clients send; the whole is `cargo xtask oracle`.

use std::io::{BufReader, Read};

use countersign_catalogue::Catalogue;
use countersign_catalogue_builder::oracle::{self, Reach, SAMPLE, Settings};
use flate2::read::GzDecoder;

#[test]
fn a_sample_of_real_requests_is_verified_and_understood() {
    let settings = Settings { reach: Reach::Some(1), every_byte_of_one_in: 40, seed: 1 };
    let lines = BufReader::new(GzDecoder::new(SAMPLE));
    let report = oracle::check(Catalogue::embedded(), lines, settings, |_| {}).expect("sample");
    let differences: Vec<_> = report.unexpected.iter().map(ToString::to_string).collect();
    assert!(differences.is_empty(), "{differences:#?}");
    let total = |figure: fn(&oracle::Figures) -> usize| -> usize { report.by_protocol.values().map(figure).sum() };
    assert_eq!(report.by_protocol.len(), 6, "every protocol");
    let requests = total(|figures| figures.requests);
    assert!(requests > 1000, "{requests}");
    assert_eq!(total(|figures| figures.wrong + figures.not_verified), 0);
    assert_eq!(total(|figures| figures.verified + figures.unsigned), requests);
    // Refusals are rare: a rule that refuses too much shows here.
    assert!(total(|figures| figures.unidentified + figures.not_forwarded) * 100 < requests);
    // So are paths that only the other door takes.
    assert!(total(|figures| figures.paths_recovered) * 100 > total(|figures| figures.paths) * 95);
    assert!(total(|figures| figures.bytes_changed) > 10_000);
}

#[test]
fn a_request_that_means_something_else_is_found_out() {
    let mut lines = String::new();
    GzDecoder::new(SAMPLE).read_to_string(&mut lines).expect("sample");
    let line = lines.lines().find(|line| line.contains("\"operation\":\"HeadObject\"")).expect("a HeadObject");
    let check = |line: String| {
        let settings = Settings { reach: Reach::Some(1), every_byte_of_one_in: 0, seed: 1 };
        let report = oracle::check(Catalogue::embedded(), BufReader::new(line.as_bytes()), settings, |_| {});
        report.expect("line").unexpected.into_iter().map(|difference| difference.what).collect::<Vec<_>>()
    };
    assert!(check(line.to_owned()).is_empty());
    for (from, to, what) in [
        ("\"operation\":\"HeadObject\"", "\"operation\":\"DeleteObject\"", "wrong"),
        ("[\"t\",\"my-bucket\"]", "[\"t\",\"another\"]", "parameters"),
        ("\"host\":\"s3.", "\"host\":\"s4.", "upstream"),
        ("20260304T050607Z", "20260304T050608Z", "not-verified:SignatureDoesNotMatch"),
    ] {
        assert!(line.contains(from), "{from}");
        assert_eq!(check(line.replace(from, to)), [what], "{from}");
    }
}
