//! IAM policies for the roles of a target, from what its rules reach at most.
//!
//! The auto role gets what rules let pass without approval, the approved role what they let pass at all. A policy is never
//! narrower than the rules: where a condition says nothing that IAM can express, it is left out. Forbids without conditions
//! become explicit denies.

mod document;
mod matching;
mod selection;
mod wildcards;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use countersign_domain::Class;
use countersign_policy::{ActionSelector, Bundle, Reach, ResourceBound, RuleEffect};

pub use document::{Document, MOST_BYTES, MOST_POLICIES, Statement, services_of, template_text};
pub use matching::allows;
use selection::Selection;

/// Which of a target's roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// For calls that pass alone.
    Auto,
    /// For approved calls.
    Approved,
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Role::Auto => "auto",
            Role::Approved => "approved",
        })
    }
}

/// Policies that do not fit into IAM's limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RolesError {
    /// Too many for a role.
    #[error(
        "the {role} role of `{target}` would need {policies} managed policies, and a role takes {MOST_POLICIES}; \
         let rules name the services that they are about, or limit the roles to services with `--service`"
    )]
    TooMany {
        /// Which role.
        role: Role,
        /// Of which target.
        target: String,
        /// How many.
        policies: usize,
    },
    /// One resource that fits into no policy.
    #[error(
        "the {role} role of `{target}` has a statement of more than {MOST_BYTES} characters; split the rule `{rule}`"
    )]
    TooLarge {
        /// Which role.
        role: Role,
        /// Of which target.
        target: String,
        /// A rule that it comes from.
        rule: String,
    },
}

/// The policies of one role of `target`, each within IAM's limit. Where `services` are given (as the part of an action
/// before the colon), the role is limited to those, whatever the rules say.
///
/// # Errors
/// [`RolesError`] when they do not fit.
pub fn policies(
    bundle: &Bundle,
    target: &str,
    role: Role,
    services: &BTreeSet<String>,
) -> Result<Vec<Document>, RolesError> {
    let reach: Vec<_> = bundle.reach().filter(|one| one.target.is_none_or(|named| named == target)).collect();
    let never = never(&reach, role);
    let mut by_resources: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
    for one in reach.iter().filter(|one| lets_pass(one, role)) {
        let is_served = |action: &String| services.is_empty() || services.contains(service_of(action));
        let actions = Selection::possible(&one.actions).into_iter();
        let actions = actions.filter(|action| !never.contains(action) && is_served(action));
        // A rule that asks for approval also holds calls whose resource is not known, which may be any.
        let resources = one.resources.as_deref().filter(|_| one.rule.effect == RuleEffect::Permit);
        for (resources, actions) in placed(resources, actions) {
            by_resources.entry(resources).or_default().extend(actions);
        }
    }
    drop_what_is_allowed_anywhere(&mut by_resources);
    let allowed = by_resources.into_iter().map(|(resources, actions)| Statement::allow(&actions, resources));
    let denied = denials(&reach, services).into_iter().map(|(resources, actions)| Statement::deny(&actions, resources));
    let rule = reach.iter().map(|one| one.rule.id).next().unwrap_or_default().to_owned();
    let statements: Vec<_> = allowed.chain(denied).filter(|statement| !statement.actions.is_empty()).collect();
    let too_large = || RolesError::TooLarge { role, target: target.to_owned(), rule };
    let documents = document::pack(statements).ok_or_else(too_large)?;
    if documents.len() > MOST_POLICIES {
        return Err(RolesError::TooMany { role, target: target.to_owned(), policies: documents.len() });
    }
    Ok(documents)
}

/// The part of an action before the colon.
fn service_of(action: &str) -> &str {
    action.split(':').next().unwrap_or_default()
}

fn lets_pass(reach: &Reach<'_>, role: Role) -> bool {
    let of_role = match role {
        Role::Auto => reach.rule.effect == RuleEffect::Permit,
        Role::Approved => reach.rule.effect != RuleEffect::Forbid,
    };
    of_role && !reach.rule.shadow
}

/// Actions that no call of this role needs on any resource: forbidden, always held for approval, or never forwarded.
fn never(reach: &[Reach<'_>], role: Role) -> BTreeSet<String> {
    let stops = |one: &&Reach<'_>| {
        let by_effect = match role {
            Role::Auto => one.rule.effect != RuleEffect::Permit,
            Role::Approved => one.rule.effect == RuleEffect::Forbid,
        };
        by_effect && one.is_unconditional() && one.head_resource.is_none()
    };
    let stopped = reach.iter().filter(stops).flat_map(|one| Selection::certain(&one.actions));
    let credentials = vec![vec![ActionSelector::Class(Class::CredentialReturning)]];
    stopped.chain(Selection::certain(&credentials)).collect()
}

/// All actions, as IAM writes it.
const EVERY_ACTION: &str = "*";

/// What is forbidden without conditions, by resources.
fn denials(reach: &[Reach<'_>], services: &BTreeSet<String>) -> BTreeMap<Vec<String>, BTreeSet<String>> {
    let mut denials: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
    for one in reach.iter().filter(|one| one.rule.effect == RuleEffect::Forbid && one.is_unconditional()) {
        let resources = match &one.head_resource {
            None => vec!["*".to_owned()],
            Some(ResourceBound::Account(account)) => vec![format!("arn:*:*:*:{account}:*")],
            Some(ResourceBound::Arn(parts)) => vec![document::escaped(parts)],
            Some(ResourceBound::Name(_)) => continue,
        };
        let denied = denials.entry(resources).or_default();
        if one.actions.iter().all(|list| list.contains(&ActionSelector::Any)) {
            denied.insert(EVERY_ACTION.to_owned());
            continue;
        }
        let is_served = |action: &String| services.is_empty() || services.contains(service_of(action));
        denied.extend(Selection::certain(&one.actions).into_iter().filter(is_served));
    }
    denials
}

/// The actions with the resources that they are allowed on: names become ARNs of the actions' services.
fn placed(
    bounds: Option<&[ResourceBound]>,
    actions: impl Iterator<Item = String>,
) -> BTreeMap<Vec<String>, BTreeSet<String>> {
    let mut placed: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
    for action in actions {
        let service = service_of(&action);
        let resources = match bounds {
            None => vec!["*".to_owned()],
            Some(bounds) => {
                let on_none = Selection::may_be_on_nothing(&action) && bounds.iter().any(document::fits_nothing);
                let anywhere = on_none.then(|| "*".to_owned());
                bounds.iter().flat_map(|bound| document::arns(bound, service)).chain(anywhere).collect()
            }
        };
        placed.entry(resources).or_default().insert(action);
    }
    placed
}

/// An action that is allowed on `*` needs no other statement.
fn drop_what_is_allowed_anywhere(by_resources: &mut BTreeMap<Vec<String>, BTreeSet<String>>) {
    let anywhere = by_resources.get(["*".to_owned()].as_slice()).cloned().unwrap_or_default();
    for (resources, actions) in by_resources.iter_mut() {
        if resources.as_slice() != ["*"] {
            actions.retain(|action| !anywhere.contains(action));
        }
    }
}
