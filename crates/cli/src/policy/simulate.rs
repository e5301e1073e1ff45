//! `policy simulate`.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use clap::Args;
use countersign_authoring::{Counts, HighestIn, LimitSeen, Simulation, Tally};
use serde::Serialize;

use super::{
    PlaceholderOptions, counted, load, print, print_json,
    recorded::{RecordedOptions, Reporter, failed},
};
use crate::ending::{CliError, Ending};

pub(super) const EXAMPLES: &str = "\
Examples:
  countersign policy simulate --calls trail/*.json.gz --set TARGET_ACCOUNT=123456789012
  countersign policy simulate --calls events.jsonl --bundle new --against infra/bundle
  countersign policy simulate --calls trail.json --agent deployer --json | jq .by_rule

docs/policy.md tells how recorded calls are read, and what cannot be told from them.

Exit codes: 0 the calls were replayed, and with --against are decided alike; 1 with --against: some are not; 2 the command
line is wrong or a file cannot be read.";

/// Options of `policy simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateOptions {
    #[command(flatten)]
    recorded: RecordedOptions,
    /// The bundle that decides
    #[arg(long, value_name = "DIR", default_value = "infra/bundle")]
    bundle: PathBuf,
    /// A bundle to compare it with
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    placeholders: PlaceholderOptions,
}

#[derive(Serialize)]
struct Report<'a> {
    bundle: String,
    against: Option<String>,
    unmapped_total: u64,
    limits: &'a [LimitSeen],
    #[serde(flatten)]
    tally: &'a Tally,
}

/// Replays recorded calls and says what would become of them.
pub(super) fn run(options: &SimulateOptions) -> Result<Ending, CliError> {
    let bundle = load::valid_bundle(&options.bundle, &options.placeholders)?;
    let against =
        options.against.as_ref().map(|folder| load::valid_bundle(folder, &options.placeholders)).transpose()?;
    let agents = options.recorded.agents();
    let simulation = Simulation { bundle: &bundle, against: against.as_ref(), agents: &agents };
    let mut reporter = Reporter::new();
    let tally = simulation.run(&options.recorded.calls, |progress| reporter.tell(progress)).map_err(failed)?;
    reporter.done();
    let limits = tally.limits(bundle.settings());
    if options.json {
        print_json(&Report {
            bundle: options.bundle.display().to_string(),
            against: options.against.as_ref().map(|folder| folder.display().to_string()),
            unmapped_total: tally.unmapped_total(),
            limits: &limits,
            tally: &tally,
        })?;
    } else {
        print(&readable(&tally, &limits, options))?;
    }
    Ok(if tally.differ > 0 { Ending::Finding } else { Ending::Well })
}

fn readable(tally: &Tally, limits: &[LimitSeen], options: &SimulateOptions) -> String {
    let mut text = String::new();
    let calls = tally.calls;
    let _ = writeln!(
        text,
        "{}: {} pass, {} wait, {} are denied",
        plural(calls.total()),
        calls.pass,
        calls.wait,
        calls.deny
    );
    if tally.in_part > 0 {
        let _ =
            writeln!(text, "{} of them known in part only: what is not known counts as every resource", tally.in_part);
    }
    for (title, rows) in [("rule", &tally.by_rule), ("day", &tally.by_day), ("agent", &tally.by_agent)] {
        table(&mut text, title, rows);
    }
    limits_table(&mut text, limits);
    if !tally.skipped.is_empty() {
        let _ = writeln!(text, "\n{} left out:", tally.skipped_total());
        for (reason, count) in &tally.skipped {
            let _ = writeln!(text, "  {count:>9}  {reason}");
        }
    }
    if !tally.unmapped.is_empty() {
        let _ = writeln!(text, "\n{} cannot be told, and are not among those above:", plural(tally.unmapped_total()));
        for (reason, seen) in &tally.unmapped {
            let example = if seen.example.is_empty() { String::new() } else { format!(", as `{}`", seen.example) };
            let _ = writeln!(text, "  {:>9}  {reason}{example}", seen.count);
        }
    }
    if let Some(against) = &options.against {
        let _ = writeln!(text, "\n{} decided otherwise than by {}:", plural(tally.differ), against.display());
        for (difference, count) in &tally.differences {
            let (before, after) = (difference.before.as_str(), difference.after.as_str());
            let _ = writeln!(text, "  {count:>9}  {before} → {after}  {} {}", difference.agent, difference.operation);
        }
    }
    text
}

fn plural(calls: u64) -> String {
    counted(usize::try_from(calls).unwrap_or(usize::MAX), "call")
}

fn table(text: &mut String, title: &str, rows: &BTreeMap<String, Counts>) {
    let _ = writeln!(text, "\n{:>9} {:>9} {:>9}  by {title}", "pass", "wait", "denied");
    for (name, counts) in rows {
        let _ = writeln!(text, "{:>9} {:>9} {:>9}  {name}", counts.pass, counts.wait, counts.deny);
    }
}

fn limits_table(text: &mut String, limits: &[LimitSeen]) {
    if limits.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{:>9} {:>9} {:>9} {:>9}  by limit", "most", "highest", "windows", "over");
    for row in limits {
        let LimitSeen { limit, counted, most, highest, windows, windows_over, .. } = row;
        let _ = write!(text, "{most:>9} {highest:>9} {windows:>9} {windows_over:>9}  {limit}, {counted}");
        if let Some(HighestIn { subject, from }) = &row.highest_in {
            let _ = write!(text, "; highest for {subject} from {from}");
        }
        if let Some(calls) = row.calls_over.filter(|calls| *calls > 0) {
            let _ = write!(text, "; {} too many", plural(calls));
        }
        text.push('\n');
    }
}
