//! Roles, the sessions that STS issued for them, and who is calling.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{conditions::Context, evaluate::Authority, policy::Policy};

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A session of a role.
    Session {
        /// The account of the role.
        account: String,
        /// The role.
        role_arn: String,
        /// `arn:aws:sts::…:assumed-role/ROLE/SESSION`.
        session_arn: String,
    },
    /// An AWS service, as in `lambda.amazonaws.com`.
    Service(String),
}

impl Caller {
    /// The name in messages.
    pub fn name(&self) -> &str {
        match self {
            Caller::Session { session_arn, .. } => session_arn,
            Caller::Service(service) => service,
        }
    }
}

/// An IAM role.
#[derive(Clone, Debug)]
pub struct Role {
    /// `arn:aws:iam::…:role/NAME`.
    pub arn: String,
    /// The name, without a path.
    pub name: String,
    /// The account.
    pub account: String,
    /// The unique id (`AROA…`).
    pub id: String,
    /// Who may assume it.
    pub trust: Policy,
    /// Its identity policies.
    pub identity: Vec<Policy>,
    /// Its permissions boundary.
    pub boundary: Option<Policy>,
    /// The longest session, in seconds.
    pub max_session_seconds: u32,
    /// Tags of the role.
    pub tags: BTreeMap<String, String>,
}

/// A session of a role, with the credentials that stand for it.
#[derive(Clone)]
pub struct Session {
    /// The role.
    pub role: std::sync::Arc<Role>,
    /// The role session name.
    pub name: String,
    /// `ASIA…`.
    pub access_key_id: String,
    /// The secret that signs.
    pub secret_access_key: String,
    /// The session token.
    pub token: String,
    /// The end of its life.
    pub expires: OffsetDateTime,
    /// The source identity; it stays through role chaining.
    pub source_identity: Option<String>,
    /// Session tags.
    pub tags: BTreeMap<String, String>,
    /// The keys of tags that pass on to the next role.
    pub transitive_tags: Vec<String>,
    /// The inline session policy.
    pub policy: Option<Policy>,
    /// Whether the session was assumed with another role's session.
    pub chained: bool,
}

impl Session {
    /// The caller that the session is.
    pub fn caller(&self) -> Caller {
        Caller::Session { account: self.role.account.clone(), role_arn: self.role.arn.clone(), session_arn: self.arn() }
    }

    /// `arn:aws:sts::…:assumed-role/ROLE/SESSION`.
    pub fn arn(&self) -> String {
        format!("arn:aws:sts::{}:assumed-role/{}/{}", self.role.account, self.role.name, self.name)
    }

    /// What the session may do: the role's policies under its boundary and the session policy.
    pub fn authority(&self) -> Authority<'_> {
        Authority {
            identity: &self.role.identity,
            boundary: self.role.boundary.as_ref(),
            session: self.policy.as_ref(),
        }
    }

    /// The condition keys that come from the principal.
    pub fn principal_context(&self, now: OffsetDateTime) -> Context {
        let mut context = Context::default();
        context.set("aws:PrincipalArn", self.role.arn.clone());
        context.set("aws:PrincipalAccount", self.role.account.clone());
        context.set("aws:PrincipalType", "AssumedRole");
        context.set("aws:userid", format!("{}:{}", self.role.id, self.name));
        context.set("aws:PrincipalIsAWSService", "false");
        context.set("aws:ViaAWSService", "false");
        context.set("aws:SecureTransport", "true");
        context.set("aws:EpochTime", now.unix_timestamp().to_string());
        if let Ok(text) = now.format(&time::format_description::well_known::Rfc3339) {
            context.set("aws:CurrentTime", text);
        }
        for (key, value) in self.role.tags.iter().chain(&self.tags) {
            context.set(&format!("aws:PrincipalTag/{key}"), value.clone());
        }
        if let Some(identity) = &self.source_identity {
            context.set("aws:SourceIdentity", identity.clone());
        }
        context
    }
}

/// The roles that exist, by ARN.
#[derive(Clone, Debug, Default)]
pub struct Roles(BTreeMap<String, std::sync::Arc<Role>>);

impl Roles {
    /// Adds a role.
    pub fn add(&mut self, role: Role) {
        self.0.insert(role.arn.clone(), std::sync::Arc::new(role));
    }

    /// The role with this ARN.
    pub fn get(&self, arn: &str) -> Option<std::sync::Arc<Role>> {
        self.0.get(arn).cloned()
    }

    /// Every role.
    pub fn iter(&self) -> impl Iterator<Item = &std::sync::Arc<Role>> {
        self.0.values()
    }
}
