//! botocore's `data` directory, as unpacked from its wheel.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::BuildError;

/// botocore's `data` directory.
pub struct Models {
    directory: PathBuf,
}

impl Models {
    /// The models in `directory`, which holds `partitions.json` and a directory for each service.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// `endpoints.json`, which the endpoint rules have replaced but for one thing.
    ///
    /// # Errors
    /// [`BuildError`] when it cannot be read.
    pub fn endpoints(&self) -> Result<Value, BuildError> {
        read_json(&self.directory.join("endpoints.json"))
    }

    /// `partitions.json`.
    ///
    /// # Errors
    /// [`BuildError`] when it cannot be read.
    pub fn partitions(&self) -> Result<Value, BuildError> {
        read_json(&self.directory.join("partitions.json"))
    }

    /// The names of the services, sorted.
    ///
    /// # Errors
    /// [`BuildError`] when the directory cannot be read.
    pub fn services(&self) -> Result<Vec<String>, BuildError> {
        let mut names = directories(&self.directory)?;
        names.sort();
        Ok(names)
    }

    /// The model and the endpoint rules of a service, in its newest API version.
    ///
    /// # Errors
    /// [`BuildError`] when they cannot be read.
    pub fn service(&self, service: &str) -> Result<(Value, Value), BuildError> {
        let directory = self.directory.join(service);
        let mut versions = directories(&directory)?;
        versions.sort();
        let newest = versions.pop().ok_or_else(|| BuildError::Source(format!("`{service}` has no version")))?;
        let version = directory.join(newest);
        Ok((read_json(&version.join("service-2.json"))?, read_json(&version.join("endpoint-rule-set-1.json"))?))
    }
}

fn directories(path: &Path) -> Result<Vec<String>, BuildError> {
    let entries = std::fs::read_dir(path).map_err(|source| BuildError::file(path, source))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| BuildError::file(path, source))?;
        if entry.path().is_dir() && !entry.file_name().to_string_lossy().starts_with('_') {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// Reads `path`, or `path.gz` where only that exists.
fn read_json(path: &Path) -> Result<Value, BuildError> {
    let parsed = if path.exists() {
        let text = std::fs::read(path).map_err(|source| BuildError::file(path, source))?;
        serde_json::from_slice(&text)
    } else {
        let packed = path.with_extension("json.gz");
        let file = std::fs::File::open(&packed).map_err(|source| BuildError::file(&packed, source))?;
        serde_json::from_reader(std::io::BufReader::new(flate2::read::GzDecoder::new(file)))
    };
    parsed.map_err(|source| BuildError::Json { path: path.display().to_string(), source })
}
