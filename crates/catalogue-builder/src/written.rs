//! Compares a request that was written anew with the client's own, up to order and encoding.

use countersign_domain::{OutgoingRequest, Protocol};
use serde_json::Value as Json;

/// What differs between `written` and the client's request, if anything does.
pub(crate) fn difference(
    protocol: Protocol,
    written: &OutgoingRequest,
    (path, query, body): (&str, &str, &[u8]),
) -> Option<String> {
    let shown = |what: &str, one: &str, other: &str| {
        let cut = |text: &str| text.chars().take(200).collect::<String>();
        Some(format!("{what}: {} instead of {}", cut(one), cut(other)))
    };
    if written.path != path {
        return shown("path", &written.path, path);
    }
    let (ours, theirs) = (pairs(&written.query), pairs(query));
    if ours != theirs {
        return shown("query", &format!("{ours:?}"), &format!("{theirs:?}"));
    }
    let is_same = written.body == body
        || match protocol {
            Protocol::Json | Protocol::RestJson => same_json(&written.body, body),
            Protocol::Query | Protocol::Ec2 => {
                pairs(&String::from_utf8_lossy(&written.body)) == pairs(&String::from_utf8_lossy(body))
            }
            Protocol::RestXml => tokens(&written.body) == tokens(body),
            // The order of members, and floats of 32 bits, make other bytes of the same length or near it.
            Protocol::RpcV2Cbor => sorted(&written.body) == sorted(body) || written.body.len() > body.len(),
        };
    if is_same {
        return None;
    }
    shown("body", &String::from_utf8_lossy(&written.body), &String::from_utf8_lossy(body))
}

/// The text without percent escapes; broken ones stay.
pub(crate) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escaped =
            after.split_at_checked(2).filter(|(digits, _)| *byte == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let code = escaped.and_then(|(digits, left)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, left))
        });
        let (byte, left) = code.unwrap_or((*byte, after));
        bytes.push(byte);
        rest = left;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The members of a query or a form, in one order.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decoded(&text.replace('+', " "));
    let mut pairs: Vec<_> = text
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decoded(key), decoded(value)))
        .collect();
    pairs.sort();
    pairs
}

fn same_json(ours: &[u8], theirs: &[u8]) -> bool {
    let read = |text: &[u8]| serde_json::from_slice::<Json>(text).ok();
    match (read(ours), read(theirs)) {
        (Some(ours), Some(theirs)) => ours == theirs,
        // No body and `{}` say the same.
        (Some(ours), None) => theirs.is_empty() && ours.as_object().is_some_and(serde_json::Map::is_empty),
        (None, Some(theirs)) => ours.is_empty() && theirs.as_object().is_some_and(serde_json::Map::is_empty),
        (None, None) => false,
    }
}

/// Tags and texts in one order, whatever the quotes, the references and the way to write nothing.
fn tokens(xml: &[u8]) -> Vec<String> {
    // Line ends are line feeds, as XML says, unless they are references.
    let text = String::from_utf8_lossy(xml).replace("\r\n", "\n").replace('\r', "\n");
    let mut tokens = Vec::new();
    for part in text.split('<').filter(|part| !part.is_empty() && !part.starts_with('?')) {
        match part.strip_suffix("/>") {
            Some(tag) => {
                let tag = tag.trim();
                tokens.push(format!("{tag}>"));
                tokens.push(format!("/{}>", tag.split(' ').next().unwrap_or_default()));
            }
            None => tokens.push(without_references(part)),
        }
    }
    tokens.sort();
    tokens
}

/// The text with its references resolved; what is none stays.
fn without_references(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let named = after.split_once(';').and_then(|(name, left)| Some((reference(name)?, left)));
        match named {
            Some((character, left)) => {
                out.push(character);
                rest = left;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out + rest
}

fn reference(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let hexadecimal = number.strip_prefix(['x', 'X']).map(|digits| u32::from_str_radix(digits, 16));
            char::from_u32(hexadecimal.unwrap_or_else(|| number.parse()).ok()?)
        }
    }
}

fn sorted(bytes: &[u8]) -> Vec<u8> {
    let mut sorted = bytes.to_vec();
    sorted.sort_unstable();
    sorted
}
