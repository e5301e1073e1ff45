//! The upstream: where calls with the sessions of target roles go instead of AWS.
//!
//! A call passes only if our STS issued its session and the role's policies, its boundary and the
//! session policy all allow it; then it goes on unchanged.

use std::sync::Arc;

use http::header;
use http_body_util::Full;
use time::OffsetDateTime;

use super::{
    asked::{Asked, Style},
    errors::AwsError,
    proxy,
    signature::{self, Sender},
    sts::Sts,
    understood,
};
use crate::{
    faults::{CallRecord, Control, FaultAction, Moment},
    iam::{evaluate, evaluate::ResourceSide, policy::Question},
    web::{Handler, Hangup, Request, Response, WebClient, is_hop_by_hop},
};

/// The upstream.
pub struct UpstreamFront {
    /// Knows the sessions.
    pub sts: Arc<Sts>,
    /// Faults and observation.
    pub control: Arc<Control>,
    /// The base URL of what stands for the target account.
    pub backend: String,
    /// Talks to it.
    pub client: WebClient,
}

impl UpstreamFront {
    async fn answer(&self, request: &Request) -> Result<Response, Hangup> {
        let now = OffsetDateTime::now_utc();
        let sender = match signature::verify(request, &self.sts, now) {
            Ok(sender) => sender,
            Err(error) => return Ok(error.response(Style::of(request))),
        };
        let (asked, style) = match understood::read(request, &sender) {
            Ok(understood) => understood,
            Err(error) => {
                self.control.record(CallRecord::unread("upstream", &sender.session, &sender.service, &error));
                return Ok(error.response(Style::of(request)));
            }
        };
        let mut record = CallRecord::of("upstream", &sender.session, &asked);
        let refusal = refusal(&sender, &asked, now);
        record.allowed = refusal.is_none();
        let answered = match refusal {
            Some(error) => Ok(error.response(style)),
            None => self.allowed(&sender, &asked, request, &record, style).await,
        };
        record.status = answered.as_ref().map_or(0, |response| response.status().as_u16());
        self.control.record(record);
        answered
    }

    async fn allowed(
        &self,
        sender: &Sender,
        asked: &Asked,
        request: &Request,
        record: &CallRecord,
        style: Style,
    ) -> Result<Response, Hangup> {
        let injected = |fault| match fault {
            FaultAction::Answer { status, code, message } => Ok(AwsError { status, code, message }.response(style)),
            FaultAction::Hangup => Err(Hangup),
        };
        if let Some(fault) = self.control.fault(record, Moment::Before).await {
            return injected(fault);
        }
        let response = if asked.service == "sts" {
            // Only who issued the session knows whose it is.
            let request = Request { body: sender.body.clone(), ..request.clone() };
            self.sts.answer(&sender.session, &request, OffsetDateTime::now_utc())
        } else {
            self.forward(request, style).await
        };
        match self.control.fault(record, Moment::After).await {
            Some(fault) => injected(fault),
            None => Ok(response),
        }
    }

    /// Passes the request on as it came: path, query, headers and body.
    async fn forward(&self, request: &Request, style: Style) -> Response {
        let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut outgoing =
            http::Request::builder().method(request.method.clone()).uri(format!("{}{target}", self.backend));
        if let Some(headers) = outgoing.headers_mut() {
            for (name, value) in &request.headers {
                if !is_hop_by_hop(name.as_str()) && name != header::CONTENT_LENGTH {
                    headers.append(name, value.clone());
                }
            }
        }
        let sent = match outgoing.body(Full::new(request.body.clone())) {
            Ok(outgoing) => self.client.send(outgoing).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match sent {
            Ok(response) => proxy::answer(response),
            Err(error) => {
                tracing::error!(error, "the upstream gave no answer");
                AwsError::new(503, "ServiceUnavailable", "the upstream gave no answer").response(style)
            }
        }
    }
}

impl Handler for UpstreamFront {
    async fn handle(&self, request: Request) -> Result<Response, Hangup> {
        self.answer(&request).await
    }
}

/// The denial of the first permission that the session lacks.
fn refusal(sender: &Sender, asked: &Asked, now: OffsetDateTime) -> Option<AwsError> {
    // GetCallerIdentity needs no permission, and AssumeRole is decided by STS itself.
    if asked.service == "sts" {
        return None;
    }
    let session = &sender.session;
    asked.checks.iter().find_map(|check| {
        let mut context = session.principal_context(now);
        context.extend(&check.context);
        context.set("aws:SourceIp", "127.0.0.1");
        context.set("aws:RequestedRegion", sender.region.clone());
        let question = Question { action: &check.action, resource: &check.resource, context: &context };
        let verdict = evaluate(&session.caller(), session.authority(), ResourceSide::SILENT, question);
        verdict.message(&session.caller(), &check.action, &check.resource).map(AwsError::access_denied)
    })
}
