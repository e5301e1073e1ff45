//! What a build says: the changes since the last blob, and the coverage table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use countersign_domain::{Class, Classes};
use countersign_permissions::format::{Fallback, OperationRow};

use crate::{Built, Derived, Earlier};

type Rows = BTreeMap<String, Vec<OperationRow>>;

/// New, gone and changed operations, and those that lost their resources, as lines of text.
pub fn changes(before: Option<&Earlier>, built: &Built) -> String {
    let Some(before) = before else { return "no earlier data to compare with\n".to_owned() };
    let by_name = |rows: &Rows| -> BTreeMap<String, OperationRow> {
        rows.iter()
            .flat_map(|(service, rows)| rows.iter().map(move |row| (format!("{service}:{}", row.name), row.clone())))
            .collect()
    };
    let after: Rows = built
        .derived
        .iter()
        .map(|(service, rows)| (service.clone(), rows.iter().map(|derived| derived.row.clone()).collect()))
        .collect();
    let made_up = &before.made_up;
    let was_mapped = |row: &OperationRow| !row.checks.iter().any(|check| made_up.contains(&check.action));
    let undocumented = |rows: &[Derived]| -> Vec<String> {
        rows.iter().filter(|derived| !derived.documented).map(|derived| derived.row.name.clone()).collect()
    };
    let unmapped: BTreeSet<String> = built
        .derived
        .iter()
        .flat_map(|(service, rows)| undocumented(rows).into_iter().map(move |name| format!("{service}:{name}")))
        .collect();
    let (before, after) = (by_name(&before.rows), by_name(&after));
    let mut out = String::new();
    let mut counts = [0_usize; 5];
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (word, place) = match (before.get(name), after.get(name)) {
            (None, Some(_)) => ("new", 0),
            (Some(_), None) => ("gone", 1),
            (Some(old), Some(_)) if unmapped.contains(name) && was_mapped(old) => ("lost its IAM action", 3),
            (Some(old), Some(new)) if is_bound(old) && !is_bound(new) => ("lost its resources", 2),
            (Some(old), Some(new)) if old != new => ("changed", 4),
            _ => continue,
        };
        if let Some(count) = counts.get_mut(place) {
            *count += 1;
        }
        // Writing to a text does not fail.
        let _ = writeln!(out, "{word}: {name}");
    }
    let [new, gone, lost, unmapped, changed] = counts;
    let _ = writeln!(
        out,
        "{new} new, {gone} gone, {lost} lost their resources, {unmapped} lost their IAM action, {changed} changed"
    );
    out
}

/// Whether some check of the operation can name a resource.
fn is_bound(row: &OperationRow) -> bool {
    row.checks.iter().any(|check| !check.resources.is_empty())
}

fn classes(row: &OperationRow) -> Classes {
    let checks = row.checks.iter().map(|check| check.classes);
    let conditional = row.classes.iter().map(|(_, classes)| *classes);
    checks.chain(conditional).fold(Classes::NONE, Classes::union)
}

/// The coverage document.
pub fn coverage(built: &Built) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "# Coverage of the permission data\n\n\
         Generated from {} by `countersign-permissions-builder`; do not edit.\n\n\
         Per service: operations; with a documented IAM action; whose resource the request can tell (bound); whose\n\
         action has no resource type, so that there is nothing to bind; of these, whose action counts as on the account\n\
         (see the README of `countersign-permissions`) and not as on any resource; falling to `*` although the action has\n\
         resource types; and how many carry each class.\n\n\
         | service | operations | action | bound | no resource type | account | falls to `*` | secret-returning | delegating | destructive | credential-returning |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
        built.version
    );
    let mut total = [0_usize; 10];
    for (service, rows) in &built.derived {
        let counts = counts(rows);
        for (sum, count) in total.iter_mut().zip(counts) {
            *sum += count;
        }
        let _ = writeln!(out, "| {service} | {} |", counts.map(|count| count.to_string()).join(" | "));
    }
    let _ = writeln!(out, "| **all** | {} |", total.map(|count| count.to_string()).join(" | "));
    let _ = writeln!(
        out,
        "\n## Operations that fall to `*`\n\nTheir action has resource types, and none can be told from the request.\n"
    );
    for (service, rows) in &built.derived {
        list(&mut out, service, rows.iter().filter(|row| falls(row)));
    }
    let _ = writeln!(
        out,
        "\n## Operations without a documented action\n\nTheir action is a name made up, at the strictest level.\n"
    );
    for (service, rows) in &built.derived {
        list(&mut out, service, rows.iter().filter(|row| !row.documented));
    }
    left_out(&mut out, built);
    out
}

fn counts(rows: &[Derived]) -> [usize; 10] {
    let count = |holds: &dyn Fn(&Derived) -> bool| rows.iter().filter(|row| holds(row)).count();
    let with = |class: Class| count(&|row| classes(&row.row).contains(class));
    [
        rows.len(),
        count(&|row| row.documented),
        count(&|row| is_bound(&row.row)),
        count(&|row| !is_bound(&row.row) && !falls(row)),
        count(&|row| row.row.checks.iter().any(|check| check.fallback == Fallback::AccountLevel)),
        count(&|row| falls(row)),
        with(Class::SecretReturning),
        with(Class::Delegating),
        with(Class::Destructive),
        with(Class::CredentialReturning),
    ]
}

fn falls(derived: &Derived) -> bool {
    !is_bound(&derived.row) && derived.has_types
}

fn list<'r>(out: &mut String, service: &str, rows: impl Iterator<Item = &'r Derived>) {
    let names: Vec<_> = rows.map(|row| row.row.name.as_str()).collect();
    if !names.is_empty() {
        let _ = writeln!(out, "* **{service}** ({}): {}", names.len(), names.join(", "));
    }
}

fn left_out(out: &mut String, built: &Built) {
    let _ = writeln!(
        out,
        "\n## Authorised actions that are left out\n\n\
         The service reference lists them for the operation without saying when. They neither change permissions nor\n\
         pass anything on; AWS checks them where it acts on the caller's behalf.\n"
    );
    let mut by_action: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (service, rows) in &built.derived {
        for row in rows {
            for action in &row.left_out {
                by_action.entry(action).or_default().insert(format!("{service}:{}", row.row.name));
            }
        }
    }
    for (action, operations) in by_action {
        let shown: Vec<_> = operations.iter().take(6).cloned().collect();
        let more = operations.len().saturating_sub(shown.len());
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let _ = writeln!(out, "* `{action}`: {}{more}", shown.join(", "));
    }
}
