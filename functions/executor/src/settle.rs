//! What became of a replay: stored for the agent, and recorded.

use bytes::Bytes;
use countersign_aws::{
    authority::{AuthorityError, Claim, QuarantineScopes, Stored},
    forward::{Answer, ForwardError, MaybeSent},
    outcomes::Outcome,
    process,
    record::Departure,
};
use countersign_domain::{
    RequestId,
    event::{Event, Happening, Subject},
    request::OutcomeKind,
};
use countersign_understanding::mask_answer;

use crate::{attempt::AttemptId, examine::Examined, executor::Executor, stop::ReplayError};

/// How often storing an outcome is tried, beyond what the SDK does by itself. An answer that is not
/// stored is lost, and the call's outcome with it.
const STORE_ATTEMPTS: u32 = 3;

/// An outcome on its way into the table and the record.
struct Settled {
    outcome: Outcome,
    aws_request_id: Option<String>,
    masked: u32,
}

impl Settled {
    fn without_answer(kind: OutcomeKind, reason: String) -> Self {
        let outcome = Outcome {
            kind,
            status: None,
            headers: Vec::new(),
            body: Bytes::new(),
            reason: Some(reason),
            at: process::now(),
        };
        Self { outcome, aws_request_id: None, masked: 0 }
    }

    /// AWS answered, and the answer cannot be given on.
    fn withheld(status: u16, aws_request_id: Option<String>, reason: String) -> Self {
        let mut settled = Self::without_answer(OutcomeKind::Answered, reason);
        settled.outcome.status = Some(status);
        settled.aws_request_id = aws_request_id;
        settled
    }
}

impl Executor {
    /// Settles what came of sending. `may_have_left` is about every departure so far: where the last
    /// one did not send and an earlier one may have, nobody knows.
    pub(crate) async fn settle_sent(
        &self,
        examined: &Examined<'_>,
        sent: Result<Answer, ForwardError>,
        may_have_left: bool,
    ) -> Result<OutcomeKind, ReplayError> {
        let settled = match sent {
            Ok(answer) => self.answered(examined, answer),
            Err(error @ ForwardError::MaybeSent(MaybeSent::TooLarge { status })) => {
                Settled::withheld(status, None, error.to_string())
            }
            Err(error @ ForwardError::MaybeSent(MaybeSent::TimedOut | MaybeSent::Broken)) => {
                Settled::without_answer(OutcomeKind::Unknown, error.to_string())
            }
            Err(error @ ForwardError::NotSent(_)) if may_have_left => Settled::without_answer(
                OutcomeKind::Unknown,
                format!("an earlier sending had no answer, and the last one: {error}"),
            ),
            Err(error @ ForwardError::NotSent(_)) => Settled::without_answer(OutcomeKind::NotSent, error.to_string()),
        };
        self.settle(&examined.frozen.request_id, Some(examined.subject()), settled).await
    }

    /// Masks the answer by what policy reveals now.
    fn answered(&self, examined: &Examined<'_>, answer: Answer) -> Settled {
        let Answer { status, headers, body } = answer;
        let aws_request_id = aws_request_id(&headers);
        let reveal = &examined.obligations.reveal;
        match mask_answer(&examined.call, status, headers, &body, &self.masker, reveal) {
            Ok(masked) => Settled {
                outcome: Outcome {
                    kind: OutcomeKind::Answered,
                    status: Some(status),
                    headers: masked.headers,
                    body: masked.body,
                    reason: None,
                    at: process::now(),
                },
                aws_request_id,
                masked: masked.count,
            },
            Err(withheld) => {
                tracing::error!(%withheld, operation = %examined.call.name(), "an answer cannot be masked");
                Settled::withheld(status, aws_request_id, withheld.to_string())
            }
        }
    }

    /// Settles that nobody knows whether it happened.
    pub(crate) async fn settle_unknown(
        &self,
        request: &RequestId,
        subject: Option<Subject>,
        reason: &str,
    ) -> Result<OutcomeKind, ReplayError> {
        let settled = Settled::without_answer(OutcomeKind::Unknown, reason.to_owned());
        self.settle(request, subject, settled).await
    }

    /// Settles a refusal: by whoever holds the claim, or, once an earlier claim is surely over, by
    /// whoever takes the first departure, so that nobody can be sending meanwhile.
    pub(crate) async fn refuse(
        &self,
        request: &RequestId,
        attempt: &AttemptId,
        reason: String,
    ) -> Result<OutcomeKind, ReplayError> {
        tracing::warn!(%request, reason, "refused");
        let nothing_else = QuarantineScopes::none();
        let claim = self.authority.claim(request, &attempt.id, process::now(), attempt.until, &nothing_else).await?;
        if let Claim::Earlier { until, .. } = claim {
            let held = self.earlier(request, until).await?;
            if held.earlier_until.is_some_and(|until| process::now() < until) {
                return Err(ReplayError::InProgress);
            }
            if held.departures > 0 {
                let reason = format!("an earlier attempt had begun to send; it is not sent again, because {reason}");
                return self.settle_unknown(request, None, &reason).await;
            }
            self.take_departure(request, attempt, &reason).await?;
        }
        self.settle(request, None, Settled::without_answer(OutcomeKind::NotSent, reason)).await
    }

    /// Takes the place of the first departure, so that no attempt that comes late can send.
    async fn take_departure(&self, request: &RequestId, attempt: &AttemptId, reason: &str) -> Result<(), ReplayError> {
        let settled = Settled::without_answer(OutcomeKind::NotSent, reason.to_owned());
        let event = event(request, None, &settled);
        match self.recorder.depart(request, 1, &attempt.id, &event).await? {
            Departure::Won => Ok(()),
            Departure::AlreadyDeparted => Err(ReplayError::InProgress),
        }
    }

    /// Stores the outcome, then records it. What stands already wins, and is what is told.
    async fn settle(
        &self,
        request: &RequestId,
        subject: Option<Subject>,
        settled: Settled,
    ) -> Result<OutcomeKind, ReplayError> {
        let stored = self.store(request, &settled.outcome).await?;
        let event = event(request, subject, &settled);
        if let Err(error) = self.recorder.append(request.as_str(), &event).await {
            // It has happened, or not; that it is not on record changes nothing about that, and
            // must not make anybody try again.
            tracing::error!(%request, %error, "what became of a replay could not be recorded");
        }
        Ok(match stored {
            Stored::Now => settled.outcome.kind,
            Stored::Already(standing) => standing.kind,
        })
    }

    async fn store(
        &self,
        request: &RequestId,
        outcome: &Outcome,
    ) -> Result<Stored<countersign_aws::authority::OutcomeSummary>, AuthorityError> {
        let mut attempts = 1;
        loop {
            match self.outcomes.put(request, outcome).await {
                Err(error) if error.retryable() && attempts < STORE_ATTEMPTS => {
                    tracing::error!(%request, %error, "an outcome could not be stored; trying again");
                    attempts = attempts.saturating_add(1);
                }
                result => return result,
            }
        }
    }
}

fn event(request: &RequestId, subject: Option<Subject>, settled: &Settled) -> Event {
    let outcome = &settled.outcome;
    // Where the frozen call could not be opened, the request is all that is known for sure.
    let unnamed = || Subject {
        agent: None,
        session: None,
        target: None,
        request: Some(request.clone()),
        unverified_task: String::new(),
    };
    Event {
        at: outcome.at,
        subject: subject.unwrap_or_else(unnamed),
        happening: Happening::Replayed {
            outcome: outcome_name(outcome.kind).to_owned(),
            status: outcome.status,
            aws_request_id: settled.aws_request_id.clone(),
            reason: outcome.reason.clone(),
            masked: settled.masked,
        },
    }
}

fn outcome_name(kind: OutcomeKind) -> &'static str {
    match kind {
        OutcomeKind::Answered => "answered",
        OutcomeKind::NotSent => "not-sent",
        OutcomeKind::Unknown => "unknown",
    }
}

/// AWS's own id of the request, by whichever header the service uses.
fn aws_request_id(headers: &[(String, String)]) -> Option<String> {
    ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"].iter().find_map(|wanted| {
        let (_, value) = headers.iter().find(|(name, _)| name == wanted)?;
        let plain = |sign: &char| sign.is_ascii_alphanumeric() || "-_/+=".contains(*sign);
        Some(value.chars().filter(plain).take(128).collect())
    })
}
