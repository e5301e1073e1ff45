//! From the claim to the answer: a credential for this call, the departure on record, the bytes.

use std::time::Duration;

use countersign_aws::{
    Credentials,
    forward::{Answer, ForwardError, MaybeSent},
    process,
    record::Departure,
    session_policy::{Scope, session_policy},
    sts::{RoleError, RoleSession, SessionTags, SourceIdentity},
};
use countersign_domain::{
    event::{Event, Happening},
    request::OutcomeKind,
};

use crate::{
    attempt::{AttemptId, Held, MOST_DEPARTURES},
    examine::Examined,
    executor::Executor,
    stop::{ReplayError, Stop},
};

/// Time kept for storing and recording what came back.
const RESERVE: Duration = Duration::from_secs(15);
/// The longest that an answer is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(40);
/// Between two departures of one attempt.
const PAUSE: Duration = Duration::from_millis(500);
/// With less time than this nothing is begun: connecting alone may take three seconds.
const LEAST_WAIT: Duration = Duration::from_secs(6);

impl Executor {
    /// Sends the call, once or, where that does no harm, again; settles what became of it.
    pub(crate) async fn send(
        &self,
        examined: &Examined<'_>,
        attempt: &AttemptId,
        held: &Held,
    ) -> Result<OutcomeKind, Stop> {
        let request = &examined.frozen.request_id;
        let credentials = self.credentials(examined).await?;
        if attempt.time_left(process::now(), RESERVE) < LEAST_WAIT {
            return Err(ReplayError::Temporary("too little time is left to begin").into());
        }
        let mut departures = held.departures.saturating_add(1);
        let mut may_have_left = held.departures > 0;
        self.depart(examined, attempt, departures).await?;
        // The point of no return: whatever happens from here on is settled, and never tried again as
        // if nothing had been.
        loop {
            let wait = attempt.time_left(process::now(), RESERVE).min(LONGEST_WAIT);
            let upstream = &examined.call.upstream;
            let sent = self.forwarder.send(&examined.call.outgoing, upstream, &credentials, wait).await;
            let next = after(&sent, examined.call.may_be_repeated(), departures);
            may_have_left |= matches!(sent, Err(ForwardError::MaybeSent(_)));
            let time_left = attempt.time_left(process::now(), RESERVE);
            if next == Next::Settle || time_left < LEAST_WAIT.saturating_add(PAUSE) {
                return Ok(self.settle_sent(examined, sent, may_have_left).await?);
            }
            tokio::time::sleep(PAUSE).await;
            departures = departures.saturating_add(1);
            if let Err(error) = self.depart(examined, attempt, departures).await {
                tracing::error!(%request, %error, departures, "not sent again");
                return Ok(self.settle_sent(examined, sent, may_have_left).await?);
            }
        }
    }

    /// Writes the departure, once. Whoever does not win it has no right to send.
    async fn depart(&self, examined: &Examined<'_>, attempt: &AttemptId, number: u32) -> Result<(), ReplayError> {
        let event = Event {
            at: process::now(),
            subject: examined.subject(),
            happening: Happening::Departing {
                call: examined.record.clone(),
                frozen_digest: examined.digest,
                persons: examined.persons.clone(),
                bundle: *self.bundle.hash(),
                attempt: number,
            },
        };
        match self.recorder.depart(&examined.frozen.request_id, number, &attempt.id, &event).await? {
            Departure::Won => Ok(()),
            Departure::AlreadyDeparted => Err(ReplayError::InProgress),
        }
    }

    /// Credentials of the approved role, good for this call only.
    async fn credentials(&self, examined: &Examined<'_>) -> Result<Credentials, Stop> {
        let caller = &examined.frozen.caller;
        let policy = session_policy(&examined.call.permissions, Scope::Exact)
            .map_err(|error| Stop::refused(format!("no credential can be scoped to this call: {error}")))?;
        let session = RoleSession {
            role_arn: &examined.target.approved_role,
            external_id: examined.target.external_id.as_deref(),
            source_identity: SourceIdentity::of(&caller.agent),
            tags: SessionTags::new()
                .with("agent", caller.agent.as_str())
                .with("session", caller.session.as_str())
                .with("target", examined.frozen.target.as_str())
                .with("request", examined.frozen.request_id.as_str()),
            policy: &policy,
        };
        self.roles.assume(&session, process::now()).await.map_err(|error| match &error {
            error if error.retryable() => {
                ReplayError::temporary("the target's approved role cannot be assumed now", error).into()
            }
            RoleError::Service(_) | RoleError::Random => {
                tracing::error!(%error, "the target's approved role cannot be assumed");
                Stop::refused("the target's approved role could not be assumed")
            }
        })
    }
}

/// What follows on a sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Settle,
    SendAgain,
}

fn after(sent: &Result<Answer, ForwardError>, may_be_repeated: bool, departures: u32) -> Next {
    match sent {
        Ok(_) | Err(ForwardError::MaybeSent(MaybeSent::TooLarge { .. })) => Next::Settle,
        // Nothing has left, so sending is still the first time; each has a departure of its own.
        Err(ForwardError::NotSent(_)) if departures < MOST_DEPARTURES => Next::SendAgain,
        Err(ForwardError::MaybeSent(MaybeSent::TimedOut | MaybeSent::Broken))
            if may_be_repeated && departures < MOST_DEPARTURES =>
        {
            Next::SendAgain
        }
        Err(_) => Next::Settle,
    }
}

#[cfg(test)]
mod tests {
    use countersign_aws::forward::NotSent;

    use super::*;

    #[test]
    fn what_may_have_happened_is_sent_again_only_where_that_does_no_harm() {
        let answered = || Ok(Answer { status: 503, headers: Vec::new(), body: bytes::Bytes::new() });
        let not_sent = || Err(ForwardError::NotSent(NotSent::NoConnection));
        let maybe = |why| Err(ForwardError::MaybeSent(why));
        for (sent, may_be_repeated, departures, expected) in [
            (answered(), true, 1, Next::Settle),
            (answered(), false, 1, Next::Settle),
            (not_sent(), false, 1, Next::SendAgain),
            (not_sent(), false, MOST_DEPARTURES, Next::Settle),
            (maybe(MaybeSent::Broken), false, 1, Next::Settle),
            (maybe(MaybeSent::TimedOut), false, 1, Next::Settle),
            (maybe(MaybeSent::Broken), true, 1, Next::SendAgain),
            (maybe(MaybeSent::TimedOut), true, MOST_DEPARTURES, Next::Settle),
            (maybe(MaybeSent::TooLarge { status: 200 }), true, 1, Next::Settle),
        ] {
            assert_eq!(after(&sent, may_be_repeated, departures), expected, "{sent:?}");
        }
    }
}
