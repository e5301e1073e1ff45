//! The kill switch as the gateway honours it: read at most five seconds ago, or not at all.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use countersign_aws::authority::{AuthorityError, QuarantineScopes, UntrustedRequest};
use countersign_domain::{AgentId, SessionId, TargetName, Timestamp};
use countersign_identity::session::SessionClaims;

use crate::{denial::Denial, gateway::Gateway};

/// For how long a look at the stop list counts, by the wall clock: an instance's own clock stands
/// still while Lambda keeps it frozen.
const FRESH: Duration = Duration::from_secs(5);
/// Sessions that are remembered; more are looked up every time.
const REMEMBERED: usize = 512;

/// A session on one of its targets.
type Acting = (SessionId, TargetName);

/// What was seen of the stop list, by session and target.
#[derive(Debug, Default)]
pub(crate) struct Stops(Mutex<HashMap<Acting, (Timestamp, Option<String>)>>);

impl Stops {
    fn fresh(&self, acting: &Acting, now: Timestamp) -> Option<Option<String>> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, stop) = seen.get(acting)?;
        // A clock that went back makes nothing fresh.
        (*at <= now && now.since(*at) < FRESH).then(|| stop.clone())
    }

    fn remember(&self, acting: Acting, now: Timestamp, stop: Option<String>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED {
            seen.retain(|_, (at, _)| now.since(*at) < FRESH);
        }
        if seen.len() < REMEMBERED {
            seen.insert(acting, (now, stop));
        }
    }
}

impl Gateway {
    /// The operator's words if this session is stopped.
    pub(crate) async fn stopped(
        &self,
        claims: &SessionClaims,
        now: Timestamp,
    ) -> Result<Option<String>, AuthorityError> {
        let acting = (claims.session.clone(), claims.login.target.clone());
        if let Some(stop) = self.stops.fresh(&acting, now) {
            return Ok(stop);
        }
        let scopes = QuarantineScopes::of(&claims.login.agent, &claims.session, &claims.login.target, None);
        let stop = self.authority.quarantine(&scopes).await?.map(|found| found.reason);
        self.stops.remember(acting, now, stop.clone());
        Ok(stop)
    }

    /// Denies if this session is stopped, or if that cannot be known.
    pub(crate) async fn require_not_stopped(&self, claims: &SessionClaims, now: Timestamp) -> Result<(), Denial> {
        not_stopped(self.stopped(claims, now).await)
    }

    /// Denies if the agent is stopped, in the session and on the target that a request of its is
    /// from, or if that cannot be known. For whoever shows a token and no session.
    pub(crate) async fn require_agent_not_stopped(
        &self,
        agent: &AgentId,
        request: &UntrustedRequest,
    ) -> Result<(), Denial> {
        let scopes = QuarantineScopes::of(agent, &request.session, &request.target, None);
        not_stopped(self.authority.quarantine(&scopes).await.map(|found| found.map(|found| found.reason)))
    }
}

fn not_stopped(looked: Result<Option<String>, AuthorityError>) -> Result<(), Denial> {
    match looked {
        Ok(None) => Ok(()),
        Ok(Some(reason)) => Err(Denial::Quarantined(reason)),
        Err(error) => {
            tracing::error!(%error, "the stop list cannot be read");
            Err(Denial::Unavailable { what: "the stop list cannot be read" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_counts_for_five_seconds_of_wall_clock_and_never_backwards() {
        let stops = Stops::default();
        let acting = |bits: u8, target: &str| (SessionId::from_bits([bits; 16]), TargetName::new(target).unwrap());
        let at = |seconds: u64| Timestamp::from_secs(1000 + seconds);
        stops.remember(acting(1, "main"), at(0), Some("halt".into()));
        assert_eq!(stops.fresh(&acting(1, "main"), at(4)), Some(Some("halt".into())));
        assert_eq!(stops.fresh(&acting(1, "main"), at(5)), None);
        assert_eq!(stops.fresh(&acting(1, "main"), Timestamp::from_secs(999)), None);
        for other in [acting(2, "main"), acting(1, "other")] {
            assert_eq!(stops.fresh(&other, at(0)), None, "a stop of a target is not one of another");
        }
    }
}
