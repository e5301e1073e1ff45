//! Why a request is not understood, from whichever part.

use countersign_domain::encoding::DecodeError;
use countersign_permissions::PermissionsError;

/// Why a request is refused. Nothing that is refused is ever sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The catalogue does not know it, or reads it in two ways.
    #[error(transparent)]
    Catalogue(#[from] countersign_catalogue::Refusal),
    /// Its permissions are not known.
    #[error(transparent)]
    Permissions(#[from] PermissionsError),
    /// AWS takes the operation from anybody, so its answer is for whoever asks: tokens, mostly.
    #[error("`{operation}` is an operation that AWS takes without a signature; the gateway forwards none of them")]
    UnsignedOperation {
        /// `service:Operation`.
        operation: String,
    },
    /// The answer is an event stream, which is neither masked nor held.
    #[error("`{operation}` answers with an event stream, which the gateway does not pass on")]
    EventStreamAnswer {
        /// `service:Operation`.
        operation: String,
    },
    /// The request carries a URL that AWS needs and that only the caller's own credentials could sign.
    #[error(
        "`{operation}` carries a presigned URL for another region, which is signed with this gateway's credentials and \
         which AWS needs in this partition; copy within one region"
    )]
    PresignedUrl {
        /// `service:Operation`.
        operation: String,
    },
    /// The region is not one of the target's.
    #[error("the region `{region}` is not one of the target's: {allowed}")]
    Region {
        /// The region that was signed for, or that the call would act in.
        region: String,
        /// The target's regions.
        allowed: String,
    },
    /// The frozen bytes come out differently.
    #[error("the frozen call comes out differently now: {what}")]
    ComesOutDifferently {
        /// What differs.
        what: &'static str,
    },
    /// The frozen bytes are for another target than the bundle has under that name.
    #[error("the frozen call is for another {what} than the target's")]
    OtherTarget {
        /// What differs.
        what: &'static str,
    },
    /// The bytes are no frozen call.
    #[error("the bytes are no frozen call: {0}")]
    Encoding(#[from] DecodeError),
}

impl Refusal {
    /// A stable name of the reason, for records and tests.
    pub fn reason(&self) -> &'static str {
        match self {
            Refusal::Catalogue(refusal) => refusal.reason(),
            Refusal::Permissions(PermissionsError::TooMany { .. }) => "TooManyPermissions",
            Refusal::Permissions(_) => "UnknownPermissions",
            Refusal::UnsignedOperation { .. } => "UnsignedOperation",
            Refusal::EventStreamAnswer { .. } => "EventStreamAnswer",
            Refusal::PresignedUrl { .. } => "PresignedUrl",
            Refusal::Region { .. } => "Region",
            Refusal::ComesOutDifferently { .. } => "ComesOutDifferently",
            Refusal::OtherTarget { .. } => "OtherTarget",
            Refusal::Encoding(_) => "Encoding",
        }
    }
}
