//! Reads CBOR (RFC 8949) by the model, as Smithy RPC v2 uses it.

use bytes::Bytes;
use countersign_domain::Value;

use crate::fault::{Fault, FaultKind, Read, ValueCount, deeper};
use crate::model::{Member, ServiceModel, Shape, Structure, TimeFormat};
use crate::moment::Moment;
use crate::scalar;

/// Reads a body whose outermost value is the structure `structure`.
pub(crate) fn read_structure(service: &ServiceModel, structure: &Structure, body: &Bytes) -> Read<Value> {
    let mut reader = CborReader { body, at: 0, values: ValueCount::default() };
    let value = reader.structure(service, structure, deeper(0)?)?;
    reader.end()?;
    Ok(value)
}

/// Reads any CBOR that has a counterpart in the value model.
pub(crate) fn read_document(body: &Bytes) -> Read<Value> {
    let mut reader = CborReader { body, at: 0, values: ValueCount::default() };
    let value = reader.document(0)?;
    reader.end()?;
    Ok(value)
}

struct CborReader<'a> {
    body: &'a Bytes,
    at: usize,
    values: ValueCount,
}

/// The first part of a data item.
#[derive(Clone, Copy)]
struct Head {
    major: u8,
    info: u8,
    /// The argument; `None` for an indefinite length.
    argument: Option<u64>,
}

const BREAK: u8 = 0xff;
const NULL: u8 = 0xf6;

impl CborReader<'_> {
    fn malformed(&self, problem: &'static str) -> Box<Fault> {
        Fault::malformed("CBOR", problem, self.at)
    }

    fn end(&self) -> Read<()> {
        if self.at == self.body.len() { Ok(()) } else { Err(self.malformed("something follows the value")) }
    }

    fn peek(&self) -> Read<u8> {
        self.body.get(self.at).copied().ok_or_else(|| self.malformed("cut short"))
    }

    fn take(&mut self, length: u64) -> Read<Bytes> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let end = end.filter(|end| *end <= self.body.len()).ok_or_else(|| self.malformed("cut short"))?;
        let bytes = self.body.slice(self.at..end);
        self.at = end;
        Ok(bytes)
    }

    fn head(&mut self) -> Read<Head> {
        let first = self.peek()?;
        self.at += 1;
        let (major, info) = (first >> 5, first & 31);
        let argument = match info {
            0..=23 => Some(u64::from(info)),
            24..=27 => {
                let bytes = self.take(1 << (info - 24))?;
                Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
            }
            31 if (2..=5).contains(&major) => None,
            _ => return Err(self.malformed("a reserved length")),
        };
        Ok(Head { major, info, argument })
    }

    /// Whether the collection that began with `length` has another item.
    fn more(&mut self, length: Option<u64>, done: u64) -> Read<bool> {
        match length {
            Some(length) => Ok(done < length),
            None if self.peek()? == BREAK => {
                self.at += 1;
                Ok(false)
            }
            None => Ok(true),
        }
    }

    fn typed_head(&mut self, major: u8, expected: &'static str) -> Read<Head> {
        if self.peek()? >> 5 == major { self.head() } else { Err(Fault::wrong_type(expected)) }
    }

    fn members(&mut self, mut one: impl FnMut(&mut Self, String) -> Read<()>) -> Read<()> {
        let length = self.typed_head(5, "a map")?.argument;
        let mut done = 0;
        while self.more(length, done)? {
            let name = self.text("a string")?;
            one(self, name)?;
            done += 1;
        }
        Ok(())
    }

    fn structure(&mut self, service: &ServiceModel, structure: &Structure, depth: usize) -> Read<Value> {
        let mut members: Vec<(String, Value)> = Vec::new();
        self.members(|reader, name| {
            let Some(member) = structure.members.iter().find(|member| member.wire_name() == name) else {
                return Err(Fault::unknown_member(&name));
            };
            if members.iter().any(|(known, _)| known == member.name) {
                return Err(Fault::duplicate_key(&name, "the body"));
            }
            let value = reader.value(service, member, depth).map_err(|fault| fault.within(member.name))?;
            members.push((member.name.to_owned(), value));
            Ok(())
        })?;
        Fault::check_union(structure, &members)?;
        Ok(Value::Record(members))
    }

    fn value(&mut self, service: &ServiceModel, member: &Member, depth: usize) -> Read<Value> {
        self.values.add()?;
        if self.peek()? == NULL {
            self.at += 1;
            return Ok(Value::Null);
        }
        match service.shape(member.shape)? {
            Shape::Structure(structure) => self.structure(service, structure, deeper(depth)?),
            Shape::List(item) => self.list(service, item, deeper(depth)?),
            Shape::Map { value: value_member, .. } => {
                let depth = deeper(depth)?;
                let mut entries = scalar::Entries::new("the body");
                self.members(|reader, key| {
                    let value = reader.value(service, value_member, depth).map_err(|fault| fault.within(&key))?;
                    entries.add(key, value)
                })?;
                Ok(entries.record())
            }
            Shape::Document => self.document(depth),
            Shape::Text => self.text("a string").map(Value::Text),
            Shape::Blob => self.bytes(2, "a blob").map(Value::Blob),
            Shape::Boolean => match self.peek()? {
                0xf4 | 0xf5 => Ok(Value::Bool(self.head()?.info == 21)),
                _ => Err(Fault::wrong_type("a boolean")),
            },
            shape @ (Shape::Integer | Shape::Long) => {
                let number = self.whole()?;
                let too_large = *shape == Shape::Integer && i32::try_from(number).is_err();
                if too_large { Err(Fault::wrong_type("an integer")) } else { Ok(Value::Integer(number)) }
            }
            Shape::Float | Shape::Double => match self.peek()? >> 5 {
                7 => self.float(),
                _ => self.whole().map(Value::Integer),
            },
            Shape::Timestamp => self.timestamp(),
        }
    }

    fn list(&mut self, service: &ServiceModel, item: &Member, depth: usize) -> Read<Value> {
        let length = self.typed_head(4, "a list")?.argument;
        let mut items = Vec::new();
        while self.more(length, items.len() as u64)? {
            let place = items.len();
            let value = self.value(service, item, depth);
            items.push(value.map_err(|fault| fault.within(&format!("[{place}]")))?);
        }
        Ok(Value::List(items))
    }

    fn whole(&mut self) -> Read<i64> {
        if self.peek()? >> 5 > 1 {
            return Err(Fault::wrong_type("a whole number"));
        }
        let head = self.head()?;
        let size = head.argument.and_then(|argument| i64::try_from(argument).ok());
        let size = size.ok_or_else(|| Fault::wrong_type("a number of 64 bits"))?;
        Ok(if head.major == 1 { -1 - size } else { size })
    }

    fn float(&mut self) -> Read<Value> {
        let head = self.head()?;
        let wrong = || Fault::wrong_type("a number");
        let bits = head.argument.ok_or_else(wrong)?;
        let number = match head.info {
            25 => u16::try_from(bits).map(half_to_double).map_err(|_| wrong())?,
            26 => u32::try_from(bits).map(|bits| single_to_double(f32::from_bits(bits))).map_err(|_| wrong())?,
            27 => f64::from_bits(bits),
            _ => return Err(wrong()),
        };
        Ok(if number.is_nan() {
            Value::Text("NaN".to_owned())
        } else if number.is_infinite() {
            Value::Text(if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned())
        } else {
            Value::Float(number)
        })
    }

    /// Tag 1 with seconds since the epoch.
    fn timestamp(&mut self) -> Read<Value> {
        let wrong = || Fault::wrong_type("a timestamp");
        if self.typed_head(6, "a timestamp")?.argument != Some(1) {
            return Err(wrong());
        }
        let text = match self.peek()? >> 5 {
            7 => match self.float()? {
                // Doubles near today are exact to a fraction of a microsecond.
                Value::Float(seconds) => format!("{seconds:.6}"),
                _ => return Err(wrong()),
            },
            _ => self.whole()?.to_string(),
        };
        Moment::parse(&text, TimeFormat::Unix).map(Moment::value).ok_or_else(wrong)
    }

    fn text(&mut self, expected: &'static str) -> Read<String> {
        let bytes = self.bytes(3, expected)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Fault::new(FaultKind::BadText("the body")))?;
        Ok(text.to_owned())
    }

    /// Bytes or text, whole or in pieces.
    fn bytes(&mut self, major: u8, expected: &'static str) -> Read<Bytes> {
        if let Some(length) = self.typed_head(major, expected)?.argument {
            return self.take(length);
        }
        let mut all = Vec::new();
        while self.more(None, 0)? {
            let piece = self.typed_head(major, expected)?.argument;
            let length = piece.ok_or_else(|| self.malformed("a piece without a length"))?;
            all.extend_from_slice(&self.take(length)?);
        }
        Ok(Bytes::from(all))
    }

    fn document(&mut self, depth: usize) -> Read<Value> {
        self.values.add()?;
        let first = self.peek()?;
        match (first >> 5, first) {
            (0 | 1, _) => self.whole().map(Value::Integer),
            (2, _) => self.bytes(2, "a blob").map(Value::Blob),
            (3, _) => self.text("a string").map(Value::Text),
            (4, _) => {
                let depth = deeper(depth)?;
                let length = self.head()?.argument;
                let mut items = Vec::new();
                while self.more(length, items.len() as u64)? {
                    items.push(self.document(depth)?);
                }
                Ok(Value::List(items))
            }
            (5, _) => {
                let depth = deeper(depth)?;
                let mut entries = scalar::Entries::new("the body");
                self.members(|reader, key| {
                    let value = reader.document(depth)?;
                    entries.add(key, value)
                })?;
                Ok(entries.record())
            }
            (6, _) => self.timestamp(),
            (_, 0xf4 | 0xf5) => Ok(Value::Bool(self.head()?.info == 21)),
            (_, NULL) => {
                self.at += 1;
                Ok(Value::Null)
            }
            (_, 0xf9..=0xfb) => self.float(),
            _ => Err(self.malformed("not a value")),
        }
    }
}

/// A float as a double by way of its shortest text, so that 0.1 stays 0.1.
fn single_to_double(single: f32) -> f64 {
    single.to_string().parse().unwrap_or(f64::NAN)
}

/// IEEE 754 binary16 as a double.
fn half_to_double(half: u16) -> f64 {
    let sign = if half & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(half >> 10 & 0x1f);
    let mantissa = f64::from(half & 0x3ff);
    let size = match exponent {
        0 => mantissa * 2_f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + mantissa / 1024.0) * 2_f64.powi(exponent - 15),
    };
    sign * size
}
