//! Writes a request from its typed parameters, in every protocol.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use countersign_domain::{OutgoingRequest, Protocol, Value};
use sha2::{Digest, Sha256, Sha512};

use crate::catalogue::Catalogue;
use crate::fault::{Fault, Read};
use crate::form::{FormDialect, Forms};
use crate::model::{Operation, OperationTraits, ServiceModel, Structure};
use crate::rest_write::Written;
use crate::service::Service;
use crate::template::{self, Template};
use crate::{Refusal, cbor_write, json, json_write, percent, rest_write};

impl Catalogue {
    /// The request for an operation with these parameters, in `protocol` or the one that the
    /// service prefers. `body` is the payload where that is a stream.
    ///
    /// # Errors
    /// [`Refusal`] when there is no such operation or protocol, or the parameters do not fit.
    pub fn serialise(
        &self,
        service: &str,
        operation: &str,
        protocol: Option<Protocol>,
        parameters: &Value,
        body: Option<Bytes>,
    ) -> Result<OutgoingRequest, Refusal> {
        let (service, operation, protocol) = self.named(service, operation, protocol)?;
        self.write(service, operation, protocol, parameters, &body.unwrap_or_default())
    }

    /// The parameters of an operation from JSON text, as people and tools write them: documented
    /// names, blobs in base64, timestamps as numbers or text.
    ///
    /// # Errors
    /// [`Refusal`] when there is no such operation, or the parameters do not fit.
    pub fn parameters_from_json(&self, service: &str, operation: &str, text: &[u8]) -> Result<Value, Refusal> {
        let (service, operation, _) = self.named(service, operation, None)?;
        let refused = |fault: Box<Fault>| self.refused(&fault, service, operation);
        match service.input(operation).map_err(refused)? {
            Some(input) => json::read_parameters(service.model(), input, text).map_err(refused),
            None => Ok(Value::Record(Vec::new())),
        }
    }

    /// The request for an operation with parameters in JSON.
    ///
    /// # Errors
    /// As [`Catalogue::parameters_from_json`] and [`Catalogue::serialise`].
    pub fn serialise_json(
        &self,
        service: &str,
        operation: &str,
        protocol: Option<Protocol>,
        parameters: &[u8],
    ) -> Result<OutgoingRequest, Refusal> {
        let parameters = self.parameters_from_json(service, operation, parameters)?;
        self.serialise(service, operation, protocol, &parameters, None)
    }

    fn named(
        &self,
        service: &str,
        operation: &str,
        protocol: Option<Protocol>,
    ) -> Result<(&Service, &Operation, Protocol), Refusal> {
        let unknown = |what: String| Refusal::UnknownOperation {
            signing_name: service.to_owned(),
            what,
            version: self.version().to_owned(),
        };
        let (found, model) =
            self.operation(service, operation).ok_or_else(|| unknown(format!("`{service}:{operation}`")))?;
        let offered = &found.model().protocols;
        let protocol = match protocol {
            None => offered.first().copied(),
            Some(wanted) => offered.iter().copied().find(|offered| *offered == wanted),
        };
        Ok((found, model, protocol.ok_or_else(|| unknown("the protocol".to_owned()))?))
    }

    fn refused(&self, fault: &Fault, service: &Service, operation: &Operation) -> Refusal {
        fault.refusal(&format!("{}:{}", service.model().id, operation.name), self.version())
    }

    pub(crate) fn write(
        &self,
        service: &Service,
        operation: &Operation,
        protocol: Protocol,
        parameters: &Value,
        stream: &Bytes,
    ) -> Result<OutgoingRequest, Refusal> {
        let refused = |fault: Box<Fault>| self.refused(&fault, service, operation);
        let input = service.input(operation).map_err(refused)?;
        let model = service.model();
        if input.is_none() && parameters.as_record().is_none_or(|members| !members.is_empty()) {
            return Err(refused(Fault::unknown_member("input")));
        }
        let mut written = match protocol {
            Protocol::Json => json_request(model, operation, input, parameters),
            Protocol::RpcV2Cbor => cbor_request(model, operation, input, parameters),
            Protocol::Query | Protocol::Ec2 => form_request(model, operation, input, parameters, protocol),
            Protocol::RestJson | Protocol::RestXml => {
                rest_write::write(model, operation, input, parameters, protocol, stream)
            }
        }
        .map_err(refused)?;
        if matches!(protocol, Protocol::RestJson | Protocol::RestXml) && !leads_here(service, operation, &written.path)
        {
            return Err(Refusal::BadTarget { problem: "written anew, the path would lead to another operation" });
        }
        add_service_headers(model, operation, &mut written);
        add_checksum(operation, parameters, &mut written).map_err(refused)?;
        written.headers.sort();
        let method = match protocol {
            Protocol::RestJson | Protocol::RestXml => operation.method,
            _ => "POST",
        };
        Ok(OutgoingRequest {
            method: method.to_owned(),
            path: written.path,
            query: query_text(&written.query),
            headers: written.headers,
            body: written.body,
        })
    }
}

/// Whether a path with the parameters in it still leads where it was made for. A label that takes slashes may hold what
/// is another operation's path, or segments that are taken away on the way.
fn leads_here(service: &Service, operation: &Operation, path: &str) -> bool {
    // A key of S3 may be anything, and what it is the key of comes before it.
    if service.model().id == "s3" || !operation.uri.contains("+}") {
        return true;
    }
    let Some(parts) = template::segments(path) else { return false };
    if template::check_segments(&parts, false).is_err() {
        return false;
    }
    let own = Template::parse(operation.uri);
    let at_path = service.operations().filter(|(other, _)| other.method == operation.method);
    let at_path = at_path.map(|(_, template)| template).filter(|template| template.matches(&parts).is_some());
    at_path.min_by_key(|template| template.rank()).is_some_and(|best| best.rank() == own.rank())
}

fn header(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn json_request(
    model: &ServiceModel,
    operation: &Operation,
    input: Option<&Structure>,
    parameters: &Value,
) -> Read<Written> {
    let body = match input {
        Some(input) => json_write::write_structure(model, input, parameters)?,
        None => b"{}".to_vec(),
    };
    let mut headers = vec![
        header("content-type", format!("application/x-amz-json-{}", model.json_version)),
        header("x-amz-target", format!("{}.{}", model.target_prefix, operation.name)),
    ];
    if model.query_compatible {
        headers.push(header("x-amzn-query-mode", "true"));
    }
    Ok(Written { path: "/".to_owned(), headers, body: Bytes::from(body), ..Written::default() })
}

fn cbor_request(
    model: &ServiceModel,
    operation: &Operation,
    input: Option<&Structure>,
    parameters: &Value,
) -> Read<Written> {
    let accept = if operation.traits.has(OperationTraits::EVENT_OUTPUT) {
        "application/vnd.amazon.eventstream"
    } else {
        "application/cbor"
    };
    let mut headers = vec![header("accept", accept), header("smithy-protocol", "rpc-v2-cbor")];
    let mut body = Vec::new();
    // Smithy RPC v2: no input, no body and no content type.
    if let Some(input) = input {
        body = cbor_write::write_structure(model, input, parameters)?;
        headers.push(header("content-type", "application/cbor"));
    }
    if model.query_compatible {
        headers.push(header("x-amzn-query-mode", "true"));
    }
    let path = format!("/service/{}/operation/{}", model.target_prefix, operation.name);
    Ok(Written { path, headers, body: Bytes::from(body), ..Written::default() })
}

fn form_request(
    model: &ServiceModel,
    operation: &Operation,
    input: Option<&Structure>,
    parameters: &Value,
    protocol: Protocol,
) -> Read<Written> {
    let mut pairs = vec![header("Action", operation.name), header("Version", model.api_version)];
    if let Some(input) = input {
        pairs.extend(Forms { service: model, dialect: FormDialect::of(protocol) }.write(input, parameters)?);
    }
    let body: Vec<String> =
        pairs.iter().map(|(key, value)| format!("{}={}", percent::encoded(key), percent::encoded(value))).collect();
    let headers = vec![header("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    Ok(Written { path: "/".to_owned(), headers, body: Bytes::from(body.join("&")), ..Written::default() })
}

/// What botocore adds for one service or kind of operation.
fn add_service_headers(model: &ServiceModel, operation: &Operation, written: &mut Written) {
    if operation.traits.has(OperationTraits::ENDPOINT_OPERATION) {
        written.headers.push(header("x-amz-api-version", model.api_version));
    }
    match model.id {
        // API Gateway answers in HAL unless told otherwise.
        "apigateway" if !written.headers.iter().any(|(name, _)| name == "accept") => {
            written.headers.push(header("accept", "application/json"));
        }
        "glacier" => written.headers.push(header("x-amz-glacier-version", model.api_version)),
        _ => {}
    }
}

/// A checksum of the body that is sent, where the operation wants one: the caller's was of the
/// body that was not.
fn add_checksum(operation: &Operation, parameters: &Value, written: &mut Written) -> Read<()> {
    let required = operation.traits.has(OperationTraits::CHECKSUM_REQUIRED);
    let asked = match operation.checksum_member {
        "" => None,
        member => parameters.get(member).and_then(Value::as_text),
    };
    if written.structured {
        written.headers.retain(|(name, _)| name != "content-md5");
    }
    let has_own =
        written.headers.iter().any(|(name, _)| name.starts_with("x-amz-checksum-") && !name.ends_with("-type"));
    let wanted = required || (asked.is_some() && written.structured);
    if !wanted || (has_own && !written.structured) {
        return Ok(());
    }
    let algorithm = asked.unwrap_or("CRC32");
    let body = &written.body;
    let (name, value) = match algorithm {
        "CRC32" => ("crc32", STANDARD.encode(crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(body).to_be_bytes())),
        "CRC32C" => ("crc32c", STANDARD.encode(crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(body).to_be_bytes())),
        "CRC64NVME" => {
            ("crc64nvme", STANDARD.encode(crc::Crc::<u64>::new(&crc::CRC_64_NVME).checksum(body).to_be_bytes()))
        }
        "SHA1" => ("sha1", STANDARD.encode(sha1::Sha1::digest(body))),
        "SHA256" => ("sha256", STANDARD.encode(Sha256::digest(body))),
        "SHA512" => ("sha512", STANDARD.encode(Sha512::digest(body))),
        _ => {
            return Err(
                Fault::wrong_type("CRC32, CRC32C, CRC64NVME, SHA1, SHA256 or SHA512").within(operation.checksum_member)
            );
        }
    };
    let name = format!("x-amz-checksum-{name}");
    written.headers.retain(|(known, _)| *known != name);
    written.headers.push((name, value));
    Ok(())
}

fn query_text(query: &[(String, String)]) -> String {
    let pairs: Vec<String> = query
        .iter()
        .map(|(key, value)| {
            let key = percent::encoded(key);
            // Subresources of S3 go without `=`, as every SDK sends them.
            if value.is_empty() && !key.contains('%') { key } else { format!("{key}={}", percent::encoded(value)) }
        })
        .collect();
    pairs.join("&")
}
