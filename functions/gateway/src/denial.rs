//! Why a call does not get an answer of AWS, and how that is said to the caller.
//!
//! One enum inside; the shape on the wire is made as the last step, in the caller's own protocol.
//! Every variant has a status and a code that SDKs do not retry by themselves, save where the
//! comment says so: a retry is a new call, and whoever retries should have read why.

use countersign_catalogue::ApiError;
use countersign_domain::{
    RequestId, Timestamp,
    ids::{PersonId, TargetName},
    limits::Exceeded,
};
use countersign_identity::session::SessionError;
use countersign_sigv4::SignatureError;
use countersign_understanding::Refusal;

/// Why a call is refused, or not answered yet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Denial {
    /// The event or a part of it is no request that can be read.
    #[error("the request could not be read: {0}")]
    Unreadable(String),
    /// No signature. Of all unsigned operations only the login is answered.
    #[error(
        "the request is not signed; log in with AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE, the one call that is \
         taken without a signature"
    )]
    Unsigned,
    /// Signed with something that is no session of ours.
    #[error("the credentials are not a session of this gateway: {0}")]
    Session(#[from] SessionError),
    /// The OIDC token is not accepted.
    #[error("the token is not accepted: {0}")]
    Token(String),
    /// The signature does not hold.
    #[error("{0}")]
    Signature(SignatureError),
    /// The signature does not hold for any path that this door could have decoded.
    #[error(
        "the signature fits no path that could have been sent as `{path}`: this door decodes paths, and what it lost \
         could not be recovered{}", use_instead(.other_door.as_deref())
    )]
    PathLost {
        /// The path as it arrived.
        path: String,
        /// The door that keeps paths, where there is one.
        other_door: Option<String>,
    },
    /// The session's target is not in the bundle any more.
    #[error("the target `{0}` of this session is no longer configured; log in again")]
    TargetGone(TargetName),
    /// An operator stopped this agent, session, target or everything.
    #[error("stopped by an operator: {0}")]
    Quarantined(String),
    /// The call is not understood.
    #[error("the call is not understood and so not forwarded: {0}")]
    NotUnderstood(Refusal),
    /// Policy forbids it.
    #[error("{0}")]
    Policy(String),
    /// It waits for approval.
    #[error(
        "this call waits for approval by {who} until {expires_at}. Request {request}. Repeat the same call to collect \
         its result, or wait at {wait_at}"
    )]
    ApprovalRequired {
        /// The request.
        request: RequestId,
        /// Whom it waits for.
        who: String,
        /// Until when.
        expires_at: Timestamp,
        /// Where to wait.
        wait_at: String,
    },
    /// A person said no.
    #[error("request {request} was denied by {by}: {reason}. The same call is answered so until {until}")]
    Rejected {
        /// The request.
        request: RequestId,
        /// Who.
        by: PersonId,
        /// Their words.
        reason: String,
        /// Until when a repeated call gets this answer.
        until: Timestamp,
    },
    /// Nobody could be asked, so it does not wait any longer.
    #[error(
        "nobody could be asked to approve request {request}: {reason}. Nothing was sent; the next same call asks anew"
    )]
    NotAsked {
        /// The request.
        request: RequestId,
        /// Why.
        reason: &'static str,
    },
    /// Approved, but refused when it came to sending. Nothing was sent.
    #[error("request {request} was approved but not sent: {reason}")]
    NotSent {
        /// The request.
        request: RequestId,
        /// Why.
        reason: String,
    },
    /// It may or may not have happened.
    #[error("it is not known whether this call was executed: {reason}. Look before you repeat it{}", named(.request.as_ref()))]
    OutcomeUnknown {
        /// The request, for a held call.
        request: Option<RequestId>,
        /// What is known.
        reason: String,
    },
    /// A limit of the bundle has no room for it. SDKs retry what looks like throttling
    /// (`LimitExceededException` too); this code is none that they know.
    #[error("{0}. Nothing was sent")]
    LimitReached(Exceeded),
    /// The answer does not fit through the door. The call was executed.
    #[error(
        "the call was executed, but its answer of {bytes} bytes is larger than the {limit} that fit through this door; ask for less at a time"
    )]
    AnswerTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The answer could not be masked, so it is not passed. The call was executed.
    #[error("the call was executed, but its answer could not be read for masking and is withheld: {0}")]
    Unmaskable(String),
    /// A read was sent and no answer came.
    #[error("AWS did not answer; this call only reads, so it can be repeated")]
    ReadUnanswered,
    /// Something of ours failed before anything was sent.
    #[error("not forwarded: {what} (nothing was sent; try again)")]
    Unavailable {
        /// What failed, without inner details.
        what: &'static str,
    },
}

fn use_instead(url: Option<&str>) -> String {
    url.map(|url| format!("; use {url} as AWS_ENDPOINT_URL")).unwrap_or_default()
}

fn named(request: Option<&RequestId>) -> String {
    request.map(|request| format!(". Request {request}")).unwrap_or_default()
}

impl Denial {
    /// The HTTP status.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Denial::Signature(error) => error.http_status(),
            Denial::Unreadable(_) | Denial::NotUnderstood(_) => 400,
            Denial::OutcomeUnknown { .. } | Denial::AnswerTooLarge { .. } | Denial::Unmaskable(_) => 400,
            _ => 403,
        }
    }

    /// The error code; `access_denied` is the service's own code for a denial.
    pub(crate) fn code(&self, access_denied: &str) -> String {
        match self {
            Denial::Unsigned => "MissingAuthenticationToken".to_owned(),
            Denial::Session(SessionError::Expired(_)) => "ExpiredToken".to_owned(),
            Denial::Session(_) => "InvalidClientTokenId".to_owned(),
            Denial::Signature(error) => error.aws_code().to_owned(),
            Denial::Token(_) => "InvalidIdentityToken".to_owned(),
            Denial::PathLost { .. } => "SignatureDoesNotMatch".to_owned(),
            Denial::ApprovalRequired { .. } => "ApprovalRequired".to_owned(),
            Denial::LimitReached(_) => "LimitReached".to_owned(),
            Denial::OutcomeUnknown { .. } => "OutcomeUnknown".to_owned(),
            Denial::AnswerTooLarge { .. } => "ResponseTooLarge".to_owned(),
            Denial::Unmaskable(_) => "ResponseWithheld".to_owned(),
            Denial::Unreadable(_)
            | Denial::TargetGone(_)
            | Denial::Quarantined(_)
            | Denial::NotUnderstood(_)
            | Denial::Policy(_)
            | Denial::Rejected { .. }
            | Denial::NotAsked { .. }
            | Denial::NotSent { .. }
            | Denial::ReadUnanswered
            | Denial::Unavailable { .. } => access_denied.to_owned(),
        }
    }

    /// A stable name for the record and the log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Denial::Unreadable(_) => "unreadable",
            Denial::Unsigned => "unsigned",
            Denial::Session(_) => "session",
            Denial::Token(_) => "token",
            Denial::Signature(_) => "signature",
            Denial::PathLost { .. } => "path-lost",
            Denial::TargetGone(_) => "target-gone",
            Denial::Quarantined(_) => "quarantined",
            Denial::NotUnderstood(_) => "not-understood",
            Denial::Policy(_) => "policy",
            Denial::ApprovalRequired { .. } => "approval-required",
            Denial::Rejected { .. } => "rejected",
            Denial::NotAsked { .. } => "not-asked",
            Denial::NotSent { .. } => "not-sent",
            Denial::OutcomeUnknown { .. } => "outcome-unknown",
            Denial::LimitReached(_) => "limit-reached",
            Denial::AnswerTooLarge { .. } => "answer-too-large",
            Denial::Unmaskable(_) => "unmaskable",
            Denial::ReadUnanswered => "read-unanswered",
            Denial::Unavailable { .. } => "unavailable",
        }
    }

    /// As the catalogue writes errors. Names and reasons in the message may be the caller's or a
    /// person's words: control characters are replaced, so that no log or terminal is misled.
    pub(crate) fn to_api_error(&self, access_denied: &str, request_id: &str) -> ApiError {
        let said = self.to_string();
        let message = said.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter });
        ApiError {
            status: self.status(),
            code: self.code(access_denied),
            message: message.collect(),
            request_id: request_id.to_owned(),
            sender_fault: !matches!(self, Denial::ReadUnanswered | Denial::Unavailable { .. }),
        }
    }
}
