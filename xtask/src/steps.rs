//! Running programs: each step says what it does and how long it took, on stderr.

use std::{
    ffi::OsStr,
    io::{self, IsTerminal},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    error::{Outcome, TaskError},
    workspace,
};

/// A program that runs in the root of the repository.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(workspace::root());
    command
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs `command` as the step called `step`; its standard output goes to our stderr, so that ours stays
/// for programs.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn run(step: &str, command: &mut Command) -> Outcome {
    say(step, "…");
    let started = Instant::now();
    let status =
        command.stdout(io::stderr()).stdin(Stdio::null()).status().map_err(|source| not_started(command, source))?;
    if !status.success() {
        return Err(TaskError::Failed { step: step.to_owned(), code: status.code() });
    }
    say(step, &format!("done in {}", duration(started.elapsed())));
    Ok(())
}

/// Runs `command`, whose standard output is what is asked for and stays ours.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn show(step: &str, command: &mut Command) -> Outcome {
    say(step, "…");
    let status = command.stdin(Stdio::null()).status().map_err(|source| not_started(command, source))?;
    if status.success() { Ok(()) } else { Err(TaskError::Failed { step: step.to_owned(), code: status.code() }) }
}

/// Becomes `command`: signals reach it as they would reach us, and its exit code is ours.
///
/// # Errors
/// Only when it cannot be started; otherwise it does not return.
pub(crate) fn become_program(command: &mut Command) -> Outcome {
    let source = command.exec();
    Err(not_started(command, source))
}

/// What `command` prints on standard output; its stderr is ours.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn output_of(step: &str, command: &mut Command) -> Outcome<String> {
    let output = command
        .stderr(Stdio::inherit())
        .stdin(Stdio::null())
        .output()
        .map_err(|source| not_started(command, source))?;
    if !output.status.success() {
        return Err(TaskError::Failed { step: step.to_owned(), code: output.status.code() });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn not_started(command: &Command, source: io::Error) -> TaskError {
    TaskError::Start { program: command.get_program().to_string_lossy().into_owned(), source }
}

fn say(step: &str, what: &str) {
    if io::stderr().is_terminal() {
        eprintln!("\x1b[1m── {step}\x1b[0m {what}");
    } else {
        eprintln!("── {step} {what}");
    }
}

/// `850 ms`, `12.3 s` or `4 min 5 s`.
pub(crate) fn duration(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0 => format!("{} ms", elapsed.as_millis()),
        1..=59 => format!("{:.1} s", elapsed.as_secs_f64()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_readable() {
        for (milliseconds, text) in [(0, "0 ms"), (850, "850 ms"), (12_340, "12.3 s"), (245_000, "4 min 5 s")] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn a_failed_program_gives_its_exit_code() {
        let failed = run("failing", program("sh").args(["-c", "exit 7"])).expect_err("fails");
        assert!(matches!(failed, TaskError::Failed { code: Some(7), .. }), "{failed}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let failed = run("missing", &mut program("no-such-program")).expect_err("fails");
        assert!(failed.to_string().starts_with("`no-such-program` cannot be started"), "{failed}");
    }
}
