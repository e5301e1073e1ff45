//! What is wrong with a bundle, all of it at once.

use std::fmt;

/// One thing that is wrong in a bundle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file's name within the bundle.
    pub file: String,
    /// The line, counted from 1; 0 when the file as a whole is meant.
    pub line: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(out, "{}: {}; {}", self.file, self.message, self.fix)
        } else {
            write!(out, "{}:{}: {}; {}", self.file, self.line, self.message, self.fix)
        }
    }
}

/// A bundle that was not loaded, with every problem found in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bundle is not valid ({} problems):{}", problems.len(), lines(problems))]
pub struct BundleError {
    /// The problems, sorted by file and line; never empty.
    pub problems: Vec<Problem>,
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |all, problem| format!("{all}\n  {problem}"))
}

/// Collects problems while loading goes on, so that one run names them all.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn add(&mut self, file: &str, line: u32, message: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Problem { file: file.to_owned(), line, message: message.into(), fix: fix.into() });
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// `Ok(value)` only if nothing was found.
    pub(crate) fn or_else<T>(mut self, value: Option<T>) -> Result<T, BundleError> {
        if let (true, Some(value)) = (self.0.is_empty(), value) {
            return Ok(value);
        }
        if self.0.is_empty() {
            self.add("countersign.toml", 0, "the settings could not be read", "check the file");
        }
        self.0.sort();
        self.0.dedup();
        Err(BundleError { problems: self.0 })
    }
}
