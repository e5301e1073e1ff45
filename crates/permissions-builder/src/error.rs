//! Why the data cannot be built.

use std::path::PathBuf;

/// Why a build fails. Nothing is written then.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A source cannot be read.
    #[error("`{}` cannot be read: {source}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A source is not what it should be.
    #[error("`{}` is malformed: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Rows of the reviewed tables are wrong.
    #[error("{} wrong rows in the reviewed tables:\n{}", .0.len(), .0.join("\n"))]
    Tables(Vec<String>),
}
