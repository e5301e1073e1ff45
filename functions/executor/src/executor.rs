//! What the executor works with.

use countersign_aws::{
    authority::Authority, environment::required, forward::Forwarder, frozen::FrozenStore, keys::Keys,
    outcomes::Outcomes, record::Recorder, sts::Roles,
};
use countersign_domain::event::WriterKind;
use countersign_masking::Masker;
use countersign_policy::Bundle;
use countersign_startup::{StartError, Startup};

/// The executor. Nothing is asked of the network before the first request.
#[derive(Debug)]
pub(crate) struct Executor {
    /// The ARN of the KMS key that certificates are signed with.
    pub certificate_key: String,
    pub bundle: Bundle,
    pub masker: Masker,
    pub authority: Authority,
    pub outcomes: Outcomes,
    pub recorder: Recorder,
    pub frozen: FrozenStore,
    pub keys: Keys,
    pub roles: Roles,
    pub forwarder: Forwarder,
}

impl Executor {
    pub(crate) fn start() -> Result<Self, StartError> {
        let start = Startup::read()?;
        let bucket = required("COUNTERSIGN_FROZEN_BUCKET")?;
        Ok(Self {
            masker: start.masker()?,
            authority: start.authority(),
            outcomes: start.outcomes(&bucket),
            recorder: start.recorder(WriterKind::Executor),
            frozen: start.aws.frozen(required("COUNTERSIGN_FROZEN_KEY")?, bucket),
            keys: start.aws.keys(),
            roles: start.aws.roles(),
            forwarder: start.aws.fresh_forwarder(),
            certificate_key: required("COUNTERSIGN_CERTIFICATE_KEY")?,
            bundle: start.bundle,
        })
    }
}
