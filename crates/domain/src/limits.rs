//! Limits on how much may happen in a time: calls, distinct resources, requests that wait.
//!
//! A limit counts in windows of fixed length that begin at multiples of that length since the Unix
//! epoch. What is promised: in each window never more than the number, however many gateways count
//! at once. Two windows that touch can hold twice the number in one window's length.
//!
//! This module says what is counted where, and under which condition of a counter a call may be
//! added to it. It does not store: an adapter adds to a counter only while the [`Condition`] holds,
//! in one indivisible step.

mod settings;
mod tally;

pub use settings::{LimitedBy, Per, RateLimit, Window};
pub use tally::{Charge, Condition, ResourceCondition, ResourceMark, Tally};

use std::{collections::BTreeSet, fmt};

use crate::{
    call::{Call, Resource},
    decision::RuleHit,
    ids::{AgentId, GroupName, LimitName, TargetName},
    matching::match_digest,
    time::Timestamp,
};

/// A call that policy lets pass or holds, as limits see it.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// Who calls.
    pub agent: &'a AgentId,
    /// The agent's groups, by its token and by the bundle.
    pub groups: &'a BTreeSet<GroupName>,
    /// Where it acts.
    pub target: &'a TargetName,
    /// The rules that let the call pass, or hold it.
    pub rules: &'a [RuleHit],
}

/// What one counter counts for: the parts of `per`, each with its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitSubject(Vec<(Per, String)>);

impl LimitSubject {
    /// As a part of a key: `agent#deployer#rule#20-writes/writes`. No name holds a `#`.
    pub fn key(&self) -> String {
        self.0.iter().map(|(per, name)| format!("{}#{name}", per.as_str())).collect::<Vec<_>>().join("#")
    }
}

impl fmt::Display for LimitSubject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (per, name)) in self.0.iter().enumerate() {
            write!(out, "{}{} `{name}`", if place > 0 { " and " } else { "" }, per.as_str())?;
        }
        Ok(())
    }
}

/// A count that a call adds to: one limit, for one subject, in one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// The limit.
    pub limit: LimitName,
    /// Whose count it is.
    pub subject: LimitSubject,
    /// When the window began.
    pub from: Timestamp,
    /// When it ends: the first moment of the next one.
    pub until: Timestamp,
    /// The most calls.
    pub calls: Option<u32>,
    /// The most distinct resources.
    pub distinct_resources: Option<u32>,
}

/// Places for requests that wait at once under one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingPool {
    /// The limit.
    pub limit: LimitName,
    /// Whose places they are.
    pub subject: LimitSubject,
    /// How many there are.
    pub pending: u32,
}

impl PendingPool {
    /// The places of all of an agent's requests, under whatever rule and for whatever target.
    pub fn of_agent(agent: &AgentId, pending: u32) -> Self {
        let subject = LimitSubject(vec![(Per::Agent, agent.to_string())]);
        Self { limit: LimitName::pending_per_agent(), subject, pending }
    }

    /// That all of them are taken.
    pub fn exceeded(&self, used: u32) -> Exceeded {
        Exceeded {
            limit: self.limit.clone(),
            subject: self.subject.clone(),
            counted: Counted::Pending,
            most: self.pending,
            used,
            needed: 1,
            resets_at: None,
        }
    }
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Calls that were forwarded, and requests that were made.
    Calls,
    /// Resources that these named.
    DistinctResources,
    /// Requests that wait.
    Pending,
}

impl Counted {
    /// The name of the setting, and in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Counted::Calls => "calls",
            Counted::DistinctResources => "distinct_resources",
            Counted::Pending => "pending",
        }
    }
}

/// A limit that a call would exceed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// The limit.
    pub limit: LimitName,
    /// Whose.
    pub subject: LimitSubject,
    /// What is counted.
    pub counted: Counted,
    /// The most there may be.
    pub most: u32,
    /// How many there are.
    pub used: u32,
    /// How many more the call would need.
    pub needed: u32,
    /// When the next window begins; requests that wait have none.
    pub resets_at: Option<Timestamp>,
}

/// For the agent to read: names itself, its target and rules that its own call met.
impl fmt::Display for Exceeded {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, subject, counted, most, used, needed, resets_at } = self;
        let left = most.saturating_sub(*used);
        write!(out, "the limit `{limit}` for {subject} is reached: ")?;
        match counted {
            Counted::Calls => write!(out, "{used} of {most} calls are used")?,
            Counted::DistinctResources => write!(
                out,
                "{used} of {most} distinct resources are used, {left} are left and this call needs {needed} more; \
                 resources that were used can be used on"
            )?,
            Counted::Pending => write!(
                out,
                "{used} of {most} requests wait for approval; nothing more is asked until one of them is decided"
            )?,
        }
        match resets_at {
            Some(at) => write!(out, ". The count starts anew at {at} (UTC)"),
            None => Ok(()),
        }
    }
}

impl RateLimit {
    /// The counters that a call adds to under this limit, at `now`.
    pub fn counters(&self, of: &Circumstances<'_>, now: Timestamp) -> Vec<Counter> {
        let Some(window) = self.window.filter(|_| self.calls.is_some() || self.distinct_resources.is_some()) else {
            return Vec::new();
        };
        let (from, until) = window.around(now);
        let counter = |subject| Counter {
            limit: self.name.clone(),
            subject,
            from,
            until,
            calls: self.calls,
            distinct_resources: self.distinct_resources,
        };
        self.subjects(of).into_iter().map(counter).collect()
    }

    /// The pools that a request takes a place in under this limit.
    pub fn pools(&self, of: &Circumstances<'_>) -> Vec<PendingPool> {
        let Some(pending) = self.pending else { return Vec::new() };
        let pool = |subject| PendingPool { limit: self.name.clone(), subject, pending };
        self.subjects(of).into_iter().map(pool).collect()
    }

    fn subjects(&self, of: &Circumstances<'_>) -> BTreeSet<LimitSubject> {
        if !self.is_about(of.agent, of.groups) || !(self.targets.is_empty() || self.targets.contains(of.target)) {
            return BTreeSet::new();
        }
        let counts = |rule: &&str| self.rules.is_empty() || self.rules.contains(*rule);
        let mut rules: Vec<&str> = of.rules.iter().map(|hit| hit.rule.as_str()).filter(counts).collect();
        if !self.rules.is_empty() && rules.is_empty() {
            return BTreeSet::new();
        }
        if !self.per.contains(&Per::Rule) {
            rules = vec![""];
        }
        let subject = |rule: &str| {
            let name = |per: &Per| match per {
                Per::Agent => of.agent.to_string(),
                Per::Target => of.target.to_string(),
                Per::Rule => rule.to_owned(),
            };
            LimitSubject(self.per.iter().map(|per| (*per, name(per))).collect())
        };
        rules.into_iter().map(subject).collect()
    }
}

/// The resources of a call as counters keep them.
///
/// A resource that is not known exactly could be any, so each different call on it counts as
/// another resource, and the same call repeated as the same one.
pub fn resources_of(agent: &AgentId, target: &TargetName, call: &Call) -> BTreeSet<ResourceMark> {
    let text = |resource: &Resource| match resource.exact() {
        Some(arn) => arn.to_owned(),
        None => format!("{} {}", resource.as_str(), match_digest(agent, target, call)),
    };
    call.permissions.iter().map(|permission| ResourceMark::of(&text(&permission.resource))).collect()
}

#[cfg(test)]
mod tests;
