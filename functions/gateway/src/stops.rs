//! The kill switch as the gateway honours it: read at most five seconds ago, or not at all.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use countersign_aws::authority::{AuthorityError, QuarantineScopes};
use countersign_domain::{SessionId, Timestamp};
use countersign_identity::session::SessionClaims;

use crate::{denial::Denial, gateway::Gateway};

/// For how long a look at the stop list counts, by the wall clock: an instance's own clock stands
/// still while Lambda keeps it frozen.
const FRESH: Duration = Duration::from_secs(5);
/// Sessions that are remembered; more are looked up every time.
const REMEMBERED: usize = 512;

/// What was seen of the stop list, by session.
#[derive(Debug, Default)]
pub(crate) struct Stops(Mutex<HashMap<SessionId, (Timestamp, Option<String>)>>);

impl Stops {
    fn fresh(&self, session: &SessionId, now: Timestamp) -> Option<Option<String>> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, stop) = seen.get(session)?;
        // A clock that went back makes nothing fresh.
        (*at <= now && now.since(*at) < FRESH).then(|| stop.clone())
    }

    fn remember(&self, session: &SessionId, now: Timestamp, stop: Option<String>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED {
            seen.retain(|_, (at, _)| now.since(*at) < FRESH);
        }
        if seen.len() < REMEMBERED {
            seen.insert(session.clone(), (now, stop));
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
        if let Some(stop) = self.stops.fresh(&claims.session, now) {
            return Ok(stop);
        }
        let scopes = QuarantineScopes::of(&claims.login.agent, &claims.session, &claims.login.target, None);
        let stop = self.authority.quarantine(&scopes).await?.map(|found| found.reason);
        self.stops.remember(&claims.session, now, stop.clone());
        Ok(stop)
    }

    /// Denies if this session is stopped, or if that cannot be known.
    pub(crate) async fn require_not_stopped(&self, claims: &SessionClaims, now: Timestamp) -> Result<(), Denial> {
        match self.stopped(claims, now).await {
            Ok(None) => Ok(()),
            Ok(Some(reason)) => Err(Denial::Quarantined(reason)),
            Err(error) => {
                tracing::error!(%error, "the stop list cannot be read");
                Err(Denial::Unavailable { what: "the stop list cannot be read" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_counts_for_five_seconds_of_wall_clock_and_never_backwards() {
        let stops = Stops::default();
        let session = SessionId::from_bits([1; 16]);
        let at = |seconds: u64| Timestamp::from_secs(1000 + seconds);
        stops.remember(&session, at(0), Some("halt".into()));
        assert_eq!(stops.fresh(&session, at(4)), Some(Some("halt".into())));
        assert_eq!(stops.fresh(&session, at(5)), None);
        assert_eq!(stops.fresh(&session, Timestamp::from_secs(999)), None);
        assert_eq!(stops.fresh(&SessionId::from_bits([2; 16]), at(0)), None);
    }
}
