//! Limits: what a call that policy lets pass or holds is counted against.

use std::collections::BTreeSet;

use countersign_aws::authority::Counting;
use countersign_domain::{
    event::{Event, Happening},
    limits::{Charge, Circumstances, Exceeded, PendingPool, resources_of},
};

use crate::{decide::Deciding, denial::Denial, gateway::Gateway, login::subject};

/// The most counters and pools of one call. DynamoDB takes 100 members in a transaction, and a
/// request has three of its own.
const MOST_COUNTERS: usize = 90;

/// What a call is counted against; empty where no limit is about it.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    pub charges: Vec<Charge>,
    pub pools: Vec<PendingPool>,
}

impl Gateway {
    /// What this call is counted against, by the bundle alone: nothing is asked of a table.
    pub(crate) fn budget(&self, deciding: &Deciding<'_>) -> Result<Budget, Denial> {
        let limits = &self.bundle.settings().limits.rate;
        if limits.is_empty() {
            return Ok(Budget::default());
        }
        let login = &deciding.caller.claims.login;
        let groups = self.bundle.settings().all_groups_of(&login.agent, &login.groups);
        let of = Circumstances {
            agent: &login.agent,
            groups: &groups,
            target: &login.target,
            rules: deciding.verdict.decision.rules(),
        };
        let counters: Vec<_> = limits.iter().flat_map(|limit| limit.counters(&of, deciding.now)).collect();
        let pools: Vec<_> = limits.iter().flat_map(|limit| limit.pools(&of)).collect();
        if counters.len() + pools.len() > MOST_COUNTERS {
            return Err(Denial::Policy(format!(
                "the call would be counted against more than {MOST_COUNTERS} limits at once"
            )));
        }
        let counts_resources = counters.iter().any(|counter| counter.distinct_resources.is_some());
        let resources =
            if counts_resources { resources_of(&login.agent, &login.target, deciding.call) } else { BTreeSet::new() };
        let charge = |counter: countersign_domain::limits::Counter| Charge {
            resources: counter.distinct_resources.map(|_| resources.clone()).unwrap_or_default(),
            counter,
        };
        Ok(Budget { charges: counters.into_iter().map(charge).collect(), pools })
    }

    /// Counts a call that is about to be forwarded.
    ///
    /// # Errors
    /// Only what went wrong. That a limit has no room is the result.
    pub(crate) async fn count(&self, deciding: &Deciding<'_>) -> Result<Option<Exceeded>, Denial> {
        let budget = self.budget(deciding)?;
        match self.authority.count(&budget.charges).await {
            Ok(Counting::Within) => Ok(None),
            Ok(Counting::Exceeded(exceeded)) => Ok(Some(exceeded)),
            Err(error) => {
                tracing::error!(%error, "a call could not be counted");
                Err(Denial::Unavailable { what: "the limits on calls could not be checked" })
            }
        }
    }

    /// Records that a limit stopped what policy had decided, and gives the denial. Where it cannot
    /// be recorded the call is denied all the same, and the log says what is missing.
    pub(crate) async fn limited(&self, deciding: &Deciding<'_>, decided: u64, exceeded: Exceeded) -> Denial {
        let event = Event {
            at: countersign_aws::process::now(),
            subject: subject(&deciding.caller.claims, None),
            happening: Happening::Limited {
                decided,
                limit: exceeded.limit.to_string(),
                subject: exceeded.subject.to_string(),
                counted: exceeded.counted.as_str().to_owned(),
                most: exceeded.most,
                resets_at: exceeded.resets_at,
            },
        };
        if let Err(denial) = self.record(deciding.caller, &event).await {
            tracing::error!(%denial, decided, limit = %exceeded.limit, "a reached limit is not on record");
        }
        Denial::LimitReached(exceeded)
    }
}
