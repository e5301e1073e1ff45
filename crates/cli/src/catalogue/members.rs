//! Members of inputs and outputs, with their types.

use countersign_catalogue::model::{Location, Member, MemberTraits, ServiceModel, Shape, ShapeId};
use serde_json::{Value as Json, json};

/// Deeper members are left to `--json` of the structure itself: AWS's deepest structures have a dozen levels.
const DEEPEST: usize = 4;

/// A member as it is shown.
#[derive(Debug)]
pub(super) struct Row {
    /// By documented names, as in `Items[].Key`.
    pub(super) path: String,
    kind: &'static str,
    location: &'static str,
    required: bool,
    sensitive: bool,
    token: bool,
}

impl Row {
    /// Path, type and marks.
    pub(super) fn cells(&self) -> Vec<String> {
        let marks = [
            (self.required, "required"),
            (self.sensitive, "sensitive"),
            (self.token, "idempotency token"),
            (!self.location.is_empty(), self.location),
        ];
        let marks: Vec<&str> = marks.into_iter().filter(|(is_set, _)| *is_set).map(|(_, mark)| mark).collect();
        vec![format!("  {}", self.path), self.kind.to_owned(), marks.join(", ")]
    }

    /// The same as JSON.
    pub(super) fn to_json(&self) -> Json {
        json!({
            "path": self.path,
            "type": self.kind,
            "in": if self.location.is_empty() { "body" } else { self.location },
            "required": self.required,
            "sensitive": self.sensitive,
            "idempotency_token": self.token,
        })
    }
}

/// The members below `shape`, each before its own.
pub(super) fn rows(model: &ServiceModel, shape: Option<ShapeId>) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(shape) = shape {
        below(model, shape, "", &mut Vec::new(), &mut rows);
    }
    rows
}

fn below(model: &ServiceModel, id: ShapeId, path: &str, within: &mut Vec<ShapeId>, rows: &mut Vec<Row>) {
    // A shape that contains itself is named once.
    if within.contains(&id) || within.len() > DEEPEST * 2 {
        return;
    }
    within.push(id);
    match model.shapes.get(id) {
        Some(Shape::Structure(structure)) if path.matches('.').count() < DEEPEST => {
            for member in &structure.members {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{}", member.name);
                rows.push(row(model, member, path.clone()));
                below(model, member.shape, &path, within, rows);
            }
        }
        Some(Shape::List(item)) => below(model, item.shape, &format!("{path}[]"), within, rows),
        Some(Shape::Map { value, .. }) => below(model, value.shape, &format!("{path}{{}}"), within, rows),
        _ => {}
    }
    within.pop();
}

fn row(model: &ServiceModel, member: &Member, path: String) -> Row {
    Row {
        path,
        kind: kind(model, member.shape),
        location: match member.location {
            Location::Body => "",
            Location::Label => "path",
            Location::Query => "query",
            Location::Header | Location::Headers => "header",
            Location::Status => "status",
        },
        required: member.traits.has(MemberTraits::REQUIRED),
        sensitive: member.traits.has(MemberTraits::SENSITIVE),
        token: member.traits.has(MemberTraits::IDEMPOTENCY_TOKEN),
    }
}

fn kind(model: &ServiceModel, id: ShapeId) -> &'static str {
    match model.shapes.get(id) {
        Some(Shape::Structure(structure)) if structure.union => "union",
        Some(Shape::Structure(structure)) if structure.event_stream => "event stream",
        Some(Shape::Structure(_)) => "structure",
        Some(Shape::List(_)) => "list",
        Some(Shape::Map { .. }) => "map",
        Some(Shape::Text) => "string",
        Some(Shape::Blob) => "blob",
        Some(Shape::Boolean) => "boolean",
        Some(Shape::Integer) => "integer",
        Some(Shape::Long) => "long",
        Some(Shape::Float) => "float",
        Some(Shape::Double) => "double",
        Some(Shape::Timestamp) => "timestamp",
        Some(Shape::Document) => "document",
        None => "unknown",
    }
}
