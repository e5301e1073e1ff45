//! `countersign`: what a request is, for people, studies and tests. It holds no authority and asks no network.

mod cli;
mod ending;
mod identify;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Identify(options) => identify::run(&options),
        Command::Completions { shell } => cli::print_completions(shell),
    };
    ending::exit(outcome)
}
