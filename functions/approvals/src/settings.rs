//! The environment of approvals, read once at start; see the table in ARCHITECTURE.md.

use countersign_aws::environment::{BaseUrl, EnvironmentError, required};

/// What approvals alone is told by its environment.
#[derive(Clone, Debug)]
pub(crate) struct ApprovalsSettings {
    pub frozen_bucket: String,
    pub frozen_key: String,
    pub cookie_key: String,
    pub certificate_key: String,
    /// This door: requests for any other host are refused.
    pub approvals_url: BaseUrl,
}

impl ApprovalsSettings {
    pub(crate) fn from_env() -> Result<Self, EnvironmentError> {
        Ok(Self {
            frozen_bucket: required("COUNTERSIGN_FROZEN_BUCKET")?,
            frozen_key: required("COUNTERSIGN_FROZEN_KEY")?,
            cookie_key: required("COUNTERSIGN_COOKIE_KEY")?,
            certificate_key: required("COUNTERSIGN_CERTIFICATE_KEY")?,
            approvals_url: BaseUrl::new(&required("COUNTERSIGN_APPROVALS_URL")?),
        })
    }
}
