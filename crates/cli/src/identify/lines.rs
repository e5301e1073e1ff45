//! Lines of bounded length.

use std::io::{self, BufRead};

/// One line of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Without its line end.
    Text(&'a [u8]),
    /// Longer than the limit; it was skipped.
    TooLong,
}

/// Reads lines, keeping no more than one of them.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: R,
    limit: usize,
    line: Vec<u8>,
    /// Whether more of the input is at hand, at least the beginning of a line.
    is_more_at_hand: bool,
}

impl<R: BufRead> Lines<R> {
    /// Lines of `input`, each of at most `limit` bytes.
    pub(crate) fn new(input: R, limit: usize) -> Self {
        Self { input, limit, line: Vec::new(), is_more_at_hand: false }
    }

    /// The next line that is not blank; `None` at the end.
    ///
    /// # Errors
    /// When the input fails.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        loop {
            self.line.clear();
            let mut is_too_long = false;
            let is_end = loop {
                let chunk = match self.input.fill_buf() {
                    Ok([]) => break true,
                    Ok(chunk) => chunk,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                let (part, used, is_complete) = match chunk.iter().position(|byte| *byte == b'\n') {
                    Some(end) => (chunk.get(..end).unwrap_or_default(), end + 1, true),
                    None => (chunk, chunk.len(), false),
                };
                is_too_long |= self.line.len() + part.len() > self.limit;
                if is_too_long {
                    self.line.clear();
                } else {
                    self.line.extend_from_slice(part);
                }
                self.is_more_at_hand = chunk.len() > used;
                self.input.consume(used);
                if is_complete {
                    break false;
                }
            };
            if is_too_long {
                return Ok(Some(Line::TooLong));
            }
            // Some editors and shells put a byte order mark in front of a file.
            if self.line.starts_with(b"\xef\xbb\xbf") {
                self.line.drain(..3);
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some(Line::Text(self.line.trim_ascii())));
            }
            if is_end {
                return Ok(None);
            }
        }
    }

    /// Whether the next line would have to be waited for.
    pub(crate) fn would_wait(&self) -> bool {
        !self.is_more_at_hand
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn read(text: &str, capacity: usize) -> Vec<Option<String>> {
        let mut lines = Lines::new(BufReader::with_capacity(capacity, text.as_bytes()), 5);
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push(match line {
                Line::Text(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
                Line::TooLong => None,
            });
        }
        all
    }

    #[test]
    fn long_lines_are_skipped_and_the_next_is_read() {
        for capacity in [1, 2, 3, 64] {
            let found = read("abc\n\n  \r\nabcde\nabcdef\nabcdefghijklmnop\nxyz\r\nlast", capacity);
            let texts: Vec<_> = found.iter().map(Option::as_deref).collect();
            assert_eq!(
                texts,
                [Some("abc"), Some("abcde"), None, None, Some("xyz"), Some("last")],
                "capacity {capacity}"
            );
        }
        assert_eq!(read("\u{feff}ab\n\u{feff}\nc", 64), [Some("ab".to_owned()), Some("c".to_owned())]);
        assert_eq!(read("abcdefgh", 3), [None]);
        assert!(read("", 3).is_empty());
    }
}
