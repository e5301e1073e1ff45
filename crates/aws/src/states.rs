//! The approval state machine: executions are started by the gateway, tasks woken by approvals.

use aws_sdk_sfn::operation::{
    send_task_failure::SendTaskFailureError, send_task_success::SendTaskSuccessError,
    start_execution::StartExecutionError,
};
use aws_smithy_runtime_api::client::result::SdkError;
use countersign_domain::RequestId;

use crate::{Aws, ServiceError};

/// What waking a task came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The task goes on.
    Now,
    /// It had gone on, or timed out, before.
    AlreadyOver,
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

    /// Starts the execution of a request, under the request's id as name; starting it again does
    /// nothing.
    ///
    /// # Errors
    /// [`ServiceError`] when Step Functions fails.
    pub async fn start(&self, request: &RequestId, timeout_seconds: u64) -> Result<(), ServiceError> {
        let input = serde_json::json!({ "request_id": request, "timeout_seconds": timeout_seconds });
        let sent = self
            .aws
            .sfn()
            .start_execution()
            .state_machine_arn(&self.arn)
            .name(request.as_str())
            .input(input.to_string())
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(refused))
                if matches!(refused.err(), StartExecutionError::ExecutionAlreadyExists(_)) =>
            {
                // Request ids are random: an execution of this name is this request's.
                Ok(())
            }
            Err(error) => Err(ServiceError::from_sdk("states:StartExecution", &error)),
        }
    }

    /// Wakes a task with an output.
    ///
    /// # Errors
    /// [`ServiceError`] when Step Functions fails or the token is none of its own.
    pub async fn succeed(&self, task_token: &str, output: &serde_json::Value) -> Result<Woken, ServiceError> {
        let sent = self.aws.sfn().send_task_success().task_token(task_token).output(output.to_string()).send().await;
        match sent {
            Ok(_) => Ok(Woken::Now),
            Err(SdkError::ServiceError(refused))
                if matches!(
                    refused.err(),
                    SendTaskSuccessError::TaskTimedOut(_) | SendTaskSuccessError::TaskDoesNotExist(_)
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
    /// [`ServiceError`] when Step Functions fails or the token is none of its own.
    pub async fn fail(&self, task_token: &str, error: &str) -> Result<Woken, ServiceError> {
        let sent = self.aws.sfn().send_task_failure().task_token(task_token).error(error).send().await;
        match sent {
            Ok(_) => Ok(Woken::Now),
            Err(SdkError::ServiceError(refused))
                if matches!(
                    refused.err(),
                    SendTaskFailureError::TaskTimedOut(_) | SendTaskFailureError::TaskDoesNotExist(_)
                ) =>
            {
                Ok(Woken::AlreadyOver)
            }
            Err(error) => Err(ServiceError::from_sdk("states:SendTaskFailure", &error)),
        }
    }
}
