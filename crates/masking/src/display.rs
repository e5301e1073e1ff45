//! Parameters as they are shown and recorded: masked, and cut to a size that a person can read and
//! the record can hold.

use countersign_domain::{
    Digest, Timestamp, Value,
    mask::mask_token,
    value::{MAX_DEPTH, PathStep, path_steps},
};
use serde_json::{Map, Number, Value as Json, json};

use crate::{Masker, SENSITIVE, nested::pair_of, patterns::PASSWORD};

/// The most characters that are shown of a text.
pub const MAX_SHOWN_CHARACTERS: usize = 60_000;
/// The most items that are shown of a list or a map.
pub const MAX_SHOWN_ITEMS: usize = 1_000;
/// The most values that are shown in all.
pub const MAX_SHOWN_VALUES: usize = 5_000;
/// From this length on, in bytes, the digest of a text is told although something in it is masked. That of
/// a short one would let its reader try what it may be.
const TELLING_LENGTH: usize = 64;
/// How much of the digest: enough to compare by eye.
const SHOWN_DIGITS: usize = 16;

/// Whether [`Masker::mask_value`] leaves nothing of `value` out: no text, list or map is cut.
pub fn is_shown_whole(value: &Value) -> bool {
    let mut left = MAX_SHOWN_VALUES;
    fits(value, &mut left, MAX_DEPTH)
}

fn fits(value: &Value, left: &mut usize, depth: usize) -> bool {
    let (Some(fewer), Some(below)) = (left.checked_sub(1), depth.checked_sub(1)) else { return false };
    *left = fewer;
    let short = |text: &str| text.len() <= MAX_SHOWN_CHARACTERS;
    match value {
        Value::Text(text) | Value::Decimal(text) => short(text),
        Value::List(items) => items.len() <= MAX_SHOWN_ITEMS && items.iter().all(|item| fits(item, left, below)),
        Value::Record(members) => {
            members.len() <= MAX_SHOWN_ITEMS
                && members.iter().all(|(name, member)| short(name) && fits(member, left, below))
        }
        Value::Null
        | Value::Bool(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Blob(_)
        | Value::Stream { .. }
        | Value::Timestamp { .. } => true,
    }
}

impl Masker {
    /// `value` as JSON for a page and the record.
    ///
    /// Members at `sensitive_paths` (as in `Users[].Password`, `Environment.Variables{}`) become
    /// a mask token, whatever their type; other strings are masked by pattern. Texts are cut at
    /// [`MAX_SHOWN_CHARACTERS`] and lists at [`MAX_SHOWN_ITEMS`], each saying so; after
    /// [`MAX_SHOWN_VALUES`] values the rest is left out, saying so. A blob is shown as its length
    /// and SHA-256, a stream as its length, a timestamp as RFC 3339.
    ///
    /// It is for reading, not for sending: what is shown cannot be turned back into a call.
    pub fn mask_value(&self, value: &Value, sensitive_paths: &[&str]) -> Json {
        let paths: Vec<Vec<PathStep<'_>>> = sensitive_paths.iter().map(|path| path_steps(path).collect()).collect();
        let open: Vec<&[PathStep<'_>]> = paths.iter().map(Vec::as_slice).collect();
        Shower { masker: self, left: MAX_SHOWN_VALUES, measures: false }.show(value, &open, MAX_DEPTH)
    }

    /// As [`Masker::mask_value`], for somebody who decides on it: where something of a text is masked,
    /// its length in bytes is told, and, unless it is short, the first digits of its SHA-256. Whoever
    /// has the text that it should be can compare; whoever has not sees that they have not read all.
    pub fn mask_value_measured(&self, value: &Value, sensitive_paths: &[&str]) -> Json {
        let paths: Vec<Vec<PathStep<'_>>> = sensitive_paths.iter().map(|path| path_steps(path).collect()).collect();
        let open: Vec<&[PathStep<'_>]> = paths.iter().map(Vec::as_slice).collect();
        Shower { masker: self, left: MAX_SHOWN_VALUES, measures: true }.show(value, &open, MAX_DEPTH)
    }
}

struct Shower<'m> {
    masker: &'m Masker,
    left: usize,
    /// Whether masked texts are measured.
    measures: bool,
}

impl Shower<'_> {
    /// `open` holds what is left of each path that leads through here.
    fn show(&mut self, value: &Value, open: &[&[PathStep<'_>]], depth: usize) -> Json {
        if open.iter().any(|rest| rest.is_empty()) {
            return Json::from(mask_token(SENSITIVE) + &self.measure_of(value));
        }
        let (Some(left), Some(below)) = (self.left.checked_sub(1), depth.checked_sub(1)) else {
            return Json::from("… (left out)");
        };
        self.left = left;
        match value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::from(*flag),
            Value::Integer(number) => self.number(Number::from(*number)),
            Value::Float(number) => {
                Number::from_f64(*number).map_or_else(|| Json::from(number.to_string()), Json::Number)
            }
            Value::Decimal(text) | Value::Text(text) => Json::from(self.measured(text)),
            Value::Blob(bytes) => json!({ "bytes": bytes.len(), "sha256": Digest::of(bytes).to_string() }),
            Value::Stream { length } => json!({ "stream_bytes": length }),
            Value::Timestamp { seconds, nanoseconds } => Json::from(instant(*seconds, *nanoseconds)),
            Value::List(items) => self.list(items, open, below),
            Value::Record(members) => Json::Object(self.record(members, open, below)),
        }
    }

    fn list(&mut self, items: &[Value], open: &[&[PathStep<'_>]], depth: usize) -> Json {
        let open = stepped(open, |step| step == PathStep::EachItem);
        let mut shown: Vec<Json> =
            items.iter().take(MAX_SHOWN_ITEMS).map(|item| self.show(item, &open, depth)).collect();
        if items.len() > MAX_SHOWN_ITEMS {
            shown.push(Json::from(format!("… ({} items in all)", items.len())));
        }
        Json::Array(shown)
    }

    fn record(&mut self, members: &[(String, Value)], open: &[&[PathStep<'_>]], depth: usize) -> Map<String, Json> {
        let mut shown = Map::new();
        let named_by_data = pair_of(&members.iter().map(|(name, value)| (name.as_str(), value.as_text())));
        for (name, value) in members.iter().take(MAX_SHOWN_ITEMS) {
            // A map and a structure look alike here, so a path may step by name or into each.
            let open = stepped(open, |step| step == PathStep::EachEntry || step == PathStep::Member(name));
            let telling = named_by_data.filter(|(_, member)| member == name).map_or(name.as_str(), |(data, _)| data);
            shown.insert(self.text(name), self.named(telling, value, &open, depth));
        }
        if members.len() > MAX_SHOWN_ITEMS {
            shown.insert("…".to_owned(), Json::from(format!("({} members in all)", members.len())));
        }
        shown
    }

    /// A member, by its name too: `password` in a free map is masked although no model marks it.
    /// `name` is the member's own, or the one that a neighbouring member gives.
    fn named(&mut self, name: &str, value: &Value, open: &[&[PathStep<'_>]], depth: usize) -> Json {
        if let Value::Text(text) = value
            && self.masker.is_named_secret(name, text)
        {
            return Json::from(mask_token(PASSWORD) + &self.measure_of(value));
        }
        self.show(value, open, depth)
    }

    fn number(&self, number: Number) -> Json {
        let text = number.to_string();
        match self.masker.mask_plain(&text) {
            masked if masked == text => Json::Number(number),
            masked => Json::from(masked.into_owned()),
        }
    }

    /// A text with its measure, if something in it is masked.
    fn measured(&self, text: &str) -> String {
        let shown = self.text(text);
        if self.measures && self.masker.would_mask(text) {
            return shown + &measure(text.as_bytes(), self.masker.hides_credentials_only(text));
        }
        shown
    }

    /// The measure of a value that is hidden as a whole.
    fn measure_of(&self, value: &Value) -> String {
        match value {
            Value::Text(text) if self.measures => measure(text.as_bytes(), false),
            Value::Blob(bytes) if self.measures => measure(bytes, false),
            _ => String::new(),
        }
    }

    /// Masked first and cut then, so that the cut cannot halve a secret out of recognition.
    fn text(&self, text: &str) -> String {
        let masked = self.masker.mask_plain(text);
        match masked.char_indices().nth(MAX_SHOWN_CHARACTERS) {
            None => masked.into_owned(),
            Some((end, _)) => {
                format!("{}… ({} characters in all)", masked.get(..end).unwrap_or_default(), masked.chars().count())
            }
        }
    }
}

/// How long a masked text is, and its digest where that gives away nothing: what is hidden cannot be
/// guessed by its look, or there is too much of it.
fn measure(bytes: &[u8], cannot_be_guessed: bool) -> String {
    let length = bytes.len();
    if !cannot_be_guessed && length < TELLING_LENGTH {
        return format!(" ‹{length} bytes in all›");
    }
    let digest: String = Digest::of(bytes).to_string().chars().take(SHOWN_DIGITS).collect();
    format!(" ‹{length} bytes in all, SHA-256 {digest}…›")
}

/// The paths that go on through a step that `fits`, without that step.
fn stepped<'p>(open: &[&'p [PathStep<'p>]], fits: impl Fn(PathStep<'_>) -> bool) -> Vec<&'p [PathStep<'p>]> {
    open.iter().filter_map(|rest| rest.split_first()).filter(|(step, _)| fits(**step)).map(|(_, rest)| rest).collect()
}

fn instant(seconds: i64, nanoseconds: u32) -> String {
    match u64::try_from(seconds) {
        Ok(seconds) if nanoseconds == 0 => Timestamp::from_secs(seconds).to_string(),
        Ok(seconds) => {
            let whole = Timestamp::from_secs(seconds).to_string();
            format!("{}.{nanoseconds:09}Z", whole.trim_end_matches('Z'))
        }
        // Before 1970: no AWS call means it, so it is shown as it came.
        Err(_) => format!("@{seconds}.{nanoseconds:09}"),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use countersign_domain::settings::Masking;

    use super::*;

    fn record(members: &[(&str, Value)]) -> Value {
        Value::Record(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn shown(value: &Value, sensitive: &[&str]) -> Json {
        Masker::new(&Masking::default()).unwrap().mask_value(value, sensitive)
    }

    #[test]
    fn sensitive_members_are_masked_whatever_their_type() {
        let value = record(&[
            ("Name", text("a")),
            ("Pin", Value::Integer(1234)),
            ("Users", Value::List(vec![record(&[("Secret", text("x")), ("Id", text("i"))])])),
            ("Variables", record(&[("A", text("x")), ("B", text("y"))])),
            ("Blob", Value::Blob(Bytes::from_static(b"x"))),
        ]);
        assert_eq!(
            shown(&value, &["Pin", "Users[].Secret", "Variables{}", "Blob", "Absent.Member"]),
            json!({
                "Name": "a",
                "Pin": "‹masked:sensitive›",
                "Users": [{ "Secret": "‹masked:sensitive›", "Id": "i" }],
                "Variables": { "A": "‹masked:sensitive›", "B": "‹masked:sensitive›" },
                "Blob": "‹masked:sensitive›",
            })
        );
    }

    #[test]
    fn every_type_has_a_readable_form() {
        let value = record(&[
            ("null", Value::Null),
            ("bool", Value::Bool(true)),
            ("float", Value::Float(1.5)),
            ("infinite", Value::Float(f64::INFINITY)),
            ("decimal", Value::Decimal("123456789012345678901234567890".to_owned())),
            ("blob", Value::Blob(Bytes::from_static(b"abc"))),
            ("stream", Value::Stream { length: 5 }),
            ("at", Value::Timestamp { seconds: 0, nanoseconds: 0 }),
            ("after", Value::Timestamp { seconds: 1, nanoseconds: 5 }),
            ("before", Value::Timestamp { seconds: -1, nanoseconds: 0 }),
        ]);
        assert_eq!(
            shown(&value, &[]),
            json!({
                "null": null,
                "bool": true,
                "float": 1.5,
                "infinite": "inf",
                "decimal": "123456789012345678901234567890",
                "blob": { "bytes": 3, "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
                "stream": { "stream_bytes": 5 },
                "at": "1970-01-01T00:00:00Z",
                "after": "1970-01-01T00:00:01.000000005Z",
                "before": "@-1.000000000",
            })
        );
    }

    #[test]
    fn what_is_masked_for_an_approver_can_be_compared() {
        let key =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", "MIIEowIBAAKCAQEA7bq0".repeat(5));
        let script = format!("#!/bin/sh\n{key}\nrm -rf /srv\n");
        let shown = |value: &Value, sensitive: &[&str]| {
            Masker::new(&Masking::default()).unwrap().mask_value_measured(value, sensitive)
        };
        let Json::String(said) = shown(&text(&script), &[]) else { panic!("not a text") };
        let digest: String = Digest::of(script.as_bytes()).to_string().chars().take(16).collect();
        assert!(said.contains("‹masked:private-key›\n-----END") && said.contains("rm -rf /srv"), "{said}");
        assert!(said.ends_with(&format!("‹{} bytes in all, SHA-256 {digest}…›", script.len())), "{said}");
        // One that could be guessed is only measured.
        assert_eq!(shown(&text("password=hunter2"), &[]), json!("password=‹masked:password› ‹16 bytes in all›"));
        let data = record(&[("UserData", text(&script)), ("Pin", text("1234")), ("Name", text("a"))]);
        assert_eq!(
            shown(&data, &["UserData", "Pin"]),
            json!({
                "UserData": format!("‹masked:sensitive› ‹{} bytes in all, SHA-256 {digest}…›", script.len()),
                "Pin": "‹masked:sensitive› ‹4 bytes in all›",
                "Name": "a",
            })
        );
    }

    #[test]
    fn free_maps_and_pairs_are_masked_by_name() {
        let value = record(&[
            ("DB_PASSWORD", text("x")),
            ("Tags", Value::List(vec![record(&[("Key", text("api-key")), ("Value", text("x"))])])),
            ("Contact", text("ann@example.com")),
            ("Card", Value::Integer(4_111_111_111_111_111)),
        ]);
        assert_eq!(
            shown(&value, &[]),
            json!({
                "DB_PASSWORD": "‹masked:password›",
                "Tags": [{ "Key": "api-key", "Value": "‹masked:password›" }],
                "Contact": "‹masked:email›",
                "Card": "‹masked:card-number›",
            })
        );
    }

    #[test]
    fn long_values_are_cut_and_say_so() {
        // The secret lies across the place of the cut.
        let long = format!("{} ann@example.com {}", "a ".repeat(MAX_SHOWN_CHARACTERS / 2 - 4), "b".repeat(50));
        let Json::String(cut) = shown(&text(&long), &[]) else { panic!("not a text") };
        assert!(!cut.contains("ann@"), "{cut}");
        assert!(cut.ends_with(" characters in all)"), "{cut}");

        let many = Value::List(vec![Value::Null; MAX_SHOWN_ITEMS + 5]);
        assert_eq!(shown(&many, &[])[MAX_SHOWN_ITEMS], json!(format!("… ({} items in all)", MAX_SHOWN_ITEMS + 5)));
        let wide = Value::List(vec![many; MAX_SHOWN_ITEMS]);
        let written = shown(&wide, &[]).to_string();
        assert!(written.contains("… (left out)"));
        let lists = (MAX_SHOWN_VALUES - 1).div_ceil(MAX_SHOWN_ITEMS + 1);
        assert_eq!(written.matches("null").count(), MAX_SHOWN_VALUES - 1 - lists);
        for cut in [text(&long), wide, Value::List(vec![Value::Null; MAX_SHOWN_ITEMS + 1])] {
            assert!(!is_shown_whole(&cut));
        }
        assert!(is_shown_whole(&Value::List(vec![text("a"); MAX_SHOWN_ITEMS])));
    }
}
