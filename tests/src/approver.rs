//! A person: reads mail, follows links, signs in, decides. Speaks HTTP as a script would.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

use crate::stack::{Stack, eventually};

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The `Location` header.
    pub location: Option<String>,
    /// The `Set-Cookie` headers.
    pub cookies: Vec<String>,
    /// The `Content-Security-Policy` header.
    pub policy: Option<String>,
    /// The body.
    pub body: String,
}

/// One request; redirects are not followed and no status is an error.
///
/// # Errors
/// When no answer comes.
pub fn fetch(method: &str, url: &str, headers: &[(&str, &str)], body: Option<&str>) -> Result<Answer> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(40)))
        .build()
        .into();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = match body {
        Some(text) => agent.run(request.body(text.to_owned())?)?,
        None => agent.run(request.body(())?)?,
    };
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Answer {
        status: response.status().as_u16(),
        location: header("location"),
        policy: header("content-security-policy"),
        cookies: response
            .headers()
            .get_all("set-cookie")
            .iter()
            .filter_map(|value| value.to_str().ok().map(str::to_owned))
            .collect(),
        body: response.body_mut().read_to_string()?,
    })
}

/// A message in the inbox.
#[derive(Clone, Debug)]
pub struct Message {
    /// The receivers.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The HTML.
    pub html: String,
}

/// Every message so far.
///
/// # Errors
/// When the inbox does not answer.
pub fn messages(stack: &Stack) -> Result<Vec<Message>> {
    let answer = fetch("GET", &stack.url("inbox", "/messages"), &[], None)?;
    let list: Vec<Json> = serde_json::from_str(&answer.body).context("the inbox is no JSON list")?;
    let text = |message: &Json, name: &str| match message.get(name) {
        Some(Json::String(text)) => text.clone(),
        Some(Json::Array(items)) => items.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", "),
        _ => String::new(),
    };
    Ok(list
        .iter()
        .map(|message| Message {
            to: text(message, "to"),
            subject: text(message, "subject"),
            text: text(message, "text"),
            html: text(message, "html"),
        })
        .collect())
}

/// Waits for a message to `person`'s address that fits.
///
/// # Errors
/// When none comes within 20 seconds.
pub fn await_message(stack: &Stack, address: &str, fits: impl Fn(&Message) -> bool) -> Result<Message> {
    eventually(&format!("mail to {address}"), Duration::from_secs(20), || {
        Ok(messages(stack)?.into_iter().rev().find(|message| message.to.contains(address) && fits(message)))
    })
}

/// The link in a message that leads to the approvers' door.
///
/// # Errors
/// When there is none.
pub fn link_in(stack: &Stack, message: &Message) -> Result<String> {
    let base = stack.get("approvals").trim_end_matches('/');
    message
        .text
        .split_whitespace()
        .find(|word| word.starts_with(base))
        .map(|word| word.trim_end_matches(['.', ',', ')', '>']).to_owned())
        .with_context(|| format!("no link to {base} in: {}", message.text))
}

/// A person with a token of the stack's issuer for persons.
#[derive(Debug)]
pub struct Approver {
    token: String,
}

impl Approver {
    /// The person `name`.
    ///
    /// # Errors
    /// When no token can be had.
    pub fn new(stack: &Stack, name: &str) -> Result<Self> {
        Ok(Self { token: stack.token(&["--person", name])? })
    }

    /// Looks at a request, as JSON.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn look(&self, stack: &Stack, request: &str) -> Result<Answer> {
        let bearer = format!("Bearer {}", self.token);
        fetch(
            "GET",
            &stack.url("approvals", &format!("/requests/{request}")),
            &[("authorization", &bearer), ("accept", "application/json")],
            None,
        )
    }

    /// Decides, after looking.
    ///
    /// # Errors
    /// When no answer comes or the look gave no digest.
    pub fn decide(&self, stack: &Stack, request: &str, decision: &Json) -> Result<Answer> {
        let seen = self.look(stack, request)?;
        if seen.status != 200 {
            bail!("looking at {request}: {} {}", seen.status, seen.body);
        }
        let seen: Json = serde_json::from_str(&seen.body)?;
        let mut decision = decision.clone();
        if let (Some(fields), Some(digest)) = (decision.as_object_mut(), seen.get("frozen_digest"))
            && !fields.contains_key("frozen_digest")
        {
            fields.insert("frozen_digest".to_owned(), digest.clone());
        }
        let bearer = format!("Bearer {}", self.token);
        fetch(
            "POST",
            &stack.url("approvals", &format!("/requests/{request}/decision")),
            &[("authorization", &bearer), ("content-type", "application/json"), ("accept", "application/json")],
            Some(&decision.to_string()),
        )
    }
}
