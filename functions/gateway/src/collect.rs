//! Handing over what became of a held call.
//!
//! A repeated call finds its request by the match digest. What it then gets depends on the state
//! alone, which follows from the items of all writers, and from whether the state machine still runs.

use std::time::Duration;

use countersign_aws::{
    authority::{Delivery, RequestSnapshot},
    outcomes::Outcome,
    states::Started,
};
use countersign_domain::{
    Digest, RequestId, Timestamp,
    event::{Event, Happening},
    request::{OutcomeKind, RequestState},
};

use crate::{
    decide::Deciding, denial::Denial, door::LARGEST_ANSWER, gateway::Gateway, hold::unreadable, login::subject,
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

/// Said of an outcome that is unknown for no reason on record.
const NO_ANSWER: &str = "no answer of AWS is on record";

/// A request and its state, the state machine considered.
pub(crate) struct Standing {
    pub snapshot: RequestSnapshot,
    pub state: RequestState,
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
        self.collect_from(deciding, snapshot).await
    }

    async fn collect_from(&self, deciding: &Deciding<'_>, found: RequestSnapshot) -> Result<Collected, Denial> {
        let Standing { snapshot, state } = self.standing(found, deciding.now).await?;
        let request = snapshot.request.request.clone();
        let told = reason_of(&snapshot, &state);
        let reply = match state {
            RequestState::Pending { .. } | RequestState::Approved | RequestState::Executing => {
                return Err(self.waiting(&snapshot.request));
            }
            RequestState::NotSent => {
                let reason = told.unwrap_or("no reason is on record").to_owned();
                self.hand_over(deciding, &snapshot, Denial::NotSent { request: request.clone(), reason }).await?
            }
            RequestState::Unknown => {
                let reason = told.unwrap_or(NO_ANSWER).to_owned();
                let denial = Denial::OutcomeUnknown { request: Some(request.clone()), reason };
                self.hand_over(deciding, &snapshot, denial).await?
            }
            RequestState::NotAsked { reason } => {
                let denial = Denial::NotAsked { request: request.clone(), reason: reason.words() };
                self.hand_over(deciding, &snapshot, denial).await?
            }
            RequestState::Answered | RequestState::Delivered => self.deliver(deciding, &snapshot).await?,
            RequestState::Denied { by, reason } => {
                let cooldown = Duration::from_secs(u64::from(self.bundle.settings().limits.cooldown_seconds));
                let until = snapshot.denied_at().unwrap_or(deciding.now).plus(cooldown);
                self.release(&snapshot).await;
                if deciding.now < until {
                    return Err(Denial::Rejected { request, by, reason, until });
                }
                None
            }
            RequestState::Expired => {
                self.release(&snapshot).await;
                None
            }
        };
        Ok(reply.map_or_else(|| Collected::Nothing(Some(request)), Collected::Reply))
    }

    /// How a request stands. One that waits has a machine that runs: one that does not run yet is
    /// started, and where it has ended and no item says how, nothing is left that could go on.
    pub(crate) async fn standing(&self, snapshot: RequestSnapshot, now: Timestamp) -> Result<Standing, Denial> {
        let state = snapshot.state(now);
        if !state.is_waiting() || self.start_asking(&snapshot.request).await? == Started::Runs {
            return Ok(Standing { snapshot, state });
        }
        // Whoever ends the machine writes first: what was read before may be older than its end.
        let again = self.authority.request_facts(&snapshot.request.request).await.map_err(unreadable)?;
        let snapshot = again.ok_or(Denial::Unavailable { what: "the request cannot be read" })?;
        let state = snapshot.state(now).after_the_machine();
        Ok(Standing { snapshot, state })
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
        let answered = |outcome: &Outcome| outcome.kind == OutcomeKind::Answered;
        let Some(outcome) = outcome.filter(answered) else {
            return Err(Denial::Unavailable { what: "the outcome cannot be read" });
        };
        if let Some(reason) = outcome.reason {
            // Executed, but the executor could not give the answer on.
            return self.hand_over(deciding, snapshot, Denial::Unmaskable(reason)).await;
        }
        let status = outcome.status.unwrap_or(200);
        let reply = Reply { status, headers: outcome.headers, body: outcome.body };
        let reply = match self.with_queues_here(deciding, reply) {
            Ok(reply) => reply,
            Err(denial) => return self.hand_over(deciding, snapshot, denial).await,
        };
        if !reply.fits() {
            let denial = Denial::AnswerTooLarge { bytes: reply.body.len(), limit: LARGEST_ANSWER };
            return self.hand_over(deciding, snapshot, denial).await;
        }
        Ok(self.mark_delivered(deciding, snapshot, status).await?.then_some(reply))
    }

    /// Tells an end that is no answer of AWS, once; the next call is a new one.
    async fn hand_over(
        &self,
        deciding: &Deciding<'_>,
        snapshot: &RequestSnapshot,
        denial: Denial,
    ) -> Result<Option<Reply>, Denial> {
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
}

/// Why nothing came back, or not what was asked for: what the executor put on record, or what the
/// end of the machine alone tells.
pub(crate) fn reason_of<'a>(snapshot: &'a RequestSnapshot, state: &RequestState) -> Option<&'a str> {
    match (&snapshot.outcome, state) {
        (Some(outcome), _) => outcome.reason.as_deref(),
        (None, RequestState::NotSent) => Some("the state machine that would have had it sent has ended"),
        (None, RequestState::Unknown) => Some("the replay had begun and ended without an outcome on record"),
        (None, _) => None,
    }
}
