//! A captured request, as a line of JSON has it.

use std::{fmt, marker::PhantomData};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, de};

/// A request of which nothing is known but how it looks.
#[derive(Debug)]
pub(crate) struct Captured {
    /// The method, as captured.
    pub(crate) method: String,
    /// The host without its port, in lower case; empty where the line names none.
    pub(crate) host: String,
    /// The path, `/` at least.
    pub(crate) path: String,
    /// The query without `?`.
    pub(crate) query: String,
    /// Names in lower case, duplicates kept.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Bytes,
}

/// Why a line is no request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    /// It is not the JSON that was asked for.
    #[error(r#"not a request of the form {{"method","url","headers","body_b64"}}: {}"#, in_line(.0))]
    Json(#[from] serde_json::Error),
    /// The body is not base64.
    #[error("`body_b64` is not base64")]
    Base64,
    /// The URL is none.
    #[error("`url` is neither `http(s)://host/…` nor a path")]
    Url,
}

/// The error without the number of the line: to the reader of JSON every line is the first.
fn in_line(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}

#[derive(Deserialize)]
struct Wire {
    method: String,
    url: String,
    #[serde(default)]
    headers: Headers,
    #[serde(default)]
    body_b64: Option<String>,
}

impl Captured {
    /// Reads a line.
    ///
    /// # Errors
    /// [`LineError`].
    pub(crate) fn read(line: &[u8]) -> Result<Self, LineError> {
        let wire: Wire = serde_json::from_slice(line)?;
        let (authority, target) = split(&wire.url).ok_or(LineError::Url)?;
        let headers = wire.headers.0;
        let named = || headers.iter().find(|(name, _)| name == "host").map(|(_, value)| value.as_str());
        let host = without_port(if authority.is_empty() { named().unwrap_or_default() } else { authority });
        let target = target.split('#').next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let body = STANDARD.decode(wire.body_b64.unwrap_or_default()).map_err(|_| LineError::Base64)?;
        Ok(Self {
            method: wire.method,
            host: host.to_ascii_lowercase(),
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
            query: query.to_owned(),
            headers,
            body: Bytes::from(body),
        })
    }

    /// The value of a header that is there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }
}

/// The authority of a URL, and what follows it; the former is empty for a mere path.
fn split(url: &str) -> Option<(&str, &str)> {
    if url.starts_with('/') {
        return Some(("", url));
    }
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end)?;
    Some((authority.rsplit('@').next().unwrap_or_default(), target)).filter(|(authority, _)| !authority.is_empty())
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        // The colons of an IPv6 address are inside brackets.
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// A JSON object as a list, so that repeated names stay visible.
#[derive(Debug, Default)]
struct Headers(Vec<(String, String)>);

/// A header's value or its values.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(Scalar),
    Many(Vec<Scalar>),
}

/// Some clients keep numbers in their headers until they are sent.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(serde_json::Number),
}

impl Scalar {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members(PhantomData<()>);

        impl<'de> de::Visitor<'de> for Members {
            type Value = Headers;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object of headers")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some((name, values)) = map.next_entry::<String, Values>()? {
                    let name = name.to_ascii_lowercase();
                    match values {
                        Values::One(value) => headers.push((name, value.into_text())),
                        Values::Many(values) => {
                            headers.extend(values.into_iter().map(|value| (name.clone(), value.into_text())));
                        }
                    }
                }
                Ok(Headers(headers))
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Option<(String, String, String)> {
        let line = serde_json::json!({ "method": "GET", "url": url, "headers": { "Host": "named:80" } }).to_string();
        let captured = Captured::read(line.as_bytes()).ok()?;
        Some((captured.host, captured.path, captured.query))
    }

    #[test]
    fn urls_are_split_as_sent() {
        for (url, expected) in [
            ("https://S3.Amazonaws.com", Some(("s3.amazonaws.com", "/", ""))),
            ("http://127.0.0.1:4566/a%2Fb//c?x=%20&y", Some(("127.0.0.1", "/a%2Fb//c", "x=%20&y"))),
            ("http://[::1]:80/", Some(("[::1]", "/", ""))),
            ("http://[::1]/", Some(("[::1]", "/", ""))),
            ("https://h?list-type=2", Some(("h", "/", "list-type=2"))),
            ("https://u:p@h/x#f", Some(("h", "/x", ""))),
            ("/path?q=1", Some(("named", "/path", "q=1"))),
            ("ftp://h/", None),
            ("https:///x", None),
            ("h/x", None),
        ] {
            let expected = expected.map(|(host, path, query)| (host.to_owned(), path.to_owned(), query.to_owned()));
            assert_eq!(read(url), expected, "{url}");
        }
    }

    #[test]
    fn headers_keep_their_values_and_repetitions() {
        let line = br#"{"method":"PUT","url":"/","body_b64":"aGk=","headers":{"A":"1","a":["2","3"],"Content-Length":2},"id":7}"#;
        let captured = Captured::read(line).unwrap();
        let pairs: Vec<_> = captured.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("a", "1"), ("a", "2"), ("a", "3"), ("content-length", "2")]);
        assert_eq!(
            (&captured.body[..], captured.header("content-length"), captured.header("a")),
            (&b"hi"[..], Some("2"), None)
        );
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        for line in [
            "",
            "[]",
            "{}",
            "\u{0}",
            r#"{"method":"GET"}"#,
            r#"{"method":"GET","url":1}"#,
            r#"{"method":"GET","url":"/","body_b64":"a"}"#,
            r#"{"method":"GET","url":"/","headers":{"a":{}}}"#,
        ] {
            assert!(Captured::read(line.as_bytes()).is_err(), "{line}");
        }
    }
}
