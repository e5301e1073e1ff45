//! The way of a replay, step by step.

use countersign_aws::{authority::Claim, process};
use countersign_domain::{
    RequestId, Timestamp,
    request::{Attempt, OutcomeKind, Verdict},
};

use crate::{
    attempt::{AttemptId, Held},
    examine::Examined,
    executor::Executor,
    stop::{ReplayError, Stop},
    warrant::Uncovered,
};

impl Executor {
    /// Replays an approved request once, or says what became of it.
    ///
    /// An outcome is decided by one attempt only: the one that holds the claim, or, once that is
    /// surely over, the one that puts the departure event. So nobody says "not sent" of a call that
    /// another attempt is sending.
    ///
    /// # Errors
    /// [`ReplayError`] when it should be tried again; never after bytes have left.
    pub(crate) async fn replay(&self, request: &RequestId, deadline: Timestamp) -> Result<OutcomeKind, ReplayError> {
        if let Some(outcome) = self.authority.outcome_summary(request).await? {
            return Ok(outcome.kind);
        }
        let attempt = AttemptId::new(deadline)?;
        match self.examine_and_send(request, &attempt).await {
            Ok(outcome) => Ok(outcome),
            Err(Stop::Refused(reason)) => self.refuse(request, &attempt, reason).await,
            Err(Stop::NotApproved(reason)) => {
                tracing::warn!(%request, reason, "woken without an approval");
                Ok(OutcomeKind::NotSent)
            }
            Err(Stop::Error(error)) => Err(error),
        }
    }

    async fn examine_and_send(&self, request: &RequestId, attempt: &AttemptId) -> Result<OutcomeKind, Stop> {
        let examined = self.examine(request).await?;
        let claim = self
            .authority
            .claim(request, &attempt.id, process::now(), attempt.until, &examined.quarantine_scopes())
            .await?;
        let held = match claim {
            Claim::Quarantined(quarantine) => {
                return Err(Stop::refused(format!("{} is stopped: {}", quarantine.scope, quarantine.reason)));
            }
            Claim::Now => Held::now(),
            Claim::Earlier { until, .. } => self.earlier(request, until).await?,
        };
        self.require_no_denial(request).await?;
        match held.decide(examined.call.may_be_repeated(), process::now()) {
            Attempt::First | Attempt::Repeat => self.send(&examined, attempt, &held).await,
            Attempt::Wait => Err(ReplayError::InProgress.into()),
            Attempt::DeclareUnknown => Ok(self.declare_unknown(&examined).await?),
        }
    }

    /// Looks once more, now that the claim stands. Approvals stores a denial and then looks for a
    /// claim: whichever is written second is seen, so nobody is told "denied" of a call that runs.
    async fn require_no_denial(&self, request: &RequestId) -> Result<(), Stop> {
        let decisions = self.authority.decisions(request).await?;
        match decisions.into_iter().find(|decision| decision.verdict == Verdict::Deny) {
            Some(denial) => Err(Stop::refused(Uncovered::Denied(denial.person).to_string())),
            None => Ok(()),
        }
    }

    async fn declare_unknown(&self, examined: &Examined<'_>) -> Result<OutcomeKind, ReplayError> {
        let reason =
            "an earlier attempt had begun to send and ended without an answer; sending again could do it twice";
        self.settle_unknown(&examined.frozen.request_id, Some(examined.subject()), reason).await
    }
}
