//! The doors: HTTP servers that do to a request what API Gateway's HTTP API, or a Lambda function
//! URL, does before a function sees it, and to a function's result before a client sees that.

mod answer;
mod event;
mod path;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde_json::json;
use time::OffsetDateTime;

use crate::{
    lambda_host::{InvokeError, LambdaHost, Outcome},
    web::{Handler, Hangup, Request, Response, json as json_response},
};

/// API Gateway's limit of request line and header values together, in bytes.
const HEAD_LIMIT: usize = 10_240;

/// API Gateway's limit of a body, in bytes.
const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// The longest integration of an HTTP API.
const INTEGRATION_LIMIT: Duration = Duration::from_secs(30);

/// What stands in front of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoorKind {
    /// An API Gateway HTTP API with a `$default` stage.
    HttpApi,
    /// A Lambda function URL without authentication, buffered.
    FunctionUrl,
}

/// A route of an HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The route key: `$default` or `METHOD /path/{variable}`, with `ANY` and `{proxy+}`.
    pub key: String,
    /// The short name of the function.
    pub function: String,
}

/// What a door is.
#[derive(Clone, Debug)]
pub struct DoorConfig {
    /// What stands in front.
    pub kind: DoorKind,
    /// The id in the events.
    pub api_id: String,
    /// The account in the events.
    pub account: String,
    /// The routes; a function URL has `$default` alone.
    pub routes: Vec<Route>,
}

/// A door.
pub struct Door {
    config: DoorConfig,
    lambda: Arc<LambdaHost>,
}

impl Door {
    /// A door to functions of `lambda`.
    pub fn new(config: DoorConfig, lambda: Arc<LambdaHost>) -> Self {
        Self { config, lambda }
    }

    async fn pass(&self, request: Request) -> Response {
        if head_size(&request) > HEAD_LIMIT {
            return refusal(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large");
        }
        let path = match self.config.kind {
            DoorKind::HttpApi => path::as_http_api_gives_it(request.uri.path()),
            DoorKind::FunctionUrl => request.uri.path().to_owned(),
        };
        let Some((route, variables)) = path::route_of(&self.config.routes, request.method.as_str(), &path) else {
            return refusal(StatusCode::NOT_FOUND, "Not Found");
        };
        let event = event::Event {
            config: &self.config,
            request: &request,
            path: &path,
            route: &route.key,
            variables: &variables,
            request_id: &crate::random::uuid(),
            now: OffsetDateTime::now_utc(),
        };
        let event = Bytes::from(event.to_json().to_string());
        let invocation = self.lambda.invoke(&route.function, event);
        let outcome = match self.config.kind {
            DoorKind::HttpApi => match tokio::time::timeout(INTEGRATION_LIMIT, invocation).await {
                Ok(outcome) => outcome,
                Err(_) => return refusal(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
            },
            DoorKind::FunctionUrl => invocation.await,
        };
        match outcome {
            Ok(Outcome::Answer(payload)) => answer::from_payload(&payload, request.method == http::Method::HEAD)
                .unwrap_or_else(|problem| {
                    tracing::warn!(function = route.function, problem, "malformed result of a function");
                    self.broken()
                }),
            Ok(Outcome::FunctionError(_)) => self.broken(),
            Err(InvokeError::TooLarge { .. }) => self.too_large(),
            Err(error) => {
                tracing::warn!(function = route.function, %error, "the function could not be invoked");
                self.broken()
            }
        }
    }

    /// The answer when the function fails or gives nonsense.
    fn broken(&self) -> Response {
        match self.config.kind {
            DoorKind::HttpApi => refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
            DoorKind::FunctionUrl => refusal(StatusCode::BAD_GATEWAY, "Internal Server Error"),
        }
    }
}

impl Handler for Door {
    fn body_limit(&self) -> usize {
        match self.config.kind {
            DoorKind::HttpApi => BODY_LIMIT,
            DoorKind::FunctionUrl => crate::lambda_host::PAYLOAD_LIMIT,
        }
    }

    fn too_large(&self) -> Response {
        refusal(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large")
    }

    async fn handle(&self, request: Request) -> Result<Response, Hangup> {
        let mut response = self.pass(request).await;
        let name = match self.config.kind {
            DoorKind::HttpApi => "apigw-requestid",
            DoorKind::FunctionUrl => "x-amzn-requestid",
        };
        if let Ok(id) = HeaderValue::from_str(&crate::random::uuid()) {
            response.headers_mut().insert(name, id);
        }
        Ok(response)
    }
}

fn refusal(status: StatusCode, message: &str) -> Response {
    json_response(status, &json!({ "message": message }))
}

/// The size of the request line and of all header values.
fn head_size(request: &Request) -> usize {
    let target = request.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let line = request.method.as_str().len() + target + " HTTP/1.1 ".len();
    line + request.headers.values().map(HeaderValue::len).sum::<usize>()
}

/// The address in the events.
fn source_ip(peer: SocketAddr) -> String {
    peer.ip().to_string()
}
