//! The OIDC issuers: one for agents and one for persons, on one port, with keys, issuer names and
//! audiences of their own, so that a token of one kind is never good for the other.
//!
//! Persons sign in by the authorization code flow with PKCE, on a plain page that a browser and a
//! script can both go through. Tokens can also be asked for with the stack's admin secret.

mod flow;
mod keys;
mod page;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use http::{Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use crate::{
    error::StackError,
    random,
    web::{self, Request, Response},
};
use flow::Code;
use keys::SigningKey;

/// How long a token lives when nothing else is asked for, in seconds.
pub const TOKEN_SECONDS: i64 = 3600;

/// The longest that a token can be asked for, in seconds.
const LONGEST_TOKEN: i64 = 24 * 3600;

/// Both issuers.
pub struct Issuer {
    base: String,
    settings: IssuerSettings,
    agents: SigningKey,
    persons: SigningKey,
    admin_secret: String,
    codes: Mutex<HashMap<String, Code>>,
}

/// Names that both issuers need.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// The audience of agents' tokens.
    pub agent_audience: String,
    /// The client id of the approvals function.
    pub person_client_id: String,
    /// The only redirect URI.
    pub redirect_uri: String,
    /// Names that the sign-in page offers.
    pub persons: Vec<String>,
}

/// Whose token is asked for.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
pub enum Wanted {
    /// An agent's.
    Agent {
        /// Its name: `sub`.
        name: String,
        /// `groups`.
        #[serde(default)]
        groups: Vec<String>,
        /// `owners`.
        #[serde(default)]
        owners: Vec<String>,
        /// Another audience than the configured one.
        audience: Option<String>,
        /// Lifetime in seconds; negative for a token that is over.
        expires: Option<i64>,
    },
    /// A person's.
    Person {
        /// The name: `sub`.
        name: String,
        /// Another audience than the configured client id.
        audience: Option<String>,
        /// Lifetime in seconds; negative for a token that is over.
        expires: Option<i64>,
    },
}

impl Issuer {
    /// Issuers with fresh keys below `base`, a URL without a slash at the end.
    ///
    /// # Errors
    /// [`StackError::Usage`] when no key could be made.
    pub fn new(base: String, settings: IssuerSettings, admin_secret: String) -> Result<Self, StackError> {
        Ok(Self {
            agents: SigningKey::generate("agents")?,
            persons: SigningKey::generate("persons")?,
            codes: Mutex::default(),
            base,
            settings,
            admin_secret,
        })
    }

    /// The `iss` of agents' tokens, below `base`.
    pub fn agent_issuer(base: &str) -> String {
        format!("{base}/agents")
    }

    /// The `iss` of persons' tokens, below `base`.
    pub fn person_issuer(base: &str) -> String {
        format!("{base}/persons")
    }

    /// Makes a token.
    ///
    /// # Errors
    /// The reason when the wish cannot be granted.
    pub fn token(&self, wanted: &Wanted) -> Result<String, String> {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let expires = match wanted {
            Wanted::Agent { expires, .. } | Wanted::Person { expires, .. } => expires.unwrap_or(TOKEN_SECONDS),
        };
        if expires > LONGEST_TOKEN {
            return Err(format!("a token lives {LONGEST_TOKEN} seconds at most"));
        }
        // A token that is over was issued before it was over.
        let issued = now.min(now + expires - 1);
        let mut claims = json!({ "iat": issued, "nbf": issued, "exp": now + expires, "jti": random::uuid() });
        let (key, more) = match wanted {
            Wanted::Agent { name, groups, owners, audience, .. } => {
                let audience = audience.as_ref().unwrap_or(&self.settings.agent_audience);
                let claims = json!({
                    "iss": Self::agent_issuer(&self.base), "aud": audience, "sub": name, "groups": groups, "owners": owners,
                });
                (&self.agents, claims)
            }
            Wanted::Person { name, audience, .. } => {
                let audience = audience.as_ref().unwrap_or(&self.settings.person_client_id);
                (&self.persons, self.person_claims(name, audience))
            }
        };
        if let (Some(claims), Value::Object(more)) = (claims.as_object_mut(), more) {
            claims.extend(more);
        }
        key.sign(&claims)
    }

    fn person_claims(&self, name: &str, audience: &str) -> Value {
        let email = if name.contains('@') { name.to_owned() } else { format!("{name}@example.com") };
        json!({
            "iss": Self::person_issuer(&self.base),
            "aud": audience,
            "sub": name,
            "name": name,
            "email": email,
            "email_verified": true,
        })
    }

    fn discovery(&self, issuer: &str, persons: bool) -> Response {
        let mut document = json!({
            "issuer": issuer,
            "jwks_uri": format!("{issuer}/jwks"),
            "id_token_signing_alg_values_supported": ["ES256"],
            "subject_types_supported": ["public"],
            "response_types_supported": ["code"],
        });
        if let (true, Some(members)) = (persons, document.as_object_mut()) {
            for (name, value) in [
                ("authorization_endpoint", json!(format!("{issuer}/authorize"))),
                ("token_endpoint", json!(format!("{issuer}/token"))),
                ("code_challenge_methods_supported", json!(["S256"])),
                ("grant_types_supported", json!(["authorization_code"])),
                ("token_endpoint_auth_methods_supported", json!(["none"])),
                ("scopes_supported", json!(["openid", "email", "profile"])),
                ("authorization_response_iss_parameter_supported", json!(true)),
            ] {
                members.insert(name.to_owned(), value);
            }
        }
        web::json(StatusCode::OK, &document)
    }

    fn admin(&self, request: &Request) -> Response {
        let given = request.header(header::AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
        let given = given.unwrap_or_default();
        if !bool::from(given.as_bytes().ct_eq(self.admin_secret.as_bytes())) {
            return web::text(StatusCode::FORBIDDEN, "the stack's admin secret is needed");
        }
        let wanted: Wanted = match serde_json::from_slice(&request.body) {
            Ok(wanted) => wanted,
            Err(error) => return web::text(StatusCode::BAD_REQUEST, error.to_string()),
        };
        match self.token(&wanted) {
            Ok(token) => web::json(StatusCode::OK, &json!({ "token": token })),
            Err(reason) => web::text(StatusCode::BAD_REQUEST, reason),
        }
    }
}

/// Both issuers' endpoints.
pub async fn route(issuer: Arc<Issuer>, request: Request) -> Response {
    match (&request.method, request.uri.path()) {
        (&Method::GET, "/agents/.well-known/openid-configuration") => {
            issuer.discovery(&Issuer::agent_issuer(&issuer.base), false)
        }
        (&Method::GET, "/persons/.well-known/openid-configuration") => {
            issuer.discovery(&Issuer::person_issuer(&issuer.base), true)
        }
        (&Method::GET, "/agents/jwks") => web::json(StatusCode::OK, &issuer.agents.jwks()),
        (&Method::GET, "/persons/jwks") => web::json(StatusCode::OK, &issuer.persons.jwks()),
        (&Method::GET, "/persons/authorize") => issuer.show_sign_in(request.query()),
        (&Method::POST, "/persons/authorize") => issuer.sign_in(&request.body),
        (&Method::POST, "/persons/token") => issuer.redeem(&request.body),
        (&Method::POST, "/admin/token") => issuer.admin(&request),
        _ => web::text(StatusCode::NOT_FOUND, "not found"),
    }
}
