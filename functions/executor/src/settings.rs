//! The executor's environment, read once at start; see the table in ARCHITECTURE.md.

use countersign_aws::environment::{EnvironmentError, required};

/// What the executor is told by its environment.
#[derive(Clone, Debug)]
pub(crate) struct ExecutorSettings {
    pub bundle_dir: String,
    pub authority_table: String,
    pub record_table: String,
    pub frozen_bucket: String,
    pub frozen_key: String,
    pub certificate_key: String,
    pub protected_arns: Vec<String>,
}

impl ExecutorSettings {
    pub(crate) fn from_env() -> Result<Self, EnvironmentError> {
        Ok(Self {
            bundle_dir: required("COUNTERSIGN_BUNDLE_DIR")?,
            authority_table: required("COUNTERSIGN_AUTHORITY_TABLE")?,
            record_table: required("COUNTERSIGN_RECORD_TABLE")?,
            frozen_bucket: required("COUNTERSIGN_FROZEN_BUCKET")?,
            frozen_key: required("COUNTERSIGN_FROZEN_KEY")?,
            certificate_key: required("COUNTERSIGN_CERTIFICATE_KEY")?,
            protected_arns: required("COUNTERSIGN_PROTECTED_ARNS")?
                .split(',')
                .map(|pattern| pattern.trim().to_owned())
                .filter(|pattern| !pattern.is_empty())
                .collect(),
        })
    }
}
