//! `countersign-catalogue-builder build`: writes the blob.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use countersign_catalogue::Catalogue;
use countersign_catalogue_builder::{BuildError, build, changes, oracle, source};
use sha2::{Digest, Sha256};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["build", options @ ..] => run_build(options),
        ["oracle", "check", file] => run_oracle(file),
        _ => Err(BuildError::Source("usage: build [--models DIR] [--out FILE] | oracle check FILE".to_owned())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run_build(options: &[&str]) -> Result<(), BuildError> {
    let option = |name: &str| options.iter().position(|word| *word == name).and_then(|place| options.get(place + 1));
    let models = match option("--models") {
        Some(directory) => PathBuf::from(directory),
        None => source::pinned_models(Path::new("target/models"))?,
    };
    let out = option("--out").copied().unwrap_or("crates/catalogue/data/catalogue.bin");
    let before = std::fs::read(out).ok().and_then(read_catalogue);
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

fn run_oracle(file: &str) -> Result<(), BuildError> {
    let failed = |source| BuildError::File { path: file.to_owned(), source };
    let opened = std::fs::File::open(file).map_err(failed)?;
    let report = oracle::check(Catalogue::embedded(), std::io::BufReader::new(opened))?;
    let mut out = std::io::stdout().lock();
    let mut print = |line: String| writeln!(out, "{line}").map_err(failed);
    for difference in &report.differences {
        print(difference.clone())?;
    }
    for (protocol, figures) in &report.by_protocol {
        print(format!("{protocol}: {figures:?}"))?;
    }
    if report.differences.is_empty() { Ok(()) } else { Err(BuildError::Source("there are differences".to_owned())) }
}
