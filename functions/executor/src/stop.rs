//! Why a replay does not go on.

use countersign_aws::{authority::AuthorityError, frozen::FrozenError, record::RecordError};
use lambda_runtime::Diagnostic;

/// Why this invocation ends without an outcome. The state machine matches the names.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// An earlier attempt may still be at work.
    #[error("an earlier attempt may still be running")]
    InProgress,
    /// Something of ours did not answer. Nothing that this invocation did makes trying again unsafe.
    #[error("{0}")]
    Temporary(&'static str),
}

impl ReplayError {
    /// A failure of ours: its text goes to the log, and only what it was about to the state machine.
    pub(crate) fn temporary(what: &'static str, error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "{what}");
        Self::Temporary(what)
    }
}

impl From<ReplayError> for Diagnostic {
    fn from(error: ReplayError) -> Self {
        let error_type = match error {
            ReplayError::InProgress => "ReplayInProgress",
            ReplayError::Temporary(_) => "TemporaryFailure",
        };
        Diagnostic { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

/// Why a request is not replayed.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It is refused: this is its outcome, unless an earlier attempt has begun to send.
    Refused(String),
    /// There is nothing to refuse: no such request, or nobody has approved it. Whoever woke the
    /// executor too early must not be able to end a request that persons are still reading.
    NotApproved(&'static str),
    /// Not now.
    Error(ReplayError),
}

impl Stop {
    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(reason.into())
    }
}

impl From<ReplayError> for Stop {
    fn from(error: ReplayError) -> Self {
        Self::Error(error)
    }
}

impl From<AuthorityError> for Stop {
    /// An item that cannot be read is not a moment's trouble: the request is refused.
    fn from(error: AuthorityError) -> Self {
        match &error {
            AuthorityError::Malformed { .. } => {
                tracing::error!(%error, "an item is not what it should be");
                Self::refused(format!("what is stored of it does not hold together: {error}"))
            }
            AuthorityError::Service(_) | AuthorityError::Contended(_) => {
                ReplayError::temporary("the authority table does not answer", &error).into()
            }
        }
    }
}

impl From<FrozenError> for Stop {
    fn from(error: FrozenError) -> Self {
        match &error {
            // Including a denied decryption: an operator may set that right before the certificate ends.
            FrozenError::Service(_) | FrozenError::Random => {
                ReplayError::temporary("the frozen call cannot be opened", &error).into()
            }
            _ => {
                tracing::error!(%error, "a frozen call does not hold together");
                Self::refused(format!("the frozen call does not hold together: {error}"))
            }
        }
    }
}

impl From<AuthorityError> for ReplayError {
    fn from(error: AuthorityError) -> Self {
        Self::temporary("the authority table does not answer", &error)
    }
}

impl From<RecordError> for ReplayError {
    fn from(error: RecordError) -> Self {
        Self::temporary("the record does not answer", &error)
    }
}
