//! The record: append-only events, chained by hash per session and writer.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    decision::RuleHit,
    digest::Digest,
    encoding::Writer,
    ids::{AgentId, PersonId, RequestId, SessionId, TargetName},
    time::Timestamp,
};

const DOMAIN_TAG: &str = "countersign/event/v1";

/// Which function writes. Each has its own partitions in the record table, see [`Chain::key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriterKind {
    /// The gateway: `GW#`.
    Gateway,
    /// The notifier: `NT#`.
    Notifier,
    /// Approvals: `AP#`.
    Approvals,
    /// The executor: `EX#`.
    Executor,
}

impl WriterKind {
    /// The prefix of its partition keys in the record table.
    pub fn prefix(self) -> &'static str {
        match self {
            WriterKind::Gateway => "GW#",
            WriterKind::Notifier => "NT#",
            WriterKind::Approvals => "AP#",
            WriterKind::Executor => "EX#",
        }
    }
}

/// What an event is about: who asked, in which session, for which request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The agent; absent only where it is not known yet (a refused login).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// The request, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The agent's own words for its task; shown as such.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub unverified_task: String,
}

/// A permission as the record keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionRecord {
    /// The IAM action.
    pub action: String,
    /// The ARN, the odd form as sent, or `*`.
    pub resource: String,
    /// AWS's access level.
    pub level: String,
    /// The classes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub classes: Vec<String>,
}

/// A call as the record keeps it: parameters masked and cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// `service:Operation`.
    pub operation: String,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The upstream host.
    pub host: String,
    /// What AWS checks for it.
    pub permissions: Vec<PermissionRecord>,
    /// The parameters, masked.
    pub parameters: Json,
    /// The address that the call came from.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub source_ip: String,
}

/// What a bundle that is only tried out made of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShadowBundle {
    /// It decided.
    Decided {
        /// `deny`, `needs-approval`, `allow`.
        decision: String,
        /// Why.
        rules: Vec<RuleHit>,
        /// Which bundle.
        bundle: Digest,
    },
    /// It does not load, or failed on this call.
    Failed {
        /// Why.
        error: String,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Happening {
    /// An agent was given a session.
    SessionOpened {
        /// The issuer of its token.
        issuer: String,
        /// The token's subject.
        subject: String,
        /// Until when.
        expires_at: Timestamp,
    },
    /// A login or a call was refused before it was understood.
    Refused {
        /// The reason's stable name.
        code: String,
        /// The reason in words.
        reason: String,
        /// Where it came from.
        source_ip: String,
    },
    /// Policy decided. For an allowed call this is the write-ahead event: nothing leaves before it.
    Decided {
        /// `deny`, `needs-approval`, `allow`.
        decision: String,
        /// Why.
        rules: Vec<RuleHit>,
        /// Rules in shadow mode that matched, or could not be evaluated.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        shadow: Vec<RuleHit>,
        /// What the decision would be if rules in shadow mode counted; absent when none matched.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        shadow_decision: Option<String>,
        /// What the shadow bundle made of it; absent where there is none.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        shadow_bundle: Option<ShadowBundle>,
        /// What.
        call: CallRecord,
        /// With which bundle.
        bundle: Digest,
    },
    /// Policy let a call pass or held it, and a limit stopped it: nothing was sent, nobody was asked.
    Limited {
        /// The sequence number of its `Decided` event in the same chain.
        decided: u64,
        /// The limit's name.
        limit: String,
        /// Whose count: the parts of the limit's `per`, each with its name.
        subject: String,
        /// `calls`, `distinct_resources` or `pending`.
        counted: String,
        /// How many there may be.
        most: u32,
        /// When the count starts anew; requests that wait have no such time.
        #[serde(skip_serializing_if = "Option::is_none")]
        resets_at: Option<Timestamp>,
    },
    /// A forwarded call came back, or did not.
    Completed {
        /// The sequence number of its `Decided` event in the same chain.
        decided: u64,
        /// The HTTP status, unless no answer came.
        status: Option<u16>,
        /// The request id that AWS gave.
        #[serde(skip_serializing_if = "Option::is_none")]
        aws_request_id: Option<String>,
        /// What went wrong where no answer came.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// How many values were masked in the answer.
        masked: u32,
    },
    /// A call was frozen and waits.
    Held {
        /// What will be approved.
        frozen_digest: Digest,
        /// Until when it may be.
        expires_at: Timestamp,
        /// The groups that are asked, with quorums.
        approvals: Vec<(String, u32)>,
    },
    /// Persons were asked.
    Asked {
        /// Whom.
        persons: Vec<PersonId>,
        /// By `email`, `sns`.
        channel: String,
    },
    /// A person proved who they are and saw the call for the first time.
    Seen {
        /// Who.
        person: PersonId,
        /// How they proved it.
        proof: String,
    },
    /// A code was sent.
    CodeSent {
        /// To whom.
        person: PersonId,
    },
    /// A person decided.
    Voted {
        /// Who.
        person: PersonId,
        /// `approve` or `deny`.
        verdict: String,
        /// How they proved who they are.
        proof: String,
        /// Their reason.
        reason: String,
        /// Milliseconds from first sight to decision.
        looked_millis: u64,
        /// What they saw.
        facts_hash: Digest,
        /// What they decided on.
        frozen_digest: Digest,
        /// The bundle that approvals evaluated.
        bundle: Digest,
    },
    /// An attempt to decide was refused.
    VoteRefused {
        /// Who, where known.
        #[serde(skip_serializing_if = "Option::is_none")]
        person: Option<PersonId>,
        /// Why.
        reason: String,
    },
    /// The quorum was met and the certificate signed.
    Certified {
        /// Who approved.
        persons: Vec<PersonId>,
        /// What may run.
        frozen_digest: Digest,
        /// Until when the replay may begin.
        expires_at: Timestamp,
    },
    /// The executor is about to send the frozen call: written, once, before a byte leaves.
    Departing {
        /// What is sent.
        call: CallRecord,
        /// The frozen call.
        frozen_digest: Digest,
        /// Who approved it.
        persons: Vec<PersonId>,
        /// The bundle at replay.
        bundle: Digest,
        /// Which attempt this is, from 1.
        attempt: u32,
    },
    /// What became of the replay.
    Replayed {
        /// `answered`, `not-sent`, `unknown`.
        outcome: String,
        /// The HTTP status of the answer.
        status: Option<u16>,
        /// The request id that AWS gave.
        #[serde(skip_serializing_if = "Option::is_none")]
        aws_request_id: Option<String>,
        /// Why nothing was sent, or why it is unknown.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// How many values were masked in the answer.
        masked: u32,
    },
    /// The agent was given the outcome.
    Delivered {
        /// The HTTP status that it got.
        status: u16,
    },
    /// The request ended without a replay.
    Closed {
        /// `denied` or `expired`.
        state: String,
    },
}

/// An event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, by the writer's clock.
    pub at: Timestamp,
    /// Who and where.
    pub subject: Subject,
    /// What.
    pub happening: Happening,
}

/// An event in its place in a chain, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainedEvent {
    /// The partition key: the chain.
    pub chain: String,
    /// The place in the chain, from 0.
    pub sequence: u64,
    /// The hash of the event before; of the chain's key for the first.
    pub previous: Digest,
    /// The event as JSON text: exactly these bytes are hashed.
    pub body: String,
    /// The hash of this event.
    pub hash: Digest,
}

/// A chain that one writer extends; held in memory by its function instance.
#[derive(Clone, Debug)]
pub struct Chain {
    key: String,
    next: u64,
    previous: Digest,
}

impl Chain {
    /// A new chain of `writer` about `about` (a session or request id), told apart from the
    /// chains of other instances by `instance`.
    pub fn new(writer: WriterKind, about: &str, instance: &str) -> Self {
        let key = Self::key(writer, about, instance);
        let previous = Digest::of(key.as_bytes());
        Self { key, next: 0, previous }
    }

    /// The partition key.
    pub fn key(writer: WriterKind, about: &str, instance: &str) -> String {
        format!("{}{about}#{instance}", writer.prefix())
    }

    /// Seals `event` as the next of the chain. The chain moves on: an event that was sealed but
    /// could not be stored must end the chain (start a new one with another instance id), or the
    /// gap would look like a loss.
    ///
    /// # Errors
    /// When the event cannot be written as JSON.
    pub fn seal(&mut self, event: &Event) -> Result<ChainedEvent, serde_json::Error> {
        let body = serde_json::to_string(event)?;
        let hash = hash(&self.key, self.next, &self.previous, &body);
        let sealed = ChainedEvent { chain: self.key.clone(), sequence: self.next, previous: self.previous, body, hash };
        self.next = self.next.saturating_add(1);
        self.previous = hash;
        Ok(sealed)
    }
}

/// The hash that chains an event to the one before.
pub fn hash(chain: &str, sequence: u64, previous: &Digest, body: &str) -> Digest {
    let mut out = Writer::new(DOMAIN_TAG);
    out.text(chain).number(sequence).bytes(previous.as_bytes()).text(body);
    Digest::of(&out.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_links_each_event_to_the_one_before() {
        let mut chain = Chain::new(WriterKind::Gateway, "s-x", "i-1");
        let event = Event {
            at: Timestamp::from_secs(1),
            subject: Subject {
                agent: None,
                session: None,
                target: None,
                request: None,
                unverified_task: String::new(),
            },
            happening: Happening::Closed { state: "expired".into() },
        };
        let first = chain.seal(&event).unwrap();
        let second = chain.seal(&event).unwrap();
        assert_eq!(first.chain, "GW#s-x#i-1");
        assert_eq!(second.previous, first.hash);
        assert_eq!((first.sequence, second.sequence), (0, 1));
        assert_eq!(hash(&second.chain, 1, &first.hash, &second.body), second.hash);
        assert_ne!(hash(&second.chain, 2, &first.hash, &second.body), second.hash);
    }
}
