//! Lambda's `Invoke` operation over HTTP.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::{InvokeError, LambdaHost, Outcome};
use crate::web::{self, Request, Response};

/// The function that an `Invoke` request names, percent-decoded; `None` for any other request.
pub fn invoked_function(method: &Method, path: &str) -> Option<String> {
    let name = path.strip_prefix("/2015-03-31/functions/")?.strip_suffix("/invocations")?;
    let name = percent_decode_str(name).decode_utf8().ok()?;
    (method == Method::POST && !name.is_empty() && !name.contains('/')).then(|| name.into_owned())
}

/// Answers an authorised `Invoke` request for the named function.
pub async fn invoke(host: &Arc<LambdaHost>, function: &str, request: &Request) -> Response {
    let kind = request.header("x-amz-invocation-type").unwrap_or("RequestResponse");
    match kind {
        "RequestResponse" => match host.invoke(function, request.body.clone()).await {
            Ok(Outcome::Answer(payload)) => answer(StatusCode::OK, payload, None),
            Ok(Outcome::FunctionError(payload)) => answer(StatusCode::OK, payload, Some("Unhandled")),
            Err(error) => refusal(&error),
        },
        "Event" => match host.invoke_later(function, request.body.clone()) {
            Ok(()) => answer(StatusCode::ACCEPTED, Bytes::new(), None),
            Err(error) => refusal(&error),
        },
        "DryRun" => match host.find(function) {
            Some(_) => answer(StatusCode::NO_CONTENT, Bytes::new(), None),
            None => refusal(&InvokeError::NotFound(function.to_owned())),
        },
        other => error(
            StatusCode::BAD_REQUEST,
            "InvalidParameterValueException",
            &format!("`{other}` is not an invocation type"),
        ),
    }
}

fn answer(status: StatusCode, payload: Bytes, function_error: Option<&'static str>) -> Response {
    let mut response = web::typed(status, "application/json", payload);
    let headers = response.headers_mut();
    headers.insert("x-amz-executed-version", HeaderValue::from_static("$LATEST"));
    if let Some(kind) = function_error {
        headers.insert("x-amz-function-error", HeaderValue::from_static(kind));
    }
    with_request_id(response)
}

fn refusal(reason: &InvokeError) -> Response {
    let (status, kind) = match reason {
        InvokeError::NotFound(_) => (StatusCode::NOT_FOUND, "ResourceNotFoundException"),
        InvokeError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException"),
        InvokeError::NotJson(_) => (StatusCode::BAD_REQUEST, "InvalidRequestContentException"),
        InvokeError::Service(_) => (StatusCode::INTERNAL_SERVER_ERROR, "ServiceException"),
    };
    error(status, kind, &reason.to_string())
}

fn error(status: StatusCode, kind: &'static str, message: &str) -> Response {
    let mut response = web::json(status, &json!({ "Type": "User", "message": message }));
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(kind));
    with_request_id(response)
}

fn with_request_id(mut response: Response) -> Response {
    if let Ok(id) = HeaderValue::from_str(&crate::random::uuid()) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_is_read_from_the_path() {
        for (path, expected) in [
            ("/2015-03-31/functions/executor/invocations", Some("executor")),
            (
                "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A111122223333%3Afunction%3Ax/invocations",
                Some("arn:aws:lambda:eu-central-1:111122223333:function:x"),
            ),
            ("/2015-03-31/functions//invocations", None),
            ("/2015-03-31/functions/a%2Fb/invocations", None),
            ("/2015-03-31/functions/x", None),
        ] {
            assert_eq!(invoked_function(&Method::POST, path).as_deref(), expected, "{path}");
        }
        assert_eq!(invoked_function(&Method::GET, "/2015-03-31/functions/x/invocations"), None);
    }
}
