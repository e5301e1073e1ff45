//! Reads JSON by the model, strictly: RFC 8259, no duplicate names, no lone surrogates, bounded depth.

use countersign_domain::Value;

use crate::fault::{Fault, FaultKind, Read, ValueCount, deeper};
use crate::model::{Location, Member, MemberTraits, ServiceModel, Shape, Structure, TimeFormat};
use crate::moment::Moment;
use crate::scalar;

/// Reads a body whose outermost value is the structure `structure`.
///
/// Only members that go into the body are taken.
pub(crate) fn read_structure(service: &ServiceModel, structure: &Structure, body: &[u8]) -> Read<Value> {
    read_with(Names::Wire, service, structure, body)
}

/// Reads parameters as people and tools write them: documented names, every member in one object,
/// blobs in base64, timestamps as numbers or text in any of the three formats.
pub(crate) fn read_parameters(service: &ServiceModel, structure: &Structure, text: &[u8]) -> Read<Value> {
    read_with(Names::Documented, service, structure, text)
}

fn read_with(names: Names, service: &ServiceModel, structure: &Structure, body: &[u8]) -> Read<Value> {
    let mut reader = JsonReader::new(body, names)?;
    let value = reader.structure(service, structure, deeper(0)?)?;
    reader.end()?;
    Ok(value)
}

/// Reads any JSON.
pub(crate) fn read_document(body: &[u8]) -> Read<Value> {
    let mut reader = JsonReader::new(body, Names::Wire)?;
    let value = reader.document(0)?;
    reader.end()?;
    Ok(value)
}

/// Which names the members have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Those of the protocol; members that go elsewhere are unknown in a body.
    Wire,
    /// Those of AWS's documents.
    Documented,
}

struct JsonReader<'a> {
    text: &'a str,
    at: usize,
    names: Names,
    values: ValueCount,
}

impl<'a> JsonReader<'a> {
    fn new(body: &'a [u8], names: Names) -> Read<Self> {
        let text = std::str::from_utf8(body).map_err(|_| Fault::new(FaultKind::BadText("the body")))?;
        Ok(Self { text, at: 0, names, values: ValueCount::default() })
    }

    fn malformed(&self, problem: &'static str) -> Box<Fault> {
        Fault::malformed("JSON", problem, self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The next byte that is no white space.
    fn next_token(&mut self) -> Option<u8> {
        self.skip_space();
        self.peek()
    }

    fn expect(&mut self, byte: u8, problem: &'static str) -> Read<()> {
        if self.next_token() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.malformed(problem))
        }
    }

    fn end(&mut self) -> Read<()> {
        match self.next_token() {
            None => Ok(()),
            Some(_) => Err(self.malformed("something follows the value")),
        }
    }

    fn literal(&mut self, word: &'static str) -> Read<()> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.malformed("not a value"))
        }
    }

    fn take_null(&mut self) -> Read<bool> {
        if self.next_token() == Some(b'n') {
            self.literal("null")?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Calls `one` for each member, with the reader in front of the value.
    fn members(&mut self, mut one: impl FnMut(&mut Self, String) -> Read<()>) -> Read<()> {
        self.expect(b'{', "an object should begin here")?;
        if self.next_token() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_space();
            let name = self.string()?;
            self.expect(b':', "a colon is missing")?;
            one(self, name)?;
            match self.next_token() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.malformed("a comma or brace is missing")),
            }
        }
    }

    fn items(&mut self, mut one: impl FnMut(&mut Self, usize) -> Read<()>) -> Read<()> {
        self.expect(b'[', "an array should begin here")?;
        if self.next_token() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        let mut place = 0;
        loop {
            one(self, place)?;
            place += 1;
            match self.next_token() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.malformed("a comma or bracket is missing")),
            }
        }
    }

    fn structure(&mut self, service: &ServiceModel, structure: &Structure, depth: usize) -> Read<Value> {
        if self.next_token() != Some(b'{') {
            return Err(Fault::wrong_type("an object"));
        }
        let mut members: Vec<(String, Value)> = Vec::new();
        self.members(|reader, name| {
            let is_meant = |member: &&Member| match reader.names {
                Names::Wire => member.location == Location::Body && member.wire_name() == name,
                Names::Documented => member.name == name,
            };
            let Some(member) = structure.members.iter().find(is_meant) else {
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
        if self.take_null()? {
            return Ok(Value::Null);
        }
        match service.shape(member.shape)? {
            Shape::Structure(structure) => self.structure(service, structure, deeper(depth)?),
            Shape::List(item) => self.list(service, item, deeper(depth)?),
            Shape::Map { value, .. } => self.map(service, value, deeper(depth)?),
            Shape::Document => self.document(depth),
            Shape::Text if member.traits.has(MemberTraits::JSON_VALUE) && member.location == Location::Header => {
                self.document(depth)
            }
            Shape::Text => self.typed_string("a string").map(Value::Text),
            Shape::Blob => scalar::blob(&self.typed_string("a blob in base64")?),
            Shape::Boolean => match self.next_token() {
                Some(b't') => self.literal("true").map(|()| Value::Bool(true)),
                Some(b'f') => self.literal("false").map(|()| Value::Bool(false)),
                _ => Err(Fault::wrong_type("a boolean")),
            },
            Shape::Integer => scalar::integer(self.typed_number("an integer")?, true),
            Shape::Long => scalar::integer(self.typed_number("a long")?, false),
            Shape::Float | Shape::Double => match self.next_token() {
                Some(b'"') => scalar::special_float(&self.string()?),
                _ => scalar::float(self.typed_number("a number")?),
            },
            Shape::Timestamp => self.timestamp(member.time),
        }
    }

    fn timestamp(&mut self, format: TimeFormat) -> Read<Value> {
        let moment = match (self.next_token(), format) {
            (Some(b'"'), _) if self.names == Names::Documented => scalar::moment_in_any_format(&self.string()?),
            (Some(b'"'), TimeFormat::Iso8601 | TimeFormat::Rfc822) => Moment::parse(&self.string()?, format),
            (Some(b'-' | b'0'..=b'9'), TimeFormat::Default | TimeFormat::Unix) => {
                Moment::parse(self.number()?, TimeFormat::Unix)
            }
            (Some(b'-' | b'0'..=b'9'), _) if self.names == Names::Documented => {
                Moment::parse(self.number()?, TimeFormat::Unix)
            }
            _ => None,
        };
        moment.map(Moment::value).ok_or_else(|| Fault::wrong_type("a timestamp"))
    }

    fn list(&mut self, service: &ServiceModel, item: &Member, depth: usize) -> Read<Value> {
        if self.next_token() != Some(b'[') {
            return Err(Fault::wrong_type("an array"));
        }
        let mut items = Vec::new();
        self.items(|reader, place| {
            let value = reader.value(service, item, depth);
            items.push(value.map_err(|fault| fault.within(&format!("[{place}]")))?);
            Ok(())
        })?;
        Ok(Value::List(items))
    }

    fn map(&mut self, service: &ServiceModel, value_member: &Member, depth: usize) -> Read<Value> {
        if self.next_token() != Some(b'{') {
            return Err(Fault::wrong_type("an object"));
        }
        let mut entries = scalar::Entries::new("the body");
        self.members(|reader, name| {
            let value = reader.value(service, value_member, depth).map_err(|fault| fault.within(&name))?;
            entries.add(name, value)
        })?;
        Ok(entries.record())
    }

    fn document(&mut self, depth: usize) -> Read<Value> {
        self.values.add()?;
        match self.next_token() {
            Some(b'{') => {
                let depth = deeper(depth)?;
                let mut entries = scalar::Entries::new("the body");
                self.members(|reader, name| {
                    let value = reader.document(depth).map_err(|fault| fault.within(&name))?;
                    entries.add(name, value)
                })?;
                Ok(entries.record())
            }
            Some(b'[') => {
                let depth = deeper(depth)?;
                let mut items = Vec::new();
                self.items(|reader, _| {
                    items.push(reader.document(depth)?);
                    Ok(())
                })?;
                Ok(Value::List(items))
            }
            Some(b'"') => self.string().map(Value::Text),
            Some(b't') => self.literal("true").map(|()| Value::Bool(true)),
            Some(b'f') => self.literal("false").map(|()| Value::Bool(false)),
            Some(b'n') => self.literal("null").map(|()| Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number().map(scalar::any_number),
            _ => Err(self.malformed("not a value")),
        }
    }

    fn typed_string(&mut self, expected: &'static str) -> Read<String> {
        if self.next_token() == Some(b'"') { self.string() } else { Err(Fault::wrong_type(expected)) }
    }

    fn typed_number(&mut self, expected: &'static str) -> Read<&'a str> {
        match self.next_token() {
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(Fault::wrong_type(expected)),
        }
    }

    /// A number of RFC 8259, as its text.
    fn number(&mut self) -> Read<&'a str> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.malformed("not a number")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        self.text.get(start..self.at).ok_or_else(|| self.malformed("not a number"))
    }

    fn digits(&mut self) -> Read<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.malformed("a digit is missing")) } else { Ok(()) }
    }

    fn string(&mut self) -> Read<String> {
        if self.peek() != Some(b'"') {
            return Err(self.malformed("a string should begin here"));
        }
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let is_end = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            let length = rest.as_bytes().iter().position(is_end).unwrap_or(rest.len());
            let plain = rest.get(..length).unwrap_or_default();
            self.at += length;
            match self.peek() {
                // Most strings are one piece.
                Some(b'"') if out.is_empty() => {
                    self.at += 1;
                    return Ok(plain.to_owned());
                }
                Some(b'"') => {
                    self.at += 1;
                    out.push_str(plain);
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push_str(plain);
                    out.push(self.escape()?);
                }
                Some(_) => return Err(self.malformed("a control character in a string")),
                None => return Err(self.malformed("the string does not end")),
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        let byte = self.peek().ok_or_else(|| self.malformed("the string does not end"))?;
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return Err(self.malformed("not an escape")),
        })
    }

    fn unicode_escape(&mut self) -> Read<char> {
        let first = self.four_digits()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with("\\u")) {
                return Err(self.malformed("half a surrogate pair"));
            }
            self.at += 2;
            let second = self.four_digits()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(self.malformed("half a surrogate pair"));
            }
            0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        char::from_u32(code).ok_or_else(|| self.malformed("half a surrogate pair"))
    }

    fn four_digits(&mut self) -> Read<u32> {
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.malformed("not four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }
}
