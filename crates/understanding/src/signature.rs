//! The signature of a request, through a door that may have changed the path.

use std::borrow::Cow;

use countersign_catalogue::Catalogue;
use countersign_domain::Timestamp;
use countersign_sigv4::{
    Options, Presented, SecretKey, SignatureError, UnsignedBodies, UnverifiedRequest, Verified, is_s3_family,
    verify_any_path_with,
};

/// A path as a door hands it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoorPath<'a> {
    /// As the client sent it: function URLs.
    AsSent(&'a str),
    /// Percent-decoded, `//` collapsed and cut at a decoded `?`: HTTP and REST APIs. What the client signed is
    /// recovered.
    Decoded(&'a str),
    /// The same behind an endpoint's own path, which is plain: that path, and what follows it, which is empty or
    /// begins with `/`. Both were signed together.
    DecodedBehind(&'a str, &'a str),
}

/// Why a request is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// The signature is wrong, late, or covers too little.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The signature fits no path that the client may have sent; the door may have lost it. Another door keeps paths.
    #[error("the path cannot be recovered from what the door made of it")]
    PathLost,
}

/// Verifies the signature of a request, and gives the path as it was signed.
///
/// A body that the signature does not cover is taken where clients leave it unsigned; the catalogue then refuses it
/// for every operation of which that is not so, if it is told by [`countersign_catalogue::WireRequest::body_is_signed`].
///
/// # Errors
/// [`NotVerified`]; nothing of the request may be believed then.
pub fn verify<'a>(
    presented: &Presented<'a>,
    request: &UnverifiedRequest<'a>,
    path: DoorPath<'a>,
    secret: &SecretKey,
    now: Timestamp,
) -> Result<(Verified, String), NotVerified> {
    let options = Options { unsigned_bodies: UnsignedBodies::AsSdksDo, ..Options::default() };
    let service = presented.unverified_scope().service;
    let recovered = |path| Catalogue::embedded().candidate_paths(&service, request.method, path);
    let candidates: Box<dyn Iterator<Item = Cow<'_, str>>> = match path {
        DoorPath::AsSent(path) | DoorPath::DecodedBehind(path, "") => Box::new(std::iter::once(Cow::Borrowed(path))),
        DoorPath::Decoded(path) => Box::new(recovered(path).map(Cow::Owned)),
        DoorPath::DecodedBehind(endpoint, path) => {
            Box::new(recovered(path).map(move |path| Cow::Owned(format!("{endpoint}{path}"))))
        }
    };
    verify_any_path_with(presented, request, secret, now, &options, candidates).map_err(|error| match (&error, path) {
        (
            SignatureError::SignatureMismatch | SignatureError::TooManyPaths,
            DoorPath::Decoded(path) | DoorPath::DecodedBehind(_, path),
        ) if may_be_cut(path, &service) => NotVerified::PathLost,
        _ => NotVerified::Signature(error),
    })
}

/// Whether the door may have been sent a longer path than it gave: any but `/` of services that have no other.
fn may_be_cut(path: &str, service: &str) -> bool {
    path != "/" || is_s3_family(service)
}
