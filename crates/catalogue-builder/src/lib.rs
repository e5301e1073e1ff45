//! Builds the catalogue's blob from botocore's service models, reproducibly, and checks it
//! against requests that the real botocore clients make.

#![expect(
    clippy::indexing_slicing,
    reason = "an index into a JSON value gives null where nothing is, and never panics"
)]

pub mod directory;
pub mod encode;
pub mod endpoint_rules;
pub mod endpoints;
pub mod fuzz;
pub mod models;
pub mod oracle;
pub mod seeded;
pub mod source;
pub mod tables;
mod written;

use std::path::Path;

use countersign_catalogue::model::ServiceModel;

/// Why a blob could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file could not be read or written.
    #[error("`{path}`: {source}")]
    File {
        /// The path.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is not JSON.
    #[error("`{path}` is not JSON: {source}")]
    Json {
        /// The path.
        path: String,
        /// The cause.
        source: serde_json::Error,
    },
    /// A service model says something that is not known here.
    #[error("the model of {service} is not understood: {what}")]
    Model {
        /// The service.
        service: String,
        /// What.
        what: String,
    },
    /// The endpoint rules say something that is not known here.
    #[error("endpoint rules are not understood: {0}")]
    Rules(String),
    /// A reviewed table has a row that is wrong or matches nothing.
    #[error("the table `{table}`, line {line}: {what}")]
    Table {
        /// The table.
        table: &'static str,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// Real clients were not understood as they meant it.
    #[error("{0}")]
    Differences(String),
    /// The models could not be obtained as pinned.
    #[error("the models could not be obtained: {0}")]
    Source(String),
    /// The blob does not read back as what was written.
    #[error("the blob is damaged: {0}")]
    Blob(#[from] countersign_catalogue::blob::BlobError),
}

impl BuildError {
    fn rules(what: &str) -> Self {
        BuildError::Rules(what.to_owned())
    }

    fn file(path: &Path, source: std::io::Error) -> Self {
        BuildError::File { path: path.display().to_string(), source }
    }
}

/// A finished blob.
#[derive(Debug)]
pub struct Built {
    /// The bytes.
    pub blob: Vec<u8>,
    /// The number of services.
    pub services: usize,
    /// The number of operations.
    pub operations: usize,
}

/// Builds the blob from botocore's `data` directory.
///
/// # Errors
/// [`BuildError`] when a model or a table is not understood.
pub fn build(data: &Path, version: &str) -> Result<Built, BuildError> {
    let models = directory::Models::new(data);
    let partitions = models.partitions()?;
    let all_endpoints = models.endpoints()?;
    let mut tables = tables::Tables::read()?;
    let mut services = Vec::new();
    for id in models.services()? {
        let (model, rules) = models.service(&id)?;
        let reader = models::ServiceReader::new(&id, &model, &mut tables);
        services.push(encode::pack(reader.read(&rules, &partitions, &all_endpoints)?));
    }
    tables.check()?;
    let blob = encode::blob(version, &endpoints::partitions(&partitions), &services, other_signing_names);
    let operations = services.iter().map(|service| service.model.operations.len()).sum();
    Ok(Built { blob, services: services.len(), operations })
}

/// Signing names that clients use for a service, besides its own: those of its endpoint rules, and
/// those that S3 clients derive from a bucket's name.
fn other_signing_names(service: &ServiceModel) -> Vec<&'static str> {
    let tables = service.endpoints.iter().flat_map(|table| &table.partitions);
    let endpoints = tables.flat_map(|entry| entry.default.iter().chain(entry.exceptions.iter().map(|(_, one)| one)));
    let mut names: Vec<&'static str> = endpoints.map(|endpoint| endpoint.signing_name).collect();
    if matches!(service.id, "s3" | "s3control") {
        names.extend(["s3express", "s3-outposts"]);
    }
    names.retain(|name| !name.is_empty() && *name != service.signing_name);
    names.sort_unstable();
    names.dedup();
    names
}
