//! From an operation's checks and the parameters to permissions.

use countersign_domain::{Classes, Permission, Resource, Value};

use crate::condition;
use crate::format::{Check, Fallback, OperationRow};
use crate::partiql;
use crate::permissions::ActionInfo;
use crate::resolve;
use crate::scope::Scope;
use crate::template::{Place, Template};

/// The permissions of one call, in the order of the checks, each once.
pub(crate) fn permissions<'p>(
    operation: &OperationRow,
    parameters: &Value,
    place: &Place<'_>,
    action: &impl Fn(&str) -> Option<ActionInfo<'p>>,
) -> Vec<Permission> {
    let whole = Scope::whole(parameters);
    let extra = operation
        .classes
        .iter()
        .filter(|(when, _)| condition::holds(when, &whole))
        .fold(Classes::NONE, |all, (_, classes)| all.union(*classes));
    let mut found = Collected::default();
    let mut left_out: Vec<&Check> = Vec::new();
    for check in &operation.checks {
        let scopes = Scope::each(parameters, &check.each);
        let mut any = false;
        for scope in &scopes {
            if !condition::holds(&check.when, scope) {
                continue;
            }
            any = true;
            if check.action == partiql::ACTION {
                partiql::permissions(check, scope, place, action).into_iter().for_each(|pair| found.add(pair, extra));
                continue;
            }
            let resources = resources(check, scope, place);
            if resources.is_empty() && check.fallback == Fallback::LeftOut {
                left_out.push(check);
                continue;
            }
            let resources = if resources.is_empty() { vec![otherwise(check)] } else { resources };
            for resource in resources {
                for (action_name, resource) in resolve::final_pairs(&check.action, resource, place) {
                    // The classes stay those of the operation: an object read under a session that AWS
                    // authorises returns the object, not the session's credentials.
                    let known = if action_name == check.action { None } else { action(&action_name) };
                    let level = known.map_or(check.level, |info| info.level.max(check.level));
                    found.add(Permission { action: action_name, resource, level, classes: check.classes }, extra);
                }
            }
        }
        if !any && check.fallback == Fallback::Unresolved && !check.each.is_empty() && check.when.is_empty() {
            unresolved(check, action).into_iter().for_each(|pair| found.add(pair, extra));
        }
    }
    for check in left_out {
        if !found.has_action(&check.action) {
            unresolved(check, action).into_iter().for_each(|pair| found.add(pair, extra));
        }
    }
    if found.pairs.is_empty() {
        // No condition held: all that the operation may ever need, on anything.
        operation.checks.iter().flat_map(|check| unresolved(check, action)).for_each(|pair| found.add(pair, extra));
    }
    found.pairs
}

/// What a check stands for on a resource that is not known.
fn unresolved<'p>(check: &Check, action: &impl Fn(&str) -> Option<ActionInfo<'p>>) -> Vec<Permission> {
    if check.action == partiql::ACTION {
        return partiql::everything(check, action);
    }
    vec![Permission {
        action: check.action.clone(),
        resource: otherwise(check),
        level: check.level,
        classes: check.classes,
    }]
}

/// The resource of a check that finds none.
fn otherwise(check: &Check) -> Resource {
    match check.fallback {
        Fallback::AccountLevel => Resource::AccountLevel,
        Fallback::Unresolved | Fallback::LeftOut => Resource::Unresolved,
    }
}

/// The resources that the first filled expression of a check gives.
fn resources(check: &Check, scope: &Scope<'_>, place: &Place<'_>) -> Vec<Resource> {
    let filled = check.resources.iter().map(|expression| match expression.strip_prefix('@') {
        Some(call) => resolve::call(call, scope, place),
        None => by_templates(expression, scope, place),
    });
    filled.into_iter().find(|resources| !resources.is_empty()).unwrap_or_default()
}

/// The resources of templates joined by `||`, which whole ARNs tell apart: the first template that
/// all of them fit, else what the first filled one makes of them.
fn by_templates(expression: &str, scope: &Scope<'_>, place: &Place<'_>) -> Vec<Resource> {
    let mut first = Vec::new();
    for template in expression.split("||") {
        let filled = Template::parse(template).map(|template| template.fill(scope, place)).unwrap_or_default();
        if !filled.is_empty() && filled.iter().all(|resource| resource.exact().is_some()) {
            return filled;
        }
        if first.is_empty() {
            first = filled;
        }
    }
    first
}

/// Permissions without repetition. A set beside the list keeps a thousand keys cheap.
#[derive(Default)]
struct Collected {
    pairs: Vec<Permission>,
    seen: std::collections::HashSet<(String, Resource)>,
}

impl Collected {
    fn add(&mut self, mut permission: Permission, extra: Classes) {
        if self.seen.insert((permission.action.clone(), permission.resource.clone())) {
            permission.classes = permission.classes.union(extra);
            self.pairs.push(permission);
        }
    }

    fn has_action(&self, action: &str) -> bool {
        self.pairs.iter().any(|pair| pair.action == action)
    }
}
