//! Writes JSON by the model: names of the wire, no white space.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_domain::Value;

use crate::fault::{Fault, Read, deeper};
use crate::model::{Location, Member, ServiceModel, Shape, Structure, TimeFormat};
use crate::moment::Moment;
use crate::scalar;

/// The body for `structure`: the members of `value` that go into the body.
pub(crate) fn write_structure(service: &ServiceModel, structure: &Structure, value: &Value) -> Read<Vec<u8>> {
    let mut out = String::new();
    write_members(service, structure, value, deeper(0)?, &mut out)?;
    Ok(out.into_bytes())
}

/// Any value as JSON, in the way of [`crate::json::read_document`].
pub(crate) fn write_document(value: &Value) -> Read<String> {
    let mut out = String::new();
    document(value, 0, &mut out)?;
    Ok(out)
}

/// Writes `items` between `open` and `close`, with commas.
fn series<T>(
    (open, close): (char, char),
    items: impl IntoIterator<Item = T>,
    out: &mut String,
    mut one: impl FnMut(T, &mut String) -> Read<()>,
) -> Read<()> {
    out.push(open);
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        one(item, out)?;
    }
    out.push(close);
    Ok(())
}

fn write_members(
    service: &ServiceModel,
    structure: &Structure,
    value: &Value,
    depth: usize,
    out: &mut String,
) -> Read<()> {
    let members = value.as_record().ok_or_else(|| Fault::wrong_type("a structure"))?;
    let mut in_body = Vec::with_capacity(members.len());
    for (name, value) in members {
        let Some(member) = structure.member(name) else { return Err(Fault::unknown_member(name)) };
        if member.location == Location::Body {
            in_body.push((member, value));
        }
    }
    series(('{', '}'), in_body, out, |(member, value), out| {
        string(member.wire_name(), out);
        out.push(':');
        write_value(service, member, value, depth, out).map_err(|fault| fault.within(member.name))
    })
}

fn write_value(service: &ServiceModel, member: &Member, value: &Value, depth: usize, out: &mut String) -> Read<()> {
    let shape = service.shape(member.shape)?;
    match (shape, value) {
        (_, Value::Null) => out.push_str("null"),
        (Shape::Structure(structure), _) => write_members(service, structure, value, deeper(depth)?, out)?,
        (Shape::List(item), Value::List(items)) => {
            let depth = deeper(depth)?;
            series(('[', ']'), items.iter().enumerate(), out, |(place, value), out| {
                write_value(service, item, value, depth, out).map_err(|fault| fault.within(&format!("[{place}]")))
            })?;
        }
        (Shape::Map { value: value_member, .. }, Value::Record(entries)) => {
            let depth = deeper(depth)?;
            series(('{', '}'), entries, out, |(key, value), out| {
                string(key, out);
                out.push(':');
                write_value(service, value_member, value, depth, out).map_err(|fault| fault.within(key))
            })?;
        }
        (Shape::Document, _) => document(value, depth, out)?,
        (Shape::Text, Value::Text(text)) => string(text, out),
        (Shape::Blob, Value::Blob(bytes)) => string(&STANDARD.encode(bytes), out),
        (Shape::Float | Shape::Double, Value::Text(_)) => string(&scalar::float_text(value)?, out),
        (Shape::Timestamp, _) => timestamp(member.time, value, out)?,
        _ => out.push_str(&scalar::to_text(shape, TimeFormat::Unix, value)?),
    }
    Ok(())
}

fn timestamp(format: TimeFormat, value: &Value, out: &mut String) -> Read<()> {
    let moment = Moment::of(value).ok_or_else(|| Fault::wrong_type("a timestamp"))?;
    match format {
        TimeFormat::Default | TimeFormat::Unix => out.push_str(&moment.format(TimeFormat::Unix)),
        TimeFormat::Iso8601 | TimeFormat::Rfc822 => string(&moment.format(format), out),
    }
    Ok(())
}

fn document(value: &Value, depth: usize, out: &mut String) -> Read<()> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Integer(number) => out.push_str(&number.to_string()),
        Value::Float(number) if number.is_finite() => out.push_str(&format!("{number:?}")),
        Value::Decimal(text) => out.push_str(text),
        Value::Text(text) => string(text, out),
        Value::List(items) => {
            let depth = deeper(depth)?;
            series(('[', ']'), items, out, |item, out| document(item, depth, out))?;
        }
        Value::Record(members) => {
            let depth = deeper(depth)?;
            series(('{', '}'), members, out, |(name, value), out| {
                string(name, out);
                out.push(':');
                document(value, depth, out)
            })?;
        }
        Value::Float(_) | Value::Blob(_) | Value::Stream { .. } | Value::Timestamp { .. } => {
            return Err(Fault::wrong_type("a JSON value"));
        }
    }
    Ok(())
}

/// A JSON string; everything but ASCII is escaped, as botocore does.
pub(crate) fn string(text: &str, out: &mut String) {
    let is_plain = |character: char| matches!(character, ' '..='~') && !matches!(character, '"' | '\\');
    out.push('"');
    let mut rest = text;
    // What needs no escape is copied as a whole: most text has nothing else.
    while let Some((plain, special)) =
        rest.find(|character| !is_plain(character)).and_then(|at| rest.split_at_checked(at))
    {
        out.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            other => {
                let mut units = [0_u16; 2];
                for unit in other.into_iter().flat_map(|other| other.encode_utf16(&mut units).to_vec()) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}
