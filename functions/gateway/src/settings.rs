//! The gateway's environment, read once at start; see the table in ARCHITECTURE.md.

use countersign_aws::environment::{BaseUrl, EnvironmentError, list, optional, required};

/// What the gateway alone is told by its environment.
#[derive(Clone, Debug)]
pub(crate) struct GatewaySettings {
    /// The bucket of large frozen calls and outcomes.
    pub frozen_bucket: String,
    /// The KMS key of frozen calls.
    pub frozen_key: String,
    /// The KMS HMAC keys of sessions; the first seals.
    pub session_keys: Vec<String>,
    /// The approval state machine.
    pub state_machine: String,
    /// This door.
    pub gateway_url: BaseUrl,
    /// The door that keeps paths, where there is one.
    pub other_door_url: Option<BaseUrl>,
}

impl GatewaySettings {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`EnvironmentError`] names the variable that is missing.
    pub(crate) fn from_env() -> Result<Self, EnvironmentError> {
        Ok(Self {
            frozen_bucket: required("COUNTERSIGN_FROZEN_BUCKET")?,
            frozen_key: required("COUNTERSIGN_FROZEN_KEY")?,
            session_keys: list("COUNTERSIGN_SESSION_KEYS")?,
            state_machine: required("COUNTERSIGN_STATE_MACHINE")?,
            gateway_url: BaseUrl::new(&required("COUNTERSIGN_GATEWAY_URL")?),
            other_door_url: optional("COUNTERSIGN_OTHER_DOOR_URL")?.as_deref().map(BaseUrl::new),
        })
    }

    /// The host (and port) of this door, which the gateway's own endpoints answer on.
    pub(crate) fn base_host(&self) -> &str {
        self.gateway_url.host()
    }

    /// The host (and port) of the other door; empty where there is none.
    pub(crate) fn other_base_host(&self) -> &str {
        self.other_door_url.as_ref().map_or("", BaseUrl::host)
    }
}
