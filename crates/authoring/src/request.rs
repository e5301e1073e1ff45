//! From a service, an operation and parameters to the call that the gateway would understand.
//!
//! Nothing is assumed: the request is written by the catalogue as a client would, and read again by the very code that
//! the gateway reads requests with.

use std::collections::BTreeMap;

use bytes::Bytes;
use countersign_catalogue::{
    Catalogue, Endpoint, WireRequest,
    model::{MemberTraits, Shape},
};
use countersign_domain::{Call, Value, settings::Target};
use countersign_policy::nearest;
use countersign_understanding::{Refusal, understand};

/// Why there is no call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no such operation.
    #[error("there is no operation `{name}`; {fix}")]
    UnknownOperation {
        /// As given.
        name: String,
        /// What to do.
        fix: String,
    },
    /// The parameters do not fit the operation.
    #[error("the parameters do not fit: {0}")]
    Parameters(countersign_catalogue::Refusal),
    /// A body was given to an operation that takes none as a stream.
    #[error("`{0}` takes no streamed body; write it as a parameter")]
    NoStream(String),
    /// The gateway refuses the request.
    #[error("the gateway refuses the request: {0}")]
    Refused(Refusal),
    /// The request means another operation: the same bytes have two names.
    #[error("the gateway reads this request as `{read}`, not `{wanted}`; the same bytes mean both")]
    OtherOperation {
        /// What it is read as.
        read: String,
        /// What was asked for.
        wanted: String,
    },
}

/// A request as bytes, for input that no client would send.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRequest {
    /// The HTTP method; `POST` when absent.
    pub method: Option<String>,
    /// The path, percent-encoded; `/` when absent.
    pub path: Option<String>,
    /// The query without `?`.
    #[serde(default)]
    pub query: String,
    /// Headers, names in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    pub body: String,
    /// The name of the service that the request is signed for.
    pub service: String,
    /// What stands before the gateway's host: a bucket.
    #[serde(default)]
    pub host_prefix: String,
}

/// The service id and the operation that `name` (`dynamodb:PutItem`) is. The service may also be named as clients sign
/// for it (`states` for Step Functions).
///
/// # Errors
/// [`CallError::UnknownOperation`], with the nearest name.
pub fn operation_named(name: &str) -> Result<(&'static str, &'static str), CallError> {
    let catalogue = Catalogue::embedded();
    let unknown = |fix: String| CallError::UnknownOperation { name: name.to_owned(), fix };
    let Some((service, operation)) = name.split_once(':') else {
        return Err(unknown("write `service:Operation`, as in `dynamodb:PutItem`".to_owned()));
    };
    let named = catalogue.services().iter().filter(|entry| entry.id == service || entry.signing_name == service);
    let mut named: Vec<&'static str> = named.map(|entry| entry.id).collect();
    named.sort_by_key(|id| (*id != service, *id));
    if let Some(found) = named.iter().find_map(|id| Some((*id, catalogue.operation(id, operation)?.1.name))) {
        return Ok(found);
    }
    let near = match named.first() {
        Some(id) => {
            let operations = catalogue.service(id).map(|service| service.model().operations.as_slice());
            let names = operations.unwrap_or_default().iter().map(|operation| operation.name);
            nearest(operation, names).map(|near| format!("{id}:{near}"))
        }
        None => {
            let names = catalogue.services().iter().flat_map(|entry| [entry.id, entry.signing_name]);
            nearest(service, names).map(|near| format!("{near}:{operation}"))
        }
    };
    Err(unknown(match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "services are named as in the AWS CLI and boto3, operations as in AWS's API references".to_owned(),
    }))
}

/// The call of an operation with parameters in JSON (documented names, blobs in base64), as the gateway understands it
/// on `target`; `body` is the payload where that is a stream.
///
/// # Errors
/// [`CallError`].
pub fn call_of(
    name: &str,
    parameters: &[u8],
    body: Option<&str>,
    region: &str,
    target: &Target,
) -> Result<Call, CallError> {
    let catalogue = Catalogue::embedded();
    let (service, operation) = operation_named(name)?;
    let mut parameters =
        catalogue.parameters_from_json(service, operation, parameters).map_err(CallError::Parameters)?;
    let body = body.map(|body| Bytes::from(body.to_owned()));
    if let (Some(body), Value::Record(members)) = (&body, &mut parameters) {
        let member = stream_member(service, operation).ok_or_else(|| CallError::NoStream(name.to_owned()))?;
        members.push((member.to_owned(), Value::Stream { length: body.len() as u64 }));
    }
    let outgoing = catalogue.serialise(service, operation, None, &parameters, body).map_err(CallError::Parameters)?;
    let signing_name = catalogue.service(service).map_or(service, |service| service.model().signing_name);
    let request = WireRequest {
        method: &outgoing.method,
        path: &outgoing.path,
        query: &outgoing.query,
        headers: &outgoing.headers,
        body: outgoing.body.clone(),
        signing_name,
        signing_region: region,
        host_prefix: "",
        from_chunked: false,
        body_is_signed: true,
        endpoint: Endpoint::OfService(service),
    };
    let call = understand(&request, target).map_err(CallError::Refused)?;
    if (call.service.as_str(), call.operation.as_str()) != (service, operation) {
        return Err(CallError::OtherOperation { read: call.name(), wanted: format!("{service}:{operation}") });
    }
    Ok(call)
}

/// The member of an operation's input that is a stream of bytes.
fn stream_member(service: &str, operation: &str) -> Option<&'static str> {
    let (service, operation) = Catalogue::embedded().operation(service, operation)?;
    let Shape::Structure(input) = service.model().shapes.get(operation.input?)? else { return None };
    let payload = input.members.get(input.payload?)?;
    payload.traits.has(MemberTraits::STREAMING).then_some(payload.name)
}

/// The call that a request of bytes is, as the gateway understands it on `target`.
///
/// # Errors
/// [`CallError::Refused`].
pub fn understand_raw(raw: &RawRequest, region: &str, target: &Target) -> Result<Call, CallError> {
    let headers: Vec<_> = raw.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    let request = WireRequest {
        method: raw.method.as_deref().unwrap_or("POST"),
        path: raw.path.as_deref().unwrap_or("/"),
        query: &raw.query,
        headers: &headers,
        body: Bytes::from(raw.body.clone()),
        signing_name: &raw.service,
        signing_region: region,
        host_prefix: &raw.host_prefix,
        from_chunked: false,
        body_is_signed: true,
        endpoint: Endpoint::Any,
    };
    understand(&request, target).map_err(CallError::Refused)
}
