//! Counters of limits: a call is added to all that apply, or to none, and never beyond a limit.
//!
//! One item per limit, subject and window. DynamoDB carries out the updates of one item one after
//! the other, each with its condition, so it is the table that holds the limit, however many
//! gateways count. A lone counter is one update. Several are one transaction; transactions on the
//! same items collide, and are tried again after a moment.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    primitives::Blob,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update},
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use countersign_domain::limits::{Charge, Condition, Counter, Exceeded, ResourceCondition, ResourceMark, Tally};

use super::{
    Authority, AuthorityError,
    item::{Attributes, BadAttribute, ItemReader, Key, number_value},
    transact::{self, Transacted},
};
use crate::{ServiceError, process::random};

const PREFIX: &str = "LIM#";
/// How often a counter is tried. Each refusal shows what is there, so few are needed for that; the
/// rest is for collisions.
const ATTEMPTS: u32 = 24;
/// Items are kept for a day after their window, for whoever looks.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// What counting a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counting {
    /// It is counted everywhere.
    Within,
    /// It is counted nowhere: this limit has no room for it.
    Exceeded(Exceeded),
}

impl Authority {
    /// Counts a call: everywhere or nowhere.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer, or kept colliding; the call must not be
    /// sent then. It may be counted all the same: what is lost is lost to the agent.
    pub async fn count(&self, charges: &[Charge]) -> Result<Counting, AuthorityError> {
        let mut trial = match Trial::new(charges) {
            Ok(trial) => trial,
            Err(exceeded) => return Ok(Counting::Exceeded(exceeded)),
        };
        for attempt in 0..ATTEMPTS {
            let transacted = match trial.members.as_slice() {
                [] => return Ok(Counting::Within),
                [(charge, condition)] => self.add(charge, condition).await?,
                _ => self.transact(trial.updates(self)?).await?,
            };
            match transacted {
                Transacted::Done => return Ok(Counting::Within),
                Transacted::Refused(refused) => {
                    if let Some(exceeded) = trial.learn(&refused, 0)? {
                        return Ok(Counting::Exceeded(exceeded));
                    }
                }
                Transacted::Conflict => pause(attempt).await,
            }
        }
        Err(AuthorityError::Contended(UPDATE))
    }

    /// One counter, without a transaction. What the SDK sends again because an answer was lost can
    /// count twice: too much, never too little.
    async fn add(&self, charge: &Charge, condition: &Condition) -> Result<Transacted, ServiceError> {
        let expression = Expression::of(charge, condition);
        let sent = self
            .aws
            .dynamodb()
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&charge.counter).attributes()))
            .update_expression(expression.update)
            .set_condition_expression(expression.condition)
            .set_expression_attribute_names(Some(expression.names))
            .set_expression_attribute_values(Some(expression.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let error = match sent {
            Ok(_) => return Ok(Transacted::Done),
            Err(error) => error,
        };
        if let SdkError::ServiceError(refused) = &error {
            match refused.err() {
                UpdateItemError::ConditionalCheckFailedException(failed) => {
                    return Ok(Transacted::Refused(vec![(0, failed.item().cloned().unwrap_or_default())]));
                }
                other if other.code() == Some("TransactionConflictException") => return Ok(Transacted::Conflict),
                _ => {}
            }
        }
        Err(ServiceError::from_sdk(UPDATE, &error))
    }
}

const UPDATE: &str = "dynamodb:UpdateItem";

/// Waits for a random part of a time that grows, so that those who collided do not meet again.
pub(super) async fn pause(attempt: u32) {
    let most = 10_u64.saturating_mul(1 << attempt.min(5));
    let part = random::<1>().map_or(most, |[byte]| most * u64::from(byte) / 255);
    tokio::time::sleep(Duration::from_millis(part)).await;
}

/// Charges, each with the condition that is tried next.
pub(super) struct Trial<'a> {
    members: Vec<(&'a Charge, Condition)>,
}

impl<'a> Trial<'a> {
    /// # Errors
    /// A limit that has no room even when nothing was counted.
    pub(super) fn new(charges: &'a [Charge]) -> Result<Self, Exceeded> {
        let members =
            charges.iter().map(|charge| Ok((charge, charge.condition()?))).collect::<Result<_, Exceeded>>()?;
        Ok(Self { members })
    }

    /// The members of a transaction.
    pub(super) fn updates(&self, authority: &Authority) -> Result<Vec<TransactWriteItem>, ServiceError> {
        self.members.iter().map(|(charge, condition)| authority.update_member(charge, condition)).collect()
    }

    /// Learns from the counters that refused, where the first charge is at place `first`. A limit
    /// without room, in the order of the bundle, if there is one.
    pub(super) fn learn(
        &mut self,
        refused: &[(usize, Attributes)],
        first: usize,
    ) -> Result<Option<Exceeded>, AuthorityError> {
        for (place, item) in refused {
            let Some(member) = place.checked_sub(first).and_then(|place| self.members.get_mut(place)) else { continue };
            let seen = read(item).map_err(|bad| AuthorityError::malformed(PREFIX, bad))?;
            match member.0.condition_after(&seen) {
                Ok(condition) => member.1 = condition,
                Err(exceeded) => return Ok(Some(exceeded)),
            }
        }
        Ok(None)
    }
}

impl Authority {
    fn update_member(&self, charge: &Charge, condition: &Condition) -> Result<TransactWriteItem, ServiceError> {
        let expression = Expression::of(charge, condition);
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(&charge.counter).attributes()))
            .update_expression(expression.update)
            .set_condition_expression(expression.condition)
            .set_expression_attribute_names(Some(expression.names))
            .set_expression_attribute_values(Some(expression.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|_| ServiceError::unreadable(transact::OPERATION))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

/// `LIM#<limit>#<subject>`, and within it the window by its length and beginning: a window of
/// another length is another count.
fn key(counter: &Counter) -> Key {
    let seconds = counter.until.since(counter.from).as_secs();
    let window = format!("{seconds}s@{}", counter.from);
    Key::of(PREFIX, &format!("{}#{}", counter.limit, counter.subject.key()), &window)
}

/// # Errors
/// The attribute that is not a count's: also of an item that a refusal did not show.
fn read(item: &Attributes) -> Result<Tally, BadAttribute> {
    let item = ItemReader(item);
    let calls = u32::try_from(item.number("calls")?).unwrap_or(u32::MAX);
    let resources = item.binaries("resources", ResourceMark::from_bytes)?;
    Ok(Tally { calls, resources })
}

/// An addition under a condition, in DynamoDB's words.
struct Expression {
    update: String,
    condition: Option<String>,
    names: HashMap<String, String>,
    values: Attributes,
}

impl Expression {
    fn of(charge: &Charge, condition: &Condition) -> Self {
        let mut names: HashMap<_, _> = [("#calls", "calls"), ("#ttl", "ttl")].map(owned).into();
        let mut values: Attributes = [
            (":one".to_owned(), number_value(1)),
            (":ttl".to_owned(), number_value(charge.counter.until.plus(KEPT).as_secs())),
        ]
        .into();
        let mut update = "SET #ttl = :ttl ADD #calls :one".to_owned();
        if !charge.resources.is_empty() {
            update.push_str(", #resources :resources");
            names.extend([owned(("#resources", "resources"))]);
            let marks = charge.resources.iter().map(blob).collect();
            values.insert(":resources".to_owned(), AttributeValue::Bs(marks));
        }
        // What is not there holds nothing, and no comparison with it is ever true.
        let mut conditions = Vec::new();
        if let Some(most) = condition.calls_below {
            conditions.push("(attribute_not_exists(#calls) OR #calls < :calls)");
            values.insert(":calls".to_owned(), number_value(most.into()));
        }
        match &condition.resources {
            Some(ResourceCondition::Holds { resource, or_below }) => {
                conditions.push(
                    "(attribute_not_exists(#resources) OR contains(#resources, :resource) OR size(#resources) < :room)",
                );
                values.insert(":resource".to_owned(), AttributeValue::B(blob(resource)));
                values.insert(":room".to_owned(), number_value((*or_below).into()));
            }
            Some(ResourceCondition::AtMost(room)) => {
                conditions.push("(attribute_not_exists(#resources) OR size(#resources) <= :room)");
                values.insert(":room".to_owned(), number_value((*room).into()));
            }
            None => {}
        }
        let condition = (!conditions.is_empty()).then(|| conditions.join(" AND "));
        Self { update, condition, names, values }
    }
}

fn blob(mark: &ResourceMark) -> Blob {
    Blob::new(*mark.as_bytes())
}

fn owned((short, name): (&str, &str)) -> (String, String) {
    (short.to_owned(), name.to_owned())
}

#[cfg(test)]
mod tests;
