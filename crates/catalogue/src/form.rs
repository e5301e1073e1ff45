//! Reads and writes the forms of the query and ec2 protocols, by the model.

use std::collections::BTreeMap;

use countersign_domain::{Protocol, Value};

use crate::fault::{Fault, FaultKind, Read, deeper};
use crate::model::{Member, MemberTraits, ServiceModel, Shape, Structure, TimeFormat};
use crate::{percent, scalar};

/// More members than any real request has.
const MOST_MEMBERS: usize = 50_000;

type Pairs = Vec<(String, String)>;

/// The pairs of a form or query string, decoded.
///
/// # Errors
/// A fault for a broken escape, text that is not UTF-8, or too many.
pub(crate) fn pairs(text: &str, place: &'static str) -> Read<Pairs> {
    let mut pairs = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = percent::decode_form(key).zip(percent::decode_form(value));
        pairs.push(decoded.ok_or_else(|| Fault::new(FaultKind::BadText(place)))?);
        if pairs.len() > MOST_MEMBERS {
            return Err(Fault::new(FaultKind::TooLarge { what: "members", limit: MOST_MEMBERS }));
        }
    }
    Ok(pairs)
}

/// A form as a tree by the dots in its keys.
#[derive(Default, Debug)]
struct Node {
    value: Option<String>,
    children: BTreeMap<String, Node>,
}

impl Node {
    fn insert(&mut self, key: &str, value: String) -> Read<()> {
        let mut node = self;
        for (depth, step) in key.split('.').enumerate() {
            // Each level of parameters is at most three steps: name, `member`, number.
            deeper(depth / 3)?;
            node = node.children.entry(step.to_owned()).or_default();
        }
        if node.value.replace(value).is_some() {
            return Err(Fault::duplicate_key(key, "the form"));
        }
        Ok(())
    }

    fn take(&mut self, name: &str) -> Option<Node> {
        self.children.remove(name)
    }

    /// Refuses what nobody has taken.
    fn finish(&self) -> Read<()> {
        match self.children.keys().next() {
            None => Ok(()),
            Some(name) => Err(Fault::unknown_member(name)),
        }
    }

    /// The children by number, which must be 1, 2, 3 … without a gap.
    fn numbered(self) -> Read<Vec<Node>> {
        let mut numbers = BTreeMap::new();
        for (name, child) in self.children {
            let is_canonical = name.bytes().all(|byte| byte.is_ascii_digit()) && !name.starts_with('0');
            match name.parse::<usize>() {
                Ok(number) if is_canonical => numbers.insert(number, child),
                _ => return Err(Fault::unknown_member(&name)),
            };
        }
        let whole = self.value.is_none() && numbers.keys().copied().eq(1..=numbers.len());
        if whole { Ok(numbers.into_values().collect()) } else { Err(Fault::wrong_type("a list numbered from 1")) }
    }

    /// Whether it is `Name=`, which stands for an empty collection.
    fn is_empty_collection(&self) -> bool {
        self.value.as_deref() == Some("") && self.children.is_empty()
    }
}

/// The two dialects of forms.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormDialect {
    Query,
    Ec2,
}

impl FormDialect {
    pub(crate) fn of(protocol: Protocol) -> FormDialect {
        if protocol == Protocol::Ec2 { FormDialect::Ec2 } else { FormDialect::Query }
    }
}

/// Reads and writes the forms of one service.
pub(crate) struct Forms<'a> {
    pub(crate) service: &'a ServiceModel,
    pub(crate) dialect: FormDialect,
}

impl Forms<'_> {
    /// The parameters in `pairs`, which are the members of the form without `Action` and `Version`.
    pub(crate) fn read(&self, structure: &Structure, pairs: &[(String, String)]) -> Read<Value> {
        let mut root = Node::default();
        for (key, value) in pairs {
            root.insert(key, value.clone())?;
        }
        let value = self.read_structure(structure, &mut root, deeper(0)?)?;
        root.finish()?;
        Ok(value)
    }

    fn read_structure(&self, structure: &Structure, node: &mut Node, depth: usize) -> Read<Value> {
        let mut members = Vec::new();
        for member in &structure.members {
            let name = self.member_name(member)?;
            if let Some(child) = node.take(&name) {
                let value = self.read_value(member, child, depth).map_err(|fault| fault.within(member.name))?;
                members.push((member.name.to_owned(), value));
            }
        }
        Fault::check_union(structure, &members)?;
        Ok(Value::Record(members))
    }

    fn read_value(&self, member: &Member, mut node: Node, depth: usize) -> Read<Value> {
        match self.service.shape(member.shape)? {
            Shape::Structure(structure) => {
                // `Filter=` stands for a structure without members.
                if node.value.as_deref().is_some_and(|value| !value.is_empty()) {
                    return Err(Fault::wrong_type("a structure"));
                }
                let value = self.read_structure(structure, &mut node, deeper(depth)?)?;
                node.finish()?;
                Ok(value)
            }
            Shape::List(item) => self.read_list(member, item, node, deeper(depth)?),
            Shape::Map { key, value } => self.read_map(member, (key, value), node, deeper(depth)?),
            shape => {
                node.finish()?;
                let text = node.value.ok_or_else(|| Fault::wrong_type(scalar::expected(shape)))?;
                scalar::from_text(shape, time_format(member), &text)
            }
        }
    }

    fn read_list(&self, member: &Member, item: &Member, mut node: Node, depth: usize) -> Read<Value> {
        if node.is_empty_collection() {
            return Ok(Value::List(Vec::new()));
        }
        if let Some(wrapper) = self.list_wrapper(member, item) {
            node = unwrap(node, wrapper, "a list")?;
        }
        let mut items = Vec::new();
        for (place, child) in node.numbered()?.into_iter().enumerate() {
            items.push(self.read_value(item, child, depth).map_err(|fault| fault.within(&format!("[{place}]")))?);
        }
        Ok(Value::List(items))
    }

    fn read_map(&self, member: &Member, (key, value): (&Member, &Member), mut node: Node, depth: usize) -> Read<Value> {
        if node.is_empty_collection() {
            return Ok(Value::Record(Vec::new()));
        }
        if !member.traits.has(MemberTraits::FLATTENED) {
            node = unwrap(node, "entry", "a map")?;
        }
        let mut entries = scalar::Entries::new("the form");
        for mut entry in node.numbered()? {
            let entry_key = entry.take(part_name(key, "key")).and_then(|node| node.value);
            let entry_key = entry_key.ok_or_else(|| Fault::missing("key"))?;
            let entry_value = entry.take(part_name(value, "value")).ok_or_else(|| Fault::missing("value"))?;
            entry.finish()?;
            let value = self.read_value(value, entry_value, depth).map_err(|fault| fault.within(&entry_key))?;
            entries.add(entry_key, value)?;
        }
        Ok(entries.record())
    }

    /// The pairs for the parameters, without `Action` and `Version`.
    pub(crate) fn write(&self, structure: &Structure, value: &Value) -> Read<Pairs> {
        let mut pairs = Vec::new();
        self.write_structure(structure, value, "", deeper(0)?, &mut pairs)?;
        Ok(pairs)
    }

    fn write_structure(
        &self,
        structure: &Structure,
        value: &Value,
        prefix: &str,
        depth: usize,
        pairs: &mut Pairs,
    ) -> Read<()> {
        let members = value.as_record().ok_or_else(|| Fault::wrong_type("a structure"))?;
        for (name, value) in members {
            let Some(member) = structure.member(name) else { return Err(Fault::unknown_member(name)) };
            let wire_name = self.member_name(member)?;
            let key = if prefix.is_empty() { wire_name } else { format!("{prefix}.{wire_name}") };
            self.write_value(member, value, &key, depth, pairs).map_err(|fault| fault.within(name))?;
        }
        Ok(())
    }

    fn write_value(&self, member: &Member, value: &Value, key: &str, depth: usize, pairs: &mut Pairs) -> Read<()> {
        match (self.service.shape(member.shape)?, value) {
            (Shape::Structure(structure), _) => self.write_structure(structure, value, key, deeper(depth)?, pairs),
            (Shape::List(item), Value::List(items)) => {
                let depth = deeper(depth)?;
                if items.is_empty() && self.dialect == FormDialect::Query {
                    pairs.push((key.to_owned(), String::new()));
                }
                let wrapper = self.list_wrapper(member, item).map(|name| format!(".{name}")).unwrap_or_default();
                for (place, item_value) in items.iter().enumerate() {
                    let item_key = format!("{key}{wrapper}.{}", place + 1);
                    self.write_value(item, item_value, &item_key, depth, pairs)
                        .map_err(|fault| fault.within(&format!("[{place}]")))?;
                }
                Ok(())
            }
            (Shape::Map { key: key_member, value: value_member }, Value::Record(entries)) => {
                let depth = deeper(depth)?;
                let wrapper = if member.traits.has(MemberTraits::FLATTENED) { "" } else { ".entry" };
                for (place, (entry_key, entry_value)) in entries.iter().enumerate() {
                    let entry = format!("{key}{wrapper}.{}", place + 1);
                    pairs.push((format!("{entry}.{}", part_name(key_member, "key")), entry_key.clone()));
                    let value_key = format!("{entry}.{}", part_name(value_member, "value"));
                    self.write_value(value_member, entry_value, &value_key, depth, pairs)
                        .map_err(|fault| fault.within(entry_key))?;
                }
                Ok(())
            }
            (shape, _) => {
                pairs.push((key.to_owned(), scalar::to_text(shape, time_format(member), value)?));
                Ok(())
            }
        }
    }

    /// The name of a member in keys.
    fn member_name(&self, member: &Member) -> Read<String> {
        if !member.query_name.is_empty() {
            return Ok(member.query_name.to_owned());
        }
        match self.dialect {
            // EC2 writes location names with a capital.
            FormDialect::Ec2 => Ok(capitalised(member)),
            FormDialect::Query => match self.service.shape(member.shape)? {
                // A flat list goes by the name of its items, if they have one.
                Shape::List(item) if member.traits.has(MemberTraits::FLATTENED) && !item.location_name.is_empty() => {
                    Ok(item.location_name.to_owned())
                }
                _ => Ok(member.wire_name().to_owned()),
            },
        }
    }

    /// What stands between a list's key and the number of an item.
    fn list_wrapper(&self, member: &Member, item: &Member) -> Option<&'static str> {
        if self.dialect == FormDialect::Ec2 || member.traits.has(MemberTraits::FLATTENED) {
            return None;
        }
        Some(if item.location_name.is_empty() { "member" } else { item.location_name })
    }
}

/// The node within `wrapper`, which must be the only child.
fn unwrap(mut node: Node, wrapper: &str, expected: &'static str) -> Read<Node> {
    let inner = node.take(wrapper);
    node.finish()?;
    inner.filter(|_| node.value.is_none()).ok_or_else(|| Fault::wrong_type(expected))
}

fn part_name(member: &Member, usual: &'static str) -> &'static str {
    match (member.query_name, member.location_name) {
        ("", "") => usual,
        ("", location_name) => location_name,
        (query_name, _) => query_name,
    }
}

fn capitalised(member: &Member) -> String {
    if member.location_name.is_empty() {
        return member.name.to_owned();
    }
    let mut letters = member.location_name.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

fn time_format(member: &Member) -> TimeFormat {
    if member.time == TimeFormat::Default { TimeFormat::Iso8601 } else { member.time }
}
