//! The end-to-end tests: real function binaries, the deployed state machine, unmodified AWS clients,
//! a real browser. One stack serves them all; a second one has the other door.

#![expect(clippy::needless_pass_by_value, reason = "JSON literals are taken as they are written")]

#[path = "e2e/agents.rs"]
mod agents;
#[path = "e2e/approving.rs"]
mod approving;
#[path = "e2e/asking.rs"]
mod asking;
#[path = "e2e/authority.rs"]
mod authority;
#[path = "e2e/changes.rs"]
mod changes;
#[path = "e2e/documents.rs"]
mod documents;
#[path = "e2e/doors.rs"]
mod doors;
#[path = "e2e/failing.rs"]
mod failing;
#[path = "e2e/limits.rs"]
mod limits;
#[path = "e2e/options.rs"]
mod options;
#[path = "e2e/record.rs"]
mod record;
#[path = "e2e/stage.rs"]
mod stage;

use std::{process::ExitCode, sync::Arc};

use countersign_tests::stack::Stack;
use libtest_mimic::{Arguments, Failed, Trial};

/// A test on a running stack.
type Test = (&'static str, fn(&Stack) -> anyhow::Result<()>);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The stack has two cores' worth of emulators behind it, and faults are injected for all.
    arguments.test_threads = Some(1);
    let tests: Vec<Test> = [
        agents::TESTS,
        approving::TESTS,
        asking::TESTS,
        changes::TESTS,
        authority::TESTS,
        record::TESTS,
        documents::TESTS,
        doors::TESTS,
        failing::TESTS,
        options::TESTS,
        limits::TESTS,
    ]
    .concat();
    if arguments.list {
        return libtest_mimic::run(&arguments, trials(&tests, None)).exit_code();
    }
    let stack = match Stack::start(&[]) {
        Ok(stack) => Arc::new(stack),
        Err(error) => {
            eprintln!("the local stack does not start: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let conclusion = libtest_mimic::run(&arguments, trials(&tests, Some(&stack)));
    match Arc::try_unwrap(stack).map(Stack::stop) {
        Ok(Ok(())) => conclusion.exit_code(),
        Ok(Err(error)) => {
            eprintln!("the local stack did not stop: {error:#}");
            ExitCode::FAILURE
        }
        Err(_) => {
            eprintln!("a test still holds the local stack");
            ExitCode::FAILURE
        }
    }
}

fn trials(tests: &[Test], stack: Option<&Arc<Stack>>) -> Vec<Trial> {
    tests
        .iter()
        .map(|(name, test)| {
            let (test, stack) = (*test, stack.cloned());
            Trial::test(*name, move || {
                let Some(stack) = stack else { return Err(Failed::from("no stack runs")) };
                test(&stack).map_err(|error| Failed::from(format!("{error:#}")))
            })
        })
        .collect()
}
