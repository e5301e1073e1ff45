//! Records what the AWS SDK for Rust sends, one JSON line for each request, for the catalogue's oracle
//! (`cargo xtask oracle --client rust`). Nothing is sent: the HTTP client keeps the request and fails.

mod calls;
mod more;
mod storage;

use std::{
    error::Error,
    future::Future,
    io::Write as _,
    sync::{Arc, Mutex},
};

use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::HttpRequest,
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::BodyExt as _;
use serde_json::{Value as Json, json};

/// Where requests go: AWS's own hosts, a gateway's one endpoint or that of the service, or AWS with buckets in the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Aws,
    Gateway,
    Service,
    Path,
}

impl Style {
    fn name(self) -> &'static str {
        match self {
            Style::Aws => "aws",
            Style::Gateway => "gateway",
            Style::Service => "service",
            Style::Path => "path",
        }
    }

    fn endpoint(self, service: &str) -> Option<String> {
        match self {
            Style::Gateway => Some("https://gateway.test".to_owned()),
            // S3's client puts a bucket right behind what it is given.
            Style::Service => Some(format!("https://gateway.test/_/as/{service}/")),
            Style::Aws | Style::Path => None,
        }
    }
}

/// Keeps the last request.
#[derive(Clone, Debug, Default)]
struct Capture(Arc<Mutex<Option<HttpRequest>>>);

impl HttpConnector for Capture {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if let Ok(mut kept) = self.0.lock() {
            *kept = Some(request);
        }
        HttpConnectorFuture::ready(Err(ConnectorError::user("the request is kept, not sent".into())))
    }
}

impl HttpClient for Capture {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// Writes what a client sends.
#[derive(Debug)]
struct Recorder {
    capture: Capture,
    style: Style,
}

impl Recorder {
    /// Lets `send` make a request, and writes it with what is expected of it.
    async fn record<T, E>(
        &self,
        service: &str,
        operation: &str,
        kind: &str,
        params: Json,
        send: impl Future<Output = Result<T, E>>,
    ) -> Result<(), Box<dyn Error>> {
        // It always fails, as nothing is sent.
        let _ = send.await;
        let kept = self.capture.0.lock().map_err(|_| "the capture is poisoned")?.take();
        let request = kept.ok_or_else(|| format!("{service}:{operation} sent nothing"))?;
        let (method, url) = (request.method().to_owned(), request.uri().to_owned());
        let headers: serde_json::Map<String, Json> =
            request.headers().iter().map(|(name, value)| (name.to_owned(), Json::from(value))).collect();
        let body = request.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        let line = json!({
            "method": method, "url": url, "headers": headers, "body_b64": STANDARD.encode(body),
            "expect": {
                "client": "rust", "service": service, "operation": operation, "kind": kind,
                "style": self.style.name(), "params": params,
            },
        });
        writeln!(std::io::stdout().lock(), "{line}")?;
        Ok(())
    }
}

/// A client of one service that captures.
macro_rules! client {
    ($recorder:expr, $service:expr, $crate_name:ident) => {
        $crate::client!($recorder, $service, $crate_name, |config| config)
    };
    ($recorder:expr, $service:expr, $crate_name:ident, $more:expr) => {{
        let mut config = $crate_name::Config::builder()
            .behavior_version($crate_name::config::BehaviorVersion::latest())
            .region($crate_name::config::Region::new("eu-central-1"))
            .credentials_provider(aws_credential_types::Credentials::new("AKIDEXAMPLE", "secret", None, None, "oracle"))
            .retry_config(aws_smithy_types::retry::RetryConfig::disabled())
            .http_client($recorder.capture.clone());
        config.set_endpoint_url($recorder.style.endpoint($service));
        let more: fn($crate_name::config::Builder) -> $crate_name::config::Builder = $more;
        $crate_name::Client::from_conf(more(config).build())
    }};
}
pub(crate) use client;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    for style in [Style::Aws, Style::Gateway, Style::Service] {
        let recorder = Recorder { capture: Capture::default(), style };
        calls::dynamodb(&recorder).await?;
        calls::kms(&recorder).await?;
        calls::sts(&recorder).await?;
        calls::sns(&recorder).await?;
        calls::sfn(&recorder).await?;
        calls::sesv2(&recorder).await?;
        more::cloudwatch(&recorder).await?;
        more::arc_region_switch(&recorder).await?;
        more::health(&recorder).await?;
        more::sqs(&recorder).await?;
        more::ssm(&recorder).await?;
        more::lambda(&recorder).await?;
        more::iot_data(&recorder).await?;
        more::route53(&recorder).await?;
        more::autoscaling(&recorder).await?;
        more::elbv2(&recorder).await?;
    }
    for style in [Style::Aws, Style::Gateway, Style::Service, Style::Path] {
        storage::s3(&Recorder { capture: Capture::default(), style }).await?;
    }
    Ok(())
}
