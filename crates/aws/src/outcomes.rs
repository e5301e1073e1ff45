//! What became of replays: `OUT#` items, and large bodies in the bucket.

use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use countersign_domain::{Digest, RequestId, Timestamp, request::OutcomeKind};
use ring::rand::{SecureRandom, SystemRandom};

use crate::{
    Aws, ServiceError,
    authority::{
        Authority, AuthorityError, OutcomeSummary, Put, RETENTION, Stored,
        item::{Attributes, ItemReader, ItemWriter, Key},
        outcome_name,
    },
    objects::Objects,
};

/// Larger ones go to the bucket: an item has at most 400 KB, headers included.
const INLINE_LIMIT: usize = 300 * 1024;
/// No stored outcome is larger: the executor takes no larger answer, and a mask is at most some times
/// longer than what it hides.
const STORED_LIMIT: usize = 4 * crate::forward::MOST_ANSWER_BYTES;

/// What became of a replay, as the agent may be given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What became of it.
    pub kind: OutcomeKind,
    /// The HTTP status of AWS's answer; only for [`OutcomeKind::Answered`].
    pub status: Option<u16>,
    /// The headers of the answer that may be given on, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, masked.
    pub body: Bytes,
    /// Why nothing was sent, or why it is unknown. For [`OutcomeKind::Answered`]: why the answer is
    /// withheld; there are no headers and no body then, and the call was executed.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Stores and reads outcomes.
#[derive(Clone, Debug)]
pub struct Outcomes {
    authority: Authority,
    objects: Objects,
}

impl Outcomes {
    pub(crate) fn new(authority: Authority, aws: Aws, bucket: String) -> Self {
        Self { authority, objects: Objects::new(aws, bucket) }
    }

    /// Stores an outcome. It stands, but for one that is unknown, which a late answer replaces:
    /// [`Stored::Already`] gives back the one that stands.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table or the bucket does not answer.
    pub async fn put(&self, request: &RequestId, outcome: &Outcome) -> Result<Stored<OutcomeSummary>, AuthorityError> {
        let key = Key::single(OutcomeSummary::PREFIX, request.as_str());
        let item = self.item(&key, request, outcome).await?;
        let (condition, values) = match outcome.kind {
            OutcomeKind::Answered => {
                let unknown = AttributeValue::S(outcome_name(OutcomeKind::Unknown).to_owned());
                ("attribute_not_exists(pk) OR kind = :unknown", Some([(":unknown".to_owned(), unknown)].into()))
            }
            OutcomeKind::NotSent | OutcomeKind::Unknown => ("attribute_not_exists(pk)", None),
        };
        let existing = match self.authority.put_if(item.clone(), condition, values).await? {
            Put::Done => return Ok(Stored::Now),
            Put::Refused(Some(existing)) if !existing.is_empty() => existing,
            Put::Refused(_) => self.authority.get(&key).await?.ok_or(AuthorityError::Contended("dynamodb:PutItem"))?,
        };
        if existing == item {
            return Ok(Stored::Now);
        }
        OutcomeSummary::read(&existing).map(Stored::Already)
    }

    /// The outcome of a replay with its headers and body.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table or the bucket does not answer, or the item is malformed.
    pub async fn get(&self, request: &RequestId) -> Result<Option<Outcome>, AuthorityError> {
        let key = Key::single(OutcomeSummary::PREFIX, request.as_str());
        let Some(item) = self.authority.get(&key).await? else { return Ok(None) };
        let summary = OutcomeSummary::read(&item)?;
        let malformed = |attribute| AuthorityError::Malformed { key: OutcomeSummary::PREFIX.to_owned(), attribute };
        let reader = ItemReader(&item);
        let headers = match reader.optional_text("headers") {
            Ok(Some(json)) => serde_json::from_str(json).map_err(|_| malformed("headers"))?,
            Ok(None) => Vec::new(),
            Err(_) => return Err(malformed("headers")),
        };
        let body = match reader.optional_text("body_key") {
            Ok(Some(place)) => {
                let body = self.objects.get(place, STORED_LIMIT).await?.ok_or_else(|| malformed("body_key"))?;
                let digest = reader.digest("body_digest").map_err(|_| malformed("body_digest"))?;
                if Digest::of(&body) != digest {
                    return Err(malformed("body_digest"));
                }
                body
            }
            Ok(None) if reader.has("body") => {
                Bytes::copy_from_slice(reader.bytes("body").map_err(|_| malformed("body"))?)
            }
            Ok(None) => Bytes::new(),
            Err(_) => return Err(malformed("body_key")),
        };
        let OutcomeSummary { kind, status, reason, at } = summary;
        Ok(Some(Outcome { kind, status, headers, body, reason, at }))
    }

    async fn item(&self, key: &Key, request: &RequestId, outcome: &Outcome) -> Result<Attributes, AuthorityError> {
        let mut item = ItemWriter::new(key)
            .text("kind", outcome_name(outcome.kind))
            .time("at", outcome.at)
            .ttl(outcome.at.plus(RETENTION));
        if let Some(status) = outcome.status {
            item = item.number("status", u64::from(status));
        }
        if let Some(reason) = &outcome.reason {
            item = item.text("reason", reason);
        }
        if !outcome.headers.is_empty() {
            let headers =
                serde_json::to_string(&outcome.headers).map_err(|_| ServiceError::unreadable("dynamodb:PutItem"))?;
            item = item.text("headers", headers);
        }
        if outcome.body.is_empty() {
            return Ok(item.build());
        }
        if outcome.body.len() <= INLINE_LIMIT {
            return Ok(item.bytes("body", &outcome.body).build());
        }
        let place = self.store(request, outcome.body.clone()).await?;
        Ok(item.text("body_key", place).digest("body_digest", &Digest::of(&outcome.body)).build())
    }

    /// Stores a body at a place of its own: a second attempt never changes what a first one's item
    /// points to.
    async fn store(&self, request: &RequestId, body: Bytes) -> Result<String, ServiceError> {
        let mut random = [0; 8];
        SystemRandom::new().fill(&mut random).map_err(|_| ServiceError::unreadable("s3:PutObject"))?;
        let place = format!("outcomes/{request}/{}", hex::encode(random));
        self.objects.put(&place, body).await?;
        Ok(place)
    }
}
