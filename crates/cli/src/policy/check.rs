//! `policy check`.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use countersign_authoring::AwsActions;
use countersign_policy::{Bundle, BundleError, COMPILED_FILE, SHADOW_DIR, Severity, check, compile};
use serde::Serialize;

use super::{PlaceholderOptions, counted, load, print, print_json};
use crate::ending::{CliError, Ending};

pub(super) const EXAMPLES: &str = "\
Examples:
  countersign policy check infra/bundle
  countersign policy check infra/bundle --deny-warnings --set TARGET_ACCOUNT=123456789012
  countersign policy check infra/bundle --json | jq -r '.findings[].message'

Exit codes: 0 nothing is wrong; 1 there are errors, or with --deny-warnings warnings; 2 the command line is wrong.";

/// Options of `policy check`.
#[derive(Debug, Args)]
pub(crate) struct CheckOptions {
    /// The bundle's folder
    #[arg(value_name = "DIR", default_value = "infra/bundle")]
    folder: PathBuf,
    /// Count warnings as errors
    #[arg(long)]
    deny_warnings: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    placeholders: PlaceholderOptions,
}

#[derive(Serialize)]
struct Found {
    severity: &'static str,
    file: String,
    line: u32,
    message: String,
    fix: String,
}

#[derive(Serialize)]
struct Report {
    bundle: String,
    rules: usize,
    errors: usize,
    warnings: usize,
    findings: Vec<Found>,
}

/// Checks a bundle and says what it found.
pub(super) fn run(options: &CheckOptions) -> Result<Ending, CliError> {
    if !options.folder.is_dir() {
        return Err(CliError::Usage(format!("`{}` is no folder; name a bundle's folder", options.folder.display())));
    }
    let report = report(options)?;
    if options.json {
        print_json(&report)?;
    } else {
        print(&readable(&report))?;
    }
    let wrong = report.errors > 0 || (options.deny_warnings && report.warnings > 0);
    Ok(if wrong { Ending::Finding } else { Ending::Well })
}

fn report(options: &CheckOptions) -> Result<Report, CliError> {
    let values = load::placeholders(&options.placeholders)?;
    let (rules, mut findings) = match load::bundle(&options.folder, &values) {
        Ok(bundle) => (bundle.rule_list().count(), findings_of(&bundle)),
        Err(error) => (0, problems_of(error)),
    };
    let shadow = match Bundle::load_shadow(&options.folder, |name| values.value(name), &[]) {
        Ok(None) => Vec::new(),
        Ok(Some(bundle)) => findings_of(&bundle),
        Err(error) => problems_of(error),
    };
    findings.extend(shadow.into_iter().map(|one| Found { file: format!("{SHADOW_DIR}/{}", one.file), ..one }));
    findings.extend(stale(&options.folder));
    let of = |severity: &str| findings.iter().filter(|one| one.severity == severity).count();
    Ok(Report {
        bundle: options.folder.display().to_string(),
        rules,
        errors: of("error"),
        warnings: of("warning"),
        findings,
    })
}

fn findings_of(bundle: &Bundle) -> Vec<Found> {
    let found = check(bundle, AwsActions::embedded()).into_iter().map(|one| {
        let severity = if one.severity == Severity::Error { "error" } else { "warning" };
        Found { severity, file: one.file, line: one.line, message: one.message, fix: one.fix }
    });
    found.collect()
}

fn problems_of(error: BundleError) -> Vec<Found> {
    let found = error.problems.into_iter().map(|one| Found {
        severity: "error",
        file: one.file,
        line: one.line,
        message: one.message,
        fix: one.fix,
    });
    found.collect()
}

/// A compiled form beside the rules that is of other rules: a function would not start.
fn stale(folder: &Path) -> Option<Found> {
    let there = fs::read(folder.join(COMPILED_FILE)).ok()?;
    let is_fresh = compile(folder).is_ok_and(|compiled| compiled == there);
    (!is_fresh).then(|| Found {
        severity: "error",
        file: COMPILED_FILE.to_owned(),
        line: 0,
        message: "the compiled bundle is not of these rules".to_owned(),
        fix: "compile it again, or remove it".to_owned(),
    })
}

fn readable(report: &Report) -> String {
    let mut text = String::new();
    for one in &report.findings {
        let place = if one.line == 0 { String::new() } else { format!(":{}", one.line) };
        let _ = writeln!(text, "{}/{}{place}: {}: {}", report.bundle, one.file, one.severity, one.message);
        let _ = writeln!(text, "    fix: {}", one.fix);
    }
    let _ = writeln!(
        text,
        "{}: {}, {}, {}",
        report.bundle,
        counted(report.rules, "rule"),
        counted(report.errors, "error"),
        counted(report.warnings, "warning")
    );
    text
}
