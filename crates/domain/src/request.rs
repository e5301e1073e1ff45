//! The state of a request, derived from which items exist, and what the executor may do next.
//!
//! No item says "the state is X": each writer has its own partitions, and the state follows from
//! what is there. So no writer can claim a state that another one did not bring about.

use serde::{Deserialize, Serialize};

use crate::{ids::PersonId, time::Timestamp};

/// What became of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeKind {
    /// AWS answered; the answer may be an error of AWS.
    Answered,
    /// It was refused before anything left; nothing was executed.
    NotSent,
    /// Bytes left and no answer is known: it may or may not have happened.
    Unknown,
}

/// A person's decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// May run.
    Approve,
    /// Must not run.
    Deny,
}

/// What is known of a request, read from the items of all writers.
#[derive(Clone, Debug)]
pub struct RequestFacts {
    /// Until when it may be approved.
    pub expires_at: Timestamp,
    /// The first denial, if any person denied.
    pub denied: Option<(PersonId, String)>,
    /// How many persons have approved so far.
    pub approvals: usize,
    /// Why nobody was asked, where the notifier has given up.
    pub unasked: Option<Unasked>,
    /// Until when the certificate lets the replay begin, if there is one.
    pub certified_until: Option<Timestamp>,
    /// Whether the executor has claimed it.
    pub claimed: bool,
    /// What became of the replay.
    pub outcome: Option<OutcomeKind>,
    /// Whether the agent has been given the outcome.
    pub delivered: bool,
}

/// The state of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum RequestState {
    /// Waits for persons.
    Pending {
        /// How many have approved so far.
        approvals: usize,
    },
    /// A person denied it.
    Denied {
        /// Who.
        by: PersonId,
        /// Their words.
        reason: String,
    },
    /// Nobody could be asked; nothing runs, and the call may be asked for again.
    NotAsked {
        /// Why.
        reason: Unasked,
    },
    /// Nobody decided in time, or the approval was not used in time.
    Expired,
    /// Approved; the replay has not begun.
    Approved,
    /// The replay has begun.
    Executing,
    /// AWS answered; the answer waits for the agent.
    Answered,
    /// The replay was refused before anything left.
    NotSent,
    /// Whether it happened is not known; it is never retried.
    Unknown,
    /// The agent has the answer.
    Delivered,
}

impl RequestState {
    /// The state that follows from `facts` at `now`. The latest fact in a request's life wins.
    pub fn derive(facts: &RequestFacts, now: Timestamp) -> Self {
        match facts.outcome {
            Some(OutcomeKind::Answered) if facts.delivered => return RequestState::Delivered,
            Some(OutcomeKind::Answered) => return RequestState::Answered,
            Some(OutcomeKind::NotSent) => return RequestState::NotSent,
            Some(OutcomeKind::Unknown) => return RequestState::Unknown,
            None => {}
        }
        if facts.claimed {
            return RequestState::Executing;
        }
        if let Some((by, reason)) = &facts.denied {
            return RequestState::Denied { by: by.clone(), reason: reason.clone() };
        }
        // Whoever gives up asking has ended the machine's wait: no approval wakes it any more.
        if let Some(reason) = facts.unasked {
            return RequestState::NotAsked { reason };
        }
        match facts.certified_until {
            Some(until) if now < until => RequestState::Approved,
            // A certificate that ran out unused ends nothing: another one may be issued.
            _ if now < facts.expires_at => RequestState::Pending { approvals: facts.approvals },
            _ => RequestState::Expired,
        }
    }

    /// What a state comes to once the state machine has ended: it asks, and has approved calls
    /// replayed, so what still waited for it then waits for nobody.
    #[must_use]
    pub fn after_the_machine(self) -> Self {
        match self {
            RequestState::Pending { .. } => RequestState::NotAsked { reason: Unasked::MachineEnded },
            RequestState::Approved => RequestState::NotSent,
            RequestState::Executing => RequestState::Unknown,
            over => over,
        }
    }

    /// The name for people and the record.
    pub fn as_str(&self) -> &'static str {
        match self {
            RequestState::Pending { .. } => "pending",
            RequestState::Denied { .. } => "denied",
            RequestState::NotAsked { .. } => "not-asked",
            RequestState::Expired => "expired",
            RequestState::Approved => "approved",
            RequestState::Executing => "executing",
            RequestState::Answered => "answered",
            RequestState::NotSent => "not-sent",
            RequestState::Unknown => "unknown",
            RequestState::Delivered => "delivered",
        }
    }

    /// Whether persons or the replay are still at it.
    pub fn is_waiting(&self) -> bool {
        match self {
            RequestState::Pending { .. } | RequestState::Approved | RequestState::Executing => true,
            RequestState::Denied { .. }
            | RequestState::NotAsked { .. }
            | RequestState::Expired
            | RequestState::Answered
            | RequestState::NotSent
            | RequestState::Unknown
            | RequestState::Delivered => false,
        }
    }

    /// Whether a repeated identical call belongs to this request, rather than to a new one.
    pub fn is_open(&self) -> bool {
        match self {
            RequestState::Pending { .. }
            | RequestState::Approved
            | RequestState::Executing
            | RequestState::Answered
            | RequestState::NotAsked { .. }
            | RequestState::NotSent
            | RequestState::Unknown => true,
            RequestState::Denied { .. } | RequestState::Expired | RequestState::Delivered => false,
        }
    }
}

/// Why a request ended without anybody having been asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unasked {
    /// Nobody is in any of the groups that are asked, or nobody there has an address.
    NobodyToAsk,
    /// No message could be sent, as long as that was tried.
    NotReached,
    /// The state machine that asks has ended without an answer.
    MachineEnded,
}

impl Unasked {
    /// Every reason.
    pub const ALL: [Unasked; 3] = [Unasked::NobodyToAsk, Unasked::NotReached, Unasked::MachineEnded];

    /// The name in items.
    pub fn as_str(self) -> &'static str {
        match self {
            Unasked::NobodyToAsk => "nobody-to-ask",
            Unasked::NotReached => "not-reached",
            Unasked::MachineEnded => "machine-ended",
        }
    }

    /// For people and agents.
    pub fn words(self) -> &'static str {
        match self {
            Unasked::NobodyToAsk => {
                "nobody is in the groups that would have to approve it; the gateway's operators can change that"
            }
            Unasked::NotReached => "no message to those who would have to approve it could be sent",
            Unasked::MachineEnded => "the state machine that asks has ended without an answer",
        }
    }
}

/// What the executor found when it came to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptFacts {
    /// This attempt put the claim; otherwise an earlier one had.
    pub claimed_now: bool,
    /// Until when the attempt that holds the claim may still be running.
    pub earlier_attempt_until: Option<Timestamp>,
    /// An earlier attempt wrote the event that it was about to send.
    pub departed_before: bool,
    /// Sending twice does no more than sending once.
    pub may_be_repeated: bool,
}

/// What the executor does then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Send: nothing has left before.
    First,
    /// An earlier attempt may still be at work: come back later.
    Wait,
    /// Send again: the earlier attempt may have sent, and that does no harm.
    Repeat,
    /// An earlier attempt may have sent, and repeating could execute twice: the outcome is unknown.
    DeclareUnknown,
}

impl Attempt {
    /// What may be done at `now`. Whoever is told [`Attempt::First`] must still win the one
    /// write-ahead event (put if absent) before a byte leaves: that put is the point of no return.
    pub fn decide(facts: AttemptFacts, now: Timestamp) -> Self {
        if facts.claimed_now {
            return Attempt::First;
        }
        if facts.earlier_attempt_until.is_some_and(|until| now < until) {
            return Attempt::Wait;
        }
        match (facts.departed_before, facts.may_be_repeated) {
            (false, _) => Attempt::First,
            (true, true) => Attempt::Repeat,
            (true, false) => Attempt::DeclareUnknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts() -> impl Strategy<Value = RequestFacts> {
        (
            0..20_u64,
            any::<bool>(),
            0..3_usize,
            (
                proptest::option::of(0..20_u64),
                proptest::option::of(prop_oneof![Just(Unasked::NobodyToAsk), Just(Unasked::NotReached)]),
            ),
            any::<bool>(),
            prop_oneof![
                Just(None),
                Just(Some(OutcomeKind::Answered)),
                Just(Some(OutcomeKind::NotSent)),
                Just(Some(OutcomeKind::Unknown))
            ],
            any::<bool>(),
        )
            .prop_map(|(expires, denied, approvals, (certified, unasked), claimed, outcome, delivered)| {
                RequestFacts {
                    expires_at: Timestamp::from_secs(expires),
                    denied: denied.then(|| (PersonId::new("ann").unwrap(), "no".to_owned())),
                    approvals,
                    unasked,
                    certified_until: certified.map(Timestamp::from_secs),
                    claimed,
                    outcome,
                    delivered,
                }
            })
    }

    proptest! {
        #[test]
        fn nothing_is_approved_or_executing_without_a_certificate_or_a_claim(facts in facts(), now in 0..20_u64) {
            let state = RequestState::derive(&facts, Timestamp::from_secs(now));
            match state {
                RequestState::Approved => {
                    prop_assert!(facts.certified_until.is_some() && facts.denied.is_none() && facts.unasked.is_none());
                }
                RequestState::Pending { .. } => prop_assert!(facts.unasked.is_none(), "it waits for nobody"),
                RequestState::Executing => prop_assert!(facts.claimed),
                RequestState::Answered | RequestState::Delivered => {
                    prop_assert_eq!(facts.outcome, Some(OutcomeKind::Answered));
                }
                _ => {}
            }
        }

        #[test]
        fn nothing_waits_once_the_machine_is_over(facts in facts(), now in 0..20_u64) {
            let state = RequestState::derive(&facts, Timestamp::from_secs(now));
            let after = state.clone().after_the_machine();
            prop_assert!(!after.is_waiting());
            if !state.is_waiting() {
                prop_assert_eq!(&after, &state, "what is over stays as it is");
            }
            // What may have left is never said not to have.
            prop_assert_eq!(after == RequestState::NotSent && facts.claimed, facts.outcome == Some(OutcomeKind::NotSent) && facts.claimed);
        }

        #[test]
        fn a_certificate_that_ran_out_unused_does_not_end_its_request(facts in facts(), now in 0..20_u64) {
            let now = Timestamp::from_secs(now);
            let unused = RequestFacts { claimed: false, outcome: None, denied: None, unasked: None, ..facts };
            let ran_out = unused.certified_until.is_some_and(|until| until <= now);
            prop_assume!(ran_out);
            let expected = match now < unused.expires_at {
                true => RequestState::Pending { approvals: unused.approvals },
                false => RequestState::Expired,
            };
            prop_assert_eq!(RequestState::derive(&unused, now), expected);
        }

        #[test]
        fn what_may_not_be_repeated_is_never_sent_after_a_departure(
            until in proptest::option::of(0..20_u64), departed in any::<bool>(), now in 0..20_u64,
        ) {
            let facts = AttemptFacts {
                claimed_now: false,
                earlier_attempt_until: until.map(Timestamp::from_secs),
                departed_before: departed,
                may_be_repeated: false,
            };
            let attempt = Attempt::decide(facts, Timestamp::from_secs(now));
            if departed {
                prop_assert!(matches!(attempt, Attempt::Wait | Attempt::DeclareUnknown));
            }
        }
    }
}
