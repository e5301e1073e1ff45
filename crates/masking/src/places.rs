//! Places in a text that are masked: apart from each other, whoever comes first.

use std::{collections::BTreeMap, ops::Range};

use countersign_domain::mask::mask_token;

/// Places by their start. A large answer can hold a hundred thousand, so a new one is compared
/// with its neighbours only.
#[derive(Debug, Default)]
pub(crate) struct Places(BTreeMap<usize, (usize, &'static str)>);

impl Places {
    /// Takes `range`, unless it meets one that was taken before.
    pub(crate) fn take(&mut self, range: &Range<usize>, name: &'static str) {
        if self.is_free(range) {
            self.0.insert(range.start, (range.end, name));
        }
    }

    /// Whether `range` meets no place. Places lie apart, so the last one that starts before the
    /// end of `range` is also the one that ends last.
    pub(crate) fn is_free(&self, range: &Range<usize>) -> bool {
        self.0.range(..range.end).next_back().is_none_or(|(_, (end, _))| *end <= range.start)
    }

    /// `text` with a token for each place; `None` when that changes nothing.
    pub(crate) fn masked(&self, text: &str) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for (start, (end, name)) in &self.0 {
            // INVARIANT: places begin and end between characters. If one did not, all that is
            // left would go, rather than a secret stay.
            let Some(between) = text.get(from..*start) else { return Some(out + &mask_token(name)) };
            out.push_str(between);
            out.push_str(&mask_token(name));
            from = *end;
        }
        out.push_str(text.get(from..).unwrap_or_default());
        (out != text).then_some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lie_apart() {
        let mut places = Places::default();
        for (range, name) in
            [(5..10, "first"), (0..5, "before"), (9..12, "late"), (4..6, "late"), (5..6, "late"), (10..11, "after")]
        {
            places.take(&range, name);
        }
        assert_eq!(places.masked("0123456789abc").unwrap(), "‹masked:before›‹masked:first›‹masked:after›bc");
        assert_eq!(Places::default().masked("x"), None);
    }

    #[test]
    fn a_place_within_a_character_takes_the_rest() {
        let mut places = Places::default();
        places.take(&(1..2), "x");
        assert_eq!(places.masked("äb").unwrap(), "‹masked:x›");
    }
}
