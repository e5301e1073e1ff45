//! Why a person does not get what they asked for.

use countersign_domain::approval::Ineligible;
use countersign_identity::{IdentityError, pkce::SignInError};

/// A problem, in words that are fit for the page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// Not signed in, where one must be.
    #[error("sign in first")]
    NotSignedIn,
    /// Signed in as somebody who is nobody here.
    #[error("you are signed in, but you are not a person of this gateway's bundle; ask its operators to add you")]
    Stranger,
    /// The ID token is not accepted.
    #[error("the sign-in is not accepted: {0}")]
    Token(#[from] IdentityError),
    /// The sign-in did not go on.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// Nothing here.
    #[error("there is no such request, or you are not among those who may see it")]
    NotFound,
    /// The link cannot be used.
    #[error("this link {0}")]
    Link(&'static str),
    /// May not decide.
    #[error(transparent)]
    Ineligible(#[from] Ineligible),
    /// The form is not right.
    #[error("{0}")]
    Form(String),
    /// The code is wrong, or none is open.
    #[error("that is not the code, or it can no longer be used")]
    Code,
    /// No code is sent. Whoever asks has proved nothing yet, so it is not said why.
    #[error("no code is sent for this request; sign in to see it")]
    NoCode,
    /// The request is not in a state to decide on.
    #[error("the request is {0}; there is nothing to decide")]
    Closed(&'static str),
    /// What was shown is not what is there.
    #[error("the call is not the one that was shown to you; look at it again")]
    Changed,
    /// Already decided otherwise.
    #[error("you have decided already: {0}")]
    Decided(&'static str),
    /// The frozen call does not hold together, or policy no longer lets it be approved.
    #[error("this call cannot be approved: {0}")]
    NotApprovable(String),
    /// Something of ours failed; nothing was decided that is not on record.
    #[error("{0}; try again")]
    Unavailable(&'static str),
}

impl Problem {
    /// The HTTP status.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Problem::NotSignedIn | Problem::Token(_) => 401,
            Problem::Stranger | Problem::Ineligible(_) | Problem::Code | Problem::NoCode => 403,
            Problem::NotFound => 404,
            Problem::SignIn(_) | Problem::Form(_) => 400,
            Problem::Closed(_) | Problem::Changed | Problem::Decided(_) | Problem::NotApprovable(_) => 409,
            Problem::Link(_) => 410,
            Problem::Unavailable(_) => 503,
        }
    }

    /// A stable name for scripts.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Problem::NotSignedIn => "NotSignedIn",
            Problem::Stranger => "UnknownPerson",
            Problem::Token(_) => "InvalidToken",
            Problem::SignIn(_) => "SignInFailed",
            Problem::NotFound => "NotFound",
            Problem::Link(_) => "LinkUnusable",
            Problem::Ineligible(_) => "NotEligible",
            Problem::Form(_) => "BadForm",
            Problem::Code => "WrongCode",
            Problem::NoCode => "NoCode",
            Problem::Closed(_) => "Closed",
            Problem::Changed => "CallChanged",
            Problem::Decided(_) => "AlreadyDecided",
            Problem::NotApprovable(_) => "NotApprovable",
            Problem::Unavailable(_) => "Unavailable",
        }
    }

    /// Logs what failed inside, and tells the person only that it did.
    pub(crate) fn unavailable(what: &'static str, error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "{what}");
        Problem::Unavailable(what)
    }
}
