//! AWS-shaped errors.

use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::{asked::Style, status};
use crate::web::{self, Response};

/// An error as AWS would give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsError {
    /// The HTTP status.
    pub status: u16,
    /// The code, as in `AccessDenied`.
    pub code: String,
    /// The message.
    pub message: String,
}

impl AwsError {
    /// An error.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// A denial.
    pub fn access_denied(message: String) -> Self {
        Self::new(403, "AccessDenied", message)
    }

    /// A request that this front cannot read; denied, because what is not read is not authorised.
    pub fn unread(message: impl std::fmt::Display) -> Self {
        Self::new(403, "AccessDenied", format!("the local stack does not know this call: {message}"))
    }

    /// The response in the caller's protocol.
    pub fn response(&self, style: Style) -> Response {
        let code = match (style, self.code.as_str()) {
            (Style::Json | Style::RestJson, "AccessDenied") => "AccessDeniedException",
            (_, code) => code,
        };
        let request_id = crate::random::uuid();
        let mut response = match style {
            Style::Json => {
                let status = if self.status == 403 { StatusCode::BAD_REQUEST } else { status(self.status) };
                let body = json!({ "__type": code, "message": self.message }).to_string();
                web::typed(status, "application/x-amz-json-1.1", body)
            }
            Style::RestJson => web::json(status(self.status), &json!({ "message": self.message })),
            Style::Query => {
                let kind = if self.status < 500 { "Sender" } else { "Receiver" };
                let body = format!(
                    "<ErrorResponse><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message></Error>\
                     <RequestId>{request_id}</RequestId></ErrorResponse>",
                    escape(code),
                    escape(&self.message),
                );
                web::typed(status(self.status), "text/xml", body)
            }
            Style::S3 => {
                let body = format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>\
                     <RequestId>{request_id}</RequestId></Error>",
                    escape(code),
                    escape(&self.message),
                );
                web::typed(status(self.status), "application/xml", body)
            }
        };
        if style != Style::S3
            && let Ok(value) = HeaderValue::from_str(code)
        {
            response.headers_mut().insert("x-amzn-errortype", value);
        }
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            let name = if style == Style::S3 { "x-amz-request-id" } else { "x-amzn-requestid" };
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// Text for an XML document.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
