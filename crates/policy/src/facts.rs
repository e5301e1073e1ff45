//! What is known at the moment of a decision, beside the call itself.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use countersign_domain::{AgentId, GroupName, PersonId, Timestamp, settings::Target};

/// The circumstances of a call.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Who calls.
    pub agent: &'a AgentId,
    /// The agent's groups by its token. Those that the bundle adds are added by the decision.
    pub agent_groups: &'a BTreeSet<GroupName>,
    /// The agent's owners by its token. Those that the bundle adds are added by the decision.
    pub owners: &'a BTreeSet<PersonId>,
    /// The target that the session acts in.
    pub target: &'a Target,
    /// How long ago the session began.
    pub session_age: Duration,
    /// The agent's own words on what it is doing. Never lets a call pass unapproved.
    pub unverified_task: &'a str,
    /// The address that the call came from, where the door tells.
    pub source_ip: Option<IpAddr>,
    /// Now.
    pub now: Timestamp,
}
