//! The program as it is run: one binary for all of it.

#![expect(clippy::expect_used, reason = "what cannot be read fails the test")]

mod catalogue;
mod help;
mod identify;

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

/// Runs the program with `input` on stdin.
fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = countersign(arguments).stdin(Stdio::piped()).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    // Written beside, so that neither side waits for the other.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("the program ends");
    // A program that refuses its command line never reads.
    let _ = writer.join().expect("the writer ends");
    output
}

fn countersign(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).env("COLUMNS", "100");
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}
