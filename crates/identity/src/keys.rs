//! Issuers' endpoints and keys: discovery, caching, rotation.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use countersign_domain::{Timestamp, settings::Algorithm};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::{
    error::{IdentityError, shortened},
    jwk::{self, Jwk},
    strict_json,
};

/// For how long keys are used without asking again.
pub(crate) const KEYS_FRESH: Duration = Duration::from_secs(600);
/// For how long keys are used while the issuer cannot be reached. After that nothing verifies:
/// a key that the issuer has withdrawn must not live on because its document is out of reach.
pub(crate) const KEYS_USABLE: Duration = Duration::from_secs(3600);
/// The least time between two fetches from one issuer, whatever tokens arrive.
pub(crate) const REFETCH_INTERVAL: Duration = Duration::from_secs(60);
/// The largest document that is read.
const MAX_DOCUMENT_BYTES: usize = 512 * 1024;

/// Fetches a JSON document.
///
/// An implementation verifies TLS, follows no redirect, sends no credential, gives up after a few
/// seconds, stops reading at 512 KiB, and takes only status 200 for success. It is asked for
/// `https` addresses, and for `http` ones on a loopback address if a setting names an issuer there.
pub trait FetchDocument {
    /// The body of `url`.
    ///
    /// # Errors
    /// [`FetchError`] for anything but a complete document.
    fn fetch(&self, url: &str) -> impl Future<Output = Result<Bytes, FetchError>> + Send;
}

impl<T: FetchDocument + Send + Sync> FetchDocument for Arc<T> {
    fn fetch(&self, url: &str) -> impl Future<Output = Result<Bytes, FetchError>> + Send {
        T::fetch(self, url)
    }
}

/// Why a document could not be fetched; the text is for people and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// Where an issuer is reached, by its discovery document (OpenID Connect Discovery 1.0 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Where a person's browser is sent; only issuers that persons sign in at have one.
    pub authorization_endpoint: Option<String>,
    /// Where a code is exchanged.
    pub token_endpoint: Option<String>,
    pub(crate) jwks_uri: String,
}

/// What is known of one issuer.
#[derive(Debug)]
struct Known {
    endpoints: Endpoints,
    keys: Vec<Arc<Jwk>>,
    fetched_at: Timestamp,
}

#[derive(Debug, Default)]
struct IssuerState {
    known: Option<Arc<Known>>,
    attempted_at: Option<Timestamp>,
    last_problem: Option<String>,
}

/// The keys of every issuer in the settings. Others are never asked for anything.
#[derive(Debug)]
pub(crate) struct IssuerKeys<F> {
    fetch: F,
    // A fixed list, so that no token can make it grow. The lock is held during a fetch: calls
    // that arrive meanwhile wait for its answer.
    issuers: Vec<(String, Mutex<IssuerState>)>,
}

impl<F: FetchDocument> IssuerKeys<F> {
    pub(crate) fn new(issuers: impl IntoIterator<Item = String>, fetch: F) -> Self {
        let mut names: Vec<String> = issuers.into_iter().collect();
        names.sort();
        names.dedup();
        Self { fetch, issuers: names.into_iter().map(|name| (name, Mutex::default())).collect() }
    }

    /// The key of `issuer` for a token with this `kid` and algorithm.
    pub(crate) async fn find(
        &self,
        issuer: &str,
        unverified_key_id: Option<&str>,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<Arc<Jwk>, IdentityError> {
        let select = |known: &Known| jwk::select(&known.keys, unverified_key_id, algorithm).cloned();
        let known = self.known(issuer, now, |known| select(known).is_ok()).await?;
        select(&known)
    }

    /// Where `issuer` is reached.
    pub(crate) async fn endpoints(&self, issuer: &str, now: Timestamp) -> Result<Endpoints, IdentityError> {
        Ok(self.known(issuer, now, |_| true).await?.endpoints.clone())
    }

    /// What is known of `issuer`: from the cache while it is fresh and `suffices`, else fetched,
    /// at most once in [`REFETCH_INTERVAL`]. A failed fetch counts too, so an issuer that is down
    /// is not asked by every call, and an unknown `kid` cannot be used to send us there at will.
    async fn known(
        &self,
        issuer: &str,
        now: Timestamp,
        suffices: impl Fn(&Known) -> bool + Send,
    ) -> Result<Arc<Known>, IdentityError> {
        let (_, state) = self
            .issuers
            .iter()
            .find(|(name, _)| name == issuer)
            .ok_or_else(|| IdentityError::UnknownIssuer(shortened(issuer)))?;
        let mut state = state.lock().await;
        if let Some(known) = &state.known
            && now.since(known.fetched_at) < KEYS_FRESH
            && suffices(known)
        {
            return Ok(Arc::clone(known));
        }
        if state.attempted_at.is_none_or(|attempted| now.since(attempted) >= REFETCH_INTERVAL) {
            state.attempted_at = Some(now);
            match self.refetch(issuer, now).await {
                Ok(known) => {
                    state.known = Some(Arc::new(known));
                    state.last_problem = None;
                }
                Err(problem) => state.last_problem = Some(problem),
            }
        }
        match &state.known {
            Some(known) if now.since(known.fetched_at) < KEYS_USABLE => Ok(Arc::clone(known)),
            _ => Err(IdentityError::IssuerUnavailable {
                issuer: issuer.to_owned(),
                problem: state.last_problem.clone().unwrap_or_else(|| "they are too old".to_owned()),
            }),
        }
    }

    async fn refetch(&self, issuer: &str, now: Timestamp) -> Result<Known, String> {
        if !is_trustworthy(issuer, issuer) {
            return Err("the issuer is not an https address".to_owned());
        }
        let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let document = self.document(&discovery).await?;
        let document = strict_json::object(&document).map_err(|_| "the discovery document is not strict json")?;
        let endpoints = read_discovery(&document, issuer)?;
        let keys = jwk::parse_set(&self.document(&endpoints.jwks_uri).await?)?.into_iter().map(Arc::new).collect();
        Ok(Known { endpoints, keys, fetched_at: now })
    }

    async fn document(&self, url: &str) -> Result<Bytes, String> {
        let document = self.fetch.fetch(url).await.map_err(|error| shortened(&error.to_string()))?;
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(format!("a document is larger than {MAX_DOCUMENT_BYTES} bytes"));
        }
        Ok(document)
    }
}

fn read_discovery(document: &Map<String, Value>, issuer: &str) -> Result<Endpoints, &'static str> {
    // §4.3: it must be equal, or a document could speak for an issuer that it is not.
    if document.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err("the discovery document names another issuer");
    }
    let address = |name: &str, problem: &'static str| match document.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(address)) if is_trustworthy(address, issuer) => Ok(Some(address.clone())),
        Some(_) => Err(problem),
    };
    Ok(Endpoints {
        authorization_endpoint: address("authorization_endpoint", "the authorization endpoint is not https")?,
        token_endpoint: address("token_endpoint", "the token endpoint is not https")?,
        jwks_uri: address("jwks_uri", "the address of the keys is not https")?
            .ok_or("the discovery document names no keys")?,
    })
}

/// Whether `address` may be used on behalf of `issuer`: `https`, or `http` on a loopback address
/// when the issuer itself is such a one, as in a local stack. No user info, no fragment.
fn is_trustworthy(address: &str, issuer: &str) -> bool {
    match scheme(address) {
        Some(Scheme::Https) => true,
        Some(Scheme::LoopbackHttp) => scheme(issuer) == Some(Scheme::LoopbackHttp),
        None => false,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Https,
    LoopbackHttp,
}

fn scheme(address: &str) -> Option<Scheme> {
    if address.contains('#') {
        return None;
    }
    let uri: http::Uri = address.parse().ok()?;
    let authority = uri.authority()?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return None;
    }
    match (uri.scheme_str()?, authority.host()) {
        ("https", _) => Some(Scheme::Https),
        ("http", "127.0.0.1" | "[::1]" | "localhost") => Some(Scheme::LoopbackHttp),
        _ => None,
    }
}
