//! From a verified request to a call: identify, read, check, resolve the host, write anew.

use bytes::Bytes;
use countersign_domain::value::MAX_DEPTH;
use countersign_domain::{Protocol, Upstream, Value};

use crate::catalogue::Catalogue;
use crate::fault::{Fault, Read};
use crate::form::{FormDialect, Forms};
use crate::identify::{Candidate, identify};
use crate::model::{MemberTraits, OperationTraits, Signing, Structure};
use crate::{
    Place, Refusal, Understood, WireRequest, alias, cbor, headers, inflate, json, queue_url, rest_read, upstream,
};

/// A candidate whose parameters could be read.
pub(crate) struct Reading<'c> {
    pub(crate) candidate: Candidate<'c>,
    pub(crate) parameters: Value,
    pub(crate) upstream: Upstream,
    body: Bytes,
}

impl Catalogue {
    /// Understands a verified request, or says why not.
    ///
    /// # Errors
    /// [`Refusal`], each reason its own. What is refused must not be sent.
    pub fn understand(&self, request: &WireRequest<'_>, place: &Place) -> Result<Understood, Refusal> {
        let candidates = identify(self, request)?;
        let mut readings = Vec::new();
        let mut first_refusal = None;
        for candidate in candidates {
            match self.reading(candidate, request, place) {
                Ok(reading) => readings.push(reading),
                Err(refusal) => {
                    first_refusal.get_or_insert(refusal);
                }
            }
        }
        if readings.is_empty() {
            return Err(first_refusal.unwrap_or(Refusal::DamagedCatalogue { what: "no candidate" }));
        }
        let (reading, aliases) = alias::choose(self, readings, request)?;
        self.understood(reading, aliases)
    }

    fn reading<'c>(
        &self,
        candidate: Candidate<'c>,
        request: &WireRequest<'_>,
        place: &Place,
    ) -> Result<Reading<'c>, Refusal> {
        let (service, operation) = (candidate.service, candidate.operation);
        let model = service.model();
        let version = self.version();
        let refused = |fault: Box<Fault>| fault.refusal(&candidate.name(), version);
        let input = service.input(operation).map_err(refused)?;
        headers::check(model, operation, input, request.headers, request.from_chunked, version)?;
        if operation.traits.has(OperationTraits::EVENT_INPUT) {
            return Err(Refusal::EventStreamInput { operation: candidate.name() });
        }
        match model.signing {
            Signing::SigV4 => {}
            Signing::SigV2 => {
                return Err(Refusal::UnsupportedSigning { operation: candidate.name(), scheme: "signature version 2" });
            }
            Signing::Bearer => {
                return Err(Refusal::UnsupportedSigning { operation: candidate.name(), scheme: "a bearer token" });
            }
        }
        if !request.body_is_signed && !may_leave_body_unsigned(&candidate, request.signing_name) {
            return Err(Refusal::UnsignedBody { operation: candidate.name() });
        }
        let body = self.body(&candidate, input, request)?;
        let parameters = parameters(&candidate, input, request, &body).map_err(refused)?;
        check_host_prefix(&candidate, &parameters, request.host_prefix)?;
        let upstream = self.upstream(service, operation, &parameters, place, request.signing_region)?;
        let parameters = queue_url::with_own_host(service, parameters, &upstream.host);
        Ok(Reading { candidate, parameters, upstream, body })
    }

    /// The body out of its content encoding, if the operation takes a body at all.
    pub(crate) fn body(
        &self,
        candidate: &Candidate<'_>,
        input: Option<&Structure>,
        request: &WireRequest<'_>,
    ) -> Result<Bytes, Refusal> {
        let encoding = headers::content_encoding(request.headers, request.from_chunked)?;
        let declared =
            input.is_some_and(|input| input.members.iter().any(|member| headers::declares(member, "content-encoding")));
        match encoding.as_str() {
            "" | "identity" => Ok(request.body.clone()),
            // The encoding is the stored object's, and the bytes are the caller's.
            _ if declared => Ok(request.body.clone()),
            "gzip" if candidate.operation.traits.has(OperationTraits::COMPRESSION) => inflate::gzip(&request.body),
            _ => Err(Refusal::ContentEncoding { encoding }),
        }
    }

    fn understood(&self, reading: Reading<'_>, aliases: Vec<(String, String)>) -> Result<Understood, Refusal> {
        let Reading { candidate, parameters, upstream, body } = reading;
        let (service, operation) = (candidate.service, candidate.operation);
        let outgoing = self.write(service, operation, candidate.protocol, &parameters, &body)?;
        let input = service.input(operation).ok().flatten();
        let idempotency_member = input
            .and_then(|input| input.members.iter().find(|member| member.traits.has(MemberTraits::IDEMPOTENCY_TOKEN)))
            .map(|member| member.name.to_owned());
        let idempotency_token = idempotency_member
            .as_deref()
            .and_then(|name| parameters.get(name))
            .and_then(Value::as_text)
            .map(str::to_owned);
        let has = |bits| operation.traits.has(bits);
        Ok(Understood {
            service: service.model().id.to_owned(),
            operation: operation.name.to_owned(),
            protocol: candidate.protocol,
            aliases,
            outgoing,
            upstream,
            idempotency_member,
            idempotency_token,
            unsigned: has(OperationTraits::UNSIGNED),
            read_only: has(OperationTraits::READ_ONLY),
            idempotent: has(OperationTraits::IDEMPOTENT),
            streaming_output: has(OperationTraits::STREAM_OUTPUT),
            event_stream_output: has(OperationTraits::EVENT_OUTPUT),
            parameters,
        })
    }
}

/// Whether clients leave the body of this operation unsigned: everywhere in the S3 family, and else where the model says
/// so. There the body is a stream, and path and headers, which are signed, name the resource.
fn may_leave_body_unsigned(candidate: &Candidate<'_>, signing_name: &str) -> bool {
    matches!(signing_name, "s3" | "s3-object-lambda" | "s3-outposts" | "s3express")
        || candidate.operation.traits.has(OperationTraits::UNSIGNED_PAYLOAD)
}

// INVARIANT: no parser recurses deeper than this, so that recursion over a value is bounded.
const _: () = assert!(MAX_DEPTH <= 64);

pub(crate) fn parameters(
    candidate: &Candidate<'_>,
    input: Option<&Structure>,
    request: &WireRequest<'_>,
    body: &Bytes,
) -> Read<Value> {
    let service = candidate.service.model();
    let nothing = || Ok(Value::Record(Vec::new()));
    match candidate.protocol {
        Protocol::Json => match input {
            // Some clients send `{}` for no input, some nothing.
            _ if body.is_empty() => nothing(),
            Some(input) => json::read_structure(service, input, body),
            None => json::read_structure(service, &NO_MEMBERS, body),
        },
        Protocol::RpcV2Cbor => match input {
            _ if body.is_empty() => nothing(),
            Some(input) => cbor::read_structure(service, input, body),
            None => cbor::read_structure(service, &NO_MEMBERS, body),
        },
        Protocol::Query | Protocol::Ec2 => {
            let forms = Forms { service, dialect: FormDialect::of(candidate.protocol) };
            forms.read(input.unwrap_or(&NO_MEMBERS), &candidate.form)
        }
        Protocol::RestJson | Protocol::RestXml => {
            let parts = rest_read::Parts {
                protocol: candidate.protocol,
                labels: &candidate.labels,
                query: &candidate.query,
                headers: request.headers,
                body: if candidate.body_is_query { &NO_BYTES } else { body },
                from_chunked: request.from_chunked,
            };
            rest_read::read(service, candidate.operation, input.unwrap_or(&NO_MEMBERS), &parts)
        }
    }
}

static NO_BYTES: Bytes = Bytes::new();
static NO_MEMBERS: Structure = Structure { members: Vec::new(), payload: None, event_stream: false, union: false };

/// The labels in front of the base host are those of the operation, or none: clients can be told
/// not to prepend them.
fn check_host_prefix(candidate: &Candidate<'_>, parameters: &Value, sent: &str) -> Result<(), Refusal> {
    let (service, operation) = (candidate.service, candidate.operation);
    let is_bucket = service.model().id == "s3" && operation.host_prefix.is_empty();
    if sent.is_empty() || is_bucket {
        return Ok(());
    }
    let expected = upstream::host_prefix(service, operation, parameters)?;
    // `data-` joins the host's first label, `{AccountId}.` is a label of its own.
    if !expected.is_empty() && expected.trim_end_matches('.') == sent.trim_end_matches('.') {
        return Ok(());
    }
    Err(Refusal::WrongHostPrefix { host_prefix: sent.chars().take(64).collect(), operation: candidate.name() })
}
