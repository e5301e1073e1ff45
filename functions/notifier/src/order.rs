//! What the state machine asks of the notifier; see `statemachines/approval.asl.json`.

use countersign_aws::states::TaskToken;
use countersign_domain::RequestId;
use serde::{Deserialize, Serialize};

/// An order.
#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Order {
    /// Ask the persons who may decide.
    Ask {
        /// About this request.
        request_id: RequestId,
        /// What wakes the machine.
        task_token: TaskToken,
    },
    /// Note that asking was given up.
    NotAsked {
        /// About this request.
        request_id: RequestId,
        /// The name of the last error, as [`crate::notifier::NotifyError::name`] gives it or as
        /// Lambda does.
        error: String,
    },
    /// Tell what became of it.
    Announce {
        /// Of this request.
        request_id: RequestId,
        /// What.
        state: Announced,
    },
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Announced {
    /// A person denied it.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// Nobody could be asked.
    NotAsked,
    /// AWS answered.
    Answered,
    /// Nothing was sent.
    NotSent,
    /// It may or may not have happened.
    Unknown,
}

impl Announced {
    /// For people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Announced::Denied => "was denied",
            Announced::Expired => "expired; nothing was sent",
            Announced::NotAsked => "could not be asked about; nothing was sent",
            Announced::Answered => "was approved and has run",
            Announced::NotSent => "was not sent",
            Announced::Unknown => "may or may not have run: look at the account before anything is repeated",
        }
    }

    /// For the record.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Announced::Denied => "denied",
            Announced::Expired => "expired",
            Announced::NotAsked => "not-asked",
            Announced::Answered => "answered",
            Announced::NotSent => "not-sent",
            Announced::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_strictly_and_tokens_are_not_shown() {
        let id = RequestId::from_random([1; 16]);
        let ask = serde_json::json!({"action": "ask", "request_id": id, "task_token": "secret"});
        let order: Order = serde_json::from_value(ask).unwrap();
        assert!(!format!("{order:?}").contains("secret"));
        for bad in [
            serde_json::json!({"action": "ask", "request_id": "r-x", "task_token": "t"}),
            serde_json::json!({"action": "announce", "request_id": id, "state": "approved"}),
            serde_json::json!({"action": "ask", "request_id": id}),
        ] {
            assert!(serde_json::from_value::<Order>(bad).is_err());
        }
    }
}
