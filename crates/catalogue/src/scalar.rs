//! Values without parts, as text or number on the wire, and the entries of maps.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use countersign_domain::Value;

use crate::fault::{Fault, Read};
use crate::model::{Shape, TimeFormat};
use crate::moment::Moment;

/// A blob in standard base64 with padding.
pub(crate) fn blob(text: &str) -> Read<Value> {
    let decoded = STANDARD.decode(text).map_err(|_| Fault::wrong_type("a blob in base64"))?;
    Ok(Value::Blob(Bytes::from(decoded)))
}

/// A whole number, which fits 32 bits where `small`.
pub(crate) fn integer(text: &str, small: bool) -> Read<Value> {
    let expected = if small { "an integer" } else { "a long" };
    let canonical = text.strip_prefix('-').unwrap_or(text);
    let is_canonical = !canonical.starts_with('+') && (canonical == "0" || !canonical.starts_with('0')) && text != "-0";
    match text.parse::<i64>() {
        Ok(number) if is_canonical && (!small || i32::try_from(number).is_ok()) => Ok(Value::Integer(number)),
        _ => Err(Fault::wrong_type(expected)),
    }
}

/// A float, written as a number.
pub(crate) fn float(text: &str) -> Read<Value> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match text.parse::<f64>() {
        Ok(number) if is_number && number.is_finite() => Ok(Value::Float(number)),
        _ => Err(Fault::wrong_type("a number")),
    }
}

/// What JSON and text say for floats that are no numbers; they stay text in the value model.
pub(crate) fn special_float(text: &str) -> Read<Value> {
    match text {
        "NaN" | "Infinity" | "-Infinity" => Ok(Value::Text(text.to_owned())),
        _ => Err(Fault::wrong_type("a number, `NaN`, `Infinity` or `-Infinity`")),
    }
}

/// The number of a JSON document: whole if it is written so and fits, a float if it is the
/// same number, else its text.
pub(crate) fn any_number(text: &str) -> Value {
    if let Ok(number) = text.parse::<i64>() {
        return Value::Integer(number);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && text.contains(['.', 'e', 'E']) => Value::Float(number),
        _ => Value::Decimal(text.to_owned()),
    }
}

/// A value that is plain text on the wire: in labels, query, headers, forms and XML.
pub(crate) fn from_text(shape: &Shape, format: TimeFormat, text: &str) -> Read<Value> {
    match shape {
        Shape::Text => Ok(Value::Text(text.to_owned())),
        Shape::Blob => blob(text),
        Shape::Boolean => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(Fault::wrong_type("`true` or `false`")),
        },
        Shape::Integer => integer(text, true),
        Shape::Long => integer(text, false),
        Shape::Float | Shape::Double => special_float(text).or_else(|_| float(text)),
        Shape::Timestamp => {
            let moment = Moment::parse(text, format).or_else(|| moment_in_any_format(text));
            moment.map(Moment::value).ok_or_else(|| Fault::wrong_type("a timestamp"))
        }
        Shape::Structure(_) | Shape::List(_) | Shape::Map { .. } | Shape::Document => {
            Err(Fault::wrong_type("not plain text"))
        }
    }
}

/// A timestamp in whichever of the three formats it is.
pub(crate) fn moment_in_any_format(text: &str) -> Option<Moment> {
    Moment::parse(text, other_format(text))
}

/// The three formats cannot be mistaken for one another, and AWS reads any of them; what is sent
/// on is in the format of the model.
fn other_format(text: &str) -> TimeFormat {
    if text.ends_with("GMT") {
        TimeFormat::Rfc822
    } else if text.contains('T') {
        TimeFormat::Iso8601
    } else {
        TimeFormat::Unix
    }
}

/// The text of a value without parts, for a place where the wire has plain text.
pub(crate) fn to_text(shape: &Shape, format: TimeFormat, value: &Value) -> Read<String> {
    let text = match (shape, value) {
        (Shape::Text, Value::Text(text)) => text.clone(),
        (Shape::Blob, Value::Blob(bytes)) => STANDARD.encode(bytes),
        (Shape::Boolean, Value::Bool(truth)) => truth.to_string(),
        (Shape::Integer | Shape::Long, Value::Integer(number)) => number.to_string(),
        (Shape::Float | Shape::Double, _) => float_text(value)?,
        (Shape::Timestamp, _) => {
            Moment::of(value).map(|moment| moment.format(format)).ok_or_else(|| Fault::wrong_type("a timestamp"))?
        }
        (shape, _) => return Err(Fault::wrong_type(expected(shape))),
    };
    Ok(text)
}

/// The text of a float; whole numbers are floats too.
pub(crate) fn float_text(value: &Value) -> Read<String> {
    match value {
        Value::Float(number) if number.is_finite() => Ok(format!("{number:?}")),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Text(text) => special_float(text).map(|_| text.clone()),
        _ => Err(Fault::wrong_type("a number")),
    }
}

/// What a shape wants, for messages.
pub(crate) fn expected(shape: &Shape) -> &'static str {
    match shape {
        Shape::Structure(_) => "a structure",
        Shape::List(_) => "a list",
        Shape::Map { .. } => "a map",
        Shape::Text => "a string",
        Shape::Blob => "a blob",
        Shape::Boolean => "a boolean",
        Shape::Integer => "an integer",
        Shape::Long => "a long",
        Shape::Float | Shape::Double => "a number",
        Shape::Timestamp => "a timestamp",
        Shape::Document => "a JSON value",
    }
}

/// The entries of a map under way; a key may come once only.
pub(crate) struct Entries {
    entries: Vec<(String, Value)>,
    /// Filled when a map is too large to be searched.
    keys: HashSet<String>,
    place: &'static str,
}

impl Entries {
    /// Searching this many keys costs less than hashing them.
    const FEW: usize = 16;

    pub(crate) fn new(place: &'static str) -> Self {
        Self { entries: Vec::new(), keys: HashSet::new(), place }
    }

    pub(crate) fn add(&mut self, key: String, value: Value) -> Read<()> {
        if self.entries.len() == Self::FEW {
            self.keys = self.entries.iter().map(|(key, _)| key.clone()).collect();
        }
        let is_new = if self.entries.len() < Self::FEW {
            self.entries.iter().all(|(known, _)| *known != key)
        } else {
            self.keys.insert(key.clone())
        };
        if !is_new {
            return Err(Fault::duplicate_key(&key, self.place));
        }
        self.entries.push((key, value));
        Ok(())
    }

    pub(crate) fn record(self) -> Value {
        Value::Record(self.entries)
    }
}
