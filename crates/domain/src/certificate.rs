//! The certificate: the signed statement that named persons approved a frozen call.
//!
//! The statement is encoded once, by approvals; the signature is over those bytes, and the
//! executor verifies and reads the stored bytes, never a re-encoding.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    encoding::{DecodeError, Reader, Writer},
    ids::{PersonId, RequestId},
    time::Timestamp,
};

const DOMAIN_TAG: &str = "countersign/certificate/v1";

/// The longest that a certificate may wait for its replay.
pub const CERTIFICATE_LIFETIME: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// How a person proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Signed in at a person issuer of the bundle.
    SignedIn,
    /// Typed the code that was sent to the registered address.
    EmailedCode,
}

impl Proof {
    /// The name in the certificate and in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Proof::SignedIn => "signed-in",
            Proof::EmailedCode => "emailed-code",
        }
    }

    fn from_str(text: &str) -> Option<Self> {
        [Proof::SignedIn, Proof::EmailedCode].into_iter().find(|proof| proof.as_str() == text)
    }
}

/// One person's approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approval {
    /// How they proved who they are.
    pub proof: Proof,
    /// When they first saw the call after the proof.
    pub seen_at: Timestamp,
    /// When they decided.
    pub decided_at: Timestamp,
}

/// What a certificate states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The request.
    pub request_id: RequestId,
    /// The frozen call: the one thing that may run.
    pub frozen_digest: Digest,
    /// Who approved.
    pub approvals: BTreeMap<PersonId, Approval>,
    /// The digest of what the page showed them: the call as approvals identified it, and the
    /// obligations it found.
    pub facts_hash: Digest,
    /// The bundle that approvals decided with; recorded, not compared.
    pub bundle_hash: Digest,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// Until when the replay may begin.
    pub expires_at: Timestamp,
}

impl Statement {
    /// The bytes that are signed and stored.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(DOMAIN_TAG);
        out.text("call").text(self.request_id.as_str()).bytes(self.frozen_digest.as_bytes());
        out.number(self.approvals.len() as u64);
        for (person, approval) in &self.approvals {
            out.text(person.as_str())
                .text(approval.proof.as_str())
                .number(approval.seen_at.as_millis())
                .number(approval.decided_at.as_millis());
        }
        out.bytes(self.facts_hash.as_bytes())
            .bytes(self.bundle_hash.as_bytes())
            .number(self.issued_at.as_millis())
            .number(self.expires_at.as_millis());
        out.finish()
    }

    /// Reads stored bytes; verify their signature first.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that [`Statement::encode`] would not have written.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Reader::new(bytes, DOMAIN_TAG)?;
        if fields.text()? != "call" {
            return Err(DecodeError::Field("type"));
        }
        let request_id = RequestId::new(fields.text()?).map_err(|_| DecodeError::Field("request id"))?;
        let frozen_digest = digest(&mut fields, "frozen digest")?;
        let mut approvals = BTreeMap::new();
        for _ in 0..fields.number()? {
            let person = PersonId::new(fields.text()?).map_err(|_| DecodeError::Field("person"))?;
            let proof = Proof::from_str(fields.text()?).ok_or(DecodeError::Field("proof"))?;
            let seen_at = Timestamp::from_millis(fields.number()?);
            let decided_at = Timestamp::from_millis(fields.number()?);
            if approvals.last_key_value().is_some_and(|(last, _)| *last >= person) {
                return Err(DecodeError::Field("approvals"));
            }
            approvals.insert(person, Approval { proof, seen_at, decided_at });
        }
        let facts_hash = digest(&mut fields, "facts hash")?;
        let bundle_hash = digest(&mut fields, "bundle hash")?;
        let issued_at = Timestamp::from_millis(fields.number()?);
        let expires_at = Timestamp::from_millis(fields.number()?);
        fields.finish()?;
        Ok(Self { request_id, frozen_digest, approvals, facts_hash, bundle_hash, issued_at, expires_at })
    }
}

fn digest(fields: &mut Reader<'_>, name: &'static str) -> Result<Digest, DecodeError> {
    let bytes: [u8; 32] = fields.bytes()?.try_into().map_err(|_| DecodeError::Field(name))?;
    Ok(Digest::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Statement {
        let approval = Approval {
            proof: Proof::SignedIn,
            seen_at: Timestamp::from_secs(10),
            decided_at: Timestamp::from_secs(40),
        };
        Statement {
            request_id: RequestId::from_random([1; 16]),
            frozen_digest: Digest::of(b"frozen"),
            approvals: [(PersonId::new("ann").unwrap(), approval), (PersonId::new("ben").unwrap(), approval)].into(),
            facts_hash: Digest::of(b"facts"),
            bundle_hash: Digest::of(b"bundle"),
            issued_at: Timestamp::from_secs(50),
            expires_at: Timestamp::from_secs(950),
        }
    }

    #[test]
    fn decode_gives_back_what_was_encoded() {
        let statement = example();
        assert_eq!(Statement::decode(&statement.encode()).unwrap(), statement);
    }

    #[test]
    fn every_truncation_and_any_trailing_byte_is_refused() {
        let bytes = example().encode();
        for end in 0..bytes.len() {
            assert!(Statement::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        let mut longer = bytes;
        longer.push(0);
        assert_eq!(Statement::decode(&longer), Err(DecodeError::TrailingBytes));
    }

    #[test]
    fn a_frozen_call_is_never_read_as_a_certificate() {
        let frozen = crate::frozen::tests::example().encode();
        assert_eq!(Statement::decode(&frozen), Err(DecodeError::DomainTag(DOMAIN_TAG)));
    }
}
