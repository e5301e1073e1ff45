//! What the approvals' role may write: first sights, codes, used links, decisions, certificates.

use aws_sdk_dynamodb::{
    operation::{put_item::PutItemError, update_item::UpdateItemError},
    primitives::Blob,
    types::{AttributeValue, ReturnValue},
};
use aws_smithy_runtime_api::client::result::SdkError;
use countersign_domain::{Digest, PersonId, RequestId, Timestamp, certificate::Proof};

use super::{
    Authority, AuthorityError, CodeAttempt, DecisionItem, LinkItem, RETENTION, SeenItem, SignedCertificate, Stored,
    item::{Attributes, ItemReader, ItemWriter, Key, number_value, time_value},
    notifier::TOKEN,
};
use crate::{ServiceError, states::TaskToken};

const CODE: &str = "CODE#";
const USED: &str = "USED#";
const PUT: &str = "dynamodb:PutItem";
const UPDATE: &str = "dynamodb:UpdateItem";

/// Whether a code may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeStored {
    /// It is stored: send it.
    Stored,
    /// This person was sent as many codes for this request as may be.
    TooMany,
}

impl Authority {
    /// The token that wakes the state machine.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer or the item is malformed.
    pub async fn task_token(&self, request: &RequestId) -> Result<Option<TaskToken>, AuthorityError> {
        let item = self.get(&Key::single(TOKEN, request.as_str())).await?;
        item.map(|item| ItemReader(&item).text("task_token").map(TaskToken::new))
            .transpose()
            .map_err(|bad| AuthorityError::malformed(TOKEN, bad))
    }

    /// What a link stands for.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer or the item is malformed.
    pub async fn link(&self, token_hash: &Digest) -> Result<Option<LinkItem>, AuthorityError> {
        let item = self.get(&Key::single(LinkItem::PREFIX, &token_hash.to_string())).await?;
        item.as_ref().map(LinkItem::read).transpose()
    }

    /// Whether a link has decided something already.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer.
    pub async fn link_is_used(&self, token_hash: &Digest) -> Result<bool, AuthorityError> {
        Ok(self.get(&Key::single(USED, &token_hash.to_string())).await?.is_some())
    }

    /// Uses up a link: [`Stored::Already`] if it was used before.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer.
    pub async fn use_link(&self, token_hash: &Digest, now: Timestamp) -> Result<Stored<()>, AuthorityError> {
        let key = Key::single(USED, &token_hash.to_string());
        let item = ItemWriter::new(&key).time("at", now).ttl(now.plus(RETENTION)).build();
        Ok(match self.put_once_or_existing(item, &key).await? {
            None => Stored::Now,
            Some(_) => Stored::Already(()),
        })
    }

    /// Notes that `person` has seen the call, once: gives back the first sight.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer or the item is malformed.
    pub async fn mark_seen(
        &self,
        request: &RequestId,
        person: &PersonId,
        proof: Proof,
        now: Timestamp,
    ) -> Result<SeenItem, AuthorityError> {
        let key = Key::of(SeenItem::PREFIX, request.as_str(), person.as_str());
        let item = ItemWriter::new(&key).time("at", now).text("proof", proof.as_str()).ttl(now.plus(RETENTION)).build();
        match self.put_once_or_existing(item, &key).await? {
            None => Ok(SeenItem { person: person.clone(), at: now, proof }),
            Some(first) => SeenItem::read(&first),
        }
    }

    /// When `person` first saw the call.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer or the item is malformed.
    pub async fn seen(&self, request: &RequestId, person: &PersonId) -> Result<Option<SeenItem>, AuthorityError> {
        let item = self.get(&Key::of(SeenItem::PREFIX, request.as_str(), person.as_str())).await?;
        item.as_ref().map(SeenItem::read).transpose()
    }

    /// Keeps the hash of a new code with `attempts` attempts, in place of the one before; at most
    /// `most_codes` per request and person.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer; then no code may be sent.
    pub async fn put_code(
        &self,
        request: &RequestId,
        person: &PersonId,
        code_hash: &Digest,
        attempts: u64,
        most_codes: u64,
        expires_at: Timestamp,
    ) -> Result<CodeStored, AuthorityError> {
        let values: Attributes = [
            (":hash".to_owned(), AttributeValue::S(code_hash.to_string())),
            (":attempts".to_owned(), number_value(attempts)),
            (":expires".to_owned(), time_value(expires_at)),
            (":ttl".to_owned(), number_value(expires_at.plus(RETENTION).as_secs())),
            (":one".to_owned(), number_value(1)),
            (":most".to_owned(), number_value(most_codes)),
        ]
        .into();
        let updated = self
            .update(
                &Key::of(CODE, request.as_str(), person.as_str()),
                "SET code_hash = :hash, attempts_left = :attempts, expires_at = :expires, #ttl = :ttl ADD sent :one",
                "attribute_not_exists(sent) OR sent < :most",
                values,
                &[("#ttl", "ttl")],
            )
            .await?;
        Ok(if updated.is_some() { CodeStored::Stored } else { CodeStored::TooMany })
    }

    /// Takes one attempt at a person's code, before anything is compared: so that parallel guesses
    /// cannot share one. Nothing is left after the last, after the expiry, or without a code.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer or the item is malformed.
    pub async fn take_code_attempt(
        &self,
        request: &RequestId,
        person: &PersonId,
        now: Timestamp,
    ) -> Result<Option<CodeAttempt>, AuthorityError> {
        let values: Attributes = [
            (":one".to_owned(), number_value(1)),
            (":zero".to_owned(), number_value(0)),
            (":now".to_owned(), time_value(now)),
        ]
        .into();
        let updated = self
            .update(
                &Key::of(CODE, request.as_str(), person.as_str()),
                "SET attempts_left = attempts_left - :one",
                "attempts_left > :zero AND expires_at > :now",
                values,
                &[],
            )
            .await?;
        let Some(item) = updated else { return Ok(None) };
        let item = ItemReader(&item);
        let parse =
            || Ok(CodeAttempt { code_hash: item.digest("code_hash")?, attempts_left: item.number("attempts_left")? });
        parse().map(Some).map_err(|bad| AuthorityError::malformed(CODE, bad))
    }

    /// Makes a code that was typed rightly useless: a code decides once.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer; then the decision must not be stored.
    pub async fn spend_code(
        &self,
        request: &RequestId,
        person: &PersonId,
        code_hash: &Digest,
    ) -> Result<bool, AuthorityError> {
        let values: Attributes =
            [(":zero".to_owned(), number_value(0)), (":hash".to_owned(), AttributeValue::S(code_hash.to_string()))]
                .into();
        let updated = self
            .update(
                &Key::of(CODE, request.as_str(), person.as_str()),
                "SET attempts_left = :zero, expires_at = :zero",
                "code_hash = :hash AND expires_at > :zero",
                values,
                &[],
            )
            .await?;
        Ok(updated.is_some())
    }

    /// Counts a refused attempt of `person` to decide; whether it is among the first `most`.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer.
    pub async fn count_refusal(
        &self,
        request: &RequestId,
        person: &PersonId,
        most: u64,
        now: Timestamp,
    ) -> Result<bool, AuthorityError> {
        let values: Attributes = [
            (":one".to_owned(), number_value(1)),
            (":most".to_owned(), number_value(most)),
            (":ttl".to_owned(), number_value(now.plus(RETENTION).as_secs())),
        ]
        .into();
        let updated = self
            .update(
                &Key::of(CODE, request.as_str(), person.as_str()),
                "SET #ttl = if_not_exists(#ttl, :ttl) ADD refused :one",
                "attribute_not_exists(refused) OR refused < :most",
                values,
                &[("#ttl", "ttl")],
            )
            .await?;
        Ok(updated.is_some())
    }

    /// Stores a person's decision, once: [`Stored::Already`] gives back the one that stands.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer or the item is malformed.
    pub async fn decide(
        &self,
        request: &RequestId,
        decision: &DecisionItem,
    ) -> Result<Stored<DecisionItem>, AuthorityError> {
        let key = Key::of(DecisionItem::PREFIX, request.as_str(), decision.person.as_str());
        match self.put_once_or_existing(decision.write(ItemWriter::new(&key)), &key).await? {
            None => Ok(Stored::Now),
            Some(existing) => DecisionItem::read(&existing).map(Stored::Already),
        }
    }

    /// Stores the certificate, once: [`Stored::Already`] gives back the one that stands.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer or the item is malformed.
    pub async fn put_certificate(
        &self,
        request: &RequestId,
        certificate: &SignedCertificate,
        now: Timestamp,
    ) -> Result<Stored<SignedCertificate>, AuthorityError> {
        let key = Key::single(SignedCertificate::PREFIX, request.as_str());
        match self.put_once_or_existing(certificate_item(&key, certificate, now), &key).await? {
            None => Ok(Stored::Now),
            Some(existing) => SignedCertificate::read(&existing).map(Stored::Already),
        }
    }

    /// Stores a certificate in place of `expired`, if that still stands. Either way exactly one
    /// stands; which of them counts is the executor's business, which claims once.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer.
    pub async fn replace_certificate(
        &self,
        request: &RequestId,
        expired: &SignedCertificate,
        certificate: &SignedCertificate,
        now: Timestamp,
    ) -> Result<Stored<()>, AuthorityError> {
        let key = Key::single(SignedCertificate::PREFIX, request.as_str());
        let sent = self
            .aws
            .dynamodb()
            .put_item()
            .table_name(&self.table)
            .set_item(Some(certificate_item(&key, certificate, now)))
            .condition_expression("#statement = :expired")
            .expression_attribute_names("#statement", "statement")
            .expression_attribute_values(":expired", AttributeValue::B(Blob::new(expired.statement.clone())))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Stored::Now),
            Err(SdkError::ServiceError(refused))
                if matches!(refused.err(), PutItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(Stored::Already(()))
            }
            Err(error) => Err(ServiceError::from_sdk(PUT, &error).into()),
        }
    }

    /// The item after the update, or nothing where the condition does not hold.
    async fn update(
        &self,
        key: &Key,
        update: &str,
        condition: &str,
        values: Attributes,
        names: &[(&str, &str)],
    ) -> Result<Option<Attributes>, ServiceError> {
        let mut request = self
            .aws
            .dynamodb()
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .update_expression(update)
            .condition_expression(condition)
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::AllNew);
        for (placeholder, name) in names {
            request = request.expression_attribute_names(*placeholder, *name);
        }
        match request.send().await {
            Ok(answer) => answer.attributes.map(Some).ok_or_else(|| ServiceError::unreadable(UPDATE)),
            Err(SdkError::ServiceError(refused))
                if matches!(refused.err(), UpdateItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(None)
            }
            Err(error) => Err(ServiceError::from_sdk(UPDATE, &error)),
        }
    }
}

fn certificate_item(key: &Key, certificate: &SignedCertificate, now: Timestamp) -> Attributes {
    ItemWriter::new(key)
        .bytes("statement", &certificate.statement)
        .bytes("signature", &certificate.signature)
        .ttl(now.plus(RETENTION))
        .build()
}
