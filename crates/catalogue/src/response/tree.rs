//! Walks a JSON or CBOR tree along the model.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use countersign_domain::Value;

use super::{Leaf, LeafContent, Mask, MaskError, joined};
use crate::model::{Location, Member, MemberTraits, ServiceModel, Shape, Structure};

/// A walk with what it changed.
pub(super) struct TreeWalk<'w, 'm> {
    service: &'w ServiceModel,
    mask: &'w mut Mask<'m>,
    pub(super) changed: bool,
}

impl<'w, 'm> TreeWalk<'w, 'm> {
    pub(super) fn new(service: &'w ServiceModel, mask: &'w mut Mask<'m>) -> Self {
        Self { service, mask, changed: false }
    }

    pub(super) fn structure(
        &mut self,
        structure: &Structure,
        value: &mut Value,
        path: &str,
        sensitive: bool,
    ) -> Result<(), MaskError> {
        let Value::Record(members) = value else { return self.anything(value, path, true) };
        for (name, value) in members {
            let found =
                structure.members.iter().find(|member| member.location == Location::Body && member.wire_name() == name);
            match found {
                Some(member) => self.member(member, value, &joined(path, member.name), sensitive)?,
                // The error's type and text, and what AWS added after the models were published.
                None => {
                    let is_envelope = matches!(name.as_str(), "__type" | "message" | "Message" | "code" | "Code");
                    self.anything(value, &joined(path, name), sensitive || !is_envelope)?;
                }
            }
        }
        Ok(())
    }

    fn member(&mut self, member: &Member, value: &mut Value, path: &str, sensitive: bool) -> Result<(), MaskError> {
        let sensitive = sensitive || member.traits.has(MemberTraits::SENSITIVE);
        match (self.service.shape(member.shape)?, value) {
            (_, Value::Null) => Ok(()),
            (Shape::Structure(structure), value) => self.structure(structure, value, path, sensitive),
            (Shape::List(item), Value::List(items)) => {
                let path = format!("{path}[]");
                items.iter_mut().try_for_each(|value| self.member(item, value, &path, sensitive))
            }
            (Shape::Map { value: value_member, .. }, Value::Record(entries)) => {
                let path = format!("{path}{{}}");
                for (key, value) in entries {
                    self.key(key, &path, sensitive);
                    self.member(value_member, value, &path, sensitive)?;
                }
                Ok(())
            }
            (Shape::Blob, Value::Text(text)) => self.base64(text, path, sensitive),
            (_, value) => self.anything(value, path, sensitive),
        }
    }

    /// A blob in base64, as JSON has it.
    fn base64(&mut self, text: &mut String, path: &str, sensitive: bool) -> Result<(), MaskError> {
        let bytes =
            STANDARD.decode(text.as_bytes()).map_err(|_| MaskError::Undecodable(format!("`{path}` is no base64")))?;
        if let Some(replacement) = (self.mask)(&Leaf { path, content: LeafContent::Blob(&bytes), sensitive }) {
            *text = STANDARD.encode(replacement);
            self.changed = true;
        }
        Ok(())
    }

    /// A key of a map is text too, though it is seldom the secret: a whole map that is sensitive
    /// keeps its keys, as in environment variables.
    fn key(&mut self, key: &mut String, path: &str, _: bool) {
        if let Some(replacement) = (self.mask)(&Leaf { path, content: LeafContent::Text(key), sensitive: false }) {
            *key = replacement;
            self.changed = true;
        }
    }

    /// A value of which the model says nothing.
    pub(super) fn anything(&mut self, value: &mut Value, path: &str, sensitive: bool) -> Result<(), MaskError> {
        let replaced = match &mut *value {
            Value::Null => None,
            Value::List(items) => {
                let path = format!("{path}[]");
                return items.iter_mut().try_for_each(|value| self.anything(value, &path, sensitive));
            }
            Value::Record(members) => {
                for (name, value) in members {
                    let path = joined(path, name);
                    self.key(name, &path, sensitive);
                    self.anything(value, &path, sensitive)?;
                }
                return Ok(());
            }
            Value::Text(text) => {
                (self.mask)(&Leaf { path, content: LeafContent::Text(text), sensitive }).map(Value::Text)
            }
            Value::Blob(bytes) => (self.mask)(&Leaf { path, content: LeafContent::Blob(bytes), sensitive })
                .map(|replacement| Value::Blob(Bytes::from(replacement))),
            plain => {
                let zero = match plain {
                    Value::Bool(_) => Value::Bool(false),
                    Value::Timestamp { .. } => Value::Timestamp { seconds: 0, nanoseconds: 0 },
                    _ => Value::Integer(0),
                };
                let leaf = Leaf { path, content: LeafContent::Plain, sensitive };
                if sensitive { (self.mask)(&leaf).map(|_| zero) } else { None }
            }
        };
        if let Some(replaced) = replaced {
            *value = replaced;
            self.changed = true;
        }
        Ok(())
    }
}
