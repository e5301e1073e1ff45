//! The Lambda that faces agents.

mod budget;
mod caller;
mod collect;
mod decide;
mod denial;
mod door;
mod forward;
mod gateway;
mod hold;
mod login;
mod own;
mod reply;
mod settings;
mod shadow;
mod slots;
mod stops;
mod voice;

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    process::ExitCode,
    task::Poll,
};

use countersign_aws::process::now;
use countersign_domain::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::value::RawValue;

use crate::{
    denial::Denial,
    door::{Incoming, Payload},
    gateway::Gateway,
    reply::{PayloadReply, Reply},
    voice::Voice,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    countersign_aws::process::start_log();
    let gateway = match Gateway::start() {
        Ok(gateway) => gateway,
        Err(error) => {
            tracing::error!(%error, "the gateway does not start");
            return ExitCode::FAILURE;
        }
    };
    let gateway = &gateway;
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| async move {
        Ok::<_, std::convert::Infallible>(
            handle(gateway, event.payload.get(), Timestamp::from_millis(event.context.deadline)).await,
        )
    });
    match lambda_runtime::run(handler).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the runtime ended");
            ExitCode::FAILURE
        }
    }
}

/// Every event gets an answer that the door can pass on: an error out of here would be a bare 502.
async fn handle(gateway: &Gateway, event: &str, deadline: Timestamp) -> PayloadReply {
    match door::read(event, deadline) {
        Ok((incoming, payload)) => {
            let reply = caught(gateway.answer(&incoming, now())).await.unwrap_or_else(|| {
                tracing::error!(request_id = %incoming.request_id, "a defect: the request made the gateway panic");
                Voice::guessed(&incoming).say(&after_defect(&incoming), &incoming)
            });
            reply.into_payload(payload, incoming.method == "HEAD")
        }
        Err(error) => {
            tracing::error!(%error, "an event that is no http request");
            let body = serde_json::json!({"message": "not forwarded: the event is no HTTP request of a known form"});
            Reply::json(400, &body).into_payload(Payload::V2, false)
        }
    }
}

/// What is told of a request that made the gateway panic: that nothing was sent, as long as that is
/// true.
fn after_defect(incoming: &Incoming) -> Denial {
    if incoming.departed.is_marked() {
        let reason = "the gateway failed after it had begun to send it".to_owned();
        return Denial::OutcomeUnknown { request: None, reason };
    }
    Denial::Unavailable { what: "the gateway failed on this request" }
}

/// What `future` gives, or nothing if it panics. A defect must be a denial, not a bare 502.
async fn caught<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(move |context| {
        // INVARIANT: a future that panicked is never polled again, so no broken state is seen.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming() -> Incoming {
        let event = serde_json::json!({
            "version": "2.0", "rawPath": "/", "requestContext": {"http": {"method": "POST"}, "requestId": "id-1"},
        });
        door::read(&event.to_string(), Timestamp::from_secs(1)).unwrap().0
    }

    #[tokio::test]
    async fn nothing_was_sent_is_told_of_a_panic_only_while_it_is_true() {
        let before = incoming();
        let nothing: Option<()> = caught(async { panic!("before anything is sent") }).await;
        assert!(nothing.is_none());
        assert!(after_defect(&before).to_string().contains("nothing was sent"));
        let after = incoming();
        let nothing: Option<()> = caught(async {
            after.departed.mark();
            panic!("with the answer in hand")
        })
        .await;
        assert!(nothing.is_none());
        let told = after_defect(&after);
        assert_eq!((told.status(), told.code("AccessDenied").as_str()), (400, "OutcomeUnknown"));
        assert!(!told.to_string().contains("nothing was sent"), "{told}");
    }
}
