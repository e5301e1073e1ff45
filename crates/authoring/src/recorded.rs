//! Recorded calls: Countersign's own events and CloudTrail's, as calls that a bundle can decide.

mod cloudtrail;
mod event;
mod input;
mod objects;

use std::collections::BTreeMap;

use countersign_catalogue::{
    Catalogue, Place, Service,
    model::{Operation, OperationTraits},
};
use countersign_domain::{
    AgentId, Call, OutgoingRequest, Permission, Protocol, Upstream, Value,
    settings::{Settings, Target},
};

use crate::circumstances::Circumstances;
pub use objects::{JsonObjects, ObjectError};

/// A call that was made once.
#[derive(Clone, Debug)]
pub struct RecordedCall {
    /// What it was, as far as the recording tells.
    pub call: Call,
    /// Who made it, where and when. Groups and owners are the bundle's; a recording does not tell the token's.
    pub circumstances: Circumstances,
    /// Whether the recording lacks some parameters, or holds some that could not be read.
    pub in_part: bool,
}

/// What became of one recorded object.
#[derive(Clone, Debug)]
pub enum Recorded {
    /// A call.
    Call(Box<RecordedCall>),
    /// A call that the gateway would have refused before policy is asked: the agent, the moment and the reason.
    Refused {
        /// Who made it, where and when.
        circumstances: Box<Circumstances>,
        /// The operation.
        operation: String,
        /// Why, as a stable name.
        reason: &'static str,
    },
    /// No call of an agent: why.
    Skipped(&'static str),
    /// A call that cannot be told: why, and what it was.
    Unmapped {
        /// Why.
        reason: &'static str,
        /// The event's own name for it.
        what: String,
    },
}

/// Which agent a principal of CloudTrail counts as.
#[derive(Clone, Debug, Default)]
pub struct AgentMapping {
    /// Every call counts as this agent's.
    pub everyone: Option<AgentId>,
    /// By the principal's name: a role's, a user's, or an ARN.
    pub named: BTreeMap<String, AgentId>,
}

/// Reads recorded objects.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'s> {
    settings: &'s Settings,
    agents: &'s AgentMapping,
}

impl<'s> Reader<'s> {
    /// For the targets of `settings`.
    pub fn new(settings: &'s Settings, agents: &'s AgentMapping) -> Self {
        Self { settings, agents }
    }

    /// Reads one JSON object: an event of Countersign's record, or a record of CloudTrail.
    pub fn read(&self, object: &[u8]) -> Recorded {
        let unreadable =
            || Recorded::Unmapped { reason: "neither an event of Countersign nor of CloudTrail", what: String::new() };
        if let Some(event) = event::read(object) {
            return self.own_event(event);
        }
        match cloudtrail::read(object) {
            Some(record) => self.cloudtrail(&record),
            None => unreadable(),
        }
    }
}

fn unmapped(reason: &'static str, what: impl Into<String>) -> Recorded {
    Recorded::Unmapped { reason, what: what.into() }
}

/// Where a call acts, or why the gateway would not let it.
enum Region {
    In(String),
    Refused(&'static str),
}

/// The region of a call by the rules of the gateway, from the host that it would be sent to.
fn region_of(service: &Service, operation: &Operation, parameters: &Value, target: &Target, region: &str) -> Region {
    if operation.traits.has(OperationTraits::UNSIGNED) {
        return Region::Refused("UnsignedOperation");
    }
    if operation.traits.has(OperationTraits::EVENT_OUTPUT) {
        return Region::Refused("EventStreamAnswer");
    }
    let first = target.regions.first().map_or("", |region| region.as_str());
    let place = Place { partition: target.partition.clone() };
    let upstream = |region: &str| Catalogue::embedded().upstream(service, operation, parameters, &place, region).ok();
    // A service with one place for all regions has the same host wherever it is asked from.
    let other = if region == "us-west-2" { "eu-west-1" } else { "us-west-2" };
    let has_no_regions = match (upstream(region), upstream(other)) {
        (Some(here), Some(there)) => here.host == there.host,
        (Some(here), None) => !here.host.split('.').any(|label| label == region),
        (None, _) => false,
    };
    if has_no_regions {
        return Region::In(first.to_owned());
    }
    match target.regions.iter().any(|allowed| allowed.as_str() == region) {
        true => Region::In(region.to_owned()),
        false => Region::Refused("Region"),
    }
}

/// A call of which only what policy looks at is known.
fn call(
    service: &Service,
    operation: &Operation,
    region: String,
    parameters: Value,
    permissions: Vec<Permission>,
) -> Call {
    let model = service.model();
    Call {
        service: model.id.to_owned(),
        operation: operation.name.to_owned(),
        protocol: model.protocols.first().copied().unwrap_or(Protocol::Json),
        upstream: Upstream {
            host: String::new(),
            signing_name: model.signing_name.to_owned(),
            signing_region: region.clone(),
        },
        region,
        parameters,
        permissions,
        outgoing: OutgoingRequest {
            method: String::new(),
            path: String::new(),
            query: String::new(),
            headers: Vec::new(),
            body: bytes::Bytes::new(),
        },
        idempotency_token: None,
        idempotency_member: None,
        idempotent: false,
    }
}
