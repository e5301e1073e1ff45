//! What a build says: the changes since the last blob, and the coverage table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use countersign_domain::{AccessLevel, Class, Classes};
use countersign_permissions::format::{Fallback, OperationRow};

use crate::{Built, Derived, Earlier, Told};

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
         What requests tell of an operation's resource: *exactly*, its ARN; *in part*, a name that alone is not its ARN;\n\
         `*`, nothing. *None*: the action has no resource type. Only what is told exactly meets a permit for particular\n\
         resources; everything else counts as possibly any, so that each forbid that could match does. *Account*: the\n\
         action counts as on the account (see the README of `countersign-permissions`).\n",
        built.version
    );
    totals(&mut out, built);
    table(
        &mut out,
        built,
        "Actions and resources",
        ["operations", "action", "exactly", "in part", "`*`", "none", "account"],
        resources,
    );
    table(
        &mut out,
        built,
        "Access levels and classes",
        [
            "list",
            "read",
            "tagging",
            "write",
            "permissions management",
            "secret-returning",
            "delegating",
            "destructive",
            "credential-returning",
        ],
        levels_and_classes,
    );
    falling(&mut out, built);
    let _ = writeln!(
        out,
        "\n## Operations without a documented action\n\nTheir action is a name made up, at the strictest level.\n"
    );
    for (service, rows) in &built.derived {
        let names: Vec<_> = rows.iter().filter(|row| !row.documented).map(|row| row.row.name.as_str()).collect();
        if !names.is_empty() {
            let _ = writeln!(out, "* **{service}** ({}): {}", names.len(), names.join(", "));
        }
    }
    left_out(&mut out, built);
    out
}

fn totals(out: &mut String, built: &Built) {
    let rows: Vec<Derived> = built.derived.values().flatten().cloned().collect();
    let [operations, action, exactly, in_part, not, none, account] = resources(&rows);
    let [list, read, tagging, write, management, secret, delegating, destructive, credential] =
        levels_and_classes(&rows);
    let _ = writeln!(
        out,
        "| of all operations | {operations} |\n|---|--:|\n\
         | with a documented action | {action} |\n\
         | resource told exactly | {exactly} |\n| told in part | {in_part} |\n| not told: `*` | {not} |\n\
         | no resource type | {none} |\n| of these on the account | {account} |\n\
         | level list | {list} |\n| level read | {read} |\n| level tagging | {tagging} |\n| level write | {write} |\n\
         | level permissions management | {management} |\n\
         | class secret-returning | {secret} |\n| class delegating | {delegating} |\n\
         | class destructive | {destructive} |\n| class credential-returning | {credential} |"
    );
}

fn table<const COLUMNS: usize>(
    out: &mut String,
    built: &Built,
    title: &str,
    columns: [&str; COLUMNS],
    counts: fn(&[Derived]) -> [usize; COLUMNS],
) {
    let _ = writeln!(out, "\n## {title}\n\n| service | {} |", columns.join(" | "));
    let _ = writeln!(out, "|---|{}", "--:|".repeat(COLUMNS));
    for (service, rows) in &built.derived {
        let _ = writeln!(out, "| {service} | {} |", counts(rows).map(|count| count.to_string()).join(" | "));
    }
}

fn resources(rows: &[Derived]) -> [usize; 7] {
    let count = |holds: &dyn Fn(&Derived) -> bool| rows.iter().filter(|row| holds(row)).count();
    [
        rows.len(),
        count(&|row| row.documented),
        count(&|row| row.told == Told::Exactly),
        count(&|row| row.told == Told::InPart),
        count(&|row| matches!(row.told, Told::No(_))),
        count(&|row| row.told == Told::NothingToTell),
        count(&|row| row.row.checks.iter().any(|check| check.fallback == Fallback::AccountLevel)),
    ]
}

fn levels_and_classes(rows: &[Derived]) -> [usize; 9] {
    let of = |level: AccessLevel| rows.iter().filter(|row| row.level == level).count();
    let with = |class: Class| rows.iter().filter(|row| classes(&row.row).contains(class)).count();
    [
        of(AccessLevel::List),
        of(AccessLevel::Read),
        of(AccessLevel::Tagging),
        of(AccessLevel::Write),
        of(AccessLevel::PermissionsManagement),
        with(Class::SecretReturning),
        with(Class::Delegating),
        with(Class::Destructive),
        with(Class::CredentialReturning),
    ]
}

/// The operations whose resource is not told, by service and reason.
fn falling(out: &mut String, built: &Built) {
    let mut by_reason: BTreeMap<&str, usize> = BTreeMap::new();
    let mut by_service: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for (service, rows) in &built.derived {
        for row in rows {
            let reason = match &row.told {
                Told::No(reason) => reason.as_str(),
                Told::InPart => "told in part: what names it is not what the ARN consists of",
                Told::Exactly | Told::NothingToTell => continue,
            };
            *by_reason.entry(reason.split_once(": ").map_or(reason, |(kind, _)| kind)).or_default() += 1;
            by_service.entry(service).or_default().entry(reason).or_default().push(&row.row.name);
        }
    }
    let _ = writeln!(out, "\n## Operations whose resource is not told exactly\n\n| why | operations |\n|---|--:|");
    for (reason, count) in by_reason {
        let _ = writeln!(out, "| {reason} | {count} |");
    }
    let _ = writeln!(out, "\n| service | why | operations |\n|---|---|---|");
    for (service, reasons) in by_service {
        for (reason, names) in reasons {
            let _ = writeln!(out, "| {service} | {reason} ({}) | {} |", names.len(), names.join(", "));
        }
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
