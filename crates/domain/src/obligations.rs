//! What must hold before, and what is allowed after, a call that a rule lets through.
//!
//! Rules give obligations as annotations. When several rules match, or a call has several
//! permissions, they are merged to the strictest. The merge is commutative, associative and
//! idempotent (property-tested), so the order of rules never matters.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::ids::{GroupName, PersonId};

/// How long a request may wait when no rule says otherwise.
pub const DEFAULT_EXPIRY: Duration = Duration::from_secs(30 * 60);

/// What an approver may grant beyond the one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GrantLimit {
    /// The longest lifetime of a grant.
    pub lifetime: Duration,
    /// The most uses of a grant.
    pub uses: u32,
}

/// Another group to ask when nobody has answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Escalation {
    /// After how long.
    pub after: Duration,
    /// Whom to ask then.
    pub group: GroupName,
}

/// The obligations of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obligations {
    /// For each group the number of distinct persons of it who must approve. Empty for a call
    /// that may pass alone.
    pub approvals: BTreeMap<GroupName, u32>,
    /// How long the request may wait.
    pub expires: Duration,
    /// Groups to ask later.
    pub escalations: BTreeSet<Escalation>,
    /// The least time between seeing the call and approving it.
    pub min_review: Duration,
    /// Whether the approver types the resource's name.
    pub confirm_resource: bool,
    /// What may be granted beyond the one call; nothing unless every rule offers it.
    pub grant: Option<GrantLimit>,
    /// Members that masking leaves readable; only those that every rule names.
    pub reveal: BTreeSet<String>,
}

impl Obligations {
    /// No obligations: a plain permit.
    pub fn none() -> Self {
        Self {
            approvals: BTreeMap::new(),
            expires: DEFAULT_EXPIRY,
            escalations: BTreeSet::new(),
            min_review: Duration::ZERO,
            confirm_resource: false,
            grant: None,
            reveal: BTreeSet::new(),
        }
    }

    /// The strictest of both.
    #[must_use]
    pub fn merge(mut self, other: &Obligations) -> Self {
        for (group, quorum) in &other.approvals {
            let entry = self.approvals.entry(group.clone()).or_default();
            *entry = (*entry).max(*quorum);
        }
        self.expires = self.expires.min(other.expires);
        self.escalations.extend(other.escalations.iter().cloned());
        self.min_review = self.min_review.max(other.min_review);
        self.confirm_resource |= other.confirm_resource;
        self.grant = match (self.grant, other.grant) {
            (Some(one), Some(two)) => {
                Some(GrantLimit { lifetime: one.lifetime.min(two.lifetime), uses: one.uses.min(two.uses) })
            }
            _ => None,
        };
        self.reveal = self.reveal.intersection(&other.reveal).cloned().collect();
        self
    }

    /// Whether `approvers`, each with the groups they are in now, satisfy every quorum at once,
    /// each person counting for one group only.
    ///
    /// By Hall's theorem this holds exactly if every set of groups finds, among the persons who
    /// are in any of them, at least as many as its quorums add up to. Escalation groups stand in
    /// for any group. More than [`MAX_APPROVAL_GROUPS`] groups are never satisfied.
    pub fn satisfied_by(&self, approvers: &BTreeMap<PersonId, BTreeSet<GroupName>>) -> bool {
        let groups: Vec<_> = self.approvals.iter().filter(|(_, quorum)| **quorum > 0).collect();
        if groups.is_empty() || groups.len() > MAX_APPROVAL_GROUPS {
            return false;
        }
        (1_u32..1 << groups.len()).all(|subset| {
            let chosen = || groups.iter().enumerate().filter(move |(place, _)| subset & (1 << place) != 0);
            let needed: u64 = chosen().map(|(_, (_, quorum))| u64::from(**quorum)).sum();
            let found = approvers
                .values()
                .filter(|of_person| {
                    chosen().any(|(_, (group, _))| of_person.contains(*group))
                        || self.escalations.iter().any(|step| of_person.contains(&step.group))
                })
                .count();
            found as u64 >= needed
        })
    }
}

/// The most groups that one request may need.
pub const MAX_APPROVAL_GROUPS: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn group(name: &str) -> GroupName {
        GroupName::new(name).unwrap()
    }

    fn person(name: &str, groups: &[&str]) -> (PersonId, BTreeSet<GroupName>) {
        (PersonId::new(name).unwrap(), groups.iter().map(|name| group(name)).collect())
    }

    fn arbitrary() -> impl Strategy<Value = Obligations> {
        (
            proptest::collection::btree_map("[a-c]", 0..4_u32, 0..3),
            0..5_u64,
            proptest::collection::btree_set((0..3_u64, "[a-c]"), 0..3),
            0..5_u64,
            any::<bool>(),
            proptest::option::of((0..4_u64, 0..4_u32)),
            proptest::collection::btree_set("[x-z]", 0..3),
        )
            .prop_map(|(approvals, expires, escalations, min_review, confirm_resource, grant, reveal)| {
                Obligations {
                    approvals: approvals.into_iter().map(|(name, quorum)| (group(&name), quorum)).collect(),
                    expires: Duration::from_secs(expires),
                    escalations: escalations
                        .into_iter()
                        .map(|(after, name)| Escalation { after: Duration::from_secs(after), group: group(&name) })
                        .collect(),
                    min_review: Duration::from_secs(min_review),
                    confirm_resource,
                    grant: grant.map(|(lifetime, uses)| GrantLimit { lifetime: Duration::from_secs(lifetime), uses }),
                    reveal,
                }
            })
    }

    proptest! {
        #[test]
        fn merge_is_commutative_associative_and_idempotent(a in arbitrary(), b in arbitrary(), c in arbitrary()) {
            prop_assert_eq!(a.clone().merge(&b), b.clone().merge(&a));
            prop_assert_eq!(a.clone().merge(&b).merge(&c), a.clone().merge(&b.merge(&c)));
            prop_assert_eq!(a.clone().merge(&a), a);
        }
    }

    #[test]
    fn one_person_in_two_groups_counts_once() {
        let mut obligations = Obligations::none();
        obligations.approvals = [(group("dba"), 1), (group("security"), 1)].into();
        let both = [person("ann", &["dba", "security"])].into();
        assert!(!obligations.satisfied_by(&both));
        let two = [person("ann", &["dba", "security"]), person("ben", &["dba"])].into();
        assert!(obligations.satisfied_by(&two));
    }

    #[test]
    fn no_groups_and_no_approvers_satisfy_nothing() {
        assert!(!Obligations::none().satisfied_by(&BTreeMap::new()));
        let mut obligations = Obligations::none();
        obligations.approvals = [(group("dba"), 2)].into();
        assert!(!obligations.satisfied_by(&[person("ann", &["dba"])].into()));
        assert!(obligations.satisfied_by(&[person("ann", &["dba"]), person("ben", &["dba"])].into()));
    }
}
