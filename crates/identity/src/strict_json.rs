//! JSON that can be read in one way only: no duplicate member names, no deep nesting.

use std::{collections::BTreeSet, fmt};

use countersign_domain::value::MAX_DEPTH;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Parses a JSON object.
///
/// # Errors
/// A fixed text: for input that is not one JSON object, that names a member twice (after
/// unescaping) or that nests deeper than [`MAX_DEPTH`]. Parsers differ in which of two equal
/// names they believe, so a signed document with both means whatever the reader wants.
pub(crate) fn object(untrusted_bytes: &[u8]) -> Result<Map<String, Value>, &'static str> {
    let value: Value = serde_json::from_slice(untrusted_bytes).map_err(|_| "it is not json")?;
    if depth_exceeds(&value, MAX_DEPTH) {
        return Err("its json is nested too deeply");
    }
    // A second pass, because a `Value` has already forgotten duplicates.
    serde_json::from_slice::<UniqueNames>(untrusted_bytes).map_err(|_| "its json names a member twice")?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err("it is not a json object"),
    }
}

fn depth_exceeds(value: &Value, remaining: usize) -> bool {
    let Some(below) = remaining.checked_sub(1) else { return matches!(value, Value::Array(_) | Value::Object(_)) };
    match value {
        Value::Array(items) => items.iter().any(|item| depth_exceeds(item, below)),
        Value::Object(members) => members.values().any(|member| depth_exceeds(member, below)),
        _ => false,
    }
}

/// Any JSON in which no object names a member twice.
struct UniqueNames;

impl<'de> Deserialize<'de> for UniqueNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueNames)
    }
}

impl<'de> Visitor<'de> for UniqueNames {
    type Value = UniqueNames;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("json without duplicate member names")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<UniqueNames>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name) {
                // The value is not read: the error ends the parse.
                return Err(serde::de::Error::custom("duplicate member"));
            }
            members.next_value::<UniqueNames>()?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_refused_at_any_depth_and_after_unescaping() {
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"b":1,"b":2}}"#,
            r#"{"x":[{"b":1},{"c":1,"c":null}]}"#,
        ] {
            assert_eq!(object(bad.as_bytes()), Err("its json names a member twice"), "{bad}");
        }
        assert!(object(br#"{"a":{"a":1},"b":[{"a":1},{"a":2.5}],"c":-1,"d":null,"e":true}"#).is_ok());
    }

    #[test]
    fn only_a_shallow_object_is_accepted() {
        for bad in ["", "[]", "1", "null", "{} {}", "{", r#"{"a":1,}"#, "\"a\""] {
            assert!(object(bad.as_bytes()).is_err(), "{bad}");
        }
        let nested = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        assert!(object(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(object(nested(MAX_DEPTH + 1).as_bytes()), Err("its json is nested too deeply"));
        assert!(object(nested(100_000).as_bytes()).is_err());
    }
}
