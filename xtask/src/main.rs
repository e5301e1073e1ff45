//! `cargo xtask`: builds and starts what the workspace consists of.

mod binaries;
mod cli;
mod clients;
mod error;
mod lint;
mod models;
mod package;
mod stack;
mod steps;
mod suite;
mod tools;
mod venv;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Task};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.task {
        Task::Demo(options) => suite::demo(&options),
        Task::Test(options) => suite::test(&options),
        Task::Up(options) => stack::up(&options),
        Task::Token(options) => stack::token(&options),
        Task::Catalogue(options) => models::catalogue(&options),
        Task::Oracle(options) => clients::oracle(&options),
        Task::Bench(options) => suite::bench(&options),
        Task::Fuzz(options) => models::fuzz(&options),
        Task::LintInfra => lint::infra(),
        Task::Package(options) => package::package(&options),
        Task::Completions { shell } => {
            cli::print_completions(shell);
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            error.exit_code()
        }
    }
}
