//! DynamoDB's PartiQL: which action on which table a statement is.
//!
//! DynamoDB takes exactly one of SELECT, INSERT, UPDATE and DELETE on one table, and in transactions
//! `EXISTS(SELECT …)`. The statement is read into tokens in full and its head by a grammar; what
//! follows must be balanced and may not open another statement. Whatever does not fit is every
//! PartiQL action on anything.

mod lexer;
mod statement;

use countersign_domain::{AccessLevel, Permission, Resource, Value};

use crate::format::Check;
use crate::permissions::ActionInfo;
use crate::scope::Scope;
use crate::template::{Place, Template};
use statement::{Statement, Table};

/// The action name that stands for what the statement decides.
pub const ACTION: &str = "@partiql";

const ALL: [&str; 4] =
    ["dynamodb:PartiQLSelect", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PartiQLDelete"];

/// The permissions of the statement at the check's first resource path.
pub(crate) fn permissions<'p>(
    check: &Check,
    scope: &Scope<'_>,
    place: &Place<'_>,
    action: &impl Fn(&str) -> Option<ActionInfo<'p>>,
) -> Vec<Permission> {
    let path = check.resources.first().map_or("Statement", String::as_str);
    let texts = scope.texts(path);
    let statements: Option<Vec<Statement>> = texts.iter().map(|text| statement::parse(text)).collect();
    match statements {
        Some(statements) if !statements.is_empty() => {
            statements.iter().map(|statement| permission(statement, place, check, action)).collect()
        }
        _ => everything(check, action),
    }
}

/// Every PartiQL action on anything.
pub(crate) fn everything<'p>(check: &Check, action: &impl Fn(&str) -> Option<ActionInfo<'p>>) -> Vec<Permission> {
    ALL.into_iter().map(|name| named(name, Resource::Unresolved, check, action)).collect()
}

fn permission<'p>(
    statement: &Statement,
    place: &Place<'_>,
    check: &Check,
    action: &impl Fn(&str) -> Option<ActionInfo<'p>>,
) -> Permission {
    let (name, table) = match statement {
        Statement::Select(table) | Statement::Exists(table) => ("dynamodb:PartiQLSelect", table),
        Statement::Insert(table) => ("dynamodb:PartiQLInsert", table),
        Statement::Update(table) => ("dynamodb:PartiQLUpdate", table),
        Statement::Delete(table) => ("dynamodb:PartiQLDelete", table),
    };
    named(name, resource(table, place), check, action)
}

fn named<'p>(
    name: &str,
    resource: Resource,
    check: &Check,
    action: &impl Fn(&str) -> Option<ActionInfo<'p>>,
) -> Permission {
    let known = action(name);
    let level = known.map_or(AccessLevel::PermissionsManagement, |info| info.level);
    let classes = known.map_or(check.classes, |info| info.classes.union(check.classes));
    Permission { action: name.to_owned(), resource, level, classes }
}

/// The table's or the index's ARN. Without quotes PartiQL folds letter case (PartiQL specification,
/// section 9.1), so an unquoted name with letters is not canonical.
fn resource(table: &Table, place: &Place<'_>) -> Resource {
    let mut members = vec![("Table".to_owned(), Value::Text(table.name.clone()))];
    let mut template = "arn:$P:dynamodb:$R:$A:table/{Table}";
    if let Some(index) = &table.index {
        members.push(("Index".to_owned(), Value::Text(index.clone())));
        template = "arn:$P:dynamodb:$R:$A:table/{Table}/index/{Index}";
    }
    let root = Value::Record(members);
    let filled = Template::parse(template).map(|template| template.fill(&Scope::whole(&root), place));
    match filled.and_then(|resources| resources.into_iter().next()) {
        Some(Resource::Exact(arn)) if !table.quoted => Resource::NonCanonical(arn),
        Some(resource) => resource,
        None => Resource::Unresolved,
    }
}
