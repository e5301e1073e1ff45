//! What the gateway's role may write: requests, their match items and slots, deliveries.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{
    operation::delete_item::DeleteItemError,
    types::{AttributeValue, TransactWriteItem},
};
use aws_smithy_runtime_api::client::result::SdkError;
use countersign_domain::{
    AgentId, Digest, RequestId, Timestamp,
    limits::{Charge, Exceeded, PendingPool},
};

use super::{
    Authority, AuthorityError, MatchItem, Put, RETENTION, SealedBody, UntrustedRequest,
    item::{Attributes, BadAttribute, ItemReader, ItemWriter, Key, time_value},
    limits::{self, Trial},
    transact::{self, Transacted},
};
use crate::ServiceError;

const PENDING: &str = "PEND#";
const DELIVERY: &str = "DLV#";
/// How often colliding with another instance is tried again.
const ATTEMPTS: u32 = 16;

/// A request to be opened.
#[derive(Clone, Debug)]
pub struct NewRequest<'a> {
    /// The `REQ#` item.
    pub request: &'a UntrustedRequest,
    /// Until when a repeated call belongs to it: its expiry, and then as long as the outcome can
    /// be collected.
    pub findable_until: Timestamp,
    /// The closed request that the same call belonged to before, if there is one.
    pub replaces: Option<&'a RequestId>,
    /// Where it takes its places.
    pub places: Places<'a>,
    /// Counters that it is added to.
    pub charges: &'a [Charge],
}

/// The pools that a request takes a place in.
#[derive(Clone, Debug)]
pub struct Places<'a> {
    /// Whose request it is.
    pub agent: &'a AgentId,
    /// The agent's own pool.
    pub own: PendingPool,
    /// Those of limits.
    pub pools: &'a [PendingPool],
}

/// A pool without a free place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullPool {
    /// The limit.
    pub exceeded: Exceeded,
    /// Who holds its places. Those that are closed by now can be released.
    pub slots: Vec<PendingSlot>,
}

/// What opening a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is stored, and waits.
    Opened,
    /// The same call belongs to another request already, opened at the same moment perhaps.
    MatchTaken(MatchItem),
    /// A limit on what happens in a window has no room for it.
    Exceeded(Exceeded),
    /// A pool has no place for it.
    Full(FullPool),
}

/// A `PEND#` item: a slot that a waiting request holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingSlot {
    /// The slot.
    pub slot: u32,
    /// Who holds it.
    pub request: RequestId,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Whether the agent may be given an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// This is the delivery, or the same attempt of the SDK asking again.
    Deliver,
    /// Another invocation was given it before.
    AlreadyDelivered,
}

impl Authority {
    /// Opens a request: its item, the match item that finds it, a slot in each pool, and what it
    /// adds to counters, all or nothing.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer; nothing is known to be stored then, and a
    /// request that was stored after all expires without ever having been announced.
    pub async fn open_request(&self, new: &NewRequest<'_>, now: Timestamp) -> Result<Opened, AuthorityError> {
        let mut trial = match Trial::new(new.charges) {
            Ok(trial) => trial,
            Err(exceeded) => return Ok(Opened::Exceeded(exceeded)),
        };
        for attempt in 0..ATTEMPTS {
            let slots = match self.free_slots(&new.places, now).await? {
                Ok(slots) => slots,
                Err(full) => return Ok(Opened::Full(full)),
            };
            let mut members = self.opening(new, &slots, now)?;
            let first_counter = members.len();
            members.extend(trial.updates(self)?);
            let refused = match self.transact(members).await? {
                Transacted::Done => return Ok(Opened::Opened),
                Transacted::Refused(members) => members,
                Transacted::Conflict => {
                    limits::pause(attempt).await;
                    continue;
                }
            };
            if refused.iter().any(|(member, _)| *member == MATCH_MEMBER) {
                // Somebody was first: unless the answer to our own transaction was lost.
                match self.find_request(&new.request.match_digest).await? {
                    Some(found) if found.request == new.request.request => return Ok(Opened::Opened),
                    Some(found) => return Ok(Opened::MatchTaken(found)),
                    None => continue,
                }
            }
            if let Some(exceeded) = trial.learn(&refused, first_counter)? {
                return Ok(Opened::Exceeded(exceeded));
            }
            // A slot was taken between the two calls, or a counter wants another condition.
        }
        Err(AuthorityError::Contended(transact::OPERATION))
    }

    /// The first pool that has no free place, read before anything is spent on a request.
    /// [`Authority::open_request`] looks again, since places may be taken in between.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer or an item is malformed.
    pub async fn full_pool(&self, places: &Places<'_>, now: Timestamp) -> Result<Option<FullPool>, AuthorityError> {
        Ok(self.free_slots(places, now).await?.err())
    }

    /// A free slot of each pool, the agent's own first, or the pool that has none.
    async fn free_slots(
        &self,
        places: &Places<'_>,
        now: Timestamp,
    ) -> Result<Result<Vec<Key>, FullPool>, AuthorityError> {
        let own = std::iter::once((places.agent.to_string(), &places.own));
        // No agent's name holds a `#`.
        let others = places.pools.iter().map(|pool| (format!("limit#{}#{}", pool.limit, pool.subject.key()), pool));
        let mut free = Vec::with_capacity(1 + places.pools.len());
        for (about, pool) in own.chain(others) {
            let taken = self.pending_slots(&format!("{PENDING}{about}"), now).await?;
            let Some(slot) = (0..pool.pending).find(|slot| !taken.contains_key(slot)) else {
                let exceeded = pool.exceeded(u32::try_from(taken.len()).unwrap_or(u32::MAX));
                return Ok(Err(FullPool { exceeded, slots: taken.into_values().collect() }));
            };
            free.push(Key::of(PENDING, &about, &slot.to_string()));
        }
        Ok(Ok(free))
    }

    /// The request that a call with this digest belongs to. It may have expired.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer or the item is malformed.
    pub async fn find_request(&self, match_digest: &Digest) -> Result<Option<MatchItem>, AuthorityError> {
        let item = self.get(&Key::single(MatchItem::PREFIX, &match_digest.to_string())).await?;
        item.as_ref().map(MatchItem::read).transpose()
    }

    /// Closes a request by delivering its outcome. Only the first call is given it, and the
    /// retries that the SDK makes of that call under the same `amz-sdk-invocation-id`.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer; the outcome stays collectable.
    pub async fn mark_delivered(
        &self,
        request: &RequestId,
        invocation_id: Option<&str>,
        now: Timestamp,
    ) -> Result<Delivery, AuthorityError> {
        let mut item = ItemWriter::new(&Key::single(DELIVERY, request.as_str())).time("at", now);
        if let Some(id) = invocation_id {
            item = item.text("invocation_id", id);
        }
        let put = self.put_once(item.ttl(now.plus(RETENTION)).build()).await?;
        let Put::Refused(existing) = put else { return Ok(Delivery::Deliver) };
        let existing = match existing {
            Some(existing) => Some(existing),
            None => self.get(&Key::single(DELIVERY, request.as_str())).await?,
        };
        let delivered_to = existing.as_ref().and_then(|item| ItemReader(item).text("invocation_id").ok());
        let same = invocation_id.is_some() && delivered_to == invocation_id;
        Ok(if same { Delivery::Deliver } else { Delivery::AlreadyDelivered })
    }

    /// Gives back the slots that `request` holds, once it no longer waits.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer; the slots then expire by themselves.
    pub async fn release_slots(&self, agent: &AgentId, request: &RequestId) -> Result<(), AuthorityError> {
        for item in self.partition(&format!("{PENDING}{agent}")).await? {
            let item = ItemReader(&item);
            if item.text("request") != Ok(request.as_str()) {
                continue;
            }
            let Ok(slot) = item.text("sk") else { continue };
            // The others first: while this one stands, another try finds them.
            for place in item.texts("also", Ok::<_, BadAttribute>).unwrap_or_default() {
                let Some((pk, sk)) = place.rsplit_once('#').filter(|(pk, _)| pk.starts_with(PENDING)) else { continue };
                self.release_slot(&Key { pk: pk.to_owned(), sk: sk.to_owned() }, request).await?;
            }
            self.release_slot(&Key::of(PENDING, agent.as_str(), slot), request).await?;
        }
        Ok(())
    }

    async fn release_slot(&self, key: &Key, request: &RequestId) -> Result<(), ServiceError> {
        let sent = self
            .aws
            .dynamodb()
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .condition_expression("#request = :request")
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":request", AttributeValue::S(request.to_string()))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            // Another request took the slot meanwhile.
            Err(SdkError::ServiceError(refused))
                if matches!(refused.err(), DeleteItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(())
            }
            Err(error) => Err(ServiceError::from_sdk("dynamodb:DeleteItem", &error)),
        }
    }

    /// The slots that are taken at `now`.
    async fn pending_slots(&self, pool: &str, now: Timestamp) -> Result<BTreeMap<u32, PendingSlot>, AuthorityError> {
        let mut taken = BTreeMap::new();
        for item in self.partition(pool).await? {
            let slot = PendingSlot::read(&item)?;
            if slot.expires_at > now {
                taken.insert(slot.slot, slot);
            }
        }
        Ok(taken)
    }

    fn opening(
        &self,
        new: &NewRequest<'_>,
        slots: &[Key],
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, ServiceError> {
        let request = new.request;
        let match_key = Key::single(MatchItem::PREFIX, &request.match_digest.to_string());
        let match_item = ItemWriter::new(&match_key)
            .text("request", request.request.as_str())
            .time("expires_at", new.findable_until)
            .ttl(new.findable_until)
            .build();
        let mut match_values: Attributes = [(":now".to_owned(), time_value(now))].into();
        let mut match_condition = VACANT.to_owned();
        let mut match_names = vec!["expires_at"];
        if let Some(closed) = new.replaces {
            match_condition.push_str(" OR #request = :closed");
            match_names.push("request");
            match_values.insert(":closed".to_owned(), AttributeValue::S(closed.to_string()));
        }
        let mut members = vec![
            self.put_member(request.write(), "attribute_not_exists(pk)", &[], None)?,
            self.put_member(match_item, &match_condition, &match_names, Some(match_values))?,
        ];
        for (place, slot) in slots.iter().enumerate() {
            let mut item = ItemWriter::new(slot)
                .text("request", request.request.as_str())
                .time("expires_at", request.expires_at)
                .ttl(request.expires_at);
            if place == 0 {
                // The agent's own slot names the others, so that they are found when it is released.
                item = item.texts("also", slots.iter().skip(1).map(|other| format!("{}#{}", other.pk, other.sk)));
            }
            let values: Attributes = [(":now".to_owned(), time_value(now))].into();
            members.push(self.put_member(item.build(), VACANT, &["expires_at"], Some(values))?);
        }
        Ok(members)
    }
}

/// Nothing is there, or nothing that still holds: TTL may be days late.
const VACANT: &str = "attribute_not_exists(pk) OR #expires_at <= :now";
/// The place of the match item in the transaction of [`Authority::opening`].
const MATCH_MEMBER: usize = 1;

impl PendingSlot {
    fn read(item: &Attributes) -> Result<Self, AuthorityError> {
        let item = ItemReader(item);
        let parse = || {
            Ok(Self {
                slot: item.parsed("sk", str::parse)?,
                request: item.parsed("request", RequestId::new)?,
                expires_at: item.time("expires_at")?,
            })
        };
        parse().map_err(|bad| AuthorityError::malformed(PENDING, bad))
    }
}

impl UntrustedRequest {
    fn write(&self) -> Attributes {
        let item = ItemWriter::new(&Key::single(Self::PREFIX, self.request.as_str()))
            .text("agent", self.agent.as_str())
            .text("session", self.session.as_str())
            .text("target", self.target.as_str())
            .text("operation", &self.operation)
            .texts("groups", self.groups.iter().map(|group| group.as_str().to_owned()))
            .digest("frozen_digest", &self.frozen_digest)
            .digest("match_digest", &self.match_digest)
            .time("created_at", self.created_at)
            .time("expires_at", self.expires_at)
            .bytes("data_key", &self.sealed.data_key)
            .ttl(self.expires_at.plus(RETENTION));
        match &self.sealed.body {
            SealedBody::Inline(bytes) => item.bytes("frozen", bytes).build(),
            SealedBody::Stored(key) => item.text("frozen_key", key).build(),
        }
    }
}
