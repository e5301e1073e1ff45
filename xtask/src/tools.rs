//! What must be on the machine, checked before anything long starts.

use std::process::{Command, Stdio};

use crate::{
    error::{Outcome, TaskError},
    steps::{program, run},
};

/// A tool that the project uses and does not install itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tool {
    /// Links Rust programs and compiles `ring`.
    CCompiler,
    /// Runs emulators and linters, in virtual environments of the project's own.
    Python,
    /// Runs the AWS SDK for JavaScript.
    Node,
    /// Reads the symbols of a built function.
    Objdump,
    /// Shows the approvers' pages to the tests: Chromium and its driver.
    Browser,
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
            Tool::Browser => {
                let there = succeeds("chromium", &["--version"]) && succeeds("chromedriver", &["--version"]);
                (!there).then_some("`chromium` and `chromedriver` (Debian: apt install chromium chromium-driver)")
            }
            Tool::Node => {
                let there = succeeds("node", &["--version"]) && succeeds("npm", &["--version"]);
                (!there).then_some("`node`, 20 or newer, with `npm` (Debian: apt install nodejs npm)")
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

/// Installs the browser where that is possible without asking anybody: as root on a Debian machine.
/// Elsewhere [`need`] says what is missing.
///
/// # Errors
/// When the installation fails.
pub(crate) fn install_browser() -> Outcome {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if Tool::Browser.complaint().is_none() || !is_root || !succeeds("apt-get", &["--version"]) {
        return Ok(());
    }
    let apt = || {
        let mut apt = program("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
        apt
    };
    run("refresh the package lists", apt().arg("update"))?;
    let packages = ["install", "--yes", "--no-install-recommends", "chromium", "chromium-driver"];
    run("install the browser that tests the pages", apt().args(packages))
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let quiet =
        Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}
