//! `countersign-local`: runs the local stack.

use std::process::ExitCode;

fn main() -> ExitCode {
    countersign_local::cli::main()
}
