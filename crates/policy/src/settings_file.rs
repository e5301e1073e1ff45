//! `countersign.toml`: placeholders, types, and the lines that messages name.

use std::{borrow::Cow, collections::HashMap};

use countersign_domain::settings::Settings;
use serde::Deserialize as _;
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use crate::{error::Problems, settings_check};

/// The name of the settings' file within a bundle.
pub(crate) const SETTINGS_FILE: &str = "countersign.toml";

/// Settings, and where in the file each stands.
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    pub(crate) places: Places,
}

/// Reads the settings; what is wrong goes to `problems`.
pub(crate) fn read(text: &str, lookup: &dyn Fn(&str) -> Option<String>, problems: &mut Problems) -> Option<Loaded> {
    let lines = LineStarts::new(text);
    let mut table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let line = error.span().map_or(0, |span| lines.line(span.start));
            problems.add(SETTINGS_FILE, line, error.message().trim(), "correct the TOML");
            return None;
        }
    };
    let mut expansion = Expansion { lookup, lines: &lines, problems };
    let before = expansion.problems.count();
    expansion.table(table.get_mut());
    if problems.count() > before {
        return None;
    }
    let mut places = Places::default();
    places.table("", table.get_ref(), &lines);
    let settings = match Settings::deserialize(toml::de::Deserializer::from(table)) {
        Ok(settings) => settings,
        Err(error) => {
            let line = error.span().map_or(0, |span| lines.line(span.start));
            problems.add(
                SETTINGS_FILE,
                line,
                error.message().trim(),
                "see docs/policy.md#settings for what may stand here",
            );
            return None;
        }
    };
    let before = problems.count();
    settings_check::check(&settings, &places, problems);
    (problems.count() == before).then_some(Loaded { settings, places })
}

/// Byte offsets of line starts.
struct LineStarts(Vec<usize>);

impl LineStarts {
    fn new(text: &str) -> Self {
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(after_breaks).collect())
    }

    fn line(&self, offset: usize) -> u32 {
        u32::try_from(self.0.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
    }
}

/// The line of every value, by its path (`targets[0].auto_role`).
#[derive(Debug, Default)]
pub(crate) struct Places(HashMap<String, u32>);

impl Places {
    /// The line of the value at `path`, or of what it is in.
    pub(crate) fn line(&self, path: &str) -> u32 {
        let mut path = path;
        loop {
            if let Some(line) = self.0.get(path) {
                return *line;
            }
            match path.rfind(['.', '[']).and_then(|end| path.get(..end)) {
                Some(parent) => path = parent,
                None => return 0,
            }
        }
    }

    fn table(&mut self, path: &str, table: &DeTable<'_>, lines: &LineStarts) {
        for (name, value) in table {
            let dot = if path.is_empty() { "" } else { "." };
            self.value(&format!("{path}{dot}{}", name.get_ref()), value, lines);
        }
    }

    fn value(&mut self, path: &str, value: &Spanned<DeValue<'_>>, lines: &LineStarts) {
        self.0.insert(path.to_owned(), lines.line(value.span().start));
        match value.get_ref() {
            DeValue::Table(table) => self.table(path, table, lines),
            DeValue::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    self.value(&format!("{path}[{place}]"), item, lines);
                }
            }
            _ => {}
        }
    }
}

/// Replaces `${COUNTERSIGN_…}` in string values.
struct Expansion<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    lines: &'a LineStarts,
    problems: &'a mut Problems,
}

impl Expansion<'_> {
    fn table(&mut self, table: &mut DeTable<'_>) {
        let mut empty = Vec::new();
        for (name, value) in table.iter_mut() {
            let was_placeholder = matches!(value.get_ref(), DeValue::String(text) if is_one_placeholder(text));
            self.value(value);
            // A variable that is set but empty leaves an optional setting out.
            if was_placeholder && matches!(value.get_ref(), DeValue::String(text) if text.is_empty()) {
                empty.push(name.clone());
            }
        }
        for name in empty {
            table.remove(&name);
        }
    }

    fn value(&mut self, value: &mut Spanned<DeValue<'_>>) {
        let line = self.lines.line(value.span().start);
        match value.get_mut() {
            DeValue::String(text) if text.contains("${") => {
                if let Some(expanded) = self.text(text, line) {
                    *text = Cow::Owned(expanded);
                }
            }
            DeValue::Table(table) => self.table(table),
            DeValue::Array(items) => self.array(items),
            _ => {}
        }
    }

    /// An item that is one placeholder becomes as many items as its value has parts.
    fn array(&mut self, items: &mut DeArray<'_>) {
        let mut expanded = DeArray::new();
        for item in std::mem::replace(items, DeArray::new()) {
            let mut item = item;
            let splits = matches!(item.get_ref(), DeValue::String(text) if is_one_placeholder(text));
            self.value(&mut item);
            match item.get_ref() {
                DeValue::String(text) if splits => {
                    let parts: Vec<String> =
                        text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
                    for part in parts {
                        expanded.push(Spanned::new(item.span(), DeValue::String(Cow::Owned(part))));
                    }
                }
                _ => expanded.push(item),
            }
        }
        *items = expanded;
    }

    fn text(&mut self, text: &str, line: u32) -> Option<String> {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            expanded.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                self.problems.add(SETTINGS_FILE, line, "`${` is not closed by `}`", "close it");
                return None;
            };
            expanded.push_str(&self.variable(name, line)?);
            rest = after;
        }
        expanded.push_str(rest);
        Some(expanded)
    }

    fn variable(&mut self, name: &str, line: u32) -> Option<String> {
        if !is_variable(name) {
            let message = format!("`${{{name}}}` is no placeholder");
            self.problems.add(SETTINGS_FILE, line, message, "use `${COUNTERSIGN_…}` with A-Z, 0-9 and _");
            return None;
        }
        let value = (self.lookup)(name);
        if value.is_none() {
            let message = format!("`${{{name}}}` is not set");
            self.problems.add(
                SETTINGS_FILE,
                line,
                message,
                "set it in the function's environment, or write the value here",
            );
        }
        value
    }
}

fn is_variable(name: &str) -> bool {
    name.strip_prefix("COUNTERSIGN_").is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    })
}

fn is_one_placeholder(text: &str) -> bool {
    text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).is_some_and(|name| !name.contains('}'))
}
