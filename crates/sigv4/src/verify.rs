//! Verification.

use std::borrow::Cow;

use bytes::Bytes;
use countersign_domain::Timestamp;
use sha2::{Digest, Sha256};

use crate::{
    MAX_CLOCK_SKEW, MAX_PATH_CANDIDATES, Options, PayloadKind, Presented, Scope, SecretKey, SignatureError,
    UnverifiedRequest,
    chunked::{self, ChunkSigner, Framing},
    headers, path,
    payload::Payload,
    presented::Form,
    query::{self, CanonicalQuery},
    secret::{SigningKey, hex_digits},
};

/// What holds of a request whose signature was verified. Only this crate makes one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// The access key id whose secret signed.
    pub access_key_id: String,
    /// The scope of the signature.
    pub scope: Scope,
    /// When it was signed, by the signer's clock.
    pub signed_at: Timestamp,
    /// The lower-case names of the headers that the signature covers, sorted. Of all others nothing is known.
    pub signed_headers: Vec<String>,
    /// The body, out of aws-chunked framing.
    pub body: Bytes,
    /// Whether there was aws-chunked framing; then `aws-chunked` in `content-encoding`, `content-length`,
    /// `x-amz-decoded-content-length` and `x-amz-trailer` no longer describe the body.
    pub decoded_from_chunked: bool,
    /// The trailers that followed the body, their checksums verified. Names are in lower case.
    pub trailers: Vec<(String, String)>,
    /// How the signature covers the body.
    pub payload: PayloadKind,
    /// Until when a presigned request is good; `None` if the signature was in a header.
    pub presigned_expires: Option<Timestamp>,
}

/// Verifies the signature of a request under the strict [`Options`].
///
/// `presented` must have been parsed from the same `request`, and `secret` must belong to
/// [`Presented::unverified_access_key_id`]: in the header form nothing but the choice of the secret covers the access
/// key id. `now` is the server's time.
///
/// # Errors
/// When the signature is wrong, late, or covers too little, or when the body is not what was signed.
pub fn verify<'a>(
    presented: &Presented<'a>,
    request: &UnverifiedRequest<'a>,
    secret: &SecretKey,
    now: Timestamp,
) -> Result<Verified, SignatureError> {
    verify_with(presented, request, secret, now, &Options::default())
}

/// Like [`verify`], under options.
///
/// # Errors
/// As [`verify`].
pub fn verify_with<'a>(
    presented: &Presented<'a>,
    request: &UnverifiedRequest<'a>,
    secret: &SecretKey,
    now: Timestamp,
    options: &Options,
) -> Result<Verified, SignatureError> {
    let candidates = [Cow::Borrowed(request.path)];
    verify_any_path_with(presented, request, secret, now, options, candidates).map(|(verified, _)| verified)
}

/// Verifies a request whose path may have been changed on the way: the signature chooses among the candidates, and
/// `request.path` is not looked at. Returns the first candidate that verified, in the candidate's own spelling.
///
/// # Errors
/// As [`verify`]; and when none of the candidates verified, or there are more than [`MAX_PATH_CANDIDATES`].
pub fn verify_any_path<'a, I: IntoIterator<Item = Cow<'a, str>>>(
    presented: &Presented<'a>,
    request: &UnverifiedRequest<'a>,
    secret: &SecretKey,
    now: Timestamp,
    candidates: I,
) -> Result<(Verified, String), SignatureError> {
    verify_any_path_with(presented, request, secret, now, &Options::default(), candidates)
}

/// Like [`verify_any_path`], under options.
///
/// # Errors
/// As [`verify_any_path`].
pub fn verify_any_path_with<'a, I: IntoIterator<Item = Cow<'a, str>>>(
    presented: &Presented<'a>,
    request: &UnverifiedRequest<'a>,
    secret: &SecretKey,
    now: Timestamp,
    options: &Options,
    candidates: I,
) -> Result<(Verified, String), SignatureError> {
    let presigned_expires = check_time(presented, now)?;
    check_content_length(request)?;
    let scope = &presented.credential.unverified_scope;
    let payload = Payload::of(presented.stated_payload(), presented.is_presigned(), &scope.service, request, options)?;
    let tails = canonical_tails(presented, request, &payload)?;
    let key = secret.signing_key(scope);
    let path = choose_path(candidates, |candidate| {
        let canonical = path::canonical(candidate, &scope.service, options.uncovered_segments)?;
        let mut spellings = std::iter::once(&canonical.path).chain(&canonical.alternative);
        Ok(spellings.any(|path| tails.iter().any(|tail| signs(presented, &key, request.method, path, tail))))
    })?;
    // only now is it worth hashing a body of megabytes
    payload.check_hash(request.body)?;
    let (body, trailers) = unframe(presented, request, payload.kind, key)?;
    let verified = Verified {
        access_key_id: presented.credential.unverified_access_key_id.clone(),
        scope: scope.clone(),
        signed_at: presented.at.at,
        signed_headers: presented.signed_headers.split(';').map(str::to_owned).collect(),
        body,
        decoded_from_chunked: payload.kind.is_chunked(),
        trailers,
        payload: payload.kind,
        presigned_expires,
    };
    Ok((verified, path))
}

/// Checks the time of signing; returns when a presigned request expires.
fn check_time(presented: &Presented<'_>, now: Timestamp) -> Result<Option<Timestamp>, SignatureError> {
    let signed_at = presented.at.at;
    let skew = SignatureError::ClockSkew { signed_at, server_time: now };
    if signed_at.since(now) > MAX_CLOCK_SKEW {
        return Err(skew);
    }
    match presented.form {
        Form::Header { .. } if now.since(signed_at) > MAX_CLOCK_SKEW => Err(skew),
        Form::Header { .. } => Ok(None),
        Form::Presigned { expires, .. } => {
            let expired_at = signed_at.plus(std::time::Duration::from_secs(expires));
            if now < expired_at {
                Ok(Some(expired_at))
            } else {
                Err(SignatureError::Expired { expired_at, server_time: now })
            }
        }
    }
}

/// A `content-length` that is there is true: another length shows that the body was changed on the way.
fn check_content_length(request: &UnverifiedRequest<'_>) -> Result<(), SignatureError> {
    match request.single_header("content-length")? {
        Some(stated) if decimal(stated) != Some(request.body.len()) => Err(SignatureError::ContentLength),
        _ => Ok(()),
    }
}

/// The canonical request behind method and path. There are two where a session token in the query may or may not be
/// part of what was signed: some services append it afterwards.
fn canonical_tails(
    presented: &Presented<'_>,
    request: &UnverifiedRequest<'_>,
    payload: &Payload<'_>,
) -> Result<Vec<String>, SignatureError> {
    let query = CanonicalQuery::parse(request.query)?;
    let mut rest = String::with_capacity(1024);
    rest.push('\n');
    headers::write_canonical(&mut rest, request.headers, &presented.signed_headers)?;
    rest.push('\n');
    rest.push_str(&presented.signed_headers);
    rest.push('\n');
    rest.push_str(&payload.canonical);
    let tail = |skip: &[&str]| {
        let mut tail = String::with_capacity(request.query.len() + 64 + rest.len());
        query.write(&mut tail, skip);
        tail.push_str(&rest);
        tail
    };
    Ok(match presented.form {
        Form::Header { .. } => vec![tail(&[])],
        Form::Presigned { .. } if query.has(query::SECURITY_TOKEN) => {
            vec![tail(&[query::SIGNATURE]), tail(&[query::SIGNATURE, query::SECURITY_TOKEN])]
        }
        Form::Presigned { .. } => vec![tail(&[query::SIGNATURE])],
    })
}

/// Whether the presented signature is that of this method, path and tail of a canonical request.
fn signs(presented: &Presented<'_>, key: &SigningKey, method: &str, path: &str, tail: &str) -> bool {
    let mut hash = Sha256::new();
    for part in [method, "\n", path, "\n", tail] {
        hash.update(part);
    }
    let hash = hex_digits(&hash.finalize().into());
    let scope = presented.credential.unverified_scope.to_string();
    let expected =
        key.sign(&[b"AWS4-HMAC-SHA256\n", presented.at.basic.as_bytes(), b"\n", scope.as_bytes(), b"\n", &hash]);
    presented.signature.matches(&expected)
}

/// The first candidate that verifies. If none does, the reason is that of the first one that could not even be tried,
/// if that holds for all of them.
fn choose_path<'a>(
    candidates: impl IntoIterator<Item = Cow<'a, str>>,
    verifies: impl Fn(&str) -> Result<bool, SignatureError>,
) -> Result<String, SignatureError> {
    let mut reason = None;
    for (count, candidate) in candidates.into_iter().enumerate() {
        if count == MAX_PATH_CANDIDATES {
            return Err(SignatureError::TooManyPaths);
        }
        match verifies(&candidate) {
            Ok(true) => return Ok(candidate.into_owned()),
            Ok(false) => reason = Some(SignatureError::SignatureMismatch),
            Err(error) => reason = reason.or(Some(error)),
        }
    }
    Err(reason.unwrap_or(SignatureError::SignatureMismatch))
}

/// Takes the body out of its framing, if it has one.
fn unframe(
    presented: &Presented<'_>,
    request: &UnverifiedRequest<'_>,
    kind: PayloadKind,
    key: SigningKey,
) -> Result<(Bytes, Vec<(String, String)>), SignatureError> {
    if !kind.is_chunked() {
        return Ok((request.body.clone(), Vec::new()));
    }
    let length = request.single_header("x-amz-decoded-content-length")?.ok_or(SignatureError::MissingDecodedLength)?;
    let scope = &presented.credential.unverified_scope;
    let signer = kind.is_signed().then(|| ChunkSigner::new(key, &presented.at.basic, scope, &presented.signature));
    let trailers = if kind.has_trailers() {
        Some(chunked::declared_trailers(request.single_header("x-amz-trailer")?)?)
    } else {
        None
    };
    let decoded_length = decimal(length).ok_or(SignatureError::DecodedLength)?;
    let decoded = chunked::decode(request.body, Framing { decoded_length, signer, trailers })?;
    Ok((decoded.data, decoded.trailers))
}

/// A length in decimal digits only: `usize::from_str` would take a sign.
fn decimal(text: &str) -> Option<usize> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}
