//! Reads the parameters of a rest-json or rest-xml request from path, query, headers and body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use countersign_domain::{Protocol, Value};

use crate::fault::{Fault, FaultKind, Read, deeper};
use crate::model::{Location, Member, MemberTraits, Operation, ServiceModel, Shape, Structure, Text, TimeFormat};
use crate::xml_values::XmlValues;
use crate::{headers, json, scalar, xml};

/// The parts of a request that its operation was found by.
pub(crate) struct Parts<'a> {
    pub(crate) protocol: Protocol,
    pub(crate) labels: &'a [(Text, String)],
    /// Without the literals of the template.
    pub(crate) query: &'a [(String, String)],
    pub(crate) headers: &'a [(String, String)],
    pub(crate) body: &'a Bytes,
    pub(crate) from_chunked: bool,
}

/// The parameters of `operation`.
pub(crate) fn read(service: &ServiceModel, operation: &Operation, input: &Structure, parts: &Parts<'_>) -> Read<Value> {
    let mut members = Vec::new();
    for member in &input.members {
        let value = match member.location {
            Location::Label => read_label(service, member, parts.labels)?,
            Location::Query => read_query(service, input, member, parts.query)?,
            Location::Header => read_header(service, member, parts)?,
            Location::Headers => read_header_family(member, parts.headers)?,
            Location::Body | Location::Status => None,
        };
        members.extend(value.map(|value| (member.name.to_owned(), value)));
    }
    if let Some(payload) = input.payload.and_then(|place| input.members.get(place)) {
        let value = read_payload(service, payload, parts).map_err(|fault| fault.within(payload.name))?;
        members.extend(value.map(|value| (payload.name.to_owned(), value)));
    } else {
        members.extend(read_body(service, operation, input, parts)?);
    }
    Ok(Value::Record(members))
}

fn read_label(service: &ServiceModel, member: &Member, labels: &[(Text, String)]) -> Read<Option<Value>> {
    let Some((_, text)) = labels.iter().find(|(name, _)| *name == member.wire_name()) else { return Ok(None) };
    read_plain(service, member, TimeFormat::Iso8601, text).map(Some)
}

fn read_plain(service: &ServiceModel, member: &Member, usual: TimeFormat, text: &str) -> Read<Value> {
    let format = if member.time == TimeFormat::Default { usual } else { member.time };
    scalar::from_text(service.shape(member.shape)?, format, text).map_err(|fault| fault.within(member.name))
}

fn read_query(
    service: &ServiceModel,
    input: &Structure,
    member: &Member,
    query: &[(String, String)],
) -> Read<Option<Value>> {
    let of_key = |key: &'static str| query.iter().filter(move |(name, _)| name == key).map(|(_, value)| value);
    match service.shape(member.shape)? {
        Shape::List(item) => {
            let items: Read<Vec<Value>> =
                of_key(member.wire_name()).map(|text| read_plain(service, item, TimeFormat::Iso8601, text)).collect();
            let items = items.map_err(|fault| fault.within(member.name))?;
            Ok((!items.is_empty()).then_some(Value::List(items)))
        }
        Shape::Map { value, .. } => read_query_map(service, input, value, query),
        _ => {
            let mut found = of_key(member.wire_name());
            let Some(text) = found.next() else { return Ok(None) };
            if found.next().is_some() {
                return Err(Fault::duplicate_key(member.wire_name(), "the query"));
            }
            read_plain(service, member, TimeFormat::Iso8601, text).map(Some)
        }
    }
}

/// A map takes every key that no other member declares.
fn read_query_map(
    service: &ServiceModel,
    input: &Structure,
    value: &Member,
    query: &[(String, String)],
) -> Read<Option<Value>> {
    let is_declared = |key: &str| {
        let is_map = |member: &Member| matches!(service.shape(member.shape), Ok(Shape::Map { .. }));
        input
            .members
            .iter()
            .any(|member| member.location == Location::Query && member.wire_name() == key && !is_map(member))
    };
    let lists = matches!(service.shape(value.shape)?, Shape::List(_));
    let mut entries: Vec<(String, Value)> = Vec::new();
    for (key, text) in query.iter().filter(|(key, _)| !is_declared(key)) {
        match entries.iter_mut().find(|(known, _)| known == key) {
            Some((_, Value::List(items))) if lists => items.push(Value::Text(text.clone())),
            Some(_) => return Err(Fault::duplicate_key(key, "the query")),
            None if lists => entries.push((key.clone(), Value::List(vec![Value::Text(text.clone())]))),
            None => entries.push((key.clone(), Value::Text(text.clone()))),
        }
    }
    Ok((!entries.is_empty()).then_some(Value::Record(entries)))
}

fn read_header(service: &ServiceModel, member: &Member, parts: &Parts<'_>) -> Read<Option<Value>> {
    let name = member.wire_name().to_ascii_lowercase();
    let mut found = parts.headers.iter().filter(|(known, _)| *known == name).map(|(_, value)| value.as_str());
    let Some(mut text) = found.next() else { return Ok(None) };
    if found.next().is_some() {
        return Err(Fault::duplicate_key(&name, "the headers"));
    }
    // The length is that of the body which is sent, whoever sends it.
    if name == "content-length" {
        return Ok(None);
    }
    let without_framing;
    if name == "content-encoding" && parts.from_chunked {
        // What is left is stored as it was sent, spaces and all.
        let codings = text.split(',').filter(|coding| !matches!(coding.trim(), "" | "aws-chunked"));
        without_framing = codings.collect::<Vec<_>>().join(",");
        if without_framing.trim().is_empty() {
            return Ok(None);
        }
        text = &without_framing;
    }
    let text = text.trim();
    if member.traits.has(MemberTraits::JSON_VALUE) {
        let decoded = STANDARD.decode(text).map_err(|_| Fault::wrong_type("JSON in base64").within(member.name))?;
        return json::read_document(&decoded).map(Some);
    }
    match service.shape(member.shape)? {
        Shape::List(item) => {
            let items = split_list(text).ok_or_else(|| Fault::wrong_type("a list").within(member.name))?;
            let items: Read<Vec<Value>> =
                items.iter().map(|text| read_plain(service, item, TimeFormat::Rfc822, text)).collect();
            items.map(|items| Some(Value::List(items)))
        }
        // botocore wrote Python's words into headers for years; what is sent on is in small letters.
        Shape::Boolean if text == "True" || text == "False" => Ok(Some(Value::Bool(text == "True"))),
        _ => read_plain(service, member, TimeFormat::Rfc822, text).map(Some),
    }
}

/// The items of a header list; an item with a comma or a quote is in quotes.
fn split_list(text: &str) -> Option<Vec<String>> {
    let mut items = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut item = String::new();
            let mut characters = quoted.char_indices();
            let end = loop {
                match characters.next()? {
                    (place, '"') => break place,
                    (_, '\\') => match characters.next()?.1 {
                        escaped @ ('"' | '\\') => item.push(escaped),
                        other => item.extend(['\\', other]),
                    },
                    (_, other) => item.push(other),
                }
            };
            items.push(item);
            rest = quoted.get(end + 1..)?.trim_start();
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (item, after) = rest.split_at_checked(end)?;
            items.push(item.trim_end().to_owned());
            rest = after;
        }
        if rest.is_empty() {
            return Some(items);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

fn read_header_family(member: &Member, all: &[(String, String)]) -> Read<Option<Value>> {
    let mut entries = scalar::Entries::new("the headers");
    let mut any = false;
    for (name, value) in all.iter().filter(|(name, _)| headers::declares(member, name)) {
        let key = name.get(member.location_name.len()..).unwrap_or_default();
        entries.add(key.to_owned(), Value::Text(value.trim().to_owned())).map_err(|fault| fault.within(member.name))?;
        any = true;
    }
    Ok(any.then(|| entries.record()))
}

fn read_payload(service: &ServiceModel, payload: &Member, parts: &Parts<'_>) -> Read<Option<Value>> {
    let shape = service.shape(payload.shape)?;
    if parts.body.is_empty() {
        return Ok(None);
    }
    match shape {
        Shape::Blob if payload.traits.has(MemberTraits::STREAMING) => {
            Ok(Some(Value::Stream { length: parts.body.len() as u64 }))
        }
        Shape::Blob => Ok(Some(Value::Blob(parts.body.clone()))),
        Shape::Text => {
            let text = std::str::from_utf8(parts.body).map_err(|_| Fault::new(FaultKind::BadText("the body")))?;
            Ok(Some(Value::Text(text.to_owned())))
        }
        Shape::Structure(structure) if parts.protocol == Protocol::RestXml => {
            let root = xml::read(parts.body)?;
            if root.local_name() != payload.wire_name() {
                return Err(Fault::unknown_member(&root.name));
            }
            let values = XmlValues { service };
            values.structure(structure, &root, deeper(deeper(0)?)?).map(Some)
        }
        // `{}` stands for no payload, as botocore sends it.
        Shape::Structure(structure) => json::read_structure(service, structure, parts.body).map(|value| {
            let is_empty = value.as_record().is_some_and(<[_]>::is_empty);
            (!is_empty || payload.traits.has(MemberTraits::REQUIRED)).then_some(value)
        }),
        Shape::Document => json::read_document(parts.body).map(Some),
        _ => Err(Fault::new(FaultKind::Damaged("a payload is neither structure, document, text nor blob"))),
    }
}

/// The members of the body where no single member is the payload.
fn read_body(
    service: &ServiceModel,
    operation: &Operation,
    input: &Structure,
    parts: &Parts<'_>,
) -> Read<Vec<(String, Value)>> {
    if parts.body.is_empty() {
        return Ok(Vec::new());
    }
    if !input.members.iter().any(|member| member.location == Location::Body) {
        // Some clients send `{}` for nothing.
        let says_nothing =
            parts.protocol == Protocol::RestJson && json::read_structure(service, input, parts.body).is_ok();
        return if says_nothing { Ok(Vec::new()) } else { Err(Fault::new(FaultKind::UnexpectedBody)) };
    }
    let value = if parts.protocol == Protocol::RestXml {
        let root = xml::read(parts.body)?;
        if root.local_name() != operation.input_root {
            return Err(Fault::unknown_member(&root.name));
        }
        XmlValues { service }.structure(input, &root, deeper(0)?)?
    } else {
        json::read_structure(service, input, parts.body)?
    };
    match value {
        Value::Record(members) => Ok(members),
        _ => Ok(Vec::new()),
    }
}
