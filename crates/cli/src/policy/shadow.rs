//! `policy shadow`.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use clap::Args;
use countersign_policy::{ShadowCount, ShadowReport};
use serde_json::{Value as Json, json};

use super::{print, print_json};
use crate::ending::{CliError, Ending};

pub(super) const EXAMPLES: &str = "\
Examples:
  countersign policy shadow events.jsonl
  aws dynamodb scan --table-name countersign-record --output json | jq -c '.Items[]' | countersign policy shadow
  countersign policy shadow events.jsonl --json | jq '.rules[] | select(.stricter > 0)'

Exit codes: 0 nothing would have been decided differently; 1 something would, or could not be evaluated; 2 the command
line or the input is wrong.";

/// Options of `policy shadow`.
#[derive(Debug, Args)]
pub(crate) struct ShadowOptions {
    /// Events as JSON lines: as the record's `body` holds them, or items of the record table as DynamoDB and the AWS
    /// CLI write them; `-` is stdin
    #[arg(value_name = "FILE", default_value = "-")]
    events: Vec<PathBuf>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Counts what shadow rules and the shadow bundle would have changed.
pub(super) fn run(options: &ShadowOptions) -> Result<Ending, CliError> {
    let mut report = ShadowReport::default();
    for path in &options.events {
        add(&mut report, path)?;
    }
    if options.json {
        print_json(&as_json(&report))?;
    } else {
        print(&report.to_string())?;
    }
    Ok(if differs(&report) { Ending::Finding } else { Ending::Well })
}

fn add(report: &mut ShadowReport, path: &Path) -> Result<(), CliError> {
    let failed = |source: io::Error| CliError::File { path: path.to_owned(), source };
    let lines: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(failed)?))
    };
    for (number, line) in (1_u64..).zip(lines.lines()) {
        let line = line.map_err(failed)?;
        if line.trim().is_empty() {
            continue;
        }
        report
            .add_line(&line)
            .map_err(|error| CliError::Usage(format!("`{}`, line {number}: {error}", path.display())))?;
    }
    Ok(())
}

fn differs(report: &ShadowReport) -> bool {
    let counts = report.rules.values().chain(report.bundle_rules.values());
    let by_rule = counts.map(|count| count.stricter + count.looser + count.erred).sum::<u64>() > 0;
    let by_bundle = report.changes.keys().any(|(was, would_be)| was != would_be);
    by_rule || by_bundle || !report.failures.is_empty()
}

fn as_json(report: &ShadowReport) -> Json {
    let row = |(rule, count): (&String, &ShadowCount)| {
        let ShadowCount { matched, erred, stricter, looser } = count;
        json!({"rule": rule, "matched": matched, "erred": erred, "stricter": stricter, "looser": looser})
    };
    let changes =
        report.changes.iter().map(|((was, would_be), calls)| json!({"was": was, "would_be": would_be, "calls": calls}));
    json!({
        "decisions": report.decisions,
        "rules": report.rules.iter().map(row).collect::<Vec<_>>(),
        "bundle_rules": report.bundle_rules.iter().map(row).collect::<Vec<_>>(),
        "changes": changes.collect::<Vec<_>>(),
        "failures": report.failures,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(more: &str) -> String {
        format!(
            r#"{{"at":1,"subject":{{}},"happening":{{"kind":"decided","decision":"allow","rules":[],"bundle":"{}","call":{{"operation":"sqs:SendMessage","account":"1","region":"r","host":"h","permissions":[],"parameters":{{}}}}{more}}}}}"#,
            "00".repeat(32)
        )
    }

    fn report(lines: &str) -> Result<ShadowReport, CliError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        std::fs::write(&path, lines).unwrap();
        let mut report = ShadowReport::default();
        add(&mut report, &path).map(|()| report)
    }

    #[test]
    fn a_difference_is_a_finding_and_none_is_not() {
        let same = report(&format!("{}\n\n", event(""))).unwrap();
        assert!(!differs(&same) && same.decisions == 1);
        let tighter = event(r#","shadow":[{"rule":"a/x","reason":"r"}],"shadow_decision":"deny""#);
        let tighter = report(&tighter).unwrap();
        assert!(differs(&tighter));
        assert_eq!(
            as_json(&tighter)["rules"][0],
            json!({"rule": "a/x", "matched": 1, "erred": 0, "stricter": 1, "looser": 0})
        );
        assert!(differs(&report(&event(r#","shadow_bundle":{"failed":{"error":"e"}}"#)).unwrap()));
    }

    #[test]
    fn a_line_that_is_no_event_is_named() {
        let error = report(&format!("{}\n{{}}\n", event(""))).unwrap_err().to_string();
        assert!(error.contains("events.jsonl`, line 2: not an event of the record"), "{error}");
    }
}
