//! What must be on the machine, checked before anything long starts.

use std::process::{Command, Stdio};

use crate::error::{Outcome, TaskError};

/// A tool that the project uses and does not install itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tool {
    /// Links Rust programs and compiles `ring`.
    CCompiler,
    /// Runs emulators and linters, in virtual environments of the project's own.
    Python,
    /// Reads the symbols of a built function.
    Objdump,
}

impl Tool {
    /// How to get the tool, when it is missing or does not do.
    fn complaint(self) -> Option<&'static str> {
        match self {
            Tool::CCompiler => (!succeeds("cc", &["--version"])).then_some(
                "a C compiler called `cc` (Debian: apt install gcc libc6-dev; macOS: xcode-select --install)",
            ),
            Tool::Python => {
                if !succeeds("python3", &["-c", "import sys; sys.exit(sys.version_info < (3, 11))"]) {
                    Some("`python3`, 3.11 or newer (Debian 12: apt install python3 python3-venv)")
                } else if !succeeds("python3", &["-c", "import venv, ensurepip"]) {
                    Some("Python's `venv` with `pip` (Debian: apt install python3-venv)")
                } else {
                    None
                }
            }
            Tool::Objdump => {
                (!succeeds("objdump", &["--version"])).then_some("`objdump` (Debian: apt install binutils)")
            }
        }
    }
}

/// Says everything that is missing at once.
///
/// # Errors
/// [`TaskError::Missing`].
pub(crate) fn need(tools: &[Tool]) -> Outcome {
    let missing: Vec<String> = tools.iter().filter_map(|tool| tool.complaint()).map(str::to_owned).collect();
    if missing.is_empty() { Ok(()) } else { Err(TaskError::Missing(missing)) }
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let quiet =
        Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}
