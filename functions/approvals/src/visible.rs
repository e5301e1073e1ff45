//! Text of others, made safe to look at: what cannot be seen, or changes how other text is seen,
//! is written out. HTML escaping is the page's work and comes on top.

/// `text` with control, bidi, zero-width and other invisible characters as `⟨U+202E⟩`, and cut
/// after `most` characters.
pub(crate) fn visible(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most.saturating_mul(4)));
    for (count, letter) in text.chars().enumerate() {
        if count == most {
            out.push_str(&format!("⟨… {} more characters⟩", text.chars().count().saturating_sub(most)));
            break;
        }
        if letter == '\n' || !is_invisible(letter) {
            out.push(letter);
        } else {
            out.push_str(&format!("⟨U+{:04X}⟩", u32::from(letter)));
        }
    }
    out
}

/// Whether a character has no picture of its own, or changes the order or look of its neighbours.
/// Source: Unicode 16 general categories Cc and Cf, Default_Ignorable_Code_Point, the line and
/// paragraph separators, private use, tags and variation selectors, and odd spaces.
fn is_invisible(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{00a0}' | '\u{00ad}' | '\u{034f}' | '\u{0600}'..='\u{0605}' | '\u{061c}' | '\u{06dd}' | '\u{070f}'
            | '\u{115f}'..='\u{1160}' | '\u{1680}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{2800}'
            | '\u{3000}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        let table = [
            ("plain äöü 漢字 🙂", "plain äöü 漢字 🙂"),
            ("a\u{202e}txt.exe", "a⟨U+202E⟩txt.exe"),
            ("pay\u{200b}pal", "pay⟨U+200B⟩pal"),
            ("a\tb\r\nc", "a⟨U+0009⟩b⟨U+000D⟩\nc"),
            ("\u{1b}[31mred", "⟨U+001B⟩[31mred"),
            ("tag\u{e0041}", "tag⟨U+E0041⟩"),
            ("\u{2066}x\u{2069}", "⟨U+2066⟩x⟨U+2069⟩"),
            ("no\u{a0}break", "no⟨U+00A0⟩break"),
        ];
        for (text, shown) in table {
            assert_eq!(visible(text, 100), shown);
        }
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(visible("abcdef", 4), "abcd⟨… 2 more characters⟩");
        assert_eq!(visible("abcd", 4), "abcd");
    }
}
