//! What the items say, as types.

use std::collections::BTreeSet;

use countersign_domain::{
    AgentId, Digest, GroupName, PersonId, RequestId, SessionId, TargetName, Timestamp,
    certificate::Proof,
    request::{OutcomeKind, Unasked, Verdict},
};

use super::{
    AuthorityError,
    item::{Attributes, BadAttribute, ItemReader, ItemWriter},
};

/// Whether a put that happens once was the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored<T> {
    /// It was stored, now or by an earlier try of the same put.
    Now,
    /// Another one was there before.
    Already(T),
}

/// Where the sealed bytes of a frozen call are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealedBody {
    /// In the item.
    Inline(Vec<u8>),
    /// In the bucket, at this key.
    Stored(String),
}

/// A frozen call as it is kept: only who may `kms:Decrypt` can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedFrozen {
    /// The data key, encrypted by KMS under the request's id as encryption context.
    pub data_key: Vec<u8>,
    /// The frozen call, sealed with the data key.
    pub body: SealedBody,
}

/// A `REQ#` item: the gateway's words about a request. Approvals and executor take from it only
/// where the sealed bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrustedRequest {
    /// The request.
    pub request: RequestId,
    /// Who asked.
    pub agent: AgentId,
    /// In which session.
    pub session: SessionId,
    /// On which target.
    pub target: TargetName,
    /// `service:Operation`.
    pub operation: String,
    /// The groups to ask.
    pub groups: BTreeSet<GroupName>,
    /// The digest of the frozen call.
    pub frozen_digest: Digest,
    /// The digest that finds the request again.
    pub match_digest: Digest,
    /// When it was stored.
    pub created_at: Timestamp,
    /// Until when it may be approved.
    pub expires_at: Timestamp,
    /// The frozen call.
    pub sealed: SealedFrozen,
}

impl UntrustedRequest {
    pub(super) const PREFIX: &'static str = "REQ#";

    pub(super) fn read(request: &RequestId, item: &Attributes) -> Result<Self, AuthorityError> {
        Self::parse(request, &ItemReader(item)).map_err(|bad| AuthorityError::malformed(Self::PREFIX, bad))
    }

    fn parse(request: &RequestId, item: &ItemReader<'_>) -> Result<Self, BadAttribute> {
        let body = if item.has("frozen_key") {
            SealedBody::Stored(item.text("frozen_key")?.to_owned())
        } else {
            SealedBody::Inline(item.bytes("frozen")?.to_vec())
        };
        Ok(Self {
            request: request.clone(),
            agent: item.parsed("agent", AgentId::new)?,
            session: item.parsed("session", SessionId::new)?,
            target: item.parsed("target", TargetName::new)?,
            operation: item.text("operation")?.to_owned(),
            groups: item.texts("groups", GroupName::new)?,
            frozen_digest: item.digest("frozen_digest")?,
            match_digest: item.digest("match_digest")?,
            created_at: item.time("created_at")?,
            expires_at: item.time("expires_at")?,
            sealed: SealedFrozen { data_key: item.bytes("data_key")?.to_vec(), body },
        })
    }
}

/// A `MATCH#` item: which request a repeated call belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchItem {
    /// The request.
    pub request: RequestId,
    /// Until when repeated calls find it.
    pub expires_at: Timestamp,
}

impl MatchItem {
    pub(super) const PREFIX: &'static str = "MATCH#";

    pub(super) fn read(item: &Attributes) -> Result<Self, AuthorityError> {
        let item = ItemReader(item);
        let parse =
            || Ok(Self { request: item.parsed("request", RequestId::new)?, expires_at: item.time("expires_at")? });
        parse().map_err(|bad| AuthorityError::malformed(Self::PREFIX, bad))
    }
}

/// A `LNK#` item: what a link in a mail stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkItem {
    /// The request.
    pub request: RequestId,
    /// The person it was sent to.
    pub person: PersonId,
    /// The frozen call it was sent about, as the notifier read it from the gateway's item: it must
    /// equal the digest of the bytes that are shown.
    pub frozen_digest: Digest,
    /// Until when it can be used.
    pub expires_at: Timestamp,
}

impl LinkItem {
    pub(super) const PREFIX: &'static str = "LNK#";

    pub(super) fn read(item: &Attributes) -> Result<Self, AuthorityError> {
        let item = ItemReader(item);
        let parse = || {
            Ok(Self {
                request: item.parsed("request", RequestId::new)?,
                person: item.parsed("person", PersonId::new)?,
                frozen_digest: item.digest("frozen_digest")?,
                expires_at: item.time("expires_at")?,
            })
        };
        parse().map_err(|bad| AuthorityError::malformed(Self::PREFIX, bad))
    }
}

/// A `SEEN#` item: when a person, having proved who they are, first saw the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenItem {
    /// Who.
    pub person: PersonId,
    /// When.
    pub at: Timestamp,
    /// The proof they gave then.
    pub proof: Proof,
}

impl SeenItem {
    pub(super) const PREFIX: &'static str = "SEEN#";

    pub(super) fn read(item: &Attributes) -> Result<Self, AuthorityError> {
        let item = ItemReader(item);
        let parse = || {
            Ok(Self {
                person: item.parsed("sk", PersonId::new)?,
                at: item.time("at")?,
                proof: item.parsed("proof", proof)?,
            })
        };
        parse().map_err(|bad| AuthorityError::malformed(Self::PREFIX, bad))
    }
}

/// A code that may be compared once: its attempt has already been taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeAttempt {
    /// The hash of the code that was sent.
    pub code_hash: Digest,
    /// How many attempts are left after this one.
    pub attempts_left: u64,
}

/// A `DEC#` item: one person's decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionItem {
    /// Who.
    pub person: PersonId,
    /// What.
    pub verdict: Verdict,
    /// Their words.
    pub reason: String,
    /// How they proved who they are.
    pub proof: Proof,
    /// When they first saw the call after the proof.
    pub seen_at: Timestamp,
    /// When they decided.
    pub decided_at: Timestamp,
    /// The digest of what they were shown.
    pub facts_hash: Digest,
    /// The frozen call they decided on.
    pub frozen_digest: Digest,
}

impl DecisionItem {
    pub(super) const PREFIX: &'static str = "DEC#";

    pub(super) fn write(&self, item: ItemWriter) -> Attributes {
        item.text("verdict", verdict_name(&self.verdict))
            .text("reason", &self.reason)
            .text("proof", self.proof.as_str())
            .time("seen_at", self.seen_at)
            .time("decided_at", self.decided_at)
            .digest("facts_hash", &self.facts_hash)
            .digest("frozen_digest", &self.frozen_digest)
            .ttl(self.decided_at.plus(super::RETENTION))
            .build()
    }

    pub(super) fn read(item: &Attributes) -> Result<Self, AuthorityError> {
        let item = ItemReader(item);
        let parse = || {
            Ok(Self {
                person: item.parsed("sk", PersonId::new)?,
                verdict: item.parsed("verdict", verdict)?,
                reason: item.text("reason")?.to_owned(),
                proof: item.parsed("proof", proof)?,
                seen_at: item.time("seen_at")?,
                decided_at: item.time("decided_at")?,
                facts_hash: item.digest("facts_hash")?,
                frozen_digest: item.digest("frozen_digest")?,
            })
        };
        parse().map_err(|bad| AuthorityError::malformed(Self::PREFIX, bad))
    }
}

/// A `CERT#` item: the statement and its signature, as stored. Verify before decoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCertificate {
    /// The bytes of [`countersign_domain::certificate::Statement::encode`].
    pub statement: Vec<u8>,
    /// The ECDSA P-256 signature over them, ASN.1 DER.
    pub signature: Vec<u8>,
}

impl SignedCertificate {
    pub(super) const PREFIX: &'static str = "CERT#";

    pub(super) fn read(item: &Attributes) -> Result<Self, AuthorityError> {
        let item = ItemReader(item);
        let parse =
            || Ok(Self { statement: item.bytes("statement")?.to_vec(), signature: item.bytes("signature")?.to_vec() });
        parse().map_err(|bad| AuthorityError::malformed(Self::PREFIX, bad))
    }
}

/// An `OUT#` item without headers and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeSummary {
    /// What became of the replay.
    pub kind: OutcomeKind,
    /// The HTTP status of AWS's answer, where there is one.
    pub status: Option<u16>,
    /// Why nothing was sent, or why it is unknown.
    pub reason: Option<String>,
    /// When it was stored.
    pub at: Timestamp,
}

impl OutcomeSummary {
    pub(crate) const PREFIX: &'static str = "OUT#";

    pub(crate) fn read(item: &Attributes) -> Result<Self, AuthorityError> {
        let item = ItemReader(item);
        let parse = || {
            let status = match item.has("status") {
                true => Some(u16::try_from(item.number("status")?).map_err(|_| BadAttribute("status"))?),
                false => None,
            };
            Ok(Self {
                kind: item.parsed("kind", outcome_kind)?,
                status,
                reason: item.optional_text("reason")?.map(str::to_owned),
                at: item.time("at")?,
            })
        };
        parse().map_err(|bad| AuthorityError::malformed(Self::PREFIX, bad))
    }
}

/// An `UNASKED#` item: the notifier's word that it has given up asking.
pub(super) struct UnaskedItem;

impl UnaskedItem {
    pub(super) const PREFIX: &'static str = "UNASKED#";

    pub(super) fn read(item: &Attributes) -> Result<Unasked, AuthorityError> {
        let named = |text: &str| Unasked::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or(());
        ItemReader(item).parsed("reason", named).map_err(|bad| AuthorityError::malformed(Self::PREFIX, bad))
    }
}

fn proof(text: &str) -> Result<Proof, ()> {
    [Proof::SignedIn, Proof::EmailedCode].into_iter().find(|proof| proof.as_str() == text).ok_or(())
}

fn verdict_name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "approve",
        Verdict::Deny => "deny",
    }
}

fn verdict(text: &str) -> Result<Verdict, ()> {
    [Verdict::Approve, Verdict::Deny].into_iter().find(|verdict| verdict_name(verdict) == text).ok_or(())
}

/// The name of an outcome in items and in the record.
pub(crate) fn outcome_name(kind: OutcomeKind) -> &'static str {
    match kind {
        OutcomeKind::Answered => "answered",
        OutcomeKind::NotSent => "not-sent",
        OutcomeKind::Unknown => "unknown",
    }
}

fn outcome_kind(text: &str) -> Result<OutcomeKind, ()> {
    [OutcomeKind::Answered, OutcomeKind::NotSent, OutcomeKind::Unknown]
        .into_iter()
        .find(|kind| outcome_name(*kind) == text)
        .ok_or(())
}
