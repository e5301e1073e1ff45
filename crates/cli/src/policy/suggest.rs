//! `policy suggest`.

use std::path::PathBuf;

use clap::Args;
use countersign_authoring::{SuggestOptions, suggest};
use countersign_domain::GroupName;
use serde::Serialize;

use super::{
    PlaceholderOptions, counted, load, print, print_json,
    recorded::{RecordedOptions, Reporter, failed},
};
use crate::ending::{CliError, Ending};

pub(super) const EXAMPLES: &str = "\
Examples:
  countersign policy suggest --calls trail/*.json.gz --approvers approvers > infra/bundle/50-suggested.cedar
  countersign policy suggest --calls events.jsonl --beyond --exact

What is in a class, or changes who may do what, is never suggested without approval. Read every rule before you deploy it.

Exit codes: 0 the rules were written; 2 the command line is wrong or a file cannot be read.";

/// Options of `policy suggest`.
#[derive(Debug, Args)]
pub(crate) struct SuggestArguments {
    #[command(flatten)]
    recorded: RecordedOptions,
    /// The bundle whose targets the calls are in
    #[arg(long, value_name = "DIR", default_value = "infra/bundle")]
    bundle: PathBuf,
    /// Suggest only for what that bundle denies
    #[arg(long)]
    beyond: bool,
    /// The group that is asked where a call has to wait
    #[arg(long, value_name = "GROUP", default_value = "approvers", value_parser = group)]
    approvers: GroupName,
    /// Name every resource, and never write several as what their names have in common
    #[arg(long)]
    exact: bool,
    /// Write JSON, with the rules as text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    placeholders: PlaceholderOptions,
}

/// From how many resources of one action on they are written by what they have in common.
const MOST_RESOURCES: usize = 8;

fn group(text: &str) -> Result<GroupName, String> {
    GroupName::new(text).map_err(|error| error.to_string())
}

#[derive(Serialize)]
struct Report<'a> {
    rules: usize,
    covered: u64,
    left_out: &'a std::collections::BTreeMap<&'static str, u64>,
    cedar: &'a str,
}

/// Suggests rules for recorded calls.
pub(super) fn run(options: &SuggestArguments) -> Result<Ending, CliError> {
    let bundle = load::valid_bundle(&options.bundle, &options.placeholders)?;
    let agents = options.recorded.agents();
    let wanted = SuggestOptions {
        settings: bundle.settings(),
        agents: &agents,
        approvers: &options.approvers,
        beyond: options.beyond.then_some(&bundle),
        most_resources: if options.exact { usize::MAX } else { MOST_RESOURCES },
    };
    let mut reporter = Reporter::new();
    let found = suggest(&options.recorded.calls, &wanted, |progress| reporter.tell(progress)).map_err(failed)?;
    reporter.done();
    if options.json {
        print_json(&Report {
            rules: found.rules,
            covered: found.covered,
            left_out: &found.left_out,
            cedar: &found.text,
        })?;
        return Ok(Ending::Well);
    }
    let covered = counted(usize::try_from(found.covered).unwrap_or(usize::MAX), "call");
    eprintln!("{} for {covered}", counted(found.rules, "rule"));
    for (reason, count) in &found.left_out {
        eprintln!("  left out: {count:>9}  {reason}");
    }
    print(&found.text)?;
    Ok(Ending::Well)
}
