//! Percent encoding as Signature Version 4 wants it: every octet but the unreserved ones
//! (RFC 3986 §2.3), in capital hex digits.

use std::borrow::Cow;

/// A percent sign that two hex digits do not follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BrokenEscape;

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

/// Writes one octet, escaped unless it is unreserved.
fn push_encoded(out: &mut String, byte: u8) {
    if is_unreserved(byte) {
        out.push(char::from(byte));
    } else {
        let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'A' + (nibble - 10) });
        out.push('%');
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
}

/// Reads the two digits behind a percent sign.
fn escaped(digits: Option<&[u8; 2]>) -> Result<u8, BrokenEscape> {
    let [high, low] = digits.ok_or(BrokenEscape)?;
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match (digit(high), digit(low)) {
        (Some(high), Some(low)) => Ok(high << 4 | low),
        _ => Err(BrokenEscape),
    }
}

/// The octets that text stands for, and whether each was escaped.
fn octets(text: &str) -> impl Iterator<Item = Result<(u8, bool), BrokenEscape>> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (first, behind) = rest.split_first()?;
        rest = behind;
        if *first != b'%' {
            return Some(Ok((*first, false)));
        }
        let byte = escaped(behind.first_chunk());
        rest = behind.get(2..).unwrap_or_default();
        Some(byte.map(|byte| (byte, true)))
    })
}

/// Escapes everything that is not unreserved or a slash, percent signs too.
pub(crate) fn encode_path(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| is_unreserved(byte) || byte == b'/') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte == b'/' { out.push('/') } else { push_encoded(&mut out, byte) }
    }
    Cow::Owned(out)
}

/// Decodes and encodes once. A slash stays a slash and an escaped slash stays escaped: they are not
/// the same path, whatever the object store makes of them.
///
/// # Errors
/// When an escape is broken.
pub(crate) fn normalise_path(text: &str) -> Result<Cow<'_, str>, BrokenEscape> {
    normalise(text, |out, octet| match octet {
        (b'/', false) => out.push('/'),
        (byte, _) => push_encoded(out, byte),
    })
}

/// Decodes and encodes once a key or value of a query. A plus sign is a space, as in HTML forms.
///
/// # Errors
/// When an escape is broken.
pub(crate) fn normalise_query(text: &str) -> Result<Cow<'_, str>, BrokenEscape> {
    normalise(text, |out, octet| match octet {
        (b'+', false) => out.push_str("%20"),
        (byte, _) => push_encoded(out, byte),
    })
}

fn normalise(text: &str, push: impl Fn(&mut String, (u8, bool))) -> Result<Cow<'_, str>, BrokenEscape> {
    if text.bytes().all(is_unreserved) {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len() + 16);
    for octet in octets(text) {
        push(&mut out, octet?);
    }
    Ok(Cow::Owned(out))
}

/// Decodes a key or value of a query.
///
/// # Errors
/// When an escape is broken or the octets are not UTF-8.
pub(crate) fn decode_query(text: &str) -> Result<Cow<'_, str>, BrokenEscape> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let bytes = octets(text)
        .map(|octet| octet.map(|(byte, escaped)| if byte == b'+' && !escaped { b' ' } else { byte }))
        .collect::<Result<Vec<_>, _>>()?;
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| BrokenEscape)
}

/// Whether every percent sign begins an escape.
pub(crate) fn is_well_formed(text: &str) -> bool {
    !text.contains('%') || octets(text).all(|octet| octet.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_encoded_a_second_time() {
        for (text, encoded) in [
            ("/", "/"),
            ("/a-b_c.d~e/F9", "/a-b_c.d~e/F9"),
            ("/a%3Ab", "/a%253Ab"),
            ("/a b", "/a%20b"),
            ("/\u{1234}", "/%E1%88%B4"),
            ("/@!$&'()*+,;=:", "/%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%3A"),
        ] {
            assert_eq!(encode_path(text), encoded, "{text}");
        }
    }

    #[test]
    fn paths_are_normalised_once() {
        for (text, normalised) in [
            ("/", "/"),
            ("//a/./../b", "//a/./../b"),
            ("/a%3ab", "/a%3Ab"),
            ("/%41%7e", "/A~"),
            ("/a b", "/a%20b"),
            ("/a%2fb/c", "/a%2Fb/c"),
            ("/\u{1234}", "/%E1%88%B4"),
            ("/a+b", "/a%2Bb"),
            ("/%ff%00", "/%FF%00"),
        ] {
            assert_eq!(normalise_path(text).unwrap(), normalised, "{text}");
        }
    }

    #[test]
    fn query_parts_are_normalised_and_decoded() {
        for (text, normalised, decoded) in [
            ("", "", Some("")),
            ("a", "a", Some("a")),
            ("a+b%20c%2bd", "a%20b%20c%2Bd", Some("a b c+d")),
            ("a/b:c=d", "a%2Fb%3Ac%3Dd", Some("a/b:c=d")),
            ("%e1%88%b4", "%E1%88%B4", Some("\u{1234}")),
            ("%ff", "%FF", None),
        ] {
            assert_eq!(normalise_query(text).unwrap(), normalised, "{text}");
            assert_eq!(decode_query(text).ok().as_deref(), decoded, "{text}");
        }
    }

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["%", "%4", "%zz", "a%4", "%+1", "%%41", "%4\u{e9}"] {
            assert!(!is_well_formed(text), "{text}");
            assert_eq!(normalise_path(text), Err(BrokenEscape), "{text}");
            assert_eq!(normalise_query(text), Err(BrokenEscape), "{text}");
            assert_eq!(decode_query(text), Err(BrokenEscape), "{text}");
        }
    }
}
