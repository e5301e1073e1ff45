//! Building what runs on AWS, and the local stack that runs it here.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    cli::Architecture,
    error::{Outcome, TaskError},
    package::{self, packaged},
    steps::{cargo, run},
    workspace,
};

/// The functions; the package is `countersign-<name>`, the binary `<name>`.
pub(crate) const FUNCTIONS: [&str; 4] = ["gateway", "notifier", "approvals", "executor"];

/// What the functions are measured beside. It is built with them, for cargo would choose the features of shared
/// dependencies anew for a smaller set and compile them again.
pub(crate) const BASELINE: [(&str, &str); 1] = [("countersign-benches", "hello")];

/// Cargo's profiles that functions are run with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Profile {
    /// Quick to build.
    Debug,
    /// As deployed: built by cargo-lambda.
    Release,
}

impl Profile {
    /// `--release` or not.
    pub(crate) fn from_flag(release: bool) -> Self {
        if release { Profile::Release } else { Profile::Debug }
    }

    /// Where cargo puts binaries.
    pub(crate) fn folder(self) -> PathBuf {
        workspace::target().join(match self {
            Profile::Debug => "debug",
            Profile::Release => "release",
        })
    }
}

/// Set by `test` for what it starts: everything is built, in this folder.
pub(crate) const BUILT: &str = "COUNTERSIGN_BUILT";

/// Builds the functions and the local stack; gives the folder with the binaries.
///
/// # Errors
/// When something does not compile.
pub(crate) fn build(profile: Profile) -> Outcome<PathBuf> {
    if let (Profile::Debug, Some(folder)) = (profile, std::env::var_os(BUILT)) {
        return Ok(folder.into());
    }
    match profile {
        Profile::Debug => {
            // The whole workspace, as `test` builds it: for a part, cargo would choose other features of what is shared
            // and compile it again.
            let mut command = cargo();
            command.args(["build", "--locked", "--workspace", "--bins"]);
            run("build the functions and the local stack", &mut command)?;
        }
        Profile::Release => {
            package::build(&FUNCTIONS, &BASELINE, Architecture::X86_64)?;
            run(
                "build the local stack",
                cargo().args(["build", "--locked", "--release", "--bins", "--package", "countersign-local"]),
            )?;
            FUNCTIONS.iter().try_for_each(|function| place(function, &profile.folder()))?;
        }
    }
    Ok(profile.folder())
}

/// Puts a packaged function beside the local stack's program, which looks for it there.
fn place(function: &str, folder: &Path) -> Outcome {
    let to = folder.join(function);
    let failed = |source| TaskError::File { path: to.clone(), source };
    // A running instance keeps the file that it was started from.
    match fs::remove_file(&to) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(failed(source)),
        Ok(()) | Err(_) => {}
    }
    fs::copy(packaged(function), &to).map(|_| ()).map_err(failed)
}
