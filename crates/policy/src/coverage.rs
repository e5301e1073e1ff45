//! Which rules leave others nothing to decide.

use crate::{
    annotation::Kind,
    bundle::Bundle,
    check::ActionCatalogue,
    rule::{Head, Key, Rule},
    vocabulary::level_groups,
};

/// The live forbids and approvals without conditions: whatever their heads cover is decided.
pub(crate) struct Unconditional<'a>(Vec<&'a Rule>);

/// Finds them.
pub(crate) fn unconditional(bundle: &Bundle) -> Unconditional<'_> {
    let without_conditions = |rule: &&Rule| rule.parsed().is_ok_and(|parsed| parsed.body.clauses().is_empty());
    let stops = |rule: &&Rule| !rule.shadow && !matches!(rule.kind, Kind::Permit(_));
    Unconditional(bundle.rules().iter().filter(stops).filter(without_conditions).collect())
}

impl<'a> Unconditional<'a> {
    /// Whether a rule for everyone and every resource holds or forbids what `action` names.
    pub(crate) fn stops(&self, action: &Key, catalogue: &dyn ActionCatalogue) -> bool {
        self.0.iter().any(|rule| {
            rule.head.principal == Key::Any
                && rule.head.resource == Key::Any
                && rule.head.actions.iter().any(|over| covers_action(over, action, catalogue))
        })
    }

    /// A rule that decides everything that `rule` could, more strictly.
    pub(crate) fn over(&self, rule: &Rule, catalogue: &dyn ActionCatalogue) -> Option<&'a Rule> {
        let stricter = |over: &&&Rule| match over.kind {
            Kind::Forbid => !matches!(rule.kind, Kind::Forbid),
            Kind::Approval(_) => matches!(rule.kind, Kind::Permit(_)),
            Kind::Permit(_) => false,
        };
        self.0.iter().filter(stricter).find(|over| covers(&over.head, &rule.head, catalogue)).copied()
    }
}

fn covers(over: &Head, head: &Head, catalogue: &dyn ActionCatalogue) -> bool {
    let place = |over: &Key, key: &Key| *over == Key::Any || over == key;
    let action = |key: &Key| over.actions.iter().any(|over| covers_action(over, key, catalogue));
    place(&over.principal, &head.principal) && place(&over.resource, &head.resource) && head.actions.iter().all(action)
}

fn covers_action(over: &Key, key: &Key, catalogue: &dyn ActionCatalogue) -> bool {
    let (Key::Is(_, over), Key::Is(_, action)) = (over, key) else { return *over == Key::Any };
    if over == action {
        return true;
    }
    if let Some(service) = over.strip_suffix(":*") {
        return action.split_once(':').is_some_and(|(of, _)| of == service);
    }
    // A class can depend on the call, so only the level settles that every call is covered.
    catalogue.level(action).is_some_and(|level| level_groups(level).contains(&over.as_str()))
}

#[cfg(test)]
mod tests {
    use countersign_domain::{AccessLevel, Classes};

    use super::*;
    use crate::vocabulary::EntityKind;

    struct Levels;

    impl ActionCatalogue for Levels {
        fn exists(&self, _: &str) -> bool {
            true
        }
        fn suggest(&self, _: &str) -> Option<String> {
            None
        }
        fn level(&self, action: &str) -> Option<AccessLevel> {
            (action == "s3:GetObject").then_some(AccessLevel::Read)
        }
        fn classes(&self, _: &str) -> Classes {
            Classes::NONE
        }
        fn service_exists(&self, _: &str) -> bool {
            true
        }
        fn actions_of(&self, _: &str) -> Vec<String> {
            Vec::new()
        }
    }

    #[test]
    fn what_covers_what() {
        let key = |id: &str| if id.is_empty() { Key::Any } else { Key::Is(EntityKind::Action, id.to_owned()) };
        for (over, action, expected) in [
            ("", "", true),
            ("", "s3:GetObject", true),
            ("s3:GetObject", "", false),
            ("s3:*", "s3:GetObject", true),
            ("s3:*", "s3-x:GetObject", false),
            ("s3:GetObject", "s3:*", false),
            ("level:Read", "s3:GetObject", true),
            ("level:Write", "s3:GetObject", false),
            ("level:Read", "s3:*", false),
            ("class:destructive", "s3:GetObject", false),
        ] {
            assert_eq!(covers_action(&key(over), &key(action), &Levels), expected, "{over} {action}");
        }
    }
}
