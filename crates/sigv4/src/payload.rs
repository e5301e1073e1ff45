//! What a request says about its body.

use std::borrow::Cow;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    Options, SignatureError, UnverifiedRequest, is_s3_family,
    secret::{hex_digits, lower_hex_32},
};

/// How the signature covers the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadKind {
    /// By the hash of the body.
    Hashed,
    /// Not at all: `UNSIGNED-PAYLOAD`, or a presigned request of the S3 family.
    Unsigned,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: chunk by chunk.
    StreamingSigned,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`: chunk by chunk, and the trailers.
    StreamingSignedTrailer,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`: not at all; a checksum may come in a trailer.
    StreamingUnsignedTrailer,
}

impl PayloadKind {
    /// Whether the body comes in aws-chunked framing.
    pub fn is_chunked(self) -> bool {
        match self {
            Self::Hashed | Self::Unsigned => false,
            Self::StreamingSigned | Self::StreamingSignedTrailer | Self::StreamingUnsignedTrailer => true,
        }
    }

    /// Whether the signature covers the body.
    pub fn is_signed(self) -> bool {
        match self {
            Self::Hashed | Self::StreamingSigned | Self::StreamingSignedTrailer => true,
            Self::Unsigned | Self::StreamingUnsignedTrailer => false,
        }
    }

    /// Whether trailers may follow the body.
    pub(crate) fn has_trailers(self) -> bool {
        match self {
            Self::StreamingSignedTrailer | Self::StreamingUnsignedTrailer => true,
            Self::Hashed | Self::Unsigned | Self::StreamingSigned => false,
        }
    }
}

/// The payload as the canonical request has it.
#[derive(Debug)]
pub(crate) struct Payload<'a> {
    pub(crate) kind: PayloadKind,
    /// The last line of the canonical request.
    pub(crate) canonical: Cow<'a, str>,
    /// The hash that the body must have, where the request states one.
    stated_hash: Option<[u8; 32]>,
}

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

impl<'a> Payload<'a> {
    /// Reads what the request states, and refuses what is not accepted for this service.
    ///
    /// # Errors
    /// When the statement is not supported, not accepted, or contradicts other headers.
    pub(crate) fn of(
        stated: Option<&'a str>,
        is_presigned: bool,
        service: &str,
        request: &UnverifiedRequest<'a>,
        options: &Options,
    ) -> Result<Self, SignatureError> {
        // what is signed with a presigned request of Amazon S3 is not known when the URL is made
        let stated = if is_presigned && is_s3_family(service) { stated.or(Some(UNSIGNED)) } else { stated };
        let Some(stated) = stated else {
            let hash = hex_digits(&Sha256::digest(request.body).into());
            let canonical = Cow::Owned(hash.iter().copied().map(char::from).collect());
            check_framing(PayloadKind::Hashed, request)?;
            return Ok(Self { kind: PayloadKind::Hashed, canonical, stated_hash: None });
        };
        let kind = kind_of(stated)?;
        // aws-chunked is a coding of Amazon S3 alone
        if kind.is_chunked() && !is_s3_family(service) {
            return Err(SignatureError::StreamingService);
        }
        if !kind.is_signed() && !options.unsigned_bodies.allow(service) {
            return Err(SignatureError::UnsignedBody);
        }
        check_framing(kind, request)?;
        let stated_hash = if kind == PayloadKind::Hashed { lower_hex_32(stated) } else { None };
        Ok(Self { kind, canonical: Cow::Borrowed(stated), stated_hash })
    }

    /// Compares the body with the hash that was stated, in constant time.
    ///
    /// # Errors
    /// When they differ.
    pub(crate) fn check_hash(&self, body: &Bytes) -> Result<(), SignatureError> {
        let Some(stated) = self.stated_hash else { return Ok(()) };
        let actual: [u8; 32] = Sha256::digest(body).into();
        if bool::from(actual.ct_eq(&stated)) { Ok(()) } else { Err(SignatureError::BodyHash) }
    }
}

fn kind_of(stated: &str) -> Result<PayloadKind, SignatureError> {
    match stated {
        UNSIGNED => Ok(PayloadKind::Unsigned),
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Ok(PayloadKind::StreamingSigned),
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Ok(PayloadKind::StreamingSignedTrailer),
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(PayloadKind::StreamingUnsignedTrailer),
        "STREAMING-AWS4-HMAC-SHA256-EVENTS"
        | "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
        | "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"
        | "STREAMING-AWS4-ECDSA-P256-SHA256-EVENTS" => Err(SignatureError::UnsupportedStream),
        hash if lower_hex_32(hash).is_some() => Ok(PayloadKind::Hashed),
        _ => Err(SignatureError::UnsupportedPayload),
    }
}

/// Refuses a request whose headers speak of framing that the payload statement denies: somebody would
/// take the framing for the body. `content-encoding: aws-chunked` is not required the other way round, as some
/// SDKs leave it out.
fn check_framing(kind: PayloadKind, request: &UnverifiedRequest<'_>) -> Result<(), SignatureError> {
    let is_encoded = |(name, value): &(String, String)| {
        name == "content-encoding" && value.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("aws-chunked"))
    };
    let has = |wanted: &str| request.headers.iter().any(|(name, _)| name == wanted);
    let framed = request.headers.iter().any(is_encoded) || has("x-amz-decoded-content-length");
    if (framed && !kind.is_chunked()) || (has("x-amz-trailer") && !kind.has_trailers()) {
        return Err(SignatureError::UnexpectedFraming);
    }
    Ok(())
}
