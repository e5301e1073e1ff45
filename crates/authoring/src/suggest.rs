//! The least rules that would have covered recorded calls.
//!
//! For each agent, target and action: the resources that were used, exactly, or where they are many a common beginning
//! of theirs. What is in a class, or changes who may do what, is never suggested without approval.

mod resources;
mod text;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use countersign_domain::{AccessLevel, Class, Decision, GroupName, Permission, settings::Settings};
use countersign_policy::{ActionCatalogue as _, Bundle};

use crate::{
    actions::AwsActions,
    recorded::{AgentMapping, Reader, Recorded, RecordedCall},
    simulate::{Progress, SimulateError, fold},
};

/// What is to be suggested.
#[derive(Clone, Copy, Debug)]
pub struct SuggestOptions<'a> {
    /// The targets.
    pub settings: &'a Settings,
    /// Who is whose agent.
    pub agents: &'a AgentMapping,
    /// Who is asked where a call has to wait.
    pub approvers: &'a GroupName,
    /// Leave out what this bundle lets pass or wait already.
    pub beyond: Option<&'a Bundle>,
    /// From how many resources of one action on they are written by what they have in common.
    pub most_resources: usize,
}

/// Rules, and what they are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The rules, as a file of a bundle.
    pub text: String,
    /// How many there are.
    pub rules: usize,
    /// How many calls they cover.
    pub covered: u64,
    /// Calls that no rule is suggested for, by reason.
    pub left_out: BTreeMap<&'static str, u64>,
}

/// What one rule has in common: everything but actions and resources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) agent: String,
    pub(crate) target: String,
    /// Whether a person has to approve.
    pub(crate) approval: bool,
}

/// The resources of an action: those that were used, or any where one of them is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Used {
    exact: BTreeSet<String>,
    any: bool,
}

/// What was used.
#[derive(Clone, Debug, Default)]
struct Usage {
    actions: BTreeMap<(Place, String), Used>,
    covered: u64,
    left_out: BTreeMap<&'static str, u64>,
}

/// Reads `files` and suggests rules.
///
/// # Errors
/// When a file cannot be read to its end.
pub fn suggest(
    files: &[PathBuf],
    options: &SuggestOptions<'_>,
    progress: impl FnMut(Progress),
) -> Result<Suggestion, SimulateError> {
    let reader = Reader::new(options.settings, options.agents);
    let count = |usage: &mut Usage, recorded: Recorded| usage.count(recorded, options.beyond);
    let parts = fold(files, reader, progress, Usage::default, count)?;
    let usage = parts.into_iter().fold(Usage::default(), Usage::merge);
    Ok(usage.rules(options))
}

/// As [`suggest`], of calls that are at hand.
pub fn suggest_for<'c>(calls: impl IntoIterator<Item = &'c RecordedCall>, options: &SuggestOptions<'_>) -> Suggestion {
    let mut usage = Usage::default();
    for call in calls {
        usage.call(call, options.beyond);
    }
    usage.rules(options)
}

impl Usage {
    fn count(&mut self, recorded: Recorded, beyond: Option<&Bundle>) {
        match recorded {
            Recorded::Call(call) => self.call(&call, beyond),
            Recorded::Refused { .. } => self.leave_out("the gateway refuses them before policy is asked"),
            Recorded::Skipped(reason) | Recorded::Unmapped { reason, .. } => self.leave_out(reason),
        }
    }

    fn leave_out(&mut self, reason: &'static str) {
        *self.left_out.entry(reason).or_default() += 1;
    }

    fn call(&mut self, recorded: &RecordedCall, beyond: Option<&Bundle>) {
        let RecordedCall { call, circumstances, .. } = recorded;
        if call.classes().contains(Class::CredentialReturning) {
            return self.leave_out("their answers carry credentials, which no rule permits");
        }
        let covered = beyond.is_some_and(|bundle| {
            !matches!(bundle.decide(call, &circumstances.facts()).decision, Decision::Deny { .. })
        });
        if covered {
            return self.leave_out("the bundle lets them pass or wait already");
        }
        self.covered += 1;
        for permission in &call.permissions {
            let place = Place {
                agent: circumstances.agent.as_str().to_owned(),
                target: circumstances.target.name.as_str().to_owned(),
                approval: waits(permission),
            };
            let used = self.actions.entry((place, permission.action.clone())).or_default();
            match permission.resource.exact() {
                Some(arn) => drop(used.exact.insert(arn.to_owned())),
                None => used.any = true,
            }
        }
    }

    fn merge(mut self, other: Usage) -> Usage {
        self.covered += other.covered;
        for (reason, count) in other.left_out {
            *self.left_out.entry(reason).or_default() += count;
        }
        for (key, used) in other.actions {
            let mine = self.actions.entry(key).or_default();
            mine.any |= used.any;
            mine.exact.extend(used.exact);
        }
        self
    }

    /// Actions with the same resources share a rule.
    fn rules(self, options: &SuggestOptions<'_>) -> Suggestion {
        let mut grouped: BTreeMap<(Place, Vec<String>), Vec<String>> = BTreeMap::new();
        for ((place, action), used) in self.actions {
            let patterns = if used.any { Vec::new() } else { resources::patterns(&used.exact, options.most_resources) };
            grouped.entry((place, patterns)).or_default().push(action);
        }
        let rules = grouped.into_iter().flat_map(|((place, patterns), actions)| {
            let free = |action: &String| place.approval || AwsActions::embedded().classes(action).is_empty();
            let (free, classed): (Vec<_>, Vec<_>) = actions.into_iter().partition(free);
            [(place.clone(), patterns.clone(), free, false), (place, patterns, classed, true)]
        });
        let rules: Vec<_> = rules.filter(|(_, _, actions, _)| !actions.is_empty()).collect();
        let mut written = text::Writer::new(options.approvers);
        for (place, patterns, actions, only_without_class) in &rules {
            written.rule(place, patterns, actions, *only_without_class);
        }
        let (text, rules) = written.finish();
        Suggestion { text, rules, covered: self.covered, left_out: self.left_out }
    }
}

fn waits(permission: &Permission) -> bool {
    !permission.classes.is_empty() || permission.level == AccessLevel::PermissionsManagement
}
