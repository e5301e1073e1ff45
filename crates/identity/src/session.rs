//! The credentials that an agent gets for its token.
//!
//! They look like AWS credentials, so that every SDK signs with them, and are worthless at AWS.
//! The access key id, the session id and the secret are keyed hashes of the token: whatever is done
//! with one token is one session, under whatever target and words, so that an agent whose session is
//! stopped has no other to go on with. Nobody without the sealing key can compute the secret from
//! what goes over the wire. The claims travel sealed in the session token, so
//! verifying a request needs no read.

use std::{collections::BTreeSet, fmt, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_domain::{
    AgentId, Digest, GroupName, PersonId, SessionId, TargetName, Timestamp,
    encoding::{DecodeError, Reader, Writer},
};
use zeroize::Zeroizing;

use crate::sealing::{Purpose, SealError, Sealer, SealingKey};

/// What every access key id of ours starts with; AWS's start with `A`.
pub const ACCESS_KEY_PREFIX: &str = "CSGN";
/// The longest session token: with the other headers it must fit the 10,240 bytes that API Gateway
/// allows for the request line and all headers.
pub const MAX_SESSION_TOKEN_BYTES: usize = 2048;
/// The shortest life of a session: SDKs refresh 15 minutes before the end.
pub const MIN_LIFETIME: Duration = Duration::from_secs(1800);
/// The longest life of a session, as at STS.
pub const MAX_LIFETIME: Duration = Duration::from_secs(43_200);
/// How far the clocks of two gateway instances may differ.
const LEEWAY: Duration = Duration::from_secs(60);
const DOMAIN_TAG: &str = "countersign/session/v1";

/// Why a session cannot be made or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The claims do not fit into a token.
    #[error(
        "the session token would have {bytes} bytes and may have {MAX_SESSION_TOKEN_BYTES}: shorten {longest}, \
         which takes {longest_bytes} bytes"
    )]
    TooLong {
        /// The length it would have.
        bytes: usize,
        /// What takes most of it, in words.
        longest: &'static str,
        /// How much of the claims that is.
        longest_bytes: usize,
    },
    /// The lifetime is out of bounds.
    #[error("a session lives {min} to {max} seconds", min = MIN_LIFETIME.as_secs(), max = MAX_LIFETIME.as_secs())]
    Lifetime,
    /// Not a session token of ours for this access key id.
    #[error("the session token is not valid")]
    Invalid,
    /// The session has ended.
    #[error("the session expired at {0}")]
    Expired(Timestamp),
    /// Sealing failed.
    #[error(transparent)]
    Seal(SealError),
}

/// A verified login, of which a session is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The agent.
    pub agent: AgentId,
    /// Its groups by the token; those of the bundle are looked up at every decision.
    pub groups: BTreeSet<GroupName>,
    /// Its owners by the token; those of the bundle are looked up at every decision.
    pub owners: BTreeSet<PersonId>,
    /// Where it acts.
    pub target: TargetName,
    /// The agent's own words: what it is about to do (`RoleSessionName`).
    pub unverified_task: String,
    /// The agent's own words: why, if it said so.
    pub unverified_reason: Option<String>,
    /// The agent's own words: for which ticket, if it said so.
    pub unverified_ticket: Option<String>,
    /// `iss` of the token.
    pub issuer: String,
    /// `sub` of the token.
    pub subject: String,
    /// `jti` of the token.
    pub jti: Option<String>,
    /// The digest of the signed part of the token.
    pub token_hash: Digest,
}

impl Login {
    /// Everything the agent said about why: what rules on `unverified_task` and approvers read.
    pub fn unverified_words(&self) -> String {
        let mut words = self.unverified_task.clone();
        for (name, text) in [("reason", &self.unverified_reason), ("ticket", &self.unverified_ticket)] {
            if let Some(text) = text {
                words.push_str(&format!("\n{name}: {text}"));
            }
        }
        words
    }
}

/// What a session token holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionClaims {
    /// The session.
    pub session: SessionId,
    /// The login that it was made of.
    pub login: Login,
    /// When these credentials were issued; whole seconds.
    pub issued_at: Timestamp,
    /// When they end; whole seconds.
    pub expires_at: Timestamp,
}

/// A secret access key. It is never shown, and wiped when dropped.
#[derive(Clone)]
pub struct SecretAccessKey(Zeroizing<String>);

impl SecretAccessKey {
    /// The 40 characters, for verifying a signature or answering a login; never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretAccessKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SecretAccessKey(..)")
    }
}

/// What the agent gets.
#[derive(Clone)]
pub struct SessionCredentials {
    /// [`ACCESS_KEY_PREFIX`] and 16 characters of base32.
    pub access_key_id: String,
    /// 40 characters.
    pub secret_access_key: SecretAccessKey,
    /// At most [`MAX_SESSION_TOKEN_BYTES`] characters that need no escaping in a header.
    pub session_token: String,
    /// When they end; whole seconds.
    pub expires_at: Timestamp,
}

impl fmt::Debug for SessionCredentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SessionCredentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl Sealer {
    /// The session of `login`, and credentials for it from `now` for `lifetime`.
    ///
    /// # Errors
    /// When the lifetime is out of bounds or the claims do not fit.
    pub fn issue_session(
        &self,
        login: Login,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<(SessionClaims, SessionCredentials), SessionError> {
        if !(MIN_LIFETIME..=MAX_LIFETIME).contains(&lifetime) {
            return Err(SessionError::Lifetime);
        }
        let issued_at = Timestamp::from_secs(now.as_secs());
        let session = session_id(self.newest(), &login)?;
        let claims = SessionClaims { session, login, issued_at, expires_at: issued_at.plus(lifetime) };
        let access_key_id = access_key_id(self.newest(), &claims.session)?;
        let secret_access_key = secret_access_key(self.newest(), &access_key_id)?;
        let session_token = self.seal(Purpose::SESSION_TOKEN, access_key_id.as_bytes(), &encode(&claims))?;
        if session_token.len() > MAX_SESSION_TOKEN_BYTES {
            let (longest, longest_bytes) = longest_part(&claims.login);
            return Err(SessionError::TooLong { bytes: session_token.len(), longest, longest_bytes });
        }
        let expires_at = claims.expires_at;
        Ok((claims, SessionCredentials { access_key_id, secret_access_key, session_token, expires_at }))
    }

    /// Opens a session token and derives the secret that the request must be signed with. Whoever
    /// sends the token has proved nothing until that signature is verified.
    ///
    /// # Errors
    /// [`SessionError::Invalid`] for anything that was not issued for `unverified_access_key_id`,
    /// [`SessionError::Expired`] for a session that has ended.
    pub fn open_session(
        &self,
        unverified_access_key_id: &str,
        unverified_session_token: &str,
        now: Timestamp,
    ) -> Result<(SessionClaims, SecretAccessKey), SessionError> {
        if unverified_session_token.len() > MAX_SESSION_TOKEN_BYTES {
            return Err(SessionError::Invalid);
        }
        let plain = self
            .open(Purpose::SESSION_TOKEN, unverified_access_key_id.as_bytes(), unverified_session_token)
            .map_err(|_| SessionError::Invalid)?;
        let access_key_id = unverified_access_key_id;
        let claims = decode(&plain).map_err(|_| SessionError::Invalid)?;
        if claims.issued_at > now.plus(LEEWAY) {
            return Err(SessionError::Invalid);
        }
        if now >= claims.expires_at {
            return Err(SessionError::Expired(claims.expires_at));
        }
        let key = self.key_of(unverified_session_token).ok_or(SessionError::Invalid)?;
        Ok((claims, secret_access_key(key, access_key_id)?))
    }
}

impl From<SealError> for SessionError {
    fn from(error: SealError) -> Self {
        SessionError::Seal(error)
    }
}

/// How long a session lives: what was asked for, at most what the bundle says, at least
/// [`MIN_LIFETIME`].
pub fn lifetime(asked_seconds: Option<u32>, configured: Duration) -> Duration {
    let asked = asked_seconds.map_or(configured, |seconds| Duration::from_secs(u64::from(seconds)));
    asked.min(configured).clamp(MIN_LIFETIME, MAX_LIFETIME)
}

/// Whether an access key id has the form of ours.
pub fn is_session_access_key(access_key_id: &str) -> bool {
    access_key_id.strip_prefix(ACCESS_KEY_PREFIX).is_some_and(|rest| {
        rest.len() == 16 && rest.bytes().all(|byte| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte))
    })
}

fn session_id(key: &SealingKey, login: &Login) -> Result<SessionId, SealError> {
    let mut writer = Writer::new("countersign/session-id/v2");
    writer.bytes(login.token_hash.as_bytes()).text(login.agent.as_str());
    let tag = key.tag(Purpose::SESSION_ID, &writer.finish())?;
    let mut bits = [0; 16];
    bits.iter_mut().zip(tag.iter()).for_each(|(to, from)| *to = *from);
    Ok(SessionId::from_bits(bits))
}

fn access_key_id(key: &SealingKey, session: &SessionId) -> Result<String, SealError> {
    let tag = key.tag(Purpose::ACCESS_KEY_ID, session.as_str().as_bytes())?;
    // 16 characters of five bits each, from the low bits of 16 bytes of the tag.
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letter = |byte: &u8| char::from(ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'A'));
    Ok(tag.iter().take(16).map(letter).fold(ACCESS_KEY_PREFIX.to_owned(), |mut id, letter| {
        id.push(letter);
        id
    }))
}

/// 30 bytes of a keyed hash as 40 characters.
fn secret_access_key(key: &SealingKey, access_key_id: &str) -> Result<SecretAccessKey, SealError> {
    let tag = key.tag(Purpose::SECRET_ACCESS_KEY, access_key_id.as_bytes())?;
    let bytes = tag.get(..30).unwrap_or_default();
    Ok(SecretAccessKey(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes))))
}

fn longest_part(login: &Login) -> (&'static str, usize) {
    let total = |lengths: &mut dyn Iterator<Item = usize>| lengths.map(|length| length + 1).sum::<usize>();
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    [
        ("the list of groups", total(&mut login.groups.iter().map(|name| name.as_str().len()))),
        ("the list of owners", total(&mut login.owners.iter().map(|name| name.as_str().len()))),
        ("the task", login.unverified_task.len()),
        ("the reason", optional(&login.unverified_reason)),
        ("the ticket", optional(&login.unverified_ticket)),
        ("the token's subject", login.subject.len()),
        ("the token's issuer", login.issuer.len()),
        ("the token's id", optional(&login.jti)),
        ("the agent's name", login.agent.as_str().len()),
    ]
    .into_iter()
    .max_by_key(|(_, length)| *length)
    .unwrap_or_default()
}

fn optional(writer: &mut Writer, text: Option<&str>) {
    match text {
        Some(text) => writer.number(1).text(text),
        None => writer.number(0),
    };
}

fn encode(claims: &SessionClaims) -> Zeroizing<Vec<u8>> {
    let login = &claims.login;
    let mut writer = Writer::new(DOMAIN_TAG);
    writer.text(claims.session.as_str()).number(claims.issued_at.as_secs()).number(claims.expires_at.as_secs());
    writer.text(login.agent.as_str()).text(login.target.as_str()).bytes(login.token_hash.as_bytes());
    writer.text(&login.issuer).text(&login.subject).text(&login.unverified_task);
    for text in [&login.jti, &login.unverified_reason, &login.unverified_ticket] {
        optional(&mut writer, text.as_deref());
    }
    // Names hold no line break, so one field each is enough: eight bytes of length per name would
    // cost a third of the token.
    let groups: Vec<&str> = login.groups.iter().map(GroupName::as_str).collect();
    let owners: Vec<&str> = login.owners.iter().map(PersonId::as_str).collect();
    writer.text(&groups.join("\n")).text(&owners.join("\n"));
    Zeroizing::new(writer.finish())
}

fn decode(bytes: &[u8]) -> Result<SessionClaims, DecodeError> {
    let mut reader = Reader::new(bytes, DOMAIN_TAG)?;
    let session = SessionId::new(reader.text()?).map_err(|_| DecodeError::Field("session"))?;
    let issued_at = Timestamp::from_secs(reader.number()?);
    let expires_at = Timestamp::from_secs(reader.number()?);
    let agent = AgentId::new(reader.text()?).map_err(|_| DecodeError::Field("agent"))?;
    let target = TargetName::new(reader.text()?).map_err(|_| DecodeError::Field("target"))?;
    let token_hash = Digest::from_hex(&hex(reader.bytes()?)).ok_or(DecodeError::Field("token hash"))?;
    let issuer = reader.text()?.to_owned();
    let subject = reader.text()?.to_owned();
    let unverified_task = reader.text()?.to_owned();
    let jti = read_optional(&mut reader)?;
    let unverified_reason = read_optional(&mut reader)?;
    let unverified_ticket = read_optional(&mut reader)?;
    let groups = lines(reader.text()?).map(GroupName::new).collect::<Result<_, _>>();
    let owners = lines(reader.text()?).map(PersonId::new).collect::<Result<_, _>>();
    reader.finish()?;
    let login = Login {
        agent,
        groups: groups.map_err(|_| DecodeError::Field("groups"))?,
        owners: owners.map_err(|_| DecodeError::Field("owners"))?,
        target,
        unverified_task,
        unverified_reason,
        unverified_ticket,
        issuer,
        subject,
        jti,
        token_hash,
    };
    Ok(SessionClaims { session, login, issued_at, expires_at })
}

fn read_optional(reader: &mut Reader<'_>) -> Result<Option<String>, DecodeError> {
    match reader.number()? {
        0 => Ok(None),
        1 => Ok(Some(reader.text()?.to_owned())),
        _ => Err(DecodeError::Field("optional text")),
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').filter(|line| !line.is_empty())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
