//! Passing an authorised request on to an emulator.

use http::{HeaderName, HeaderValue, header};
use http_body_util::Full;

use super::{asked::Style, errors::AwsError};
use crate::web::{Request, Response, WebClient, is_hop_by_hop};

/// The emulator, and as whom to speak to it.
pub(super) struct Backend<'a> {
    pub(super) base: &'a str,
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    pub(super) signing_name: &'a str,
}

/// Sends the request on. The emulators verify nothing, but read account, region and service from
/// the credential scope, so the caller's authorisation is replaced by one that names the account.
pub(super) async fn forward(client: &WebClient, backend: &Backend<'_>, request: &Request) -> Response {
    let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut outgoing = http::Request::builder().method(request.method.clone()).uri(format!("{}{target}", backend.base));
    if let Some(headers) = outgoing.headers_mut() {
        for (name, value) in &request.headers {
            if !is_hop_by_hop(name.as_str()) && !is_replaced(name) {
                headers.append(name, value.clone());
            }
        }
        let scope = format!("20000101/{}/{}/aws4_request", backend.region, backend.signing_name);
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=host, Signature=none", backend.account);
        if let Ok(value) = HeaderValue::from_str(&authorization) {
            headers.insert(header::AUTHORIZATION, value);
        }
    }
    let sent = match outgoing.body(Full::new(request.body.clone())) {
        Ok(outgoing) => client.send(outgoing).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match sent {
        Ok(response) => answer(response),
        Err(error) => {
            tracing::error!(service = backend.signing_name, error, "the emulator gave no answer");
            AwsError::new(503, "ServiceUnavailable", "the emulator gave no answer").response(Style::of(request))
        }
    }
}

/// The emulator's answer, with its length counted anew.
pub(super) fn answer(response: http::Response<bytes::Bytes>) -> Response {
    let (mut parts, body) = response.into_parts();
    let names: Vec<HeaderName> = parts.headers.keys().filter(|name| is_hop_by_hop(name.as_str())).cloned().collect();
    for name in names {
        parts.headers.remove(name);
    }
    if !body.is_empty() {
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    Response::from_parts(parts, Full::new(body))
}

/// What describes the caller's connection, credentials or aws-chunked framing; the body that goes
/// on is out of its framing.
fn is_replaced(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "host"
            | "authorization"
            | "content-length"
            | "x-amz-security-token"
            | "x-amz-content-sha256"
            | "x-amz-decoded-content-length"
            | "x-amz-trailer"
            | "content-encoding"
    )
}
