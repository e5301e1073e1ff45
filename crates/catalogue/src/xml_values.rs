//! Between XML elements and values, by the model.

use countersign_domain::Value;

use crate::fault::{Fault, Read, deeper};
use crate::model::{Location, Member, MemberTraits, Namespace, ServiceModel, Shape, Structure, TimeFormat};
use crate::scalar;
use crate::xml::Element;

/// Reads and writes the XML of one service.
pub(crate) struct XmlValues<'a> {
    pub(crate) service: &'a ServiceModel,
}

impl XmlValues<'_> {
    /// The members of `structure` that are in `element`.
    pub(crate) fn structure(&self, structure: &Structure, element: &Element, depth: usize) -> Read<Value> {
        let mut members: Vec<(String, Value)> = Vec::new();
        if !element.text.trim().is_empty() {
            return Err(Fault::wrong_type("a structure"));
        }
        self.check_attributes(structure, element)?;
        for (name, text) in &element.attributes {
            if let Some(member) = attribute_member(structure, name) {
                members.push((member.name.to_owned(), Value::Text(text.clone())));
            }
        }
        for child in &element.children {
            let Some((member, flat)) = self.child_member(structure, child) else {
                return Err(Fault::unknown_member(&child.name));
            };
            let known = members.iter().position(|(name, _)| name == member.name);
            let within = |fault: Box<Fault>| fault.within(member.name);
            if flat {
                let place = known.unwrap_or_else(|| {
                    let empty = if matches!(self.service.shape(member.shape), Ok(Shape::List(_))) {
                        Value::List(Vec::new())
                    } else {
                        Value::Record(Vec::new())
                    };
                    members.push((member.name.to_owned(), empty));
                    members.len() - 1
                });
                if let Some((_, collection)) = members.get_mut(place) {
                    self.add_flat(member, child, collection, deeper(depth)?).map_err(within)?;
                }
            } else if known.is_some() {
                return Err(Fault::duplicate_key(&child.name, "the body"));
            } else {
                members.push((member.name.to_owned(), self.value(member, child, depth).map_err(within)?));
            }
        }
        Fault::check_union(structure, &members)?;
        Ok(Value::Record(members))
    }

    fn check_attributes(&self, structure: &Structure, element: &Element) -> Read<()> {
        let is_known =
            |name: &str| name == "xmlns" || name.starts_with("xmlns:") || attribute_member(structure, name).is_some();
        match element.attributes.iter().find(|(name, _)| !is_known(name)) {
            Some((name, _)) => Err(Fault::unknown_member(name)),
            None => Ok(()),
        }
    }

    /// The member that a child element belongs to, and whether it is one item of a flat collection.
    fn child_member<'m>(&self, structure: &'m Structure, child: &Element) -> Option<(&'m Member, bool)> {
        // S3's old notifications have `Event` and a flat list of `Event`s: the list takes both.
        let mut plain = None;
        for member in &structure.members {
            if member.location != Location::Body || member.traits.has(MemberTraits::XML_ATTRIBUTE) {
                continue;
            }
            let flat = member.traits.has(MemberTraits::FLATTENED)
                && matches!(self.service.shape(member.shape), Ok(Shape::List(_) | Shape::Map { .. }));
            if member.wire_name() == child.local_name() {
                if flat {
                    return Some((member, true));
                }
                plain = Some((member, false));
            }
        }
        plain
    }

    fn add_flat(&self, member: &Member, child: &Element, collection: &mut Value, depth: usize) -> Read<()> {
        match (self.service.shape(member.shape)?, collection) {
            (Shape::List(item), Value::List(items)) => {
                let place = items.len();
                let value = self.value(item, child, depth).map_err(|fault| fault.within(&format!("[{place}]")))?;
                items.push(value);
                Ok(())
            }
            (Shape::Map { key, value }, Value::Record(entries)) => {
                let (key, value) = self.entry(key, value, child, depth)?;
                if entries.iter().any(|(known, _)| *known == key) {
                    return Err(Fault::duplicate_key(&key, "the body"));
                }
                entries.push((key, value));
                Ok(())
            }
            _ => Err(Fault::wrong_type("a list or a map")),
        }
    }

    fn entry(&self, key: &Member, value: &Member, element: &Element, depth: usize) -> Read<(String, Value)> {
        let name_of = |member: &Member, usual: &'static str| {
            if member.location_name.is_empty() { usual } else { member.location_name }
        };
        let (key_name, value_name) = (name_of(key, "key"), name_of(value, "value"));
        let part = |name: &str| {
            let mut found = element.children.iter().filter(|child| child.local_name() == name);
            let first = found.next().ok_or_else(|| Fault::missing(name))?;
            if found.next().is_some() { Err(Fault::duplicate_key(name, "the body")) } else { Ok(first) }
        };
        let key = leaf_text(part(key_name)?)?.to_owned();
        let value = self.value(value, part(value_name)?, depth).map_err(|fault| fault.within(&key))?;
        if element.children.len() != 2 {
            return Err(Fault::wrong_type("a key and a value"));
        }
        Ok((key, value))
    }

    fn value(&self, member: &Member, element: &Element, depth: usize) -> Read<Value> {
        match self.service.shape(member.shape)? {
            Shape::Structure(structure) => self.structure(structure, element, deeper(depth)?),
            Shape::List(item) => {
                let depth = deeper(depth)?;
                let name = if item.location_name.is_empty() { "member" } else { item.location_name };
                let mut items = Vec::new();
                for child in &element.children {
                    if child.local_name() != name {
                        return Err(Fault::unknown_member(&child.name));
                    }
                    let place = items.len();
                    items.push(self.value(item, child, depth).map_err(|fault| fault.within(&format!("[{place}]")))?);
                }
                Ok(Value::List(items))
            }
            Shape::Map { key, value } => {
                let depth = deeper(depth)?;
                let mut entries = scalar::Entries::new("the body");
                for child in &element.children {
                    if child.local_name() != "entry" {
                        return Err(Fault::unknown_member(&child.name));
                    }
                    let (key, value) = self.entry(key, value, child, depth)?;
                    entries.add(key, value)?;
                }
                Ok(entries.record())
            }
            shape => {
                let format = if member.time == TimeFormat::Default { TimeFormat::Iso8601 } else { member.time };
                scalar::from_text(shape, format, leaf_text(element)?)
            }
        }
    }
}

fn leaf_text(element: &Element) -> Read<&str> {
    if element.children.is_empty() { Ok(&element.text) } else { Err(Fault::wrong_type("plain text")) }
}

fn attribute_member<'m>(structure: &'m Structure, name: &str) -> Option<&'m Member> {
    structure.members.iter().find(|member| member.traits.has(MemberTraits::XML_ATTRIBUTE) && member.wire_name() == name)
}

impl XmlValues<'_> {
    /// The element `name` for a structure.
    pub(crate) fn write_structure(
        &self,
        structure: &Structure,
        value: &Value,
        name: &str,
        namespace: Option<usize>,
        depth: usize,
    ) -> Read<Element> {
        let members = value.as_record().ok_or_else(|| Fault::wrong_type("a structure"))?;
        let mut element = self.named(name, namespace);
        for (name, value) in members {
            let Some(member) = structure.member(name) else { return Err(Fault::unknown_member(name)) };
            if member.location != Location::Body {
                continue;
            }
            self.write_member(member, value, depth, &mut element).map_err(|fault| fault.within(name))?;
        }
        Ok(element)
    }

    fn named(&self, name: &str, namespace: Option<usize>) -> Element {
        let mut element = Element { name: name.to_owned(), ..Element::default() };
        if let Some(Namespace { prefix, uri }) = namespace.and_then(|place| self.service.namespaces.get(place)) {
            let attribute = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
            element.attributes.push((attribute, (*uri).to_owned()));
        }
        element
    }

    fn write_member(&self, member: &Member, value: &Value, depth: usize, parent: &mut Element) -> Read<()> {
        if member.traits.has(MemberTraits::XML_ATTRIBUTE) {
            let text = value.as_text().ok_or_else(|| Fault::wrong_type("a string"))?;
            parent.attributes.push((member.wire_name().to_owned(), text.to_owned()));
            return Ok(());
        }
        let flat = member.traits.has(MemberTraits::FLATTENED);
        match (self.service.shape(member.shape)?, value) {
            (Shape::List(item), Value::List(items)) if flat => {
                let depth = deeper(depth)?;
                let name = member.wire_name();
                for item_value in items {
                    parent.children.push(self.write_value(item, item_value, name, depth)?);
                }
            }
            (Shape::Map { key, value: value_member }, Value::Record(entries)) if flat => {
                let depth = deeper(depth)?;
                for (entry_key, entry_value) in entries {
                    let name = member.wire_name();
                    parent.children.push(self.write_entry(
                        (key, entry_key),
                        (value_member, entry_value),
                        name,
                        depth,
                    )?);
                }
            }
            _ => parent.children.push(self.write_value(member, value, member.wire_name(), depth)?),
        }
        Ok(())
    }

    fn write_value(&self, member: &Member, value: &Value, name: &str, depth: usize) -> Read<Element> {
        let mut element = self.named(name, member.namespace.map(usize::from));
        match (self.service.shape(member.shape)?, value) {
            (Shape::Structure(structure), _) => {
                return self.write_structure(structure, value, name, member.namespace.map(usize::from), deeper(depth)?);
            }
            (Shape::List(item), Value::List(items)) => {
                let depth = deeper(depth)?;
                let name = if item.location_name.is_empty() { "member" } else { item.location_name };
                for item_value in items {
                    element.children.push(self.write_value(item, item_value, name, depth)?);
                }
            }
            (Shape::Map { key, value: value_member }, Value::Record(entries)) => {
                let depth = deeper(depth)?;
                for (entry_key, entry_value) in entries {
                    element.children.push(self.write_entry(
                        (key, entry_key),
                        (value_member, entry_value),
                        "entry",
                        depth,
                    )?);
                }
            }
            (shape, _) => {
                let format = if member.time == TimeFormat::Default { TimeFormat::Iso8601 } else { member.time };
                element.text = scalar::to_text(shape, format, value)?;
            }
        }
        Ok(element)
    }

    fn write_entry(
        &self,
        (key_member, key): (&Member, &str),
        (value_member, value): (&Member, &Value),
        name: &str,
        depth: usize,
    ) -> Read<Element> {
        let name_of = |member: &Member, usual: &'static str| {
            if member.location_name.is_empty() { usual } else { member.location_name }
        };
        let mut entry = Element { name: name.to_owned(), ..Element::default() };
        let key_name = name_of(key_member, "key");
        entry.children.push(Element { name: key_name.to_owned(), text: key.to_owned(), ..Element::default() });
        let value_name = name_of(value_member, "value");
        entry.children.push(self.write_value(value_member, value, value_name, depth)?);
        Ok(entry)
    }
}
