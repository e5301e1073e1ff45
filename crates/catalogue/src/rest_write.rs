//! Writes a rest-json or rest-xml request from its parameters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use countersign_domain::{Protocol, Value};

use crate::fault::{Fault, FaultKind, Read, deeper};
use crate::model::{Location, Member, MemberTraits, Operation, ServiceModel, Shape, Structure, TimeFormat};
use crate::template::{Segment, Template};
use crate::xml_values::XmlValues;
use crate::{json_write, percent, scalar, xml};

/// A request under way.
#[derive(Default, Debug)]
pub(crate) struct Written {
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// Whether the body is a structure, written by us, rather than the caller's bytes.
    pub(crate) structured: bool,
}

/// The request for `parameters`; `stream` is the body where the payload is a stream.
pub(crate) fn write(
    service: &ServiceModel,
    operation: &Operation,
    input: Option<&Structure>,
    parameters: &Value,
    protocol: Protocol,
    stream: &Bytes,
) -> Read<Written> {
    let template = Template::parse(operation.uri);
    let mut written = Written::default();
    written.query.extend(template.literals.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    written.path = write_path(service, input, &template, parameters)?;
    let members = parameters.as_record().ok_or_else(|| Fault::wrong_type("a structure"))?;
    let Some(input) = input else { return Ok(written) };
    for (name, value) in members {
        let Some(member) = input.member(name) else { return Err(Fault::unknown_member(name)) };
        if *value == Value::Null {
            continue;
        }
        match member.location {
            Location::Query => write_query(service, member, value, &mut written.query),
            Location::Header => write_header(service, member, value, &mut written.headers),
            Location::Headers => write_header_family(member, value, &mut written.headers),
            Location::Label | Location::Body | Location::Status => Ok(()),
        }
        .map_err(|fault| fault.within(name))?;
    }
    write_body(service, operation, input, parameters, (protocol, stream), &mut written)?;
    Ok(written)
}

fn write_path(
    service: &ServiceModel,
    input: Option<&Structure>,
    template: &Template,
    parameters: &Value,
) -> Read<String> {
    let mut path = String::new();
    for segment in &template.segments {
        path.push('/');
        let (name, greedy) = match segment {
            Segment::Literal(text) => {
                path.push_str(text);
                continue;
            }
            Segment::Label(name) => (name, false),
            Segment::Greedy(name) => (name, true),
        };
        let is_label = |member: &&Member| member.location == Location::Label && member.wire_name() == *name;
        let member = input.and_then(|input| input.members.iter().find(is_label));
        let member = member.ok_or_else(|| Fault::new(FaultKind::Damaged("a label has no member")))?;
        let value = parameters.get(member.name).ok_or_else(|| Fault::missing(member.name))?;
        let text =
            write_plain(service, member, TimeFormat::Iso8601, value).map_err(|fault| fault.within(member.name))?;
        // An empty label would be another path, and a dot segment may be taken away on the way.
        if text.is_empty() {
            return Err(Fault::missing(member.name));
        }
        if !greedy && (text == "." || text == "..") {
            return Err(Fault::wrong_type("no dot segment").within(member.name));
        }
        percent::encode(&text, greedy, &mut path);
    }
    Ok(path)
}

fn write_plain(service: &ServiceModel, member: &Member, usual: TimeFormat, value: &Value) -> Read<String> {
    let format = if member.time == TimeFormat::Default { usual } else { member.time };
    scalar::to_text(service.shape(member.shape)?, format, value)
}

fn write_query(service: &ServiceModel, member: &Member, value: &Value, query: &mut Vec<(String, String)>) -> Read<()> {
    match (service.shape(member.shape)?, value) {
        (Shape::List(item), Value::List(items)) => {
            for item_value in items {
                let text = write_plain(service, item, TimeFormat::Iso8601, item_value)?;
                query.push((member.wire_name().to_owned(), text));
            }
        }
        (Shape::Map { value: value_member, .. }, Value::Record(entries)) => {
            for (key, entry_value) in entries {
                match (service.shape(value_member.shape)?, entry_value) {
                    (Shape::List(item), Value::List(items)) => {
                        for item_value in items {
                            query.push((key.clone(), write_plain(service, item, TimeFormat::Iso8601, item_value)?));
                        }
                    }
                    _ => {
                        query.push((key.clone(), write_plain(service, value_member, TimeFormat::Iso8601, entry_value)?))
                    }
                }
            }
        }
        _ => query.push((member.wire_name().to_owned(), write_plain(service, member, TimeFormat::Iso8601, value)?)),
    }
    Ok(())
}

/// A header value that cannot end the header.
fn safe(text: String) -> Read<String> {
    let is_safe = text.bytes().all(|byte| (b' '..0x7f).contains(&byte) || byte == b'\t' || byte >= 0x80);
    if is_safe { Ok(text) } else { Err(Fault::new(FaultKind::BadText("a header"))) }
}

fn write_header(
    service: &ServiceModel,
    member: &Member,
    value: &Value,
    headers: &mut Vec<(String, String)>,
) -> Read<()> {
    let name = member.wire_name().to_ascii_lowercase();
    if name == "content-length" {
        return Ok(());
    }
    if member.traits.has(MemberTraits::JSON_VALUE) {
        headers.push((name, STANDARD.encode(json_write::write_document(value)?)));
        return Ok(());
    }
    let text = match (service.shape(member.shape)?, value) {
        (Shape::List(_), Value::List(items)) if items.is_empty() => return Ok(()),
        (Shape::List(item), Value::List(items)) => {
            let text = |value| write_plain(service, item, TimeFormat::Rfc822, value).map(|text| quoted(&text));
            items.iter().map(text).collect::<Read<Vec<String>>>()?.join(",")
        }
        _ => write_plain(service, member, TimeFormat::Rfc822, value)?,
    };
    headers.push((name, safe(text)?));
    Ok(())
}

fn quoted(text: &str) -> String {
    if text.contains(['"', ',']) {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        text.to_owned()
    }
}

fn write_header_family(member: &Member, value: &Value, headers: &mut Vec<(String, String)>) -> Read<()> {
    let entries = value.as_record().ok_or_else(|| Fault::wrong_type("a map"))?;
    for (key, value) in entries {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!#$%&'*+^`|~".contains(&byte);
        if key.is_empty() || !key.bytes().all(is_token) {
            return Err(Fault::new(FaultKind::BadText("a header name")));
        }
        let text = value.as_text().ok_or_else(|| Fault::wrong_type("a string"))?;
        let name = format!("{}{key}", member.location_name).to_ascii_lowercase();
        if headers.iter().any(|(known, _)| *known == name) {
            return Err(Fault::duplicate_key(key, "the headers"));
        }
        headers.push((name, safe(text.to_owned())?));
    }
    Ok(())
}

fn write_body(
    service: &ServiceModel,
    operation: &Operation,
    input: &Structure,
    parameters: &Value,
    (protocol, stream): (Protocol, &Bytes),
    written: &mut Written,
) -> Read<()> {
    let xml = protocol == Protocol::RestXml;
    if let Some(payload) = input.payload.and_then(|place| input.members.get(place)) {
        let value = parameters.get(payload.name).filter(|value| **value != Value::Null);
        return write_payload(service, payload, value, (xml, stream), written)
            .map_err(|fault| fault.within(payload.name));
    }
    let in_body = |member: &&Member| member.location == Location::Body;
    let is_set = |member: &Member| parameters.get(member.name).is_some_and(|value| *value != Value::Null);
    if xml {
        if input.members.iter().filter(in_body).any(is_set) {
            let values = XmlValues { service };
            let namespace = operation.input_namespace;
            let root = values.write_structure(input, parameters, operation.input_root, namespace, deeper(0)?)?;
            written.body = xml_body(&root);
            written.structured = true;
        }
    } else if input.members.iter().any(|member| in_body(&member)) {
        json_body(json_write::write_structure(service, input, parameters)?, written);
    }
    Ok(())
}

fn write_payload(
    service: &ServiceModel,
    payload: &Member,
    value: Option<&Value>,
    (xml, stream): (bool, &Bytes),
    written: &mut Written,
) -> Read<()> {
    let shape = service.shape(payload.shape)?;
    match (shape, value) {
        (_, Some(Value::Stream { length })) => {
            if *length != stream.len() as u64 {
                return Err(Fault::wrong_type("a stream of the length that was stated"));
            }
            written.body = stream.clone();
        }
        (Shape::Blob, Some(Value::Blob(bytes))) => written.body = bytes.clone(),
        (Shape::Text, Some(Value::Text(text))) => written.body = Bytes::from(text.clone()),
        (Shape::Blob | Shape::Text, None) => {}
        (Shape::Structure(structure), Some(value)) if xml => {
            let values = XmlValues { service };
            let depth = deeper(deeper(0)?)?;
            let root = values.write_structure(
                structure,
                value,
                payload.wire_name(),
                payload.namespace.map(usize::from),
                depth,
            )?;
            written.body = xml_body(&root);
            written.structured = true;
        }
        (Shape::Structure(structure), Some(value)) => {
            json_body(json_write::write_structure(service, structure, value)?, written);
        }
        (Shape::Document, Some(value)) => json_body(json_write::write_document(value)?.into_bytes(), written),
        (_, None) if xml => {}
        (_, None) => json_body(b"{}".to_vec(), written),
        _ => return Err(Fault::wrong_type(scalar::expected(shape))),
    }
    Ok(())
}

fn xml_body(root: &xml::Element) -> Bytes {
    let mut out = String::new();
    xml::write(root, &mut out);
    Bytes::from(out)
}

fn json_body(body: Vec<u8>, written: &mut Written) {
    written.body = Bytes::from(body);
    written.structured = true;
    if !written.headers.iter().any(|(name, _)| name == "content-type") {
        written.headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
}
