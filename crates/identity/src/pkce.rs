//! The approvers' sign-in: OAuth 2.0 authorization code flow with PKCE (RFC 6749, RFC 7636,
//! OpenID Connect Core 1.0 §3.1), and the cookies around it.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_domain::{
    Digest, PersonId, RequestId, Timestamp,
    encoding::{DecodeError, Reader, Writer},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    sealing::{Purpose, SealError, Sealer},
    strict_json,
    web_identity::form_text,
};

/// How long a person may take at the issuer.
pub const LOGIN_LIFETIME: Duration = Duration::from_secs(600);
/// The cookie that holds a sign-in under way. The prefix binds it to the host, to `/` and to TLS.
pub const LOGIN_COOKIE: &str = "__Host-countersign-login";
/// The cookie that holds a person's session.
pub const PERSON_COOKIE: &str = "__Host-countersign-person";
const LOGIN_TAG: &str = "countersign/login-state/v1";
const PERSON_TAG: &str = "countersign/person-session/v1";
/// RFC 3986's unreserved characters stay as they are.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a sign-in does not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The page to return to is not a path of ours.
    #[error("the page to return to is not a path on this host")]
    ReturnTo,
    /// The cookie is missing, changed, or from another sign-in.
    #[error("this sign-in was not started in this browser; start again")]
    State,
    /// The sign-in or the session has ended.
    #[error("the sign-in has expired; start again")]
    Expired,
    /// The issuer's redirect is malformed.
    #[error("the issuer's answer is malformed: {0}")]
    Malformed(&'static str),
    /// The issuer refused; its own code, which it may have taken from anybody.
    #[error("the issuer refused the sign-in: `{0}`")]
    Refused(String),
    /// A form does not belong to this session and request.
    #[error("the form does not belong to this session and request")]
    FormToken,
    /// Sealing failed.
    #[error(transparent)]
    Seal(SealError),
}

impl From<SealError> for SignInError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Open => SignInError::State,
            error => SignInError::Seal(error),
        }
    }
}

/// A sign-in under way; it travels sealed in a cookie.
#[derive(Clone)]
pub struct LoginState {
    /// The issuer.
    pub issuer: String,
    /// Where the person goes afterwards: a path on this host.
    pub return_to: String,
    /// What the ID token must carry.
    pub nonce: String,
    state: String,
    code_verifier: Zeroizing<String>,
    started_at: Timestamp,
}

impl std::fmt::Debug for LoginState {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("LoginState")
            .field("issuer", &self.issuer)
            .field("return_to", &self.return_to)
            .finish_non_exhaustive()
    }
}

/// What the issuer's redirect back to us says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// The code to exchange.
    pub unverified_code: String,
    /// The state that we sent.
    pub unverified_state: String,
    /// The issuer, if it names itself (RFC 9207).
    pub unverified_issuer: Option<String>,
}

/// A person's session; it travels sealed in a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonSession {
    /// 128 random bits that form tokens are bound to.
    pub id: [u8; 16],
    /// The person.
    pub person: PersonId,
    /// Where they signed in.
    pub issuer: String,
    /// Their subject there.
    pub subject: String,
    /// When they signed in here; whole seconds.
    pub signed_in_at: Timestamp,
    /// When they last proved to the issuer who they are, if it says; whole seconds.
    pub authenticated_at: Option<Timestamp>,
    /// How, if it says (`amr`).
    pub methods: Vec<String>,
    /// When this session ends; whole seconds.
    pub expires_at: Timestamp,
}

impl Sealer {
    /// Starts a sign-in at `issuer`.
    ///
    /// # Errors
    /// When `return_to` is not a path on this host, which would make us an open redirect.
    pub fn begin_login(&self, issuer: &str, return_to: &str, now: Timestamp) -> Result<LoginState, SignInError> {
        if !is_local_path(return_to) {
            return Err(SignInError::ReturnTo);
        }
        Ok(LoginState {
            issuer: issuer.to_owned(),
            return_to: return_to.to_owned(),
            nonce: URL_SAFE_NO_PAD.encode(self.random::<16>()?),
            state: URL_SAFE_NO_PAD.encode(self.random::<16>()?),
            // 32 bytes give the 43 characters that RFC 7636 §4.1 recommends.
            code_verifier: Zeroizing::new(URL_SAFE_NO_PAD.encode(self.random::<32>()?)),
            started_at: now,
        })
    }

    /// The value of [`LOGIN_COOKIE`].
    ///
    /// # Errors
    /// When sealing fails.
    pub fn seal_login(&self, login: &LoginState) -> Result<String, SignInError> {
        let mut writer = Writer::new(LOGIN_TAG);
        writer.text(&login.issuer).text(&login.return_to).text(&login.nonce).text(&login.state);
        writer.text(&login.code_verifier).number(login.started_at.as_secs());
        Ok(self.seal(Purpose::LOGIN_STATE, b"", &Zeroizing::new(writer.finish()))?)
    }

    /// The sign-in that `callback` answers.
    ///
    /// # Errors
    /// When the cookie is not from this browser's own, recent sign-in at the issuer that answers.
    pub fn open_login(
        &self,
        unverified_cookie: &str,
        callback: &Callback,
        now: Timestamp,
    ) -> Result<LoginState, SignInError> {
        let plain = self.open(Purpose::LOGIN_STATE, b"", unverified_cookie)?;
        let login = decode_login(&plain).map_err(|_| SignInError::State)?;
        let same_state = login.state.as_bytes().ct_eq(callback.unverified_state.as_bytes());
        if !bool::from(same_state) {
            return Err(SignInError::State);
        }
        if now.since(login.started_at) > LOGIN_LIFETIME {
            return Err(SignInError::Expired);
        }
        if callback.unverified_issuer.as_ref().is_some_and(|issuer| *issuer != login.issuer) {
            return Err(SignInError::Malformed("another issuer answers"));
        }
        Ok(login)
    }

    /// A fresh id for a [`PersonSession`].
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn person_session_id(&self) -> Result<[u8; 16], SignInError> {
        Ok(self.random()?)
    }

    /// The value of [`PERSON_COOKIE`].
    ///
    /// # Errors
    /// When sealing fails.
    pub fn seal_person(&self, session: &PersonSession) -> Result<String, SignInError> {
        let mut writer = Writer::new(PERSON_TAG);
        writer.bytes(&session.id).text(session.person.as_str()).text(&session.issuer).text(&session.subject);
        writer.number(session.signed_in_at.as_secs()).number(session.expires_at.as_secs());
        writer.number(session.authenticated_at.map_or(0, Timestamp::as_secs));
        writer.text(&session.methods.join("\n"));
        Ok(self.seal(Purpose::PERSON_SESSION, b"", &Zeroizing::new(writer.finish()))?)
    }

    /// The session in a cookie.
    ///
    /// # Errors
    /// When it is not one of ours, or has ended.
    pub fn open_person(&self, unverified_cookie: &str, now: Timestamp) -> Result<PersonSession, SignInError> {
        let plain = self.open(Purpose::PERSON_SESSION, b"", unverified_cookie)?;
        let session = decode_person(&plain).map_err(|_| SignInError::State)?;
        if now >= session.expires_at { Err(SignInError::Expired) } else { Ok(session) }
    }

    /// The token that a decision form for `request` carries in `session`: a page of another site
    /// cannot know it, and it fits no other request.
    ///
    /// # Errors
    /// When the key cannot be derived.
    pub fn form_token(&self, session: &PersonSession, request: &RequestId) -> Result<String, SignInError> {
        let tag = self.newest().tag(Purpose::FORM_TOKEN, &form_token_message(session, request))?;
        Ok(URL_SAFE_NO_PAD.encode(tag.as_slice()))
    }

    /// Checks a form's token.
    ///
    /// # Errors
    /// When it is not the one of this session and request.
    pub fn check_form_token(
        &self,
        session: &PersonSession,
        request: &RequestId,
        unverified_token: &str,
    ) -> Result<(), SignInError> {
        let message = form_token_message(session, request);
        // Any key of the ring: a page may be open while the key is rotated.
        for key in self.keys() {
            let expected = URL_SAFE_NO_PAD.encode(key.tag(Purpose::FORM_TOKEN, &message)?.as_slice());
            if bool::from(expected.as_bytes().ct_eq(unverified_token.as_bytes())) {
                return Ok(());
            }
        }
        Err(SignInError::FormToken)
    }
}

impl LoginState {
    /// Where the person's browser goes.
    pub fn authorization_url(
        &self,
        authorization_endpoint: &str,
        client_id: &str,
        redirect_uri: &str,
        scope: &str,
    ) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Digest::of(self.code_verifier.as_bytes()).as_bytes());
        let query = form(&[
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", redirect_uri),
            ("scope", scope),
            ("state", &self.state),
            ("nonce", &self.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        // An endpoint may have a query of its own (RFC 6749 §3.1).
        let joint = if authorization_endpoint.contains('?') { '&' } else { '?' };
        format!("{authorization_endpoint}{joint}{query}")
    }

    /// The form that exchanges the code at the token endpoint, as
    /// `application/x-www-form-urlencoded`. We are a public client: the verifier is the proof.
    pub fn token_request(&self, callback: &Callback, client_id: &str, redirect_uri: &str) -> Zeroizing<String> {
        Zeroizing::new(form(&[
            ("grant_type", "authorization_code"),
            ("code", &callback.unverified_code),
            ("redirect_uri", redirect_uri),
            ("client_id", client_id),
            ("code_verifier", &self.code_verifier),
        ]))
    }
}

impl Callback {
    /// Reads the query of the redirect.
    ///
    /// # Errors
    /// When the issuer refused, or the query has a member twice or lacks one.
    pub fn parse(query: &str) -> Result<Self, SignInError> {
        let mut members = std::collections::BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = form_text(name).ok_or(SignInError::Malformed("a name is badly escaped"))?;
            let value = form_text(value).ok_or(SignInError::Malformed("a value is badly escaped"))?;
            if members.insert(name, value).is_some() {
                return Err(SignInError::Malformed("a member is given twice"));
            }
        }
        if let Some(error) = members.remove("error") {
            return Err(SignInError::Refused(error_code(&error)));
        }
        let mut required = |name: &str| members.remove(name).filter(|value| !value.is_empty());
        Ok(Self {
            unverified_code: required("code").ok_or(SignInError::Malformed("it has no code"))?,
            unverified_state: required("state").ok_or(SignInError::Malformed("it has no state"))?,
            unverified_issuer: required("iss"),
        })
    }
}

/// The ID token in the token endpoint's answer. It is still to be verified, with
/// [`LoginState::nonce`]; the access token is not wanted and not kept.
///
/// # Errors
/// When the issuer refused, or the answer is not as OpenID Connect Core 1.0 §3.1.3.3 says.
pub fn unverified_id_token(token_response: &[u8]) -> Result<Zeroizing<String>, SignInError> {
    let response = strict_json::object(token_response).map_err(SignInError::Malformed)?;
    if let Some(error) = response.get("error") {
        return Err(SignInError::Refused(error_code(error.as_str().unwrap_or_default())));
    }
    response
        .get("id_token")
        .and_then(serde_json::Value::as_str)
        .map(|token| Zeroizing::new(token.to_owned()))
        .ok_or(SignInError::Malformed("it has no id token"))
}

/// A `Set-Cookie` value: for this host only, over TLS only, out of reach of scripts, and not sent
/// with another site's form posts.
pub fn set_cookie(name: &str, value: &str, lifetime: Duration) -> String {
    format!("{name}={value}; Max-Age={}; Path=/; Secure; HttpOnly; SameSite=Lax", lifetime.as_secs())
}

/// The `Set-Cookie` value that removes a cookie.
pub fn remove_cookie(name: &str) -> String {
    set_cookie(name, "", Duration::ZERO)
}

/// The value of the cookie `name`; `None` also if it is sent twice, since browsers may order a
/// planted one first.
pub fn cookie<'a>(cookies: impl IntoIterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let mut values = cookies
        .into_iter()
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

/// An OAuth error code, made of the characters that RFC 6749 §4.1.2.1 allows.
fn error_code(untrusted_code: &str) -> String {
    untrusted_code.chars().filter(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(*letter)).take(64).collect()
}

/// A path that a browser cannot read as another host: `/` and then neither `/` nor `\`, printable
/// ASCII throughout.
fn is_local_path(path: &str) -> bool {
    path.len() <= 1024
        && path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

fn form(members: &[(&str, &str)]) -> String {
    members
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, UNRESERVED)))
        .collect::<Vec<_>>()
        .join("&")
}

fn form_token_message(session: &PersonSession, request: &RequestId) -> Vec<u8> {
    let mut writer = Writer::new("countersign/form-token/v1");
    writer.bytes(&session.id).text(session.person.as_str()).text(request.as_str());
    writer.finish()
}

fn decode_login(bytes: &[u8]) -> Result<LoginState, DecodeError> {
    let mut reader = Reader::new(bytes, LOGIN_TAG)?;
    let login = LoginState {
        issuer: reader.text()?.to_owned(),
        return_to: reader.text()?.to_owned(),
        nonce: reader.text()?.to_owned(),
        state: reader.text()?.to_owned(),
        code_verifier: Zeroizing::new(reader.text()?.to_owned()),
        started_at: Timestamp::from_secs(reader.number()?),
    };
    reader.finish()?;
    Ok(login)
}

fn decode_person(bytes: &[u8]) -> Result<PersonSession, DecodeError> {
    let mut reader = Reader::new(bytes, PERSON_TAG)?;
    let id = reader.bytes()?.try_into().map_err(|_| DecodeError::Field("id"))?;
    let person = PersonId::new(reader.text()?).map_err(|_| DecodeError::Field("person"))?;
    let issuer = reader.text()?.to_owned();
    let subject = reader.text()?.to_owned();
    let signed_in_at = Timestamp::from_secs(reader.number()?);
    let expires_at = Timestamp::from_secs(reader.number()?);
    let authenticated_at = Some(reader.number()?).filter(|seconds| *seconds != 0).map(Timestamp::from_secs);
    let methods = reader.text()?.split('\n').filter(|line| !line.is_empty()).map(str::to_owned).collect();
    reader.finish()?;
    Ok(PersonSession { id, person, issuer, subject, signed_in_at, authenticated_at, methods, expires_at })
}

#[cfg(test)]
mod tests;
