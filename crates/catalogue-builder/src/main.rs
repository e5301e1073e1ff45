//! `countersign-catalogue-builder build`: writes the blob.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use countersign_catalogue::{Catalogue, changes};
use countersign_catalogue_builder::{BuildError, build, fuzz, oracle, source};
use sha2::{Digest, Sha256};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["build", options @ ..] => run_build(options),
        ["fuzz", target, seconds, options @ ..] => run_fuzz(target, seconds, options),
        ["oracle", "check", file, "--figures", figures] => run_oracle(file, Some(figures)),
        ["oracle", "check", file, "--part"] => run_oracle(file, None),
        ["oracle", "rewrite", file] => run_rewrite(file),
        _ => Err(BuildError::Source(
            "usage: build [--models DIR] [--out FILE] [--since FILE] | oracle check FILE --part|--figures OUT | oracle rewrite FILE \
             | fuzz TARGET SECONDS [SEED [CASE]]"
                .to_owned(),
        )),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run_rewrite(file: &str) -> Result<(), BuildError> {
    let opened = std::fs::File::open(file).map_err(|source| BuildError::File { path: file.to_owned(), source })?;
    let out = std::io::BufWriter::new(std::io::stdout().lock());
    oracle::rewritten::rewrite(Catalogue::embedded(), std::io::BufReader::new(opened), out)
}

fn run_build(options: &[&str]) -> Result<(), BuildError> {
    let option = |name: &str| options.iter().position(|word| *word == name).and_then(|place| options.get(place + 1));
    let models = match option("--models") {
        Some(directory) => PathBuf::from(directory),
        None => source::pinned_models(Path::new("target/models"))?,
    };
    let out = option("--out").copied().unwrap_or("crates/catalogue/data/catalogue.bin");
    let before = std::fs::read(option("--since").copied().unwrap_or(out)).ok().and_then(read_catalogue);
    let report = build(&models, &format!("botocore-{}", source::BOTOCORE))?;
    let written = std::fs::write(out, &report.blob);
    written.map_err(|source| BuildError::File { path: out.to_owned(), source })?;
    // What was written must read back; what a reviewer wants to know is what it changes.
    let after = Catalogue::from_blob(report.blob.clone().leak())?;
    match before {
        None => eprintln!("there was no catalogue to compare with"),
        Some(before) => {
            let changes = changes::between(&before, &after);
            changes.iter().for_each(|change| eprintln!("{change}"));
            eprintln!("{} operations changed since {}", changes.len(), before.version());
        }
    }
    let hash = format!("{out}.sha256");
    let written = std::fs::write(&hash, format!("{}\n", hex::encode(Sha256::digest(&report.blob))));
    written.map_err(|source| BuildError::File { path: hash, source })?;
    eprintln!("{} services, {} operations, {} bytes", report.services, report.operations, report.blob.len());
    Ok(())
}

/// The catalogue in a file's bytes, if they are one; the process is short, so they may stay.
fn read_catalogue(bytes: Vec<u8>) -> Option<Catalogue> {
    Catalogue::from_blob(bytes.leak()).ok()
}

/// Fuzzes `target`; from `CASE` on, to see one again.
fn run_fuzz(target: &str, seconds: &str, options: &[&str]) -> Result<(), BuildError> {
    let wrong = |what: &str| BuildError::Source(format!("`{what}` is not known"));
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong(text));
    let settings = fuzz::Settings {
        target: fuzz::Target::named(target).ok_or_else(|| wrong(target))?,
        time: Duration::from_secs(number(seconds)?),
        seed: options.first().map_or(Ok(1), |text| number(text))?,
        first: options.get(1).map_or(Ok(0), |text| number(text))?,
    };
    let tell = |outcome: &fuzz::Outcome| {
        let fuzz::Outcome { cases, taken, slowest, slowest_case } = outcome;
        let memory = fuzz::peak_memory().map_or_else(String::new, |peak| format!(", at most {peak} MiB"));
        eprintln!(
            "{target}: {cases} cases, {taken} taken, the slowest in {} ms (case {slowest_case}){memory}",
            slowest.as_millis()
        );
    };
    fuzz::run(settings, tell).map(|outcome| tell(&outcome))
}

/// Compares the requests in `file`. If they are all there are, their figures go to the file `figures`, and each row of what
/// is expected must be met.
fn run_oracle(file: &str, figures: Option<&str>) -> Result<(), BuildError> {
    let failed = |source| BuildError::File { path: file.to_owned(), source };
    let opened = std::fs::File::open(file).map_err(failed)?;
    let settings = oracle::Settings { reach: oracle::Reach::Some(4), every_byte_of_one_in: 200, seed: 1 };
    let progress = |requests: usize| {
        if requests.is_multiple_of(10_000) {
            eprintln!("{requests} requests compared");
        }
    };
    let report = oracle::check(Catalogue::embedded(), std::io::BufReader::new(opened), settings, progress)?;
    let mut out = std::io::stdout().lock();
    let mut print = |line: &dyn std::fmt::Display| writeln!(out, "{line}").map_err(failed);
    for difference in &report.unexpected {
        print(difference)?;
    }
    let by_protocol = oracle::figures::table("protocol", &report.by_protocol);
    let by_style = oracle::figures::table("endpoint", &report.by_style);
    print(&format!("{by_protocol}\n\n{by_style}"))?;
    let (used, unused): (Vec<_>, Vec<_>) = report.expected.uses().partition(|(_, times)| *times > 0);
    let used: Vec<String> = used.into_iter().map(|(row, times)| format!("expected {times} times: {row}")).collect();
    used.iter().try_for_each(|row| print(row))?;
    for (row, _) in &unused {
        print(&format!("never met: {row}"))?;
    }
    if !report.unexpected.is_empty() {
        let count = report.unexpected.len();
        return Err(BuildError::Differences(format!("{count} differences are not in `oracle/expected.txt`")));
    }
    let Some(figures) = figures else { return Ok(()) };
    if !unused.is_empty() {
        return Err(BuildError::Differences("`oracle/expected.txt` expects what does not happen".to_owned()));
    }
    let services: BTreeSet<_> = report.operations.iter().map(|(service, _)| service).collect();
    let (operations, services, version) = (report.operations.len(), services.len(), Catalogue::embedded().version());
    let lost = report.other_door.iter();
    let lost = lost.map(|((service, operation), times)| format!("other door {times} times: {service}:{operation}\n"));
    let text = format!(
        "{operations} operations of {services} services, {version}\n\n{by_protocol}\n\n{by_style}\n\n{}\n\n{}",
        used.join("\n"),
        lost.collect::<String>()
    );
    std::fs::write(figures, text).map_err(|source| BuildError::File { path: figures.to_owned(), source })
}
