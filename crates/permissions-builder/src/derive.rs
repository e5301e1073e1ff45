//! From an operation to its checks: reviewed rows first, then mechanical rules.

mod primary;
mod secondary;
mod told;

use countersign_domain::AccessLevel;
use countersign_permissions::PARTIQL_ACTION;
use countersign_permissions::format::{Check, Fallback, OperationRow};

use crate::binding::Binder;
use crate::botocore::{Model, Operation};
use crate::classes::Classifier;
use crate::members;
use crate::reference::Reference;
use crate::tables::{CheckLine, OperationBlock, Tables};

pub use told::Told;

/// An operation's row and what the report says of it.
#[derive(Clone, Debug)]
pub struct Derived {
    /// What the blob holds.
    pub row: OperationRow,
    /// What requests tell of its resource.
    pub told: Told,
    /// The strictest level of its own actions, without those that it needs besides.
    pub level: AccessLevel,
    /// Whether AWS documents an action for the operation.
    pub documented: bool,
    /// Actions that the service reference lists for it and no check holds.
    pub left_out: Vec<String>,
    /// What is wrong with the reviewed rows about it.
    pub wrong: Vec<String>,
}

/// Everything that deriving needs.
pub(crate) struct Deriver<'d> {
    /// Actions, types and formats.
    pub(crate) reference: &'d Reference,
    /// The reviewed tables.
    pub(crate) tables: &'d Tables,
    /// Classes by action and operation.
    pub(crate) classifier: &'d Classifier<'d>,
}

/// One operation on its way.
pub(crate) struct Case<'c> {
    pub(crate) service: &'c str,
    pub(crate) name: &'c str,
    pub(crate) prefix: String,
    pub(crate) authorized: Vec<String>,
    pub(crate) binder: Binder<'c>,
}

impl Deriver<'_> {
    /// The checks of one operation.
    pub(crate) fn derive(
        &self,
        service: &str,
        prefix: &str,
        model: &Model,
        name: &str,
        operation: &Operation,
    ) -> Derived {
        let entry = self.reference.operations.get(&(service.to_owned(), name.to_ascii_lowercase()));
        let inputs = members::inputs(model, operation);
        let case = Case {
            service,
            name,
            prefix: entry.map_or_else(|| prefix.to_owned(), |entry| entry.prefix.clone()),
            authorized: entry.map(|entry| entry.actions.clone()).unwrap_or_default(),
            binder: Binder { service, model, operation, name, inputs: &inputs, tables: self.tables },
        };
        let blocks: Vec<_> = self
            .tables
            .operations
            .iter()
            .filter(|block| block.service == service && block.operations.iter().any(|known| known == name))
            .collect();
        let mut wrong = Vec::new();
        let mut checks = self.reviewed(&case, &blocks, |block| &block.checks, &mut wrong);
        if checks.is_empty() {
            checks = self.primary(&case);
        }
        let documented = checks.iter().all(|check| check.action.starts_with('@') || self.is_known(&check.action));
        let has_types = checks.iter().any(|check| {
            let known = self.reference.actions.get(&check.action.to_ascii_lowercase());
            known.is_some_and(|known| !known.types.is_empty())
        });
        let told = told::told(&case, &blocks, &checks, has_types);
        let level = checks.iter().map(|check| check.level).max().unwrap_or(AccessLevel::PermissionsManagement);
        let also = self.reviewed(&case, &blocks, |block| &block.also, &mut wrong);
        if !blocks.iter().any(|block| block.only) {
            for check in self.secondary(&case, &checks) {
                // A reviewed role stands for one that no member names, not for those that members do name.
                let is_named_role = check.action == "iam:PassRole" && !check.when.is_empty();
                let is_reviewed = !is_named_role && also.iter().any(|reviewed| reviewed.action == check.action);
                if !is_reviewed && !checks.contains(&check) {
                    checks.push(check);
                }
            }
        }
        checks.extend(also);
        let http_method = if primary::is_by_method(&case) { operation.http.method.clone() } else { String::new() };
        let held: Vec<_> = checks.iter().map(|check| check.action.to_ascii_lowercase()).collect();
        let left_out =
            case.authorized.iter().filter(|action| !held.contains(&action.to_ascii_lowercase())).cloned().collect();
        let classes = self.classifier.conditional(service, name, &inputs);
        for check in &mut checks {
            check.classes = check.classes.union(self.classifier.of_operation(service, name, &check.action));
        }
        Derived {
            row: OperationRow { name: name.to_owned(), checks, classes, http_method },
            told,
            level,
            documented,
            left_out,
            wrong,
        }
    }

    fn is_known(&self, action: &str) -> bool {
        self.reference.actions.contains_key(&action.to_ascii_lowercase())
    }

    fn reviewed(
        &self,
        case: &Case<'_>,
        blocks: &[&OperationBlock],
        lines: fn(&OperationBlock) -> &Vec<CheckLine>,
        wrong: &mut Vec<String>,
    ) -> Vec<Check> {
        let lines = blocks.iter().flat_map(|block| lines(block));
        lines.filter_map(|line| self.check_of_line(case, line).map_err(|reason| wrong.push(reason)).ok()).collect()
    }

    /// A check from a reviewed line.
    fn check_of_line(&self, case: &Case<'_>, line: &CheckLine) -> Result<Check, String> {
        let place = format!("{} {} `{}`", case.service, case.name, line.action);
        let action = if line.action == "same" { format!("{}:{}", case.prefix, case.name) } else { line.action.clone() };
        if action != PARTIQL_ACTION && !self.is_known(&action) {
            return Err(format!("{place}: no such action"));
        }
        let exists = |each: &str, path: &str| members::exists(case.binder.model, case.binder.operation, each, path);
        if !line.each.is_empty() && !exists("", &line.each) {
            return Err(format!("{place}: no member `{}`", line.each));
        }
        for path in countersign_permissions::condition::paths(&line.when) {
            if !exists(&line.each, path) {
                return Err(format!("{place}: no member `{path}`"));
            }
        }
        let mut resources = Vec::new();
        for resource in &line.resources {
            let found = self.expressions(case, resource, &line.each);
            if found.is_empty() {
                return Err(format!("{place}: `{resource}` does not apply"));
            }
            resources.extend(found);
        }
        let fallback = match () {
            () if line.optional => Fallback::LeftOut,
            () if resources.is_empty() && !line.any => self.without_resource(case, &action),
            () => Fallback::Unresolved,
        };
        Ok(Check { when: line.when.clone(), each: line.each.clone(), resources, fallback, ..self.check(&action) })
    }

    /// What an action stands for that nothing in the request is bound to.
    ///
    /// Where neither source has a resource type for it, AWS checks it on `*` and on nothing else. What
    /// is in a class, and a change whose request could name something all the same, stays as strict
    /// as if it could be anything: `states:SendTaskSuccess` has no resource type and ends an execution.
    fn without_resource(&self, case: &Case<'_>, action: &str) -> Fallback {
        let Some(known) = self.reference.actions.get(&action.to_ascii_lowercase()) else { return Fallback::Unresolved };
        let classes =
            self.classifier.of_action(action).union(self.classifier.of_operation(case.service, case.name, action));
        let reads = self.classifier.level(action) <= AccessLevel::Read;
        let names_something =
            case.binder.inputs.iter().any(|member| member.is_free_text && member.plain != "accountid");
        if known.has_types || !classes.is_empty() || (!reads && names_something) {
            return Fallback::Unresolved;
        }
        Fallback::AccountLevel
    }

    fn expressions(&self, case: &Case<'_>, resource: &str, each: &str) -> Vec<String> {
        if resource.starts_with("arn:") || resource.starts_with('@') {
            return case.binder.applicable(resource, each).into_iter().collect();
        }
        // A path for PartiQL, or the binding of a resource type.
        match resource.split_once(':') {
            None => members::exists(case.binder.model, case.binder.operation, each, resource)
                .then(|| resource.to_owned())
                .into_iter()
                .collect(),
            Some((prefix, kind)) => {
                let formats = self.reference.formats.get(&(prefix.to_owned(), kind.to_owned()));
                let formats = formats.map(Vec::as_slice).unwrap_or_default();
                case.binder.bind(prefix, kind, formats, false).into_iter().map(|bound| bound.expression).collect()
            }
        }
    }

    /// A check of `action` with its level and classes, always, on anything.
    fn check(&self, action: &str) -> Check {
        let known = self.reference.actions.get(&action.to_ascii_lowercase());
        Check {
            action: known.map_or_else(|| action.to_owned(), |known| known.name.clone()),
            level: self.classifier.level(action),
            classes: self.classifier.of_action(action),
            when: String::new(),
            each: String::new(),
            resources: Vec::new(),
            fallback: Fallback::Unresolved,
        }
    }
}
