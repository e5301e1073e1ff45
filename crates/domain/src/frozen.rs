//! A frozen call: everything that approval and replay need, in one encoding whose SHA-256 is what
//! is approved and signed.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::{
    call::OutgoingRequest,
    digest::Digest,
    encoding::{DecodeError, Reader, Writer},
    ids::{AccountId, AgentId, GroupName, PersonId, RegionName, RequestId, SessionId, TargetName},
    time::Timestamp,
};

const DOMAIN_TAG: &str = "countersign/frozen-call/v1";

/// Who makes a call, as policy sees it. The gateway states it; approvals and executor evaluate
/// policy with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The agent.
    pub agent: AgentId,
    /// Its groups as its token names them; the bundle's groups are added at every evaluation.
    pub groups: BTreeSet<GroupName>,
    /// Its owners as its token names them; the bundle's owners are added at every evaluation.
    pub owners: BTreeSet<PersonId>,
    /// Its session.
    pub session: SessionId,
    /// When the session began.
    pub session_started: Timestamp,
    /// The agent's own words for its task; never believed.
    pub unverified_task: String,
    /// The address that API Gateway saw, as text.
    pub source_ip: String,
}

/// A call that waits for approval, as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrozenCall {
    /// The request it belongs to.
    pub request_id: RequestId,
    /// Who asks.
    pub caller: Caller,
    /// Where it acts.
    pub target: TargetName,
    /// The account of the target.
    pub account: AccountId,
    /// The region the agent named.
    pub region: RegionName,
    /// The service of the credential scope, which identification starts from.
    pub signing_name: String,
    /// The upstream host.
    pub host: String,
    /// The request as it will be sent, but for its signature.
    pub outgoing: OutgoingRequest,
    /// When it was frozen.
    pub frozen_at: Timestamp,
    /// When the request expires unless it is approved.
    pub expires_at: Timestamp,
}

impl FrozenCall {
    /// The encoding: what is stored (encrypted) and what [`FrozenCall::digest_of`] hashes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(DOMAIN_TAG);
        out.text(self.request_id.as_str()).text(self.caller.agent.as_str());
        set(&mut out, self.caller.groups.iter().map(GroupName::as_str));
        set(&mut out, self.caller.owners.iter().map(PersonId::as_str));
        out.text(self.caller.session.as_str())
            .number(self.caller.session_started.as_millis())
            .text(&self.caller.unverified_task)
            .text(&self.caller.source_ip)
            .text(self.target.as_str())
            .text(self.account.as_str())
            .text(self.region.as_str())
            .text(&self.signing_name)
            .text(&self.host)
            .text(&self.outgoing.method)
            .text(&self.outgoing.path)
            .text(&self.outgoing.query)
            .number(self.outgoing.headers.len() as u64);
        for (name, value) in &self.outgoing.headers {
            out.text(name).text(value);
        }
        out.bytes(&self.outgoing.body).number(self.frozen_at.as_millis()).number(self.expires_at.as_millis());
        out.finish()
    }

    /// The digest that is shown, approved and signed.
    pub fn digest_of(encoded: &[u8]) -> Digest {
        Digest::of(encoded)
    }

    /// Reads an encoding back.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that [`FrozenCall::encode`] would not have written.
    pub fn decode(encoded: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Reader::new(encoded, DOMAIN_TAG)?;
        let request_id = field(&mut fields, "request id", RequestId::new)?;
        let agent = field(&mut fields, "agent", AgentId::new)?;
        let groups = read_set(&mut fields, "groups", GroupName::new)?;
        let owners = read_set(&mut fields, "owners", PersonId::new)?;
        let session = field(&mut fields, "session", SessionId::new)?;
        let session_started = Timestamp::from_millis(fields.number()?);
        let unverified_task = fields.text()?.to_owned();
        let source_ip = fields.text()?.to_owned();
        let target = field(&mut fields, "target", TargetName::new)?;
        let account = field(&mut fields, "account", AccountId::new)?;
        let region = field(&mut fields, "region", RegionName::new)?;
        let signing_name = fields.text()?.to_owned();
        let host = fields.text()?.to_owned();
        let outgoing = read_outgoing(&mut fields)?;
        let frozen_at = Timestamp::from_millis(fields.number()?);
        let expires_at = Timestamp::from_millis(fields.number()?);
        fields.finish()?;
        Ok(Self {
            request_id,
            caller: Caller { agent, groups, owners, session, session_started, unverified_task, source_ip },
            target,
            account,
            region,
            signing_name,
            host,
            outgoing,
            frozen_at,
            expires_at,
        })
    }
}

/// A frozen call that was opened. Its bytes are authentic only so far as the gateway is; its digest
/// is what a certificate is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedCall {
    /// The call.
    pub call: FrozenCall,
    /// The digest of the very bytes that were sealed.
    pub digest: Digest,
}

fn read_outgoing(fields: &mut Reader<'_>) -> Result<OutgoingRequest, DecodeError> {
    let method = fields.text()?.to_owned();
    let path = fields.text()?.to_owned();
    let query = fields.text()?.to_owned();
    let count = fields.number()?;
    let mut headers = Vec::new();
    for _ in 0..count {
        headers.push((fields.text()?.to_owned(), fields.text()?.to_owned()));
    }
    let body = Bytes::copy_from_slice(fields.bytes()?);
    Ok(OutgoingRequest { method, path, query, headers, body })
}

/// A count and then the members, in the order of the set.
fn set<'a>(out: &mut Writer, members: impl ExactSizeIterator<Item = &'a str>) {
    out.number(members.len() as u64);
    for member in members {
        out.text(member);
    }
}

fn field<T, E>(
    fields: &mut Reader<'_>,
    name: &'static str,
    parse: impl Fn(String) -> Result<T, E>,
) -> Result<T, DecodeError> {
    parse(fields.text()?.to_owned()).map_err(|_| DecodeError::Field(name))
}

/// Reads what [`set`] wrote; anything but strictly rising members has a second encoding and is refused.
fn read_set<T: Ord, E>(
    fields: &mut Reader<'_>,
    name: &'static str,
    parse: impl Fn(String) -> Result<T, E>,
) -> Result<BTreeSet<T>, DecodeError> {
    let count = fields.number()?;
    let mut members = BTreeSet::new();
    for _ in 0..count {
        let member = field(fields, name, &parse)?;
        if members.last().is_some_and(|last| *last >= member) {
            return Err(DecodeError::Field(name));
        }
        members.insert(member);
    }
    Ok(members)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn example() -> FrozenCall {
        FrozenCall {
            request_id: RequestId::from_random([7; 16]),
            caller: Caller {
                agent: AgentId::new("deployer").unwrap(),
                groups: [GroupName::new("ci").unwrap(), GroupName::new("ops").unwrap()].into(),
                owners: [PersonId::new("carol").unwrap()].into(),
                session: SessionId::from_bits([3; 16]),
                session_started: Timestamp::from_secs(1_700_000_000),
                unverified_task: "roll out \u{202e}evil".into(),
                source_ip: "203.0.113.9".into(),
            },
            target: TargetName::new("sandbox").unwrap(),
            account: AccountId::new("123456789012").unwrap(),
            region: RegionName::new("eu-central-1").unwrap(),
            signing_name: "iam".into(),
            host: "iam.amazonaws.com".into(),
            outgoing: OutgoingRequest {
                method: "POST".into(),
                path: "/".into(),
                query: String::new(),
                headers: vec![("content-type".into(), "application/x-www-form-urlencoded".into())],
                body: Bytes::from_static(b"Action=CreateRole"),
            },
            frozen_at: Timestamp::from_secs(1_700_000_100),
            expires_at: Timestamp::from_secs(1_700_001_900),
        }
    }

    #[test]
    fn decode_gives_back_what_was_encoded() {
        let call = example();
        assert_eq!(FrozenCall::decode(&call.encode()).unwrap(), call);
    }

    proptest! {
        #[test]
        fn any_changed_byte_changes_the_digest_and_decodes_to_another_call_or_nothing(
            place in any::<prop::sample::Index>(), flip in 1_u8..=255,
        ) {
            let call = example();
            let original = call.encode();
            let mut changed = original.clone();
            let place = place.index(changed.len());
            changed[place] ^= flip;
            prop_assert_ne!(FrozenCall::digest_of(&changed), FrozenCall::digest_of(&original));
            if let Ok(other) = FrozenCall::decode(&changed) {
                prop_assert_ne!(&other, &call);
                prop_assert_eq!(other.encode(), changed, "one call has one encoding");
            }
        }

        #[test]
        fn decoding_any_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(FrozenCall::decode(&bytes).is_err());
        }
    }
}
