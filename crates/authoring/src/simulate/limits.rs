//! What the limits of a bundle would count. Counted by window, so that parts of the input add up in any order.

use std::{
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet},
};

use countersign_domain::{
    Decision, Timestamp,
    ids::LimitName,
    limits::{Circumstances, Counted, LimitSubject, RateLimit, ResourceMark, resources_of},
    settings::Settings,
};
use serde::Serialize;

use crate::recorded::RecordedCall;

/// One count: of a limit, for a subject, in the window that begins then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    limit: LimitName,
    subject: LimitSubject,
    from: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Count {
    calls: u64,
    resources: BTreeSet<ResourceMark>,
}

/// Counts of all windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LimitCounts(BTreeMap<Place, Count>);

/// What a limit would have counted, beside its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LimitSeen {
    /// The limit.
    pub limit: LimitName,
    /// What is counted: `calls` or `distinct_resources`.
    pub counted: &'static str,
    /// The most there may be in a window.
    pub most: u32,
    /// The highest count of any window; 0 where nothing was counted.
    pub highest: u64,
    /// Where that was.
    pub highest_in: Option<HighestIn>,
    /// Windows in which something was counted.
    pub windows: u64,
    /// Those of them with more than there may be: from some call on, calls would have been denied.
    pub windows_over: u64,
    /// The calls above the number. Of resources it is not told: which calls are too many depends on their order.
    pub calls_over: Option<u64>,
}

/// Where a count was the highest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HighestIn {
    /// Whose count it was.
    pub subject: String,
    /// When its window began, in UTC.
    pub from: String,
}

impl LimitCounts {
    /// Counts a call under every limit of `settings` that is about it.
    pub(super) fn add(&mut self, settings: &Settings, recorded: &RecordedCall, decision: &Decision) {
        let limits = &settings.limits.rate;
        if limits.is_empty() || matches!(decision, Decision::Deny { .. }) {
            return;
        }
        let made = &recorded.circumstances;
        let groups = settings.all_groups_of(&made.agent, &made.groups);
        let of =
            Circumstances { agent: &made.agent, groups: &groups, target: &made.target.name, rules: decision.rules() };
        // Many limits can be about one call, which names the same resources under each.
        let resources = LazyCell::new(|| resources_of(&made.agent, &made.target.name, &recorded.call));
        for counter in limits.iter().flat_map(|limit| limit.counters(&of, made.at)) {
            let place = Place { limit: counter.limit, subject: counter.subject, from: counter.from };
            let count = self.0.entry(place).or_default();
            count.calls += 1;
            if counter.distinct_resources.is_some() {
                count.resources.extend(resources.iter());
            }
        }
    }

    pub(super) fn merge(&mut self, other: LimitCounts) {
        for (place, count) in other.0 {
            let mine = self.0.entry(place).or_default();
            mine.calls += count.calls;
            mine.resources.extend(count.resources);
        }
    }

    /// A row for each number that a limit sets, in the order of the bundle.
    pub(super) fn seen(&self, limits: &[RateLimit]) -> Vec<LimitSeen> {
        let row = |limit: &RateLimit, counted: Counted, most: Option<u32>| Some(self.row(limit, counted, most?));
        let rows = limits.iter().flat_map(|limit| {
            let calls = row(limit, Counted::Calls, limit.calls);
            [calls, row(limit, Counted::DistinctResources, limit.distinct_resources)]
        });
        rows.flatten().collect()
    }

    fn row(&self, limit: &RateLimit, counted: Counted, most: u32) -> LimitSeen {
        let calls_over = matches!(counted, Counted::Calls).then_some(0);
        let limit = limit.name.clone();
        let mut row = LimitSeen {
            counted: counted.as_str(),
            most,
            highest: 0,
            highest_in: None,
            windows: 0,
            windows_over: 0,
            calls_over,
            limit,
        };
        for (place, count) in self.0.iter().filter(|(place, _)| place.limit == row.limit) {
            let reached = match counted {
                Counted::Calls => count.calls,
                _ => u64::try_from(count.resources.len()).unwrap_or(u64::MAX),
            };
            row.windows += 1;
            let over = reached.saturating_sub(u64::from(most));
            row.windows_over += u64::from(over > 0);
            row.calls_over = row.calls_over.map(|calls| calls + over);
            if reached > row.highest {
                row.highest = reached;
                row.highest_in = Some(HighestIn { subject: place.subject.to_string(), from: place.from.to_string() });
            }
        }
        row
    }
}
