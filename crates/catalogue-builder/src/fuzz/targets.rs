//! What is fuzzed, and the law that each target holds.

use std::fmt;

use countersign_catalogue::response::Answered;
use countersign_catalogue::{Catalogue, Endpoint, Place, Understood, WireRequest};
use countersign_domain::Protocol;
use countersign_understanding::DoorPath;

use super::mutate::{self, Part};
use crate::oracle::{Recorded, as_http_api_gives_it};
use crate::seeded::Seeded;
use crate::written::{pairs, percent_decoded};

/// What is fuzzed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Identification, reading and writing anew of whole requests, and the recovery of paths. What is understood must be
    /// understood the same when written anew.
    Identify,
    /// Bodies of requests that stay otherwise as they were, and of answers.
    Parsers,
    /// The signature and the framing of the body. What verifies must say what was signed.
    Verifier,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Identify, Self::Parsers, Self::Verifier];

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.to_string() == name)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Identify => "identify",
            Self::Parsers => "parsers",
            Self::Verifier => "verifier",
        })
    }
}

/// Runs one case; says whether the changed request was taken.
///
/// # Errors
/// How the law of the target was broken.
pub fn run_case(target: Target, corpus: &[Recorded], seeded: &mut Seeded) -> Result<bool, String> {
    let parts: &[Part] = match target {
        Target::Identify => &[Part::Method, Part::Path, Part::Path, Part::Query, Part::Header, Part::Body, Part::Body],
        Target::Parsers => &[Part::Body],
        Target::Verifier => {
            &[Part::Method, Part::Path, Part::Query, Part::Header, Part::Header, Part::Body, Part::Body]
        }
    };
    let (original, changed) = mutate::request(corpus, seeded, parts).ok_or("the sample is empty")?;
    match target {
        Target::Identify => identify(&changed),
        Target::Parsers => parse(&changed, seeded),
        Target::Verifier => verify(&original, &changed),
    }
}

fn wire<'r>(request: &'r Recorded, scope: &'r (String, String)) -> WireRequest<'r> {
    WireRequest {
        method: &request.method,
        path: request.own_path(),
        query: &request.query,
        headers: &request.headers,
        body: request.body.clone(),
        signing_name: &scope.0,
        signing_region: &scope.1,
        host_prefix: &request.host_prefix,
        from_chunked: false,
        body_is_signed: true,
        endpoint: request.endpoint(),
    }
}

fn understood(request: &Recorded) -> Result<Option<Understood>, String> {
    let Some(scope) = request.expected.scope.as_ref() else { return Ok(None) };
    let Ok(found) = Catalogue::embedded().understand(&wire(request, scope), &Place::aws()) else { return Ok(None) };
    let again = WireRequest {
        method: &found.outgoing.method,
        path: &found.outgoing.path,
        query: &found.outgoing.query,
        headers: &found.outgoing.headers,
        body: found.outgoing.body.clone(),
        host_prefix: "",
        // As a frozen call is understood again.
        endpoint: match request.endpoint() {
            Endpoint::Any => Endpoint::Any,
            Endpoint::OfService(_) | Endpoint::Host(_) => Endpoint::Host(&found.upstream.host),
        },
        ..wire(request, scope)
    };
    let name = format!("{}:{}", found.service, found.operation);
    match Catalogue::embedded().understand(&again, &Place::aws()) {
        Ok(second)
            if (&second.service, &second.operation, &second.outgoing)
                == (&found.service, &found.operation, &found.outgoing) =>
        {
            Ok(Some(found))
        }
        Ok(second) => Err(format!("{name} written anew is {}:{}, or another", second.service, second.operation)),
        Err(refusal) => Err(format!("{name} written anew is refused: {refusal}")),
    }
}

fn identify(request: &Recorded) -> Result<bool, String> {
    let service = request.expected.scope.as_ref().map(|(name, _)| name.as_str()).unwrap_or_default();
    let given = as_http_api_gives_it(request.own_path());
    let candidates = Catalogue::embedded().candidate_paths(service, &request.method, &given).count();
    if candidates > countersign_sigv4::MAX_PATH_CANDIDATES {
        return Err(format!("{candidates} candidates for one path"));
    }
    Ok(understood(request)?.is_some())
}

fn parse(request: &Recorded, seeded: &mut Seeded) -> Result<bool, String> {
    let expected = &request.expected;
    let protocol = match expected.protocol.as_str() {
        "json" => Protocol::Json,
        "query" => Protocol::Query,
        "ec2" => Protocol::Ec2,
        "rest-json" => Protocol::RestJson,
        "rest-xml" => Protocol::RestXml,
        _ => Protocol::RpcV2Cbor,
    };
    let answered = Answered { service: &expected.service, operation: &expected.operation, protocol };
    let status = if seeded.below(4) == 0 { 400 } else { 200 };
    // Its law is that it ends, and without a panic.
    let _ = Catalogue::embedded().mask_response(&answered, status, &mut Vec::new(), &request.body, &mut |_| None);
    Ok(understood(request)?.is_some())
}

fn verify(original: &Recorded, changed: &Recorded) -> Result<bool, String> {
    if !original.is_signed() {
        return Ok(false);
    }
    let Ok((verified, path)) = changed.verify(DoorPath::AsSent(&changed.path)) else { return Ok(false) };
    let (meant, _) = original.verify(DoorPath::AsSent(&original.path)).map_err(|error| error.to_string())?;
    if verified.payload.is_signed() && verified.body != meant.body {
        return Err("another body verified".to_owned());
    }
    // No path at all is the root's.
    let path = if path.is_empty() { "/".to_owned() } else { path };
    if (changed.method.as_str(), percent_decoded(&path)) != (original.method.as_str(), percent_decoded(&original.path))
    {
        return Err(format!("`{} {path}` verified", changed.method));
    }
    if pairs(&changed.query) != pairs(&original.query) {
        return Err(format!("the query `{}` verified", changed.query));
    }
    for name in &verified.signed_headers {
        if values(changed, name) != values(original, name) {
            return Err(format!("another `{name}` verified: {:?}", values(changed, name)));
        }
    }
    Ok(true)
}

/// The values of a header, with white space as the signature has it.
fn values(request: &Recorded, name: &str) -> Vec<String> {
    let values = request.headers.iter().filter(|(known, _)| known == name);
    values.map(|(_, value)| value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")).collect()
}
