//! The AWS front: the one endpoint that functions and the state machine see as AWS.
//!
//! Every request is verified, read, and authorised against the policies of the template before it
//! reaches an emulator. STS is answered here, Lambda's `Invoke` by the Lambda host. A second
//! listener, the upstream, does the same for calls with target roles' sessions and passes them on
//! to the emulator, or other endpoint, that stands for the target account.

pub mod asked;
mod assume_role;
mod dynamodb;
pub mod errors;
mod kms;
mod proxy;
mod s3;
pub mod signature;
pub mod sts;
mod understood;
pub mod upstream;

use std::{collections::BTreeMap, sync::Arc};

use http::StatusCode;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    faults::{CallRecord, Control, FaultAction, Moment},
    iam::{Context, Policy, evaluate, evaluate::ResourceSide, policy::Question, principals::Session},
    lambda_host::{LambdaHost, invoke_api},
    web::{Handler, Hangup, Request, Response, WebClient},
};
use asked::{Asked, Check, Style};
use errors::AwsError;
use sts::Sts;

/// What the front must know of the resources behind it.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// The account of the stack.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Key attributes by table name: of the table under the empty name, of indexes under theirs.
    pub partition_keys: BTreeMap<String, BTreeMap<String, String>>,
    /// KMS key ids with the policy of each.
    pub key_policies: BTreeMap<String, Policy>,
    /// KMS aliases (`alias/…`) with the id of the key of each.
    pub key_aliases: BTreeMap<String, String>,
    /// Policies of buckets and topics, by ARN.
    pub resource_policies: BTreeMap<String, Policy>,
}

/// Where the services are.
#[derive(Clone, Debug)]
pub struct Backends {
    /// The store of most services.
    pub ministack: String,
    /// Step Functions.
    pub step_functions: String,
}

/// The front.
pub struct Front {
    /// Issues and knows sessions.
    pub sts: Arc<Sts>,
    /// Functions.
    pub lambda: Arc<LambdaHost>,
    /// Faults and observation.
    pub control: Arc<Control>,
    /// The resources.
    pub resources: Resources,
    /// The emulators.
    pub backends: Backends,
    /// Talks to them.
    pub client: WebClient,
}

impl Front {
    async fn answer(&self, request: &Request) -> Result<Response, Hangup> {
        let style = Style::of(request);
        let now = OffsetDateTime::now_utc();
        let (session, service, body) = match signature::verify(request, &self.sts, now) {
            Ok(verified) => (verified.session, verified.service, verified.body),
            Err(error) => return Ok(error.response(style)),
        };
        let request = &Request { body, ..request.clone() };
        let asked = match Asked::read(&service, request, &self.resources) {
            Ok(asked) => asked,
            Err(error) => {
                self.control.record(CallRecord::unread("front", &session, &service, &error));
                return Ok(error.response(style));
            }
        };
        let mut record = CallRecord::of("front", &session, &asked);
        let refusal = self.refusal(&session, &asked, now);
        record.allowed = refusal.is_none();
        let answered = match refusal {
            Some(error) => Ok(error.response(style)),
            None => self.allowed(&session, &asked, request, &record, style).await,
        };
        record.status = answered.as_ref().map_or(0, |response| response.status().as_u16());
        self.control.record(record);
        answered
    }

    /// The denial of the first permission that the session lacks. What STS decides for itself,
    /// by the trust policy of the role, is not decided here.
    fn refusal(&self, session: &Session, asked: &Asked, now: OffsetDateTime) -> Option<AwsError> {
        if asked.service == "sts" {
            return None;
        }
        asked.checks.iter().find_map(|check| {
            let context = merged(session.principal_context(now), check);
            let question = Question { action: &check.action, resource: &check.resource, context: &context };
            let verdict =
                evaluate(&session.caller(), session.authority(), self.resource_side(session, check), question);
            verdict.message(&session.caller(), &check.action, &check.resource).map(AwsError::access_denied)
        })
    }

    fn resource_side(&self, session: &Session, check: &Check) -> ResourceSide<'_> {
        let same_account = session.role.account == self.resources.account;
        if check.action.starts_with("kms:") && check.resource != "*" {
            let id = check.resource.rsplit('/').next().unwrap_or_default();
            return ResourceSide { policy: self.resources.key_policies.get(id), must_consent: true, same_account };
        }
        let owner = match check.resource.strip_prefix("arn:aws:s3:::") {
            Some(path) => format!("arn:aws:s3:::{}", path.split('/').next().unwrap_or_default()),
            None => check.resource.clone(),
        };
        ResourceSide { policy: self.resources.resource_policies.get(&owner), must_consent: false, same_account }
    }

    async fn allowed(
        &self,
        session: &Session,
        asked: &Asked,
        request: &Request,
        record: &CallRecord,
        style: Style,
    ) -> Result<Response, Hangup> {
        match self.control.fault(record, Moment::Before).await {
            None => {}
            Some(FaultAction::Answer { status, code, message }) => {
                return Ok(AwsError { status, code, message }.response(style));
            }
            Some(FaultAction::Hangup) => return Err(Hangup),
        }
        let response = match asked.service.as_str() {
            "sts" => self.sts.answer(session, request, OffsetDateTime::now_utc()),
            "lambda" => self.invoke(asked, request).await,
            "states" => self.forward(&self.backends.step_functions, request, &asked.signing_name).await,
            _ => self.forward(&self.backends.ministack, request, &asked.signing_name).await,
        };
        match self.control.fault(record, Moment::After).await {
            None => Ok(response),
            Some(FaultAction::Answer { status, code, message }) => {
                Ok(AwsError { status, code, message }.response(style))
            }
            Some(FaultAction::Hangup) => Err(Hangup),
        }
    }

    async fn invoke(&self, asked: &Asked, request: &Request) -> Response {
        match asked.function.as_deref() {
            Some(function) => invoke_api::invoke(&self.lambda, function, request).await,
            None => AwsError::access_denied("only Invoke is known here".to_owned()).response(Style::RestJson),
        }
    }

    async fn forward(&self, base: &str, request: &Request, signing_name: &str) -> Response {
        let backend =
            proxy::Backend { base, account: &self.resources.account, region: &self.resources.region, signing_name };
        proxy::forward(&self.client, &backend, request).await
    }
}

impl Handler for Front {
    async fn handle(&self, request: Request) -> Result<Response, Hangup> {
        self.answer(&request).await
    }
}

fn merged(mut context: Context, check: &Check) -> Context {
    context.extend(&check.context);
    context.set("aws:SourceIp", "127.0.0.1");
    context
}

/// The HTTP status of a number, or 500.
fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A string member of a JSON object.
fn text_member<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}
