//! The `Authorization` header.

use std::borrow::Cow;

use super::{Form, Presented, check_algorithm, fill};
use crate::{SignatureError, UnverifiedRequest, instant::SigningTime, scope::Credential, secret::Signature};

/// Reads `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…` and the headers that go with it.
pub(super) fn parse<'a>(value: &'a str, request: &UnverifiedRequest<'a>) -> Result<Presented<'a>, SignatureError> {
    let (algorithm, list) = value.split_once(' ').unwrap_or((value, ""));
    check_algorithm(algorithm)?;
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for part in list.split(',') {
        match part.trim().split_once('=') {
            Some(("Credential", value)) => fill(&mut credential, value, "Credential")?,
            Some(("SignedHeaders", value)) => fill(&mut signed_headers, value, "SignedHeaders")?,
            Some(("Signature", value)) => fill(&mut signature, value, "Signature")?,
            _ => return Err(SignatureError::MalformedAuthorization),
        }
    }
    Presented {
        credential: Credential::parse(credential.ok_or(SignatureError::MissingPart("Credential"))?)?,
        session_token: request.single_header("x-amz-security-token")?.map(Cow::Borrowed),
        signed_headers: Cow::Borrowed(signed_headers.ok_or(SignatureError::MissingPart("SignedHeaders"))?),
        signature: Signature::parse(signature.ok_or(SignatureError::MissingPart("Signature"))?)?,
        at: signing_time(request)?,
        form: Form::Header { payload: request.single_header("x-amz-content-sha256")? },
    }
    .with_checked_day()
}

/// `x-amz-date`, or in its absence `date`, as AWS documents it.
fn signing_time(request: &UnverifiedRequest<'_>) -> Result<SigningTime, SignatureError> {
    let time = match (request.single_header("x-amz-date")?, request.single_header("date")?) {
        (Some(basic), _) => SigningTime::from_basic(basic),
        (None, Some(date)) => SigningTime::from_date_header(date),
        (None, None) => return Err(SignatureError::MissingPart("x-amz-date")),
    };
    time.ok_or(SignatureError::MalformedDate)
}
