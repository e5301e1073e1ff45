//! What `${COUNTERSIGN_…}` in a bundle's settings stands for when nothing is deployed.

use std::{cell::RefCell, collections::BTreeMap};

/// The beginning of every placeholder's name.
const PREFIX: &str = "COUNTERSIGN_";

/// Well-formed values for the placeholders of the default bundle. The names and addresses are
/// reserved for examples (RFC 2606; AWS's account of its documents).
const SAMPLES: [(&str, &str); 10] = [
    ("COUNTERSIGN_AGENT_AUDIENCE", "countersign"),
    ("COUNTERSIGN_AGENT_ISSUER", "https://agents.example.com"),
    ("COUNTERSIGN_EMAIL_FROM", "countersign@example.com"),
    ("COUNTERSIGN_PERSON_CLIENT_ID", "countersign-approvals"),
    ("COUNTERSIGN_PERSON_ISSUER", "https://people.example.com"),
    ("COUNTERSIGN_SNS_TOPIC", "arn:aws:sns:eu-central-1:111122223333:countersign-requests"),
    ("COUNTERSIGN_TARGET_ACCOUNT", "123456789012"),
    ("COUNTERSIGN_TARGET_APPROVED_ROLE", "arn:aws:iam::123456789012:role/countersign-target-approved"),
    ("COUNTERSIGN_TARGET_AUTO_ROLE", "arn:aws:iam::123456789012:role/countersign-target-auto"),
    ("COUNTERSIGN_TARGET_REGION", "eu-central-1"),
];

/// A value that was given in a form that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholdersError {
    /// Not `NAME=VALUE`.
    #[error("`{0}` is not `NAME=VALUE`, as in `COUNTERSIGN_TARGET_ACCOUNT=123456789012`")]
    Form(String),
    /// No name of a placeholder.
    #[error("`{0}` is no name of a placeholder; they are `COUNTERSIGN_…` with A-Z, 0-9 and _")]
    Name(String),
}

/// Where the values come from, and which samples were taken.
#[derive(Debug, Default)]
pub struct Placeholders {
    given: BTreeMap<String, String>,
    /// Ask the environment, and take no samples.
    environment: bool,
    sampled: RefCell<BTreeMap<String, &'static str>>,
}

impl Placeholders {
    /// The values `given` as `NAME=VALUE` (the name with or without `COUNTERSIGN_`), then those of
    /// the environment if `environment` is set, or else samples.
    ///
    /// # Errors
    /// When a given value has another form.
    pub fn new(given: &[String], environment: bool) -> Result<Self, PlaceholdersError> {
        let mut values = BTreeMap::new();
        for pair in given {
            let (name, value) = pair.split_once('=').ok_or_else(|| PlaceholdersError::Form(pair.clone()))?;
            let short = name.strip_prefix(PREFIX).unwrap_or(name);
            let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
            if short.is_empty() || !short.bytes().all(is_part) {
                return Err(PlaceholdersError::Name(name.to_owned()));
            }
            values.insert(format!("{PREFIX}{short}"), value.to_owned());
        }
        Ok(Self { given: values, environment, sampled: RefCell::default() })
    }

    /// The value of a placeholder; `None` where nobody knows one.
    pub fn value(&self, name: &str) -> Option<String> {
        if let Some(given) = self.given.get(name) {
            return Some(given.clone());
        }
        if self.environment {
            return std::env::var(name).ok();
        }
        let (_, sample) = SAMPLES.into_iter().find(|(known, _)| *known == name)?;
        self.sampled.borrow_mut().insert(name.to_owned(), sample);
        Some(sample.to_owned())
    }

    /// The samples that were taken so far.
    pub fn sampled(&self) -> BTreeMap<String, &'static str> {
        self.sampled.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_wins_and_samples_are_remembered() {
        let given = ["TARGET_ACCOUNT=999988887777".to_owned(), "COUNTERSIGN_SNS_TOPIC=".to_owned()];
        let values = Placeholders::new(&given, false).unwrap();
        assert_eq!(values.value("COUNTERSIGN_TARGET_ACCOUNT").as_deref(), Some("999988887777"));
        assert_eq!(values.value("COUNTERSIGN_SNS_TOPIC").as_deref(), Some(""));
        assert_eq!(values.value("COUNTERSIGN_TARGET_REGION").as_deref(), Some("eu-central-1"));
        assert_eq!(values.value("COUNTERSIGN_SOMETHING_ELSE"), None);
        assert_eq!(values.sampled().into_keys().collect::<Vec<_>>(), ["COUNTERSIGN_TARGET_REGION"]);
        // With the environment, a value that is missing is an error when the bundle loads.
        let strict = Placeholders::new(&[], true).unwrap();
        assert_eq!(strict.value("COUNTERSIGN_NEVER_SET_BY_ANYBODY"), None);
    }

    #[test]
    fn other_forms_are_refused() {
        for bad in ["TARGET_ACCOUNT", "target=1", "=1", "COUNTERSIGN_=1"] {
            assert!(Placeholders::new(&[bad.to_owned()], false).is_err(), "{bad}");
        }
    }
}
