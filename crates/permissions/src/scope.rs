//! Where in the parameters a check looks: the call as a whole, or one entry of a list or a map.

use std::borrow::Cow;

use countersign_domain::Value;
use countersign_domain::value::{PathStep, path_steps};

/// The parameters as one check sees them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'v> {
    root: &'v Value,
    item: &'v Value,
    key: Option<&'v str>,
}

impl<'v> Scope<'v> {
    /// The call as a whole.
    pub(crate) fn whole(root: &'v Value) -> Self {
        Self { root, item: root, key: None }
    }

    /// The scopes of every value at `each`; the whole call for an empty path.
    pub(crate) fn each(root: &'v Value, each: &str) -> Vec<Self> {
        let mut scopes = vec![Self::whole(root)];
        if each.is_empty() {
            return scopes;
        }
        for step in path_steps(each) {
            scopes = scopes.into_iter().flat_map(|scope| scope.step(step)).collect();
        }
        scopes
    }

    fn step(self, step: PathStep<'_>) -> Vec<Self> {
        match step {
            PathStep::Member(name) => self
                .item
                .get(name)
                .filter(|item| is_given(item))
                .map(|item| Self { item, ..self })
                .into_iter()
                .collect(),
            PathStep::EachItem => {
                self.item.as_list().unwrap_or_default().iter().map(|item| Self { item, ..self }).collect()
            }
            PathStep::EachEntry => {
                let entries = self.item.as_record().unwrap_or_default();
                entries.iter().map(|(key, item)| Self { item, key: Some(key), ..self }).collect()
            }
        }
    }

    /// Every given value at `path`. `^` starts at the call as a whole, `.` alone is the entry
    /// itself, and a path that ends in `@keys` gives the keys of the map there as texts.
    pub(crate) fn values(&self, path: &str) -> Vec<&'v Value> {
        let (start, path) = match path.strip_prefix('^') {
            Some(path) => (self.root, path),
            None => (self.item, path),
        };
        let found = if path == "." { vec![start] } else { start.at_path(path) };
        found.into_iter().filter(|value| is_given(value)).collect()
    }

    /// Every text at `path`; numbers count as texts. `@key` is the key of the entry's map.
    pub(crate) fn texts(&self, path: &str) -> Vec<Cow<'v, str>> {
        if path == "@key" {
            return self.key.map(Cow::Borrowed).into_iter().collect();
        }
        self.values(path).into_iter().filter_map(text_of).collect()
    }
}

/// The text of a scalar that can stand in an ARN or be compared with a constant.
pub(crate) fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Text(text) => Some(Cow::Borrowed(text)),
        Value::Integer(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        _ => None,
    }
}

/// Whether a member counts as given: AWS reads null, and an empty list or text, as absent.
pub(crate) fn is_given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Text(text) => !text.is_empty(),
        Value::List(items) => !items.is_empty(),
        _ => true,
    }
}
