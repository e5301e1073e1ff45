//! The environment of approvals, read once at start; see the table in ARCHITECTURE.md.

use countersign_aws::environment::{EnvironmentError, required};

/// What approvals is told by its environment.
#[derive(Clone, Debug)]
pub(crate) struct ApprovalsSettings {
    pub bundle_dir: String,
    pub authority_table: String,
    pub record_table: String,
    pub frozen_bucket: String,
    pub frozen_key: String,
    pub cookie_key: String,
    pub certificate_key: String,
    /// The base URL of this door, without a final slash.
    pub approvals_url: String,
    pub protected_arns: Vec<String>,
}

impl ApprovalsSettings {
    pub(crate) fn from_env() -> Result<Self, EnvironmentError> {
        Ok(Self {
            bundle_dir: required("COUNTERSIGN_BUNDLE_DIR")?,
            authority_table: required("COUNTERSIGN_AUTHORITY_TABLE")?,
            record_table: required("COUNTERSIGN_RECORD_TABLE")?,
            frozen_bucket: required("COUNTERSIGN_FROZEN_BUCKET")?,
            frozen_key: required("COUNTERSIGN_FROZEN_KEY")?,
            cookie_key: required("COUNTERSIGN_COOKIE_KEY")?,
            certificate_key: required("COUNTERSIGN_CERTIFICATE_KEY")?,
            approvals_url: required("COUNTERSIGN_APPROVALS_URL")?.trim_end_matches('/').to_owned(),
            protected_arns: required("COUNTERSIGN_PROTECTED_ARNS")?
                .split(',')
                .map(|pattern| pattern.trim().to_owned())
                .filter(|pattern| !pattern.is_empty())
                .collect(),
        })
    }

    /// The host (and port) of this door: requests for any other are refused.
    pub(crate) fn host(&self) -> &str {
        let after = self.approvals_url.split_once("://").map_or(self.approvals_url.as_str(), |(_, rest)| rest);
        after.split('/').next().unwrap_or_default()
    }

    /// Whether the door is reached over TLS; only a local stack is not.
    pub(crate) fn is_secure(&self) -> bool {
        self.approvals_url.starts_with("https://")
    }
}
