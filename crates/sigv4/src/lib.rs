//! Verifies AWS Signature Version 4 on the server's side.
//!
//! A request comes in as [`UnverifiedRequest`]. [`Presented::parse`] reads what it *claims* about
//! its signature, which is enough to find the secret; [`verify`] then recomputes the signature and
//! gives back [`Verified`], which only this crate can make. Where the path was changed on the way,
//! as Amazon API Gateway's HTTP APIs do, [`verify_any_path`] lets the signature choose among
//! candidate paths.
//!
//! Nothing here performs input or output and nothing reads a clock: the time is an argument.
//!
//! ```
//! use bytes::Bytes;
//! use countersign_domain::Timestamp;
//! use countersign_sigv4::{Presented, SecretKey, UnverifiedRequest, verify};
//!
//! // `get-vanilla` of AWS's published test suite
//! let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
//!     SignedHeaders=host;x-amz-date, \
//!     Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
//! let headers = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z"), ("authorization", authorization)]
//!     .map(|(name, value)| (name.to_owned(), value.to_owned()));
//! let request =
//!     UnverifiedRequest { method: "GET", path: "/", query: "", headers: &headers, body: &Bytes::new() };
//!
//! let presented = Presented::parse(&request)?;
//! assert_eq!(presented.unverified_access_key_id(), "AKIDEXAMPLE");
//! let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"); // found by the key id
//! let verified = verify(&presented, &request, &secret, Timestamp::from_secs(1_440_938_160))?;
//! assert_eq!(verified.scope.service, "service");
//! # Ok::<(), countersign_sigv4::SignatureError>(())
//! ```
//!
//! # Rules that are stricter than AWS's
//! * Headers that decide how a request is read must be signed ([`must_be_signed`]).
//! * A path whose dot segments or empty segments the signature does not cover is refused
//!   ([`UncoveredSegments`]).
//! * A body that the signature does not cover is accepted only where [`UnsignedBodies`] says so.
//! * aws-chunked framing is read to the last byte: every length, chunk signature, declared trailer
//!   and checksum must be right, and nothing may follow.
//! * Whatever could be read in two ways is refused: two signatures, two dates, duplicates of a
//!   header that has one value, broken percent escapes.
//!
//! Rules are taken from "Signing AWS API requests" in the IAM user guide, from "Authenticating
//! Requests (AWS Signature Version 4)" in the Amazon S3 API reference, and from what botocore and
//! aws-sigv4 do.

mod checksum;
mod chunked;
mod error;
mod headers;
mod instant;
mod options;
mod path;
mod payload;
mod percent;
mod presented;
mod query;
mod request;
mod scope;
mod secret;
mod verify;

pub use error::SignatureError;
pub use headers::{ADDED_HEADERS, ROUTING_HEADERS, SINGLE_VALUE_HEADERS, must_be_signed};
pub use options::{MAX_CLOCK_SKEW, MAX_EXPIRES, MAX_PATH_CANDIDATES, Options, UncoveredSegments, UnsignedBodies};
pub use path::is_s3_family;
pub use payload::PayloadKind;
pub use presented::Presented;
pub use query::without_signature;
pub use request::UnverifiedRequest;
pub use scope::Scope;
pub use secret::SecretKey;
pub use verify::{Verified, verify, verify_any_path, verify_any_path_with, verify_with};
