//! Scanning a text and what is encoded within it.

use std::{borrow::Cow, ops::Range};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use countersign_domain::mask::mask_token;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::{
    Depth, ENCODED, Masker, checks,
    patterns::{PASSWORD, Pattern},
    places::Places,
};

/// The shortest base64 that can hide anything that a pattern finds.
const SHORTEST_BASE64: usize = 16;
/// How often a text is gone through: masking one thing can free the neighbour of another.
const MAX_PASSES: usize = 8;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

impl Masker {
    /// `text` with everything masked that the patterns find in it or in what it encodes;
    /// borrowed when nothing is.
    pub(crate) fn scan<'a>(&self, text: &'a str, depth: Depth) -> Cow<'a, str> {
        let mut current = Cow::Borrowed(text);
        for _ in 0..MAX_PASSES {
            let Some(masked) = self.pass(&current, depth) else { return current };
            current = Cow::Owned(masked);
        }
        // A text that goes on yielding secrets was made to; nothing of it stays.
        Cow::Owned(mask_token(ENCODED))
    }

    /// `None` when there is nothing to mask.
    fn pass(&self, text: &str, depth: Depth) -> Option<String> {
        if let Some(below) = depth.below() {
            if let Some(document) = json_document(text) {
                return self.scan_document(document, below);
            }
            if let Some(masked) = self.scan_percent_encoded(text, below) {
                return Some(masked);
            }
        }
        self.scan_once(text, depth)
    }

    fn scan_once(&self, text: &str, depth: Depth) -> Option<String> {
        let mut places = Places::default();
        // An earlier pattern is the more telling one.
        for pattern in self.patterns(depth.credentials_only) {
            pattern.find(text).iter().for_each(|range| places.take(range, pattern.name));
        }
        if let Some(below) = depth.below() {
            base64_runs(text)
                .iter()
                .filter(|range| places.is_free(range) && self.hides_secrets(text, range, below))
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|range| places.take(range, ENCODED));
        }
        places.masked(text)
    }

    /// Whether a run of base64 decodes to text that would be masked. The run is then replaced as a
    /// whole, in clear: a mask within base64 would not be recognised when it is sent back.
    fn hides_secrets(&self, text: &str, range: &Range<usize>, depth: Depth) -> bool {
        let plain = text.get(range.clone()).and_then(decoded_text);
        plain.is_some_and(|plain| matches!(self.scan(&plain, depth), Cow::Owned(_)))
    }

    /// A text that is a JSON document: every string in it is scanned after unescaping, and nothing
    /// across its punctuation, so that it stays JSON. It is written anew only if something in it
    /// is masked.
    fn scan_document(&self, mut document: Value, depth: Depth) -> Option<String> {
        self.scan_json(&mut document, depth).then(|| document.to_string())
    }

    /// Masks strings, names and card numbers within `value`; types keep. Whether anything was.
    pub(crate) fn scan_json(&self, value: &mut Value, depth: Depth) -> bool {
        match value {
            Value::String(text) => match self.scan(text, depth) {
                Cow::Borrowed(_) => false,
                Cow::Owned(masked) => {
                    *text = masked;
                    true
                }
            },
            Value::Number(number) => {
                let digits = number.to_string();
                let masks = matches!(self.scan(&digits, depth), Cow::Owned(_));
                if masks {
                    *value = Value::from(0);
                }
                masks
            }
            // Not `any`, which would stop at the first.
            Value::Array(items) => items.iter_mut().fold(false, |masked, item| self.scan_json(item, depth) | masked),
            Value::Object(members) => self.scan_members(members, depth),
            Value::Null | Value::Bool(_) => false,
        }
    }

    fn scan_members(&self, members: &mut Map<String, Value>, depth: Depth) -> bool {
        let mut masked = self.scan_pair(members, depth);
        for (name, value) in members.iter_mut() {
            masked |= self.scan_json(value, depth);
            masked |= self.scan_named(name, value, depth);
        }
        let names: Vec<String> =
            members.keys().filter(|name| matches!(self.scan(name, depth), Cow::Owned(_))).cloned().collect();
        for name in names {
            if let Some(value) = members.remove(&name) {
                members.insert(self.scan(&name, depth).into_owned(), value);
                masked = true;
            }
        }
        masked
    }

    /// A name and a value as two members, as in `{"Name": "DB_PASSWORD", "Value": "…"}`.
    fn scan_pair(&self, members: &mut Map<String, Value>, depth: Depth) -> bool {
        let Some((name, member)) = pair_of(&members.iter().map(|(name, value)| (name.as_str(), value.as_str()))) else {
            return false;
        };
        let (name, member) = (name.to_owned(), member.to_owned());
        members.get_mut(&member).is_some_and(|value| self.scan_named(&name, value, depth))
    }

    /// A string that its member's name gives away.
    fn scan_named(&self, name: &str, value: &mut Value, depth: Depth) -> bool {
        let Value::String(text) = value else { return false };
        let masks = !depth.credentials_only && self.is_named_secret(name, text);
        if masks {
            *text = mask_token(PASSWORD);
        }
        masks
    }

    /// Whether `name` says that `text` is a secret, and `text` looks like one and not like a
    /// reference to one.
    pub(crate) fn is_named_secret(&self, name: &str, text: &str) -> bool {
        let names_a_secret = |pattern: &Pattern| {
            pattern.name == PASSWORD && !pattern.find(&format!("{}:\"x\"", Value::from(name))).is_empty()
        };
        !text.is_empty()
            && checks::is_password_value(text, &(0..text.len()))
            && self.patterns(false).any(names_a_secret)
    }

    /// A percent-encoded document, as IAM returns policies; written in the same way again.
    fn scan_percent_encoded(&self, text: &str, depth: Depth) -> Option<String> {
        let is_encoded = !text.contains(char::is_whitespace)
            && ["%7B", "%7b", "%40", "%3D", "%3d", "%22"].iter().any(|mark| text.contains(mark));
        if !is_encoded {
            return None;
        }
        let plain = percent_decode_str(text).decode_utf8().ok()?;
        match self.scan(&plain, depth) {
            Cow::Borrowed(_) => None,
            Cow::Owned(masked) => Some(utf8_percent_encode(&masked, NON_ALPHANUMERIC).to_string()),
        }
    }
}

/// The name that a structure holds as data, and the member that holds its value.
pub(crate) fn pair_of<'a>(
    members: &(impl Iterator<Item = (&'a str, Option<&'a str>)> + Clone),
) -> Option<(&'a str, &'a str)> {
    [("name", "value"), ("key", "value"), ("parameterkey", "parametervalue"), ("parametername", "parametervalue")]
        .into_iter()
        .find_map(|(name_member, value_member)| {
            let name = members.clone().find(|(member, _)| member.eq_ignore_ascii_case(name_member))?.1?;
            let (value, _) = members.clone().find(|(member, _)| member.eq_ignore_ascii_case(value_member))?;
            Some((name, value))
        })
}

/// The structure that `text` writes in JSON; a lone string or number is left to the patterns.
fn json_document(text: &str) -> Option<Value> {
    if text.trim_start().starts_with(['{', '[']) { serde_json::from_str(text).ok() } else { None }
}

/// Maximal runs of the base64 alphabets: of lines, where these decode as a whole, and within lines.
fn base64_runs(text: &str) -> Vec<Range<usize>> {
    let in_line = |byte: u8| byte.is_ascii_alphanumeric() || b"+/_-".contains(&byte);
    let across_lines = runs(text, |byte| in_line(byte) || b"\r\n".contains(&byte));
    let mut found: Vec<Range<usize>> = across_lines
        .filter_map(|range| text.get(range.clone()).map(|run| (range, run)))
        .filter(|(_, run)| run.contains('\n') && decoded_text(run).is_some())
        .map(|(range, _)| range)
        .collect();
    found.extend(runs(text, in_line));
    found
}

/// Maximal runs of bytes that belong, with the padding behind them.
fn runs(text: &str, belongs: impl Fn(u8) -> bool + Copy) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut place = 0;
    std::iter::from_fn(move || {
        loop {
            let start = place + bytes.get(place..)?.iter().position(|byte| belongs(*byte))?;
            let rest = bytes.get(start..)?;
            let length = rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len());
            let padding = rest.iter().skip(length).take(2).take_while(|byte| **byte == b'=').count();
            place = start + length + padding;
            if length >= SHORTEST_BASE64 {
                return Some(start..place);
            }
        }
    })
}

/// The text that `run` encodes, if it encodes text: UTF-8 without control characters.
fn decoded_text(run: &str) -> Option<String> {
    let run: Cow<'_, str> = if run.contains(['\r', '\n']) { run.replace(['\r', '\n'], "").into() } else { run.into() };
    let engine = if run.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    let text = String::from_utf8(engine.decode(run.as_bytes()).ok()?).ok()?;
    let is_text = text.chars().all(|letter| !letter.is_control() || letter.is_ascii_whitespace());
    is_text.then_some(text)
}
