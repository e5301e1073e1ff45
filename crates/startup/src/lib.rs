//! What every function reads when it starts: the settings that all share, and the bundle. Nothing
//! is asked of the network.

use std::{fmt, path::Path};

use countersign_aws::{
    Aws,
    authority::Authority,
    environment::{EnvironmentError, list, required},
    outcomes::Outcomes,
    process,
    record::Recorder,
};
use countersign_domain::event::WriterKind;
use countersign_masking::{Masker, UnknownPatternError};
use countersign_policy::{Bundle, BundleError};

/// Why a function does not start. It answers nothing then.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The environment lacks something.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The bundle is not valid.
    #[error("the bundle does not load: {0}")]
    Bundle(#[from] BundleError),
    /// The bundle's settings name a masking pattern that does not exist.
    #[error(transparent)]
    Masking(#[from] UnknownPatternError),
    /// An instance could not be told from others.
    #[error("the system gives no randomness")]
    Random,
}

/// What a function starts with.
pub struct Startup {
    /// The handle that adapters are made from.
    pub aws: Aws,
    /// The rules and settings.
    pub bundle: Bundle,
    authority_table: String,
    record_table: String,
    instance: [u8; 8],
}

impl fmt::Debug for Startup {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Startup").field("bundle", self.bundle.hash()).finish_non_exhaustive()
    }
}

impl Startup {
    /// Reads the environment and the bundle.
    ///
    /// # Errors
    /// [`StartError`] says what is missing or not valid.
    pub fn read() -> Result<Self, StartError> {
        let protected = list("COUNTERSIGN_PROTECTED_ARNS")?;
        let folder = required("COUNTERSIGN_BUNDLE_DIR")?;
        let bundle = Bundle::load(Path::new(&folder), |name| std::env::var(name).ok(), &protected)?;
        tracing::info!(bundle = %bundle.hash(), compiled = bundle.is_compiled(), "the bundle is loaded");
        Ok(Self {
            aws: Aws::from_env()?,
            bundle,
            authority_table: required("COUNTERSIGN_AUTHORITY_TABLE")?,
            record_table: required("COUNTERSIGN_RECORD_TABLE")?,
            instance: process::random().ok_or(StartError::Random)?,
        })
    }

    /// The authority table.
    pub fn authority(&self) -> Authority {
        self.aws.authority(&self.authority_table)
    }

    /// The outcomes of replays, large ones in `bucket`.
    pub fn outcomes(&self, bucket: &str) -> Outcomes {
        self.aws.outcomes(&self.authority_table, bucket)
    }

    /// What this instance appends to the record as `writer`.
    pub fn recorder(&self, writer: WriterKind) -> Recorder {
        self.aws.recorder(&self.record_table, writer, self.instance)
    }

    /// The masking patterns that the bundle leaves on.
    ///
    /// # Errors
    /// [`StartError::Masking`].
    pub fn masker(&self) -> Result<Masker, StartError> {
        Ok(Masker::new(&self.bundle.settings().masking)?)
    }
}
