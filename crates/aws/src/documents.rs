//! Documents of OIDC issuers: discovery, keys, and the token endpoint.

use std::time::Duration;

use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use countersign_identity::{FetchDocument, FetchError};
use http_body_util::BodyExt as _;

/// The largest document that is taken, in bytes.
const MOST_BYTES: usize = 512 * 1024;
/// How long fetching one may take.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Why a document could not be had. The URL is the bundle's; no part of an answer is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Neither `https`, nor `http` to this machine.
    #[error("`{0}` is not an https url")]
    NotHttps(String),
    /// No answer in time, or no connection.
    #[error("`{0}` does not answer")]
    NoAnswer(String),
    /// Another status than 200; redirects are not followed.
    #[error("`{url}` answers with status {status}")]
    Status {
        /// The URL.
        url: String,
        /// The status.
        status: u16,
        /// The body, for what a token endpoint says in it.
        untrusted_body: Bytes,
    },
    /// Larger than any such document is.
    #[error("`{0}` gives more than {MOST_BYTES} bytes")]
    TooLarge(String),
}

impl DocumentError {
    /// Whether the same call may succeed a little later.
    pub fn retryable(&self) -> bool {
        match self {
            DocumentError::NoAnswer(_) => true,
            DocumentError::Status { status, .. } => *status >= 500 || *status == 429,
            DocumentError::NotHttps(_) | DocumentError::TooLarge(_) => false,
        }
    }
}

/// Fetches documents.
#[derive(Clone, Debug)]
pub struct Documents {
    connector: SharedHttpConnector,
}

impl Documents {
    pub(crate) fn new(connector: SharedHttpConnector) -> Self {
        Self { connector }
    }

    /// The body of the JSON document at `url`.
    ///
    /// # Errors
    /// [`DocumentError`] for anything but a complete answer of status 200.
    pub async fn get(&self, url: &str) -> Result<Bytes, DocumentError> {
        let request = http::Request::get(url).header(http::header::ACCEPT, "application/json");
        self.exchange(url, request, SdkBody::empty()).await
    }

    /// The answer of a token endpoint to a form, already encoded.
    ///
    /// # Errors
    /// [`DocumentError`] for anything but a complete answer of status 200.
    pub async fn post_form(&self, url: &str, form: String) -> Result<Bytes, DocumentError> {
        let request = http::Request::post(url)
            .header(http::header::ACCEPT, "application/json")
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.exchange(url, request, SdkBody::from(form)).await
    }

    async fn exchange(
        &self,
        url: &str,
        request: http::request::Builder,
        body: SdkBody,
    ) -> Result<Bytes, DocumentError> {
        if !may_fetch(url) {
            return Err(DocumentError::NotHttps(url.to_owned()));
        }
        let request = request.body(body).map_err(|_| DocumentError::NotHttps(url.to_owned()))?;
        let request = HttpRequest::try_from(request).map_err(|_| DocumentError::NotHttps(url.to_owned()))?;
        let no_answer = || DocumentError::NoAnswer(url.to_owned());
        let exchange = async {
            let response = self.connector.call(request).await.map_err(|_| no_answer())?;
            let status = response.status().as_u16();
            let mut body = response.into_body();
            let mut read = BytesMut::new();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|_| no_answer())?;
                let Some(data) = frame.data_ref() else { continue };
                if read.len().saturating_add(data.len()) > MOST_BYTES {
                    return Err(DocumentError::TooLarge(url.to_owned()));
                }
                read.extend_from_slice(data);
            }
            match status {
                200 => Ok(read.freeze()),
                _ => Err(DocumentError::Status { url: url.to_owned(), status, untrusted_body: read.freeze() }),
            }
        };
        tokio::time::timeout(TIME_LIMIT, exchange).await.unwrap_or_else(|_| Err(no_answer()))
    }
}

impl FetchDocument for Documents {
    async fn fetch(&self, url: &str) -> Result<Bytes, FetchError> {
        self.get(url).await.map_err(|error| FetchError(error.to_string()))
    }
}

/// `https`, or `http` to this very machine, for the local stack.
fn may_fetch(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(host)) => matches!(host, "localhost" | "127.0.0.1" | "[::1]"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_come_over_https_or_from_this_machine() {
        for (url, may) in [
            ("https://issuer.example/.well-known/openid-configuration", true),
            ("http://127.0.0.1:8080/jwks", true),
            ("http://localhost/jwks", true),
            ("http://issuer.example/jwks", false),
            ("http://127.0.0.1.evil.example/", false),
            ("http://localhost@evil.example/", false),
            ("file:///etc/passwd", false),
            ("ftp://127.0.0.1/", false),
            ("", false),
        ] {
            assert_eq!(may_fetch(url), may, "{url}");
        }
    }
}
