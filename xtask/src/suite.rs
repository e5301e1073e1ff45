//! `test` and `demo`.

use std::time::Instant;

use crate::{
    binaries::{self, Profile},
    cli::{DemoOptions, TestOptions},
    error::Outcome,
    steps::{become_program, cargo, duration, run},
    tools::{self, Tool},
};

/// Builds everything and becomes the demo.
///
/// # Errors
/// When a tool is missing or something does not compile.
pub(crate) fn demo(options: &DemoOptions) -> Outcome {
    tools::need(&[Tool::CCompiler, Tool::Python])?;
    binaries::build(Profile::from_flag(options.release))?;
    let mut demo = cargo();
    demo.args(["run", "--locked", "--quiet", "--package", "countersign-tests", "--bin", "demo"]);
    if options.release {
        demo.args(["--", "--release"]);
    }
    become_program(&mut demo)
}

/// Runs every test, with the functions built first: the end-to-end tests start them.
///
/// # Errors
/// When a tool is missing, something does not compile or a test fails.
pub(crate) fn test(options: &TestOptions) -> Outcome {
    let started = Instant::now();
    tools::need(&[Tool::CCompiler, Tool::Python])?;
    binaries::build(Profile::Debug)?;
    let mut tests = cargo();
    tests.args(["test", "--locked"]);
    if !options.arguments.iter().any(|argument| argument == "-p" || argument.starts_with("--package")) {
        tests.arg("--workspace");
    }
    run("test", tests.args(&options.arguments))?;
    eprintln!("all tests passed in {}", duration(started.elapsed()));
    Ok(())
}
