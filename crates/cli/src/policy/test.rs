//! `policy test`.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use countersign_authoring::{CaseFile, CaseResult, Coverage, find_cases, run as run_cases};
use serde::Serialize;

use super::{PlaceholderOptions, counted, load, print, print_json};
use crate::ending::{CliError, Ending};

pub(super) const EXAMPLES: &str = "\
Examples:
  countersign policy test infra/bundle
  countersign policy test infra/bundle --coverage --require-coverage 100
  countersign policy test infra/bundle/tests/writes.toml

Each case is a call with what should become of it; docs/policy.md has the format. The call is written as a client would
write it and read as the gateway reads it.

Exit codes: 0 all is as expected; 1 a case fails, or too few rules are reached; 2 a file or the bundle cannot be read.";

/// Options of `policy test`.
#[derive(Debug, Args)]
pub(crate) struct TestOptions {
    /// Bundles' folders, whose `tests/*.toml` are run, or single files of cases
    #[arg(value_name = "DIR|FILE", default_value = "infra/bundle")]
    paths: Vec<PathBuf>,
    /// The bundle's folder, where it is not the one that holds the tests
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// List the rules that no case reaches
    #[arg(long)]
    coverage: bool,
    /// Fail unless this many of a hundred rules are reached by a case that passes
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    require_coverage: Option<u8>,
    /// Write JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    placeholders: PlaceholderOptions,
}

#[derive(Serialize)]
struct Report {
    bundles: Vec<BundleReport>,
    passed: usize,
    failed: usize,
}

#[derive(Serialize)]
struct BundleReport {
    bundle: String,
    coverage_percent: usize,
    /// Rules that no case that passes reaches.
    not_covered: Vec<String>,
    coverage: Coverage,
    cases: Vec<CaseResult>,
}

/// Runs the cases and says what became of them.
pub(super) fn run(options: &TestOptions) -> Result<Ending, CliError> {
    let mut by_bundle: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in &options.paths {
        let found = find_cases(path, options.bundle.as_deref())
            .map_err(|source| CliError::File { path: path.clone(), source })?;
        by_bundle.entry(found.folder).or_default().extend(found.cases);
    }
    let bundles: Vec<_> =
        by_bundle.iter().map(|(folder, files)| run_bundle(folder, files, options)).collect::<Result<_, _>>()?;
    let results = || bundles.iter().flat_map(|bundle| &bundle.cases);
    let passed = results().filter(|case| case.passed()).count();
    let report = Report { passed, failed: results().count() - passed, bundles };
    let wanted = options.require_coverage.map_or(0, usize::from);
    if options.json {
        print_json(&report)?;
    } else {
        print(&readable(&report, options.coverage, wanted))?;
    }
    let short = report.bundles.iter().any(|bundle| bundle.coverage_percent < wanted);
    Ok(if report.failed > 0 || short { Ending::Finding } else { Ending::Well })
}

fn run_bundle(folder: &Path, files: &[PathBuf], options: &TestOptions) -> Result<BundleReport, CliError> {
    let bundle = load::valid_bundle(folder, &options.placeholders)?;
    let mut cases = Vec::new();
    for path in files {
        let text = fs::read_to_string(path).map_err(|source| CliError::File { path: path.clone(), source })?;
        let file = CaseFile::read(path, &text).map_err(|error| CliError::Usage(error.to_string()))?;
        cases.extend(run_cases(&bundle, &file));
    }
    let coverage = Coverage::of(&bundle, &cases);
    Ok(BundleReport {
        bundle: folder.display().to_string(),
        coverage_percent: coverage.percent(),
        not_covered: coverage.missing().map(|rule| rule.rule.clone()).collect(),
        coverage,
        cases,
    })
}

fn readable(report: &Report, list_missing: bool, wanted: usize) -> String {
    let mut text = String::new();
    for bundle in &report.bundles {
        for case in bundle.cases.iter().filter(|case| !case.passed()) {
            let _ = writeln!(text, "{}:{}: {}", case.file, case.line, case.name);
            for failure in &case.failures {
                let _ = writeln!(text, "    {failure}");
            }
        }
        let short = bundle.coverage_percent < wanted;
        if list_missing || short {
            for rule in bundle.coverage.missing() {
                let _ =
                    writeln!(text, "{}/{}:{}: no case reaches `{}`", bundle.bundle, rule.file, rule.line, rule.rule);
            }
        }
        let passed = bundle.cases.iter().filter(|case| case.passed()).count();
        let wanted = if short { format!(", and {wanted} % are required") } else { String::new() };
        let _ = writeln!(
            text,
            "{}: {} passed, {} failed; {} % of {} reached{wanted}",
            bundle.bundle,
            counted(passed, "case"),
            bundle.cases.len() - passed,
            bundle.coverage_percent,
            counted(bundle.coverage.rules.len(), "rule"),
        );
    }
    text
}
