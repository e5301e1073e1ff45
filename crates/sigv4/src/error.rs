//! Why a request was refused.

use countersign_domain::Timestamp;

/// Why a signature was not accepted: a variant for each reason.
///
/// No variant carries a secret, a token, a signature or any text of the caller's but header names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    // --- the request ---
    /// The method is not a word of capital letters.
    #[error("the method is not a word of capital letters")]
    MalformedMethod,
    /// A header name is not a lower-case token.
    #[error("a header name is not a lower-case token")]
    MalformedHeaderName,
    /// A header that has one value came twice.
    #[error("the header `{0}` is there more than once")]
    DuplicateHeader(String),
    /// The path does not start with a slash, or has a broken escape or a forbidden character.
    #[error("the path is malformed")]
    MalformedPath,
    /// The path has dot segments or empty segments, which the signature does not cover.
    #[error("the path has dot segments or empty segments, which the signature does not cover")]
    UncoveredSegments,
    /// The query has a broken escape or a forbidden character.
    #[error("the query is malformed")]
    MalformedQuery,
    /// `content-length` is not the length of the body.
    #[error("`content-length` is not the length of the body")]
    ContentLength,

    // --- what it says about its signature ---
    /// There is no signature.
    #[error("the request is not signed")]
    MissingAuthentication,
    /// There are a header and query parameters, or two session tokens.
    #[error("the request is signed in more than one way")]
    AmbiguousAuthentication,
    /// Signature Version 2.
    #[error("signature version 2 is not supported; sign with AWS4-HMAC-SHA256")]
    SignatureVersion2,
    /// Signature Version 4A, the asymmetric one.
    #[error("signature version 4a (AWS4-ECDSA-P256-SHA256) is not supported; sign with AWS4-HMAC-SHA256")]
    SignatureVersion4a,
    /// Another scheme or algorithm.
    #[error("the signature algorithm is not AWS4-HMAC-SHA256")]
    UnsupportedAlgorithm,
    /// The `Authorization` header is not a list of `name=value`, or has a name that is not known.
    #[error("the authorization header is malformed")]
    MalformedAuthorization,
    /// A part of the signature is not there.
    #[error("the signature has no `{0}`")]
    MissingPart(&'static str),
    /// A part of the signature is there twice.
    #[error("the signature has more than one `{0}`")]
    DuplicatePart(&'static str),
    /// The credential does not have the form `key/date/region/service/aws4_request`.
    #[error("the credential is not of the form `key/date/region/service/aws4_request`")]
    MalformedCredential,
    /// The access key id has characters that no access key id has.
    #[error("the access key id is malformed")]
    MalformedAccessKeyId,
    /// The scope's day is not the day of signing.
    #[error("the day in the credential scope is not the day of the request's date")]
    ScopeDate,
    /// The scope's region is malformed.
    #[error("the region in the credential scope is malformed")]
    ScopeRegion,
    /// The scope's service is malformed.
    #[error("the service in the credential scope is malformed")]
    ScopeService,
    /// The scope does not end in `aws4_request`.
    #[error("the credential scope does not end in `aws4_request`")]
    ScopeTerminator,
    /// The signature is not 64 lower-case hex digits.
    #[error("the signature is not 64 lower-case hex digits")]
    MalformedSignature,
    /// The list of signed headers is not in lower case, sorted and free of repetitions.
    #[error("the signed headers are not a sorted list of lower-case names")]
    MalformedSignedHeaders,
    /// `host` is not signed.
    #[error("`host` must be a signed header")]
    HostNotSigned,
    /// A header that decides how the request is read is not signed.
    #[error("the header `{0}` is there but not signed")]
    HeaderNotSigned(String),
    /// A signed header is not there.
    #[error("the signed header `{0}` is not there")]
    SignedHeaderAbsent(String),

    // --- time ---
    /// The date is not of the form `20261121T142718Z` (or, in `date`, an HTTP date).
    #[error("the request's date is malformed")]
    MalformedDate,
    /// The clocks differ by more than [`MAX_CLOCK_SKEW`](crate::MAX_CLOCK_SKEW).
    #[error(
        "the request was signed at {signed_at}, and the server's time is {server_time}; they may differ by 5 minutes"
    )]
    ClockSkew {
        /// The request's time.
        signed_at: Timestamp,
        /// Ours.
        server_time: Timestamp,
    },
    /// `X-Amz-Expires` is not a number of seconds from 1 to 604800.
    #[error("`X-Amz-Expires` is not a number of seconds from 1 to 604800")]
    ExpiresRange,
    /// A presigned request came too late.
    #[error("the presigned request expired at {expired_at}, and the server's time is {server_time}")]
    Expired {
        /// When it expired.
        expired_at: Timestamp,
        /// Our time.
        server_time: Timestamp,
    },

    // --- the signature itself ---
    /// The signature is not that of this request under this secret.
    #[error("the signature is not that of this request; check the secret key and the signing method")]
    SignatureMismatch,
    /// More candidate paths than [`MAX_PATH_CANDIDATES`](crate::MAX_PATH_CANDIDATES).
    #[error("the path as it was sent could not be recovered")]
    TooManyPaths,

    // --- the body ---
    /// `x-amz-content-sha256` is neither a hash nor a keyword that is supported.
    #[error("`x-amz-content-sha256` is neither a hash nor a supported keyword")]
    UnsupportedPayload,
    /// A streaming payload signed with Signature Version 4A, or an event stream.
    #[error("event streams and payloads signed with version 4a are not supported")]
    UnsupportedStream,
    /// The body is unsigned, and the service is none where that is accepted.
    #[error("the body is not signed, which is not accepted for this service")]
    UnsignedBody,
    /// aws-chunked framing for a service outside the S3 family.
    #[error("aws-chunked bodies are not accepted for this service")]
    StreamingService,
    /// The body is not what `x-amz-content-sha256` says.
    #[error("the body does not have the hash that `x-amz-content-sha256` states")]
    BodyHash,
    /// Signs of aws-chunked framing although `x-amz-content-sha256` does not say so.
    #[error("the headers speak of aws-chunked framing, but `x-amz-content-sha256` does not")]
    UnexpectedFraming,
    /// `x-amz-decoded-content-length` is missing.
    #[error("`x-amz-decoded-content-length` is missing")]
    MissingDecodedLength,
    /// `x-amz-decoded-content-length` is not a number, or not the length of the decoded body.
    #[error("`x-amz-decoded-content-length` is not the length of the decoded body")]
    DecodedLength,
    /// aws-chunked framing is broken.
    #[error("the aws-chunked framing of the body is broken")]
    ChunkFraming,
    /// Bytes follow the end of the aws-chunked body.
    #[error("bytes follow the end of the aws-chunked body")]
    BytesAfterEnd,
    /// A chunk's signature is wrong or missing.
    #[error("the signature of a chunk is wrong")]
    ChunkSignature,
    /// The signature of the trailers is wrong or missing.
    #[error("the signature of the trailers is wrong")]
    TrailerSignature,
    /// A trailer line is broken.
    #[error("a trailer is malformed")]
    MalformedTrailer,
    /// `x-amz-trailer` names a trailer that is not known.
    #[error("`x-amz-trailer` names a trailer that is not supported")]
    UnknownTrailer,
    /// A trailer came twice, or `x-amz-trailer` names it twice.
    #[error("a trailer is there more than once")]
    DuplicateTrailer,
    /// A trailer came that `x-amz-trailer` does not name.
    #[error("a trailer came that `x-amz-trailer` does not name")]
    UndeclaredTrailer,
    /// A trailer that `x-amz-trailer` names did not come.
    #[error("a trailer that `x-amz-trailer` names did not come")]
    MissingTrailer,
    /// The checksum in a trailer is not that of the body.
    #[error("the checksum in a trailer is not that of the body")]
    TrailerChecksum,
}

impl SignatureError {
    /// AWS's own code for this error, as SDKs know it. (SDKs correct their clock on `RequestTimeTooSkewed`.)
    pub fn aws_code(&self) -> &'static str {
        match self {
            Self::MissingAuthentication => "MissingAuthenticationToken",
            Self::MalformedAccessKeyId => "InvalidClientTokenId",
            Self::SignatureVersion2
            | Self::SignatureVersion4a
            | Self::UnsupportedAlgorithm
            | Self::AmbiguousAuthentication
            | Self::MalformedAuthorization
            | Self::MissingPart(_)
            | Self::DuplicatePart(_)
            | Self::MalformedCredential
            | Self::MalformedSignature
            | Self::MalformedSignedHeaders
            | Self::MalformedDate => "IncompleteSignature",
            Self::ScopeDate
            | Self::ScopeRegion
            | Self::ScopeService
            | Self::ScopeTerminator
            | Self::HostNotSigned
            | Self::HeaderNotSigned(_)
            | Self::SignedHeaderAbsent(_)
            | Self::SignatureMismatch
            | Self::TooManyPaths
            | Self::UncoveredSegments
            | Self::ChunkSignature
            | Self::TrailerSignature => "SignatureDoesNotMatch",
            Self::ClockSkew { .. } => "RequestTimeTooSkewed",
            Self::Expired { .. } => "RequestExpired",
            Self::ExpiresRange => "AuthorizationQueryParametersError",
            Self::BodyHash => "XAmzContentSHA256Mismatch",
            Self::MissingDecodedLength => "MissingContentLength",
            Self::ContentLength | Self::DecodedLength | Self::ChunkFraming | Self::BytesAfterEnd => "IncompleteBody",
            Self::MalformedTrailer
            | Self::UnknownTrailer
            | Self::DuplicateTrailer
            | Self::UndeclaredTrailer
            | Self::MissingTrailer => "MalformedTrailerError",
            Self::TrailerChecksum => "BadDigest",
            Self::MalformedPath => "InvalidURI",
            Self::MalformedMethod
            | Self::MalformedHeaderName
            | Self::DuplicateHeader(_)
            | Self::MalformedQuery
            | Self::UnsupportedPayload
            | Self::UnsupportedStream
            | Self::UnsignedBody
            | Self::StreamingService
            | Self::UnexpectedFraming => "InvalidRequest",
        }
    }

    /// The HTTP status that goes with [`aws_code`](Self::aws_code): 403 where who calls is in doubt, 400 where the
    /// request is at fault. SDKs retry neither, but for the correction of their clock.
    pub fn http_status(&self) -> u16 {
        match self.aws_code() {
            "MissingAuthenticationToken"
            | "InvalidClientTokenId"
            | "SignatureDoesNotMatch"
            | "RequestTimeTooSkewed" => 403,
            "MissingContentLength" => 411,
            _ => 400,
        }
    }
}
