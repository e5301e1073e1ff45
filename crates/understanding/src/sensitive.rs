//! Which parameters of a call its model marks as sensitive.

use std::collections::BTreeSet;

use countersign_catalogue::{
    Catalogue,
    model::{Member, MemberTraits, ServiceModel, Shape, ShapeId},
};
use countersign_domain::{Call, Value};

/// The paths of the members that are there and marked, as in `Users[].Password` or
/// `Environment.Variables{}`. The value leads the way, so that shapes which contain themselves end.
///
/// Should the model not be found, every member counts as marked.
pub(crate) fn sensitive_paths(call: &Call) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    match Catalogue::embedded().operation(&call.service, &call.operation) {
        Some((service, operation)) => {
            if let Some(input) = operation.input {
                Walk { model: service.model(), found: &mut found }.shape(input, &call.parameters, "");
            }
        }
        None => found.extend(call.parameters.as_record().unwrap_or_default().iter().map(|(name, _)| name.clone())),
    }
    found
}

struct Walk<'a> {
    model: &'a ServiceModel,
    found: &'a mut BTreeSet<String>,
}

impl Walk<'_> {
    fn shape(&mut self, id: ShapeId, value: &Value, path: &str) {
        let model = self.model;
        match (model.shapes.get(id), value) {
            (Some(Shape::Structure(structure)), Value::Record(members)) => {
                for (name, value) in members {
                    if let Some(member) = structure.member(name) {
                        let dot = if path.is_empty() { "" } else { "." };
                        self.member(member, value, format!("{path}{dot}{name}"));
                    }
                }
            }
            (Some(Shape::List(item)), Value::List(items)) => {
                for value in items {
                    self.member(item, value, format!("{path}[]"));
                }
            }
            (Some(Shape::Map { value: member, .. }), Value::Record(entries)) => {
                for (_, value) in entries {
                    self.member(member, value, format!("{path}{{}}"));
                }
            }
            _ => {}
        }
    }

    fn member(&mut self, member: &Member, value: &Value, path: String) {
        if member.traits.has(MemberTraits::SENSITIVE) {
            self.found.insert(path);
        } else {
            self.shape(member.shape, value, &path);
        }
    }
}
