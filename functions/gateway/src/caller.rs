//! Who calls: the session behind a signature.

use countersign_domain::{Timestamp, settings::Target};
use countersign_identity::session::{SessionClaims, SessionError};
use countersign_sigv4::{Presented, SecretKey, UnverifiedRequest, Verified};
use countersign_understanding::{DoorPath, NotVerified};

use crate::{
    denial::Denial,
    door::{Incoming, UnverifiedPath},
    gateway::Gateway,
};

/// A caller whose signature holds.
pub(crate) struct Caller<'a> {
    /// The session.
    pub claims: SessionClaims,
    /// The agent's own words, as every decision on the call sees them: here, in approvals, and in the
    /// executor.
    pub unverified_words: String,
    /// Where it acts.
    pub target: &'a Target,
    /// What the signature covers, and the body out of its framing.
    pub verified: Verified,
    /// The path as signed, without the endpoint of a service.
    pub path: String,
    /// The service whose endpoint was signed, if it was one.
    pub endpoint: Option<String>,
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
        let endpoint = self.unverified_endpoint(incoming);
        let path = match (&incoming.path, endpoint) {
            (UnverifiedPath::Raw(path), _) => DoorPath::AsSent(path),
            (UnverifiedPath::Decoded(path), None) => DoorPath::Decoded(path),
            (UnverifiedPath::Decoded(_), Some(endpoint)) => DoorPath::DecodedBehind(endpoint.prefix, endpoint.rest),
        };
        let (verified, signed_path) = countersign_understanding::verify(&presented, &request, path, &secret, now)
            .map_err(|error| self.explain(error, incoming))?;
        let target = self
            .bundle
            .settings()
            .target(&claims.login.target)
            .ok_or_else(|| Denial::TargetGone(claims.login.target.clone()))?;
        let path = endpoint.map_or_else(|| signed_path.clone(), |endpoint| endpoint.own_path(&signed_path));
        let endpoint = endpoint.map(|endpoint| endpoint.service.to_owned());
        let unverified_words = claims.login.unverified_words();
        Ok(Caller { claims, unverified_words, target, verified, path, endpoint })
    }

    /// Where the door lost the path, the answer names the door that keeps it.
    fn explain(&self, error: NotVerified, incoming: &Incoming) -> Denial {
        match error {
            NotVerified::Signature(error) => Denial::Signature(error),
            NotVerified::PathLost => Denial::PathLost {
                path: incoming.path_text().chars().take(200).collect(),
                other_door: self.settings.other_door_url.as_ref().map(ToString::to_string),
            },
        }
    }
}
