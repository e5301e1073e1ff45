//! A request that a real client made, with what it was told to do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use countersign_catalogue::{Catalogue, Endpoint, WireRequest};
use countersign_domain::{Timestamp, Value};
use countersign_sigv4::{Presented, SecretKey, UnverifiedRequest, Verified};
use countersign_understanding::{DoorPath, NotVerified, UnverifiedEndpoint};
use serde_json::Value as Json;

use super::values;

/// The secret that the clients sign with; `oracle/generate.py` has it too.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// When the clients' clock stands still: 2026-03-04T05:06:07Z.
const NOW: Timestamp = Timestamp::from_secs(1_772_600_767);

/// A line of the oracle.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    pub(crate) host_prefix: String,
    pub(crate) expected: Expected,
}

/// What the client was told to do, and where it sends that by itself.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) service: String,
    pub(crate) operation: String,
    pub(crate) protocol: String,
    pub(crate) kind: String,
    pub(crate) style: String,
    pub(crate) parameters: Value,
    pub(crate) host: String,
    /// Signing name and region; none for what is not signed with SigV4.
    pub(crate) scope: Option<(String, String)>,
    pub(crate) path: String,
}

impl Expected {
    /// The call, whatever the endpoint: service, operation, protocol and kind.
    pub(crate) fn call(&self) -> [String; 4] {
        [&self.service, &self.operation, &self.protocol, &self.kind].map(Clone::clone)
    }
}

impl Recorded {
    /// Reads a line; `None` when it is not one of the oracle's.
    pub fn read(line: &str) -> Option<Self> {
        let entry: Json = serde_json::from_str(line).ok()?;
        let text = |value: &Json, name: &str| Some(value[name].as_str()?.to_owned());
        let pair = |pair: &Json| Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.as_str()?.to_owned()));
        let expect = &entry["expect"];
        Some(Self {
            method: text(&entry, "method")?,
            path: text(&entry, "path")?,
            query: text(&entry, "query")?,
            headers: entry["headers"].as_array()?.iter().map(pair).collect::<Option<_>>()?,
            body: Bytes::from(STANDARD.decode(entry["body"].as_str()?).ok()?),
            host_prefix: text(&entry, "host_prefix")?,
            expected: Expected {
                service: text(expect, "service")?,
                operation: text(expect, "operation")?,
                protocol: text(expect, "protocol")?,
                kind: text(expect, "kind")?,
                style: expect["style"].as_str().unwrap_or_default().to_owned(),
                parameters: values::value(&expect["parameters"])?,
                host: text(expect, "host")?,
                scope: pair(&expect["scope"]),
                path: text(expect, "path")?,
            },
        })
    }

    /// The request as the gateway gets it.
    pub(crate) fn unverified(&self) -> UnverifiedRequest<'_> {
        UnverifiedRequest {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
        }
    }

    /// The endpoint of a service that the client was told to use, found as the gateway finds it.
    pub(crate) fn unverified_endpoint(&self) -> Option<UnverifiedEndpoint<'_>> {
        self.host_prefix.is_empty().then(|| UnverifiedEndpoint::of(&self.path)).flatten()
    }

    /// The path behind that endpoint.
    pub(crate) fn own_path(&self) -> &str {
        match self.unverified_endpoint() {
            Some(endpoint) if endpoint.rest.is_empty() => "/",
            Some(endpoint) => endpoint.rest,
            None => &self.path,
        }
    }

    /// What the endpoint says of where the request goes.
    pub(crate) fn endpoint(&self) -> Endpoint<'_> {
        self.unverified_endpoint().map_or(Endpoint::Any, |own| Endpoint::OfService(own.service))
    }

    /// Whether the client signed with SigV4.
    pub(crate) fn is_signed(&self) -> bool {
        self.headers.iter().any(|(name, value)| name == "authorization" && value.starts_with("AWS4-HMAC-SHA256"))
    }

    /// Verifies the signature as the gateway does.
    pub(crate) fn verify(&self, path: DoorPath<'_>) -> Result<(Verified, String), NotVerified> {
        let request = self.unverified();
        let presented = Presented::parse(&request)?;
        countersign_understanding::verify(&presented, &request, path, &SecretKey::new(SECRET), NOW)
    }

    /// What the gateway hands on after verifying; `signed_path` is the path as the client signed it.
    pub(crate) fn opened(&self, catalogue: &Catalogue, verified: Option<Verified>, signed_path: String) -> Opened<'_> {
        let mut headers = self.headers.clone();
        let path = match self.unverified_endpoint() {
            Some(endpoint) => endpoint.own_path(&signed_path),
            None => signed_path,
        };
        let Some(verified) = verified else {
            // Operations that are not signed: the scope is the service's own.
            let service = catalogue.service(&self.expected.service);
            let name = service.map(|service| service.model().signing_name.to_owned()).unwrap_or_default();
            let scope = (name, "eu-central-1".to_owned());
            let body = self.body.clone();
            return Opened { request: self, path, headers, body, scope, from_chunked: false, body_is_signed: true };
        };
        headers.extend(verified.trailers);
        Opened {
            request: self,
            path,
            headers,
            body: verified.body,
            scope: (verified.scope.service, verified.scope.region),
            from_chunked: verified.decoded_from_chunked,
            body_is_signed: verified.payload.is_signed(),
        }
    }
}

/// A verified request, out of its framing.
pub(crate) struct Opened<'r> {
    request: &'r Recorded,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    scope: (String, String),
    from_chunked: bool,
    body_is_signed: bool,
}

impl Opened<'_> {
    pub(crate) fn wire(&self) -> WireRequest<'_> {
        WireRequest {
            method: &self.request.method,
            path: &self.path,
            query: &self.request.query,
            headers: &self.headers,
            body: self.body.clone(),
            signing_name: &self.scope.0,
            signing_region: &self.scope.1,
            host_prefix: &self.request.host_prefix,
            from_chunked: self.from_chunked,
            body_is_signed: self.body_is_signed,
            endpoint: self.request.endpoint(),
        }
    }
}
