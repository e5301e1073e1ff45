//! The action that an operation is about, on its resource types.

use countersign_permissions::format::{Check, Fallback};

use super::{Case, Deriver};
use crate::binding::Bound;
use crate::members::plain;

impl Deriver<'_> {
    /// The mechanical primary checks.
    pub(super) fn primary(&self, case: &Case<'_>) -> Vec<Check> {
        if is_by_method(case) {
            return vec![self.by_method(case)];
        }
        let actions = self.primary_actions(case);
        let mut checks: Vec<_> = actions.iter().flat_map(|action| self.on_its_types(case, action)).collect();
        // One of several that AWS may check: which, nobody knows, so none is known to have no resource.
        if let ([action], [only]) = (actions.as_slice(), checks.as_mut_slice())
            && only.resources.is_empty()
        {
            only.fallback = self.without_resource(case, action);
        }
        checks
    }

    fn by_method(&self, case: &Case<'_>) -> Check {
        let http = &case.binder.operation.http;
        let uri = http.request_uri.split_once('?').map_or(http.request_uri.as_str(), |(path, _)| path);
        let mut expression = "arn:$P:apigateway:$R::".to_owned();
        let mut rest = uri.strip_prefix("/v2").unwrap_or(uri);
        while let Some((before, after)) = rest.split_once('{') {
            let (label, after) = after.split_once('}').unwrap_or((after, ""));
            let member = member_of_label(case, label.trim_end_matches('+'));
            // The ARN in the path of tags is percent-encoded once by some clients and twice by others.
            let kind = if plain(&member).ends_with("arn") { ":arn" } else { "" };
            expression.push_str(before);
            expression.push_str(&format!("{{{member}{kind}}}"));
            rest = after;
        }
        expression.push_str(rest);
        Check { resources: vec![expression], ..self.check(&format!("apigateway:{}", http.method)) }
    }

    /// The operation's own action: of the same name under its prefix, else of the same name among the
    /// authorised ones, else the only authorised one, else all of them, else a name made up.
    fn primary_actions(&self, case: &Case<'_>) -> Vec<String> {
        let own = format!("{}:{}", case.prefix, case.name);
        if self.is_known(&own) {
            return vec![own];
        }
        let same_name = case.authorized.iter().find(|action| {
            action.split_once(':').is_some_and(|(_, name)| name.eq_ignore_ascii_case(case.name))
                && self.is_known(action)
        });
        if let Some(action) = same_name {
            return vec![action.clone()];
        }
        let others: Vec<_> = case
            .authorized
            .iter()
            .filter(|action| *action != "iam:PassRole" && !self.is_tagging(action) && self.is_known(action))
            .filter(|action| !self.is_untriggered(case, action))
            .cloned()
            .collect();
        if others.is_empty() { vec![own] } else { others }
    }

    /// Checks of one action on each of its resource types that the members tell.
    fn on_its_types(&self, case: &Case<'_>, action: &str) -> Vec<Check> {
        let base = self.check(action);
        let Some(known) = self.reference.actions.get(&action.to_ascii_lowercase()) else { return vec![base] };
        let Some((prefix, _)) = known.name.split_once(':') else { return vec![base] };
        let required: Vec<_> = known.required.iter().map(|kind| plain(kind)).collect();
        let mut groups: Vec<Group> = Vec::new();
        let mut unbound_required = false;
        for kind in &known.types {
            let formats = self.reference.formats.get(&(prefix.to_owned(), kind.clone()));
            let formats = formats.map(Vec::as_slice).unwrap_or_default();
            let bound = case.binder.bind(prefix, kind, formats, known.types.len() == 1);
            // Of an action that only AWS's own list has, nobody says which types are optional.
            let is_required = required.contains(&plain(kind)) || known.types.len() == 1 || !known.is_rated;
            if bound.is_empty() {
                unbound_required |= is_required;
                continue;
            }
            groups.push(Group { bound, is_required });
        }
        let mut checks: Vec<Check> = merged(groups)
            .into_iter()
            .map(|group| {
                let fallback = if group.is_required { Fallback::Unresolved } else { Fallback::LeftOut };
                let resources = group.bound.into_iter().map(|bound| bound.expression).collect();
                Check { resources, fallback, ..base.clone() }
            })
            .collect();
        if checks.is_empty() || unbound_required {
            checks.push(base);
        }
        checks
    }
}

/// Whether the service's IAM actions are HTTP methods and its resources paths (API Gateway
/// Developer Guide, "Control access for managing an API").
pub(super) fn is_by_method(case: &Case<'_>) -> bool {
    matches!(case.service, "apigateway" | "apigatewayv2")
}

fn member_of_label(case: &Case<'_>, label: &str) -> String {
    let input = case.binder.operation.input.as_ref().and_then(|input| case.binder.model.shape(&input.shape));
    input
        .and_then(|shape| {
            let mut members = shape.members.iter();
            members.find(|(name, target)| target.location_name.as_deref().unwrap_or(name) == label)
        })
        .map_or_else(|| label.to_owned(), |(name, _)| name.clone())
}

/// The alternatives of one check.
struct Group {
    bound: Vec<Bound>,
    is_required: bool,
}

impl Group {
    fn first(&self) -> &str {
        self.bound.first().map(|bound| bound.expression.as_str()).unwrap_or_default()
    }

    fn whole_arn_in(&self) -> Option<&String> {
        self.bound.first().and_then(|bound| bound.whole_arn_in.as_ref())
    }
}

/// Groups that stand for the same thing become one: types that one whole ARN tells apart, and a type
/// whose ARN begins with another's, of which the longer counts when the request fills it.
fn merged(groups: Vec<Group>) -> Vec<Group> {
    let mut merged: Vec<Group> = Vec::new();
    for group in groups {
        let same_arn =
            |other: &&mut Group| group.whole_arn_in().is_some() && group.whole_arn_in() == other.whole_arn_in();
        if let Some(other) = merged.iter_mut().find(same_arn) {
            other.is_required |= group.is_required;
            for bound in group.bound {
                let Some(first) = other.bound.first_mut() else { continue };
                if !first.expression.split("||").any(|known| known == bound.expression) {
                    first.expression.push_str("||");
                    first.expression.push_str(&bound.expression);
                }
            }
            continue;
        }
        let nested =
            |other: &&mut Group| group.first().starts_with(other.first()) || other.first().starts_with(group.first());
        if let Some(other) = merged.iter_mut().find(nested) {
            other.is_required |= group.is_required;
            other.bound.extend(group.bound);
            other.bound.sort_by_key(|bound| std::cmp::Reverse(bound.expression.len()));
            other.bound.dedup();
            continue;
        }
        merged.push(group);
    }
    merged
}
