//! Walks an XML answer along the model.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::{Leaf, LeafContent, Mask, MaskError, Side, joined};
use crate::fault::Read;
use crate::model::{Location, Member, MemberTraits, ServiceModel, Shape, Structure};
use crate::xml::{self, Element};

/// Masks the body of a query, ec2 or rest-xml answer.
pub(super) fn mask(
    side: &Side<'_>,
    structure: &Structure,
    path: &str,
    sensitive: bool,
    body: &Bytes,
    mask: &mut Mask<'_>,
) -> Result<Bytes, MaskError> {
    let mut root = xml::read(body)?;
    let mut walk = Walk { service: side.service, mask, changed: false };
    match side.result_wrapper() {
        "" => walk.structure(structure, &mut root, path, sensitive)?,
        wrapper => {
            for child in &mut root.children {
                if child.local_name() == wrapper {
                    walk.structure(structure, child, path, sensitive)?;
                } else {
                    walk.anything(child, child.local_name().to_owned().as_str(), sensitive)?;
                }
            }
        }
    }
    Ok(walk.written(&root, body))
}

/// Masks an XML body of which the model says nothing.
pub(super) fn mask_anything(
    path: &str,
    sensitive: bool,
    body: &Bytes,
    mask: &mut Mask<'_>,
) -> Result<Bytes, MaskError> {
    let mut root = xml::read(body)?;
    let mut walk = Walk { service: &NOTHING, mask, changed: false };
    walk.anything(&mut root, path, sensitive)?;
    Ok(walk.written(&root, body))
}

static NOTHING: ServiceModel = ServiceModel {
    id: "",
    service_id: "",
    full_name: "",
    api_version: "",
    signing_name: "",
    protocols: Vec::new(),
    target_prefix: "",
    json_version: "",
    query_compatible: false,
    signing: crate::model::Signing::SigV4,
    xml_namespace: "",
    access_denied: "",
    operations: Vec::new(),
    shapes: crate::model::Shapes::of(Vec::new()),
    endpoints: Vec::new(),
    errors: Vec::new(),
    namespaces: Vec::new(),
};

struct Walk<'w, 'm> {
    service: &'w ServiceModel,
    mask: &'w mut Mask<'m>,
    changed: bool,
}

/// What a child element is to the structure around it.
enum Found<'s> {
    Member(&'s Member),
    /// One item or entry of a flat collection.
    Flat(&'s Member),
}

impl Walk<'_, '_> {
    fn written(&self, root: &Element, body: &Bytes) -> Bytes {
        if !self.changed {
            return body.clone();
        }
        let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
        xml::write(root, &mut out);
        Bytes::from(out)
    }

    fn structure(
        &mut self,
        structure: &Structure,
        element: &mut Element,
        path: &str,
        sensitive: bool,
    ) -> Result<(), MaskError> {
        for (name, value) in &mut element.attributes {
            if name != "xmlns" && !name.starts_with("xmlns:") {
                self.text(value, &joined(path, name), sensitive);
            }
        }
        for child in &mut element.children {
            match self.found(structure, child)? {
                Some(Found::Member(member)) => self.member(member, child, &joined(path, member.name), sensitive)?,
                Some(Found::Flat(member)) => {
                    let sensitive = sensitive || member.traits.has(MemberTraits::SENSITIVE);
                    let path = joined(path, member.name);
                    match self.service.shape(member.shape)? {
                        Shape::List(item) => self.member(item, child, &format!("{path}[]"), sensitive)?,
                        Shape::Map { value, .. } => self.entry(value, child, &format!("{path}{{}}"), sensitive)?,
                        _ => self.anything(child, &path, true)?,
                    }
                }
                None => {
                    // Every answer has these beside what the model says.
                    let name = child.local_name().to_owned();
                    let is_envelope =
                        matches!(name.as_str(), "ResponseMetadata" | "RequestId" | "requestId" | "HostId");
                    self.anything(child, &joined(path, &name), sensitive || !is_envelope)?;
                }
            }
        }
        Ok(())
    }

    fn found<'s>(&self, structure: &'s Structure, child: &Element) -> Read<Option<Found<'s>>> {
        let mut plain = None;
        for member in structure.members.iter().filter(|member| member.location == Location::Body) {
            let shape = self.service.shape(member.shape)?;
            let flat =
                member.traits.has(MemberTraits::FLATTENED) && matches!(shape, Shape::List(_) | Shape::Map { .. });
            let name = match shape {
                _ if flat && !member.query_name.is_empty() => member.query_name,
                Shape::List(item) if flat && !item.location_name.is_empty() => item.location_name,
                _ => member.wire_name(),
            };
            if name == child.local_name() && flat {
                return Ok(Some(Found::Flat(member)));
            }
            if name == child.local_name() {
                plain = Some(Found::Member(member));
            }
        }
        Ok(plain)
    }

    fn member(&mut self, member: &Member, element: &mut Element, path: &str, sensitive: bool) -> Result<(), MaskError> {
        let sensitive = sensitive || member.traits.has(MemberTraits::SENSITIVE);
        match self.service.shape(member.shape)? {
            Shape::Structure(structure) => self.structure(structure, element, path, sensitive),
            Shape::List(item) => {
                let path = format!("{path}[]");
                element.children.iter_mut().try_for_each(|child| self.member(item, child, &path, sensitive))
            }
            Shape::Map { value, .. } => {
                let path = format!("{path}{{}}");
                element.children.iter_mut().try_for_each(|child| self.entry(value, child, &path, sensitive))
            }
            Shape::Blob => self.base64(element, path, sensitive),
            Shape::Text | Shape::Document => self.anything(element, path, sensitive),
            plain => {
                let zero = match plain {
                    Shape::Boolean => "false",
                    Shape::Timestamp => "1970-01-01T00:00:00Z",
                    _ => "0",
                };
                let leaf = Leaf { path, content: LeafContent::Plain, sensitive };
                if sensitive && (self.mask)(&leaf).is_some() {
                    zero.clone_into(&mut element.text);
                    self.changed = true;
                }
                Ok(())
            }
        }
    }

    /// A key and a value; the key is the first of the two.
    fn entry(&mut self, value: &Member, element: &mut Element, path: &str, sensitive: bool) -> Result<(), MaskError> {
        for (place, child) in element.children.iter_mut().enumerate() {
            if place == 0 {
                self.anything(child, path, false)?;
            } else {
                self.member(value, child, path, sensitive)?;
            }
        }
        Ok(())
    }

    fn base64(&mut self, element: &mut Element, path: &str, sensitive: bool) -> Result<(), MaskError> {
        let bytes = STANDARD
            .decode(element.text.trim())
            .map_err(|_| MaskError::Undecodable(format!("`{path}` is no base64")))?;
        if let Some(replacement) = (self.mask)(&Leaf { path, content: LeafContent::Blob(&bytes), sensitive }) {
            element.text = STANDARD.encode(replacement);
            self.changed = true;
        }
        Ok(())
    }

    fn text(&mut self, text: &mut String, path: &str, sensitive: bool) {
        if text.trim().is_empty() {
            return;
        }
        if let Some(replacement) = (self.mask)(&Leaf { path, content: LeafContent::Text(text), sensitive }) {
            *text = replacement;
            self.changed = true;
        }
    }

    fn anything(&mut self, element: &mut Element, path: &str, sensitive: bool) -> Result<(), MaskError> {
        for (name, value) in &mut element.attributes {
            if name != "xmlns" && !name.starts_with("xmlns:") {
                self.text(value, &joined(path, name), sensitive);
            }
        }
        self.text(&mut element.text, path, sensitive);
        for child in &mut element.children {
            let path = joined(path, child.local_name());
            self.anything(child, &path, sensitive)?;
        }
        Ok(())
    }
}
