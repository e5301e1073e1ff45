//! `countersign policy`: what authors of rules do before they deploy them.

mod check;
mod compile;
mod explain;
mod load;
mod recorded;
mod roles;
mod shadow;
mod simulate;
mod suggest;
mod test;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::ending::{CliError, Ending};

/// A command about a bundle.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Load a bundle and find what is wrong or probably not meant
    #[command(after_help = check::EXAMPLES)]
    Check(check::CheckOptions),
    /// Run the tests of a bundle: calls, and what should become of them
    #[command(after_help = test::EXAMPLES)]
    Test(test::TestOptions),
    /// Say why a call gets its decision, and what would change it
    #[command(after_help = explain::EXAMPLES)]
    Explain(Box<explain::ExplainOptions>),
    /// Replay recorded calls: how many would pass, wait or be denied, by rule, day and agent
    #[command(after_help = simulate::EXAMPLES)]
    Simulate(simulate::SimulateOptions),
    /// Count what rules in shadow mode and the shadow bundle would have changed, over recorded events
    #[command(after_help = shadow::EXAMPLES)]
    Shadow(shadow::ShadowOptions),
    /// Write the least rules that would have covered recorded calls
    #[command(after_help = suggest::EXAMPLES)]
    Suggest(suggest::SuggestArguments),
    /// Write IAM policies for the roles of each target from the rules
    #[command(after_help = roles::EXAMPLES)]
    Roles(roles::RolesOptions),
    /// Write the rules in the form that functions load without parsing
    #[command(after_help = compile::EXAMPLES)]
    Compile(compile::CompileOptions),
}

/// What stands for `${COUNTERSIGN_…}` in the settings.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PlaceholderOptions {
    /// A value for a placeholder `${COUNTERSIGN_…}` of the settings; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Take the other placeholders from the environment, as the functions do, and not sample values
    #[arg(long)]
    env: bool,
}

/// Runs `command`.
///
/// # Errors
/// When its input cannot be read or its output not be written.
pub(crate) fn run(command: &PolicyCommand) -> Result<Ending, CliError> {
    match command {
        PolicyCommand::Check(options) => check::run(options),
        PolicyCommand::Test(options) => test::run(options),
        PolicyCommand::Explain(options) => explain::run(options),
        PolicyCommand::Simulate(options) => simulate::run(options),
        PolicyCommand::Shadow(options) => shadow::run(options),
        PolicyCommand::Suggest(options) => suggest::run(options),
        PolicyCommand::Roles(options) => roles::run(options),
        PolicyCommand::Compile(options) => compile::run(options),
    }
}

/// Writes `text` to stdout.
fn print(text: &str) -> Result<(), CliError> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::output)
}

/// Writes `value` to stdout as indented JSON.
fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CliError::output(error.into()))?;
    print(&format!("{text}\n"))
}

/// `1 case`, `2 cases`.
fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
