//! The rules of a bundle, as tools list them.

use countersign_domain::Obligations;

use crate::{annotation::Kind, bundle::Bundle, explain::RuleEffect, rule::Rule};

/// What is known of a rule without evaluating it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleInfo<'a> {
    /// `file/name`, as it stands in decisions and in the record.
    pub id: &'a str,
    /// Its file.
    pub file: &'a str,
    /// The line of its first character, counted from 1.
    pub line: u32,
    /// What it does when it matches.
    pub effect: RuleEffect,
    /// Whether it only shadows.
    pub shadow: bool,
    /// Its `@reason`.
    pub reason: Option<&'a str>,
    /// What it obliges to; `None` for a forbid.
    pub obligations: Option<&'a Obligations>,
}

impl Bundle {
    /// The rules, in the order of files and lines.
    pub fn rule_list(&self) -> impl Iterator<Item = RuleInfo<'_>> {
        self.rules().iter().map(info)
    }
}

pub(crate) fn info(rule: &Rule) -> RuleInfo<'_> {
    let (effect, obligations) = match &rule.kind {
        Kind::Forbid => (RuleEffect::Forbid, None),
        Kind::Approval(obligations) => (RuleEffect::Approval, Some(obligations)),
        Kind::Permit(obligations) => (RuleEffect::Permit, Some(obligations)),
    };
    RuleInfo {
        id: &rule.id,
        file: &rule.file,
        line: rule.line,
        effect,
        shadow: rule.shadow,
        reason: rule.reason.as_deref(),
        obligations,
    }
}
