//! What policy says to a call, and what it would say with the rules that are only tried out.

use countersign_domain::{Decision, Resource, RuleHit};

/// The decision on one (action, resource) pair of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionVerdict {
    /// The IAM action.
    pub action: String,
    /// The resource.
    pub resource: Resource,
    /// The decision on this pair alone.
    pub decision: Decision,
}

/// The decision on a call, with how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The decision: the strictest of the pairs'.
    pub decision: Decision,
    /// The decision on each pair, in the order of the call's permissions.
    pub per_permission: Vec<PermissionVerdict>,
    /// Rules with `@mode("shadow")` that matched, or could not be evaluated. They decide nothing.
    pub shadow: Vec<RuleHit>,
    /// What the decision would be if the shadow rules counted; `None` when none took part.
    pub shadow_decision: Option<Decision>,
    /// Rules that could not be evaluated, each with the error. Any of them makes the call denied.
    pub errors: Vec<RuleHit>,
}
