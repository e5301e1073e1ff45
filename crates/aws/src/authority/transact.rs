//! Transactions: several conditional puts and checks that hold all at once or not at all.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{ConditionCheck, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};
use aws_smithy_runtime_api::client::result::SdkError;

use super::{
    Authority,
    item::{Attributes, Key},
};
use crate::ServiceError;

pub(super) const OPERATION: &str = "dynamodb:TransactWriteItems";

/// What a transaction came to.
pub(super) enum Transacted {
    /// All of it is stored.
    Done,
    /// Conditions of these members do not hold; with the items that are there, where given.
    Refused(Vec<(usize, Attributes)>),
    /// Another writer was at the same items: try again.
    Conflict,
}

impl Authority {
    pub(super) async fn transact(&self, members: Vec<TransactWriteItem>) -> Result<Transacted, ServiceError> {
        // The SDK gives the transaction a token, so its own retries count as one.
        let sent = self.aws.dynamodb().transact_write_items().set_transact_items(Some(members)).send().await;
        let error = match sent {
            Ok(_) => return Ok(Transacted::Done),
            Err(error) => error,
        };
        if let SdkError::ServiceError(refused) = &error {
            match refused.err() {
                TransactWriteItemsError::TransactionCanceledException(cancelled) => {
                    let reasons = cancelled.cancellation_reasons();
                    let failed: Vec<_> = reasons
                        .iter()
                        .enumerate()
                        .filter(|(_, reason)| reason.code() == Some("ConditionalCheckFailed"))
                        .map(|(place, reason)| (place, reason.item().cloned().unwrap_or_default()))
                        .collect();
                    if !failed.is_empty() {
                        return Ok(Transacted::Refused(failed));
                    }
                    if reasons.iter().any(|reason| reason.code() == Some("TransactionConflict")) {
                        return Ok(Transacted::Conflict);
                    }
                }
                TransactWriteItemsError::TransactionInProgressException(_) => return Ok(Transacted::Conflict),
                _ => {}
            }
        }
        Err(ServiceError::from_sdk(OPERATION, &error))
    }

    /// A put under a condition. Conditions write attributes as `#name`, since DynamoDB reserves words
    /// such as `request`; `names` are those that the condition uses.
    pub(super) fn put_member(
        &self,
        item: Attributes,
        condition: &str,
        names: &[&str],
        values: Option<Attributes>,
    ) -> Result<TransactWriteItem, ServiceError> {
        let names = names.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect::<HashMap<_, _>>();
        let put = Put::builder()
            .set_expression_attribute_names((!names.is_empty()).then_some(names))
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(condition)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|_| ServiceError::unreadable(OPERATION))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    pub(super) fn absence_member(&self, key: &Key) -> Result<TransactWriteItem, ServiceError> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|_| ServiceError::unreadable(OPERATION))?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }
}
