//! What is counted. Tallies of parts of the input add up to the tally of the whole, in any order.

use std::collections::BTreeMap;

use countersign_domain::{Decision, settings::Settings};
use countersign_policy::{Bundle, Verdict};
use serde::Serialize;

use super::limits::{LimitCounts, LimitSeen};
use crate::{
    circumstances::Circumstances,
    recorded::{Recorded, RecordedCall},
};

/// The most groups of differences, and of rows by agent, that are kept apart; the rest is counted as one.
const MOST_GROUPS: usize = 1000;
/// The row that counts what is beyond [`MOST_GROUPS`].
const REST: &str = "(others)";
/// The rule of a denial that no rule made.
const NO_RULE: &str = "(no rule permits it)";

/// What a decision comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Allowed.
    Pass,
    /// Held for approval.
    Wait,
    /// Denied, or refused by the gateway before policy is asked.
    Deny,
}

impl Outcome {
    fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Allow { .. } => Outcome::Pass,
            Decision::NeedsApproval { .. } => Outcome::Wait,
            Decision::Deny { .. } => Outcome::Deny,
        }
    }

    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Wait => "wait",
            Outcome::Deny => "deny",
        }
    }
}

/// How many calls come to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Allowed.
    pub pass: u64,
    /// Held for approval.
    pub wait: u64,
    /// Denied.
    pub deny: u64,
}

impl Counts {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Pass => self.pass += 1,
            Outcome::Wait => self.wait += 1,
            Outcome::Deny => self.deny += 1,
        }
    }

    fn merge(&mut self, other: Counts) {
        self.pass += other.pass;
        self.wait += other.wait;
        self.deny += other.deny;
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.pass + self.wait + self.deny
    }
}

/// Calls that two bundles decide differently.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// Who makes them.
    pub agent: String,
    /// `service:Operation`.
    pub operation: String,
    /// By the bundle that is compared with.
    pub before: Outcome,
    /// By the bundle that is tried.
    pub after: Outcome,
}

/// A number and the least of what it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// How many.
    pub count: u64,
    /// One of them.
    pub example: String,
}

/// What a simulation counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// The calls that were decided.
    pub calls: Counts,
    /// How many of them are known in part only.
    pub in_part: u64,
    /// By rule: each that decided a call counts it. `gateway/…` refuses before policy is asked.
    pub by_rule: BTreeMap<String, Counts>,
    /// By day, in UTC.
    pub by_day: BTreeMap<String, Counts>,
    /// By agent.
    pub by_agent: BTreeMap<String, Counts>,
    /// Objects that are no calls of an agent, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Calls that could not be told, by reason.
    pub unmapped: BTreeMap<&'static str, Seen>,
    /// How many calls the other bundle decides differently.
    pub differ: u64,
    /// Those calls, by agent and operation.
    #[serde(serialize_with = "as_list")]
    pub differences: BTreeMap<Difference, u64>,
    /// What limits would count; told beside their numbers by [`Tally::limits`].
    #[serde(skip)]
    limits: LimitCounts,
}

impl Tally {
    /// Decides and counts one object. The objects that `before` decides otherwise count as differences.
    pub(super) fn count(&mut self, recorded: Recorded, bundle: &Bundle, before: Option<&Bundle>) {
        match recorded {
            Recorded::Call(call) => self.call(&call, bundle, before),
            // The gateway refuses whatever the rules are, so two bundles agree.
            Recorded::Refused { circumstances, reason, .. } => {
                self.outcome(Outcome::Deny, [format!("gateway/{reason}")], &circumstances);
            }
            Recorded::Skipped(reason) => *self.skipped.entry(reason).or_default() += 1,
            Recorded::Unmapped { reason, what } => {
                let seen = self.unmapped.entry(reason).or_default();
                seen.merge(Seen { count: 1, example: what });
            }
        }
    }

    fn call(&mut self, recorded: &RecordedCall, bundle: &Bundle, before: Option<&Bundle>) {
        let decide = |bundle: &Bundle| -> Verdict {
            // The other bundle may know the target by other settings.
            let target = bundle.settings().target(&recorded.circumstances.target.name);
            let mut facts = recorded.circumstances.facts();
            facts.target = target.unwrap_or(facts.target);
            bundle.decide(&recorded.call, &facts)
        };
        let verdict = decide(bundle);
        let outcome = Outcome::of(&verdict.decision);
        let mut rules: Vec<String> = verdict.decision.rules().iter().map(|hit| hit.rule.clone()).collect();
        rules.sort();
        rules.dedup();
        if rules.is_empty() {
            rules.push(NO_RULE.to_owned());
        }
        self.in_part += u64::from(recorded.in_part);
        self.limits.add(bundle.settings(), recorded, &verdict.decision);
        self.outcome(outcome, rules, &recorded.circumstances);
        let earlier = before.map(|before| Outcome::of(&decide(before).decision));
        if let Some(earlier) = earlier.filter(|earlier| *earlier != outcome) {
            self.differ += 1;
            let agent = recorded.circumstances.agent.as_str().to_owned();
            self.difference(Difference { agent, operation: recorded.call.name(), before: earlier, after: outcome }, 1);
        }
    }

    fn outcome(&mut self, outcome: Outcome, rules: impl IntoIterator<Item = String>, circumstances: &Circumstances) {
        self.calls.add(outcome);
        for rule in rules {
            self.by_rule.entry(rule).or_default().add(outcome);
        }
        let day = circumstances.at.to_string().chars().take(10).collect();
        self.by_day.entry(day).or_default().add(outcome);
        let agent = circumstances.agent.as_str();
        let is_kept = self.by_agent.contains_key(agent) || self.by_agent.len() < MOST_GROUPS;
        self.by_agent.entry(if is_kept { agent } else { REST }.to_owned()).or_default().add(outcome);
    }

    fn difference(&mut self, difference: Difference, count: u64) {
        let is_kept = self.differences.contains_key(&difference) || self.differences.len() < MOST_GROUPS;
        let key = match is_kept {
            true => difference,
            false => Difference { agent: REST.to_owned(), operation: REST.to_owned(), ..difference },
        };
        *self.differences.entry(key).or_default() += count;
    }

    /// Adds what another tally counted.
    pub fn merge(&mut self, other: Tally) {
        self.calls.merge(other.calls);
        self.limits.merge(other.limits);
        self.in_part += other.in_part;
        self.differ += other.differ;
        for (mine, others) in
            [(&mut self.by_rule, other.by_rule), (&mut self.by_day, other.by_day), (&mut self.by_agent, other.by_agent)]
        {
            for (name, counts) in others {
                mine.entry(name).or_default().merge(counts);
            }
        }
        for (reason, count) in other.skipped {
            *self.skipped.entry(reason).or_default() += count;
        }
        for (reason, seen) in other.unmapped {
            self.unmapped.entry(reason).or_default().merge(seen);
        }
        for (difference, count) in other.differences {
            self.difference(difference, count);
        }
    }

    /// What the limits of `settings`, by which was counted, would have counted.
    pub fn limits(&self, settings: &Settings) -> Vec<LimitSeen> {
        self.limits.seen(&settings.limits.rate)
    }

    /// How many calls could not be told.
    pub fn unmapped_total(&self) -> u64 {
        self.unmapped.values().map(|seen| seen.count).sum()
    }

    /// How many objects are no calls of an agent.
    pub fn skipped_total(&self) -> u64 {
        self.skipped.values().sum()
    }
}

impl Seen {
    fn merge(&mut self, other: Seen) {
        // The least text, so that the order in which parts are counted does not show.
        if self.count == 0 || other.example < self.example {
            self.example = other.example;
        }
        self.count += other.count;
    }
}

#[derive(Serialize)]
struct CountedDifference<'a> {
    #[serde(flatten)]
    difference: &'a Difference,
    calls: u64,
}

fn as_list<S: serde::Serializer>(differences: &BTreeMap<Difference, u64>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(differences.iter().map(|(difference, calls)| CountedDifference { difference, calls: *calls }))
}
