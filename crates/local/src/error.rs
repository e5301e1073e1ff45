//! What can stop the local stack from starting.

/// Why the stack did not start, or a command on it failed.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// Reading, writing, listening or spawning failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The template says something that the local stack does not understand; nothing is skipped.
    #[error("template: {0}")]
    Template(String),
    /// An emulator could not be installed or started, or refused what the template asks for.
    #[error("emulator: {0}")]
    Emulator(String),
    /// A function ended before it asked for work.
    #[error("{name} does not start: {words}")]
    Function {
        /// Its short name.
        name: String,
        /// What it logged last, or the type of Lambda's error.
        words: String,
    },
    /// The rules of a bundle cannot be compiled.
    #[error("`{folder}`: {source}")]
    Bundle {
        /// The folder that it was copied from.
        folder: String,
        /// Every problem, with file and line.
        source: countersign_policy::BundleError,
    },
    /// A setting on the command line cannot be used.
    #[error("{0}")]
    Usage(String),
}

impl StackError {
    /// An input or output failure while `doing` something.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
