//! What goes back through the agents' door.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Serialize, ser::SerializeMap};

use crate::door::{LARGEST_ANSWER, Payload};

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// Response headers that AWS SDKs and tools read. Anything else that AWS sends stays here: a
/// cookie, a redirect or a CORS grant has no business at an agent.
const ALLOWED_HEADERS: &[&str] = &[
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expires",
    "last-modified",
    "retry-after",
    "smithy-protocol",
];

/// Whether a header of AWS's answer is passed on.
pub(crate) fn is_allowed_header(name: &str) -> bool {
    ALLOWED_HEADERS.contains(&name) || name.starts_with("x-amz-") || name.starts_with("x-amzn-")
}

impl Reply {
    /// An answer of the gateway's own endpoints.
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self {
            status,
            headers: vec![
                ("content-type".into(), "application/json".into()),
                ("cache-control".into(), "no-store".into()),
            ],
            body: Bytes::from(body.to_string()),
        }
    }

    /// Whether the answer fits through Lambda.
    pub(crate) fn fits(&self) -> bool {
        self.body.len() <= LARGEST_ANSWER
    }

    /// As the door takes it. Every answer says that it is no page: an agent's data must never run
    /// as one in a browser that is led to this host.
    pub(crate) fn into_payload(mut self, payload: Payload, is_head: bool) -> PayloadReply {
        // The door counts the body; only the length of what a HEAD stands for must be told.
        self.headers.retain(|(name, _)| is_allowed_header(name) && (is_head || name != "content-length"));
        self.headers.push(("x-content-type-options".into(), "nosniff".into()));
        self.headers.push(("content-security-policy".into(), "sandbox; default-src 'none'".into()));
        let (body, is_base64_encoded) = match std::str::from_utf8(&self.body) {
            // Text that JSON would blow up with escapes travels as bytes.
            Ok(text) if escaped_length(text) <= self.body.len().div_ceil(3) * 4 => (text.to_owned(), false),
            Ok(_) | Err(_) => (STANDARD.encode(&self.body), true),
        };
        PayloadReply { payload, status_code: self.status, headers: self.headers, body, is_base64_encoded }
    }
}

/// How long a text is as a JSON string (RFC 8259 §7).
fn escaped_length(text: &str) -> usize {
    text.bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
            0..=0x1f => 6,
            _ => 1,
        })
        .sum()
}

/// An answer in the form of payload 1.0 or 2.0.
#[derive(Debug)]
pub(crate) struct PayloadReply {
    payload: Payload,
    status_code: u16,
    headers: Vec<(String, String)>,
    body: String,
    is_base64_encoded: bool,
}

impl Serialize for PayloadReply {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("statusCode", &self.status_code)?;
        match self.payload {
            Payload::V2 => map.serialize_entry("headers", &Joined(&self.headers))?,
            Payload::V1 => map.serialize_entry("multiValueHeaders", &Listed(&self.headers))?,
        }
        map.serialize_entry("body", &self.body)?;
        map.serialize_entry("isBase64Encoded", &self.is_base64_encoded)?;
        map.end()
    }
}

/// Payload 2.0 has one value per name: repeated headers are joined with a comma (RFC 9110 §5.3).
struct Joined<'a>(&'a [(String, String)]);

/// Payload 1.0 has a list of values per name.
struct Listed<'a>(&'a [(String, String)]);

fn names(headers: &[(String, String)]) -> impl Iterator<Item = &str> {
    headers.iter().enumerate().filter_map(|(place, (name, _))| {
        headers.iter().take(place).all(|(earlier, _)| earlier != name).then_some(name.as_str())
    })
}

fn values<'a>(headers: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
}

impl Serialize for Joined<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(names(self.0).map(|name| (name, values(self.0, name).join(", "))))
    }
}

impl Serialize for Listed<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(names(self.0).map(|name| (name, values(self.0, name))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(body: &'static [u8]) -> Reply {
        Reply {
            status: 200,
            headers: vec![
                ("x-amz-meta-a".into(), "1".into()),
                ("set-cookie".into(), "stolen=1".into()),
                ("location".into(), "https://elsewhere.example".into()),
                ("access-control-allow-origin".into(), "*".into()),
                ("x-amz-meta-a".into(), "2".into()),
            ],
            body: Bytes::from_static(body),
        }
    }

    #[test]
    fn only_listed_headers_pass_and_no_answer_can_be_a_page() {
        let json = serde_json::to_value(reply(b"ok").into_payload(Payload::V2, false)).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "statusCode": 200,
                "headers": {
                    "x-amz-meta-a": "1, 2",
                    "x-content-type-options": "nosniff",
                    "content-security-policy": "sandbox; default-src 'none'",
                },
                "body": "ok",
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn payload_one_lists_values_and_bytes_travel_as_base64() {
        let json = serde_json::to_value(reply(b"\xff\x00").into_payload(Payload::V1, false)).unwrap();
        assert_eq!(json["multiValueHeaders"]["x-amz-meta-a"], serde_json::json!(["1", "2"]));
        assert_eq!(json["body"], "/wA=");
        assert_eq!(json["isBase64Encoded"], true);
    }
}
