//! The Lambda that replays approved calls, each at most once.

mod attempt;
mod examine;
mod executor;
mod replay;
mod send;
mod settle;
mod stop;
mod warrant;

use std::process::ExitCode;

use countersign_domain::{RequestId, Timestamp, request::OutcomeKind};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};

use crate::{executor::Executor, stop::ReplayError};

/// What the state machine sends: which request. It is no authority: the certificate is.
#[derive(Debug, Deserialize)]
struct Order {
    request_id: RequestId,
}

/// What the state machine is told.
#[derive(Debug, Serialize)]
struct Told {
    outcome: OutcomeKind,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    countersign_aws::process::start_log();
    let executor = match Executor::start() {
        Ok(executor) => executor,
        Err(error) => {
            tracing::error!(%error, "the executor does not start");
            return ExitCode::FAILURE;
        }
    };
    let executor = &executor;
    let handler = service_fn(move |event: LambdaEvent<Order>| async move {
        let deadline = Timestamp::from_millis(event.context.deadline);
        let request = event.payload.request_id;
        match executor.replay(&request, deadline).await {
            Ok(outcome) => {
                tracing::info!(%request, ?outcome, "told");
                Ok(Told { outcome })
            }
            Err(error) => {
                tracing::warn!(%request, %error, "to be tried again");
                Err::<Told, ReplayError>(error)
            }
        }
    });
    match lambda_runtime::run(handler).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the runtime ended");
            ExitCode::FAILURE
        }
    }
}
