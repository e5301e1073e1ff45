//! A strict reader of the XML that AWS speaks: elements, attributes, text, CDATA.
//!
//! No document type, no processing instruction but the declaration, no entity but the five of
//! XML 1.0 and character references: so nothing can be expanded or fetched.

use crate::fault::{Fault, FaultKind, Read, deeper};

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// The name as written, with any prefix.
    pub(crate) name: String,
    /// The attributes in order, namespace declarations too.
    pub(crate) attributes: Vec<(String, String)>,
    /// The child elements.
    pub(crate) children: Vec<Element>,
    /// All text directly within.
    pub(crate) text: String,
}

impl Element {
    /// The name without a prefix.
    pub(crate) fn local_name(&self) -> &str {
        self.name.split_once(':').map_or(self.name.as_str(), |(_, local)| local)
    }

    /// The value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// XML nests deeper than the parameters it carries: lists and maps wrap their items.
const LEVELS_PER_DEPTH: usize = 3;

/// More elements than any real document has: CompleteMultipartUpload lists 10,000 parts, and an answer of 6 MB would have to
/// spend less than 15 bytes on each.
const MOST_ELEMENTS: usize = 400_000;

/// More attributes than any element has.
const MOST_ATTRIBUTES: usize = 32;

/// Reads a document and gives its root.
pub(crate) fn read(body: &[u8]) -> Read<Element> {
    let text = std::str::from_utf8(body).map_err(|_| Fault::new(FaultKind::BadText("the body")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = XmlReader { text, at: 0, elements: 0 };
    reader.skip_space();
    if reader.rest().starts_with("<?xml ") {
        reader.until("?>", "the declaration does not end")?;
    }
    reader.skip_space();
    let root = reader.element(0)?;
    reader.skip_space();
    if reader.rest().is_empty() { Ok(root) } else { Err(reader.malformed("something follows the root")) }
}

struct XmlReader<'a> {
    text: &'a str,
    at: usize,
    elements: usize,
}

impl<'a> XmlReader<'a> {
    fn malformed(&self, problem: &'static str) -> Box<Fault> {
        Fault::malformed("XML", problem, self.at)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn take(&mut self, word: &str) -> bool {
        let there = self.rest().starts_with(word);
        if there {
            self.at += word.len();
        }
        there
    }

    /// What comes before `end`, which is passed too.
    fn until(&mut self, end: &str, problem: &'static str) -> Read<&'a str> {
        let (before, _) = self.rest().split_once(end).ok_or_else(|| self.malformed(problem))?;
        self.at += before.len() + end.len();
        Ok(before)
    }

    fn name(&mut self) -> Read<&'a str> {
        let rest = self.rest();
        let is_name = |character: char| character.is_ascii_alphanumeric() || "_-.:".contains(character);
        let length = rest.find(|character: char| !is_name(character)).unwrap_or(rest.len());
        let name = rest.get(..length).unwrap_or_default();
        if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit() || "-.:".contains(first)) {
            return Err(self.malformed("not a name"));
        }
        self.at += length;
        Ok(name)
    }

    fn element(&mut self, levels: usize) -> Read<Element> {
        deeper(levels / LEVELS_PER_DEPTH)?;
        self.elements += 1;
        if self.elements > MOST_ELEMENTS {
            return Err(Fault::new(FaultKind::TooLarge { what: "elements", limit: MOST_ELEMENTS }));
        }
        if !self.take("<") {
            return Err(self.malformed("an element should begin here"));
        }
        let mut element = Element { name: self.name()?.to_owned(), ..Element::default() };
        loop {
            let before = self.at;
            self.skip_space();
            if self.take("/>") {
                return Ok(element);
            }
            if self.take(">") {
                break;
            }
            if self.at == before {
                return Err(self.malformed("an attribute should be set apart"));
            }
            self.attribute(&mut element)?;
        }
        self.content(&mut element, levels)?;
        Ok(element)
    }

    fn attribute(&mut self, element: &mut Element) -> Read<()> {
        let name = self.name()?;
        if element.attributes.len() == MOST_ATTRIBUTES {
            return Err(Fault::new(FaultKind::TooLarge { what: "attributes", limit: MOST_ATTRIBUTES }));
        }
        if element.attribute(name).is_some() {
            return Err(Fault::duplicate_key(name, "the body"));
        }
        self.skip_space();
        if !self.take("=") {
            return Err(self.malformed("an attribute has no value"));
        }
        self.skip_space();
        let quote = if self.take("\"") {
            "\""
        } else if self.take("'") {
            "'"
        } else {
            return Err(self.malformed("an attribute has no quotes"));
        };
        let raw = self.until(quote, "an attribute does not end")?;
        if raw.contains('<') {
            return Err(self.malformed("`<` in an attribute"));
        }
        element.attributes.push((name.to_owned(), self.unescape(raw)?));
        Ok(())
    }

    fn content(&mut self, element: &mut Element, levels: usize) -> Read<()> {
        loop {
            let rest = self.rest();
            let length = rest.find('<').ok_or_else(|| self.malformed("an element does not end"))?;
            let text = self.unescape(rest.get(..length).unwrap_or_default())?;
            element.text.push_str(&text);
            self.at += length;
            if self.take("</") {
                if self.name()? != element.name {
                    return Err(self.malformed("an element ends with another name"));
                }
                self.skip_space();
                return if self.take(">") { Ok(()) } else { Err(self.malformed("an end tag does not end")) };
            }
            if self.take("<![CDATA[") {
                element.text.push_str(self.until("]]>", "a CDATA section does not end")?);
            } else if self.rest().starts_with("<!") || self.rest().starts_with("<?") {
                return Err(self.malformed("comments, declarations and instructions are not taken"));
            } else {
                element.children.push(self.element(levels + 1)?);
            }
        }
    }

    fn unescape(&self, raw: &str) -> Read<String> {
        if raw.contains(|character: char| character < ' ' && !"\t\r\n".contains(character)) {
            return Err(self.malformed("a control character"));
        }
        if raw.contains("]]>") {
            return Err(self.malformed("`]]>` outside of CDATA"));
        }
        // XML 1.0, 2.11: a line ends with a line feed, however it was written.
        let normal = if raw.contains('\r') { raw.replace("\r\n", "\n").replace('\r', "\n") } else { raw.to_owned() };
        if !normal.contains('&') {
            return Ok(normal);
        }
        let mut out = String::with_capacity(normal.len());
        let mut rest = normal.as_str();
        while let Some((before, after)) = rest.split_once('&') {
            out.push_str(before);
            let (name, after) = after.split_once(';').ok_or_else(|| self.malformed("a reference does not end"))?;
            out.push(reference(name).ok_or_else(|| self.malformed("an unknown reference"))?);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

fn reference(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            // SDKs send even control characters as references, and S3 takes them.
            char::from_u32(code).filter(|character| *character != '\0')
        }
    }
}

/// Appends `text` with the characters escaped that XML or its readers would change.
pub(crate) fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{85}' | '\u{2028}' => out.push_str(&format!("&#x{:x};", u32::from(character))),
            control if control < ' ' => out.push_str(&format!("&#x{:x};", u32::from(control))),
            other => out.push(other),
        }
    }
}

/// Appends an element and all that is in it.
pub(crate) fn write(element: &Element, out: &mut String) {
    out.push('<');
    out.push_str(&element.name);
    for (name, value) in &element.attributes {
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        escape(value, out);
        out.push('"');
    }
    if element.children.is_empty() && element.text.is_empty() {
        out.push_str("/>");
        return;
    }
    out.push('>');
    escape(&element.text, out);
    for child in &element.children {
        write(child, out);
    }
    out.push_str("</");
    out.push_str(&element.name);
    out.push('>');
}
