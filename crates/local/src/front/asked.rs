//! What a request to the front asks for: the permissions that AWS would check, with their
//! condition keys.
//!
//! Only the operations that the functions and the state machine have a use for are known, each read
//! as AWS's service authorization reference describes it. Anything else is denied: it is a sign
//! that a function does something that nobody has thought about.

use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{Resources, dynamodb, errors::AwsError, kms, s3, text_member};
use crate::{iam::Context, lambda_host::invoke_api, web::Request};

/// The protocol in which errors go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// AWS JSON.
    Json,
    /// The query protocol.
    Query,
    /// REST with JSON.
    RestJson,
    /// S3's XML.
    S3,
}

impl Style {
    /// The style of an unverified request.
    pub fn of(request: &Request) -> Self {
        let content_type = request.header("content-type").unwrap_or_default();
        if request.headers.contains_key("x-amz-target") {
            Style::Json
        } else if content_type.starts_with("application/x-www-form-urlencoded") {
            Style::Query
        } else if request.uri.path().starts_with("/v2/email/") || request.uri.path().starts_with("/2015-03-31/") {
            Style::RestJson
        } else {
            Style::S3
        }
    }
}

/// One permission that AWS checks.
#[derive(Clone, Debug)]
pub struct Check {
    /// The IAM action.
    pub action: String,
    /// The ARN, or `*`.
    pub resource: String,
    /// The condition keys of the call; those of the principal come from the session.
    pub context: Context,
}

impl Check {
    /// A check without condition keys.
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), context: Context::default() }
    }
}

/// A call, as far as the front must understand it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The service, by its IAM prefix.
    pub service: String,
    /// The name that signed, for the emulator.
    pub signing_name: String,
    /// The operation.
    pub operation: String,
    /// What is checked: at least one.
    pub checks: Vec<Check>,
    /// The function of a Lambda `Invoke`.
    pub function: Option<String>,
}

impl Asked {
    /// Reads a verified request for the service of its credential scope.
    ///
    /// # Errors
    /// A denial when the call is not known.
    pub fn read(signing_name: &str, request: &Request, resources: &Resources) -> Result<Self, AwsError> {
        let (operation, checks, function) = match signing_name {
            "dynamodb" => {
                let (operation, body) = json_call(request, "DynamoDB_20120810.")?;
                let checks = dynamodb::checks(&operation, &body, resources)?;
                (operation, checks, None)
            }
            "kms" => {
                let (operation, body) = json_call(request, "TrentService.")?;
                let checks = kms::checks(&operation, &body, resources)?;
                (operation, checks, None)
            }
            "states" => {
                let (operation, body) = json_call(request, "AWSStepFunctions.")?;
                let checks = states(&operation, &body)?;
                (operation, checks, None)
            }
            "s3" => s3::read(request).map(|(operation, checks)| (operation, checks, None))?,
            "sns" => {
                let form = Form::read(&request.body);
                let checks = sns(&form)?;
                (form.action(), checks, None)
            }
            "ses" => {
                let checks = send_email(request, resources)?;
                ("SendEmail".to_owned(), checks, None)
            }
            "sts" => {
                let operation = Form::read(&request.body).action();
                let check = Check::new(format!("sts:{operation}"), "*");
                (operation, vec![check], None)
            }
            "lambda" => {
                let function = invoke_api::invoked_function(&request.method, request.uri.path())
                    .ok_or_else(|| AwsError::unread("only Invoke of Lambda is known"))?;
                let check = Check::new("lambda:InvokeFunction", function_arn(&function, resources));
                ("Invoke".to_owned(), vec![check], Some(function))
            }
            other => return Err(AwsError::unread(format!("service `{other}`"))),
        };
        let service = signing_name.to_owned();
        Ok(Self { signing_name: service.clone(), service, operation, checks, function })
    }

    /// The partition keys that a DynamoDB call touches.
    pub fn partition_keys(&self) -> Vec<String> {
        let keys = self.checks.iter().filter_map(|check| check.context.values("dynamodb:LeadingKeys"));
        keys.flatten().cloned().collect()
    }
}

/// The operation and the parameters of an AWS JSON call.
fn json_call(request: &Request, prefix: &str) -> Result<(String, Value), AwsError> {
    let operation = request
        .header("x-amz-target")
        .and_then(|target| target.strip_prefix(prefix))
        .ok_or_else(|| AwsError::unread("no `X-Amz-Target` of this service"))?;
    let body = serde_json::from_slice(&request.body).map_err(|error| AwsError::unread(format!("body: {error}")))?;
    Ok((operation.to_owned(), body))
}

/// Step Functions: `SendTask*` names no resource.
fn states(operation: &str, body: &Value) -> Result<Vec<Check>, AwsError> {
    let resource = match operation {
        "StartExecution" | "DescribeStateMachine" => text_member(body, "stateMachineArn"),
        "DescribeExecution" | "StopExecution" | "GetExecutionHistory" => text_member(body, "executionArn"),
        "SendTaskSuccess" | "SendTaskFailure" | "SendTaskHeartbeat" | "ListStateMachines" => Some("*"),
        other => return Err(AwsError::unread(format!("states:{other}"))),
    };
    let resource = resource.ok_or_else(|| AwsError::unread(format!("states:{operation} without its ARN")))?;
    Ok(vec![Check::new(format!("states:{operation}"), resource)])
}

fn sns(form: &Form) -> Result<Vec<Check>, AwsError> {
    match (form.action().as_str(), form.get("TopicArn")) {
        ("Publish", Some(topic)) => Ok(vec![Check::new("sns:Publish", topic)]),
        // Straight to a phone or an endpoint: AWS checks `*` or the endpoint; only `*` allows here.
        ("Publish", None) => Ok(vec![Check::new("sns:Publish", "*")]),
        (other, _) => Err(AwsError::unread(format!("sns:{other}"))),
    }
}

/// SES v2 `SendEmail`, with the identity of the sender and the keys that SES documents.
fn send_email(request: &Request, resources: &Resources) -> Result<Vec<Check>, AwsError> {
    if request.method != Method::POST || request.uri.path() != "/v2/email/outbound-emails" {
        return Err(AwsError::unread("only SendEmail of SES is known"));
    }
    let body: Value =
        serde_json::from_slice(&request.body).map_err(|error| AwsError::unread(format!("body: {error}")))?;
    let from = text_member(&body, "FromEmailAddress").unwrap_or_default();
    let (display, address) = match from.rsplit_once('<') {
        Some((display, address)) => (display.trim().trim_matches('"'), address.trim_end_matches('>')),
        None => ("", from),
    };
    let raw = body.get("Content").is_some_and(|content| content.get("Raw").is_some());
    let action = if raw { "ses:SendRawEmail" } else { "ses:SendEmail" };
    let arn = |kind: &str, name: &str| format!("arn:aws:ses:{}:{}:{kind}/{name}", resources.region, resources.account);
    let mut context = Context::from_pairs([("ses:FromAddress", address), ("ses:ApiVersion", "2")]);
    if !display.is_empty() {
        context.set("ses:FromDisplayName", display);
    }
    let recipients = body.get("Destination").and_then(Value::as_object).into_iter().flat_map(|fields| fields.values());
    let recipients = recipients.filter_map(Value::as_array).flatten().filter_map(Value::as_str).map(str::to_owned);
    context.set_all("ses:Recipients", recipients);
    let mut checks = vec![Check { action: action.to_owned(), resource: arn("identity", address), context }];
    if let Some(set) = text_member(&body, "ConfigurationSetName") {
        let context = checks.first().map(|check| check.context.clone()).unwrap_or_default();
        checks.push(Check { action: action.to_owned(), resource: arn("configuration-set", set), context });
    }
    Ok(checks)
}

fn function_arn(name: &str, resources: &Resources) -> String {
    if name.starts_with("arn:") {
        return name.to_owned();
    }
    format!("arn:aws:lambda:{}:{}:function:{name}", resources.region, resources.account)
}

/// The members of a query-protocol form.
#[derive(Clone, Debug)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form body.
    pub fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let decode = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
        let members = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(members.collect())
    }

    /// The operation.
    pub fn action(&self) -> String {
        self.get("Action").unwrap_or_default().to_owned()
    }

    /// A member.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The numbers that follow `prefix` in member names, as 1 and 2 of `Tags.member.1.Key`; sorted.
    pub fn numbers(&self, prefix: &str) -> Vec<u32> {
        let mut numbers: Vec<u32> =
            self.0.iter().filter_map(|(key, _)| key.strip_prefix(prefix)?.split('.').next()?.parse().ok()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}
