//! What a held call is and what policy says of it now: one rule for approvals, which show it, and
//! for the executor, which sends it.
//!
//! Nothing that the gateway wrote beside the frozen bytes is believed, and of the bytes only what
//! they say when they are read anew. There is no input or output here: whoever may open frozen
//! calls brings one.

use std::collections::BTreeSet;

use countersign_domain::{
    Call, Digest, FrozenCall, OpenedCall, PersonId, TargetName, Timestamp, approval, settings::Target,
};
use countersign_policy::{Bundle, Facts, Verdict};
use countersign_understanding::Refusal;

/// Why a held call cannot be assessed. It cannot run then, whoever approved it.
#[derive(Debug, thiserror::Error)]
pub enum AssessmentError {
    /// Its target was removed from the bundle.
    #[error("the target `{0}` is not in the bundle")]
    TargetGone(TargetName),
    /// Its bytes are no call, or not the one that they were.
    #[error("the frozen call is not understood now: {0}")]
    NotUnderstood(#[from] Refusal),
}

/// A held call, read and decided again.
#[derive(Clone, Debug)]
pub struct Assessed<'a> {
    /// The frozen call.
    pub frozen: FrozenCall,
    /// The digest of its bytes: what is approved.
    pub digest: Digest,
    /// Where it acts, by the bundle.
    pub target: &'a Target,
    /// The call, identified anew.
    pub call: Call,
    /// What policy says at the time of the assessment.
    pub verdict: Verdict,
    /// Who owns the agent: those that its token named, and those of the bundle.
    pub owners: BTreeSet<PersonId>,
}

/// Reads `opened` anew and has the bundle decide on it at `now`.
///
/// # Errors
/// [`AssessmentError`] when the bytes do not say which call it is, or its target is gone.
pub fn assess(bundle: &Bundle, opened: OpenedCall, now: Timestamp) -> Result<Assessed<'_>, AssessmentError> {
    let OpenedCall { call: frozen, digest } = opened;
    let settings = bundle.settings();
    let target = settings.target(&frozen.target).ok_or_else(|| AssessmentError::TargetGone(frozen.target.clone()))?;
    let call = countersign_understanding::reidentify(&frozen, target)?;
    let verdict = bundle.decide(&call, &facts(&frozen, target, now));
    let owners = approval::owners(settings, &frozen.caller.agent, &frozen.caller.owners);
    Ok(Assessed { frozen, digest, target, call, verdict, owners })
}

/// The circumstances of a frozen call: who asked and how, as it was then, at the time of now.
fn facts<'a>(frozen: &'a FrozenCall, target: &'a Target, now: Timestamp) -> Facts<'a> {
    let caller = &frozen.caller;
    Facts {
        agent: &caller.agent,
        agent_groups: &caller.groups,
        owners: &caller.owners,
        target,
        // As old as the session was when it asked: waiting for persons does not make it older.
        session_age: frozen.frozen_at.since(caller.session_started),
        unverified_task: &caller.unverified_task,
        source_ip: caller.source_ip.parse().ok(),
        now,
    }
}

#[cfg(test)]
mod tests;
