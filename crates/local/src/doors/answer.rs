//! What the client gets for a function's result (payload format 2.0).

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::Full;
use serde_json::{Map, Value};

use crate::web::{self, Response, is_hop_by_hop};

/// The response that a result describes.
///
/// # Errors
/// What is malformed about it; the client then gets an internal server error.
pub(super) fn from_payload(payload: &[u8], is_head: bool) -> Result<Response, &'static str> {
    let result: Value = serde_json::from_slice(payload).map_err(|_| "not JSON")?;
    match result.as_object() {
        Some(members) if members.contains_key("statusCode") => described(members, is_head),
        // Anything else is the body itself.
        _ => Ok(web::typed(StatusCode::OK, "application/json", payload.to_vec())),
    }
}

fn described(members: &Map<String, Value>, is_head: bool) -> Result<Response, &'static str> {
    let status = members
        .get("statusCode")
        .and_then(|code| code.as_u64().or_else(|| code.as_str()?.parse().ok()))
        .and_then(|code| u16::try_from(code).ok())
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or("`statusCode` is not a status code")?;
    let mut response = Response::new(Full::new(body(members)?));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    for (name, value) in pairs(members, "headers")? {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "a header name is malformed")?;
        let value = HeaderValue::from_str(&value).map_err(|_| "a header value is malformed")?;
        if is_hop_by_hop(name.as_str()) {
            continue;
        }
        if name == header::CONTENT_LENGTH {
            // The door counts the body itself. A HEAD answer has none, and its length is the function's.
            if is_head {
                headers.insert(header::CONTENT_LENGTH, value);
            }
            continue;
        }
        headers.insert(name, value);
    }
    if let Some(cookies) = members.get("cookies").filter(|cookies| !cookies.is_null()) {
        for cookie in cookies.as_array().ok_or("`cookies` is not a list")? {
            let cookie = cookie.as_str().and_then(|cookie| HeaderValue::from_str(cookie).ok());
            headers.append(header::SET_COOKIE, cookie.ok_or("a cookie is malformed")?);
        }
    }
    Ok(response)
}

fn body(members: &Map<String, Value>) -> Result<Bytes, &'static str> {
    let text = match members.get("body") {
        None | Some(Value::Null) => return Ok(Bytes::new()),
        Some(Value::String(text)) => text,
        Some(_) => return Err("`body` is not a string"),
    };
    match members.get("isBase64Encoded") {
        None | Some(Value::Null | Value::Bool(false)) => Ok(Bytes::from(text.clone())),
        Some(Value::Bool(true)) => {
            STANDARD.decode(text).map(Bytes::from).map_err(|_| "`body` is not base64 although it says so")
        }
        Some(_) => Err("`isBase64Encoded` is not a boolean"),
    }
}

/// The headers of the result. Format 2.0 knows no `multiValueHeaders`.
fn pairs(members: &Map<String, Value>, name: &str) -> Result<Vec<(String, String)>, &'static str> {
    let Some(headers) = members.get(name).filter(|headers| !headers.is_null()) else { return Ok(Vec::new()) };
    headers
        .as_object()
        .ok_or("`headers` is not an object")?
        .iter()
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name.clone(), text.clone())),
            Value::Number(_) | Value::Bool(_) => Ok((name.clone(), value.to_string())),
            _ => Err("a header value is not a string"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::json;

    use super::*;

    async fn body_of(response: Response) -> Bytes {
        response.into_body().collect().await.expect("body").to_bytes()
    }

    #[tokio::test]
    async fn a_full_result_becomes_the_response() {
        let result = json!({
            "statusCode": 404,
            "headers": {"content-type": "text/xml", "x-a": "1", "connection": "close", "content-length": "9"},
            "cookies": ["a=1; Secure", "b=2"],
            "body": "PGEvPg==",
            "isBase64Encoded": true,
        });
        let response = from_payload(result.to_string().as_bytes(), false).expect("well-formed");
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["content-type"], "text/xml");
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        assert!(response.headers().get("connection").is_none());
        assert!(response.headers().get("content-length").is_none());
        assert_eq!(body_of(response).await, "<a/>");
    }

    #[tokio::test]
    async fn a_result_without_status_is_the_body() {
        let response = from_payload(br#"{"hello":1}"#, false).expect("well-formed");
        assert_eq!(response.status(), 200);
        assert_eq!(body_of(response).await, r#"{"hello":1}"#);
    }

    #[test]
    fn a_head_answer_keeps_the_length_that_the_function_told() {
        let result = json!({"statusCode": 200, "headers": {"content-length": "42"}});
        let response = from_payload(result.to_string().as_bytes(), true).expect("well-formed");
        assert_eq!(response.headers()["content-length"], "42");
    }

    #[test]
    fn malformed_results_are_refused() {
        for bad in [
            "",
            "{",
            r#"{"statusCode":"ok"}"#,
            r#"{"statusCode":99}"#,
            r#"{"statusCode":200,"body":{}}"#,
            r#"{"statusCode":200,"body":"*","isBase64Encoded":true}"#,
            r#"{"statusCode":200,"headers":[]}"#,
            r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
            r#"{"statusCode":200,"headers":{"a":"b\nc"}}"#,
            r#"{"statusCode":200,"cookies":"a=1"}"#,
        ] {
            assert!(from_payload(bad.as_bytes(), false).is_err(), "{bad}");
        }
    }
}
