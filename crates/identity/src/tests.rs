//! An issuer and a web for tests.

mod forged;
mod persons;
mod rotation;
mod shapes;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use countersign_domain::{
    Timestamp,
    settings::{AgentIssuer, PersonIssuer},
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};

use crate::{FetchDocument, FetchError, IdentityError, TokenVerifier};

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "countersign";
const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A P-256 key with an id.
struct Signer {
    id: &'static str,
    pair: EcdsaKeyPair,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Self { id, pair }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        json!({
            "kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig", "alg": "ES256",
            "x": encode(&point[1..33]), "y": encode(&point[33..]),
        })
    }

    fn sign_raw(&self, header: &str, claims: &str) -> String {
        let input = format!("{}.{}", encode(header), encode(claims));
        let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        format!("{input}.{}", encode(signature))
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_raw(&json!({ "alg": "ES256", "kid": self.id, "typ": "JWT" }).to_string(), &claims.to_string())
    }
}

/// Serves documents and remembers what was asked for.
#[derive(Default)]
struct Web {
    documents: Mutex<BTreeMap<String, Bytes>>,
    asked: Mutex<Vec<String>>,
}

impl Web {
    fn serve(&self, url: &str, document: &Value) {
        self.documents.lock().unwrap().insert(url.to_owned(), document.to_string().into());
    }

    fn serve_issuer(&self, issuer: &str, keys: &[Value]) {
        let base = issuer.trim_end_matches('/');
        let jwks_uri = format!("{base}/keys");
        let discovery = json!({
            "issuer": issuer, "jwks_uri": jwks_uri,
            "authorization_endpoint": format!("{base}/authorize"), "token_endpoint": format!("{base}/token"),
        });
        self.serve(&format!("{base}/.well-known/openid-configuration"), &discovery);
        self.serve(&jwks_uri, &json!({ "keys": keys }));
    }

    fn go_down(&self) {
        self.documents.lock().unwrap().clear();
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl FetchDocument for Web {
    async fn fetch(&self, url: &str) -> Result<Bytes, FetchError> {
        self.asked.lock().unwrap().push(url.to_owned());
        tokio::task::yield_now().await;
        self.documents.lock().unwrap().get(url).cloned().ok_or_else(|| FetchError("connection refused".to_owned()))
    }
}

fn agent_issuer(toml: &str) -> AgentIssuer {
    toml::from_str(toml).unwrap()
}

fn default_agent_issuer() -> AgentIssuer {
    agent_issuer(&format!("issuer = '{ISSUER}'\naudience = '{AUDIENCE}'\nagent_claim = 'sub'\n"))
}

fn person_issuer(toml: &str) -> PersonIssuer {
    toml::from_str(toml).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "robot", "aud": AUDIENCE,
        "iat": NOW.as_secs(), "exp": NOW.as_secs() + 600, "jti": "1",
    })
}

/// The usual claims with `changes`; a null removes a claim.
fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

/// A verifier of one issuer with one key.
fn stage() -> (Signer, Arc<Web>, TokenVerifier<Arc<Web>>) {
    let signer = Signer::new("k1");
    let web = Arc::new(Web::default());
    web.serve_issuer(ISSUER, &[signer.jwk()]);
    let verifier = TokenVerifier::new(vec![default_agent_issuer()], vec![], Arc::clone(&web));
    (signer, web, verifier)
}

fn claim_error(claim: &str, problem: &str) -> IdentityError {
    IdentityError::Claim { claim: claim.to_owned(), problem: problem.to_owned() }
}
