//! Holding a call for persons: it is frozen, stored, and its state machine started.

use std::{collections::BTreeSet, time::Duration};

use countersign_aws::{
    authority::{AuthorityError, FullPool, NewRequest, Opened, Places, UntrustedRequest},
    states::Started,
};
use countersign_domain::{
    Caller as FrozenCaller, Digest, FrozenCall, GroupName, Obligations, RequestId, Timestamp,
    event::{Event, Happening},
    ids::RegionName,
    limits::{Charge, Exceeded, PendingPool},
};

use crate::{decide::Deciding, denial::Denial, gateway::Gateway, login::subject};

impl Gateway {
    /// Freezes the call and has persons asked.
    ///
    /// # Errors
    /// Only what went wrong; that the call waits is the result.
    pub(crate) async fn hold(
        &self,
        deciding: &Deciding<'_>,
        obligations: &Obligations,
        match_digest: Digest,
        replaces: Option<&RequestId>,
    ) -> Result<Denial, Denial> {
        let random = countersign_aws::process::random().ok_or(Denial::Unavailable { what: "no randomness" })?;
        let request_id = RequestId::from_random(random);
        let frozen = self.freeze(deciding, obligations, request_id.clone())?;
        // What could not be read back would be approved in vain.
        countersign_understanding::reidentify(&frozen, deciding.caller.target).map_err(Denial::NotUnderstood)?;
        let decided = self.record_decision(deciding).await?;
        let budget = self.budget(deciding)?;
        let login = &deciding.caller.claims.login;
        let most = self.bundle.settings().limits.pending_per_agent;
        let own = PendingPool::of_agent(&login.agent, most);
        let places = Places { agent: &login.agent, own, pools: &budget.pools };
        // Sealing costs a key and perhaps an object, so it is known before whether the call may wait.
        if let Some(exceeded) = self.make_room(&places, deciding.now).await? {
            return Err(self.limited(deciding, decided, exceeded).await);
        }
        let (sealed, frozen_digest) = self.frozen.seal(&frozen).await.map_err(|error| {
            tracing::error!(%error, "the call cannot be frozen");
            Denial::Unavailable { what: "the call could not be frozen" }
        })?;
        let request = UntrustedRequest {
            request: request_id,
            agent: login.agent.clone(),
            session: deciding.caller.claims.session.clone(),
            target: login.target.clone(),
            operation: deciding.call.name(),
            groups: obligations.approvals.keys().cloned().collect(),
            frozen_digest,
            match_digest,
            created_at: frozen.frozen_at,
            expires_at: frozen.expires_at,
            sealed,
        };
        match self.open(&request, replaces, places, &budget.charges, deciding.now).await? {
            Opening::Opened => {}
            Opening::Waits(other) => return Ok(other),
            Opening::Exceeded(exceeded) => return Err(self.limited(deciding, decided, exceeded).await),
        }
        let event = Event {
            at: deciding.now,
            subject: subject(&deciding.caller.claims, Some(&request.request)),
            happening: Happening::Held {
                frozen_digest,
                expires_at: request.expires_at,
                approvals: obligations.approvals.iter().map(|(group, quorum)| (group.to_string(), *quorum)).collect(),
            },
        };
        self.record(deciding.caller, &event).await?;
        self.start_asking(&request).await?;
        Ok(self.waiting(&request))
    }

    fn freeze(
        &self,
        deciding: &Deciding<'_>,
        obligations: &Obligations,
        request_id: RequestId,
    ) -> Result<FrozenCall, Denial> {
        let claims = &deciding.caller.claims;
        let target = deciding.caller.target;
        let region = RegionName::new(&deciding.call.region)
            .map_err(|error| Denial::Unreadable(format!("the region of the signature: {error}")))?;
        // Whole seconds: the execution's timeout is told in seconds and must end with the request.
        let now = Timestamp::from_secs(deciding.now.as_secs());
        Ok(FrozenCall {
            request_id,
            caller: FrozenCaller {
                agent: claims.login.agent.clone(),
                groups: claims.login.groups.clone(),
                owners: claims.login.owners.clone(),
                session: claims.session.clone(),
                session_started: claims.issued_at,
                unverified_task: deciding.caller.unverified_words.clone(),
                source_ip: deciding.incoming.source_ip.clone(),
            },
            target: target.name.clone(),
            account: target.account.clone(),
            region,
            signing_name: deciding.call.upstream.signing_name.clone(),
            host: deciding.call.upstream.host.clone(),
            outgoing: deciding.call.outgoing.clone(),
            frozen_at: now,
            expires_at: now.plus(obligations.expires),
        })
    }

    /// Sees that each pool has a place, by giving back those of requests that are closed by now.
    /// The limit that has none, otherwise.
    async fn make_room(&self, places: &Places<'_>, now: Timestamp) -> Result<Option<Exceeded>, Denial> {
        let mut full = self.authority.full_pool(places, now).await.map_err(unreadable)?;
        // Each of them may hold what is closed.
        for _ in 0..=places.pools.len() {
            let Some(FullPool { slots, .. }) = &full else { break };
            if !self.release_closed(slots, now).await? {
                break;
            }
            full = self.authority.full_pool(places, now).await.map_err(unreadable)?;
        }
        Ok(full.map(|full| full.exceeded))
    }

    /// Stores the request, unless this call turns out to wait already, or may not wait.
    async fn open(
        &self,
        request: &UntrustedRequest,
        replaces: Option<&RequestId>,
        places: Places<'_>,
        charges: &[Charge],
        now: Timestamp,
    ) -> Result<Opening, Denial> {
        let collect = Duration::from_secs(u64::from(self.bundle.settings().limits.collect_seconds));
        let findable_until = request.expires_at.plus(collect);
        let new = NewRequest { request, findable_until, replaces, places, charges };
        match self.authority.open_request(&new, now).await.map_err(unreadable)? {
            Opened::Opened => Ok(Opening::Opened),
            Opened::Exceeded(exceeded) | Opened::Full(FullPool { exceeded, .. }) => Ok(Opening::Exceeded(exceeded)),
            Opened::MatchTaken(other) => {
                let other = self.authority.request(&other.request).await.map_err(unreadable)?;
                match other {
                    Some(other) => Ok(Opening::Waits(self.waiting(&other))),
                    None => Err(Denial::Unavailable { what: "the request cannot be read" }),
                }
            }
        }
    }

    /// Starts the execution that asks. Done again whenever a waiting call is repeated: the name is
    /// the request's, so an execution that runs stays the only one, and a start that failed before
    /// is made good.
    pub(crate) async fn start_asking(&self, request: &UntrustedRequest) -> Result<Started, Denial> {
        let seconds = request.expires_at.since(request.created_at).as_secs().max(1);
        self.states.start(&request.request, seconds).await.map_err(|error| {
            tracing::error!(%error, request = %request.request, "nobody could be asked");
            Denial::Unavailable { what: "nobody could be asked for approval" }
        })
    }

    pub(crate) fn waiting(&self, request: &UntrustedRequest) -> Denial {
        Denial::ApprovalRequired {
            request: request.request.clone(),
            who: groups(&request.groups),
            expires_at: request.expires_at,
            wait_at: format!("{}/_/v1/requests/{}", self.settings.gateway_url, request.request),
        }
    }
}

/// What storing a request came to.
enum Opening {
    Opened,
    /// The same call waits already.
    Waits(Denial),
    Exceeded(Exceeded),
}

fn groups(names: &BTreeSet<GroupName>) -> String {
    names.iter().map(GroupName::as_str).collect::<Vec<_>>().join(" and ")
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
pub(crate) fn unreadable(error: AuthorityError) -> Denial {
    tracing::error!(%error, "the authority table");
    Denial::Unavailable { what: "requests for approval cannot be read" }
}
