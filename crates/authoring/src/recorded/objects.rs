//! Cuts a stream of JSON into the objects that hold one event each, without ever holding more than one.
//!
//! Understood are JSON lines (or objects in any white space), CloudTrail's files (`{"Records": […]}`), a list of
//! objects, and the answer of CloudTrail's `LookupEvents` (`{"Events": […]}`, each with the event as text).

use std::io::{self, BufRead};

/// The most bytes of one object: CloudTrail's are at most 256 KB, ours 400 KB.
const LARGEST: usize = 4 << 20;

/// A stream that cannot be cut.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An object is too large.
    #[error("an object has more than {LARGEST} bytes; the file is no list of events")]
    TooLarge,
    /// It ends within an object.
    #[error("the file ends within an object")]
    CutShort,
    /// There is something else than objects.
    #[error("the file holds `{}` where an object should begin; give JSON lines or CloudTrail's files", char::from(*.0))]
    NotAnObject(u8),
}

/// The objects of a stream.
#[derive(Debug)]
pub struct JsonObjects<R> {
    from: R,
    /// Within the list of a wrapper.
    wrapped: bool,
}

impl<R: BufRead> JsonObjects<R> {
    /// Cuts `from`.
    pub fn new(from: R) -> Self {
        Self { from, wrapped: false }
    }

    /// The stream.
    pub fn get_ref(&self) -> &R {
        &self.from
    }

    /// The next object, or none at the end.
    ///
    /// # Errors
    /// [`ObjectError`]; there is nothing more to be read then.
    pub fn next_object(&mut self) -> Result<Option<Vec<u8>>, ObjectError> {
        loop {
            match self.peek()? {
                None if self.wrapped => return Err(ObjectError::CutShort),
                None => return Ok(None),
                Some(b'{') => {
                    if !self.wrapped && self.enter_wrapper()? {
                        self.wrapped = true;
                        continue;
                    }
                    return self.object(Vec::new()).map(Some);
                }
                Some(b']') if self.wrapped => {
                    self.from.consume(1);
                    self.wrapped = false;
                }
                Some(b'[' | b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n') => self.from.consume(1),
                // What follows the list in a wrapper, as a token for the next page.
                Some(b'"' | b':') => drop(self.skip_text()?),
                Some(other) => return Err(ObjectError::NotAnObject(other)),
            }
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, ObjectError> {
        Ok(self.from.fill_buf()?.first().copied())
    }

    /// Consumes `{"Records":[` or `{"Events":[` where that is what follows.
    fn enter_wrapper(&mut self) -> Result<bool, ObjectError> {
        let buffer = self.from.fill_buf()?;
        let end = buffer.len().min(64);
        let start = buffer.get(..end).unwrap_or_default();
        let compact: Vec<(usize, u8)> =
            start.iter().copied().enumerate().filter(|(_, byte)| !byte.is_ascii_whitespace()).collect();
        let text: Vec<u8> = compact.iter().map(|(_, byte)| *byte).collect();
        for wrapper in [&b"{\"Records\":["[..], b"{\"Events\":["] {
            if text.starts_with(wrapper) {
                let last = compact.get(wrapper.len() - 1).map_or(0, |(at, _)| at + 1);
                self.from.consume(last);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A string or a colon outside of objects.
    fn skip_text(&mut self) -> Result<(), ObjectError> {
        let mut escaped = false;
        let mut inside = false;
        while let Some(byte) = self.peek()? {
            self.from.consume(1);
            match byte {
                b'"' if inside && !escaped => return Ok(()),
                b'"' if !inside => inside = true,
                b':' if !inside => return Ok(()),
                _ => {}
            }
            escaped = byte == b'\\' && !escaped;
        }
        Err(ObjectError::CutShort)
    }

    /// The object that begins here.
    fn object(&mut self, mut object: Vec<u8>) -> Result<Vec<u8>, ObjectError> {
        let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
        loop {
            let buffer = self.from.fill_buf()?;
            if buffer.is_empty() {
                return Err(ObjectError::CutShort);
            }
            let mut used = 0;
            let mut done = false;
            for byte in buffer {
                used += 1;
                if in_text {
                    match byte {
                        _ if escaped => escaped = false,
                        b'\\' => escaped = true,
                        b'"' => in_text = false,
                        _ => {}
                    }
                    continue;
                }
                match byte {
                    b'"' => in_text = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth = depth.saturating_sub(1);
                        if depth == 0 {
                            done = true;
                            break;
                        }
                    }
                    _ => {}
                }
            }
            object.extend_from_slice(buffer.get(..used).unwrap_or_default());
            self.from.consume(used);
            if object.len() > LARGEST {
                return Err(ObjectError::TooLarge);
            }
            if done {
                return Ok(object);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// With buffers of `size` bytes, so that every cut happens.
    fn cut(text: &str, size: usize) -> Result<Vec<String>, ObjectError> {
        let mut objects = JsonObjects::new(BufReader::with_capacity(size, text.as_bytes()));
        let mut found = Vec::new();
        while let Some(object) = objects.next_object()? {
            found.push(String::from_utf8(object).unwrap());
        }
        Ok(found)
    }

    #[test]
    fn lines_lists_and_wrappers_are_cut_into_objects() {
        let objects = [r#"{"a":"}\"{"}"#, r#"{"b":[{"c":1}]}"#];
        for size in [64, 65, 100, 4096] {
            for text in [
                objects.join("\n"),
                format!("[{}]", objects.join(", ")),
                format!("{{\"Records\": [\n{}]}}", objects.join(",")),
                format!("{{\"Records\":[{}]}}\n{{\"Records\":[]}}", objects.join(",")),
                format!("{{\"Events\":[{}],\"NextToken\":\"x,{{\"}}", objects.join(",")),
            ] {
                assert_eq!(cut(&text, size).unwrap(), objects, "{size} {text}");
            }
        }
        assert_eq!(cut(&objects.join("\n"), 1).unwrap(), objects);
        assert_eq!(cut("", 10).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_stream_of_objects_is_refused() {
        for (text, expected) in [
            ("{\"a\":1", "ends within"),
            ("{\"Records\":[{\"a\":1}", "ends within"),
            ("eventName,eventTime", "`e` where an object"),
        ] {
            let error = cut(text, 100).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(matches!(cut(&format!("{{\"a\":\"{}\"}}", "x".repeat(LARGEST)), 8192), Err(ObjectError::TooLarge)));
    }
}
