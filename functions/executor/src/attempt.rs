//! Which attempt this is, and what earlier ones have done.

use std::time::Duration;

use countersign_aws::process;
use countersign_domain::{
    RequestId, Timestamp,
    request::{Attempt, AttemptFacts},
};

use crate::{executor::Executor, stop::ReplayError};

/// How long an attempt may be at work after its departure: the function's longest time, and some for
/// clocks that differ.
const AFTER_DEPARTURE: Duration = Duration::from_secs(70);
/// How far the clocks of two instances may differ.
const CLOCK_MARGIN: Duration = Duration::from_secs(5);
/// How often a call that may be repeated is sent at most.
pub(crate) const MOST_DEPARTURES: u32 = 3;

/// This attempt.
#[derive(Clone, Debug)]
pub(crate) struct AttemptId {
    /// Tells it from every other.
    pub id: String,
    /// When Lambda ends it.
    pub deadline: Timestamp,
    /// When it is surely over, by anybody's clock.
    pub until: Timestamp,
}

impl AttemptId {
    pub(crate) fn new(deadline: Timestamp) -> Result<Self, ReplayError> {
        let random: [u8; 16] = process::random().ok_or(ReplayError::Temporary("no random bytes"))?;
        Ok(Self { id: hex::encode(random), deadline, until: deadline.plus(CLOCK_MARGIN) })
    }

    /// How much time is left at `now`, keeping `reserve` for what comes after.
    pub(crate) fn time_left(&self, now: Timestamp, reserve: Duration) -> Duration {
        self.deadline.since(now).saturating_sub(reserve)
    }
}

/// What is known of the claim and of departures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// This attempt put the claim.
    pub claimed_now: bool,
    /// Until when an earlier attempt may be at work.
    pub earlier_until: Option<Timestamp>,
    /// How many departures there were.
    pub departures: u32,
}

impl Held {
    /// The claim is this attempt's, so there was nobody before.
    pub(crate) fn now() -> Self {
        Self { claimed_now: true, earlier_until: None, departures: 0 }
    }

    /// What may be done at `now`.
    pub(crate) fn decide(&self, may_be_repeated: bool, now: Timestamp) -> Attempt {
        let facts = AttemptFacts {
            claimed_now: self.claimed_now,
            earlier_attempt_until: self.earlier_until,
            departed_before: self.departures > 0,
            may_be_repeated: may_be_repeated && self.departures < MOST_DEPARTURES,
        };
        Attempt::decide(facts, now)
    }
}

impl Executor {
    /// What earlier attempts have done; the claim's attempt is over at `claimed_until`.
    pub(crate) async fn earlier(&self, request: &RequestId, claimed_until: Timestamp) -> Result<Held, ReplayError> {
        let mut held = Held { claimed_now: false, earlier_until: Some(claimed_until), departures: 0 };
        for number in 1..=MOST_DEPARTURES {
            let Some(at) = self.recorder.departed_at(request, number).await? else { break };
            held.departures = number;
            // Not the claim's attempt perhaps, but one after it.
            held.earlier_until = held.earlier_until.max(Some(at.plus(AFTER_DEPARTURE)));
        }
        Ok(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn an_attempt_waits_for_the_one_before_and_repeats_only_what_may_be() {
        let earlier = |departures| Held { claimed_now: false, earlier_until: Some(at(100)), departures };
        for (held, may_be_repeated, now, expected) in [
            (Held::now(), false, 0, Attempt::First),
            (earlier(0), true, 99, Attempt::Wait),
            (earlier(1), true, 99, Attempt::Wait),
            (earlier(0), false, 100, Attempt::First),
            (earlier(1), false, 100, Attempt::DeclareUnknown),
            (earlier(1), true, 100, Attempt::Repeat),
            (earlier(MOST_DEPARTURES), true, 100, Attempt::DeclareUnknown),
        ] {
            assert_eq!(held.decide(may_be_repeated, at(now)), expected, "{held:?} at {now}");
        }
    }

    #[test]
    fn time_is_kept_for_what_comes_after_sending() {
        let attempt = AttemptId { id: String::new(), deadline: at(60), until: at(65) };
        assert_eq!(attempt.time_left(at(20), Duration::from_secs(10)), Duration::from_secs(30));
        assert_eq!(attempt.time_left(at(55), Duration::from_secs(10)), Duration::ZERO);
        assert_eq!(attempt.time_left(at(70), Duration::from_secs(10)), Duration::ZERO);
    }
}
