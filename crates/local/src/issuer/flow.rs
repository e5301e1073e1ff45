//! The authorization code flow with PKCE (RFC 6749, RFC 7636, OpenID Connect Core).

use std::sync::PoisonError;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use super::{Issuer, TOKEN_SECONDS, page::SignInPage};
use crate::{
    front::asked::Form,
    random,
    web::{self, Response},
};

/// How long a code can be redeemed, in seconds.
const CODE_SECONDS: i64 = 60;

/// A code that waits to be redeemed, once.
pub(super) struct Code {
    person: String,
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
    expires: i64,
}

/// A checked authorization request.
struct Authorization {
    state: Option<String>,
    nonce: Option<String>,
    challenge: String,
    scope: String,
}

impl Issuer {
    pub(super) fn show_sign_in(&self, query: &str) -> Response {
        let authorization = match self.authorization(&Form::read(query.as_bytes())) {
            Ok(authorization) => authorization,
            Err(reason) => return web::text(StatusCode::BAD_REQUEST, reason),
        };
        let mut fields = vec![
            ("response_type", "code".to_owned()),
            ("client_id", self.settings.person_client_id.clone()),
            ("redirect_uri", self.settings.redirect_uri.clone()),
            ("scope", authorization.scope),
            ("code_challenge", authorization.challenge),
            ("code_challenge_method", "S256".to_owned()),
        ];
        fields.extend(authorization.state.map(|state| ("state", state)));
        fields.extend(authorization.nonce.map(|nonce| ("nonce", nonce)));
        let page = SignInPage { action: "/persons/authorize", fields: &fields, persons: &self.settings.persons };
        web::typed(StatusCode::OK, "text/html; charset=utf-8", page.render())
    }

    pub(super) fn sign_in(&self, body: &[u8]) -> Response {
        let form = Form::read(body);
        let authorization = match self.authorization(&form) {
            Ok(authorization) => authorization,
            Err(reason) => return web::text(StatusCode::BAD_REQUEST, reason),
        };
        let person = form.get("person").map(str::trim).filter(|person| !person.is_empty());
        let (Some(person), Some("yes")) = (person, form.get("consent")) else {
            return web::text(StatusCode::BAD_REQUEST, "`person` and `consent=yes` are needed");
        };
        let code = random::secret();
        let kept = Code {
            person: person.to_owned(),
            redirect_uri: self.settings.redirect_uri.clone(),
            challenge: authorization.challenge,
            nonce: authorization.nonce,
            expires: OffsetDateTime::now_utc().unix_timestamp() + CODE_SECONDS,
        };
        self.codes.lock().unwrap_or_else(PoisonError::into_inner).insert(code.clone(), kept);
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut location = format!(
            "{}?code={}&iss={}",
            self.settings.redirect_uri,
            encoded(&code),
            encoded(&Self::person_issuer(&self.base))
        );
        if let Some(state) = &authorization.state {
            location.push_str("&state=");
            location.push_str(&encoded(state));
        }
        let mut response = web::text(StatusCode::SEE_OTHER, "");
        if let Ok(location) = HeaderValue::from_str(&location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }

    /// The token endpoint.
    pub(super) fn redeem(&self, body: &[u8]) -> Response {
        let form = Form::read(body);
        let refused = |error: &str| web::json(StatusCode::BAD_REQUEST, &json!({ "error": error }));
        if form.get("grant_type") != Some("authorization_code") {
            return refused("unsupported_grant_type");
        }
        let code = form.get("code").unwrap_or_default();
        let Some(code) = self.codes.lock().unwrap_or_else(PoisonError::into_inner).remove(code) else {
            return refused("invalid_grant");
        };
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let verifier = form.get("code_verifier").unwrap_or_default();
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        let holds = code.expires >= now
            && form.get("client_id") == Some(self.settings.person_client_id.as_str())
            && form.get("redirect_uri") == Some(code.redirect_uri.as_str())
            && bool::from(challenge.as_bytes().ct_eq(code.challenge.as_bytes()));
        if !holds {
            return refused("invalid_grant");
        }
        match self.id_token(&code, now) {
            Ok(token) => web::json(
                StatusCode::OK,
                &json!({
                    "id_token": token, "access_token": random::secret(), "token_type": "Bearer", "expires_in": TOKEN_SECONDS,
                }),
            ),
            Err(reason) => web::text(StatusCode::INTERNAL_SERVER_ERROR, reason),
        }
    }

    fn id_token(&self, code: &Code, now: i64) -> Result<String, String> {
        let mut claims = self.person_claims(&code.person, &self.settings.person_client_id);
        if let Some(members) = claims.as_object_mut() {
            for (name, value) in [("iat", now), ("nbf", now), ("exp", now + TOKEN_SECONDS), ("auth_time", now)] {
                members.insert(name.to_owned(), json!(value));
            }
            members.insert("jti".to_owned(), Value::String(random::uuid()));
            members.extend(code.nonce.clone().map(|nonce| ("nonce".to_owned(), Value::String(nonce))));
        }
        self.persons.sign(&claims)
    }

    /// Checks what the client asks for. Nothing is ever redirected to an address that is not known.
    fn authorization(&self, form: &Form) -> Result<Authorization, &'static str> {
        if form.get("client_id") != Some(self.settings.person_client_id.as_str()) {
            return Err("unknown `client_id`");
        }
        if form.get("redirect_uri") != Some(self.settings.redirect_uri.as_str()) {
            return Err("unknown `redirect_uri`");
        }
        if form.get("response_type") != Some("code") {
            return Err("`response_type` must be `code`");
        }
        let scope = form.get("scope").unwrap_or_default();
        if !scope.split(' ').any(|one| one == "openid") {
            return Err("`scope` must contain `openid`");
        }
        if form.get("code_challenge_method") != Some("S256") {
            return Err("PKCE with `S256` is required");
        }
        let challenge = form.get("code_challenge").filter(|challenge| challenge.len() == 43);
        Ok(Authorization {
            state: form.get("state").map(str::to_owned),
            nonce: form.get("nonce").map(str::to_owned),
            challenge: challenge.ok_or("`code_challenge` must be 43 characters")?.to_owned(),
            scope: scope.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::{super::IssuerSettings, *};

    fn issuer() -> Issuer {
        let settings = IssuerSettings {
            agent_audience: "agents".into(),
            person_client_id: "approvals".into(),
            redirect_uri: "http://127.0.0.1:1/callback".into(),
            persons: vec!["ann".into()],
        };
        Issuer::new("http://127.0.0.1:2".into(), settings, "secret".into()).expect("issuer")
    }

    fn request(verifier: &str) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        format!(
            "response_type=code&client_id=approvals&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback&scope=openid+email\
             &state=st&nonce=no&code_challenge={challenge}&code_challenge_method=S256"
        )
    }

    fn code_of(response: &Response) -> String {
        let location = response.headers()["location"].to_str().expect("text").to_owned();
        let code = location.split("code=").nth(1).and_then(|rest| rest.split('&').next()).expect("code");
        percent_encoding::percent_decode_str(code).decode_utf8_lossy().into_owned()
    }

    #[tokio::test]
    async fn a_person_signs_in_and_a_code_is_good_once_with_its_verifier() {
        let issuer = issuer();
        let asked = request("verifier");
        let page = issuer.show_sign_in(&asked).into_body().collect().await.expect("page").to_bytes();
        assert!(String::from_utf8_lossy(&page).contains("name=\"state\" value=\"st\""));
        let signed_in = issuer.sign_in(format!("{asked}&person=ann&consent=yes").as_bytes());
        assert_eq!(signed_in.status(), 303);
        let redeem = |code: &str, verifier: &str| {
            let form = format!(
                "grant_type=authorization_code&client_id=approvals&code={code}&code_verifier={verifier}\
                 &redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback"
            );
            issuer.redeem(form.as_bytes()).status()
        };
        let code = code_of(&signed_in);
        assert_eq!(redeem(&code, "verifier"), 200);
        assert_eq!(redeem(&code, "verifier"), 400, "a second time");
        let again = code_of(&issuer.sign_in(format!("{asked}&person=ann&consent=yes").as_bytes()));
        assert_eq!(redeem(&again, "another"), 400, "another verifier");
    }

    #[test]
    fn strange_requests_are_not_redirected() {
        let issuer = issuer();
        for (from, to) in [
            ("client_id=approvals", "client_id=other"),
            ("127.0.0.1%3A1%2Fcallback", "evil.example%2Fcallback"),
            ("S256", "plain"),
            ("scope=openid+email", "scope=email"),
            ("response_type=code", "response_type=token"),
        ] {
            let asked = request("v").replace(from, to);
            assert_eq!(issuer.show_sign_in(&asked).status(), 400, "{to}");
            let posted = issuer.sign_in(format!("{asked}&person=ann&consent=yes").as_bytes());
            assert_eq!(posted.status(), 400, "{to}");
        }
        assert_eq!(issuer.sign_in(format!("{}&person=ann", request("v")).as_bytes()).status(), 400);
    }
}
