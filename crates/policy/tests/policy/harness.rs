//! Calls, facts and bundles for the tests.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use bytes::Bytes;
use countersign_domain::{
    AccessLevel, AgentId, Call, Class, Classes, Decision, GroupName, OutgoingRequest, Permission, PersonId, Protocol,
    Resource, Timestamp, Upstream, Value, settings::Target,
};
use countersign_policy::{Bundle, BundleError, Facts, Verdict};

/// Settings with two targets, an agent with an owner, and people to approve.
pub(crate) const SETTINGS: &str = include_str!("countersign.toml");

pub(crate) const TABLE: &str = "arn:aws:dynamodb:eu-central-1:111122223333:table/orders";

/// Loads rules beside [`SETTINGS`].
pub(crate) fn load(rules: &str) -> Result<Bundle, BundleError> {
    let files =
        vec![("rules.cedar".to_owned(), rules.to_owned()), ("countersign.toml".to_owned(), SETTINGS.to_owned())];
    Bundle::from_sources(files, |_| None, &[])
}

pub(crate) fn bundle(rules: &str) -> Bundle {
    load(rules).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn permission(action: &str, level: AccessLevel, resource: Resource) -> Permission {
    Permission { action: action.to_owned(), resource, level, classes: Classes::NONE }
}

/// A call with one permission.
pub(crate) fn call(action: &str, level: AccessLevel, resource: Resource) -> Call {
    call_of(vec![permission(action, level, resource)])
}

pub(crate) fn call_of(permissions: Vec<Permission>) -> Call {
    let name = permissions.first().map(|permission| permission.action.clone()).unwrap_or_default();
    let (service, operation) = name.split_once(':').unwrap_or(("none", "None"));
    Call {
        service: service.to_owned(),
        operation: operation.to_owned(),
        protocol: Protocol::Json,
        region: "eu-central-1".to_owned(),
        parameters: Value::Record(Vec::new()),
        permissions,
        upstream: Upstream {
            host: "example.amazonaws.com".to_owned(),
            signing_name: service.to_owned(),
            signing_region: "eu-central-1".to_owned(),
        },
        outgoing: OutgoingRequest {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: Bytes::new(),
        },
        idempotency_token: None,
        idempotency_member: None,
        idempotent: false,
    }
}

pub(crate) fn put_item() -> Call {
    call("dynamodb:PutItem", AccessLevel::Write, Resource::Exact(TABLE.to_owned()))
}

pub(crate) fn with_class(mut call: Call, class: Class) -> Call {
    for permission in &mut call.permissions {
        permission.classes = permission.classes.with(class);
    }
    call
}

pub(crate) fn with_parameters(mut call: Call, members: &[(&str, Value)]) -> Call {
    call.parameters = record(members);
    call
}

pub(crate) fn record(members: &[(&str, Value)]) -> Value {
    Value::Record(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

pub(crate) fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// The circumstances, owned.
pub(crate) struct World {
    pub(crate) agent: AgentId,
    pub(crate) groups: BTreeSet<GroupName>,
    pub(crate) owners: BTreeSet<PersonId>,
    pub(crate) target: Target,
    pub(crate) task: String,
    pub(crate) age: Duration,
    pub(crate) source_ip: Option<IpAddr>,
    pub(crate) now: Timestamp,
}

impl World {
    pub(crate) fn new(bundle: &Bundle) -> Self {
        Self {
            agent: AgentId::new("deployer").unwrap(),
            groups: BTreeSet::new(),
            owners: BTreeSet::new(),
            target: bundle.settings().targets[0].clone(),
            task: "deploy".to_owned(),
            age: Duration::from_secs(60),
            source_ip: Some("192.0.2.7".parse().unwrap()),
            now: Timestamp::from_secs(1_795_272_000),
        }
    }

    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts {
            agent: &self.agent,
            agent_groups: &self.groups,
            owners: &self.owners,
            target: &self.target,
            session_age: self.age,
            unverified_task: &self.task,
            source_ip: self.source_ip,
            now: self.now,
        }
    }
}

pub(crate) fn decide(bundle: &Bundle, call: &Call) -> Verdict {
    bundle.decide(call, &World::new(bundle).facts())
}

/// `deny`, `needs-approval` or `allow`.
pub(crate) fn outcome(rules: &str, call: &Call) -> &'static str {
    decide(&bundle(rules), call).decision.as_str()
}

pub(crate) fn reason(decision: &Decision) -> String {
    match decision {
        Decision::Deny { reason, .. } => reason.clone(),
        other => panic!("not a denial: {other:?}"),
    }
}
