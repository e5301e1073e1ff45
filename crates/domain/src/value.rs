//! Parameter values of a call, as AWS documents them: one model for all six wire protocols.

use bytes::Bytes;

/// The deepest nesting that any parser accepts, counting the outermost structure as 1.
///
/// Deeper input is refused before it is built, so that recursion over a [`Value`] is bounded.
pub const MAX_DEPTH: usize = 32;

/// A typed parameter value.
///
/// Member names are those of the AWS service model (as in the AWS CLI and boto3), not the names
/// on the wire.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// An explicit JSON or CBOR null.
    Null,
    /// A boolean.
    Bool(bool),
    /// A byte, short, integer or long.
    Integer(i64),
    /// A float or double; never a NaN that compares unequal to itself on the wire.
    Float(f64),
    /// An integer or decimal beyond `i64` or `f64`, as canonical decimal text.
    Decimal(String),
    /// A string.
    Text(String),
    /// A blob, decoded. A streaming payload is carried outside the parameters, see
    /// [`crate::OutgoingRequest::body`], and stands here as [`Value::Stream`].
    Blob(Bytes),
    /// The streaming payload of the call: its bytes are the body of the outgoing request.
    Stream {
        /// Length in bytes.
        length: u64,
    },
    /// A timestamp: whole seconds since the Unix epoch and nanoseconds within the second.
    Timestamp {
        /// Seconds since the Unix epoch.
        seconds: i64,
        /// Nanoseconds within the second, below 1,000,000,000.
        nanoseconds: u32,
    },
    /// A list.
    List(Vec<Value>),
    /// A structure or a map, in the order of the wire; names are unique.
    Record(Vec<(String, Value)>),
}

impl Value {
    /// The member `name` of a record.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Record(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text of a string value.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list value.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The members of a record value.
    pub fn as_record(&self) -> Option<&[(String, Value)]> {
        match self {
            Value::Record(members) => Some(members),
            _ => None,
        }
    }

    /// Every value at a dotted path; `[]` steps into each item of a list and `{}` into each value
    /// of a map, as in `Items[].Key` or `RequestItems{}[].PutRequest`.
    pub fn at_path<'a>(&'a self, path: &str) -> Vec<&'a Value> {
        let mut found = vec![self];
        for step in path_steps(path) {
            found = match step {
                PathStep::Member(name) => found.iter().filter_map(|value| value.get(name)).collect(),
                PathStep::EachItem => found.iter().filter_map(|value| value.as_list()).flatten().collect(),
                PathStep::EachEntry => {
                    found.iter().filter_map(|value| value.as_record()).flatten().map(|(_, value)| value).collect()
                }
            };
        }
        found
    }
}

/// One step of a member path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathStep<'a> {
    /// The named member of a structure or key of a map.
    Member(&'a str),
    /// `[]`: each item of a list.
    EachItem,
    /// `{}`: each value of a map.
    EachEntry,
}

/// The steps of a member path such as `Items[].Key` or `RequestItems{}[].PutRequest`.
pub fn path_steps(path: &str) -> impl Iterator<Item = PathStep<'_>> {
    path.split('.').flat_map(|segment| {
        let name_end = segment.find(['[', '{']).unwrap_or(segment.len());
        let (name, suffix) = segment.split_at(name_end);
        let member = (!name.is_empty()).then_some(PathStep::Member(name));
        let mut suffixes = Vec::new();
        let mut rest = suffix;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("[]") {
                suffixes.push(PathStep::EachItem);
                rest = after;
            } else if let Some(after) = rest.strip_prefix("{}") {
                suffixes.push(PathStep::EachEntry);
                rest = after;
            } else {
                // Not a suffix this language knows: treat the rest as a name that no member has.
                suffixes.push(PathStep::Member(rest));
                rest = "";
            }
        }
        member.into_iter().chain(suffixes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_step_into_members_lists_and_maps() {
        let steps: Vec<_> = path_steps("RequestItems{}[].PutRequest.Item").collect();
        assert_eq!(
            steps,
            [
                PathStep::Member("RequestItems"),
                PathStep::EachEntry,
                PathStep::EachItem,
                PathStep::Member("PutRequest"),
                PathStep::Member("Item"),
            ]
        );
        let value = Value::Record(vec![(
            "Keys".into(),
            Value::List(vec![
                Value::Record(vec![("Name".into(), Value::Text("a".into()))]),
                Value::Record(vec![("Name".into(), Value::Text("b".into()))]),
            ]),
        )]);
        let names: Vec<_> = value.at_path("Keys[].Name").into_iter().filter_map(Value::as_text).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(value.at_path("Keys[0].Name").is_empty());
    }
}
