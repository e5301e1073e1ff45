//! How a command ends.

use std::{io, path::PathBuf, process::ExitCode};

/// A command that ran to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All is well: exit code 0.
    Well,
    /// Something was found, or things differ: exit code 1.
    Finding,
}

/// Why a command could not be run: exit code 2, as for a wrong command line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A file could not be read.
    #[error("`{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Input that is no file could not be read, or output not be written.
    #[error("{what}: {source}")]
    Stream {
        /// Which stream.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The command line names something that is not there, or that does not fit.
    #[error("{0}")]
    Usage(String),
}

impl CliError {
    /// A failure to write to stdout.
    pub(crate) fn output(source: io::Error) -> Self {
        Self::Stream { what: "the output", source }
    }

    /// Whether the reader of our output has gone, as `head` does when it has enough.
    fn is_closed_output(&self) -> bool {
        matches!(self, Self::Stream { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// The exit code, after saying on stderr what went wrong.
pub(crate) fn exit(outcome: Result<Ending, CliError>) -> ExitCode {
    match outcome {
        Ok(Ending::Well) => ExitCode::SUCCESS,
        Ok(Ending::Finding) => ExitCode::from(1),
        Err(error) if error.is_closed_output() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
