//! Values as the oracle writes them, and how two of them differ.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use countersign_domain::Value;
use serde_json::Value as Json;

/// The value with records in the order of their names and, where `prune`, without empty collections.
pub(crate) fn normal(value: &Value, prune: bool) -> Value {
    match value {
        Value::List(items) => Value::List(items.iter().map(|item| normal(item, prune)).collect()),
        Value::Record(members) => {
            let mut members: Vec<_> =
                members.iter().map(|(name, value)| (name.clone(), normal(value, prune))).collect();
            members.retain(|(_, value)| !(prune && is_empty(value)));
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Record(members)
        }
        Value::Integer(number) => Value::Integer(*number),
        other => other.clone(),
    }
}

/// Whether a form has nothing to say of the value.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::List(items) => items.iter().all(is_empty),
        Value::Record(members) => members.is_empty(),
        _ => false,
    }
}

/// Where two values differ first.
pub(crate) fn first_difference(given: &Value, read: &Value) -> String {
    let shown = |value: Option<&Value>| format!("{value:?}").chars().take(160).collect::<String>();
    match (given, read) {
        (Value::Record(one), Value::Record(other)) => {
            let names = one.iter().chain(other).map(|(name, _)| name);
            for name in names {
                let (left, right) = (given.get(name), read.get(name));
                match (left, right) {
                    (Some(left), Some(right)) if left != right => {
                        return format!("{name}.{}", first_difference(left, right));
                    }
                    (Some(_), Some(_)) => {}
                    _ => return format!("{name}: given {}, read {}", shown(left), shown(right)),
                }
            }
            "order".to_owned()
        }
        (Value::List(one), Value::List(other)) => {
            let pair = one.iter().zip(other).find(|(left, right)| left != right);
            pair.map_or_else(|| "length".to_owned(), |(left, right)| format!("[]{}", first_difference(left, right)))
        }
        _ => format!("given {}, read {}", shown(Some(given)), shown(Some(read))),
    }
}

/// A value in the oracle's tagged form.
pub(crate) fn value(tagged: &Json) -> Option<Value> {
    let content = tagged.get(1);
    Some(match tagged.get(0)?.as_str()? {
        "n" => Value::Null,
        "b" => Value::Bool(content?.as_bool()?),
        "i" => Value::Integer(content?.as_i64()?),
        "f" => Value::Float(content?.as_f64()?),
        "t" => Value::Text(content?.as_str()?.to_owned()),
        "blob" => Value::Blob(Bytes::from(STANDARD.decode(content?.as_str()?).ok()?)),
        "stream" => Value::Stream { length: content?.as_u64()? },
        "ts" => {
            Value::Timestamp { seconds: content?.as_i64()?, nanoseconds: u32::try_from(tagged.get(2)?.as_u64()?).ok()? }
        }
        "l" => Value::List(content?.as_array()?.iter().map(value).collect::<Option<_>>()?),
        "r" => {
            let entry = |pair: &Json| Some((pair.get(0)?.as_str()?.to_owned(), value(pair.get(1)?)?));
            Value::Record(content?.as_array()?.iter().map(entry).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}
