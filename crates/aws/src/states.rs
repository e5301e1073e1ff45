//! The approval state machine: executions are started by the gateway, tasks woken by approvals.

use std::fmt;

use aws_sdk_sfn::operation::{
    send_task_failure::SendTaskFailureError, send_task_success::SendTaskSuccessError,
    start_execution::StartExecutionError,
};
use aws_smithy_runtime_api::client::result::SdkError;
use countersign_domain::RequestId;

use serde::Deserialize;

use crate::{Aws, ServiceError};

/// What wakes a task. It carries no authority, but it ends the wait of a machine: it is stored for
/// approvals and shown to nobody.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct TaskToken(String);

impl TaskToken {
    /// A token as Step Functions gave it.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// For storing and sending; never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TaskToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("TaskToken(…)")
    }
}

/// What waking a task came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The task goes on.
    Now,
    /// It had gone on, failed or timed out before; a task that was tried again has another token.
    AlreadyOver,
}

/// What starting an execution came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// It runs, since now or since earlier.
    Runs,
    /// It has ended before.
    Over,
}

/// The approval state machine.
#[derive(Clone, Debug)]
pub struct StateMachine {
    aws: Aws,
    arn: String,
}

impl StateMachine {
    pub(crate) fn new(aws: Aws, arn: String) -> Self {
        Self { aws, arn }
    }

    /// Starts the execution of a request, under the request's id as name; starting one again that
    /// runs does nothing.
    ///
    /// # Errors
    /// [`ServiceError`] when Step Functions fails.
    pub async fn start(&self, request: &RequestId, timeout_seconds: u64) -> Result<Started, ServiceError> {
        let sent = self
            .aws
            .sfn()
            .start_execution()
            .state_machine_arn(&self.arn)
            .name(request.as_str())
            .input(input(request, timeout_seconds))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Started::Runs),
            Err(SdkError::ServiceError(refused))
                if matches!(refused.err(), StartExecutionError::ExecutionAlreadyExists(_)) =>
            {
                // Request ids are random, so an execution of this name is this request's; while it
                // runs, the same input is answered with success, and any other with this error: see
                // `input`. Source: API Reference, `StartExecution`, on idempotency.
                Ok(Started::Over)
            }
            Err(error) => Err(ServiceError::from_sdk("states:StartExecution", &error)),
        }
    }

    /// Wakes a task with an output.
    ///
    /// # Errors
    /// [`ServiceError`] when Step Functions fails.
    pub async fn succeed(&self, token: &TaskToken, output: &serde_json::Value) -> Result<Woken, ServiceError> {
        let sent =
            self.aws.sfn().send_task_success().task_token(token.expose()).output(output.to_string()).send().await;
        match sent {
            Ok(_) => Ok(Woken::Now),
            Err(SdkError::ServiceError(refused))
                if matches!(
                    refused.err(),
                    SendTaskSuccessError::TaskTimedOut(_)
                        | SendTaskSuccessError::TaskDoesNotExist(_)
                        | SendTaskSuccessError::InvalidToken(_)
                ) =>
            {
                Ok(Woken::AlreadyOver)
            }
            Err(error) => Err(ServiceError::from_sdk("states:SendTaskSuccess", &error)),
        }
    }

    /// Wakes a task with an error that the state machine catches by name. The cause goes into the
    /// execution's history: nothing of persons or calls belongs there.
    ///
    /// # Errors
    /// [`ServiceError`] when Step Functions fails.
    pub async fn fail(&self, token: &TaskToken, error: &str) -> Result<Woken, ServiceError> {
        let sent = self.aws.sfn().send_task_failure().task_token(token.expose()).error(error).send().await;
        match sent {
            Ok(_) => Ok(Woken::Now),
            Err(SdkError::ServiceError(refused))
                if matches!(
                    refused.err(),
                    SendTaskFailureError::TaskTimedOut(_)
                        | SendTaskFailureError::TaskDoesNotExist(_)
                        | SendTaskFailureError::InvalidToken(_)
                ) =>
            {
                Ok(Woken::AlreadyOver)
            }
            Err(error) => Err(ServiceError::from_sdk("states:SendTaskFailure", &error)),
        }
    }
}

/// What an execution starts with. Its exact text tells an execution that runs from one that is over,
/// across deployments.
fn input(request: &RequestId, timeout_seconds: u64) -> String {
    serde_json::json!({ "request_id": request, "timeout_seconds": timeout_seconds }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `StartExecution` answers a name that is taken with success only for the very same input; any
    /// other text makes an execution that runs look over, and the gateway would then close requests
    /// that still wait, approved ones among them. So this text must stay as it is as long as
    /// executions started with it may run; changing it takes a plan for those (another state machine,
    /// or asking `DescribeExecution` first).
    #[test]
    fn an_executions_input_is_the_same_text_in_every_version() {
        let request = RequestId::from_random([1; 16]);
        assert_eq!(input(&request, 1800), format!(r#"{{"request_id":"{request}","timeout_seconds":1800}}"#));
        assert_eq!(request.as_str(), "r-aeaqcaibaeaqcaibaeaqcaibae");
    }
}
