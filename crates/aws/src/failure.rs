//! How a call to one of Countersign's own AWS services failed, in one shape for every adapter.

use std::fmt;

use aws_smithy_runtime_api::{
    client::{orchestrator::HttpResponse, result::SdkError},
    http::StatusCode,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// No answer in time, or no connection. The service may have done it.
    Unreachable,
    /// The service asks to come back later: throttling, or an error of its own.
    Busy,
    /// The function's role may not do this.
    AccessDenied,
    /// The service answered that the request is wrong, or that a condition does not hold.
    Rejected,
    /// The answer is not what the service's model says, or the request could not be made.
    Unreadable,
}

impl FailureKind {
    fn as_str(self) -> &'static str {
        match self {
            FailureKind::Unreachable => "no answer",
            FailureKind::Busy => "busy",
            FailureKind::AccessDenied => "access denied",
            FailureKind::Rejected => "rejected",
            FailureKind::Unreadable => "unreadable",
        }
    }
}

/// A failed call to an AWS service. Its text names the operation and AWS's error code; never
/// parameters, tokens or AWS's own sentence, which may repeat them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ServiceError {
    /// `service:Operation`.
    pub operation: &'static str,
    /// What kind of failure.
    pub kind: FailureKind,
    /// AWS's error code, if it answered with one.
    pub code: Option<String>,
}

impl fmt::Display for ServiceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` failed: {}", self.operation, self.kind.as_str())?;
        match &self.code {
            Some(code) => write!(out, " ({code})"),
            None => Ok(()),
        }
    }
}

impl ServiceError {
    /// Whether the same call may succeed a little later.
    pub fn retryable(&self) -> bool {
        match self.kind {
            FailureKind::Unreachable | FailureKind::Busy => true,
            FailureKind::AccessDenied | FailureKind::Rejected | FailureKind::Unreadable => false,
        }
    }

    /// An answer that lacks what the model promises.
    pub(crate) fn unreadable(operation: &'static str) -> Self {
        Self { operation, kind: FailureKind::Unreadable, code: None }
    }

    pub(crate) fn from_sdk<E: ProvideErrorMetadata>(
        operation: &'static str,
        error: &SdkError<E, HttpResponse>,
    ) -> Self {
        let (kind, code) = match error {
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => (FailureKind::Unreachable, None),
            SdkError::ServiceError(service) => {
                let code = service.err().code();
                (kind_of(code, service.raw().status()), code.map(cut))
            }
            // The connection broke in the middle of an answer, or the answer is not the model's.
            SdkError::ResponseError(_) => (FailureKind::Unreachable, None),
            _ => (FailureKind::Unreadable, None),
        };
        Self { operation, kind, code }
    }
}

/// Error codes are AWS's own words; an endpoint that is not AWS could still send anything.
fn cut(code: &str) -> String {
    code.chars().filter(|sign| sign.is_ascii_alphanumeric() || "._:-".contains(*sign)).take(80).collect()
}

fn kind_of(code: Option<&str>, status: StatusCode) -> FailureKind {
    /// The codes that the SDKs' own retry rules name as throttling.
    const BUSY: [&str; 14] = [
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    ];
    const DENIED: [&str; 7] = [
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
    ];
    match code {
        Some(code) if BUSY.contains(&code) => FailureKind::Busy,
        Some(code) if DENIED.contains(&code) => FailureKind::AccessDenied,
        _ if status.as_u16() == 429 || status.is_server_error() => FailureKind::Busy,
        Some(_) => FailureKind::Rejected,
        None if status.as_u16() == 403 => FailureKind::AccessDenied,
        None => FailureKind::Rejected,
    }
}
