//! The decision lattice: deny over approval over allow.

use serde::{Deserialize, Serialize};

use crate::obligations::Obligations;

/// A rule that took part in a decision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleHit {
    /// The rule's id: its file and name, or `built-in/…` for a forbid that no bundle lifts.
    pub rule: String,
    /// The rule's `@reason`, or why it counted.
    pub reason: String,
}

/// What policy says to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The call never happens. `rules` is empty when nothing permits it (default deny).
    Deny {
        /// Why, for the agent to read: says nothing about other agents.
        reason: String,
        /// The rules that forbid.
        rules: Vec<RuleHit>,
    },
    /// The call waits for persons.
    NeedsApproval {
        /// What the approval must meet.
        obligations: Obligations,
        /// The rules that hold it.
        rules: Vec<RuleHit>,
    },
    /// The call passes.
    Allow {
        /// What goes with it (`reveal`).
        obligations: Obligations,
        /// The rules that permit.
        rules: Vec<RuleHit>,
    },
}

impl Decision {
    /// The name in the record: `deny`, `needs-approval`, `allow`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Decision::Deny { .. } => "deny",
            Decision::NeedsApproval { .. } => "needs-approval",
            Decision::Allow { .. } => "allow",
        }
    }

    /// The rules that made it.
    pub fn rules(&self) -> &[RuleHit] {
        match self {
            Decision::Deny { rules, .. } | Decision::NeedsApproval { rules, .. } | Decision::Allow { rules, .. } => {
                rules
            }
        }
    }

    /// The stricter of the decisions on two permissions of one call; equals are merged.
    #[must_use]
    pub fn join(self, other: Decision) -> Decision {
        match (self, other) {
            (Decision::Deny { reason, rules }, Decision::Deny { reason: other_reason, rules: other_rules }) => {
                // The reason of a rule beats "nothing permits it"; among equals, the smaller text,
                // so that the order of permissions does not matter.
                let reason = match (rules.is_empty(), other_rules.is_empty()) {
                    (true, false) => other_reason,
                    (false, true) => reason,
                    _ => reason.min(other_reason),
                };
                Decision::Deny { reason, rules: merge_rules(rules, other_rules) }
            }
            (deny @ Decision::Deny { .. }, _) | (_, deny @ Decision::Deny { .. }) => deny,
            (
                Decision::NeedsApproval { obligations, rules },
                Decision::NeedsApproval { obligations: other, rules: other_rules },
            ) => Decision::NeedsApproval {
                obligations: obligations.merge(&other),
                rules: merge_rules(rules, other_rules),
            },
            (
                Decision::NeedsApproval { mut obligations, rules },
                Decision::Allow { obligations: other, rules: other_rules },
            )
            | (
                Decision::Allow { obligations: other, rules: other_rules },
                Decision::NeedsApproval { mut obligations, rules },
            ) => {
                // A pair that passes alone takes nothing from the other's grant.
                let grant = obligations.grant;
                obligations = obligations.merge(&other);
                obligations.grant = grant;
                Decision::NeedsApproval { obligations, rules: merge_rules(rules, other_rules) }
            }
            (Decision::Allow { obligations, rules }, Decision::Allow { obligations: other, rules: other_rules }) => {
                Decision::Allow { obligations: obligations.merge(&other), rules: merge_rules(rules, other_rules) }
            }
        }
    }
}

fn merge_rules(mut rules: Vec<RuleHit>, other: Vec<RuleHit>) -> Vec<RuleHit> {
    rules.extend(other);
    rules.sort();
    rules.dedup();
    rules
}
