//! Cuts a `.cedar` file into its rules, cheaply and with line numbers.
//!
//! A rule of Cedar always ends with `;` and `;` occurs nowhere else outside strings and comments,
//! so the cut needs no parser. Each piece is then parsed as exactly one policy, and what the cut
//! got wrong would not parse.

/// The deepest nesting of brackets in a rule. Cedar's parser and evaluator recurse: thousands of
/// levels overflow the stack and end the process.
pub(crate) const MAX_NESTING: usize = 32;

/// The most operators in a rule. Chains (`a && b && …`, `a.b.c…`) nest without brackets.
pub(crate) const MAX_OPERATORS: usize = 256;

/// The text of one rule and where it starts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// From the first character that is neither white space nor comment to the `;`.
    pub(crate) text: &'a str,
    /// The line of its first character, counted from 1.
    pub(crate) line: u32,
    /// The deepest nesting of brackets.
    pub(crate) nesting: usize,
    /// How many operators it has.
    pub(crate) operators: usize,
}

/// Cuts `text`. What follows the last `;`, if it is more than white space and comments, is the
/// last piece: it does not parse, and the parser says why.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut state = Cut::default();
    let mut line = 1_u32;
    let mut rest = text.char_indices().peekable();
    while let Some((at, character)) = rest.next() {
        let next = rest.peek().map(|(_, next)| *next);
        match character {
            '\n' => line += 1,
            '/' if next == Some('/') => {
                while rest.next_if(|(_, inside)| *inside != '\n').is_some() {}
                continue;
            }
            '"' => {
                state.begin(at, line);
                line += skip_string(&mut rest);
                continue;
            }
            ';' => {
                state.begin(at, line);
                found.extend(state.end(text, at + 1));
                continue;
            }
            _ => {}
        }
        if !character.is_whitespace() {
            state.begin(at, line);
            state.count(character, next, text, at);
        }
    }
    found.extend(state.end(text, text.len()));
    found
}

/// Skips to behind the closing quote; gives the number of lines passed.
fn skip_string(rest: &mut std::iter::Peekable<std::str::CharIndices<'_>>) -> u32 {
    let mut lines = 0;
    while let Some((_, character)) = rest.next() {
        match character {
            '\\' => drop(rest.next_if(|(_, escaped)| *escaped != '\n')),
            '"' => break,
            '\n' => lines += 1,
            _ => {}
        }
    }
    lines
}

#[derive(Default)]
struct Cut {
    start: Option<(usize, u32)>,
    depth: usize,
    nesting: usize,
    operators: usize,
}

impl Cut {
    fn begin(&mut self, at: usize, line: u32) {
        self.start.get_or_insert((at, line));
    }

    fn count(&mut self, character: char, next: Option<char>, text: &str, at: usize) {
        match character {
            '(' | '[' | '{' => {
                self.depth += 1;
                self.nesting = self.nesting.max(self.depth);
            }
            ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
            '!' | '-' | '+' | '*' | '.' => self.operators += 1,
            '&' | '|' if next == Some(character) => self.operators += 1,
            'i' if is_word(text, at, "if") => self.operators += 1,
            _ => {}
        }
        if matches!(character, '[' | '(') {
            self.operators += 1;
        }
    }

    fn end<'a>(&mut self, text: &'a str, end: usize) -> Option<Piece<'a>> {
        let done = std::mem::take(self);
        let (start, line) = done.start?;
        Some(Piece { text: text.get(start..end)?.trim_end(), line, nesting: done.nesting, operators: done.operators })
    }
}

/// Whether `word` stands at `at` and is no part of a longer name.
fn is_word(text: &str, at: usize, word: &str) -> bool {
    let part_of_name = |character: char| character.is_alphanumeric() || character == '_';
    let (before, from) = text.split_at_checked(at).unwrap_or_default();
    let after = from.strip_prefix(word);
    after.is_some_and(|after| !after.starts_with(part_of_name)) && !before.ends_with(part_of_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(&str, u32)> {
        pieces(text).into_iter().map(|piece| (piece.text, piece.line)).collect()
    }

    #[test]
    fn cuts_at_semicolons_outside_strings_and_comments() {
        assert_eq!(
            cut("// a; b\n@id(\"x;\\\";y\")\npermit(principal, action, resource);\n\nforbid(a) // ;\n;"),
            [("@id(\"x;\\\";y\")\npermit(principal, action, resource);", 2), ("forbid(a) // ;\n;", 5),]
        );
        assert_eq!(cut(" // nothing\n \n"), []);
        assert_eq!(cut("permit("), [("permit(", 1)]);
        assert_eq!(cut("\"open; string"), [("\"open; string", 1)]);
        assert_eq!(cut("a\n;;"), [("a\n;", 1), (";", 2)]);
    }

    #[test]
    fn counts_what_nests() {
        let nesting = |text: &str| pieces(text).first().map(|piece| (piece.nesting, piece.operators)).unwrap();
        assert_eq!(nesting("a((b)[c{}]);"), (3, 3));
        assert_eq!(nesting("\"((((\" if x then ifx;"), (0, 1));
        assert_eq!(nesting("a && b || !c.d;"), (0, 4));
    }
}
