//! AWS's answers: every text in them is offered to a mask, by its path in the model.
//!
//! The answer is decoded as a tree of its own protocol, walked along the model, and written again
//! only if something was replaced. What the model does not know counts as sensitive, and what
//! cannot be decoded is an error: it must not be passed on.

mod headers;
mod markup;
mod tree;

use bytes::Bytes;
use countersign_domain::Protocol;

use crate::catalogue::Catalogue;
use crate::fault::Fault;
use crate::model::{Member, MemberTraits, Operation, OperationTraits, ServiceModel, Shape, Structure};
use crate::{cbor, cbor_write, json, json_write};
use tree::TreeWalk;

/// Something in an answer that a mask may replace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leaf<'a> {
    /// Its path by documented names, as in `Credentials.SecretAccessKey` or `Items[].Key`.
    pub path: &'a str,
    /// What is there.
    pub content: LeafContent<'a>,
    /// Whether AWS or the reviewed supplement marks it or anything around it as sensitive, or the
    /// model does not know it.
    pub sensitive: bool,
}

/// The content of a [`Leaf`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LeafContent<'a> {
    /// A string.
    Text(&'a str),
    /// Bytes, decoded; a replacement's UTF-8 takes their place.
    Blob(&'a [u8]),
    /// A number, boolean or timestamp; any replacement makes it zero, false or the epoch.
    Plain,
}

/// Decides what takes the place of a leaf; `None` leaves it.
pub type Mask<'m> = dyn FnMut(&Leaf<'_>) -> Option<String> + 'm;

/// Why an answer cannot be masked; it must then not be passed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MaskError {
    /// There is no such operation.
    #[error("the catalogue has no `{0}`")]
    UnknownOperation(String),
    /// The body is compressed, which was not asked for.
    #[error("the answer has the content encoding `{0}`")]
    ContentEncoding(String),
    /// The answer is an event stream.
    #[error("the answer is an event stream")]
    EventStream,
    /// The body is not what the protocol and the model say.
    #[error("the answer cannot be decoded: {0}")]
    Undecodable(String),
}

impl From<Box<Fault>> for MaskError {
    fn from(fault: Box<Fault>) -> Self {
        MaskError::Undecodable(fault.refusal("the answer", "").message())
    }
}

/// What an answer is one of.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// The service id.
    pub service: &'a str,
    /// The operation.
    pub operation: &'a str,
    /// The protocol of the call.
    pub protocol: Protocol,
}

/// The part of the model that an answer is walked along.
struct Side<'m> {
    service: &'m ServiceModel,
    operation: &'m Operation,
    protocol: Protocol,
    /// The structure, if it is known.
    structure: Option<&'m Structure>,
}

impl Catalogue {
    /// Offers every string, blob and sensitive number of an answer to `mask`, and gives the body
    /// with what it replaced. Headers are masked in place, and those that no longer fit a changed
    /// body are dropped. A streamed body (S3 GetObject) is given as it is.
    ///
    /// # Errors
    /// [`MaskError`] when the answer cannot be decoded.
    pub fn mask_response(
        &self,
        answered: &Answered<'_>,
        status: u16,
        response_headers: &mut Vec<(String, String)>,
        body: &Bytes,
        mask: &mut Mask<'_>,
    ) -> Result<Bytes, MaskError> {
        let name = || format!("{}:{}", answered.service, answered.operation);
        let (service, operation) =
            self.operation(answered.service, answered.operation).ok_or_else(|| MaskError::UnknownOperation(name()))?;
        let service = service.model();
        refuse_encoding(response_headers)?;
        let is_success = (200..300).contains(&status);
        let structure = if is_success { operation.output.map(|id| service.structure(id)).transpose()? } else { None };
        let side = Side { service, operation, protocol: answered.protocol, structure };
        if is_success && operation.traits.has(OperationTraits::EVENT_OUTPUT) {
            return Err(MaskError::EventStream);
        }
        if let Some(structure) = structure {
            headers::mask(service, structure, response_headers, mask)?;
        }
        let masked = if is_success { side.success(body, mask)? } else { side.error(response_headers, body, mask)? };
        if masked != *body {
            headers::fit_to(response_headers, masked.len());
        }
        Ok(masked)
    }

    /// The paths of the members of an operation's answer that are sensitive, as AWS or the reviewed
    /// supplement marks them. A shape that contains itself is followed once.
    pub fn sensitive_output(&self, service: &str, operation: &str) -> Vec<String> {
        let Some((service, operation)) = self.operation(service, operation) else { return Vec::new() };
        let mut found = Vec::new();
        if let Some(output) = operation.output {
            collect(service.model(), output, "", &mut Vec::new(), &mut found);
        }
        found.sort();
        found.dedup();
        found
    }
}

fn collect(service: &ServiceModel, shape: usize, path: &str, within: &mut Vec<usize>, found: &mut Vec<String>) {
    if within.contains(&shape) {
        return;
    }
    within.push(shape);
    let mut each = |member: &Member, path: String| {
        if member.traits.has(MemberTraits::SENSITIVE) {
            found.push(path);
        } else {
            collect(service, member.shape, &path, within, found);
        }
    };
    match service.shapes.get(shape) {
        Some(Shape::Structure(structure)) => {
            for member in &structure.members {
                each(member, joined(path, member.name));
            }
        }
        Some(Shape::List(item)) => each(item, format!("{path}[]")),
        Some(Shape::Map { value, .. }) => each(value, format!("{path}{{}}")),
        _ => {}
    }
    within.pop();
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn refuse_encoding(headers: &[(String, String)]) -> Result<(), MaskError> {
    let coded = |name: &str, value: &str| name == "content-encoding" && !matches!(value.trim(), "" | "identity");
    match headers.iter().find(|(name, value)| coded(name, value)) {
        // The encoding of a stored object is a header member of its answer, and its body a stream.
        Some((_, value)) if value.trim() != "aws-chunked" => Err(MaskError::ContentEncoding(value.clone())),
        _ => Ok(()),
    }
}

impl Side<'_> {
    fn success(&self, body: &Bytes, mask: &mut Mask<'_>) -> Result<Bytes, MaskError> {
        let Some(structure) = self.structure else {
            // The model has no answer: whatever comes is not known, so it counts as sensitive.
            return self.unmodelled(body, true, mask);
        };
        let is_rest = matches!(self.protocol, Protocol::RestJson | Protocol::RestXml);
        let payload = structure.payload.and_then(|place| structure.members.get(place)).filter(|_| is_rest);
        let Some(payload) = payload else {
            return if body.is_empty() { Ok(Bytes::new()) } else { self.structure(structure, "", false, body, mask) };
        };
        if body.is_empty() {
            return Ok(Bytes::new());
        }
        let sensitive = payload.traits.has(MemberTraits::SENSITIVE);
        match self.service.shape(payload.shape)? {
            Shape::Blob if payload.traits.has(MemberTraits::STREAMING) => Ok(body.clone()),
            Shape::Blob => {
                let leaf = Leaf { path: payload.name, content: LeafContent::Blob(body), sensitive };
                Ok(mask(&leaf).map_or_else(|| body.clone(), Bytes::from))
            }
            Shape::Text => self.text(payload.name, sensitive, body, mask),
            Shape::Structure(inner) => self.structure(inner, payload.name, sensitive, body, mask),
            _ => self.document(payload.name, sensitive, body, mask),
        }
    }

    fn structure(
        &self,
        structure: &Structure,
        path: &str,
        sensitive: bool,
        body: &Bytes,
        mask: &mut Mask<'_>,
    ) -> Result<Bytes, MaskError> {
        let mut walk = TreeWalk::new(self.service, mask);
        match self.protocol {
            Protocol::Json | Protocol::RestJson => {
                let mut value = json::read_document(body)?;
                walk.structure(structure, &mut value, path, sensitive)?;
                if walk.changed { Ok(Bytes::from(json_write::write_document(&value)?)) } else { Ok(body.clone()) }
            }
            Protocol::RpcV2Cbor => {
                let mut value = cbor::read_document(body)?;
                walk.structure(structure, &mut value, path, sensitive)?;
                if walk.changed { Ok(Bytes::from(cbor_write::write_document(&value)?)) } else { Ok(body.clone()) }
            }
            Protocol::Query | Protocol::Ec2 | Protocol::RestXml => {
                markup::mask(self, structure, path, sensitive, body, mask)
            }
        }
    }

    /// A body in the protocol's own notation, of which the model says nothing.
    fn document(&self, path: &str, sensitive: bool, body: &Bytes, mask: &mut Mask<'_>) -> Result<Bytes, MaskError> {
        let mut walk = TreeWalk::new(self.service, mask);
        match self.protocol {
            Protocol::Json | Protocol::RestJson => {
                let mut value = json::read_document(body)?;
                walk.anything(&mut value, path, sensitive)?;
                if walk.changed { Ok(Bytes::from(json_write::write_document(&value)?)) } else { Ok(body.clone()) }
            }
            Protocol::RpcV2Cbor => {
                let mut value = cbor::read_document(body)?;
                walk.anything(&mut value, path, sensitive)?;
                if walk.changed { Ok(Bytes::from(cbor_write::write_document(&value)?)) } else { Ok(body.clone()) }
            }
            Protocol::Query | Protocol::Ec2 | Protocol::RestXml => markup::mask_anything(path, sensitive, body, mask),
        }
    }

    fn unmodelled(&self, body: &Bytes, sensitive: bool, mask: &mut Mask<'_>) -> Result<Bytes, MaskError> {
        if body.is_empty() {
            return Ok(Bytes::new());
        }
        // Query wraps every answer, also that of an operation without output.
        let sensitive = sensitive && !matches!(self.protocol, Protocol::Query | Protocol::Ec2);
        self.document("", sensitive, body, mask)
    }

    fn text(&self, path: &str, sensitive: bool, body: &Bytes, mask: &mut Mask<'_>) -> Result<Bytes, MaskError> {
        let text = std::str::from_utf8(body).map_err(|_| MaskError::Undecodable("not UTF-8".to_owned()))?;
        let leaf = Leaf { path, content: LeafContent::Text(text), sensitive };
        Ok(mask(&leaf).map_or_else(|| body.clone(), Bytes::from))
    }

    /// An error: by its modelled shape if its code is known, else by its texts alone.
    fn error(&self, headers: &[(String, String)], body: &Bytes, mask: &mut Mask<'_>) -> Result<Bytes, MaskError> {
        if body.is_empty() {
            return Ok(Bytes::new());
        }
        if let Some(structure) = self.error_structure(headers, body)
            && let Ok(masked) = self.structure(structure, "", false, body, mask)
        {
            return Ok(masked);
        }
        match self.document("", false, body, mask) {
            // Load balancers answer in plain text or HTML.
            Err(_) => self.text("", false, body, mask),
            masked => masked,
        }
    }

    fn error_structure(&self, headers: &[(String, String)], body: &Bytes) -> Option<&Structure> {
        let header = headers.iter().find(|(name, _)| name == "x-amzn-errortype").map(|(_, value)| value.clone());
        let in_body = || match self.protocol {
            Protocol::Json | Protocol::RestJson => {
                json::read_document(body).ok()?.get("__type")?.as_text().map(str::to_owned)
            }
            Protocol::RpcV2Cbor => cbor::read_document(body).ok()?.get("__type")?.as_text().map(str::to_owned),
            Protocol::Query | Protocol::Ec2 | Protocol::RestXml => None,
        };
        let code = header.or_else(in_body)?;
        let code = code.split(':').next().unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default();
        let error = self.service.errors.iter().find(|error| error.code == code)?;
        self.service.structure(error.shape).ok()
    }

    /// The element around the output, if the protocol has one.
    fn result_wrapper(&self) -> &'static str {
        if self.protocol == Protocol::Query { self.operation.result_wrapper } else { "" }
    }
}
