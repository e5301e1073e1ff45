//! Items of the two tables: written and read attribute by attribute, strictly.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use countersign_domain::{Digest, Timestamp};

/// An item as the SDK has it.
pub(crate) type Attributes = HashMap<String, AttributeValue>;

/// A key of the authority table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    /// The key of the one item of a partition.
    pub(crate) fn single(prefix: &str, about: &str) -> Self {
        Self::of(prefix, about, "-")
    }

    /// The key of one of several items of a partition.
    pub(crate) fn of(prefix: &str, about: &str, sk: &str) -> Self {
        Self { pk: format!("{prefix}{about}"), sk: sk.to_owned() }
    }

    pub(crate) fn attributes(&self) -> Attributes {
        [("pk".to_owned(), AttributeValue::S(self.pk.clone())), ("sk".to_owned(), AttributeValue::S(self.sk.clone()))]
            .into()
    }
}

/// Puts an item together.
pub(crate) struct ItemWriter(Attributes);

impl ItemWriter {
    pub(crate) fn new(key: &Key) -> Self {
        Self(key.attributes())
    }

    pub(crate) fn put(mut self, name: &str, value: AttributeValue) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn text(self, name: &str, text: impl Into<String>) -> Self {
        self.put(name, AttributeValue::S(text.into()))
    }

    pub(crate) fn number(self, name: &str, number: u64) -> Self {
        self.put(name, number_value(number))
    }

    pub(crate) fn time(self, name: &str, at: Timestamp) -> Self {
        self.number(name, at.as_millis())
    }

    pub(crate) fn bytes(self, name: &str, bytes: &[u8]) -> Self {
        self.put(name, AttributeValue::B(Blob::new(bytes)))
    }

    pub(crate) fn digest(self, name: &str, digest: &Digest) -> Self {
        self.text(name, digest.to_string())
    }

    /// A set of texts; DynamoDB has no empty sets, so an empty one is left out.
    pub(crate) fn texts(self, name: &str, texts: impl IntoIterator<Item = String>) -> Self {
        let texts: Vec<_> = texts.into_iter().collect();
        if texts.is_empty() { self } else { self.put(name, AttributeValue::Ss(texts)) }
    }

    /// When DynamoDB may remove the item. Nothing relies on it.
    pub(crate) fn ttl(self, at: Timestamp) -> Self {
        self.number("ttl", at.as_secs())
    }

    pub(crate) fn build(self) -> Attributes {
        self.0
    }
}

pub(crate) fn number_value(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(crate) fn time_value(at: Timestamp) -> AttributeValue {
    number_value(at.as_millis())
}

/// The attribute that is missing or has another type or form than the table's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadAttribute(pub(crate) &'static str);

/// Reads an item.
pub(crate) struct ItemReader<'a>(pub(crate) &'a Attributes);

impl<'a> ItemReader<'a> {
    pub(crate) fn text(&self, name: &'static str) -> Result<&'a str, BadAttribute> {
        match self.0.get(name) {
            Some(AttributeValue::S(text)) => Ok(text),
            _ => Err(BadAttribute(name)),
        }
    }

    pub(crate) fn optional_text(&self, name: &'static str) -> Result<Option<&'a str>, BadAttribute> {
        if self.0.contains_key(name) { self.text(name).map(Some) } else { Ok(None) }
    }

    /// A text that `parse` takes.
    pub(crate) fn parsed<T, E>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&'a str) -> Result<T, E>,
    ) -> Result<T, BadAttribute> {
        parse(self.text(name)?).map_err(|_| BadAttribute(name))
    }

    pub(crate) fn number(&self, name: &'static str) -> Result<u64, BadAttribute> {
        match self.0.get(name) {
            Some(AttributeValue::N(digits)) => digits.parse().map_err(|_| BadAttribute(name)),
            _ => Err(BadAttribute(name)),
        }
    }

    pub(crate) fn time(&self, name: &'static str) -> Result<Timestamp, BadAttribute> {
        self.number(name).map(Timestamp::from_millis)
    }

    pub(crate) fn bytes(&self, name: &'static str) -> Result<&'a [u8], BadAttribute> {
        match self.0.get(name) {
            Some(AttributeValue::B(blob)) => Ok(blob.as_ref()),
            _ => Err(BadAttribute(name)),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn digest(&self, name: &'static str) -> Result<Digest, BadAttribute> {
        Digest::from_hex(self.text(name)?).ok_or(BadAttribute(name))
    }

    /// A set of binaries that `parse` takes.
    pub(crate) fn binaries<T: Ord>(
        &self,
        name: &'static str,
        parse: impl Fn(&'a [u8]) -> Option<T>,
    ) -> Result<BTreeSet<T>, BadAttribute> {
        match self.0.get(name) {
            None => Ok(BTreeSet::new()),
            Some(AttributeValue::Bs(blobs)) => {
                blobs.iter().map(|blob| parse(blob.as_ref()).ok_or(BadAttribute(name))).collect()
            }
            Some(_) => Err(BadAttribute(name)),
        }
    }

    pub(crate) fn texts<T: Ord, E>(
        &self,
        name: &'static str,
        parse: impl Fn(&'a str) -> Result<T, E>,
    ) -> Result<BTreeSet<T>, BadAttribute> {
        match self.0.get(name) {
            None => Ok(BTreeSet::new()),
            Some(AttributeValue::Ss(texts)) => {
                texts.iter().map(|text| parse(text).map_err(|_| BadAttribute(name))).collect()
            }
            Some(_) => Err(BadAttribute(name)),
        }
    }
}
