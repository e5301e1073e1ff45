//! The command line.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use countersign_domain::AccountId;

use crate::{
    ending::{CliError, Ending},
    policy::PolicyCommand,
};

/// What every command's exit code means.
const EXIT_CODES: &str =
    "Exit codes: 0 all is well; 1 a finding or a difference; 2 the command line or its input is wrong.";

/// The program.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, about = "What an AWS request is and what Countersign makes of it", after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// A command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what AWS requests are: operation, parameters, IAM actions, resources, upstream
    #[command(long_about = IDENTIFY_ABOUT, after_long_help = IDENTIFY_EXAMPLES)]
    Identify(IdentifyOptions),
    /// Check, test and compile bundles of rules
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Look up services, operations, endpoints and IAM actions; compare two catalogues
    #[command(subcommand)]
    Catalogue(CatalogueCommand),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

const IDENTIFY_ABOUT: &str = "\
Say what AWS requests are: operation, parameters, IAM actions, resources, upstream

Reads one JSON object per line, {\"method\",\"url\",\"headers\":{…},\"body_b64\"}, and writes one per line, in the same order.
A line that cannot be read, or a request that the gateway would refuse, gets a `problem`; reading goes on. docs/cli.md has
the format.

Signatures are NOT verified: this is for study and tests. The gateway verifies every request before it looks at it.";

const IDENTIFY_EXAMPLES: &str = r#"Examples:
  echo '{"method":"GET","url":"https://my-bucket.s3.eu-central-1.amazonaws.com/a/key","headers":{}}' | countersign identify --table
  countersign identify requests.jsonl | jq -r 'select(.problem) | .problem'

Exit codes: 0 the input was read to its end, whatever the requests were; 2 the command line is wrong, or the input or output fails."#;

/// Options of `identify`.
#[derive(Debug, Args)]
pub(crate) struct IdentifyOptions {
    /// JSON lines; stdin when there is none
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The account that ARNs are written for
    #[arg(long, value_name = "ID", default_value = "123456789012", value_parser = account)]
    pub(crate) account: AccountId,
    /// The AWS partition; that of each request's region when not given, `aws` where that is not known
    #[arg(long, value_name = "PARTITION", value_parser = partition)]
    pub(crate) partition: Option<String>,
    /// A host below which `<bucket>.HOST` is a bucket's virtual host; may be repeated. AWS's own hosts are known
    #[arg(long = "base-host", value_name = "HOST", default_value = "localhost")]
    pub(crate) base_hosts: Vec<String>,
    /// Write a readable table instead of JSON lines
    #[arg(long)]
    pub(crate) table: bool,
}

/// A command of `catalogue`.
#[derive(Debug, Subcommand)]
pub(crate) enum CatalogueCommand {
    /// List every service
    Services {
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a service with its operations, or one operation with its members, endpoints and IAM actions
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        /// As in `dynamodb` or `dynamodb:PutItem`
        #[arg(value_name = "SERVICE[:OPERATION]")]
        name: String,
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
    /// Compare two catalogue files; exit code 1 if an operation is new, gone or changed
    #[command(after_help = DIFF_EXAMPLES)]
    Diff {
        /// The older file
        old: PathBuf,
        /// The newer file
        new: PathBuf,
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
}

const SHOW_EXAMPLES: &str = "\
Examples:
  countersign catalogue show secretsmanager:GetSecretValue
  countersign catalogue show s3 --json | jq -r '.operations[].operation'";

const DIFF_EXAMPLES: &str = "\
Example:
  git show v1:crates/catalogue/data/catalogue.bin > old.bin
  countersign catalogue diff old.bin crates/catalogue/data/catalogue.bin";

fn account(text: &str) -> Result<AccountId, String> {
    AccountId::new(text).map_err(|error| error.to_string())
}

fn partition(text: &str) -> Result<String, String> {
    let known: Vec<&str> =
        countersign_catalogue::Catalogue::embedded().partitions().iter().map(|partition| partition.id).collect();
    if known.contains(&text) { Ok(text.to_owned()) } else { Err(format!("the partitions are {}", known.join(", "))) }
}

/// Writes the completions of `shell` to stdout.
///
/// # Errors
/// When stdout cannot be written.
pub(crate) fn print_completions(shell: Shell) -> Result<Ending, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "countersign", &mut script);
    io::stdout().lock().write_all(&script).map_err(CliError::output)?;
    Ok(Ending::Well)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn accounts_and_partitions_are_checked() {
        for (line, valid) in [
            (&["identify"][..], true),
            (&["identify", "--account", "210987654321", "--partition", "aws-cn", "f"], true),
            (&["identify", "--account", "1"], false),
            (&["identify", "--partition", "aws-mars"], false),
        ] {
            let parsed = Cli::try_parse_from(["countersign"].iter().chain(line));
            assert_eq!(parsed.is_ok(), valid, "{line:?}");
        }
    }
}
