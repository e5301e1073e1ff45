//! The gateway's own endpoints under `/_/`.

use std::time::Duration;

use countersign_domain::{AgentId, RequestId, Timestamp};
use countersign_identity::session::SessionClaims;
use serde_json::json;

use crate::{
    collect::{Standing, reason_of},
    denial::Denial,
    door::Incoming,
    gateway::Gateway,
    login::bearer_token,
    reply::Reply,
};

/// The longest that waiting for a request may take, in seconds: less than a door waits.
const LONGEST_WAIT: u64 = 25;
/// How often the state is looked at while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(700);

/// Who asks about a request.
enum Asking {
    /// An agent by its OIDC token, without a session.
    Token(AgentId),
    /// A session.
    Session(Box<SessionClaims>),
}

impl Asking {
    fn agent(&self) -> &AgentId {
        match self {
            Asking::Token(agent) => agent,
            Asking::Session(claims) => &claims.login.agent,
        }
    }
}

impl Gateway {
    /// Answers a path under `/_/`.
    pub(crate) async fn own_endpoint(&self, incoming: &Incoming, now: Timestamp) -> Reply {
        let path = incoming.path_text();
        match (incoming.method.as_str(), path.strip_prefix("/_/v1/").unwrap_or_default()) {
            ("GET", "health") => Reply::json(200, &json!({"status": "ok", "bundle": self.bundle.hash().to_string()})),
            ("POST", "sessions") => self.session_login(incoming, now).await,
            ("GET", rest) if rest.starts_with("requests/") => {
                let id = rest.strip_prefix("requests/").unwrap_or_default();
                match self.request_state(incoming, id, now).await {
                    Ok(reply) => reply,
                    Err(denial) => problem(&denial),
                }
            }
            _ => Reply::json(
                404,
                &json!({
                    "error": "NotFound",
                    "message": "there is POST /_/v1/sessions, GET /_/v1/requests/{id}[?wait=25] and GET /_/v1/health",
                }),
            ),
        }
    }

    /// The state of one of the caller's own requests, at once or when it changes. It never
    /// delivers: the answer of AWS is collected by repeating the call.
    async fn request_state(&self, incoming: &Incoming, id: &str, now: Timestamp) -> Result<Reply, Denial> {
        let asking = self.asking(incoming, now).await?;
        let wait = wait_seconds(&incoming.query)?;
        let Ok(id) = RequestId::new(id) else { return Ok(not_found()) };
        let until = now.plus(Duration::from_secs(wait));
        let mut looked_at_machine = false;
        loop {
            let at = countersign_aws::process::now();
            let snapshot = self.authority.request_facts(&id).await.map_err(crate::hold::unreadable)?;
            // Another agent's request looks exactly like none.
            let Some(snapshot) = snapshot.filter(|snapshot| snapshot.request.agent == *asking.agent()) else {
                return Ok(not_found());
            };
            match &asking {
                Asking::Token(agent) => self.require_agent_not_stopped(agent, &snapshot.request).await?,
                Asking::Session(claims) => self.require_not_stopped(claims, at).await?,
            }
            // Once is enough: what waits while its machine runs is looked after by that.
            let standing = if looked_at_machine {
                let state = snapshot.state(at);
                Standing { snapshot, state }
            } else {
                looked_at_machine = true;
                self.standing(snapshot, at).await?
            };
            if !standing.state.is_waiting() || at >= until {
                return Ok(state_reply(&standing));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Who asks: by a signature of the session, or by the OIDC token itself.
    async fn asking(&self, incoming: &Incoming, now: Timestamp) -> Result<Asking, Denial> {
        match bearer_token(incoming) {
            Some(unverified_token) => {
                let identity = self.tokens.verify_agent(unverified_token, now).await;
                identity.map(|identity| Asking::Token(identity.agent)).map_err(|error| Denial::Token(error.to_string()))
            }
            None => {
                let caller = self.authenticate(incoming, now).await?;
                self.require_not_stopped(&caller.claims, now).await?;
                Ok(Asking::Session(Box::new(caller.claims)))
            }
        }
    }
}

fn state_reply(Standing { snapshot, state }: &Standing) -> Reply {
    let request = &snapshot.request;
    let mut body = json!({
        "request": request.request,
        "operation": request.operation,
        "target": request.target,
        "asked": request.groups,
        "created_at": request.created_at.to_string(),
        "expires_at": request.expires_at.to_string(),
    });
    if let (Some(body), Ok(serde_json::Value::Object(fields))) = (body.as_object_mut(), serde_json::to_value(state)) {
        body.extend(fields);
        if let Some(reason) = reason_of(snapshot, state) {
            body.insert("reason".to_owned(), json!(reason));
        }
    }
    Reply::json(200, &body)
}

fn wait_seconds(query: &str) -> Result<u64, Denial> {
    let unreadable = || Denial::Unreadable(format!("the query is `wait` with 0 to {LONGEST_WAIT} seconds"));
    match query.split_once('=') {
        None if query.is_empty() => Ok(0),
        Some(("wait", seconds)) => {
            seconds.parse().ok().filter(|seconds| *seconds <= LONGEST_WAIT).ok_or_else(unreadable)
        }
        _ => Err(unreadable()),
    }
}

fn problem(denial: &Denial) -> Reply {
    Reply::json(denial.status(), &json!({"error": denial.code("AccessDenied"), "message": denial.to_string()}))
}

fn not_found() -> Reply {
    Reply::json(404, &json!({"error": "NotFound", "message": "there is no such request of this agent"}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_bounded_and_nothing_else_is_asked() {
        for (query, seconds) in [("", Some(0)), ("wait=0", Some(0)), ("wait=25", Some(25))] {
            assert_eq!(wait_seconds(query).ok(), seconds, "{query}");
        }
        for query in ["wait=26", "wait=-1", "wait=", "wait", "x=1", "wait=1&wait=2"] {
            assert!(wait_seconds(query).is_err(), "{query}");
        }
    }
}
