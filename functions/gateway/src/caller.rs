//! Who calls: the session behind a signature.

use std::borrow::Cow;

use countersign_catalogue::Catalogue;
use countersign_domain::{Timestamp, settings::Target};
use countersign_identity::session::{SessionClaims, SessionError};
use countersign_sigv4::{Presented, SecretKey, SignatureError, UnverifiedRequest, Verified, verify_any_path};

use crate::{
    denial::Denial,
    door::{Incoming, UnverifiedPath},
    gateway::Gateway,
};

/// A caller whose signature holds.
pub(crate) struct Caller<'a> {
    /// The session.
    pub claims: SessionClaims,
    /// Where it acts.
    pub target: &'a Target,
    /// What the signature covers, and the body out of its framing.
    pub verified: Verified,
    /// The path as signed.
    pub path: String,
}

impl Gateway {
    /// Verifies the signature with the secret of the session that the request names. The session
    /// token is opened first because only it leads to the secret; it proves nothing before the
    /// signature is verified.
    pub(crate) async fn authenticate(&self, incoming: &Incoming, now: Timestamp) -> Result<Caller<'_>, Denial> {
        let request = UnverifiedRequest {
            method: &incoming.method,
            path: incoming.path_text(),
            query: &incoming.query,
            headers: &incoming.headers,
            body: &incoming.body,
        };
        let presented = Presented::parse(&request).map_err(Denial::Signature)?;
        let unverified_token = presented.unverified_session_token().ok_or(SessionError::Invalid)?;
        let sealer = self.sealer().await?;
        let (claims, secret) = sealer.open_session(presented.unverified_access_key_id(), unverified_token, now)?;
        let secret = SecretKey::new(secret.expose());
        let service = presented.unverified_scope().service;
        let candidates: Box<dyn Iterator<Item = Cow<'_, str>>> = match &incoming.path {
            UnverifiedPath::Raw(path) => Box::new(std::iter::once(Cow::Borrowed(path.as_str()))),
            UnverifiedPath::Decoded(path) => {
                Box::new(Catalogue::embedded().candidate_paths(&service, &incoming.method, path).map(Cow::Owned))
            }
        };
        let (verified, path) = verify_any_path(&presented, &request, &secret, now, candidates)
            .map_err(|error| self.explain_signature(error, incoming))?;
        let target = self
            .bundle
            .settings()
            .target(&claims.login.target)
            .ok_or_else(|| Denial::TargetGone(claims.login.target.clone()))?;
        Ok(Caller { claims, target, verified, path })
    }

    /// Where the door may have lost the path, a signature that fits none says so.
    fn explain_signature(&self, error: SignatureError, incoming: &Incoming) -> Denial {
        match (&error, &incoming.path) {
            (SignatureError::SignatureMismatch | SignatureError::TooManyPaths, UnverifiedPath::Decoded(path))
                if is_lossy(path) =>
            {
                Denial::PathLost {
                    path: path.chars().take(200).collect(),
                    other_door: self.settings.other_door_url.as_ref().map(ToString::to_string),
                }
            }
            _ => Denial::Signature(error),
        }
    }
}

/// Whether anything in a decoded path could have been sent in several ways.
fn is_lossy(path: &str) -> bool {
    path.bytes().any(|byte| !(byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte)))
        || path.matches('/').count() > 1
}
