//! The authority table: requests, links, decisions, certificates, claims and outcomes.
//!
//! Each prefix has one writing role; the methods are grouped by the function whose role may call
//! them. Every read is consistent, and every put that decides something is conditional. A put whose
//! answer was lost and that the SDK sent again is told from somebody else's by the item itself.

mod approvals;
mod executor;
mod gateway;
pub(crate) mod item;
mod limits;
mod notifier;
mod quarantine;
mod read;
mod transact;
mod types;

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{KeysAndAttributes, ReturnValuesOnConditionCheckFailure},
};
use aws_smithy_runtime_api::client::result::SdkError;

use self::item::{Attributes, BadAttribute, Key};
pub(crate) use self::types::outcome_name;
pub use self::{
    approvals::CodeStored,
    executor::Claim,
    gateway::{Delivery, FullPool, NewRequest, Opened, PendingSlot, Places},
    limits::Counting,
    quarantine::{Quarantine, QuarantineScopes},
    read::RequestSnapshot,
    types::{
        CodeAttempt, DecisionItem, LinkItem, MatchItem, OutcomeSummary, SealedBody, SealedFrozen, SeenItem,
        SignedCertificate, Stored, UntrustedRequest,
    },
};
use crate::{Aws, ServiceError};

/// For how long items about a request are kept after they were written. TTL only tidies up: what
/// must not happen after some time is held by times in conditions and certificates.
pub(crate) const RETENTION: std::time::Duration = std::time::Duration::from_secs(90 * 24 * 3600);

/// Why the authority table did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// DynamoDB, or S3 for a large body, failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// An item is not what the table's rules say; whoever wrote it, it is not used.
    #[error("the item `{key}` has no valid attribute `{attribute}`")]
    Malformed {
        /// The partition key's prefix.
        key: String,
        /// The attribute.
        attribute: &'static str,
    },
    /// Somebody else kept changing the same items.
    #[error("`{0}` kept colliding with other writers")]
    Contended(&'static str),
}

impl AuthorityError {
    /// Whether the same call may succeed a little later.
    pub fn retryable(&self) -> bool {
        match self {
            AuthorityError::Service(error) => error.retryable(),
            AuthorityError::Malformed { .. } => false,
            AuthorityError::Contended(_) => true,
        }
    }

    fn malformed(prefix: &str, BadAttribute(attribute): BadAttribute) -> Self {
        Self::Malformed { key: prefix.to_owned(), attribute }
    }
}

/// The authority table.
#[derive(Clone, Debug)]
pub struct Authority {
    aws: Aws,
    table: String,
}

/// What a conditional put came to.
pub(crate) enum Put {
    Done,
    /// The condition does not hold; the item that is there, where DynamoDB gave it.
    Refused(Option<Attributes>),
}

impl Authority {
    pub(crate) fn new(aws: Aws, table: String) -> Self {
        Self { aws, table }
    }

    /// The item at `key`, read consistently.
    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Attributes>, ServiceError> {
        let answer = self
            .aws
            .dynamodb()
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| ServiceError::from_sdk("dynamodb:GetItem", &error))?;
        Ok(answer.item)
    }

    /// The items at `keys` that exist, read consistently; keys whose read was put off are asked for
    /// again a few times, and then the whole read fails.
    async fn get_all(&self, keys: &[Key]) -> Result<Vec<Attributes>, AuthorityError> {
        const OPERATION: &str = "dynamodb:BatchGetItem";
        let mut wanted = Some(keys.iter().map(Key::attributes).collect::<Vec<_>>());
        let mut found = Vec::with_capacity(keys.len());
        for _ in 0..3 {
            let Some(missing) = wanted.take() else { break };
            let request = KeysAndAttributes::builder()
                .set_keys(Some(missing))
                .consistent_read(true)
                .build()
                .map_err(|_| ServiceError::unreadable(OPERATION))?;
            let answer = self
                .aws
                .dynamodb()
                .batch_get_item()
                .request_items(&self.table, request)
                .send()
                .await
                .map_err(|error| ServiceError::from_sdk(OPERATION, &error))?;
            found.extend(answer.responses.into_iter().flatten().flat_map(|(_, items)| items));
            wanted =
                answer.unprocessed_keys.into_iter().flatten().map(|(_, rest)| rest.keys).find(|rest| !rest.is_empty());
        }
        match wanted {
            None => Ok(found),
            Some(_) => Err(AuthorityError::Contended(OPERATION)),
        }
    }

    /// Every item of a partition, read consistently.
    async fn partition(&self, pk: &str) -> Result<Vec<Attributes>, ServiceError> {
        const OPERATION: &str = "dynamodb:Query";
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let answer = self
                .aws
                .dynamodb()
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", aws_sdk_dynamodb::types::AttributeValue::S(pk.to_owned()))
                .consistent_read(true)
                .set_exclusive_start_key(start.take())
                .send()
                .await
                .map_err(|error| ServiceError::from_sdk(OPERATION, &error))?;
            found.extend(answer.items.into_iter().flatten());
            match answer.last_evaluated_key {
                Some(key) if !key.is_empty() => start = Some(key),
                _ => return Ok(found),
            }
        }
    }

    /// Puts `item` if there is none at its key.
    async fn put_once(&self, item: Attributes) -> Result<Put, ServiceError> {
        self.put_if(item, "attribute_not_exists(pk)", None).await
    }

    /// Puts `item` if `condition` holds for what is at its key.
    pub(crate) async fn put_if(
        &self,
        item: Attributes,
        condition: &str,
        values: Option<Attributes>,
    ) -> Result<Put, ServiceError> {
        let sent = self
            .aws
            .dynamodb()
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(condition)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Put::Done),
            Err(SdkError::ServiceError(refused)) if refused.err().is_conditional_check_failed_exception() => {
                match refused.into_err() {
                    PutItemError::ConditionalCheckFailedException(failed) => Ok(Put::Refused(failed.item)),
                    _ => Ok(Put::Refused(None)),
                }
            }
            Err(error) => Err(ServiceError::from_sdk("dynamodb:PutItem", &error)),
        }
    }

    /// Puts `item` whatever is at its key.
    async fn put(&self, item: Attributes) -> Result<(), ServiceError> {
        self.aws
            .dynamodb()
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| ServiceError::from_sdk("dynamodb:PutItem", &error))
    }

    /// Puts `item` once. If another one is there it is given back, read anew where DynamoDB did
    /// not give it; if it is this very item, an earlier try of ours had arrived.
    async fn put_once_or_existing(&self, item: Attributes, key: &Key) -> Result<Option<Attributes>, AuthorityError> {
        let existing = match self.put_once(item.clone()).await? {
            Put::Done => return Ok(None),
            Put::Refused(Some(existing)) if !existing.is_empty() => existing,
            Put::Refused(_) => self.get(key).await?.ok_or(AuthorityError::Contended("dynamodb:PutItem"))?,
        };
        Ok((existing != item).then_some(existing))
    }
}

#[cfg(test)]
mod tests;
