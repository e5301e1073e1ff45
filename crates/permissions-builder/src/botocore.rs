//! Service models of botocore: only what permissions need.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::BuildError;

/// A service model.
#[derive(Debug, Deserialize)]
pub struct Model {
    /// Where the service is and how it signs.
    pub metadata: Metadata,
    /// Operations by name.
    #[serde(default)]
    pub operations: BTreeMap<String, Operation>,
    /// Shapes by name.
    #[serde(default)]
    pub shapes: BTreeMap<String, Shape>,
}

/// A model's metadata.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The name that the host begins with.
    pub endpoint_prefix: String,
    /// The name that signatures use, where it is another.
    pub signing_name: Option<String>,
}

/// An operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Method and path.
    pub http: Http,
    /// The input structure.
    pub input: Option<ShapeRef>,
    /// The output structure.
    pub output: Option<ShapeRef>,
    /// `none` for operations that are not signed.
    pub authtype: Option<String>,
}

/// How an operation goes over HTTP.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    /// The method.
    pub method: String,
    /// The path template.
    pub request_uri: String,
}

/// A use of a shape.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShapeRef {
    /// The shape's name.
    pub shape: String,
    /// The name on the wire.
    pub location_name: Option<String>,
    /// Whether the member only makes a request repeatable.
    #[serde(default)]
    pub idempotency_token: bool,
    /// What AWS says of it.
    #[serde(default)]
    pub documentation: String,
}

/// A shape.
#[derive(Debug, Deserialize)]
pub struct Shape {
    /// `structure`, `list`, `map`, `string` …
    #[serde(rename = "type")]
    pub kind: String,
    /// A structure's members.
    #[serde(default)]
    pub members: BTreeMap<String, ShapeRef>,
    /// A list's items.
    pub member: Option<ShapeRef>,
    /// A map's values.
    pub value: Option<ShapeRef>,
    /// A string's pattern.
    pub pattern: Option<String>,
    /// A string's values, if they are fixed.
    #[serde(default, rename = "enum")]
    pub values: Vec<String>,
    /// Whether the model marks it as sensitive.
    #[serde(default)]
    pub sensitive: bool,
    /// What AWS says of it.
    #[serde(default)]
    pub documentation: String,
}

impl Model {
    /// The shape `name`.
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.shapes.get(name)
    }
}

/// Every service of a botocore data directory, each in its newest version.
///
/// # Errors
/// [`BuildError`] if the directory or a model cannot be read.
pub fn load(data: &Path) -> Result<BTreeMap<String, Model>, BuildError> {
    let mut models = BTreeMap::new();
    for service in directories(data)? {
        let Some(name) = service.file_name().and_then(|name| name.to_str()) else { continue };
        let versions = directories(&service)?;
        let Some(file) =
            versions.iter().rev().map(|version| version.join("service-2.json.gz")).find(|file| file.is_file())
        else {
            continue;
        };
        models.insert(name.to_owned(), model(&file)?);
    }
    Ok(models)
}

fn directories(path: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let read = |source| BuildError::Read { path: path.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(read)? {
        let entry = entry.map_err(read)?.path();
        if entry.is_dir() {
            found.push(entry);
        }
    }
    found.sort();
    Ok(found)
}

fn model(file: &Path) -> Result<Model, BuildError> {
    let read = |source| BuildError::Read { path: file.to_owned(), source };
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).map_err(read)?).read_to_string(&mut text).map_err(read)?;
    serde_json::from_str(&text)
        .map_err(|error| BuildError::Malformed { path: file.to_owned(), reason: error.to_string() })
}

#[cfg(test)]
impl Model {
    pub(crate) fn empty() -> Self {
        let metadata = Metadata { endpoint_prefix: String::new(), signing_name: None };
        Self { metadata, operations: BTreeMap::new(), shapes: BTreeMap::new() }
    }
}

#[cfg(test)]
impl Operation {
    pub(crate) fn empty() -> Self {
        let http = Http { method: String::new(), request_uri: String::new() };
        Self { http, input: None, output: None, authtype: None }
    }
}
