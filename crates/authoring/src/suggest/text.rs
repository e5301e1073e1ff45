//! Suggested rules as Cedar.

use std::fmt::Write as _;

use countersign_domain::GroupName;

use super::Place;

/// The most resources of one rule, well below what a rule may have of operators.
const MOST_IN_RULE: usize = 64;

/// Writes rules one after the other.
pub(super) struct Writer<'a> {
    approvers: &'a GroupName,
    text: String,
    rules: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(approvers: &'a GroupName) -> Self {
        let text =
            "// Suggested from recorded calls. Read every rule before you deploy it: what was done once is not what\n\
                    // should always be allowed.\n"
                .to_owned();
        Self { approvers, text, rules: 0 }
    }

    pub(super) fn finish(self) -> (String, usize) {
        (self.text, self.rules)
    }

    /// One rule, or several where the resources are many.
    pub(super) fn rule(&mut self, place: &Place, patterns: &[String], actions: &[String], only_without_class: bool) {
        if patterns.is_empty() {
            self.part(place, &[], actions, only_without_class);
        }
        for part in patterns.chunks(MOST_IN_RULE) {
            self.part(place, part, actions, only_without_class);
        }
    }

    fn part(&mut self, place: &Place, patterns: &[String], actions: &[String], only_without_class: bool) {
        self.rules += 1;
        let slug: String = place
            .agent
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() || "_.-".contains(letter) { letter } else { '-' })
            .take(48)
            .collect();
        let mut rule = format!("\n@id(\"{slug}-{}\")\n", self.rules);
        if place.approval {
            let _ = writeln!(rule, "@approval({})", quoted(self.approvers.as_str()));
        }
        let _ = writeln!(rule, "@reason(\"recorded calls of this agent\")");
        let _ = writeln!(rule, "permit (\n  principal == Agent::{},", quoted(&place.agent));
        match actions {
            [only] => drop(writeln!(rule, "  action == Action::{},", quoted(only))),
            several => {
                let _ = writeln!(rule, "  action in [");
                let names: Vec<_> = several.iter().map(|action| format!("    Action::{}", quoted(action))).collect();
                let _ = writeln!(rule, "{}\n  ],", names.join(",\n"));
            }
        }
        let _ = write!(rule, "  resource in Target::{}\n)", quoted(&place.target));
        let conditions: Vec<_> = [
            only_without_class.then(|| "context.classes.isEmpty()".to_owned()),
            (!patterns.is_empty()).then(|| resources(patterns)),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !conditions.is_empty() {
            let _ = write!(rule, "\nwhen {{ {} }}", conditions.join(" && "));
        }
        rule.push_str(";\n");
        self.text.push_str(&rule);
    }
}

/// The condition that the resource is one of `patterns`.
fn resources(patterns: &[String]) -> String {
    let (beginnings, exact): (Vec<&String>, Vec<&String>) = patterns.iter().partition(|pattern| pattern.ends_with('*'));
    let mut any: Vec<String> = Vec::new();
    match exact.as_slice() {
        [] => {}
        [only] => any.push(format!("resource.arn == {}", quoted(only))),
        several => {
            let quoted: Vec<_> = several.iter().map(|arn| format!("\n  {}", quoted(arn))).collect();
            any.push(format!("[{}\n].contains(resource.arn)", quoted.join(",")));
        }
    }
    any.extend(beginnings.into_iter().map(|pattern| format!("resource.arn like {}", quoted(pattern))));
    match any.as_slice() {
        [only] => only.clone(),
        several => format!("({})", several.join(" || ")),
    }
}

/// A string of Cedar. An exact ARN holds no `*`, so a pattern's only one is its last.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            _ if letter.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(letter));
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
    out
}
