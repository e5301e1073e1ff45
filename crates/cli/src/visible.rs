//! Text of others on a terminal: what cannot be seen, or steers the terminal, is written out.

/// `text` with control, bidi and zero-width characters as `\u{202e}`, and cut after `most` characters.
pub(crate) fn visible(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most.saturating_mul(4)));
    let mut letters = text.chars();
    for letter in letters.by_ref().take(most) {
        if is_hidden(letter) { out.extend(letter.escape_unicode()) } else { out.push(letter) }
    }
    let left = letters.count();
    if left > 0 {
        out.push_str(&format!("… ({left} more)"));
    }
    out
}

/// Source: Unicode 16, general categories Cc and Cf and the line and paragraph separators.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        for (text, expected) in [
            ("plain äöü", "plain äöü"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\u{202e}b\n", "a\\u{202e}b\\u{a}"),
            ("0123456789abc", "0123456789… (3 more)"),
        ] {
            assert_eq!(visible(text, 10), expected);
        }
    }
}
