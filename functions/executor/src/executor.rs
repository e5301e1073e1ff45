//! What the executor works with.

use std::path::Path;

use countersign_aws::{
    Aws, authority::Authority, environment::EnvironmentError, forward::Forwarder, frozen::FrozenStore, keys::Keys,
    outcomes::Outcomes, process, record::Recorder, sts::Roles,
};
use countersign_domain::event::WriterKind;
use countersign_masking::{Masker, UnknownPatternError};
use countersign_policy::{Bundle, BundleError};

use crate::settings::ExecutorSettings;

/// Why the executor does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error("the bundle does not load: {0}")]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Masking(#[from] UnknownPatternError),
    #[error("no random bytes")]
    Random,
}

/// The executor. Nothing is asked of the network before the first request.
#[derive(Debug)]
pub(crate) struct Executor {
    pub settings: ExecutorSettings,
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
        let settings = ExecutorSettings::from_env()?;
        let lookup = |name: &str| std::env::var(name).ok();
        let bundle = Bundle::load(Path::new(&settings.bundle_dir), lookup, &settings.protected_arns)?;
        let masker = Masker::new(&bundle.settings().masking)?;
        let aws = Aws::from_env()?;
        let random = process::random().ok_or(StartError::Random)?;
        Ok(Self {
            masker,
            authority: aws.authority(&settings.authority_table),
            outcomes: aws.outcomes(&settings.authority_table, &settings.frozen_bucket),
            recorder: aws.recorder(&settings.record_table, WriterKind::Executor, random),
            frozen: aws.frozen(&settings.frozen_key, &settings.frozen_bucket),
            keys: aws.keys(),
            roles: aws.roles(),
            forwarder: aws.fresh_forwarder(),
            settings,
            bundle,
        })
    }
}
