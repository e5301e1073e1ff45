//! The signature in the query.

use std::borrow::Cow;

use super::{Form, Presented, check_algorithm, fill};
use crate::{
    MAX_EXPIRES, SignatureError, UnverifiedRequest,
    instant::SigningTime,
    percent,
    query::{self, SECURITY_TOKEN, SIGNATURE},
    scope::Credential,
    secret::Signature,
};

/// The query parameters that make a presigned request, decoded.
#[derive(Debug, Default)]
pub(super) struct Parameters<'a> {
    algorithm: Option<Cow<'a, str>>,
    credential: Option<Cow<'a, str>>,
    date: Option<Cow<'a, str>>,
    expires: Option<Cow<'a, str>>,
    signed_headers: Option<Cow<'a, str>>,
    signature: Option<Cow<'a, str>>,
    security_token: Option<Cow<'a, str>>,
    payload: Option<Cow<'a, str>>,
}

impl<'a> Parameters<'a> {
    /// Reads them out of a raw query; their names are matched after decoding.
    pub(super) fn read(raw: &'a str) -> Result<Self, SignatureError> {
        let mut found = Self::default();
        for (raw_name, raw_value) in query::members(raw) {
            let name = percent::normalise_query(raw_name).map_err(|_| SignatureError::MalformedQuery)?;
            let (place, name) = match name.as_ref() {
                "X-Amz-Algorithm" => (&mut found.algorithm, "X-Amz-Algorithm"),
                "X-Amz-Credential" => (&mut found.credential, "X-Amz-Credential"),
                "X-Amz-Date" => (&mut found.date, "X-Amz-Date"),
                "X-Amz-Expires" => (&mut found.expires, "X-Amz-Expires"),
                "X-Amz-SignedHeaders" => (&mut found.signed_headers, "X-Amz-SignedHeaders"),
                "X-Amz-Content-Sha256" => (&mut found.payload, "X-Amz-Content-Sha256"),
                SIGNATURE => (&mut found.signature, SIGNATURE),
                SECURITY_TOKEN => (&mut found.security_token, SECURITY_TOKEN),
                _ => continue,
            };
            let value = percent::decode_query(raw_value).map_err(|_| SignatureError::MalformedQuery)?;
            fill(place, value, name)?;
        }
        Ok(found)
    }

    /// Whether any is there that only a presigned request has.
    pub(super) fn any(&self) -> bool {
        self.algorithm.is_some()
            || self.credential.is_some()
            || self.signature.is_some()
            || self.security_token.is_some()
    }
}

/// Reads the claims of a presigned request.
pub(super) fn parse<'a>(
    found: Parameters<'a>,
    request: &UnverifiedRequest<'a>,
) -> Result<Presented<'a>, SignatureError> {
    let missing = SignatureError::MissingPart;
    check_algorithm(&found.algorithm.ok_or(missing("X-Amz-Algorithm"))?)?;
    let date = found.date.ok_or(missing("X-Amz-Date"))?;
    if request.single_header("x-amz-security-token")?.is_some()
        || request.single_header("x-amz-date")?.is_some_and(|header| header != date)
    {
        return Err(SignatureError::AmbiguousAuthentication);
    }
    let payload = match (found.payload, request.single_header("x-amz-content-sha256")?) {
        (Some(in_query), Some(header)) if in_query != header => return Err(SignatureError::AmbiguousAuthentication),
        (in_query, header) => in_query.or(header.map(Cow::Borrowed)),
    };
    Presented {
        credential: Credential::parse(&found.credential.ok_or(missing("X-Amz-Credential"))?)?,
        session_token: found.security_token,
        signed_headers: found.signed_headers.ok_or(missing("X-Amz-SignedHeaders"))?,
        signature: Signature::parse(&found.signature.ok_or(missing(SIGNATURE))?)?,
        at: SigningTime::from_basic(&date).ok_or(SignatureError::MalformedDate)?,
        form: Form::Presigned { payload, expires: seconds(&found.expires.ok_or(missing("X-Amz-Expires"))?)? },
    }
    .with_checked_day()
}

/// Reads a lifetime: digits only, from 1 to [`MAX_EXPIRES`].
fn seconds(text: &str) -> Result<u64, SignatureError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|seconds| digits && (1..=MAX_EXPIRES.as_secs()).contains(seconds));
    seconds.ok_or(SignatureError::ExpiresRange)
}
