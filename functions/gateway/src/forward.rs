//! Sending an allowed call with a credential that is good for it and little else.

use std::time::Duration;

use countersign_aws::{
    Credentials,
    forward::{Answer, ForwardError},
    session_policy::{Scope, session_policy},
    sts::{RoleSession, SessionTags, SourceIdentity},
};
use countersign_domain::{
    Obligations,
    event::{Event, Happening},
};

use crate::{
    decide::Deciding,
    denial::Denial,
    door::LARGEST_ANSWER,
    gateway::Gateway,
    login::subject,
    reply::{Reply, is_allowed_header},
};

/// Kept for masking and recording what came back.
const RESERVE: Duration = Duration::from_secs(3);
/// With less than this nothing is sent: connecting alone may take three seconds.
const LEAST_TIME: Duration = Duration::from_secs(5);
/// How long AWS may take at most. API Gateway's HTTP APIs give up after 30 s, the function a little before:
/// what is left must do to write down that no answer came.
const TIME_LIMIT: Duration = Duration::from_secs(22);

/// What came of sending, for the record.
#[derive(Default)]
struct Completion {
    status: Option<u16>,
    aws_request_id: Option<String>,
    error: Option<String>,
    masked: u32,
}

impl Gateway {
    /// Forwards the call: write-ahead event, counted against its limits, and credential first; all
    /// of them or nothing leaves.
    pub(crate) async fn forward(&self, deciding: &Deciding<'_>, obligations: &Obligations) -> Result<Reply, Denial> {
        let (decided, counted, credentials) =
            tokio::join!(self.record_decision(deciding), self.count(deciding), self.credentials(deciding));
        let decided = decided?;
        let counted = match counted {
            Ok(Some(exceeded)) => return Err(self.limited(deciding, decided, exceeded).await),
            Ok(None) => Ok(()),
            Err(denial) => Err(denial),
        };
        let mut completion = Completion::default();
        let result = match counted.and(credentials) {
            Ok(credentials) => self.send(deciding, obligations, &credentials, &mut completion).await,
            Err(denial) => {
                completion.error = Some(denial.to_string());
                Err(denial)
            }
        };
        self.complete(deciding, decided, completion).await;
        result
    }

    async fn credentials(&self, deciding: &Deciding<'_>) -> Result<Credentials, Denial> {
        let login = &deciding.caller.claims.login;
        let scope = if deciding.call.is_read_only() { Scope::Container } else { Scope::Exact };
        let policy = session_policy(&deciding.call.permissions, scope).map_err(|error| {
            tracing::error!(%error, "no session policy");
            Denial::Policy(format!("no credential can be scoped to this call: {error}"))
        })?;
        let session = RoleSession {
            role_arn: &deciding.caller.target.auto_role,
            external_id: deciding.caller.target.external_id.as_deref(),
            source_identity: SourceIdentity::of(&login.agent),
            tags: SessionTags::new()
                .with("agent", login.agent.as_str())
                .with("session", deciding.caller.claims.session.as_str())
                .with("target", login.target.as_str()),
            policy: &policy,
        };
        self.roles.assume(&session, deciding.now).await.map_err(|error| {
            tracing::error!(%error, "the target's role cannot be assumed");
            Denial::Unavailable { what: "the target's role could not be assumed" }
        })
    }

    async fn send(
        &self,
        deciding: &Deciding<'_>,
        obligations: &Obligations,
        credentials: &Credentials,
        completion: &mut Completion,
    ) -> Result<Reply, Denial> {
        let call = deciding.call;
        // What is left must do to write down that no answer came: were the function ended first, the
        // door would answer with an error that SDKs take for leave to send again.
        let left = deciding.incoming.deadline.since(countersign_aws::process::now()).saturating_sub(RESERVE);
        if left < LEAST_TIME {
            completion.error = Some("too little time was left to send".to_owned());
            return Err(Denial::Unavailable { what: "too little time was left" });
        }
        let limit = TIME_LIMIT.min(left);
        deciding.incoming.departed.mark();
        match self.forwarder.send(&call.outgoing, &call.upstream, credentials, limit).await {
            Ok(answer) => self.pass_on(deciding, obligations, answer, completion),
            Err(error) => {
                tracing::error!(%error, operation = %call.name(), "no answer");
                completion.error = Some(error.to_string());
                Err(no_answer(&error, call.is_read_only()))
            }
        }
    }

    /// Masks an answer and makes it ours.
    fn pass_on(
        &self,
        deciding: &Deciding<'_>,
        obligations: &Obligations,
        answer: Answer,
        completion: &mut Completion,
    ) -> Result<Reply, Denial> {
        completion.status = Some(answer.status);
        completion.aws_request_id = aws_request_id(&answer.headers);
        let masked = countersign_understanding::mask_answer(
            deciding.call,
            answer.status,
            answer.headers,
            &answer.body,
            &self.masker,
            &obligations.reveal,
        )
        .map_err(|error| {
            completion.error = Some(format!("withheld: {error}"));
            Denial::Unmaskable(error.to_string())
        })?;
        completion.masked = masked.count;
        let masked = Reply { status: answer.status, headers: masked.headers, body: masked.body };
        let reply = self.with_queues_here(deciding, masked).inspect_err(|denial| {
            completion.error = Some(denial.to_string());
        })?;
        if reply.fits() {
            return Ok(reply);
        }
        completion.error = Some("withheld: too large for the door".to_owned());
        Err(Denial::AnswerTooLarge { bytes: reply.body.len(), limit: LARGEST_ANSWER })
    }

    /// An answer of SQS with this door as its queues' address.
    pub(crate) fn with_queues_here(&self, deciding: &Deciding<'_>, reply: Reply) -> Result<Reply, Denial> {
        let door = self.door_of(deciding.incoming).as_str();
        let Reply { status, mut headers, body } = reply;
        let body = countersign_understanding::with_queues_at(door, deciding.call, status, &mut headers, body)
            .map_err(|error| Denial::Unmaskable(error.to_string()))?;
        Ok(Reply { status, headers, body })
    }

    /// Writes down how it ended. The call has happened or not by now; that this write failed
    /// changes nothing about it, so the agent gets the truth and the log says what is missing.
    async fn complete(&self, deciding: &Deciding<'_>, decided: u64, completion: Completion) {
        let event = Event {
            at: countersign_aws::process::now(),
            subject: subject(&deciding.caller.claims, None),
            happening: Happening::Completed {
                decided,
                status: completion.status,
                aws_request_id: completion.aws_request_id,
                error: completion.error,
                masked: completion.masked,
            },
        };
        if let Err(error) = self.recorder.append(deciding.caller.claims.session.as_str(), &event).await {
            tracing::error!(%error, decided, "the end of a call could not be recorded");
        }
    }
}

/// What the caller is told where no answer came.
fn no_answer(error: &ForwardError, is_read_only: bool) -> Denial {
    match error {
        ForwardError::NotSent(_) => Denial::Unavailable { what: "AWS could not be reached" },
        ForwardError::MaybeSent(_) if is_read_only => Denial::ReadUnanswered,
        ForwardError::MaybeSent(reason) => Denial::OutcomeUnknown { request: None, reason: reason.to_string() },
    }
}

/// AWS's own id of the request, by whichever header the service uses.
fn aws_request_id(headers: &[(String, String)]) -> Option<String> {
    ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"].iter().find_map(|wanted| {
        let (_, value) = headers.iter().find(|(name, _)| name == wanted && is_allowed_header(name))?;
        Some(value.chars().take(128).collect())
    })
}
