//! Virtual environments of the project's own, below the target folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    error::{Outcome, TaskError},
    steps::{program, run},
    tools::{self, Tool},
    workspace,
};

/// A Python environment with exactly the packages of one pinned list.
#[derive(Debug)]
pub(crate) struct Venv {
    folder: PathBuf,
}

impl Venv {
    /// The environment called `name` with the packages of `requirements` and no others, installed anew when the list
    /// has changed. The list is complete and has hashes, so there is nothing to resolve.
    ///
    /// # Errors
    /// When Python is missing or a package cannot be installed.
    pub(crate) fn install(name: &str, requirements: &Path) -> Outcome<Self> {
        let folder = workspace::tools().join(name);
        let stamp = folder.join("installed.txt");
        let wanted =
            fs::read(requirements).map_err(|source| TaskError::File { path: requirements.to_owned(), source })?;
        // Written last, so an interrupted installation is done again.
        if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(Self { folder });
        }
        tools::need(&[Tool::Python])?;
        let venv = Self { folder };
        run(
            &format!("make the Python environment `{name}`"),
            program("python3").args(["-m", "venv", "--clear"]).arg(&venv.folder),
        )?;
        run(
            &format!("install the pinned packages of `{name}`"),
            venv.program("python")
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "--require-hashes",
                    "--no-deps",
                    "--no-compile",
                    "--requirement",
                ])
                .arg(requirements),
        )?;
        fs::write(&stamp, wanted).map_err(|source| TaskError::File { path: stamp, source })?;
        Ok(venv)
    }

    /// A program of the environment; it finds the others by `PATH`.
    pub(crate) fn program(&self, name: &str) -> Command {
        let bin = self.folder.join("bin");
        let mut command = program(bin.join(name));
        let mut path = vec![bin];
        path.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
        // A path with the separator in it cannot be joined; then the programs of the system have to do.
        if let Ok(path) = std::env::join_paths(path) {
            command.env("PATH", path);
        }
        command.env("VIRTUAL_ENV", &self.folder).env_remove("PYTHONHOME").env_remove("PYTHONPATH");
        command
    }
}
