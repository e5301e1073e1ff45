//! A person's decision: checked, stored once, and, at quorum, turned into a certificate.
//!
//! The order matters. The decision is recorded and stored before anything follows from it; the
//! certificate is stored before the machine is woken. Whoever repeats the same decision makes good
//! what a crash left undone, so every step here is safe to repeat.

use std::{collections::BTreeSet, time::Duration};

use countersign_aws::{
    ServiceError,
    authority::{AuthorityError, DecisionItem, RequestSnapshot, SignedCertificate, Stored},
    states::{TaskToken, Woken},
};
use countersign_domain::{
    PersonId, RequestId, Timestamp, approval,
    certificate::{Approval, CERTIFICATE_LIFETIME, Proof, Statement},
    event::Happening,
    request::{RequestState, Verdict},
    settings::Person,
};
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::{approvals::Approvals, assess::Assessment, problem::Problem};

/// The longest reason, in bytes.
const LONGEST_REASON: usize = 4000;

/// How often, and how far apart, a task token is looked for that the notifier is about to store.
const LOOKS_FOR_TOKEN: u32 = 14;
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often, that far apart, a claim is looked for by an executor that may have been woken before.
const LOOKS_FOR_CLAIM: u32 = 6;

/// What a person sends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// `approve` or `deny`.
    pub verdict: String,
    /// Why.
    pub reason: String,
    /// The digest of the call that was shown.
    pub frozen_digest: String,
    /// The typed resource name.
    #[serde(default)]
    pub confirm: String,
}

impl Order {
    fn verdict(&self) -> Result<Verdict, Problem> {
        match self.verdict.as_str() {
            "approve" => Ok(Verdict::Approve),
            "deny" => Ok(Verdict::Deny),
            _ => Err(Problem::Form("the verdict is `approve` or `deny`".to_owned())),
        }
    }
}

/// What came of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decided {
    /// Approved, and enough persons have: it runs.
    Runs,
    /// Approved; others are needed.
    NeedsOthers,
    /// Denied.
    Denied,
}

impl Decided {
    /// For scripts.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Decided::Runs => "approved",
            Decided::NeedsOthers => "needs-others",
            Decided::Denied => "denied",
        }
    }
}

/// A decision that may be stored, with what was read to find that out.
struct Checked {
    item: DecisionItem,
    /// The request as it is once its machine waits.
    snapshot: RequestSnapshot,
    /// What wakes the machine.
    token: TaskToken,
}

impl Approvals {
    /// Takes a decision of `person`, who has proved who they are by `proof`.
    ///
    /// # Errors
    /// A refused attempt is recorded, too.
    pub(crate) async fn decide(
        &self,
        found: &Assessment,
        person: &Person,
        proof: Proof,
        order: &Order,
        now: Timestamp,
    ) -> Result<Decided, Problem> {
        let checked = match self.check(found, person, proof, order, now).await {
            Ok(checked) => checked,
            Err(problem) => {
                self.record_refusal(found.subject(), person, &problem, now).await?;
                return Err(problem);
            }
        };
        let item = &checked.item;
        self.record(found, voted(found, item, self.bundle.hash()), now).await?;
        if let Stored::Already(other) = self.store(found, item).await?
            && (other.verdict != item.verdict || other.frozen_digest != item.frozen_digest)
        {
            return Err(Problem::Decided(if other.verdict == Verdict::Approve { "approved" } else { "denied" }));
        }
        match item.verdict {
            Verdict::Deny => self.end(found, &checked).await,
            Verdict::Approve => self.certify_at_quorum(found, &checked, now).await,
        }
    }

    async fn check(
        &self,
        found: &Assessment,
        person: &Person,
        proof: Proof,
        order: &Order,
        now: Timestamp,
    ) -> Result<Checked, Problem> {
        let verdict = order.verdict()?;
        match verdict {
            Verdict::Approve => found.may_approve(person)?,
            Verdict::Deny => found.may_deny(person)?,
        }
        approval::proof_is_enough(proof, &found.call, self.bundle.settings())?;
        let shown = found.digest.to_string();
        if !bool::from(shown.as_bytes().ct_eq(order.frozen_digest.as_bytes())) {
            return Err(Problem::Changed);
        }
        let reason = order.reason.trim();
        if reason.is_empty() || reason.len() > LONGEST_REASON {
            return Err(Problem::Form(format!("a reason is required, of at most {LONGEST_REASON} bytes")));
        }
        let request = &found.frozen.request_id;
        match found.state(now) {
            RequestState::Pending { .. } | RequestState::Approved => {}
            other => return Err(Problem::Closed(other.as_str())),
        }
        // Without the token nothing could be woken: the decision would be stored and nothing follow.
        let token = self.await_task_token(request).await?;
        // The state as it is by now: much may have happened while the machine came to wait.
        let snapshot = self.snapshot(request).await?;
        match found.state_in(&snapshot, now) {
            RequestState::Pending { .. } | RequestState::Approved => {}
            other => return Err(Problem::Closed(other.as_str())),
        }
        let seen = self
            .authority
            .seen(request, &person.id)
            .await
            .map_err(|error| Problem::unavailable("the request cannot be read", &error))?
            .ok_or_else(|| Problem::Form("look at the call before you decide on it".to_owned()))?;
        if verdict == Verdict::Approve {
            if !countersign_masking::is_shown_whole(&found.call.parameters) {
                return Err(Problem::NotApprovable("it is too large to be shown in full".to_owned()));
            }
            approval::looked_long_enough(seen.at, now, found.approvable()?)?;
            self.check_typed_name(found, order)?;
        }
        let item = DecisionItem {
            person: person.id.clone(),
            verdict,
            reason: reason.to_owned(),
            proof,
            seen_at: seen.at,
            decided_at: now,
            facts_hash: found.facts_hash,
            frozen_digest: found.digest,
        };
        Ok(Checked { item, snapshot, token })
    }

    fn check_typed_name(&self, found: &Assessment, order: &Order) -> Result<(), Problem> {
        match approval::name_to_type(&found.call, found.approvable()?) {
            Some(name)
                if crate::visible::visible(&name, 600) != order.confirm.trim() && name != order.confirm.trim() =>
            {
                Err(Problem::Form("to approve, type the name of the resource exactly as it is shown".to_owned()))
            }
            _ => Ok(()),
        }
    }

    async fn store(&self, found: &Assessment, item: &DecisionItem) -> Result<Stored<DecisionItem>, Problem> {
        self.authority
            .decide(&found.frozen.request_id, item)
            .await
            .map_err(|error| Problem::unavailable("the decision cannot be stored", &error))
    }

    /// Ends the machine's wait with the denial. Its history names no person and no reason.
    async fn end(&self, found: &Assessment, checked: &Checked) -> Result<Decided, Problem> {
        const GOES_ON: &str = "the denial is stored, but the agent's wait goes on";
        let request = &found.frozen.request_id;
        let fail = |token: TaskToken| async move { self.states.fail(&token, "Denied").await };
        // A machine that is over, or between two tries of asking, finds the denial by itself.
        self.wake(request, &checked.token, fail, GOES_ON).await?;
        // The executor claims and then reads denials; here a denial is stored and then a claim looked
        // for. Whichever comes second sees the other.
        if self.snapshot(request).await?.facts.claimed {
            return Err(Problem::Closed("being executed already; the denial is stored, and may have come too late"));
        }
        Ok(Decided::Denied)
    }

    async fn certify_at_quorum(
        &self,
        found: &Assessment,
        checked: &Checked,
        now: Timestamp,
    ) -> Result<Decided, Problem> {
        let request = &found.frozen.request_id;
        let decisions = self
            .authority
            .decisions(request)
            .await
            .map_err(|error| Problem::unavailable("the decisions cannot be read", &error))?;
        if decisions.iter().any(|decision| decision.verdict == Verdict::Deny) {
            return Err(Problem::Closed("denied"));
        }
        let counting: Vec<_> = decisions.iter().filter(|decision| self.counts(found, decision)).collect();
        let persons: BTreeSet<PersonId> = counting.iter().map(|decision| decision.person.clone()).collect();
        if !approval::quorum_is_met(self.bundle.settings(), &persons, found.approvable()?) {
            return Ok(Decided::NeedsOthers);
        }
        let statement = Statement {
            request_id: request.clone(),
            frozen_digest: found.digest,
            approvals: counting.iter().map(|decision| (decision.person.clone(), approval_of(decision))).collect(),
            facts_hash: found.facts_hash,
            bundle_hash: *self.bundle.hash(),
            issued_at: now,
            expires_at: now.plus(CERTIFICATE_LIFETIME),
        };
        // One that ran out unused gives way: the request goes on waiting as long as it says itself.
        if checked.snapshot.facts.certified_until.is_none_or(|until| until <= now) {
            self.issue(found, &statement, now).await?;
        }
        self.start_replay(found, checked).await?;
        Ok(Decided::Runs)
    }

    /// Whether a stored approval counts now: for these bytes, by somebody who still may.
    fn counts(&self, found: &Assessment, decision: &DecisionItem) -> bool {
        let Ok(obligations) = found.approvable() else { return false };
        decision.verdict == Verdict::Approve
            && decision.frozen_digest == found.digest
            && approval::proof_is_enough(decision.proof, &found.call, self.bundle.settings()).is_ok()
            && approval::looked_long_enough(decision.seen_at, decision.decided_at, obligations).is_ok()
            && self
                .bundle
                .settings()
                .person(&decision.person)
                .is_some_and(|person| approval::may_decide(person, &found.owners, obligations).is_ok())
    }

    /// Signs and stores the certificate.
    async fn issue(&self, found: &Assessment, statement: &Statement, now: Timestamp) -> Result<(), Problem> {
        let encoded = statement.encode();
        let signature = self.keys.sign(&self.settings.certificate_key, &encoded).await.map_err(|error| {
            Problem::unavailable("your approval is stored, but the certificate cannot be signed", &error)
        })?;
        let happening = Happening::Certified {
            persons: statement.approvals.keys().cloned().collect(),
            frozen_digest: statement.frozen_digest,
            expires_at: statement.expires_at,
        };
        self.record(found, happening, now).await?;
        let certificate = SignedCertificate { statement: encoded, signature };
        self.put_certificate(&found.frozen.request_id, &certificate, now)
            .await
            .map_err(|error| Problem::unavailable("your approval is stored, but the certificate cannot be", &error))
    }

    /// Stores the certificate, unless there is one that has not expired.
    async fn put_certificate(
        &self,
        request: &RequestId,
        certificate: &SignedCertificate,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        if let Stored::Already(other) = self.authority.put_certificate(request, certificate, now).await?
            && Statement::decode(&other.statement).is_ok_and(|other| other.expires_at <= now)
        {
            self.authority.replace_certificate(request, &other, certificate, now).await?;
        }
        Ok(())
    }

    /// Wakes the machine. The token carries no authority: the executor asks for the certificate.
    async fn start_replay(&self, found: &Assessment, checked: &Checked) -> Result<(), Problem> {
        const NOT_STARTED: &str = "the call is approved, but its replay cannot be started";
        let request = &found.frozen.request_id;
        let verdict = json!({"verdict": "approve"});
        let succeed = |token: TaskToken| {
            let verdict = &verdict;
            async move { self.states.succeed(&token, verdict).await }
        };
        if self.wake(request, &checked.token, succeed, NOT_STARTED).await? == Woken::Now {
            return Ok(());
        }
        // Over is also what a machine is that an earlier try of this decision has woken: then the
        // executor claims. Nothing else tells that the call runs; an earlier certificate does not.
        for look in 0..LOOKS_FOR_CLAIM {
            if look > 0 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            let facts = self.snapshot(request).await?.facts;
            if facts.claimed || facts.outcome.is_some() {
                return Ok(());
            }
            if facts.denied.is_some() {
                return Err(Problem::Closed("denied"));
            }
            if facts.unasked.is_some() {
                return Err(Problem::Closed("not-asked"));
            }
        }
        Err(Problem::Unavailable("the call is approved, but the machine that would run it is not waiting now"))
    }

    /// Sends the machine on with `token`; if that is over, once more with the token that is there
    /// by then: an ask that was tried again has another one.
    async fn wake<F>(
        &self,
        request: &RequestId,
        token: &TaskToken,
        send: impl Fn(TaskToken) -> F,
        failed: &'static str,
    ) -> Result<Woken, Problem>
    where
        F: Future<Output = Result<Woken, ServiceError>>,
    {
        let unavailable = |error: ServiceError| Problem::unavailable(failed, &error);
        if send(token.clone()).await.map_err(unavailable)? == Woken::Now {
            return Ok(Woken::Now);
        }
        match self.task_token(request).await? {
            Some(newer) if newer != *token => send(newer).await.map_err(unavailable),
            _ => Ok(Woken::AlreadyOver),
        }
    }

    /// A person who is told by other means than mail may be faster than the machine that asks.
    async fn await_task_token(&self, request: &RequestId) -> Result<TaskToken, Problem> {
        for _ in 0..LOOKS_FOR_TOKEN {
            if let Some(token) = self.task_token(request).await? {
                return Ok(token);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(Problem::Unavailable("the request has not reached its approvers yet"))
    }

    async fn task_token(&self, request: &RequestId) -> Result<Option<TaskToken>, Problem> {
        self.authority
            .task_token(request)
            .await
            .map_err(|error| Problem::unavailable("the request's machine cannot be reached", &error))
    }
}

fn approval_of(decision: &DecisionItem) -> Approval {
    Approval { proof: decision.proof, seen_at: decision.seen_at, decided_at: decision.decided_at }
}

fn voted(found: &Assessment, item: &DecisionItem, bundle: &countersign_domain::Digest) -> Happening {
    Happening::Voted {
        person: item.person.clone(),
        verdict: if item.verdict == Verdict::Approve { "approve" } else { "deny" }.to_owned(),
        proof: item.proof.as_str().to_owned(),
        reason: item.reason.clone(),
        looked_millis: u64::try_from(item.decided_at.since(item.seen_at).as_millis()).unwrap_or(u64::MAX),
        facts_hash: item.facts_hash,
        frozen_digest: found.digest,
        bundle: *bundle,
    }
}
