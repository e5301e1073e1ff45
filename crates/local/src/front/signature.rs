//! Who sent a request: the signature, and the session whose secret made it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use countersign_domain::Timestamp;
use countersign_sigv4::{
    Options, Presented, SecretKey, SignatureError, UncoveredSegments, UnsignedBodies, UnverifiedRequest, verify_with,
};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use super::{errors::AwsError, sts::Sts};
use crate::{iam::principals::Session, web::Request};

/// A request whose sender is known.
pub struct Sender {
    /// The session that signed.
    pub session: Arc<Session>,
    /// The service name of the credential scope.
    pub service: String,
    /// The region of the credential scope.
    pub region: String,
    /// The body, out of aws-chunked framing.
    pub body: Bytes,
    /// Whether there was such framing.
    pub from_chunked: bool,
    /// Whether the signature covers the body.
    pub body_is_signed: bool,
    /// The headers as pairs, with verified trailers appended.
    pub headers: Vec<(String, String)>,
}

/// Verifies a request.
///
/// # Errors
/// An AWS error: no such key, another token, an expired session, or a wrong signature.
pub fn verify(request: &Request, sts: &Sts, now: OffsetDateTime) -> Result<Sender, AwsError> {
    let mut headers = pairs(request)?;
    let unverified = UnverifiedRequest {
        method: request.method.as_str(),
        path: request.uri.path(),
        query: request.query(),
        headers: &headers,
        body: &request.body,
    };
    let presented = Presented::parse(&unverified).map_err(|error| refused(&error))?;
    let session = sts.session(presented.unverified_access_key_id()).ok_or_else(|| {
        AwsError::new(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    })?;
    let token = presented.unverified_session_token().unwrap_or_default();
    if !bool::from(token.as_bytes().ct_eq(session.token.as_bytes())) {
        return Err(AwsError::new(
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        ));
    }
    if session.expires <= now {
        return Err(AwsError::new(403, "ExpiredToken", "The security token included in the request is expired"));
    }
    // AWS itself accepts paths with empty segments; what is stricter in our own gateway is not here.
    let options = Options { unsigned_bodies: UnsignedBodies::AsSdksDo, uncovered_segments: UncoveredSegments::Accept };
    let secret = SecretKey::new(session.secret_access_key.clone());
    let verified =
        verify_with(&presented, &unverified, &secret, timestamp(now), &options).map_err(|error| refused(&error))?;
    headers.extend(verified.trailers);
    Ok(Sender {
        session,
        service: verified.scope.service,
        region: verified.scope.region,
        body: verified.body,
        from_chunked: verified.decoded_from_chunked,
        body_is_signed: verified.payload.is_signed(),
        headers,
    })
}

fn pairs(request: &Request) -> Result<Vec<(String, String)>, AwsError> {
    request
        .headers
        .iter()
        .map(|(name, value)| match std::str::from_utf8(value.as_bytes()) {
            Ok(value) => Ok((name.as_str().to_owned(), value.to_owned())),
            Err(_) => Err(AwsError::new(400, "InvalidRequest", format!("the header `{name}` is not utf-8"))),
        })
        .collect()
}

fn refused(error: &SignatureError) -> AwsError {
    AwsError::new(error.http_status(), error.aws_code(), error.to_string())
}

fn timestamp(now: OffsetDateTime) -> Timestamp {
    let since = Duration::try_from(now - OffsetDateTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(0).plus(since)
}
