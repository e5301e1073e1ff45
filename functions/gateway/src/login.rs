//! Logging in: an OIDC token becomes a session. The only thing that is answered unsigned.

use std::time::Duration;

use countersign_domain::event::{Event, Happening, Subject};
use countersign_domain::{Timestamp, settings::Target};
use countersign_identity::{
    AgentIdentity,
    session::{Login, MIN_LIFETIME, SessionClaims, SessionCredentials},
    web_identity::{self, StsCode, StsError, Success},
};
use serde::Deserialize;
use serde_json::json;

use crate::{door::Incoming, gateway::Gateway, reply::Reply};

/// What an agent says about itself besides its token; none of it is believed.
#[derive(Default)]
struct UnverifiedWords {
    task: String,
    reason: Option<String>,
    ticket: Option<String>,
}

impl Gateway {
    /// `POST /` with `Action=AssumeRoleWithWebIdentity`, as every AWS SDK sends it.
    pub(crate) async fn web_identity_login(&self, incoming: &Incoming, now: Timestamp) -> Reply {
        let (status, xml) = match self.try_web_identity_login(incoming, now).await {
            Ok(xml) => (200, xml),
            Err(error) => {
                tracing::info!(code = error.code.as_str(), reason = %error.message, source_ip = %incoming.source_ip, "login refused");
                (error.code.status(), error.to_xml(&incoming.request_id))
            }
        };
        Reply {
            status,
            headers: vec![
                ("content-type".into(), "text/xml".into()),
                ("cache-control".into(), "no-store".into()),
                ("x-amzn-requestid".into(), incoming.request_id.clone()),
            ],
            body: xml.into(),
        }
    }

    async fn try_web_identity_login(&self, incoming: &Incoming, now: Timestamp) -> Result<String, StsError> {
        let form = web_identity::parse(&incoming.body)?;
        // Token files end with a newline more often than not, and SDKs send them as they are.
        let identity = self
            .tokens
            .verify_agent(form.unverified_token.trim(), now)
            .await
            .map_err(|error| StsError::from(&error))?;
        let target = self.bundle.settings().target_by_role(&form.role_arn).ok_or_else(|| {
            StsError::new(
                StsCode::AccessDenied,
                format!("`{}` is not the role of a target; ask for the AWS_ROLE_ARN of yours", form.role_arn),
            )
        })?;
        let words = UnverifiedWords { task: form.unverified_role_session_name.clone(), ..UnverifiedWords::default() };
        let wanted = form.duration_seconds.map(|seconds| Duration::from_secs(u64::from(seconds)));
        let (claims, credentials) = self.open_session(&identity, target, words, wanted, now).await?;
        Ok(Success {
            credentials: &credentials,
            role_arn: &form.role_arn,
            role_session_name: &form.unverified_role_session_name,
            session_id: claims.session.as_str(),
            subject: &identity.subject,
            audience: &identity.audience,
            issuer: &identity.issuer,
        }
        .to_xml(&incoming.request_id))
    }

    /// `POST /_/v1/sessions`: the same for tools that can say more; the answer is what a
    /// `credential_process` prints.
    pub(crate) async fn session_login(&self, incoming: &Incoming, now: Timestamp) -> Reply {
        match self.try_session_login(incoming, now).await {
            Ok(reply) => reply,
            Err(error) => {
                tracing::info!(code = error.code.as_str(), reason = %error.message, source_ip = %incoming.source_ip, "login refused");
                Reply::json(error.code.status(), &json!({"error": error.code.as_str(), "message": error.message}))
            }
        }
    }

    async fn try_session_login(&self, incoming: &Incoming, now: Timestamp) -> Result<Reply, StsError> {
        let unverified_token = bearer_token(incoming).ok_or_else(|| {
            StsError::new(StsCode::MissingParameter, "an OIDC token is sent as `Authorization: Bearer …`")
        })?;
        let order: SessionOrder = serde_json::from_slice(&incoming.body).map_err(|error| {
            StsError::new(StsCode::ValidationError, format!("the body is not as documented: {error}"))
        })?;
        order.check()?;
        let identity = self.tokens.verify_agent(unverified_token, now).await.map_err(|error| StsError::from(&error))?;
        let target = self.bundle.settings().targets.iter().find(|target| target.name.as_str() == order.target);
        let target = target.ok_or_else(|| {
            StsError::new(StsCode::AccessDenied, format!("there is no target `{}`", printable(&order.target)))
        })?;
        let words = UnverifiedWords { task: order.task, reason: order.reason, ticket: order.ticket };
        let (claims, credentials) = self.open_session(&identity, target, words, None, now).await?;
        Ok(Reply::json(
            200,
            &json!({
                "Version": 1,
                "AccessKeyId": credentials.access_key_id,
                "SecretAccessKey": credentials.secret_access_key.expose(),
                "SessionToken": credentials.session_token,
                "Expiration": credentials.expires_at.to_string(),
                "AccountId": target.account.as_str(),
                "session": claims.session.as_str(),
            }),
        ))
    }

    /// Makes the session and records it: without the record there is no session.
    async fn open_session(
        &self,
        identity: &AgentIdentity,
        target: &Target,
        words: UnverifiedWords,
        wanted: Option<Duration>,
        now: Timestamp,
    ) -> Result<(SessionClaims, SessionCredentials), StsError> {
        let unavailable = |what: &str| StsError::new(StsCode::ServiceUnavailable, format!("{what}; try again"));
        let settings = self.bundle.settings();
        let login = Login {
            agent: identity.agent.clone(),
            // What the bundle gives is looked up at every decision: taken away, it is gone at once.
            groups: identity.groups.clone(),
            owners: identity.owners(settings),
            target: target.name.clone(),
            unverified_task: words.task,
            unverified_reason: words.reason,
            unverified_ticket: words.ticket,
            issuer: identity.issuer.clone(),
            subject: identity.subject.clone(),
            jti: identity.jti.clone(),
            token_hash: identity.token_hash,
        };
        // SDKs that ask for less than they can refresh in are given the least that works.
        let longest = settings.session_lifetime();
        let lifetime = wanted.unwrap_or(longest).min(longest).max(MIN_LIFETIME);
        let sealer = self.sealer().await.map_err(|_| unavailable("the sealing key cannot be reached"))?;
        let (claims, credentials) =
            sealer.issue_session(login, now, lifetime).map_err(|error| StsError::from(&error))?;
        if let Some(stop) = self.stopped(&claims, now).await.map_err(|_| unavailable("the stop list cannot be read"))? {
            return Err(StsError::new(StsCode::AccessDenied, format!("stopped by an operator: {stop}")));
        }
        let event = Event {
            at: now,
            subject: subject(&claims, None),
            happening: Happening::SessionOpened {
                issuer: claims.login.issuer.clone(),
                subject: claims.login.subject.clone(),
                expires_at: claims.expires_at,
            },
        };
        self.recorder.append(claims.session.as_str(), &event).await.map_err(|error| {
            tracing::error!(%error, "the login could not be recorded");
            unavailable("the login could not be recorded")
        })?;
        Ok((claims, credentials))
    }
}

/// The token of `Authorization: Bearer …`.
pub(crate) fn bearer_token(incoming: &Incoming) -> Option<&str> {
    let (scheme, token) = incoming.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Who and where, for an event of a session.
pub(crate) fn subject(claims: &SessionClaims, request: Option<&countersign_domain::RequestId>) -> Subject {
    Subject {
        agent: Some(claims.login.agent.clone()),
        session: Some(claims.session.clone()),
        target: Some(claims.login.target.clone()),
        request: request.cloned(),
        unverified_task: claims.login.unverified_words(),
    }
}

/// The body of `POST /_/v1/sessions`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionOrder {
    target: String,
    task: String,
    reason: Option<String>,
    ticket: Option<String>,
}

impl SessionOrder {
    /// The agent's words are kept as they are, within lengths that fit a session token.
    fn check(&self) -> Result<(), StsError> {
        let too_long = |name: &str, text: &str, most: usize| {
            (text.len() > most).then(|| {
                StsError::new(
                    StsCode::ValidationError,
                    format!("`{name}` has {} bytes; {most} are allowed", text.len()),
                )
            })
        };
        let problems = [
            too_long("target", &self.target, 64),
            too_long("task", &self.task, 64),
            self.reason.as_deref().and_then(|text| too_long("reason", text, 256)),
            self.ticket.as_deref().and_then(|text| too_long("ticket", text, 128)),
        ];
        problems.into_iter().flatten().next().map_or(Ok(()), Err)
    }
}

/// Text that is told back, cut and without control characters.
fn printable(untrusted: &str) -> String {
    untrusted.chars().take(64).map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}
