//! Who is looking: a signed-in person, by cookie or by bearer ID token.

use countersign_domain::{Timestamp, settings::Person};
use countersign_identity::pkce::{self, PersonSession};
use http::HeaderMap;

use crate::{approvals::Approvals, problem::Problem};

/// The cookie's name where there is no TLS, in a local stack: the `__Host-` prefix asks for TLS.
const PLAIN_PERSON_COOKIE: &str = "countersign-person";

/// A signed-in person.
pub(crate) struct Visitor<'a> {
    /// Who.
    pub person: &'a Person,
    /// The session of a browser. A script with a bearer token has none, and needs no form token:
    /// no other site can make a browser send that header.
    pub session: Option<PersonSession>,
}

impl Approvals {
    /// Who is looking.
    ///
    /// # Errors
    /// [`Problem::NotSignedIn`] for nobody, others for somebody who is not accepted.
    pub(crate) async fn visitor(&self, headers: &HeaderMap, now: Timestamp) -> Result<Visitor<'_>, Problem> {
        if let Some(unverified_token) = bearer(headers) {
            let identity = self.tokens.verify_person(unverified_token, None, now).await?;
            let person = identity.person(self.bundle.settings()).ok_or(Problem::Stranger)?;
            return Ok(Visitor { person, session: None });
        }
        let unverified_cookie =
            pkce::cookie(cookie_headers(headers), self.person_cookie()).ok_or(Problem::NotSignedIn)?;
        let session = self.sealer().await?.open_person(unverified_cookie, now).map_err(|_| Problem::NotSignedIn)?;
        let settings = self.bundle.settings();
        // An issuer that the bundle dropped signs nobody in any more. This also keeps apart what is
        // sealed by the same key for emailed codes, whose issuer is none.
        if !settings.person_issuers.iter().any(|issuer| issuer.issuer == session.issuer) {
            return Err(Problem::NotSignedIn);
        }
        let person = settings.person(&session.person).ok_or(Problem::Stranger)?;
        Ok(Visitor { person, session: Some(session) })
    }

    /// The name of the session cookie.
    pub(crate) fn person_cookie(&self) -> &'static str {
        if self.settings.approvals_url.is_secure() { pkce::PERSON_COOKIE } else { PLAIN_PERSON_COOKIE }
    }
}

/// The `Cookie` headers.
pub(crate) fn cookie_headers(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(http::header::COOKIE).iter().filter_map(|value| value.to_str().ok())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
