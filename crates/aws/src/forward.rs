//! Sends an agent's call to AWS, signed with credentials for this call, and says exactly what is
//! known when it fails: nothing left, or something may have.

use std::{
    error::Error,
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, SharedHttpConnector},
        orchestrator::HttpRequest,
        result::ConnectorError,
    },
    http::Response,
};
use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use countersign_domain::{OutgoingRequest, Upstream};
use http_body_util::BodyExt as _;

/// The largest answer that is taken, in bytes: what a Lambda response can carry (6 MB as base64)
/// leaves no room for more.
pub const MOST_ANSWER_BYTES: usize = 6 * 1024 * 1024;

/// AWS's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers: names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// Not one byte of the call has left: it did not happen.
    #[error("the call was not sent: {0}")]
    NotSent(NotSent),
    /// Bytes may have left: it may or may not have happened.
    #[error("the call may have been sent, and no answer is known: {0}")]
    MaybeSent(MaybeSent),
}

/// Why nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// No connection: name, TCP or TLS.
    #[error("no connection to the upstream host")]
    NoConnection,
    /// The request cannot be put together or signed.
    #[error("the request cannot be put together")]
    BadRequest,
}

/// Why an answer is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaybeSent {
    /// The time was over.
    #[error("no answer in time")]
    TimedOut,
    /// The connection broke.
    #[error("the connection broke before the answer was complete")]
    Broken,
    /// It answered, with more than can be given on. The status is known.
    #[error("the answer (status {status}) is larger than {MOST_ANSWER_BYTES} bytes")]
    TooLarge {
        /// The HTTP status.
        status: u16,
    },
}

/// Sends calls.
#[derive(Clone, Debug)]
pub struct Forwarder {
    connector: SharedHttpConnector,
    upstream_endpoint: Option<String>,
}

impl Forwarder {
    pub(crate) fn new(connector: SharedHttpConnector, upstream_endpoint: Option<String>) -> Self {
        Self { connector, upstream_endpoint }
    }

    /// Signs `outgoing` for `upstream` and sends it once. Redirects are answers like others.
    ///
    /// `time_limit` holds from the first byte to the last one of the answer; connecting takes at
    /// most three seconds of it, and give more than that.
    ///
    /// # Errors
    /// [`ForwardError`] says whether anything may have left.
    pub async fn send(
        &self,
        outgoing: &OutgoingRequest,
        upstream: &Upstream,
        credentials: &Credentials,
        time_limit: Duration,
    ) -> Result<Answer, ForwardError> {
        // The signature's time is the moment of sending, by AWS's clock as near as we have it.
        let request = self
            .signed(outgoing, upstream, credentials, SystemTime::now())
            .ok_or(ForwardError::NotSent(NotSent::BadRequest))?;
        let exchange = async {
            let response = self.connector.call(request).await.map_err(|error| classify(&error))?;
            read(response).await
        };
        tokio::time::timeout(time_limit, exchange).await.unwrap_or(Err(ForwardError::MaybeSent(MaybeSent::TimedOut)))
    }

    /// Where the call goes: scheme and authority.
    fn origin(&self, upstream: &Upstream) -> String {
        match &self.upstream_endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://{}", upstream.host),
        }
    }

    /// The signed request, or nothing where some part of it cannot stand in one.
    fn signed(
        &self,
        outgoing: &OutgoingRequest,
        upstream: &Upstream,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Option<HttpRequest> {
        let query = if outgoing.query.is_empty() { String::new() } else { format!("?{}", outgoing.query) };
        let uri: http::Uri = format!("{}{}{query}", self.origin(upstream), outgoing.path).parse().ok()?;
        let mut request = http::Request::builder().method(outgoing.method.as_str()).uri(&uri);
        request = request.header(http::header::HOST, uri.authority()?.as_str());
        for (name, value) in &outgoing.headers {
            request = request.header(name, value);
        }
        let mut request = request.body(SdkBody::from(outgoing.body.clone())).ok()?;
        sign_request(&mut request, &outgoing.body, upstream, credentials, now)?;
        HttpRequest::try_from(request).ok()
    }
}

/// S3 and its family sign the path as it is on the wire, and the payload's hash as a header; all
/// others sign it normalised and encoded once more (AWS General Reference, "Create a signed
/// request").
fn settings(signing_name: &str) -> SigningSettings {
    let mut settings = SigningSettings::default();
    if matches!(signing_name, "s3" | "s3express" | "s3-object-lambda" | "s3-outposts") {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    settings
}

fn sign_request(
    request: &mut http::Request<SdkBody>,
    body: &Bytes,
    upstream: &Upstream,
    credentials: &Credentials,
    now: SystemTime,
) -> Option<()> {
    let identity = credentials.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&upstream.signing_region)
        .name(&upstream.signing_name)
        .time(now)
        .settings(settings(&upstream.signing_name))
        .build()
        .ok()?
        .into();
    let uri = request.uri().to_string();
    let headers: Option<Vec<_>> =
        request.headers().iter().map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    let signable =
        SignableRequest::new(request.method().as_str(), uri, headers?.into_iter(), SignableBody::Bytes(body)).ok()?;
    let (instructions, _) = sign(signable, &parameters).ok()?.into_parts();
    instructions.apply_to_request_http1x(request);
    Some(())
}

/// A failed connection is the one thing that is known to have sent nothing. Whatever else the
/// client says, it says after it may have written.
fn classify(error: &ConnectorError) -> ForwardError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(client) = current.downcast_ref::<hyper_util::client::legacy::Error>() {
            if client.is_connect() {
                return ForwardError::NotSent(NotSent::NoConnection);
            }
            break;
        }
        cause = current.source();
    }
    ForwardError::MaybeSent(if error.is_timeout() { MaybeSent::TimedOut } else { MaybeSent::Broken })
}

async fn read(response: Response<SdkBody>) -> Result<Answer, ForwardError> {
    let status = response.status().as_u16();
    let headers =
        response.headers().iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let mut body = response.into_body();
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ForwardError::MaybeSent(MaybeSent::Broken))?;
        let Some(data) = frame.data_ref() else { continue };
        if read.len().saturating_add(data.len()) > MOST_ANSWER_BYTES {
            return Err(ForwardError::MaybeSent(MaybeSent::TooLarge { status }));
        }
        read.extend_from_slice(data);
    }
    Ok(Answer { status, headers, body: read.freeze() })
}

#[cfg(test)]
mod tests;
