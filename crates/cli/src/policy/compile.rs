//! `policy compile`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use countersign_policy::{COMPILED_FILE, compile};

use super::print;
use crate::ending::{CliError, Ending};

pub(super) const EXAMPLES: &str = "\
Examples:
  countersign policy compile infra/bundle --out build/bundle.compiled

The file goes beside the rules it was made of, or instead of them; countersign.toml stays. A function refuses it when the
rules beside it are others.";

/// Options of `policy compile`.
#[derive(Debug, Args)]
pub(crate) struct CompileOptions {
    /// The bundle's folder
    #[arg(value_name = "DIR", default_value = "infra/bundle")]
    folder: PathBuf,
    /// Where to write; in a function's bundle the name is `bundle.compiled`
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Checks the rules of a bundle and writes the form that functions load without parsing.
pub(super) fn run(options: &CompileOptions) -> Result<Ending, CliError> {
    let wrong =
        |error: countersign_policy::BundleError| CliError::Usage(format!("`{}`: {error}", options.folder.display()));
    let compiled = compile(&options.folder).map_err(wrong)?;
    write_whole(&options.out, &compiled).map_err(|source| CliError::File { path: options.out.clone(), source })?;
    if options.out.file_name().is_none_or(|name| name != COMPILED_FILE) {
        eprintln!("note: functions look for `{COMPILED_FILE}`");
    }
    print(&format!("{}: {} bytes\n", options.out.display(), compiled.len()))?;
    Ok(Ending::Well)
}

/// Never half a file, whoever reads it meanwhile.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, bytes)?;
    fs::rename(&beside, path)
}
