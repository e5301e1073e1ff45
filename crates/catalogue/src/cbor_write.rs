//! Writes CBOR by the model: definite lengths, shortest heads.

use countersign_domain::Value;

use crate::fault::{Fault, Read, deeper};
use crate::model::{Member, ServiceModel, Shape, Structure};
use crate::moment::Moment;
use crate::scalar;

/// The body for `structure`.
pub(crate) fn write_structure(service: &ServiceModel, structure: &Structure, value: &Value) -> Read<Vec<u8>> {
    let mut out = Vec::new();
    write_members(service, structure, value, deeper(0)?, &mut out)?;
    Ok(out)
}

/// Any value as CBOR, in the way of [`crate::cbor::read_document`].
pub(crate) fn write_document(value: &Value) -> Read<Vec<u8>> {
    let mut out = Vec::new();
    document(value, 0, &mut out)?;
    Ok(out)
}

fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let first = major << 5;
    let bytes = argument.to_be_bytes();
    let width = match argument {
        0..=23 => 0,
        24..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    };
    let [.., low] = bytes;
    out.push(match width {
        0 => first | low,
        1 => first | 24,
        2 => first | 25,
        4 => first | 26,
        _ => first | 27,
    });
    out.extend(bytes.iter().skip(8 - width));
}

fn text(text: &str, out: &mut Vec<u8>) {
    head(3, text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn integer(number: i64, out: &mut Vec<u8>) {
    match u64::try_from(number) {
        Ok(size) => head(0, size, out),
        Err(_) => head(1, (-1 - number).unsigned_abs(), out),
    }
}

fn double(number: f64, out: &mut Vec<u8>) {
    out.push(0xfb);
    out.extend_from_slice(&number.to_be_bytes());
}

fn write_members(
    service: &ServiceModel,
    structure: &Structure,
    value: &Value,
    depth: usize,
    out: &mut Vec<u8>,
) -> Read<()> {
    let members = value.as_record().ok_or_else(|| Fault::wrong_type("a structure"))?;
    head(5, members.len() as u64, out);
    for (name, value) in members {
        let Some(member) = structure.member(name) else { return Err(Fault::unknown_member(name)) };
        text(member.wire_name(), out);
        write_value(service, member, value, depth, out).map_err(|fault| fault.within(name))?;
    }
    Ok(())
}

fn write_value(service: &ServiceModel, member: &Member, value: &Value, depth: usize, out: &mut Vec<u8>) -> Read<()> {
    let shape = service.shape(member.shape)?;
    match (shape, value) {
        (_, Value::Null) => out.push(0xf6),
        (Shape::Structure(structure), _) => write_members(service, structure, value, deeper(depth)?, out)?,
        (Shape::List(item), Value::List(items)) => {
            let depth = deeper(depth)?;
            head(4, items.len() as u64, out);
            for (place, value) in items.iter().enumerate() {
                write_value(service, item, value, depth, out).map_err(|fault| fault.within(&format!("[{place}]")))?;
            }
        }
        (Shape::Map { value: value_member, .. }, Value::Record(entries)) => {
            let depth = deeper(depth)?;
            head(5, entries.len() as u64, out);
            for (key, value) in entries {
                text(key, out);
                write_value(service, value_member, value, depth, out).map_err(|fault| fault.within(key))?;
            }
        }
        (Shape::Document, _) => document(value, depth, out)?,
        (Shape::Text, Value::Text(string)) => text(string, out),
        (Shape::Blob, Value::Blob(bytes)) => {
            head(2, bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        }
        (Shape::Boolean, Value::Bool(truth)) => out.push(if *truth { 0xf5 } else { 0xf4 }),
        (Shape::Integer | Shape::Long, Value::Integer(number)) => integer(*number, out),
        (Shape::Float | Shape::Double, _) => float(value, out)?,
        (Shape::Timestamp, _) => timestamp(value, out)?,
        _ => return Err(Fault::wrong_type(scalar::expected(shape))),
    }
    Ok(())
}

fn float(value: &Value, out: &mut Vec<u8>) -> Read<()> {
    match value {
        Value::Integer(number) => integer(*number, out),
        Value::Float(number) => double(*number, out),
        Value::Text(special) => match special.as_str() {
            "NaN" => out.extend([0xf9, 0x7e, 0]),
            "Infinity" => out.extend([0xf9, 0x7c, 0]),
            "-Infinity" => out.extend([0xf9, 0xfc, 0]),
            _ => return Err(Fault::wrong_type("a number")),
        },
        _ => return Err(Fault::wrong_type("a number")),
    }
    Ok(())
}

fn timestamp(value: &Value, out: &mut Vec<u8>) -> Read<()> {
    let moment = Moment::of(value).ok_or_else(|| Fault::wrong_type("a timestamp"))?;
    head(6, 1, out);
    if moment.nanoseconds == 0 {
        integer(moment.seconds, out);
    } else {
        let seconds = moment.format(crate::model::TimeFormat::Unix).parse().unwrap_or(f64::NAN);
        double(seconds, out);
    }
    Ok(())
}

fn document(value: &Value, depth: usize, out: &mut Vec<u8>) -> Read<()> {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(truth) => out.push(if *truth { 0xf5 } else { 0xf4 }),
        Value::Integer(number) => integer(*number, out),
        Value::Float(number) => double(*number, out),
        Value::Text(string) => text(string, out),
        Value::Blob(bytes) => {
            head(2, bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        }
        Value::Timestamp { .. } => timestamp(value, out)?,
        Value::List(items) => {
            let depth = deeper(depth)?;
            head(4, items.len() as u64, out);
            for item in items {
                document(item, depth, out)?;
            }
        }
        Value::Record(members) => {
            let depth = deeper(depth)?;
            head(5, members.len() as u64, out);
            for (name, value) in members {
                text(name, out);
                document(value, depth, out)?;
            }
        }
        Value::Decimal(_) | Value::Stream { .. } => return Err(Fault::wrong_type("a CBOR value")),
    }
    Ok(())
}
