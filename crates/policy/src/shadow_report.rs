//! What rules in shadow mode and the shadow bundle would have changed, counted over recorded events.

use std::{collections::BTreeMap, fmt};

use countersign_domain::event::{Event, Happening, ShadowBundle};
use serde_json::Value as Json;

use crate::decide::NOT_EVALUATED;

/// What the row of a call is called that no rule of the shadow bundle would permit.
pub const NO_RULE: &str = "(no rule permits it)";

/// How often a shadow rule took part, and what that would have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShadowCount {
    /// Decisions that it took part in.
    pub matched: u64,
    /// Among them those in which it could not be evaluated.
    pub erred: u64,
    /// Among them those that would have been stricter than they were.
    pub stricter: u64,
    /// Among them those that would have been less strict.
    pub looser: u64,
}

/// The report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShadowReport {
    /// Decisions that were read.
    pub decisions: u64,
    /// Rules in shadow mode.
    pub rules: BTreeMap<String, ShadowCount>,
    /// Rules of the shadow bundle, where it decided differently.
    pub bundle_rules: BTreeMap<String, ShadowCount>,
    /// Decisions that the shadow bundle made, by (decision, its own); equal ones too.
    pub changes: BTreeMap<(String, String), u64>,
    /// Decisions that the shadow bundle failed to make, by the error.
    pub failures: BTreeMap<String, u64>,
}

impl ShadowReport {
    /// Counts an event; those that are no decision are passed over.
    pub fn add(&mut self, event: &Event) {
        let Happening::Decided { decision, shadow, shadow_decision, shadow_bundle, .. } = &event.happening else {
            return;
        };
        self.decisions += 1;
        let would_be = shadow_decision.as_deref().unwrap_or(decision);
        for hit in shadow {
            let erred = hit.reason.starts_with(NOT_EVALUATED);
            self.rules.entry(hit.rule.clone()).or_default().add(decision, would_be, erred);
        }
        match shadow_bundle {
            None => {}
            Some(ShadowBundle::Failed { error }) => *self.failures.entry(error.clone()).or_default() += 1,
            Some(ShadowBundle::Decided { decision: would_be, rules, .. }) => {
                *self.changes.entry((decision.clone(), would_be.clone())).or_default() += 1;
                if decision == would_be {
                    return;
                }
                if rules.is_empty() {
                    self.bundle_rules.entry(NO_RULE.to_owned()).or_default().add(decision, would_be, false);
                }
                for hit in rules {
                    let erred = hit.reason.starts_with(NOT_EVALUATED);
                    self.bundle_rules.entry(hit.rule.clone()).or_default().add(decision, would_be, erred);
                }
            }
        }
    }

    /// Counts a line of exported events: an event as the record's `body` holds it, or an item of the
    /// record table as DynamoDB's exports and the AWS CLI write it.
    ///
    /// # Errors
    /// What is wrong with the line; nothing is counted then.
    pub fn add_line(&mut self, line: &str) -> Result<(), String> {
        let json: Json = serde_json::from_str(line).map_err(|error| format!("not json: {error}"))?;
        let body = ["/body/S", "/Item/body/S", "/NewImage/body/S", "/body"]
            .iter()
            .find_map(|path| json.pointer(path)?.as_str());
        let event: Event = match body {
            Some(body) => serde_json::from_str(body),
            None => serde_json::from_value(json),
        }
        .map_err(|error| format!("not an event of the record: {error}"))?;
        self.add(&event);
        Ok(())
    }
}

impl ShadowCount {
    fn add(&mut self, decision: &str, would_be: &str, erred: bool) {
        self.matched += 1;
        self.erred += u64::from(erred);
        match strictness(would_be).cmp(&strictness(decision)) {
            std::cmp::Ordering::Greater => self.stricter += 1,
            std::cmp::Ordering::Less => self.looser += 1,
            std::cmp::Ordering::Equal => {}
        }
    }
}

/// The place of a decision's name in the lattice; what is not known counts as a denial.
fn strictness(decision: &str) -> u8 {
    match decision {
        "allow" => 0,
        "needs-approval" => 1,
        _ => 2,
    }
}

/// As tables for people, in a fixed order.
impl fmt::Display for ShadowReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{} decisions", self.decisions)?;
        for (title, rules) in
            [("rules in shadow mode", &self.rules), ("rules of the shadow bundle", &self.bundle_rules)]
        {
            if rules.is_empty() {
                continue;
            }
            let width = rules.keys().map(|rule| rule.chars().count()).chain([title.len()]).max().unwrap_or_default();
            writeln!(out, "\n{title:<width$}  {:>8}  {:>8}  {:>8}  {:>8}", "matched", "stricter", "looser", "erred")?;
            for (rule, count) in rules {
                let ShadowCount { matched, erred, stricter, looser } = count;
                writeln!(out, "{rule:<width$}  {matched:>8}  {stricter:>8}  {looser:>8}  {erred:>8}")?;
            }
        }
        if !self.changes.is_empty() {
            writeln!(out, "\n{:<14}  {:<14}  {:>8}", "was", "would be", "calls")?;
            for ((was, would_be), calls) in &self.changes {
                writeln!(out, "{was:<14}  {would_be:<14}  {calls:>8}")?;
            }
        }
        for (error, calls) in &self.failures {
            writeln!(out, "\nthe shadow bundle failed on {calls} calls: {error}")?;
        }
        Ok(())
    }
}
