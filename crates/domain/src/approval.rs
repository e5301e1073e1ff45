//! Who may approve what: one rule, held by approvals when a person decides and again by the
//! executor before the call runs.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    call::{Call, Class},
    certificate::Proof,
    ids::{AgentId, GroupName, PersonId},
    obligations::Obligations,
    settings::{Person, Settings},
    time::Timestamp,
};

/// Why a person's approval does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ineligible {
    /// Nobody answers for the agent, so nobody can say yes for it.
    #[error("the agent has no owner; an agent without an owner gets no approval")]
    AgentWithoutOwner,
    /// The person owns the agent.
    #[error("owners of the agent cannot decide on its calls")]
    Owner,
    /// The person is in none of the groups that are asked.
    #[error("only members of {0} can decide on this call")]
    NotAsked(String),
    /// The proof is too weak for this call.
    #[error("a code by email is not enough for this call; sign in")]
    WeakProof,
    /// Approved sooner than reading takes.
    #[error("an approval counts from {0} seconds after the call was first seen")]
    TooSoon(u64),
}

/// The owners of `agent`: those that its token named, and those of the bundle now.
pub fn owners(settings: &Settings, agent: &AgentId, named: &BTreeSet<PersonId>) -> BTreeSet<PersonId> {
    let mut owners = settings.owners_of(agent);
    owners.extend(named.iter().cloned());
    owners
}

/// Whether `person` may decide at all on a call with these obligations.
///
/// # Errors
/// [`Ineligible`] says why not.
pub fn may_decide(person: &Person, owners: &BTreeSet<PersonId>, obligations: &Obligations) -> Result<(), Ineligible> {
    if owners.is_empty() {
        return Err(Ineligible::AgentWithoutOwner);
    }
    if owners.contains(&person.id) {
        return Err(Ineligible::Owner);
    }
    if asked_groups(obligations).any(|group| person.groups.contains(group)) {
        return Ok(());
    }
    let names: BTreeSet<_> = asked_groups(obligations).map(GroupName::as_str).collect();
    Err(Ineligible::NotAsked(names.into_iter().collect::<Vec<_>>().join(", ")))
}

/// Whether `person` may deny a call for which the groups `asked` are or were asked.
///
/// A denial stops a call and lets none pass, so it takes less than an approval: neither a rule that
/// still holds the call nor an owner of the agent has to be there.
///
/// # Errors
/// [`Ineligible`] says why not.
pub fn may_deny<'a>(
    person: &Person,
    owners: &BTreeSet<PersonId>,
    asked: impl IntoIterator<Item = &'a GroupName>,
) -> Result<(), Ineligible> {
    if owners.contains(&person.id) {
        return Err(Ineligible::Owner);
    }
    let asked: BTreeSet<_> = asked.into_iter().collect();
    if asked.iter().any(|group| person.groups.contains(*group)) {
        return Ok(());
    }
    Err(Ineligible::NotAsked(asked.into_iter().map(GroupName::as_str).collect::<Vec<_>>().join(", ")))
}

/// Every group that a request asks, now or when it escalates.
pub fn asked_groups(obligations: &Obligations) -> impl Iterator<Item = &GroupName> {
    obligations.approvals.keys().chain(obligations.escalations.iter().map(|step| &step.group))
}

/// Whether a proof is enough for `call`: a code by email never is for a call in any class.
///
/// # Errors
/// [`Ineligible::WeakProof`].
pub fn proof_is_enough(proof: Proof, call: &Call, settings: &Settings) -> Result<(), Ineligible> {
    match proof {
        Proof::SignedIn => Ok(()),
        Proof::EmailedCode if settings.channels.email_codes && call.classes().is_empty() => Ok(()),
        Proof::EmailedCode => Err(Ineligible::WeakProof),
    }
}

/// Whether the call was looked at for long enough.
///
/// # Errors
/// [`Ineligible::TooSoon`].
pub fn looked_long_enough(
    seen_at: Timestamp,
    decided_at: Timestamp,
    obligations: &Obligations,
) -> Result<(), Ineligible> {
    if decided_at >= seen_at && decided_at.since(seen_at) >= obligations.min_review {
        Ok(())
    } else {
        Err(Ineligible::TooSoon(obligations.min_review.as_secs()))
    }
}

/// The resource name that an approver types: for destructive calls, and where a rule asks for it.
pub fn name_to_type(call: &Call, obligations: &Obligations) -> Option<String> {
    if !obligations.confirm_resource && !call.classes().contains(Class::Destructive) {
        return None;
    }
    let destructive = call.permissions.iter().find(|permission| permission.classes.contains(Class::Destructive));
    let resource = destructive.or(call.permissions.first())?.resource.as_str();
    Some(resource.to_owned())
}

/// Whether the persons satisfy the quorum with the groups that they are in now.
pub fn quorum_is_met(settings: &Settings, persons: &BTreeSet<PersonId>, obligations: &Obligations) -> bool {
    let approvers: BTreeMap<_, _> = persons
        .iter()
        .filter_map(|id| settings.person(id))
        .map(|person| (person.id.clone(), person.groups.clone()))
        .collect();
    approvers.len() == persons.len() && obligations.satisfied_by(&approvers)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn person(id: &str, groups: &[&str]) -> Person {
        Person {
            id: PersonId::new(id).unwrap(),
            emails: Vec::new(),
            subjects: Vec::new(),
            groups: groups.iter().map(|name| GroupName::new(*name).unwrap()).collect(),
        }
    }

    fn asked(group: &str) -> Obligations {
        let mut obligations = Obligations::none();
        obligations.approvals = [(GroupName::new(group).unwrap(), 1)].into();
        obligations
    }

    #[test]
    fn neither_owners_nor_strangers_nor_anyone_for_an_ownerless_agent_may_decide() {
        let owners: BTreeSet<_> = [PersonId::new("carol").unwrap()].into();
        let obligations = asked("approvers");
        assert_eq!(may_decide(&person("ann", &["approvers"]), &owners, &obligations), Ok(()));
        assert_eq!(may_decide(&person("carol", &["approvers"]), &owners, &obligations), Err(Ineligible::Owner));
        assert_eq!(
            may_decide(&person("dan", &["others"]), &owners, &obligations),
            Err(Ineligible::NotAsked("approvers".into()))
        );
        assert_eq!(
            may_decide(&person("ann", &["approvers"]), &BTreeSet::new(), &obligations),
            Err(Ineligible::AgentWithoutOwner)
        );
    }

    #[test]
    fn whoever_was_asked_may_deny_and_an_owner_may_not() {
        let owners: BTreeSet<_> = [PersonId::new("carol").unwrap()].into();
        let asked = [GroupName::new("approvers").unwrap()];
        assert_eq!(may_deny(&person("ann", &["approvers"]), &owners, &asked), Ok(()));
        assert_eq!(may_deny(&person("ann", &["approvers"]), &BTreeSet::new(), &asked), Ok(()), "no owner is needed");
        assert_eq!(may_deny(&person("carol", &["approvers"]), &owners, &asked), Err(Ineligible::Owner));
        assert_eq!(
            may_deny(&person("dan", &["others"]), &owners, &asked),
            Err(Ineligible::NotAsked("approvers".into()))
        );
    }

    #[test]
    fn reading_takes_its_time_and_clocks_do_not_run_backwards() {
        let mut obligations = asked("approvers");
        obligations.min_review = Duration::from_secs(20);
        let at = Timestamp::from_secs;
        assert_eq!(looked_long_enough(at(100), at(119), &obligations), Err(Ineligible::TooSoon(20)));
        assert_eq!(looked_long_enough(at(100), at(120), &obligations), Ok(()));
        obligations.min_review = Duration::ZERO;
        assert!(looked_long_enough(at(100), at(99), &obligations).is_err());
    }
}
