//! What can go wrong in a command, in the words of whoever ran it.

use std::{fmt, io, path::PathBuf, process::ExitCode};

/// Why a command did not finish.
#[derive(Debug)]
pub(crate) enum TaskError {
    /// Tools that this machine lacks, each with how to get it.
    Missing(Vec<String>),
    /// A program could not be started.
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A program ended without success.
    Failed {
        /// The step that it was part of.
        step: String,
        /// Its exit code; none when a signal ended it.
        code: Option<i32>,
    },
    /// A file could not be read or written.
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something built does not hold what it must.
    Check(String),
}

impl TaskError {
    /// 2 when the machine lacks something, a failed program's own code, else 1.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            TaskError::Missing(_) => ExitCode::from(2),
            TaskError::Failed { code: Some(code), .. } => ExitCode::from(u8::try_from(*code).unwrap_or(1).max(1)),
            _ => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskError::Missing(tools) => {
                write!(out, "this machine lacks what the command needs:")?;
                tools.iter().try_for_each(|tool| write!(out, "\n  {tool}"))
            }
            TaskError::Start { program, source } => write!(out, "`{program}` cannot be started: {source}"),
            TaskError::Failed { step, code: Some(code) } => write!(out, "{step} failed with exit code {code}"),
            TaskError::Failed { step, code: None } => write!(out, "{step} was ended by a signal"),
            TaskError::File { path, source } => write!(out, "`{}`: {source}", path.display()),
            TaskError::Check(message) => out.write_str(message),
        }
    }
}

impl std::error::Error for TaskError {}

/// What commands give.
pub(crate) type Outcome<T = ()> = Result<T, TaskError>;
