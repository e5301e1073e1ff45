//! Holding a call for persons, and handing over what became of it.
//!
//! A repeated call finds its request by the match digest. What it then gets depends on the state
//! alone, which is derived from the items of all writers.

use std::{collections::BTreeSet, time::Duration};

use countersign_aws::{
    authority::{AuthorityError, Delivery, NewRequest, Opened, RequestSnapshot, UntrustedRequest},
    outcomes::Outcome,
    states::Started,
};
use countersign_domain::{
    Caller as FrozenCaller, Digest, FrozenCall, GroupName, Obligations, RequestId, Timestamp,
    event::{Event, Happening},
    ids::RegionName,
    limits::Exceeded,
    request::{OutcomeKind, RequestState},
};

use crate::{
    budget::Budget, decide::Deciding, denial::Denial, door::LARGEST_ANSWER, gateway::Gateway, login::subject,
    reply::Reply,
};

/// The client's own id of a call, the same on each of its automatic retries.
/// Source: AWS SDKs and Tools Reference Guide, "Retry behavior".
const INVOCATION_ID: &str = "amz-sdk-invocation-id";

/// What an earlier request for the same call came to.
pub(crate) enum Collected {
    /// Its outcome.
    Reply(Reply),
    /// Nothing to be had. The closed request, if there was one, may be replaced by a new one; any
    /// other that the call belongs to by then may not, or one call would wait twice.
    Nothing(Option<RequestId>),
}

impl Gateway {
    /// What an earlier request for the same call came to.
    ///
    /// # Errors
    /// The state, told as a denial: waiting, denied, unknown …
    pub(crate) async fn collect(&self, deciding: &Deciding<'_>, match_digest: &Digest) -> Result<Collected, Denial> {
        let Some(snapshot) = self.earlier_request(deciding, match_digest).await? else {
            return Ok(Collected::Nothing(None));
        };
        let reply = self.collect_from(deciding, &snapshot).await?;
        Ok(reply.map_or_else(|| Collected::Nothing(Some(snapshot.request.request)), Collected::Reply))
    }

    async fn collect_from(&self, deciding: &Deciding<'_>, snapshot: &RequestSnapshot) -> Result<Option<Reply>, Denial> {
        match snapshot.state(deciding.now) {
            RequestState::Answered | RequestState::Unknown | RequestState::Delivered => {
                self.deliver(deciding, snapshot).await
            }
            RequestState::Pending { .. } => self.keep_asking(deciding, snapshot).await,
            RequestState::NotAsked { reason } => self.not_asked(deciding, snapshot, reason.words()).await,
            RequestState::Approved | RequestState::Executing => self.keep_replaying(deciding, snapshot).await,
            RequestState::Denied { by, reason } => {
                let cooldown = Duration::from_secs(u64::from(self.bundle.settings().limits.cooldown_seconds));
                let until = snapshot.denied_at().unwrap_or(deciding.now).plus(cooldown);
                self.release(snapshot).await;
                if deciding.now < until {
                    Err(Denial::Rejected { request: snapshot.request.request.clone(), by, reason, until })
                } else {
                    Ok(None)
                }
            }
            RequestState::NotSent => {
                let reason = snapshot.outcome.as_ref().and_then(|outcome| outcome.reason.clone());
                let request = snapshot.request.request.clone();
                self.hand_over(deciding, snapshot, || Denial::NotSent {
                    request,
                    reason: reason.unwrap_or_else(|| "no reason is on record".to_owned()),
                })
                .await
            }
            RequestState::Expired => {
                self.release(snapshot).await;
                Ok(None)
            }
        }
    }

    /// A request that waits has a machine that runs. Where it has ended, and no item says how, it
    /// could not even have that written down: nobody will decide.
    async fn keep_asking(&self, deciding: &Deciding<'_>, snapshot: &RequestSnapshot) -> Result<Option<Reply>, Denial> {
        let waiting = || Err(self.waiting(&snapshot.request));
        if self.start_asking(&snapshot.request).await? == Started::Runs {
            return waiting();
        }
        // Whoever ends the machine writes first: what was read before may be older than its end.
        let now = self.authority.request_facts(&snapshot.request.request).await.map_err(unreadable)?;
        match now.map(|snapshot| snapshot.state(deciding.now)) {
            Some(RequestState::Pending { .. }) => {
                self.not_asked(deciding, snapshot, "the state machine that asks has ended without an answer").await
            }
            _ => waiting(),
        }
    }

    /// The machine that has a request replayed runs until its outcome is stored. Where it has ended and
    /// there is none, nobody will store one: whether bytes left, the claim says.
    async fn keep_replaying(
        &self,
        deciding: &Deciding<'_>,
        snapshot: &RequestSnapshot,
    ) -> Result<Option<Reply>, Denial> {
        if self.start_asking(&snapshot.request).await? == Started::Runs {
            return Err(self.waiting(&snapshot.request));
        }
        // Whoever ends the machine writes first: what was read before may be older than its end.
        let request = snapshot.request.request.clone();
        let now = self.authority.request_facts(&request).await.map_err(unreadable)?;
        match now.map(|snapshot| snapshot.state(deciding.now)) {
            Some(RequestState::Executing) => {
                let reason = "the replay had begun and ended without an outcome on record".to_owned();
                let request = Some(request);
                self.hand_over(deciding, snapshot, || Denial::OutcomeUnknown { request, reason }).await
            }
            Some(RequestState::Approved) => {
                let reason = "the state machine that would have had it sent has ended".to_owned();
                self.hand_over(deciding, snapshot, || Denial::NotSent { request, reason }).await
            }
            _ => Err(self.waiting(&snapshot.request)),
        }
    }

    async fn not_asked(
        &self,
        deciding: &Deciding<'_>,
        snapshot: &RequestSnapshot,
        reason: &'static str,
    ) -> Result<Option<Reply>, Denial> {
        let request = snapshot.request.request.clone();
        self.hand_over(deciding, snapshot, || Denial::NotAsked { request, reason }).await
    }

    async fn earlier_request(
        &self,
        deciding: &Deciding<'_>,
        match_digest: &Digest,
    ) -> Result<Option<RequestSnapshot>, Denial> {
        let login = &deciding.caller.claims.login;
        let found = self.authority.find_request(match_digest).await.map_err(unreadable)?;
        let Some(found) = found.filter(|found| deciding.now < found.expires_at) else { return Ok(None) };
        let snapshot = self.authority.request_facts(&found.request).await.map_err(unreadable)?;
        // The digest holds agent and target; this guards against a wrong item, not a wrong agent.
        Ok(snapshot.filter(|snapshot| snapshot.request.agent == login.agent && snapshot.request.target == login.target))
    }

    /// Gives the outcome to the agent: once, and to the retries of the very call that got it.
    async fn deliver(&self, deciding: &Deciding<'_>, snapshot: &RequestSnapshot) -> Result<Option<Reply>, Denial> {
        let request = &snapshot.request.request;
        let outcome = self.outcomes.get(request).await.map_err(unreadable)?;
        let Some(outcome) = outcome else { return Err(Denial::Unavailable { what: "the outcome cannot be read" }) };
        match outcome.kind {
            // Executed, but the executor could not give the answer on.
            OutcomeKind::Answered if outcome.reason.is_some() => {
                let reason = outcome.reason.unwrap_or_default();
                self.hand_over(deciding, snapshot, || Denial::Unmaskable(reason)).await
            }
            OutcomeKind::Answered => {
                let status = outcome.status.unwrap_or(200);
                let reply = match self.with_queues_here(deciding, reply_of(outcome, status)) {
                    Ok(reply) => reply,
                    Err(denial) => return self.hand_over(deciding, snapshot, || denial).await,
                };
                if !reply.fits() {
                    let denial = Denial::AnswerTooLarge { bytes: reply.body.len(), limit: LARGEST_ANSWER };
                    return self.hand_over(deciding, snapshot, || denial).await;
                }
                Ok(self.mark_delivered(deciding, snapshot, status).await?.then_some(reply))
            }
            OutcomeKind::Unknown | OutcomeKind::NotSent => {
                let reason = outcome.reason.unwrap_or_else(|| "no answer of AWS is on record".to_owned());
                let request = Some(request.clone());
                self.hand_over(deciding, snapshot, || Denial::OutcomeUnknown { request, reason }).await
            }
        }
    }

    /// Tells an end that is no answer of AWS, once; the next call is a new one.
    async fn hand_over(
        &self,
        deciding: &Deciding<'_>,
        snapshot: &RequestSnapshot,
        denial: impl FnOnce() -> Denial,
    ) -> Result<Option<Reply>, Denial> {
        let denial = denial();
        if self.mark_delivered(deciding, snapshot, denial.status()).await? { Err(denial) } else { Ok(None) }
    }

    /// Closes the request. Whether this call is the one that gets the outcome.
    async fn mark_delivered(
        &self,
        deciding: &Deciding<'_>,
        snapshot: &RequestSnapshot,
        status: u16,
    ) -> Result<bool, Denial> {
        let request = &snapshot.request.request;
        let invocation = deciding.incoming.header(INVOCATION_ID).filter(|id| id.len() <= 64);
        let event = Event {
            at: deciding.now,
            subject: subject(&deciding.caller.claims, Some(request)),
            happening: Happening::Delivered { status },
        };
        match self.authority.mark_delivered(request, invocation, deciding.now).await.map_err(unreadable)? {
            Delivery::AlreadyDelivered => Ok(false),
            Delivery::Deliver => {
                deciding.incoming.departed.mark();
                // Closed already: if this is not told now, nobody is ever told, and the call would be
                // made again. What the record lacks then, the log says.
                if let Err(denial) = self.record(deciding.caller, &event).await {
                    tracing::error!(%denial, %request, "a delivery is not on record");
                }
                self.release(snapshot).await;
                Ok(true)
            }
        }
    }

    /// Gives back the agent's slot. It would expire by itself, so failing only costs room.
    async fn release(&self, snapshot: &RequestSnapshot) {
        let request = &snapshot.request;
        if let Err(error) = self.authority.release_slots(&request.agent, &request.request).await {
            tracing::warn!(%error, request = %request.request, "a pending slot could not be released");
        }
    }

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
        let (sealed, frozen_digest) = self.frozen.seal(&frozen).await.map_err(|error| {
            tracing::error!(%error, "the call cannot be frozen");
            Denial::Unavailable { what: "the call could not be frozen" }
        })?;
        let login = &deciding.caller.claims.login;
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
        match self.open(&request, replaces, &budget, deciding.now).await? {
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

    /// Stores the request, unless this call turns out to wait already, or may not wait.
    async fn open(
        &self,
        request: &UntrustedRequest,
        replaces: Option<&RequestId>,
        budget: &Budget,
        now: Timestamp,
    ) -> Result<Opening, Denial> {
        let limits = &self.bundle.settings().limits;
        let new = NewRequest {
            request,
            findable_until: request.expires_at.plus(Duration::from_secs(u64::from(limits.collect_seconds))),
            pending_slots: limits.pending_per_agent,
            replaces,
            pools: &budget.pools,
            charges: &budget.charges,
        };
        let mut opened = self.authority.open_request(&new, now).await.map_err(unreadable)?;
        // The agent's own slots, and those of each pool, may hold what is closed by now.
        for _ in 0..=budget.pools.len() {
            let (Opened::TooManyPending(slots) | Opened::PoolFull(_, slots)) = &opened else { break };
            if !self.release_closed(slots, now).await? {
                break;
            }
            opened = self.authority.open_request(&new, now).await.map_err(unreadable)?;
        }
        match opened {
            Opened::Opened => Ok(Opening::Opened),
            Opened::Exceeded(exceeded) | Opened::PoolFull(exceeded, _) => Ok(Opening::Exceeded(exceeded)),
            Opened::MatchTaken(other) => {
                let other = self.authority.request(&other.request).await.map_err(unreadable)?;
                match other {
                    Some(other) => Ok(Opening::Waits(self.waiting(&other))),
                    None => Err(Denial::Unavailable { what: "the request cannot be read" }),
                }
            }
            Opened::TooManyPending(_) => Err(Denial::TooManyPending { limit: limits.pending_per_agent }),
        }
    }

    /// Starts the execution that asks. Done again whenever a waiting call is repeated: the name is
    /// the request's, so an execution that runs stays the only one, and a start that failed before
    /// is made good.
    async fn start_asking(&self, request: &UntrustedRequest) -> Result<Started, Denial> {
        let seconds = request.expires_at.since(request.created_at).as_secs().max(1);
        self.states.start(&request.request, seconds).await.map_err(|error| {
            tracing::error!(%error, request = %request.request, "nobody could be asked");
            Denial::Unavailable { what: "nobody could be asked for approval" }
        })
    }

    fn waiting(&self, request: &UntrustedRequest) -> Denial {
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

fn reply_of(outcome: Outcome, status: u16) -> Reply {
    Reply { status, headers: outcome.headers, body: outcome.body }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
pub(crate) fn unreadable(error: AuthorityError) -> Denial {
    tracing::error!(%error, "the authority table");
    Denial::Unavailable { what: "requests for approval cannot be read" }
}
