//! The targets' roles: credentials that are good for one call, or for calls just like it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_credential_types::Credentials;
use aws_sdk_sts::types::Tag;
use countersign_domain::{AgentId, Digest, Timestamp, encoding::Writer};
use ring::rand::{SecureRandom, SystemRandom};

use crate::{Aws, ServiceError, session_policy::SessionPolicy};

const OPERATION: &str = "sts:AssumeRole";
/// How long credentials live: as long as role chaining allows.
const LIFETIME_SECONDS: i32 = 3_600;
/// Credentials that end within this time are not used again: a call may take as long as a Lambda.
const LEAST_LEFT: Duration = Duration::from_secs(5 * 60);
/// How many are kept.
const MOST_CACHED: usize = 256;

/// An agent's name in the form that STS takes: `[\w+=,.@-]{2,64}`, another one for every agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceIdentity(String);

impl SourceIdentity {
    /// The identity of `agent`: its name, where that is short and plain enough; otherwise a readable
    /// beginning and 128 bits of the name's SHA-256.
    pub fn of(agent: &AgentId) -> Self {
        let name = agent.as_str();
        let plain = (2..=64).contains(&name.len()) && name.bytes().all(is_plain) && !looks_hashed(name);
        if plain {
            return Self(name.to_owned());
        }
        let beginning: String =
            name.chars().map(|sign| if u8::try_from(sign).is_ok_and(is_plain) { sign } else { '.' }).take(28).collect();
        let hash: String = Digest::of(name.as_bytes()).to_string().chars().take(HASH_DIGITS).collect();
        Self(format!("{beginning}{HASH_MARK}{hash}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const HASH_MARK: &str = "=h.";
const HASH_DIGITS: usize = 32;

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte)
}

/// Whether a plain name could be taken for another agent's hashed one; it is hashed as well, then.
fn looks_hashed(name: &str) -> bool {
    name.rsplit_once(HASH_MARK).is_some_and(|(_, digits)| {
        digits.len() == HASH_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

/// The session tags of a call: full names, for CloudTrail and for policies of the target account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionTags(Vec<(&'static str, String)>);

impl SessionTags {
    /// No tags.
    pub fn new() -> Self {
        Self::default()
    }

    /// With `countersign:<name>`. Signs that STS takes in no tag become `_`, and a long value is cut
    /// to 128 characters, since all tags share a packed size.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        let value = value
            .chars()
            .map(|sign| if sign.is_ascii_alphanumeric() || "_.:/=+-@".contains(sign) { sign } else { '_' })
            .take(128)
            .collect();
        self.0.push((name, value));
        self
    }
}

/// Which credentials are asked for.
#[derive(Clone, Debug)]
pub struct RoleSession<'a> {
    /// The role's ARN: a target's.
    pub role_arn: &'a str,
    /// The external id that its trust policy asks for.
    pub external_id: Option<&'a str>,
    /// Who acts.
    pub source_identity: SourceIdentity,
    /// The names that go with it.
    pub tags: SessionTags,
    /// What they are good for.
    pub policy: &'a SessionPolicy,
}

/// Why a role could not be assumed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// STS failed, or refused: its trust policy, its permissions, or a packed size.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The system gave no random bytes.
    #[error("no random bytes")]
    Random,
}

impl RoleError {
    /// Whether the same call may succeed a little later.
    pub fn retryable(&self) -> bool {
        match self {
            RoleError::Service(error) => error.retryable(),
            RoleError::Random => false,
        }
    }
}

/// Assumes roles, and keeps what it was given while it lasts.
#[derive(Clone, Debug)]
pub struct Roles {
    aws: Aws,
    cache: Arc<Mutex<HashMap<Digest, Kept>>>,
}

#[derive(Clone, Debug)]
struct Kept {
    credentials: Credentials,
    ends: Timestamp,
}

impl Roles {
    pub(crate) fn new(aws: Aws) -> Self {
        Self { aws, cache: Arc::default() }
    }

    /// Credentials for `session`: kept ones with the same role, external id, identity, tags and
    /// policy if they last for five more minutes after `now`, otherwise new ones.
    ///
    /// # Errors
    /// [`RoleError`]; nothing was sent to the target.
    pub async fn assume(&self, session: &RoleSession<'_>, now: Timestamp) -> Result<Credentials, RoleError> {
        let key = cache_key(session);
        if let Some(kept) = self.kept(&key, now) {
            return Ok(kept);
        }
        let fresh = self.ask(session).await?;
        let credentials = fresh.credentials.clone();
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= MOST_CACHED {
            cache.retain(|_, kept| kept.ends > now.plus(LEAST_LEFT));
        }
        if cache.len() < MOST_CACHED {
            cache.insert(key, fresh);
        }
        Ok(credentials)
    }

    fn kept(&self, key: &Digest, now: Timestamp) -> Option<Credentials> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(key).filter(|kept| kept.ends > now.plus(LEAST_LEFT)).map(|kept| kept.credentials.clone())
    }

    async fn ask(&self, session: &RoleSession<'_>) -> Result<Kept, RoleError> {
        // A resource policy that names a session's ARN would let it pass a session policy's
        // implicit deny: nobody can guess this name.
        let mut random = [0; 16];
        SystemRandom::new().fill(&mut random).map_err(|_| RoleError::Random)?;
        let mut request = self
            .aws
            .sts()
            .assume_role()
            .role_arn(session.role_arn)
            .role_session_name(format!("countersign-{}", hex::encode(random)))
            .source_identity(session.source_identity.as_str())
            .policy(session.policy.as_str())
            .duration_seconds(LIFETIME_SECONDS)
            .set_external_id(session.external_id.map(str::to_owned));
        for (name, value) in &session.tags.0 {
            let tag = Tag::builder().key(format!("countersign:{name}")).value(value).build();
            request = request.tags(tag.map_err(|_| ServiceError::unreadable(OPERATION))?);
        }
        let answer = request.send().await.map_err(|error| ServiceError::from_sdk(OPERATION, &error))?;
        let given = answer.credentials.ok_or_else(|| ServiceError::unreadable(OPERATION))?;
        let ends = u64::try_from(given.expiration.secs()).map_err(|_| ServiceError::unreadable(OPERATION))?;
        let ends_at = UNIX_EPOCH.checked_add(Duration::from_secs(ends));
        Ok(Kept { credentials: credentials(given, ends_at), ends: Timestamp::from_secs(ends) })
    }
}

fn credentials(given: aws_sdk_sts::types::Credentials, ends: Option<SystemTime>) -> Credentials {
    Credentials::new(given.access_key_id, given.secret_access_key, Some(given.session_token), ends, "assumed-role")
}

fn cache_key(session: &RoleSession<'_>) -> Digest {
    let mut out = Writer::new("countersign/role-session/v1");
    out.text(session.role_arn)
        .text(session.external_id.unwrap_or_default())
        .number(u64::from(session.external_id.is_some()))
        .text(session.source_identity.as_str())
        .text(session.policy.as_str());
    for (name, value) in &session.tags.0 {
        out.text(name).text(value);
    }
    Digest::of(&out.finish())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use countersign_domain::{AccessLevel, Classes, Permission, Resource};

    use super::*;
    use crate::{
        session_policy::{Scope, session_policy},
        testing::{Act, Server},
    };

    fn identity(agent: &str) -> String {
        SourceIdentity::of(&AgentId::new(agent).unwrap()).as_str().to_owned()
    }

    #[test]
    fn plain_names_stay_and_others_become_allowed_and_distinct() {
        assert_eq!(identity("deploy-bot@ci"), "deploy-bot@ci");
        let long = "a".repeat(65);
        let longer = "a".repeat(66);
        let hashed = identity("repo:org/name:ref:refs/heads/main");
        let names = ["x", "a:b", "a/b", "a|b", "a~b", &long, &longer, &hashed, "repo:org/name:ref:refs/heads/main"];
        let identities: BTreeSet<_> = names.iter().map(|name| identity(name)).collect();
        assert_eq!(identities.len(), names.len(), "one agent cannot take another's identity");
        for text in identities {
            assert!((2..=64).contains(&text.len()) && text.bytes().all(is_plain), "{text}");
        }
    }

    #[test]
    fn tags_hold_only_what_sts_takes() {
        let tags = SessionTags::new().with("agent", "a|b,c~d é").with("task", &"x".repeat(300));
        assert_eq!(tags.0[0].1, "a_b_c_d__");
        assert_eq!(tags.0[1].1.len(), 128);
    }

    /// STS's answer; credentials that end at 7,200 seconds.
    fn given(number: u32) -> Act {
        let credentials = format!(
            "<Credentials><AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
             <SessionToken>t</SessionToken><Expiration>1970-01-01T02:00:00Z</Expiration></Credentials>"
        );
        let body = format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>{credentials}\
             </AssumeRoleResult><ResponseMetadata/></AssumeRoleResponse>"
        );
        Act::Answer { status: 200, headers: vec![("content-type", "text/xml".into())], body }
    }

    #[tokio::test]
    async fn credentials_are_kept_for_the_same_session_until_shortly_before_their_end() {
        let server = Server::start((1..=4).map(given)).await;
        let roles = server.aws().roles();
        let policy = |action: &str| {
            let permission = Permission {
                action: action.into(),
                resource: Resource::Unresolved,
                level: AccessLevel::Read,
                classes: Classes::NONE,
            };
            session_policy(&[permission], Scope::Exact).unwrap()
        };
        let (read, list) = (policy("s3:GetObject"), policy("s3:ListBucket"));
        let ask = async |agent: &str, policy: &SessionPolicy, seconds: u64| {
            let session = RoleSession {
                role_arn: "arn:aws:iam::123456789012:role/auto",
                external_id: Some("external"),
                source_identity: SourceIdentity::of(&AgentId::new(agent).unwrap()),
                tags: SessionTags::new().with("agent", agent),
                policy,
            };
            roles.assume(&session, Timestamp::from_secs(seconds)).await.unwrap().access_key_id().to_owned()
        };
        assert_eq!(ask("deployer", &read, 0).await, "ASIA1");
        assert_eq!(ask("deployer", &read, 6_899).await, "ASIA1", "five minutes are left");
        assert_eq!(ask("deployer", &list, 0).await, "ASIA2", "another policy");
        assert_eq!(ask("reader", &read, 0).await, "ASIA3", "another agent");
        assert_eq!(ask("deployer", &read, 6_900).await, "ASIA4", "too little is left");
        let asked: Vec<_> =
            server.received().iter().map(|received| String::from_utf8(received.body.clone()).unwrap()).collect();
        for part in ["SourceIdentity=deployer", "ExternalId=external", "Tags.member.1.Key=countersign%3Aagent"] {
            assert!(asked[0].contains(part), "{part} in {}", asked[0]);
        }
        let name = |body: &str| body.split('&').find(|one| one.starts_with("RoleSessionName=")).unwrap().to_owned();
        assert_ne!(name(&asked[0]), name(&asked[3]), "nobody can guess it");
    }
}
