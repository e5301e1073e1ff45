//! A seeded sample of what real botocore clients send; the whole is `cargo xtask oracle`.

use std::io::{BufReader, Read};
use std::path::Path;

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
    assert_eq!(total(|figures| figures.unidentified), 0);
    // Refusals are rare: a rule that refuses too much shows here.
    assert!(total(|figures| figures.left_open + figures.not_forwarded) * 100 < requests);
    // Each of these is met again at its service's endpoint; otherwise it would be a difference.
    assert!(total(|figures| figures.left_open) > 0);
    let styles: Vec<_> =
        report.by_style.iter().map(|(style, figures)| (style.as_str(), figures.requests > 20)).collect();
    assert_eq!(styles, [("gateway", true), ("path", true), ("service", true), ("virtual", true)]);
    // So are paths that only the other door takes.
    assert!(total(|figures| figures.paths_recovered) * 100 > total(|figures| figures.paths) * 95);
    assert!(total(|figures| figures.bytes_changed) > 10_000);
}

/// The numbers of the last line of the first table: all protocols.
fn all_of(figures: &str) -> Vec<&str> {
    let line = figures.lines().find(|line| line.starts_with("all ")).unwrap_or_default();
    line.split_whitespace().skip(1).collect()
}

#[test]
fn the_figures_in_the_readme_are_those_of_the_last_whole_runs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(folder.join("README.md")).expect("README");
    for run in ["botocore", "cli", "js", "old-botocore", "rust"] {
        let figures = std::fs::read_to_string(folder.join(format!("oracle/figures/{run}.txt"))).expect("figures");
        let heading = figures.lines().find(|line| line.starts_with("protocol ")).expect("a table");
        let names: Vec<_> = heading.split("  ").map(str::trim).filter(|name| !name.is_empty()).skip(1).collect();
        let all = all_of(&figures);
        assert_eq!(names.len(), all.len(), "{run}: {names:?}");
        let of = |wanted: &str| names.iter().position(|name| *name == wanted).map(|place| all[place]).expect("column");
        let columns = ["requests", "identified", "left open", "wrong", "unidentified"].map(of);
        let row = format!("| `{run}` | {} |", columns.join(" | "));
        assert!(readme.contains(&row), "the README should have `{row}`");
    }
    let moto = std::fs::read_to_string(folder.join("oracle/figures/moto.txt")).expect("figures");
    assert!(moto.contains("; 0 answers differ"), "{moto}");
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
