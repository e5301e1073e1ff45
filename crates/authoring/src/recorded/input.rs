//! Parameters from JSON that somebody else wrote: CloudTrail's names and forms, or ours with masks.
//!
//! CloudTrail writes members with a small first letter, EC2's lists as `{"instancesSet": {"items": […]}}`, S3's members
//! by other names, and hides some values. What is not understood is left out, and the call counts as read in part: a
//! resource that would have come from it is then unknown, which is the strict reading.

use countersign_catalogue::model::{Member, ServiceModel, Shape, ShapeId, Structure};
use countersign_domain::{Value, value::MAX_DEPTH};
use serde_json::Value as Json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// What CloudTrail and our own record write in place of a value.
const HIDDEN: [&str; 4] = ["HIDDEN_DUE_TO_SECURITY_REASONS", "***", "‹masked", "… ("];

/// Reads parameters along a service's model.
pub(super) struct Input<'m> {
    model: &'m ServiceModel,
    /// Whether something was left out.
    pub(super) in_part: bool,
}

impl<'m> Input<'m> {
    pub(super) fn new(model: &'m ServiceModel) -> Self {
        Self { model, in_part: false }
    }

    /// The parameters of an operation that takes the structure `input`.
    pub(super) fn parameters(&mut self, input: Option<ShapeId>, json: &Json) -> Value {
        let empty = || Value::Record(Vec::new());
        match (input, json) {
            (_, Json::Null) => empty(),
            (None, other) => {
                self.in_part |= other.as_object().is_some_and(|members| !members.is_empty());
                empty()
            }
            (Some(id), json) => self.value(id, json, MAX_DEPTH).unwrap_or_else(empty),
        }
    }

    fn lost(&mut self) -> Option<Value> {
        self.in_part = true;
        None
    }

    fn value(&mut self, id: ShapeId, json: &Json, depth: usize) -> Option<Value> {
        let Some(below) = depth.checked_sub(1) else { return self.lost() };
        if let Json::String(text) = json
            && HIDDEN.iter().any(|hidden| text.starts_with(hidden))
        {
            return self.lost();
        }
        match (self.model.shapes.get(id)?, json) {
            (_, Json::Null) => None,
            (Shape::Structure(structure), Json::Object(members)) => Some(self.structure(structure, members, below)),
            (Shape::List(item), Json::Array(items)) => Some(self.list(item, items, below)),
            (Shape::List(item), Json::Object(wrapper)) => match wrapper.get("items") {
                Some(Json::Array(items)) => Some(self.list(item, items, below)),
                _ => self.lost(),
            },
            (Shape::Map { value, .. }, Json::Object(members)) => {
                let shape = value.shape;
                let found =
                    members.iter().filter_map(|(key, json)| Some((key.clone(), self.value(shape, json, below)?)));
                Some(Value::Record(found.collect()))
            }
            (Shape::Document, json) => Some(document(json, below)),
            (shape, json) => scalar(shape, json).or_else(|| self.lost()),
        }
    }

    fn structure(&mut self, structure: &Structure, members: &serde_json::Map<String, Json>, depth: usize) -> Value {
        let mut found: Vec<(String, Value)> = Vec::new();
        for (key, json) in members {
            // S3 writes the host and subresources among the parameters; they name nothing.
            if key == "Host"
                || matches!(json, Json::Null)
                || json.as_str() == Some("")
                || *json == Json::Array(vec![Json::from("")])
            {
                continue;
            }
            let Some((member, json)) = self.member(structure, key, json) else {
                self.in_part = true;
                continue;
            };
            if let Some(value) = self.value(member.shape, &json, depth)
                && !found.iter().any(|(name, _)| name == member.name)
            {
                found.push((member.name.to_owned(), value));
            }
        }
        Value::Record(found)
    }

    fn list(&mut self, item: &Member, items: &[Json], depth: usize) -> Value {
        Value::List(items.iter().filter_map(|json| self.value(item.shape, json, depth)).collect())
    }

    /// The member that `key` stands for, and its value in the model's own form.
    fn member<'s>(&self, structure: &'s Structure, key: &str, json: &Json) -> Option<(&'s Member, Json)> {
        let wire = |member: &Member, name: &str| {
            [member.name, member.location_name, member.query_name].iter().any(|known| known.eq_ignore_ascii_case(name))
        };
        let known = |name: &str| structure.members.iter().find(|member| member.name.eq_ignore_ascii_case(name));
        let by_wire = |name: &str| structure.members.iter().find(|member| wire(member, name));
        if let Some(member) = known(key).or_else(|| by_wire(key)) {
            return Some((member, json.clone()));
        }
        if key == "bucketName" {
            return known("Bucket").map(|member| (member, json.clone()));
        }
        // EC2: `instancesSet.items[].instanceId` is the member of that name on the wire.
        let items = json.get("items")?.as_array()?;
        let singles: Option<Vec<(&String, &Json)>> = items.iter().map(single).collect();
        if let Some(singles) = singles.filter(|singles| !singles.is_empty())
            && let Some((name, _)) = singles.first()
            && let Some(member) = by_wire(name)
            && let Some(Shape::List(item)) = self.model.shapes.get(member.shape)
            && matches!(self.model.shapes.get(item.shape), Some(Shape::Text))
        {
            return Some((member, singles.iter().map(|(_, value)| (*value).clone()).collect()));
        }
        let singular = key.strip_suffix("Set")?;
        by_wire(singular).map(|member| (member, Json::Array(items.clone())))
    }
}

/// The only member of an object.
fn single(json: &Json) -> Option<(&String, &Json)> {
    let mut members = json.as_object()?.iter();
    match (members.next(), members.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

fn scalar(shape: &Shape, json: &Json) -> Option<Value> {
    let text = || match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    match shape {
        Shape::Text => text().map(Value::Text),
        Shape::Boolean => text()?.parse().ok().map(Value::Bool),
        Shape::Integer | Shape::Long => text()?.parse().ok().map(Value::Integer),
        Shape::Float | Shape::Double => text()?.parse().ok().map(Value::Float),
        Shape::Timestamp => match json {
            Json::Number(number) => number.as_i64().map(|seconds| Value::Timestamp { seconds, nanoseconds: 0 }),
            Json::String(text) => OffsetDateTime::parse(text, &Rfc3339)
                .ok()
                .map(|moment| Value::Timestamp { seconds: moment.unix_timestamp(), nanoseconds: moment.nanosecond() }),
            _ => None,
        },
        // Our own record has a stream's length.
        Shape::Blob => json.get("stream_bytes").and_then(Json::as_u64).map(|length| Value::Stream { length }),
        Shape::Structure(_) | Shape::List(_) | Shape::Map { .. } | Shape::Document => None,
    }
}

fn document(json: &Json, depth: usize) -> Value {
    let Some(below) = depth.checked_sub(1) else { return Value::Null };
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => {
            number.as_i64().map(Value::Integer).or_else(|| number.as_f64().map(Value::Float)).unwrap_or(Value::Null)
        }
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(|item| document(item, below)).collect()),
        Json::Object(members) => {
            Value::Record(members.iter().map(|(name, member)| (name.clone(), document(member, below))).collect())
        }
    }
}
