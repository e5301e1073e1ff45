//! What a request tells of an operation's resource, for the coverage document.

use countersign_domain::AccessLevel;
use countersign_permissions::PARTIQL_ACTION;
use countersign_permissions::format::Check;
use countersign_permissions::template::split_variable;

use super::Case;
use crate::tables::OperationBlock;

/// How far requests tell the resource that AWS checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A request may tell its ARN.
    Exactly,
    /// A request names it, and never in a way that tells its ARN.
    InPart,
    /// A request does not tell it; the text says why.
    No(String),
    /// The action has no resource type.
    NothingToTell,
}

/// What requests tell of the resources of an operation's own `checks`.
pub(super) fn told(case: &Case<'_>, blocks: &[&OperationBlock], checks: &[Check], has_types: bool) -> Told {
    let expressions = || checks.iter().flat_map(|check| check.resources.iter().map(move |one| (check, one)));
    if expressions().any(|(check, expression)| {
        check.action == PARTIQL_ACTION
            || expression.starts_with('@')
            || expression.split("||").any(|template| can_be_exact(case, &check.each, template))
    }) {
        return Told::Exactly;
    }
    match expressions().next() {
        Some(_) => Told::InPart,
        None if has_types => Told::No(reason(case, blocks, checks)),
        None => Told::NothingToTell,
    }
}

/// Whether a template can give an ARN in AWS's own form.
fn can_be_exact(case: &Case<'_>, each: &str, template: &str) -> bool {
    let mut rest = template;
    let mut literals = String::new();
    let mut is_whole = false;
    let mut lacks_part = false;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((variable, after)) = split_variable(after) else { return false };
        let (sources, kind) = variable.rsplit_once(':').unwrap_or((variable, ""));
        literals.push_str(before);
        lacks_part |= sources == "-";
        is_whole = matches!(kind, "arn" | "arn-path" | "revision");
        if is_whole && !sources.split('|').any(|source| may_hold_arn(case, each, source)) {
            return false;
        }
        rest = after;
    }
    literals.push_str(rest);
    !literals.contains(['*', '?']) && (is_whole || !lacks_part)
}

fn may_hold_arn(case: &Case<'_>, each: &str, source: &str) -> bool {
    let path = if each.is_empty() { source.to_owned() } else { format!("{each}.{source}") };
    let mut inputs = case.binder.inputs.iter();
    // The values of maps and what reviewed rows read by other means may hold anything.
    inputs.find(|member| member.path == path).is_none_or(crate::binding::may_be_an_arn)
}

/// Why nothing in a request tells the resource.
fn reason(case: &Case<'_>, blocks: &[&OperationBlock], checks: &[Check]) -> String {
    const MAKES: [&str; 9] =
        ["Allocate", "Create", "Import", "Provision", "Purchase", "Put", "Register", "Request", "Start"];
    if let Some(block) = blocks.iter().find(|block| !block.checks.is_empty()) {
        return format!("reviewed: {}", block.reason);
    }
    let mut actions: Vec<_> = checks.iter().map(|check| check.action.as_str()).collect();
    actions.sort_unstable();
    actions.dedup();
    let text = match () {
        () if actions.len() > 1 => "which of several actions is checked is not documented",
        () if MAKES.iter().any(|verb| case.name.starts_with(verb)) => {
            "it makes something whose ARN AWS chooses, or names it in a part of the request that is not read"
        }
        () if checks.iter().all(|check| check.level == AccessLevel::List) => "it lists whatever there is",
        () => "no member holds what the ARN consists of",
    };
    text.to_owned()
}
