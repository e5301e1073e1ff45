//! Which rules the cases reach.

use std::collections::BTreeMap;

use countersign_policy::Bundle;
use serde::Serialize;

use crate::cases::CaseResult;

/// One rule, and the cases in which it matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleCoverage {
    /// `file/name`.
    pub rule: String,
    /// Its file.
    pub file: String,
    /// Its line.
    pub line: u32,
    /// In how many cases that passed it matched.
    pub cases: usize,
}

/// The rules of a bundle with the cases in which each matched. A case that fails covers nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// All rules, in the order of the bundle.
    pub rules: Vec<RuleCoverage>,
}

impl Coverage {
    /// Of `bundle` by `results`.
    pub fn of<'r>(bundle: &Bundle, results: impl IntoIterator<Item = &'r CaseResult>) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for rule in results.into_iter().filter(|result| result.passed()).flat_map(|result| &result.matched) {
            *counts.entry(rule.as_str()).or_default() += 1;
        }
        let rules = bundle.rule_list().map(|rule| RuleCoverage {
            rule: rule.id.to_owned(),
            file: rule.file.to_owned(),
            line: rule.line,
            cases: counts.get(rule.id).copied().unwrap_or_default(),
        });
        Self { rules: rules.collect() }
    }

    /// The rules that no case reaches.
    pub fn missing(&self) -> impl Iterator<Item = &RuleCoverage> {
        self.rules.iter().filter(|rule| rule.cases == 0)
    }

    /// Covered rules of a hundred, rounded down; 100 for a bundle without rules.
    pub fn percent(&self) -> usize {
        let covered = self.rules.iter().filter(|rule| rule.cases > 0).count();
        (covered * 100).checked_div(self.rules.len()).unwrap_or(100)
    }
}
