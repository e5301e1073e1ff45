//! Why a token is not accepted.

use countersign_domain::Timestamp;

/// The longest token that is looked at, in bytes.
pub(crate) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Why a token is not accepted. Messages are fit for the caller: they never contain the token or
/// a claim of it other than the issuer that it names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Longer than is looked at.
    #[error("the token has {0} bytes; at most {MAX_TOKEN_BYTES} are accepted")]
    TooLong(usize),
    /// Not a signed JSON web token in compact form, or not strict JSON inside.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// The token is of a kind that does not say who calls (RFC 8725 §3.11).
    #[error("a token of type `{0}` does not identify a caller here")]
    Type(String),
    /// No setting names the issuer.
    #[error("the issuer `{0}` is not accepted here")]
    UnknownIssuer(String),
    /// The algorithm is not one that is accepted from the issuer; symmetric ones and `none` never are.
    #[error("the algorithm `{0}` is not accepted from this issuer")]
    Algorithm(String),
    /// The issuer publishes no key that the token could be signed with.
    #[error("the issuer publishes no key for this token")]
    UnknownKey,
    /// The signature is not by the issuer's key.
    #[error("the signature is not valid")]
    Signature,
    /// `exp` has passed.
    #[error("the token expired at {0}")]
    Expired(Timestamp),
    /// `nbf` or `iat` lies ahead by more than the leeway.
    #[error("the token is not valid before {0}")]
    NotYetValid(Timestamp),
    /// The audience is another one, or not ours alone.
    #[error("the audience of the token must be `{expected}` and nothing else")]
    Audience {
        /// The audience that is accepted.
        expected: String,
    },
    /// A claim is missing or is not as the settings require.
    #[error("the claim `{claim}` {problem}")]
    Claim {
        /// Its dotted path.
        claim: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The ID token was made for another sign-in.
    #[error("the nonce of the id token is not the one of this sign-in")]
    Nonce,
    /// Keys could not be had from the issuer.
    #[error("the keys of the issuer `{issuer}` are not available: {problem}")]
    IssuerUnavailable {
        /// The issuer.
        issuer: String,
        /// What failed; of the transport or of the document, never of the token.
        problem: String,
    },
}

impl IdentityError {
    pub(crate) fn claim(claim: &str, problem: impl Into<String>) -> Self {
        Self::Claim { claim: claim.to_owned(), problem: problem.into() }
    }

    /// Whether the same token may be accepted a little later.
    pub fn retryable(&self) -> bool {
        match self {
            IdentityError::IssuerUnavailable { .. } | IdentityError::NotYetValid(_) => true,
            IdentityError::TooLong(_)
            | IdentityError::Malformed(_)
            | IdentityError::Type(_)
            | IdentityError::UnknownIssuer(_)
            | IdentityError::Algorithm(_)
            | IdentityError::UnknownKey
            | IdentityError::Signature
            | IdentityError::Expired(_)
            | IdentityError::Audience { .. }
            | IdentityError::Claim { .. }
            | IdentityError::Nonce => false,
        }
    }
}

/// The first characters of untrusted text, with control characters replaced, for a message.
pub(crate) fn shortened(untrusted_text: &str) -> String {
    untrusted_text.chars().take(200).map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}
