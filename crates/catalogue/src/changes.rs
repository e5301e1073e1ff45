//! What differs between two catalogues, for those who review a new one.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::catalogue::Catalogue;
use crate::model::{Member, Operation, ServiceModel, Shape, ShapeId};

/// A difference of one operation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The operation is new.
    New(String),
    /// The operation is gone.
    Gone(String),
    /// Its wire form, its input, its output or its host is another.
    Changed(String),
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::New(name) => write!(out, "new {name}"),
            Change::Gone(name) => write!(out, "gone {name}"),
            Change::Changed(name) => write!(out, "changed {name}"),
        }
    }
}

/// The differences, sorted. Names are `service:Operation`.
pub fn between(old: &Catalogue, new: &Catalogue) -> Vec<Change> {
    let (old, new) = (fingerprints(old), fingerprints(new));
    let gone = old.keys().filter(|name| !new.contains_key(*name)).map(|name| Change::Gone(name.clone()));
    let other = new.iter().filter_map(|(name, fingerprint)| match old.get(name) {
        None => Some(Change::New(name.clone())),
        Some(before) => (before != fingerprint).then(|| Change::Changed(name.clone())),
    });
    let mut changes: Vec<Change> = gone.chain(other).collect();
    changes.sort();
    changes
}

fn fingerprints(catalogue: &Catalogue) -> BTreeMap<String, [u8; 32]> {
    let mut all = BTreeMap::new();
    for service in catalogue.services().iter().filter_map(|entry| catalogue.service(entry.id)) {
        let model = service.model();
        for operation in &model.operations {
            all.insert(format!("{}:{}", model.id, operation.name), fingerprint(model, operation));
        }
    }
    all
}

/// A hash of all that is known of the operation, whatever the numbers of its shapes.
fn fingerprint(model: &ServiceModel, operation: &Operation) -> [u8; 32] {
    let plain = Operation { input: None, output: None, endpoint: 0, input_namespace: None, ..operation.clone() };
    let namespace = operation.input_namespace.and_then(|place| model.namespaces.get(place));
    let endpoint = model.endpoints.get(operation.endpoint);
    let service = (&model.protocols, model.target_prefix, model.json_version, model.api_version, model.signing_name);
    let mut text = format!("{service:?}{plain:?}{namespace:?}{endpoint:?}");
    for side in [operation.input, operation.output] {
        text.push('|');
        if let Some(shape) = side {
            describe(model, shape, &mut Vec::new(), &mut text);
        }
    }
    Sha256::digest(text).into()
}

/// Appends the shape; one that is met again is named by when it was met first.
fn describe(model: &ServiceModel, id: ShapeId, met: &mut Vec<ShapeId>, text: &mut String) {
    if let Some(place) = met.iter().position(|known| *known == id) {
        text.push_str(&format!("#{place}"));
        return;
    }
    met.push(id);
    match model.shapes.get(id) {
        Some(Shape::Structure(structure)) => {
            text.push_str(&format!("{{{:?}{}{}", structure.payload, structure.event_stream, structure.union));
            for member in &structure.members {
                describe_member(model, member, met, text);
            }
            text.push('}');
        }
        Some(Shape::List(item)) => describe_member(model, item, met, text),
        Some(Shape::Map { key, value }) => {
            describe_member(model, key, met, text);
            describe_member(model, value, met, text);
        }
        scalar => text.push_str(&format!("{scalar:?}")),
    }
}

fn describe_member(model: &ServiceModel, member: &Member, met: &mut Vec<ShapeId>, text: &mut String) {
    let namespace = member.namespace.and_then(|place| model.namespaces.get(usize::from(place)));
    let plain = Member { shape: 0, namespace: None, ..member.clone() };
    text.push_str(&format!("{plain:?}{namespace:?}"));
    describe(model, member.shape, met, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_does_not_differ_from_itself() {
        assert!(between(Catalogue::embedded(), Catalogue::embedded()).is_empty());
    }
}
