//! The agents' door: what API Gateway or a function URL hands over, and what it takes back.
//!
//! HTTP API (payload 2.0), function URL and REST API (payload 1.0) events become one
//! [`Incoming`]. An event is read here rather than by `lambda_http`, which turns a path that is
//! no valid URI into an error that the caller would see as a bare 502.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicBool, Ordering},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use countersign_domain::Timestamp;
use serde::Deserialize;

/// The most bytes of body that fit into a Lambda answer, which is 6 MB of JSON: binary bodies
/// grow by a third in base64, and headers need room.
/// Source: AWS Lambda quotas, "Invocation payload".
pub(crate) const LARGEST_ANSWER: usize = 4_500_000;

/// How the path arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UnverifiedPath {
    /// As the client sent it (function URL).
    Raw(String),
    /// Percent-decoded, `//` collapsed and cut at a decoded `?` (HTTP API, REST API): what the
    /// client signed has to be recovered.
    Decoded(String),
}

/// A request as it came through a door. Nothing in it is believed yet.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// The HTTP method.
    pub method: String,
    /// The path.
    pub path: UnverifiedPath,
    /// The query as sent, without `?`.
    pub query: String,
    /// Headers, names in lower case, in the order of the event.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// The client's address as the door saw it; empty where the door names none.
    pub source_ip: String,
    /// The host name that the door answers on, by its own word and not by the client's.
    pub(crate) domain_name: String,
    /// When the function is ended, whatever it is doing.
    pub(crate) deadline: Timestamp,
    /// The door's own id of the request; goes back as the request id.
    pub request_id: String,
    /// Whether the call may have been sent.
    pub departed: Departed,
}

/// Set before the first byte of a call may leave, and never taken back: from then on "nothing was
/// sent" is no answer any more, whatever else goes wrong.
#[derive(Debug, Default)]
pub(crate) struct Departed(AtomicBool);

impl Departed {
    /// Bytes may leave from now on, or have left earlier.
    pub(crate) fn mark(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether they may have.
    pub(crate) fn is_marked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Incoming {
    /// The value of a header that occurs at most once; `None` if it is absent or repeated.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }

    /// The path, decoded or not: to tell the gateway's own endpoints, which have plain names.
    pub(crate) fn path_text(&self) -> &str {
        match &self.path {
            UnverifiedPath::Raw(path) | UnverifiedPath::Decoded(path) => path,
        }
    }
}

/// Which form of answer the door takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Payload 1.0: REST API.
    V1,
    /// Payload 2.0: HTTP API and function URL.
    V2,
}

/// Why an event is no HTTP request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EventError {
    /// Neither payload form.
    #[error("the event is neither of payload version 1.0 nor 2.0: {0}")]
    Shape(#[from] serde_json::Error),
    /// The body says base64 and is not.
    #[error("the body is not valid base64")]
    Base64,
}

/// Headers that the door itself adds under names that look like a caller's: CloudFront, which stands
/// before an edge-optimized REST API, marks every request. They are no part of the call.
/// Source: CloudFront Developer Guide, "HTTP request headers and CloudFront behavior".
const OF_THE_DOOR: [&str; 1] = ["x-amz-cf-id"];

/// Reads an event.
///
/// # Errors
/// [`EventError`] when it is not an HTTP event that we know.
pub(crate) fn read(event: &str, deadline: Timestamp) -> Result<(Incoming, Payload), EventError> {
    let version: Version<'_> = serde_json::from_str(event)?;
    let (mut incoming, payload) = if version.version == Some("2.0") {
        (serde_json::from_str::<EventV2<'_>>(event)?.into_incoming(deadline)?, Payload::V2)
    } else {
        (serde_json::from_str::<EventV1<'_>>(event)?.into_incoming(deadline)?, Payload::V1)
    };
    incoming.headers.retain(|(name, _)| !OF_THE_DOOR.contains(&name.as_str()));
    Ok((incoming, payload))
}

#[derive(Deserialize)]
struct Version<'a> {
    version: Option<&'a str>,
}

/// Source: "Working with AWS Lambda proxy integrations for HTTP APIs", payload format 2.0.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventV2<'a> {
    #[serde(borrow)]
    raw_path: Cow<'a, str>,
    #[serde(borrow, default)]
    raw_query_string: Cow<'a, str>,
    #[serde(borrow, default)]
    headers: Headers<'a>,
    #[serde(borrow, default)]
    cookies: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    body: Option<Cow<'a, str>>,
    #[serde(default)]
    is_base64_encoded: bool,
    #[serde(borrow)]
    request_context: ContextV2<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContextV2<'a> {
    #[serde(borrow)]
    http: HttpV2<'a>,
    #[serde(borrow, default)]
    request_id: Cow<'a, str>,
    #[serde(borrow, default)]
    domain_name: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpV2<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    source_ip: Cow<'a, str>,
}

impl EventV2<'_> {
    fn into_incoming(self, deadline: Timestamp) -> Result<Incoming, EventError> {
        // Function URLs keep the path as sent; HTTP APIs decode it. The event says which it is
        // only by its host name: `<id>.lambda-url.<region>.on.aws`, which the door sets.
        let raw = self.request_context.domain_name.contains(".lambda-url.");
        let path = self.raw_path.into_owned();
        let mut headers: Vec<_> = self.headers.into_lower_case();
        if !self.cookies.is_empty() {
            headers.push(("cookie".to_owned(), self.cookies.join("; ")));
        }
        Ok(Incoming {
            method: self.request_context.http.method.into_owned(),
            path: if raw { UnverifiedPath::Raw(path) } else { UnverifiedPath::Decoded(path) },
            query: self.raw_query_string.into_owned(),
            headers,
            body: body(self.body, self.is_base64_encoded)?,
            source_ip: self.request_context.http.source_ip.into_owned(),
            domain_name: self.request_context.domain_name.into_owned(),
            deadline,
            request_id: self.request_context.request_id.into_owned(),
            departed: Departed::default(),
        })
    }
}

/// Source: "Lambda proxy integrations in API Gateway", input format (payload 1.0).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventV1<'a> {
    #[serde(borrow)]
    http_method: Cow<'a, str>,
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(borrow, default)]
    multi_value_headers: Option<MultiValues<'a>>,
    #[serde(borrow, default)]
    multi_value_query_string_parameters: Option<MultiValues<'a>>,
    #[serde(borrow)]
    body: Option<Cow<'a, str>>,
    #[serde(default)]
    is_base64_encoded: bool,
    #[serde(borrow)]
    request_context: ContextV1<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContextV1<'a> {
    #[serde(borrow, default)]
    request_id: Cow<'a, str>,
    #[serde(borrow, default)]
    domain_name: Cow<'a, str>,
    #[serde(borrow, default)]
    identity: Option<IdentityV1<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdentityV1<'a> {
    #[serde(borrow, default)]
    source_ip: Option<Cow<'a, str>>,
}

impl EventV1<'_> {
    fn into_incoming(self, deadline: Timestamp) -> Result<Incoming, EventError> {
        let source_ip = self.request_context.identity.and_then(|identity| identity.source_ip);
        let headers = self.multi_value_headers.unwrap_or_default().0;
        let query = self.multi_value_query_string_parameters.unwrap_or_default().0;
        Ok(Incoming {
            method: self.http_method.into_owned(),
            path: UnverifiedPath::Decoded(self.path.into_owned()),
            query: encode_query(query),
            headers: headers
                .into_iter()
                .flat_map(|(name, values)| {
                    let name = name.to_ascii_lowercase();
                    values.into_iter().map(move |value| (name.clone(), value.into_owned()))
                })
                .collect(),
            body: body(self.body, self.is_base64_encoded)?,
            source_ip: source_ip.unwrap_or_default().into_owned(),
            domain_name: self.request_context.domain_name.into_owned(),
            deadline,
            request_id: self.request_context.request_id.into_owned(),
            departed: Departed::default(),
        })
    }
}

/// A REST API decodes the query; encoded anew by the rule of SigV4 it has the same canonical form.
fn encode_query(decoded: Vec<(Cow<'_, str>, Vec<Cow<'_, str>>)>) -> String {
    let mut query = String::new();
    for (name, values) in decoded {
        for value in values {
            if !query.is_empty() {
                query.push('&');
            }
            query.extend(percent_encoding::utf8_percent_encode(&name, RESERVED));
            query.push('=');
            query.extend(percent_encoding::utf8_percent_encode(&value, RESERVED));
        }
    }
    query
}

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn body(text: Option<Cow<'_, str>>, is_base64: bool) -> Result<Bytes, EventError> {
    match text {
        None => Ok(Bytes::new()),
        Some(text) if is_base64 => STANDARD.decode(text.as_bytes()).map(Bytes::from).map_err(|_| EventError::Base64),
        Some(text) => Ok(Bytes::from(text.into_owned())),
    }
}

/// A JSON object as a list, so that repeated names stay visible.
#[derive(Default)]
struct Headers<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

#[derive(Default)]
struct MultiValues<'a>(Vec<(Cow<'a, str>, Vec<Cow<'a, str>>)>);

impl Headers<'_> {
    fn into_lower_case(self) -> Vec<(String, String)> {
        self.0.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned())).collect()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Headers<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        pairs(deserializer).map(Headers)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for MultiValues<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        pairs(deserializer).map(MultiValues)
    }
}

/// The members of a JSON object, in order.
fn pairs<'de, V, D>(deserializer: D) -> Result<Vec<(Cow<'de, str>, V)>, D::Error>
where
    V: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    struct Members<V>(std::marker::PhantomData<V>);

    impl<'de, V: Deserialize<'de>> serde::de::Visitor<'de> for Members<V> {
        type Value = Vec<(Cow<'de, str>, V)>;

        fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            out.write_str("a JSON object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::with_capacity(map.size_hint().unwrap_or(24));
            while let Some(member) = map.next_entry::<Text<'de>, V>()? {
                members.push((member.0.0, member.1));
            }
            Ok(members)
        }
    }

    deserializer.deserialize_map(Members(std::marker::PhantomData))
}

/// `Cow<str>` alone would always copy; this borrows where the JSON has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
        Borrowed::deserialize(deserializer).map(|text| Text(text.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Timestamp = Timestamp::from_secs(1);

    fn v2(domain: &str, path: &str) -> String {
        serde_json::json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "a=1&a=%20",
            "cookies": ["x=1", "y=2"],
            "headers": {"Host": "h", "X-Amz-Date": "d"},
            "requestContext": {
                "domainName": domain, "requestId": "id-1",
                "http": {"method": "PUT", "path": path, "sourceIp": "203.0.113.9", "userAgent": "u"}
            },
            "body": "aGk=", "isBase64Encoded": true
        })
        .to_string()
    }

    #[test]
    fn http_api_paths_are_marked_as_decoded_and_function_url_paths_as_raw() {
        let (incoming, payload) = read(&v2("abc.execute-api.eu-central-1.amazonaws.com", "/b/ä ?"), SOON).unwrap();
        assert_eq!(payload, Payload::V2);
        assert_eq!(incoming.path, UnverifiedPath::Decoded("/b/ä ?".into()));
        assert_eq!(incoming.query, "a=1&a=%20");
        assert_eq!(incoming.header("x-amz-date"), Some("d"));
        assert_eq!(incoming.header("cookie"), Some("x=1; y=2"));
        assert_eq!(&incoming.body[..], b"hi");
        assert_eq!((incoming.method.as_str(), incoming.source_ip.as_str()), ("PUT", "203.0.113.9"));
        let (incoming, _) = read(&v2("abc.lambda-url.eu-central-1.on.aws", "/b/%20"), SOON).unwrap();
        assert_eq!(incoming.path, UnverifiedPath::Raw("/b/%20".into()));
    }

    #[test]
    fn rest_api_events_are_read_alike() {
        let event = serde_json::json!({
            "resource": "/{proxy+}", "path": "/bucket/key", "httpMethod": "GET",
            "headers": {"Host": "h"},
            "multiValueHeaders": {"Host": ["h"], "X-Two": ["1", "2"], "X-Amz-Cf-Id": ["pn-PWIJc6=="]},
            "queryStringParameters": {"a": "ä&"}, "multiValueQueryStringParameters": {"a": ["1", "ä&"]},
            "requestContext": {"requestId": "id-2", "identity": {"sourceIp": "203.0.113.9"}},
            "body": null, "isBase64Encoded": false
        })
        .to_string();
        let (incoming, payload) = read(&event, SOON).unwrap();
        assert_eq!(payload, Payload::V1);
        assert_eq!(incoming.query, "a=1&a=%C3%A4%26");
        assert_eq!(incoming.header("x-amz-cf-id"), None, "what the door adds is no part of the call");
        assert_eq!(incoming.header("x-two"), None, "a repeated header has no single value");
        assert_eq!(incoming.path, UnverifiedPath::Decoded("/bucket/key".into()));
    }

    #[test]
    fn what_is_no_http_event_is_an_error() {
        for event in ["{}", "[]", "\"x\"", r#"{"version":"2.0"}"#, r#"{"version":"2.0","rawPath":1}"#] {
            assert!(read(event, SOON).is_err(), "{event}");
        }
        let broken = v2("h", "/").replace("aGk=", "a");
        assert!(matches!(read(&broken, SOON), Err(EventError::Base64)));
    }
}
