//! `countersign`: what a request is and what rules make of it, for people, studies and tests. It holds no authority and
//! asks no network.

mod catalogue;
mod cli;
mod ending;
mod identify;
mod policy;
mod visible;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Identify(options) => identify::run(&options),
        Command::Policy(command) => policy::run(&command),
        Command::Catalogue(command) => catalogue::run(&command),
        Command::Completions { shell } => cli::print_completions(shell),
    };
    ending::exit(outcome)
}
