//! The control endpoint: sets faults, releases and kills, and shows what happened.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    faults::Control,
    lambda_host::LambdaHost,
    web::{self, Request, Response},
};

/// What the control endpoint works on.
pub struct ControlDesk {
    /// Faults and calls.
    pub control: Arc<Control>,
    /// Functions.
    pub lambda: Arc<LambdaHost>,
}

/// The control endpoint.
pub async fn route(desk: Arc<ControlDesk>, request: Request) -> Response {
    match (&request.method, request.uri.path()) {
        (&Method::POST, "/faults") => match serde_json::from_slice(&request.body) {
            Ok(fault) => {
                desk.control.set(fault);
                done()
            }
            Err(error) => web::text(StatusCode::BAD_REQUEST, error.to_string()),
        },
        (&Method::GET, "/faults") => listed(&desk.control.faults()),
        (&Method::DELETE, "/faults") => {
            desk.control.lift_all();
            done()
        }
        (&Method::POST, "/release") => {
            desk.control.release();
            done()
        }
        (&Method::GET, "/calls") => listed(&desk.control.calls()),
        (&Method::GET, "/held") => listed(&desk.control.held()),
        (&Method::GET, "/invocations") => listed(&desk.lambda.reports()),
        (&Method::POST, "/kill") => kill(&desk, &request),
        _ => web::text(
            StatusCode::NOT_FOUND,
            "GET|POST|DELETE /faults, POST /release, POST /kill, GET /calls|/held|/invocations",
        ),
    }
}

fn kill(desk: &ControlDesk, request: &Request) -> Response {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let function = body.get("function").and_then(Value::as_str).unwrap_or_default();
    match desk.lambda.kill(function) {
        Some(killed) => web::json(StatusCode::OK, &json!({ "killed": killed })),
        None => web::text(StatusCode::NOT_FOUND, format!("no function `{function}`")),
    }
}

fn done() -> Response {
    web::json(StatusCode::OK, &json!({}))
}

fn listed<T: Serialize>(items: &[T]) -> Response {
    match serde_json::to_value(items) {
        Ok(items) => web::json(StatusCode::OK, &items),
        Err(error) => web::text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}
