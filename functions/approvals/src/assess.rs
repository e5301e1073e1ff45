//! What a held call really is: read from the frozen bytes and decided by policy here and now.
//! Nothing that the gateway wrote beside them is believed.

use std::collections::BTreeSet;

use countersign_assessment::{Assessed, assess};
use countersign_aws::{authority::RequestSnapshot, frozen::FrozenError};
use countersign_domain::{
    Call, Decision, Digest, FrozenCall, GroupName, Obligations, PersonId, RequestId, RuleHit, Timestamp,
    approval::{self, Ineligible},
    event::Subject,
    request::RequestState,
    settings::Person,
};
use countersign_understanding::{Shown, facts_hash, shown_parameters};
use serde_json::Value as Json;

use crate::{approvals::Approvals, problem::Problem};

/// A held call as approvals found it.
pub(crate) struct Assessment {
    /// What all writers have stored.
    pub snapshot: RequestSnapshot,
    /// The frozen call.
    pub frozen: FrozenCall,
    /// The digest of its bytes: what is approved.
    pub digest: Digest,
    /// The call, identified anew.
    pub call: Call,
    /// Its parameters as they are shown: masked and cut.
    pub parameters: Json,
    /// What an approval must meet, by policy now; or why there can be none.
    pub obligations: Result<Obligations, String>,
    /// The rules that hold it.
    pub rules: Vec<RuleHit>,
    /// Who owns the agent.
    pub owners: BTreeSet<PersonId>,
    /// The digest of what the page shows.
    pub facts_hash: Digest,
}

impl Assessment {
    /// The state, with the expiry that stands in the frozen bytes.
    pub(crate) fn state(&self, now: Timestamp) -> RequestState {
        self.state_in(&self.snapshot, now)
    }

    /// The state by a newer snapshot.
    pub(crate) fn state_in(&self, snapshot: &RequestSnapshot, now: Timestamp) -> RequestState {
        let mut facts = snapshot.facts.clone();
        facts.expires_at = self.frozen.expires_at;
        RequestState::derive(&facts, now)
    }

    /// Who and where, for an event.
    pub(crate) fn subject(&self) -> Subject {
        let caller = &self.frozen.caller;
        Subject {
            agent: Some(caller.agent.clone()),
            session: Some(caller.session.clone()),
            target: Some(self.frozen.target.clone()),
            request: Some(self.frozen.request_id.clone()),
            unverified_task: caller.unverified_task.clone(),
        }
    }

    /// The obligations, or the problem that there are none.
    pub(crate) fn approvable(&self) -> Result<&Obligations, Problem> {
        self.obligations.as_ref().map_err(|reason| Problem::NotApprovable(reason.clone()))
    }

    /// Whether `person` may approve it, by policy now.
    pub(crate) fn may_approve(&self, person: &Person) -> Result<(), Problem> {
        Ok(approval::may_decide(person, &self.owners, self.approvable()?)?)
    }

    /// Whether `person` may deny it: asked by policy now, or when the call was held. For the latter
    /// the gateway's word is taken: forged, it lets a person of the bundle stop a call that whoever
    /// forged it froze, and look at it. Without it nobody could end what policy holds no longer.
    pub(crate) fn may_deny(&self, person: &Person) -> Result<(), Ineligible> {
        let untrusted_asked: &BTreeSet<GroupName> = &self.snapshot.request.groups;
        let asked_now = self.obligations.as_ref().map(approval::asked_groups).into_iter().flatten();
        approval::may_deny(person, &self.owners, asked_now.chain(untrusted_asked))
    }
}

impl Approvals {
    /// Opens, identifies and decides a held call.
    pub(crate) async fn assess(&self, id: &RequestId, now: Timestamp) -> Result<Assessment, Problem> {
        let snapshot = self.snapshot(id).await?;
        let opened = self.frozen.open(id, &snapshot.request.sealed).await.map_err(|error| frozen_problem(&error))?;
        let Assessed { frozen, digest, call, verdict, owners, .. } =
            assess(&self.bundle, opened, now).map_err(|error| Problem::NotApprovable(error.to_string()))?;
        let rules = verdict.decision.rules().to_vec();
        let obligations = match verdict.decision {
            Decision::NeedsApproval { obligations, .. } => Ok(obligations),
            Decision::Deny { reason, .. } => Err(format!("policy denies it: {reason}")),
            Decision::Allow { .. } => {
                Err("policy lets it pass without approval now; the agent can repeat the call".to_owned())
            }
        };
        let parameters = shown_parameters(&call, &self.masker);
        // Nobody approves a call that cannot be approved: only its bytes are noted then.
        let facts_hash = obligations.as_ref().map_or(digest, |obligations| {
            facts_hash(&Shown {
                frozen: &frozen,
                frozen_digest: &digest,
                call: &call,
                parameters: &parameters,
                obligations,
                rules: &rules,
            })
        });
        Ok(Assessment { snapshot, frozen, digest, call, parameters, obligations, rules, owners, facts_hash })
    }

    /// What all writers have stored about a request.
    pub(crate) async fn snapshot(&self, id: &RequestId) -> Result<RequestSnapshot, Problem> {
        self.authority
            .request_facts(id)
            .await
            .map_err(|error| Problem::unavailable("the request cannot be read", &error))?
            .ok_or(Problem::NotFound)
    }
}

fn frozen_problem(error: &FrozenError) -> Problem {
    if error.retryable() {
        Problem::unavailable("the frozen call cannot be opened", error)
    } else {
        tracing::error!(%error, "a frozen call does not hold together");
        Problem::NotApprovable("its frozen bytes do not hold together".to_owned())
    }
}
