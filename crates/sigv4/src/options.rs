//! What a verifier may be told to do otherwise, and the limits it keeps.

use std::time::Duration;

/// How far apart the request's time and ours may be, either way.
///
/// AWS documents five minutes ("Elements of an AWS API request signature" in the IAM user guide);
/// Amazon S3 alone allows fifteen. SDKs correct their clock on the error and try again.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// The longest that a presigned request may be good for: seven days.
pub const MAX_EXPIRES: Duration = Duration::from_secs(604_800);

/// How many paths [`verify_any_path`](crate::verify_any_path) tries before it gives up, so that one
/// request cannot buy unbounded work.
pub const MAX_PATH_CANDIDATES: usize = 256;

/// Where a body that the signature does not cover is accepted (`UNSIGNED-PAYLOAD`,
/// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`, and presigned requests of the S3 family).
///
/// Such a body is protected by TLS between the client and whoever ends TLS for us, and by nothing
/// else: whoever holds the headers can send another body. For Amazon S3 that cannot be avoided, as
/// every SDK leaves the bodies of objects unsigned over https, and some leave all bodies: besides what
/// is stored, such a body may hold the keys of DeleteObjects or a bucket's policy. The operation and
/// the bucket are in path and query, which are signed. Anywhere else a body can name both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnsignedBodies {
    /// Nowhere.
    Refuse,
    /// For the S3 family only ([`is_s3_family`](crate::is_s3_family)).
    #[default]
    S3Family,
    /// Where SDKs leave bodies unsigned: the S3 family, and the services that have an operation
    /// whose model says so (`v4-unsigned-body`): `ebs`, `lex`, `mediastore`, `omics`. The verifier does not
    /// know the operation, so this accepts it for all operations of these services.
    AsSdksDo,
}

impl UnsignedBodies {
    /// Whether the service, by its signing name, may leave the body unsigned.
    pub(crate) fn allow(self, service: &str) -> bool {
        match self {
            Self::Refuse => false,
            Self::S3Family => crate::is_s3_family(service),
            Self::AsSdksDo => crate::is_s3_family(service) || ["ebs", "lex", "mediastore", "omics"].contains(&service),
        }
    }
}

/// What to do with a path that has dot segments or empty segments, outside the S3 family.
///
/// The signature covers the path without them, so the same signature is good for `/a/b`, `//a/b` and
/// `/x/../a/b`. Whoever matches the raw path against route templates reads three different calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UncoveredSegments {
    /// Refuse.
    #[default]
    Refuse,
    /// Accept, as AWS does. The caller must then read the normalised path only.
    Accept,
}

/// Choices of a verifier. The default is the strict reading of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Where bodies may be unsigned.
    pub unsigned_bodies: UnsignedBodies,
    /// Whether paths may have segments that the signature does not cover.
    pub uncovered_segments: UncoveredSegments,
}
