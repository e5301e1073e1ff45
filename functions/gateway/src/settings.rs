//! The gateway's environment, read once at start; see the table in ARCHITECTURE.md.

use countersign_aws::environment::{EnvironmentError, optional, required};

/// What the gateway is told by its environment.
#[derive(Clone, Debug)]
pub(crate) struct GatewaySettings {
    /// The folder of the bundle.
    pub bundle_dir: String,
    /// The authority table.
    pub authority_table: String,
    /// The record table.
    pub record_table: String,
    /// The bucket of large frozen calls and outcomes.
    pub frozen_bucket: String,
    /// The KMS key of frozen calls.
    pub frozen_key: String,
    /// The KMS HMAC keys of sessions; the first seals.
    pub session_keys: Vec<String>,
    /// The approval state machine.
    pub state_machine: String,
    /// The base URL of this door, without a final slash.
    pub gateway_url: String,
    /// The door that keeps paths, where there is one.
    pub other_door_url: Option<String>,
    /// Patterns of Countersign's own resources.
    pub protected_arns: Vec<String>,
}

impl GatewaySettings {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`EnvironmentError`] names the variable that is missing.
    pub(crate) fn from_env() -> Result<Self, EnvironmentError> {
        Ok(Self {
            bundle_dir: required("COUNTERSIGN_BUNDLE_DIR")?,
            authority_table: required("COUNTERSIGN_AUTHORITY_TABLE")?,
            record_table: required("COUNTERSIGN_RECORD_TABLE")?,
            frozen_bucket: required("COUNTERSIGN_FROZEN_BUCKET")?,
            frozen_key: required("COUNTERSIGN_FROZEN_KEY")?,
            session_keys: list(&required("COUNTERSIGN_SESSION_KEYS")?),
            state_machine: required("COUNTERSIGN_STATE_MACHINE")?,
            gateway_url: required("COUNTERSIGN_GATEWAY_URL")?.trim_end_matches('/').to_owned(),
            other_door_url: optional("COUNTERSIGN_OTHER_DOOR_URL")?,
            protected_arns: list(&required("COUNTERSIGN_PROTECTED_ARNS")?),
        })
    }

    /// The host (and port) of this door, which the gateway's own endpoints answer on.
    pub(crate) fn base_host(&self) -> &str {
        host_of(&self.gateway_url)
    }

    /// The host (and port) of the other door; empty where there is none.
    pub(crate) fn other_base_host(&self) -> &str {
        self.other_door_url.as_deref().map_or("", host_of)
    }
}

fn host_of(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, rest)| rest);
    after.split('/').next().unwrap_or_default()
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}
