//! The HTTP plumbing that every part of the stack stands on: whole bodies in, whole bodies out.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::net::TcpListener;

use crate::error::StackError;

/// A response with its whole body.
pub type Response = http::Response<Full<Bytes>>;

/// The connection is to be closed without any answer.
#[derive(Debug, thiserror::Error)]
#[error("connection closed on purpose")]
pub struct Hangup;

/// A request with its whole body.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The request target as sent.
    pub uri: Uri,
    /// The headers as sent.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The other end.
    pub peer: SocketAddr,
}

impl Request {
    /// The first value of a header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The query as sent, without `?`; empty when there is none.
    pub fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }
}

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// The longest body that is read, in bytes.
    fn body_limit(&self) -> usize {
        64 * 1024 * 1024
    }

    /// The answer to a request whose body is longer.
    fn too_large(&self) -> Response {
        text(StatusCode::PAYLOAD_TOO_LARGE, "payload too large")
    }

    /// The answer to a request; [`Hangup`] closes the connection without one.
    fn handle(&self, request: Request) -> impl Future<Output = Result<Response, Hangup>> + Send;
}

/// Listens on a free port of the loopback interface.
///
/// # Errors
/// [`StackError::Io`] when no port can be had.
pub async fn listen() -> Result<(TcpListener, u16), StackError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(StackError::io("listening on loopback"))?;
    let port = listener.local_addr().map_err(StackError::io("listening on loopback"))?.port();
    Ok((listener, port))
}

/// Serves `handler` on `listener` until the task is dropped or the process ends.
pub fn serve<H: Handler>(listener: TcpListener, handler: Arc<H>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                // Out of file descriptors or the like: try again rather than spin.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let handler = Arc::clone(&handler);
            let service = service_fn(move |request| answer(Arc::clone(&handler), request, peer));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .max_headers(512)
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "connection ended");
                }
            });
        }
    })
}

async fn answer<H: Handler>(
    handler: Arc<H>,
    request: http::Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response, Hangup> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, handler.body_limit()).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Ok(handler.too_large()),
        Err(_) => return Err(Hangup),
    };
    handler.handle(Request { method: parts.method, uri: parts.uri, headers: parts.headers, body, peer }).await
}

/// Answers requests by a function over shared state; for the small servers.
pub struct Routes<S, F> {
    /// What the function shares between requests.
    pub state: Arc<S>,
    /// The function.
    pub route: F,
}

impl<S, F, R> Handler for Routes<S, F>
where
    S: Send + Sync + 'static,
    F: Fn(Arc<S>, Request) -> R + Send + Sync + 'static,
    R: Future<Output = Response> + Send,
{
    async fn handle(&self, request: Request) -> Result<Response, Hangup> {
        Ok((self.route)(Arc::clone(&self.state), request).await)
    }
}

/// A plain-text response.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Response {
    typed(status, "text/plain; charset=utf-8", body)
}

/// A JSON response.
pub fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    typed(status, "application/json", body.to_string())
}

/// A response with a content type.
pub fn typed(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}

/// A client for plain HTTP on loopback.
#[derive(Clone)]
pub struct WebClient(Client<HttpConnector, Full<Bytes>>);

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer: {0}")]
pub struct NoAnswerError(String);

impl WebClient {
    /// A client that keeps no idle connections, so that a restarted emulator is found again.
    pub fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http())
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// [`NoAnswerError`] when there is no connection or the answer breaks off.
    pub async fn send(&self, request: http::Request<Full<Bytes>>) -> Result<http::Response<Bytes>, NoAnswerError> {
        let response = self.0.request(request).await.map_err(|error| NoAnswerError(chain(&error)))?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| NoAnswerError(chain(&error)))?.to_bytes();
        Ok(http::Response::from_parts(parts, body))
    }
}

impl Default for WebClient {
    fn default() -> Self {
        Self::new()
    }
}

/// The message of an error with those of its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        message.push_str(": ");
        message.push_str(&inner.to_string());
        cause = inner.source();
    }
    message
}

/// Whether a header belongs to one connection and must not be passed on (RFC 9110, section 7.6.1).
pub fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "proxy-connection" | "te" | "trailer" | "transfer-encoding" | "upgrade"
    )
}
