//! What a held call really is: read from the frozen bytes and decided by policy here and now.
//! Nothing that the gateway wrote beside them is believed.

use std::collections::BTreeSet;

use countersign_aws::{authority::RequestSnapshot, frozen::FrozenError};
use countersign_domain::{
    Call, Decision, Digest, FrozenCall, Obligations, PersonId, RequestId, RuleHit, Timestamp, approval,
    request::RequestState, settings::Target,
};
use countersign_policy::Facts;
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
        let mut facts = self.snapshot.facts.clone();
        facts.expires_at = self.frozen.expires_at;
        RequestState::derive(&facts, now)
    }

    /// The obligations, or the problem that there are none.
    pub(crate) fn approvable(&self) -> Result<&Obligations, Problem> {
        self.obligations.as_ref().map_err(|reason| Problem::NotApprovable(reason.clone()))
    }
}

impl Approvals {
    /// Opens, identifies and decides a held call.
    pub(crate) async fn assess(&self, id: &RequestId, now: Timestamp) -> Result<Assessment, Problem> {
        let snapshot = self
            .authority
            .request_facts(id)
            .await
            .map_err(|error| Problem::unavailable("the request cannot be read", &error))?
            .ok_or(Problem::NotFound)?;
        let opened = self.frozen.open(id, &snapshot.request.sealed).await.map_err(|error| frozen_problem(&error))?;
        let frozen = opened.call;
        let target = self
            .bundle
            .settings()
            .target(&frozen.target)
            .filter(|target| target.account == frozen.account)
            .ok_or_else(|| Problem::NotApprovable("its target is not in the bundle".to_owned()))?;
        let call = countersign_understanding::reidentify(&frozen, target)
            .map_err(|refusal| Problem::NotApprovable(format!("its frozen bytes are not understood: {refusal}")))?;
        let (obligations, rules) = self.obligations(&call, &frozen, target, now);
        let parameters = shown_parameters(&call, &self.masker);
        // Nobody decides on a call that cannot be approved: only its bytes are noted then.
        let facts_hash = obligations.as_ref().map_or(opened.digest, |obligations| {
            facts_hash(&Shown {
                frozen: &frozen,
                frozen_digest: &opened.digest,
                call: &call,
                parameters: &parameters,
                obligations,
                rules: &rules,
            })
        });
        let owners = approval::owners(self.bundle.settings(), &frozen.caller.agent, &frozen.caller.owners);
        Ok(Assessment {
            snapshot,
            frozen,
            digest: opened.digest,
            call,
            parameters,
            obligations,
            rules,
            owners,
            facts_hash,
        })
    }

    fn obligations(
        &self,
        call: &Call,
        frozen: &FrozenCall,
        target: &Target,
        now: Timestamp,
    ) -> (Result<Obligations, String>, Vec<RuleHit>) {
        let verdict = self.bundle.decide(
            call,
            &Facts {
                agent: &frozen.caller.agent,
                agent_groups: &frozen.caller.groups,
                owners: &frozen.caller.owners,
                target,
                session_age: frozen.frozen_at.since(frozen.caller.session_started),
                unverified_task: &frozen.caller.unverified_task,
                source_ip: frozen.caller.source_ip.parse().ok(),
                now,
            },
        );
        let rules = verdict.decision.rules().to_vec();
        let obligations = match verdict.decision {
            Decision::NeedsApproval { obligations, .. } => Ok(obligations),
            Decision::Deny { reason, .. } => Err(format!("policy denies it: {reason}")),
            Decision::Allow { .. } => {
                Err("policy lets it pass without approval now; the agent can repeat the call".to_owned())
            }
        };
        (obligations, rules)
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
