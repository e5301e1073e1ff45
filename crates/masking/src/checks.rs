//! What a regular expression cannot say about a match.

use std::ops::Range;

use countersign_domain::mask::MASK_PREFIX;

/// Whether neither neighbour of `range` is a byte that `continues` the text.
pub(crate) fn stands_alone(text: &str, range: &Range<usize>, continues: fn(u8) -> bool) -> bool {
    !before(text, range).is_some_and(continues) && !after(text, range).is_some_and(continues)
}

fn before(text: &str, range: &Range<usize>) -> Option<u8> {
    text.as_bytes().get(range.start.checked_sub(1)?).copied()
}

fn after(text: &str, range: &Range<usize>) -> Option<u8> {
    text.as_bytes().get(range.end).copied()
}

fn matched<'a>(text: &'a str, range: &Range<usize>) -> &'a str {
    text.get(range.clone()).unwrap_or_default()
}

/// Whether the match is a secret access key: exactly 40 characters of base64, standing alone, that
/// look random. Hex digests (40 characters of SHA-1), names, paths and words do not.
pub(crate) fn is_aws_secret_key(text: &str, range: &Range<usize>) -> bool {
    let key = matched(text, range);
    // The match is a maximal run, so longer base64 is not cut into keys. An `=` in front is an
    // assignment, one behind is padding, which 40 characters never have.
    let continues = |byte: u8| byte.is_ascii_alphanumeric() || b"_-@".contains(&byte);
    if key.len() != 40 || !stands_alone(text, range, continues) || after(text, range) == Some(b'=') {
        return false;
    }
    let count = |kind: fn(&u8) -> bool| key.bytes().filter(kind).count();
    count(u8::is_ascii_uppercase) >= 5
        && count(u8::is_ascii_lowercase) >= 5
        && count(u8::is_ascii_digit) >= 1
        && !key.bytes().all(|byte| byte.is_ascii_hexdigit())
        && looks_random(key)
}

/// Whether at least 20 different characters occur, and the kinds of neighbouring characters
/// change often: 40 random base64 characters have about 30 different ones and 25 changes, camel
/// case words and paths far fewer.
fn looks_random(text: &str) -> bool {
    let kind = |byte: u8| match byte {
        b'A'..=b'Z' => 0,
        b'a'..=b'z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let mut seen = [false; 256];
    text.bytes().for_each(|byte| {
        if let Some(flag) = seen.get_mut(usize::from(byte)) {
            *flag = true;
        }
    });
    let different = seen.into_iter().filter(|flag| *flag).count();
    let changes = text.bytes().zip(text.bytes().skip(1)).filter(|(one, two)| kind(*one) != kind(*two)).count();
    different >= 20 && changes >= 15
}

/// Whether the value behind a telling name is a value at all, and not a reference or a mask.
pub(crate) fn is_password_value(text: &str, range: &Range<usize>) -> bool {
    let value = matched(text, range);
    let is_reference = ["arn:", "${", "{{", "$(", "<", "%(", "ssm:", "secretsmanager:", MASK_PREFIX]
        .iter()
        .any(|start| value.starts_with(start));
    let is_word = ["true", "false", "null", "none", "required", "optional", "***", "string"]
        .iter()
        .any(|word| value.eq_ignore_ascii_case(word));
    !is_reference && !is_word && !value.bytes().all(|byte| byte == b'*')
}

/// Whether the digits have the length and the beginning of a card scheme and a right check digit
/// (ISO/IEC 7812-1), standing alone.
pub(crate) fn is_card_number(text: &str, range: &Range<usize>) -> bool {
    let continues = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:+%=".contains(&byte);
    let is_end = |place: usize| {
        // A full stop or colon that ends a sentence is no continuation, one before a digit is.
        text.as_bytes().get(place).is_none_or(|byte| {
            let next_continues =
                text.as_bytes().get(place + 1).is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'-');
            !continues(*byte) || (b".:-".contains(byte) && !next_continues)
        })
    };
    let starts_free = before(text, range).is_none_or(|byte| !continues(byte) || b":=".contains(&byte));
    let digits: Vec<u8> = matched(text, range).bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect();
    starts_free && is_end(range.end) && is_scheme(&digits) && is_luhn(&digits)
}

/// Beginnings and lengths that the large schemes issue.
fn is_scheme(digits: &[u8]) -> bool {
    let start = |count: usize| digits.iter().take(count).fold(0_u32, |number, digit| number * 10 + u32::from(*digit));
    match digits.len() {
        14 => matches!(start(3), 300..=305) || matches!(start(2), 36 | 38 | 39),
        15 => matches!(start(2), 34 | 37),
        16 => {
            start(1) == 4
                || matches!(start(2), 51..=55 | 62 | 64 | 65)
                || matches!(start(4), 2221..=2720 | 3528..=3589 | 6011)
        }
        17..=19 => start(2) == 62,
        _ => false,
    }
}

fn is_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(*digit);
            if place % 2 == 0 { digit } else { digit * 2 % 10 + digit / 5 }
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}

/// Whether the match is a person's or a list's address: not the `git@host:` of a repository, not
/// the version of a package, not a part of something longer.
pub(crate) fn is_email(text: &str, range: &Range<usize>) -> bool {
    let found = matched(text, range);
    let local = found.split('@').next().unwrap_or_default();
    let of_repository = local == "git" && matches!(after(text, range), Some(b':' | b'/'));
    let dots_right = !local.starts_with('.') && !local.ends_with('.');
    dots_right
        && !of_repository
        && stands_alone(text, range, |byte| byte.is_ascii_alphanumeric() || b"_@".contains(&byte))
}

/// Whether the match has 8 to 15 digits (E.164) and does not continue an encoded text, a time zone
/// or a sum.
pub(crate) fn is_phone_number(text: &str, range: &Range<usize>) -> bool {
    let digits = matched(text, range).bytes().filter(u8::is_ascii_digit).count();
    let starts_free = before(text, range)
        .is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b"/+=_-.%".contains(&byte))
        || before(text, range) == Some(b'=');
    let ends_free = after(text, range).is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b"/+=_".contains(&byte));
    (8..=15).contains(&digits) && starts_free && ends_free
}
