//! What goes back through the approvers' door.

use http::{HeaderValue, Response, header};
use lambda_http::Body;
use maud::Markup;
use percent_encoding::percent_decode_str;
use serde_json::{Value as Json, json};

use crate::{
    pages::{self, Tone},
    problem::Problem,
};

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    content_type: &'static str,
    body: String,
    location: Option<String>,
    cookies: Vec<String>,
}

impl Answer {
    fn new(status: u16, content_type: &'static str, body: String) -> Self {
        Self { status, content_type, body, location: None, cookies: Vec::new() }
    }

    /// A page.
    pub(crate) fn page(status: u16, page: Markup) -> Self {
        Self::new(status, "text/html; charset=utf-8", page.into_string())
    }

    /// JSON.
    pub(crate) fn json(status: u16, body: &Json) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// Elsewhere, by GET.
    pub(crate) fn redirect(location: &str) -> Self {
        let mut answer = Self::new(303, "text/plain; charset=utf-8", String::new());
        answer.location = Some(location.to_owned());
        answer
    }

    /// With a cookie.
    pub(crate) fn with_cookie(mut self, cookie: String) -> Self {
        self.cookies.push(cookie);
        self
    }

    /// A problem, as the visitor reads it.
    pub(crate) fn problem(problem: &Problem, wants_json: bool, sign_in: Option<&str>) -> Self {
        let text = crate::visible::visible(&problem.to_string(), 600);
        if wants_json {
            return Self::json(problem.status(), &json!({"error": problem.name(), "message": text}));
        }
        Self::page(problem.status(), pages::message(Tone::Refused, "This did not go through", &text, sign_in))
    }

    /// As the door takes it, with the headers that every answer carries.
    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::Text(self.body));
        *response.status_mut() =
            http::StatusCode::from_u16(self.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        let fixed = [
            (header::CONTENT_TYPE, self.content_type),
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::CONTENT_SECURITY_POLICY, pages::content_security_policy()),
            (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        ];
        for (name, value) in fixed {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        if let Some(location) = self.location.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(header::LOCATION, location);
        }
        for cookie in self.cookies {
            if let Ok(value) = HeaderValue::from_str(&cookie) {
                headers.append(header::SET_COOKIE, value);
            }
        }
        response
    }
}

/// The value of a member that a query or form has exactly once.
pub(crate) fn query_member(form: &str, name: &str) -> Option<String> {
    let mut values = form.split('&').filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (form_text(key)? == name).then(|| form_text(value))
    });
    match (values.next(), values.next()) {
        (Some(value), None) => value,
        _ => None,
    }
}

fn form_text(encoded: &str) -> Option<String> {
    let spaced = encoded.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}
