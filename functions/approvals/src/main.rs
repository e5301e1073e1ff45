//! The Lambda behind the approvers' door.

mod answer;
mod approvals;
mod assess;
mod command_line;
mod decide;
mod links;
mod pages;
mod present;
mod problem;
mod requests;
mod settings;
mod sign_in;
mod visible;
mod visitor;

use std::{convert::Infallible, process::ExitCode};

use countersign_domain::Timestamp;
use http::HeaderMap;
use lambda_http::{Body, Request, Response, service_fn};

use crate::{answer::Answer, approvals::Approvals, pages::Tone, problem::Problem};

/// The largest form that is read, in bytes.
const LARGEST_BODY: usize = 64 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    countersign_aws::process::start_log();
    let approvals = match Approvals::start() {
        Ok(approvals) => approvals,
        Err(error) => {
            tracing::error!(%error, "approvals does not start");
            return ExitCode::FAILURE;
        }
    };
    let approvals = &approvals;
    let handler = service_fn(move |request: Request| async move {
        Ok::<_, Infallible>(respond(approvals, &request, countersign_aws::process::now()).await)
    });
    match lambda_http::run(handler).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the runtime ended");
            ExitCode::FAILURE
        }
    }
}

/// Every request gets an answer; a problem becomes one here.
async fn respond(approvals: &Approvals, request: &Request, now: Timestamp) -> Response<Body> {
    let wants_json = wants_json(request.headers());
    let answer = match route(approvals, request, wants_json, now).await {
        Ok(answer) => answer,
        Err(problem) => {
            tracing::info!(problem = problem.name(), path = request.uri().path().split('/').nth(1), "refused");
            let sign_in = sign_in_link(&problem, request);
            Answer::problem(&problem, wants_json, sign_in.as_deref())
        }
    };
    answer.into_response()
}

async fn route(approvals: &Approvals, request: &Request, wants_json: bool, now: Timestamp) -> Result<Answer, Problem> {
    let headers = request.headers();
    let host = headers.get(http::header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !host.eq_ignore_ascii_case(approvals.settings.approvals_url.host()) {
        return Err(Problem::Form("this host is not the approvers' door".to_owned()));
    }
    let path: Vec<&str> = request.uri().path().trim_start_matches('/').split('/').collect();
    let query = request.uri().query().unwrap_or_default();
    let body = body_text(request.body())?;
    match (request.method().as_str(), path.as_slice()) {
        ("GET" | "HEAD", [""]) => Ok(front_page(approvals, headers, now).await),
        ("GET", ["login"]) => approvals.login(query, now).await,
        ("GET", ["callback"]) => approvals.callback(query, headers, now).await,
        ("POST", ["logout"]) => Ok(approvals.logout()),
        ("GET" | "HEAD", ["r", token]) => approvals.open_link(token, now).await,
        ("POST", ["r", token, "code"]) => approvals.send_code(token, now).await,
        ("POST", ["r", token, "open"]) => approvals.open_by_code(token, body, now).await,
        ("POST", ["r", token, "decision"]) => approvals.decide_by_link(token, body, now).await,
        ("GET", ["requests", id]) => approvals.look(id, headers, wants_json, now).await,
        ("POST", ["requests", id, "decision"]) => approvals.decide_signed_in(id, headers, body, wants_json, now).await,
        _ => Err(Problem::NotFound),
    }
}

async fn front_page(approvals: &Approvals, headers: &HeaderMap, now: Timestamp) -> Answer {
    match approvals.visitor(headers, now).await {
        Ok(visitor) => links::said(
            Tone::Plain,
            "You are signed in",
            &format!("Signed in as {}. Requests reach you by mail; open the link in one.", visitor.person.id),
        ),
        Err(_) => Answer::page(
            200,
            pages::message(
                Tone::Plain,
                "Approvals",
                "Calls of AI agents that wait for a person are decided here. Links come by mail.",
                Some("/login?return=/"),
            ),
        ),
    }
}

fn body_text(body: &Body) -> Result<&str, Problem> {
    let bytes: &[u8] = body.as_ref();
    if bytes.len() > LARGEST_BODY {
        return Err(Problem::Form("the form is too large".to_owned()));
    }
    std::str::from_utf8(bytes).map_err(|_| Problem::Form("the form is not UTF-8".to_owned()))
}

/// Whether the client asks for JSON and not for a page.
fn wants_json(headers: &HeaderMap) -> bool {
    headers
        .get(http::header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json") && !accept.contains("text/html"))
}

/// Where to sign in and come back, for somebody who should.
fn sign_in_link(problem: &Problem, request: &Request) -> Option<String> {
    let path = request.uri().path();
    let is_request = path.strip_prefix("/requests/").is_some_and(|id| countersign_domain::RequestId::new(id).is_ok());
    match problem {
        Problem::NotSignedIn if is_request => Some(format!("/login?return={path}")),
        Problem::NotSignedIn | Problem::SignIn(_) => Some("/login?return=/".to_owned()),
        _ => None,
    }
}
