//! Which actions a rule can be about, and which it is always about.

use std::{collections::BTreeSet, sync::OnceLock};

use countersign_domain::{AccessLevel, Class, Classes};
use countersign_permissions::{PARTIQL_ACTION, Permissions, format::Fallback};
use countersign_policy::{ActionCatalogue as _, ActionSelector};

use crate::actions::AwsActions;

/// Services whose actions are those of `s3` on other kinds of buckets: no operation names them.
const OF_S3: [&str; 3] = ["s3express", "s3-object-lambda", "s3-outposts"];

/// An action with all that it can be in some call.
struct Known {
    name: &'static str,
    service: &'static str,
    levels: BTreeSet<AccessLevel>,
    /// The classes that it can have.
    possible: Classes,
    /// The classes that it has in every call.
    certain: Classes,
}

/// Every action that some call can need.
fn known() -> &'static [Known] {
    static KNOWN: OnceLock<Vec<Known>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let aws = AwsActions::embedded();
        Permissions::embedded()
            .actions()
            .filter_map(|action| {
                let (service, name) = action.name.split_once(':')?;
                let operations = aws.operations_of(action.name);
                let by_statement = service == "dynamodb" && name.starts_with("PartiQL");
                let renamed = OF_S3.contains(&service) || by_statement;
                if operations.is_empty() && !renamed {
                    return None;
                }
                let checks = operations.iter().flat_map(|(_, operation)| &operation.checks);
                let of_action = checks.filter(|check| check.action == action.name || check.action == PARTIQL_ACTION);
                let mut levels: BTreeSet<_> = of_action.map(|check| check.level).chain([action.level]).collect();
                if renamed {
                    // The level is the stricter of this action's and that of the action it stands for.
                    levels.extend(LEVELS.into_iter().filter(|level| *level >= action.level));
                }
                Some(Known {
                    name: action.name,
                    service,
                    levels,
                    possible: if renamed { Class::ALL.into_iter().collect() } else { aws.classes(action.name) },
                    certain: if renamed { Classes::NONE } else { aws.constant_classes(action.name) },
                })
            })
            .collect()
    })
}

const LEVELS: [AccessLevel; 5] = [
    AccessLevel::List,
    AccessLevel::Read,
    AccessLevel::Tagging,
    AccessLevel::Write,
    AccessLevel::PermissionsManagement,
];

/// Selects actions.
pub(super) struct Selection;

impl Selection {
    /// Actions that fit every list in some call.
    pub(super) fn possible(lists: &[Vec<ActionSelector>]) -> BTreeSet<String> {
        select(lists, |known, selector| match selector {
            ActionSelector::Level(level) => known.levels.contains(level),
            ActionSelector::Class(class) => known.possible.contains(*class),
            other => named(known, other),
        })
    }

    /// Whether some call needs the action on no resource of AWS's.
    pub(super) fn may_be_on_nothing(action: &str) -> bool {
        let operations = AwsActions::embedded().operations_of(action);
        let checks = operations.iter().flat_map(|(_, operation)| &operation.checks);
        let mut of_action = checks.filter(|check| check.action == action).peekable();
        of_action.peek().is_none() || of_action.any(|check| check.fallback == Fallback::AccountLevel)
    }

    /// Actions that fit every list in every call.
    pub(super) fn certain(lists: &[Vec<ActionSelector>]) -> BTreeSet<String> {
        select(lists, |known, selector| match selector {
            ActionSelector::Level(level) => known.levels.len() == 1 && known.levels.contains(level),
            ActionSelector::Class(class) => known.certain.contains(*class),
            other => named(known, other),
        })
    }
}

fn named(known: &Known, selector: &ActionSelector) -> bool {
    match selector {
        ActionSelector::Any => true,
        ActionSelector::Named(name) => known.name == name,
        ActionSelector::Service(service) => known.service == service,
        ActionSelector::Level(_) | ActionSelector::Class(_) => false,
    }
}

fn select(lists: &[Vec<ActionSelector>], fits: impl Fn(&Known, &ActionSelector) -> bool) -> BTreeSet<String> {
    let fits_all = |known: &&Known| lists.iter().all(|list| list.iter().any(|selector| fits(known, selector)));
    known().iter().filter(fits_all).map(|known| known.name.to_owned()).collect()
}
