//! Percent encoding as AWS uses it: RFC 3986 with upper-case digits, unreserved kept as is.

/// Decodes `%XX`; `None` for a broken escape or bytes that are not UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    decode_bytes(text, false)
}

/// Decodes `%XX`, and `+` as a space, as forms and query strings have it.
pub(crate) fn decode_form(text: &str) -> Option<String> {
    decode_bytes(text, true)
}

fn decode_bytes(text: &str, plus_is_space: bool) -> Option<String> {
    let is_plain = |character: char| character != '%' && !(plus_is_space && character == '+');
    if text.chars().all(is_plain) {
        return Some(text.to_owned());
    }
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Appends `text` to `out`, encoding everything but `A-Z a-z 0-9 - _ . ~` and, where
/// `keep_slash`, `/`.
pub(crate) fn encode(text: &str, keep_slash: bool, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || (keep_slash && byte == b'/') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for half in [byte >> 4, byte & 15] {
                out.push(char::from(DIGITS.get(usize::from(half)).copied().unwrap_or(b'0')));
            }
        }
    }
}

/// `text` encoded, `/` too.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode(text, false, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_is_that_of_sigv4() {
        assert_eq!(encoded("a b/c~d+é"), "a%20b%2Fc~d%2B%C3%A9");
        assert_eq!(decode("a%20b%2fc+").as_deref(), Some("a b/c+"));
        assert_eq!(decode_form("a+b%2B").as_deref(), Some("a b+"));
        for bad in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
