//! The Lambda that asks persons and tells them what became of a request.

mod letters;
mod notifier;
mod order;

use std::process::ExitCode;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value as Json, json};

use crate::notifier::Notifier;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    countersign_aws::process::start_log();
    let notifier = match Notifier::start() {
        Ok(notifier) => notifier,
        Err(error) => {
            tracing::error!(%error, "the notifier does not start");
            return ExitCode::FAILURE;
        }
    };
    let notifier = &notifier;
    let handler = service_fn(move |event: LambdaEvent<Json>| async move { handle(notifier, event.payload).await });
    match lambda_runtime::run(handler).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the runtime ended");
            ExitCode::FAILURE
        }
    }
}

/// Errors have names that the state machine retries or catches by.
async fn handle(notifier: &Notifier, payload: Json) -> Result<Json, Diagnostic> {
    // The payload holds a task token: what is wrong with it is said without repeating it.
    let order = serde_json::from_value(payload).map_err(|_| Diagnostic {
        error_type: "BadOrder".to_owned(),
        error_message: "the order is not one that the notifier knows".to_owned(),
    })?;
    notifier.carry_out(order, countersign_aws::process::now()).await.map(|()| json!({"done": true})).map_err(|error| {
        tracing::error!(%error, "an order was not carried out");
        Diagnostic { error_type: error.name().to_owned(), error_message: error.to_string() }
    })
}
