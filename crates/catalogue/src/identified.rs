//! What a request is, also where it would be refused: for people who study requests. Nothing on the way of a call asks
//! this; there [`Catalogue::understand`] alone counts.

use bytes::Bytes;
use countersign_domain::{Protocol, Upstream, Value};

use crate::alias;
use crate::catalogue::Catalogue;
use crate::identify::{Candidate, identify};
use crate::model::{MemberTraits, OperationTraits, Partition, Signing};
use crate::understand::parameters;
use crate::upstream::has_region;
use crate::{Endpoint, Place, Refusal, Understood, WireRequest};

/// What a request is, or may be. A call is made of an [`Understood`], never of this.
#[derive(Clone, Debug)]
pub struct Identified {
    /// The catalogue's service id.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// The protocol that the caller speaks.
    pub protocol: Protocol,
    /// Other (service, operation) pairs that the very same bytes mean.
    pub aliases: Vec<(String, String)>,
    /// The typed parameters; `None` where they cannot be read. Of an event stream only what comes
    /// before the events.
    pub parameters: Option<Value>,
    /// The bytes of [`Value::Stream`], if the parameters have one.
    pub stream: Bytes,
    /// Where it would go; `None` where that cannot be told.
    pub upstream: Option<Upstream>,
    /// The operation's idempotency-token member, if it has one.
    pub idempotency_member: Option<String>,
    /// Whether AWS takes the operation without a signature.
    pub unsigned: bool,
    /// Whether the answer is an event stream.
    pub event_stream_output: bool,
    /// Why [`Catalogue::understand`] refuses the request, if it does.
    pub refusal: Option<Refusal>,
}

impl From<Understood> for Identified {
    fn from(understood: Understood) -> Self {
        Identified {
            service: understood.service,
            operation: understood.operation,
            protocol: understood.protocol,
            aliases: understood.aliases,
            parameters: Some(understood.parameters),
            stream: understood.outgoing.body,
            upstream: Some(understood.upstream),
            idempotency_member: understood.idempotency_member,
            unsigned: understood.unsigned,
            event_stream_output: understood.event_stream_output,
            refusal: None,
        }
    }
}

impl Identified {
    /// Whether the candidate is this operation or one of its aliases.
    fn is_named(&self, candidate: &Candidate<'_>) -> bool {
        let (service, operation) = (candidate.service.model().id, candidate.operation.name);
        let is_same = |(one, other): (&String, &String)| one == service && other == operation;
        is_same((&self.service, &self.operation)) || self.aliases.iter().any(|(one, other)| is_same((one, other)))
    }
}

impl Catalogue {
    /// What a request is: first what it is understood as, if it is, then every other operation of
    /// which it could be the bytes, the most canonical first. Each is with the reason for which the
    /// request is refused.
    ///
    /// # Errors
    /// [`Refusal`] where nothing can be said of the operation.
    pub fn identify(&self, request: &WireRequest<'_>, place: &Place) -> Result<Vec<Identified>, Refusal> {
        let (understood, refusal) = match self.understand(request, place) {
            Ok(understood) => (Some(Identified::from(understood)), None),
            Err(refusal) => (None, Some(refusal)),
        };
        let mut candidates = match (identify(self, request), refusal.clone()) {
            (Ok(candidates), _) => candidates,
            (Err(_), Some(refusal)) => return Err(refusal),
            (Err(refusal), None) => return Err(refusal),
        };
        candidates.sort_by_key(alias::order);
        if let Some(understood) = &understood {
            candidates.retain(|candidate| !understood.is_named(candidate));
        }
        let (mut whole, mut readable, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for candidate in candidates {
            let one = self.glimpse(&candidate, request, place, refusal.as_ref());
            match &one.parameters {
                Some(known) if alias::has_required_members(&candidate, known) => whole.push(one),
                Some(_) => readable.push(one),
                None => others.push(one),
            }
        }
        if let Some(understood) = understood {
            // Signed for another name it would be another request.
            let same_name = |upstream: &Upstream| upstream.signing_name == request.signing_name;
            whole.retain(|one| one.upstream.as_ref().is_some_and(same_name));
            // The endpoint has said where it goes.
            if request.endpoint != Endpoint::Any {
                whole.retain(|one| one.upstream == understood.upstream);
            }
            whole.insert(0, understood);
        }
        // An operation whose parameters these are not is not what was meant.
        Ok([whole, readable, others].into_iter().find(|found| !found.is_empty()).unwrap_or_default())
    }

    /// The partition whose region this is, by its list or by the form of the name.
    pub fn partition_of(&self, region: &str) -> Option<&Partition> {
        self.partitions().iter().find(|partition| has_region(partition, region))
    }

    fn glimpse(
        &self,
        candidate: &Candidate<'_>,
        request: &WireRequest<'_>,
        place: &Place,
        refusal: Option<&Refusal>,
    ) -> Identified {
        let mut candidate = candidate.clone();
        let (service, operation) = (candidate.service, candidate.operation);
        if service.model().signing == Signing::SigV2 {
            candidate.form.retain(|(name, _)| !SIGV2.contains(&name.as_str()));
            candidate.query.retain(|(name, _)| !SIGV2.contains(&name.as_str()));
        }
        let has = |bits| operation.traits.has(bits);
        let input = service.input(operation).ok().flatten();
        let events = has(OperationTraits::EVENT_INPUT);
        let body = if events { Ok(Bytes::new()) } else { self.body(&candidate, input, request) };
        let stream = body.unwrap_or_default();
        let parameters = parameters(&candidate, input, request, &stream).ok();
        let upstream = parameters
            .as_ref()
            .and_then(|known| self.upstream(service, operation, known, place, request.signing_region).ok());
        let token = input
            .and_then(|input| input.members.iter().find(|member| member.traits.has(MemberTraits::IDEMPOTENCY_TOKEN)));
        Identified {
            service: service.model().id.to_owned(),
            operation: operation.name.to_owned(),
            protocol: candidate.protocol,
            aliases: Vec::new(),
            parameters,
            stream,
            upstream,
            idempotency_member: token.map(|member| member.name.to_owned()),
            unsigned: has(OperationTraits::UNSIGNED),
            event_stream_output: has(OperationTraits::EVENT_OUTPUT),
            refusal: refusal.cloned(),
        }
    }
}

/// What the old signature adds to a form.
///
/// Source: "Signature Version 2 signing process" in the AWS General Reference.
const SIGV2: [&str; 7] =
    ["AWSAccessKeyId", "Expires", "SecurityToken", "Signature", "SignatureMethod", "SignatureVersion", "Timestamp"];
