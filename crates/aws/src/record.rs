//! The record: every event in its chain, stored once and never changed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use aws_smithy_runtime_api::client::result::SdkError;
use countersign_domain::{
    RequestId,
    event::{Chain, ChainedEvent, Event, WriterKind},
};

use crate::{
    Aws, ServiceError,
    authority::item::{Attributes, ItemReader, number_value, time_value},
};

/// How many chains one instance keeps in memory; beyond that the others are ended, and their next
/// event begins a new one.
const MOST_CHAINS: usize = 512;

/// Why an event is not on record. Nothing may leave after this.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// DynamoDB failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Another event is in this event's place.
    #[error("another event stands in place {sequence} of its chain")]
    PlaceTaken {
        /// The place.
        sequence: u64,
    },
    /// The event cannot be written as JSON.
    #[error("the event cannot be written as json")]
    Unwritable(#[source] serde_json::Error),
}

impl RecordError {
    /// Whether the same call may succeed a little later.
    pub fn retryable(&self) -> bool {
        match self {
            RecordError::Service(error) => error.retryable(),
            // The chain has ended, and a new one is free.
            RecordError::PlaceTaken { .. } => true,
            RecordError::Unwritable(_) => false,
        }
    }
}

/// Where an event stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The chain.
    pub chain: String,
    /// The place in the chain.
    pub sequence: u64,
}

/// What putting the write-ahead event of a replay came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// This attempt put it: it, and nobody else, may send.
    Won,
    /// Another attempt put it before.
    AlreadyDeparted,
}

/// Appends events to the record table, one chain for each session or request and this function
/// instance.
#[derive(Debug)]
pub struct Recorder {
    aws: Aws,
    table: String,
    writer: WriterKind,
    instance: String,
    chains: Mutex<Chains>,
}

/// A chain is locked while its next event is on the way, so that events are stored in order. The
/// slot is empty where the chain has ended.
type Slot = Arc<tokio::sync::Mutex<Option<Chain>>>;

#[derive(Debug, Default)]
struct Chains {
    open: HashMap<String, Slot>,
    begun: u64,
}

impl Recorder {
    pub(crate) fn new(aws: Aws, table: String, writer: WriterKind, random: [u8; 8]) -> Self {
        Self { aws, table, writer, instance: hex::encode(random), chains: Mutex::default() }
    }

    /// Appends `event` to the chain about `about`: a session id, a request id, or a fixed word
    /// where there is neither; it holds no `#`.
    ///
    /// # Errors
    /// [`RecordError`] when it is not known to be stored. The chain ends then, and the next event
    /// begins another.
    pub async fn append(&self, about: &str, event: &Event) -> Result<Recorded, RecordError> {
        let slot = self.slot(about);
        let mut slot = slot.lock().await;
        // Taken out, so that whatever ends this call early ends the chain as well.
        let mut chain = slot.take().unwrap_or_else(|| self.begin(about));
        let sealed = chain.seal(event).map_err(RecordError::Unwritable)?;
        match self.put(&sealed, event, None).await? {
            Departure::Won => {
                *slot = Some(chain);
                Ok(Recorded { chain: sealed.chain, sequence: sealed.sequence })
            }
            Departure::AlreadyDeparted => Err(RecordError::PlaceTaken { sequence: sealed.sequence }),
        }
    }

    /// Puts the write-ahead event of the replay's `number`th departure at its one place,
    /// `EX#<request>#departure-<number>`. `attempt` tells this attempt from every other, so that an
    /// answer that was lost on the way does not look like another attempt's event.
    ///
    /// # Errors
    /// [`RecordError`] when it is not known whether the event is stored: nothing may be sent.
    pub async fn depart(
        &self,
        request: &RequestId,
        number: u32,
        attempt: &str,
        event: &Event,
    ) -> Result<Departure, RecordError> {
        let mut chain = Chain::new(WriterKind::Executor, request.as_str(), &departure(number));
        let sealed = chain.seal(event).map_err(RecordError::Unwritable)?;
        self.put(&sealed, event, Some(attempt)).await
    }

    /// When the replay's `number`th departure was, if it was.
    ///
    /// # Errors
    /// [`RecordError`] when the table does not answer.
    pub async fn departed_at(
        &self,
        request: &RequestId,
        number: u32,
    ) -> Result<Option<countersign_domain::Timestamp>, RecordError> {
        const OPERATION: &str = "dynamodb:GetItem";
        let chain = Chain::key(WriterKind::Executor, request.as_str(), &departure(number));
        let answer = self
            .aws
            .dynamodb()
            .get_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(chain))
            .key("sk", number_value(0))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| ServiceError::from_sdk(OPERATION, &error))?;
        answer
            .item
            .map(|item| ItemReader(&item).time("at"))
            .transpose()
            .map_err(|_| ServiceError::unreadable(OPERATION).into())
    }

    /// The chain's slot; the map's lock is never held across an await.
    fn slot(&self, about: &str) -> Slot {
        let mut chains = self.chains.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if chains.open.len() >= MOST_CHAINS && !chains.open.contains_key(about) {
            // Those in use live on with whoever holds them.
            chains.open.clear();
        }
        chains.open.entry(about.to_owned()).or_default().clone()
    }

    /// A new chain. Its number within this instance keeps it apart from those that ended.
    fn begin(&self, about: &str) -> Chain {
        let mut chains = self.chains.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let number = chains.begun;
        chains.begun = number.saturating_add(1);
        Chain::new(self.writer, about, &format!("{}-{number}", self.instance))
    }

    /// Puts an event where there is none. An event that is there and is this very one was put by an
    /// earlier try whose answer was lost.
    async fn put(&self, sealed: &ChainedEvent, event: &Event, attempt: Option<&str>) -> Result<Departure, RecordError> {
        let sent = self
            .aws
            .dynamodb()
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item(sealed, event, attempt)))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Departure::Won),
            Err(SdkError::ServiceError(refused)) if refused.err().is_conditional_check_failed_exception() => {
                let existing = match refused.into_err() {
                    PutItemError::ConditionalCheckFailedException(failed) => failed.item.unwrap_or_default(),
                    _ => Attributes::new(),
                };
                Ok(if is_same(&existing, sealed, attempt) { Departure::Won } else { Departure::AlreadyDeparted })
            }
            Err(error) => Err(ServiceError::from_sdk("dynamodb:PutItem", &error).into()),
        }
    }
}

fn departure(number: u32) -> String {
    format!("departure-{number}")
}

fn is_same(existing: &Attributes, sealed: &ChainedEvent, attempt: Option<&str>) -> bool {
    let existing = ItemReader(existing);
    existing.digest("hash") == Ok(sealed.hash) && existing.optional_text("attempt") == Ok(attempt)
}

fn item(sealed: &ChainedEvent, event: &Event, attempt: Option<&str>) -> Attributes {
    let mut item: Attributes = [
        ("pk".to_owned(), AttributeValue::S(sealed.chain.clone())),
        ("sk".to_owned(), number_value(sealed.sequence)),
        ("body".to_owned(), AttributeValue::S(sealed.body.clone())),
        ("hash".to_owned(), AttributeValue::S(sealed.hash.to_string())),
        ("previous".to_owned(), AttributeValue::S(sealed.previous.to_string())),
        ("at".to_owned(), time_value(event.at)),
    ]
    .into();
    let mut text = |name: &str, text: Option<&str>| {
        if let Some(text) = text {
            item.insert(name.to_owned(), AttributeValue::S(text.to_owned()));
        }
    };
    text("session", event.subject.session.as_ref().map(|session| session.as_str()));
    text("request", event.subject.request.as_ref().map(|request| request.as_str()));
    text("attempt", attempt);
    item
}

#[cfg(test)]
mod tests;
