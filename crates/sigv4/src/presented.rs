//! What a request claims about its signature.

use std::{borrow::Cow, fmt};

use crate::{
    Scope, SignatureError, UnverifiedRequest, instant::SigningTime, query, scope::Credential, secret::Signature,
};

mod authorization;
mod presigned;

/// The algorithm that is verified.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a request claims about its signature, in its `Authorization` header or in its query. Nothing of
/// it is verified; it serves to find the secret to verify with. Debug output leaves out the session token and the signature.
pub struct Presented<'a> {
    pub(crate) credential: Credential,
    pub(crate) session_token: Option<Cow<'a, str>>,
    pub(crate) signed_headers: Cow<'a, str>,
    pub(crate) signature: Signature,
    pub(crate) at: SigningTime,
    pub(crate) form: Form<'a>,
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Presented")
            .field("credential", &self.credential)
            .field("signed_headers", &self.signed_headers)
            .field("at", &self.at)
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

/// Where the signature is.
#[derive(Debug)]
pub(crate) enum Form<'a> {
    /// In the `Authorization` header.
    Header {
        /// `x-amz-content-sha256`.
        payload: Option<&'a str>,
    },
    /// In the query.
    Presigned {
        /// `X-Amz-Content-Sha256`, in the query or as a header.
        payload: Option<Cow<'a, str>>,
        /// Seconds from the time of signing.
        expires: u64,
    },
}

impl<'a> Presented<'a> {
    /// Reads what the request claims.
    ///
    /// # Errors
    /// When the request is not signed, is signed in more than one way or by an algorithm that is not supported, or when
    /// a part is missing, repeated or malformed.
    pub fn parse(request: &UnverifiedRequest<'a>) -> Result<Self, SignatureError> {
        request.check_form()?;
        let in_query = presigned::Parameters::read(request.query)?;
        match request.single_header("authorization")? {
            Some(_) if in_query.any() => Err(SignatureError::AmbiguousAuthentication),
            Some(value) => authorization::parse(value, request),
            None if in_query.any() => presigned::parse(in_query, request),
            None if query::members(request.query).any(|(name, _)| name == "AWSAccessKeyId") => {
                Err(SignatureError::SignatureVersion2)
            }
            None => Err(SignatureError::MissingAuthentication),
        }
    }

    /// The access key id that the signature claims.
    pub fn unverified_access_key_id(&self) -> &str {
        &self.credential.unverified_access_key_id
    }

    /// The session token that came along.
    pub fn unverified_session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// The scope that the signature claims.
    pub fn unverified_scope(&self) -> Scope {
        self.credential.unverified_scope.clone()
    }

    /// Whether the signature is in the query.
    pub fn is_presigned(&self) -> bool {
        matches!(self.form, Form::Presigned { .. })
    }

    /// What the request states about its payload.
    pub(crate) fn stated_payload(&self) -> Option<&str> {
        match &self.form {
            Form::Header { payload } => *payload,
            Form::Presigned { payload, .. } => payload.as_deref(),
        }
    }

    /// Checks that the scope is of the day of signing.
    fn with_checked_day(self) -> Result<Self, SignatureError> {
        if self.at.is_on(&self.credential.unverified_scope.date) { Ok(self) } else { Err(SignatureError::ScopeDate) }
    }
}

/// Takes the algorithm or says by name what is not supported.
fn check_algorithm(name: &str) -> Result<(), SignatureError> {
    match name {
        ALGORITHM => Ok(()),
        "AWS4-ECDSA-P256-SHA256" => Err(SignatureError::SignatureVersion4a),
        "AWS" => Err(SignatureError::SignatureVersion2),
        _ => Err(SignatureError::UnsupportedAlgorithm),
    }
}

/// Fills a place once.
fn fill<T>(place: &mut Option<T>, value: T, name: &'static str) -> Result<(), SignatureError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(SignatureError::DuplicatePart(name)),
    }
}
