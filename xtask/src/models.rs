//! `catalogue` and `oracle`: the committed data, and its comparison with real clients.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    cli::{CatalogueOptions, Data, OracleOptions},
    error::{Outcome, TaskError},
    steps::{become_program, cargo, run},
    tools::{self, Tool},
    workspace,
};

impl Data {
    /// In the order of dependence: permissions are bound to the operations of the catalogue.
    const ALL: [Data; 2] = [Data::Catalogue, Data::Permissions];

    fn name(self) -> &'static str {
        match self {
            Data::Catalogue => "catalogue",
            Data::Permissions => "permissions",
        }
    }

    /// What is committed.
    fn committed(self) -> PathBuf {
        workspace::root().join(format!("crates/{0}/data/{0}.bin", self.name()))
    }

    /// Runs the builder; it writes to `out`.
    fn build(self, out: &Path, arguments: &[String]) -> Outcome {
        let package = format!("countersign-{}-builder", self.name());
        let mut builder = cargo();
        // The builders read some hundred megabytes of models; unoptimised that takes minutes.
        builder.args(["run", "--locked", "--release", "--quiet", "--package", &package, "--", "build", "--out"]);
        run(&format!("build the {}", self.name()), builder.arg(out).args(arguments))
    }
}

/// Builds the data anew, or checks that it is fresh.
///
/// # Errors
/// When a builder fails, or with `--check` when committed data differs from what is built.
pub(crate) fn catalogue(options: &CatalogueOptions) -> Outcome {
    tools::need(&[Tool::CCompiler, Tool::Python])?;
    for data in Data::ALL.into_iter().filter(|data| options.only.is_none_or(|only| only == *data)) {
        if options.check {
            check(data, &options.arguments)?;
        } else {
            data.build(&data.committed(), &options.arguments)?;
        }
    }
    Ok(())
}

fn check(data: Data, arguments: &[String]) -> Outcome {
    let folder = workspace::target().join("fresh");
    fs::create_dir_all(&folder).map_err(|source| TaskError::File { path: folder.clone(), source })?;
    let fresh = folder.join(format!("{}.bin", data.name()));
    data.build(&fresh, arguments)?;
    let read = |path: PathBuf| fs::read(&path).map_err(|source| TaskError::File { path, source });
    let committed = data.committed();
    if read(fresh)? != read(committed.clone())? {
        return Err(TaskError::Check(format!(
            "`{}` is not what its builder makes; run `cargo xtask catalogue`",
            committed.display()
        )));
    }
    Ok(())
}

/// Becomes the oracle.
///
/// # Errors
/// When a tool is missing or the oracle does not compile.
pub(crate) fn oracle(options: &OracleOptions) -> Outcome {
    tools::need(&[Tool::CCompiler, Tool::Python])?;
    let mut oracle = cargo();
    oracle.args([
        "run",
        "--locked",
        "--release",
        "--quiet",
        "--package",
        "countersign-catalogue-builder",
        "--",
        "oracle",
    ]);
    become_program(oracle.args(&options.arguments))
}
