//! `test` and `demo`.

use std::{path::PathBuf, time::Instant};

use crate::{
    binaries::{self, BASELINE, BUILT, FUNCTIONS, Profile},
    cli::{Architecture, BenchOptions, DemoOptions, TestOptions},
    error::{Outcome, TaskError},
    package,
    steps::{become_program, cargo, duration, program, run, show},
    tools::{self, Tool},
};

/// Builds everything and becomes the demo.
///
/// # Errors
/// When a tool is missing or something does not compile.
pub(crate) fn demo(options: &DemoOptions) -> Outcome {
    tools::need(&[Tool::CCompiler, Tool::Python])?;
    let this = this_program()?;
    let debug = binaries::build(Profile::Debug)?;
    let mut demo = program(debug.join("demo"));
    demo.env(BUILT, debug).env(XTASK, this);
    if options.release {
        demo.arg("--release");
    }
    become_program(&mut demo)
}

/// Measures what understanding a call costs; then builds the functions as they are deployed, and the least that a
/// function can be, and measures them.
///
/// # Errors
/// When a tool is missing, something does not compile, or a measurement fails.
pub(crate) fn bench(options: &BenchOptions) -> Outcome {
    let (parts, functions): (Vec<&String>, Vec<&String>) = options.what.iter().partition(|what| *what == UNDERSTANDING);
    if !parts.is_empty() || functions.is_empty() {
        tools::need(&[Tool::CCompiler])?;
        let mut bench = cargo();
        bench.args(["bench", "--locked", "--package", "countersign-understanding", "--bench", "call"]);
        show("measure understanding", &mut bench)?;
    }
    if !parts.is_empty() && functions.is_empty() {
        return Ok(());
    }
    tools::need(&[Tool::CCompiler, Tool::Python])?;
    let this = this_program()?;
    // With the same flags of the compiler as the functions, or it would be no baseline.
    package::build(&FUNCTIONS, &BASELINE, Architecture::X86_64)?;
    let mut bench = cargo();
    bench.env(XTASK, this);
    bench.args(["run", "--locked", "--quiet", "--package", "countersign-benches", "--bin", "bench", "--"]);
    become_program(bench.args(functions))
}

/// Runs every test, with the functions built first: the end-to-end tests start them.
///
/// # Errors
/// When a tool is missing, something does not compile or a test fails.
pub(crate) fn test(options: &TestOptions) -> Outcome {
    let started = Instant::now();
    tools::install_browser()?;
    tools::need(&[Tool::CCompiler, Tool::Python, Tool::Browser])?;
    // Asked before the build, which links this program anew: the path stays, the file does not.
    let this = this_program()?;
    // The very set that is tested afterwards, so that nothing is compiled twice.
    run("build", cargo().args(["build", "--locked", "--workspace", "--bins", "--tests"]))?;
    let mut tests = cargo();
    tests.args(["test", "--locked"]);
    tests.env(BUILT, Profile::Debug.folder()).env(XTASK, this);
    if !options.arguments.iter().any(|argument| argument == "-p" || argument.starts_with("--package")) {
        tests.arg("--workspace");
    }
    run("test", tests.args(&options.arguments))?;
    eprintln!("all tests passed in {}", duration(started.elapsed()));
    Ok(())
}

/// What `bench` measures besides functions.
pub(crate) const UNDERSTANDING: &str = "understanding";

/// Set for what `test` and `demo` start: this program, to start a stack with.
const XTASK: &str = "COUNTERSIGN_XTASK";

fn this_program() -> Outcome<PathBuf> {
    std::env::current_exe().map_err(|source| TaskError::File { path: "xtask".into(), source })
}
