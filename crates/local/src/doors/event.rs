//! The event that a function receives: payload format 2.0.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, macros::format_description};

use super::{DoorConfig, DoorKind, source_ip};
use crate::web::{Request, is_hop_by_hop};

/// Everything that an event is made from.
pub(super) struct Event<'a> {
    pub(super) config: &'a DoorConfig,
    pub(super) request: &'a Request,
    /// The path as this kind of door gives it.
    pub(super) path: &'a str,
    pub(super) route: &'a str,
    pub(super) variables: &'a BTreeMap<String, String>,
    pub(super) request_id: &'a str,
    pub(super) now: OffsetDateTime,
}

impl Event<'_> {
    pub(super) fn to_json(&self) -> Value {
        let query = self.request.query();
        let mut event = json!({
            "version": "2.0",
            "routeKey": self.route,
            "rawPath": self.path,
            "rawQueryString": query,
            "headers": self.headers(),
            "requestContext": self.context(),
        });
        let (body, is_base64) = body_text(self.request);
        let more = [
            ("cookies", cookies(self.request)),
            ("queryStringParameters", query_parameters(query)),
            ("pathParameters", (!self.variables.is_empty()).then(|| json!(self.variables))),
            ("body", body.map(Value::String)),
            ("isBase64Encoded", Some(Value::Bool(is_base64))),
        ];
        if let Some(members) = event.as_object_mut() {
            members.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        event
    }

    /// Names in lower case, duplicates joined with commas, cookies moved out, `x-forwarded-*` set.
    fn headers(&self) -> Map<String, Value> {
        let mut joined: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &self.request.headers {
            if name == http::header::COOKIE || name == http::header::EXPECT || is_hop_by_hop(name.as_str()) {
                continue;
            }
            let value = String::from_utf8_lossy(value.as_bytes());
            joined
                .entry(name.as_str().to_owned())
                .and_modify(|known| {
                    known.push(',');
                    known.push_str(&value);
                })
                .or_insert_with(|| value.into_owned());
        }
        let port = self.host().rsplit_once(':').map_or("80", |(_, port)| port).to_owned();
        let client = source_ip(self.request.peer);
        let forwarded =
            joined.remove("x-forwarded-for").map_or_else(|| client.clone(), |known| format!("{known}, {client}"));
        joined.insert("x-forwarded-for".to_owned(), forwarded);
        joined.insert("x-forwarded-port".to_owned(), port);
        joined.insert("x-forwarded-proto".to_owned(), "http".to_owned());
        joined.insert("x-amzn-trace-id".to_owned(), crate::random::trace_id());
        // API Gateway states the length also where the client sent the body in chunks.
        joined.insert("content-length".to_owned(), self.request.body.len().to_string());
        joined.into_iter().map(|(name, value)| (name, Value::String(value))).collect()
    }

    fn host(&self) -> &str {
        self.request.header("host").unwrap_or_default()
    }

    fn context(&self) -> Value {
        let domain = match self.config.kind {
            DoorKind::HttpApi => own_name(self.host()),
            // By this form of name functions tell that the path is as it was sent.
            DoorKind::FunctionUrl => "local.lambda-url.eu-central-1.on.aws",
        };
        let prefix = domain.split('.').next().unwrap_or_default();
        let format = format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
        let account = match self.config.kind {
            DoorKind::HttpApi => self.config.account.as_str(),
            DoorKind::FunctionUrl => "anonymous",
        };
        json!({
            "accountId": account,
            "apiId": self.config.api_id,
            "domainName": domain,
            "domainPrefix": prefix,
            "http": {
                "method": self.request.method.as_str(),
                "path": self.path,
                "protocol": "HTTP/1.1",
                "sourceIp": source_ip(self.request.peer),
                "userAgent": self.request.header("user-agent").unwrap_or_default(),
            },
            "requestId": self.request_id,
            "routeKey": self.route,
            "stage": "$default",
            "time": self.now.format(&format).unwrap_or_default(),
            "timeEpoch": i64::try_from(self.now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default(),
        })
    }
}

fn cookies(request: &Request) -> Option<Value> {
    let cookies: Vec<String> = request
        .headers
        .get_all(http::header::COOKIE)
        .iter()
        .flat_map(|value| {
            String::from_utf8_lossy(value.as_bytes()).split(';').map(|one| one.trim().to_owned()).collect::<Vec<_>>()
        })
        .filter(|cookie| !cookie.is_empty())
        .collect();
    (!cookies.is_empty()).then(|| json!(cookies))
}

/// Decoded parameters; values of the same name joined with commas.
fn query_parameters(query: &str) -> Option<Value> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value);
        joined
            .entry(decoded(name))
            .and_modify(|known| {
                known.push(',');
                known.push_str(&value);
            })
            .or_insert(value);
    }
    (!joined.is_empty()).then(|| json!(joined))
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// The body as it stands in the event, and whether that is base64.
fn body_text(request: &Request) -> (Option<String>, bool) {
    if request.body.is_empty() {
        return (None, false);
    }
    let encoded = request.headers.contains_key(http::header::CONTENT_ENCODING);
    match std::str::from_utf8(&request.body) {
        Ok(text) if !encoded && is_text(request.header("content-type").unwrap_or_default()) => {
            (Some(text.to_owned()), false)
        }
        _ => (Some(STANDARD.encode(&request.body)), true),
    }
}

/// The content types that reach a function as text; every other body is base64.
fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || matches!(essence.as_str(), "application/json" | "application/xml" | "application/javascript")
}

/// The name that the door answers on, of a `Host` header: without its port. Whatever is below
/// `localhost` is that door's, as with a custom domain that has a wildcard beside it.
fn own_name(host: &str) -> &str {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if name.ends_with(".localhost") { "localhost" } else { name }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;

    fn event(
        kind: DoorKind,
        method: Method,
        target: &str,
        headers: &[(&'static str, &str)],
        body: &'static [u8],
    ) -> Value {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).expect("value"));
        }
        let request = Request {
            method,
            uri: target.parse().expect("target"),
            headers: map,
            body: Bytes::from_static(body),
            peer: "127.0.0.1:4000".parse().expect("peer"),
        };
        let config = DoorConfig { kind, api_id: "agents".into(), account: "111122223333".into(), routes: vec![] };
        let path = request.uri.path().to_owned();
        Event {
            config: &config,
            request: &request,
            path: &path,
            route: "$default",
            variables: &BTreeMap::new(),
            request_id: "id",
            now: OffsetDateTime::UNIX_EPOCH,
        }
        .to_json()
    }

    #[test]
    fn duplicates_are_joined_and_cookies_are_moved() {
        let event = event(
            DoorKind::HttpApi,
            Method::GET,
            "/a?x=1&x=2&y=%20z",
            &[
                ("host", "127.0.0.1:8080"),
                ("x-amz-meta-a", "1"),
                ("x-amz-meta-a", "2"),
                ("cookie", "a=1; b=2"),
                ("cookie", "c=3"),
                ("x-forwarded-for", "9.9.9.9"),
                ("transfer-encoding", "chunked"),
            ],
            b"",
        );
        assert_eq!(event["headers"]["x-amz-meta-a"], "1,2");
        assert_eq!(event["headers"]["x-forwarded-for"], "9.9.9.9, 127.0.0.1");
        assert!(event["headers"].get("cookie").is_none());
        assert!(event["headers"].get("transfer-encoding").is_none());
        assert_eq!(event["cookies"], json!(["a=1", "b=2", "c=3"]));
        assert_eq!(event["rawQueryString"], "x=1&x=2&y=%20z");
        assert_eq!(event["queryStringParameters"], json!({"x": "1,2", "y": " z"}));
        assert_eq!(event["requestContext"]["domainName"], "127.0.0.1");
        assert_eq!(event["requestContext"]["time"], "01/Jan/1970:00:00:00 +0000");
        assert!(event.get("body").is_none());
        assert_eq!(event["isBase64Encoded"], false);
    }

    #[test]
    fn only_plain_text_types_stay_text() {
        for (content_type, encoding, body, is_base64) in [
            ("application/json", None, &b"{}"[..], false),
            ("text/xml; charset=utf-8", None, b"<a/>", false),
            ("application/x-amz-json-1.0", None, b"{}", true),
            ("application/x-www-form-urlencoded", None, b"a=b", true),
            ("application/octet-stream", None, b"\xff", true),
            ("text/plain", None, b"\xff", true),
            ("text/plain", Some("gzip"), b"abc", true),
        ] {
            let mut headers = vec![("content-type", content_type)];
            headers.extend(encoding.map(|encoding| ("content-encoding", encoding)));
            let event = event(DoorKind::HttpApi, Method::POST, "/", &headers, body);
            assert_eq!(event["isBase64Encoded"], is_base64, "{content_type}");
            let text = event["body"].as_str().expect("body");
            let bytes = if is_base64 { STANDARD.decode(text).expect("base64") } else { text.as_bytes().to_vec() };
            assert_eq!(bytes, body, "{content_type}");
        }
    }
}
