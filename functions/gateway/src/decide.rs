//! From a signed request to a decision on record.

use std::{borrow::Cow, net::IpAddr};

use countersign_catalogue::{Endpoint, WireRequest};
use countersign_domain::{
    Call, Decision, Digest, Obligations, Timestamp,
    event::{Event, Happening, ShadowBundle},
    matching::match_digest,
};
use countersign_policy::{Facts, Verdict};
use countersign_sigv4::without_signature;

use crate::{
    caller::Caller, collect::Collected, denial::Denial, door::Incoming, gateway::Gateway, login::subject, reply::Reply,
    voice::Voice,
};

/// A call whose decision is being carried out.
pub(crate) struct Deciding<'a> {
    /// Who.
    pub caller: &'a Caller<'a>,
    /// What.
    pub call: &'a Call,
    /// Through which door, with which headers.
    pub incoming: &'a Incoming,
    /// What policy said.
    pub verdict: &'a Verdict,
    /// What the shadow bundle would say. Nothing but the record sees it.
    pub shadow: Option<ShadowBundle>,
    /// When.
    pub now: Timestamp,
}

impl Deciding<'_> {
    /// The digest that finds an earlier request of the same call.
    fn match_digest(&self) -> Digest {
        let login = &self.caller.claims.login;
        match_digest(&login.agent, &login.target, self.call)
    }
}

impl Gateway {
    /// Answers a signed request, in the caller's protocol whatever happens.
    pub(crate) async fn call(&self, incoming: &Incoming, now: Timestamp) -> Reply {
        let mut voice = Voice::guessed(incoming);
        match self.try_call(incoming, now, &mut voice).await {
            Ok(reply) => reply,
            Err(denial) => {
                tracing::info!(denial = denial.name(), request_id = %incoming.request_id, "not answered by AWS");
                voice.say(&denial, incoming)
            }
        }
    }

    async fn try_call(&self, incoming: &Incoming, now: Timestamp, voice: &mut Voice) -> Result<Reply, Denial> {
        let caller = self.authenticate(incoming, now).await?;
        voice.speaks_as(&caller.verified.scope.service);
        if let Err(denial) = self.require_not_stopped(&caller.claims, now).await {
            self.record_refusal(&caller, &denial, incoming, now).await?;
            return Err(denial);
        }
        let call = match self.understand(incoming, &caller) {
            Ok(call) => call,
            Err(denial) => {
                self.record_refusal(&caller, &denial, incoming, now).await?;
                return Err(denial);
            }
        };
        voice.speaks_for(&call);
        let facts = facts(&caller, incoming, now);
        let verdict = self.bundle.decide(&call, &facts);
        let shadow = self.shadow.decide(&call, &facts);
        let deciding = Deciding { caller: &caller, call: &call, incoming, verdict: &verdict, shadow, now };
        match &verdict.decision {
            Decision::Deny { reason, .. } => self.deny(&deciding, reason).await,
            Decision::NeedsApproval { obligations, .. } => self.hold_or_collect(&deciding, obligations).await,
            Decision::Allow { obligations, .. } => self.forward_or_collect(&deciding, obligations).await,
        }
    }

    fn understand(&self, incoming: &Incoming, caller: &Caller<'_>) -> Result<Call, Denial> {
        let host_prefix = self
            .host_prefix(incoming)
            .ok_or_else(|| Denial::Unreadable("the `Host` header is not this gateway's".to_owned()))?;
        let headers: Cow<'_, [(String, String)]> = if caller.verified.trailers.is_empty() {
            Cow::Borrowed(&incoming.headers)
        } else {
            Cow::Owned(incoming.headers.iter().chain(&caller.verified.trailers).cloned().collect())
        };
        let query = match caller.verified.presigned_expires {
            Some(_) => Cow::Owned(without_signature(&incoming.query)),
            None => Cow::Borrowed(incoming.query.as_str()),
        };
        let request = WireRequest {
            method: &incoming.method,
            path: &caller.path,
            query: &query,
            headers: &headers,
            body: caller.verified.body.clone(),
            signing_name: &caller.verified.scope.service,
            signing_region: &caller.verified.scope.region,
            host_prefix,
            from_chunked: caller.verified.decoded_from_chunked,
            body_is_signed: caller.verified.payload.is_signed(),
            endpoint: caller.endpoint.as_deref().map_or(Endpoint::Any, Endpoint::OfService),
        };
        countersign_understanding::understand(&request, caller.target).map_err(Denial::NotUnderstood)
    }

    async fn deny(&self, deciding: &Deciding<'_>, reason: &str) -> Result<Reply, Denial> {
        self.record_decision(deciding).await?;
        Err(Denial::Policy(reason.to_owned()))
    }

    /// A call that policy lets pass alone may still have been approved before policy changed: its
    /// outcome waits, and sending it again would do it twice. Reads need no such care.
    async fn forward_or_collect(&self, deciding: &Deciding<'_>, obligations: &Obligations) -> Result<Reply, Denial> {
        if !deciding.call.is_read_only()
            && let Collected::Reply(reply) = self.collect(deciding, &deciding.match_digest()).await?
        {
            return Ok(reply);
        }
        self.forward(deciding, obligations).await
    }

    async fn hold_or_collect(&self, deciding: &Deciding<'_>, obligations: &Obligations) -> Result<Reply, Denial> {
        let match_digest = deciding.match_digest();
        match self.collect(deciding, &match_digest).await? {
            Collected::Reply(reply) => Ok(reply),
            Collected::Nothing(replaces) => {
                Err(self.hold(deciding, obligations, match_digest, replaces.as_ref()).await?)
            }
        }
    }

    /// Records a decision; where that fails the call is denied. Gives the event's place.
    pub(crate) async fn record_decision(&self, deciding: &Deciding<'_>) -> Result<u64, Denial> {
        let event = Event {
            at: deciding.now,
            subject: subject(&deciding.caller.claims, None),
            happening: Happening::Decided {
                decision: deciding.verdict.decision.as_str().to_owned(),
                rules: deciding.verdict.decision.rules().to_vec(),
                shadow: deciding.verdict.shadow.clone(),
                shadow_decision: deciding.verdict.shadow_decision.as_ref().map(|would| would.as_str().to_owned()),
                shadow_bundle: deciding.shadow.clone(),
                call: countersign_understanding::call_record(
                    deciding.call,
                    &deciding.caller.target.account,
                    &self.masker,
                    &deciding.incoming.source_ip,
                ),
                bundle: *self.bundle.hash(),
            },
        };
        self.record(deciding.caller, &event).await
    }

    /// Records what an authenticated agent sent and nobody understood: this is where probing shows.
    async fn record_refusal(
        &self,
        caller: &Caller<'_>,
        denial: &Denial,
        incoming: &Incoming,
        now: Timestamp,
    ) -> Result<u64, Denial> {
        let event = Event {
            at: now,
            subject: subject(&caller.claims, None),
            happening: Happening::Refused {
                code: denial.name().to_owned(),
                reason: self.masker.mask_plain(&denial.to_string()).into_owned(),
                source_ip: incoming.source_ip.clone(),
            },
        };
        self.record(caller, &event).await
    }

    /// Appends to the session's chain.
    pub(crate) async fn record(&self, caller: &Caller<'_>, event: &Event) -> Result<u64, Denial> {
        match self.recorder.append(caller.claims.session.as_str(), event).await {
            Ok(recorded) => Ok(recorded.sequence),
            Err(error) => {
                tracing::error!(%error, "an event could not be recorded");
                Err(Denial::Unavailable { what: "the decision could not be recorded" })
            }
        }
    }
}

fn facts<'a>(caller: &'a Caller<'_>, incoming: &Incoming, now: Timestamp) -> Facts<'a> {
    let login = &caller.claims.login;
    Facts {
        agent: &login.agent,
        agent_groups: &login.groups,
        owners: &login.owners,
        target: caller.target,
        session_age: now.since(caller.claims.issued_at),
        unverified_task: &caller.unverified_words,
        source_ip: incoming.source_ip.parse::<IpAddr>().ok(),
        now,
    }
}
