//! Signing in at the person issuer: authorization code flow with PKCE.

use std::time::Duration;

use countersign_domain::{Timestamp, settings::PersonIssuer};
use countersign_identity::pkce::{self, Callback, LOGIN_COOKIE, LOGIN_LIFETIME, PersonSession, unverified_id_token};
use http::HeaderMap;

use crate::{
    answer::{Answer, query_member},
    approvals::Approvals,
    problem::Problem,
    visitor::cookie_headers,
};

/// How long a person stays signed in here: long enough to read several requests.
const SESSION: Duration = Duration::from_secs(3600);
/// The cookie's name where there is no TLS, in a local stack.
const PLAIN_LOGIN_COOKIE: &str = "countersign-login";

impl Approvals {
    /// `GET /login?return=…`: on to the issuer.
    pub(crate) async fn login(&self, query: &str, now: Timestamp) -> Result<Answer, Problem> {
        let return_to = query_member(query, "return").unwrap_or_else(|| "/".to_owned());
        let issuer = self.person_issuer()?;
        let endpoints = self.tokens.sign_in_endpoints(&issuer.issuer, now).await?;
        let endpoint =
            endpoints.authorization_endpoint.ok_or(Problem::Unavailable("the issuer names no page to sign in at"))?;
        let sealer = self.sealer().await?;
        let login = sealer.begin_login(&issuer.issuer, &return_to, now)?;
        let url = login.authorization_url(&endpoint, &issuer.client_id, &self.redirect_uri(), "openid email");
        let cookie = self.set_cookie(self.login_cookie(), &sealer.seal_login(&login)?, LOGIN_LIFETIME);
        Ok(Answer::redirect(&url).with_cookie(cookie))
    }

    /// `GET /callback`: the issuer sends the person back.
    pub(crate) async fn callback(&self, query: &str, headers: &HeaderMap, now: Timestamp) -> Result<Answer, Problem> {
        let callback = Callback::parse(query)?;
        let sealer = self.sealer().await?;
        let unverified_cookie =
            pkce::cookie(cookie_headers(headers), self.login_cookie()).ok_or(pkce::SignInError::State)?;
        let login = sealer.open_login(unverified_cookie, &callback, now)?;
        let issuer = self.person_issuer()?;
        let endpoint = self
            .tokens
            .sign_in_endpoints(&login.issuer, now)
            .await?
            .token_endpoint
            .ok_or(Problem::Unavailable("the issuer names no token endpoint"))?;
        let form = login.token_request(&callback, &issuer.client_id, &self.redirect_uri());
        let response = self
            .documents
            .post_form(&endpoint, form.to_string())
            .await
            .map_err(|error| Problem::unavailable("the issuer did not exchange the code", &error))?;
        let identity = self.tokens.verify_person(&unverified_id_token(&response)?, Some(&login.nonce), now).await?;
        let person = identity.person(self.bundle.settings()).ok_or(Problem::Stranger)?;
        let session = PersonSession {
            id: sealer.person_session_id()?,
            person: person.id.clone(),
            issuer: identity.issuer.clone(),
            subject: identity.subject.clone(),
            signed_in_at: now,
            authenticated_at: identity.authenticated_at,
            methods: identity.methods.clone(),
            expires_at: now.plus(SESSION),
        };
        let cookie = self.set_cookie(self.person_cookie(), &sealer.seal_person(&session)?, SESSION);
        let done = self.set_cookie(self.login_cookie(), "", Duration::ZERO);
        Ok(Answer::redirect(&login.return_to).with_cookie(cookie).with_cookie(done))
    }

    /// `POST /logout`.
    pub(crate) fn logout(&self) -> Answer {
        Answer::redirect("/").with_cookie(self.set_cookie(self.person_cookie(), "", Duration::ZERO))
    }

    /// The issuer that persons sign in at: the bundle's first.
    fn person_issuer(&self) -> Result<&PersonIssuer, Problem> {
        self.bundle
            .settings()
            .person_issuers
            .first()
            .ok_or(Problem::Unavailable("the bundle names no issuer that persons sign in at"))
    }

    fn redirect_uri(&self) -> String {
        format!("{}/callback", self.settings.approvals_url)
    }

    fn login_cookie(&self) -> &'static str {
        if self.settings.approvals_url.is_secure() { LOGIN_COOKIE } else { PLAIN_LOGIN_COOKIE }
    }

    /// As [`pkce::set_cookie`]; without TLS, in a local stack, no cookie could be kept that asks
    /// for it.
    fn set_cookie(&self, name: &str, value: &str, lifetime: Duration) -> String {
        let cookie = pkce::set_cookie(name, value, lifetime);
        if self.settings.approvals_url.is_secure() { cookie } else { cookie.replace("; Secure", "") }
    }
}
