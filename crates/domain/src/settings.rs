//! The settings of a bundle, `countersign.toml`, as types. Loading and checking them is the
//! policy crate's work; here is only what they say.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{AccountId, AgentId, GroupName, PersonId, RegionName, TargetName},
    limits::RateLimit,
};

/// Everything in `countersign.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Limits of sessions and requests.
    #[serde(default)]
    pub limits: Limits,
    /// Issuers of the tokens that agents log in with.
    pub agent_issuers: Vec<AgentIssuer>,
    /// Issuers that persons sign in at.
    #[serde(default)]
    pub person_issuers: Vec<PersonIssuer>,
    /// Where agents may act.
    pub targets: Vec<Target>,
    /// Agents that need more than their token says: owners, further groups.
    #[serde(default)]
    pub agents: Vec<AgentEntry>,
    /// The persons who approve or own agents.
    #[serde(default)]
    pub persons: Vec<Person>,
    /// How persons are asked.
    pub channels: Channels,
    /// What masking does beyond the models.
    #[serde(default)]
    pub masking: Masking,
}

/// Limits of sessions and requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Lifetime of a session in seconds; 1,800 to 43,200.
    pub session_seconds: u32,
    /// The most requests of one agent that wait at once.
    pub pending_per_agent: u32,
    /// For how long a repeated identical call gets the same denial, in seconds.
    pub cooldown_seconds: u32,
    /// For how long the outcome of a replay can be collected, in seconds.
    pub collect_seconds: u32,
    /// Limits on calls, distinct resources and waiting requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rate: Vec<RateLimit>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            session_seconds: 3600,
            pending_per_agent: 20,
            cooldown_seconds: 600,
            collect_seconds: 86_400,
            rate: Vec::new(),
        }
    }
}

/// A JWS algorithm; asymmetric ones only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// ECDSA P-256 with SHA-256.
    ES256,
    /// ECDSA P-384 with SHA-384.
    ES384,
    /// Ed25519.
    EdDSA,
}

fn default_algorithms() -> BTreeSet<Algorithm> {
    [Algorithm::RS256, Algorithm::ES256].into()
}

fn default_audience_claim() -> String {
    "aud".to_owned()
}

/// An issuer of agents' tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentIssuer {
    /// The exact `iss`; keys are found by discovery below it.
    pub issuer: String,
    /// The audience that tokens for us carry, and no other service's.
    pub audience: String,
    /// The claim that holds the audience: `aud`, except for issuers whose tokens carry none
    /// (Cognito's access tokens: `client_id`). A token that has `aud` all the same is refused.
    #[serde(default = "default_audience_claim")]
    pub audience_claim: String,
    /// Accepted algorithms.
    #[serde(default = "default_algorithms")]
    pub algorithms: BTreeSet<Algorithm>,
    /// Dotted path of the claim that names the agent (`sub`; `kubernetes\.io.serviceaccount.name`
    /// with `\.` for a dot within a name).
    pub agent_claim: String,
    /// Put before the claim's value, so that two issuers cannot name the same agent.
    #[serde(default)]
    pub agent_prefix: String,
    /// Dotted path of the claim with the agent's groups: a list of strings or one string.
    pub groups_claim: Option<String>,
    /// Dotted path of the claim with the ids or emails of the persons who own the agent.
    pub owners_claim: Option<String>,
    /// Claims that must have exactly one of these values.
    #[serde(default)]
    pub require: BTreeMap<String, Vec<String>>,
}

/// An issuer that persons sign in at.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonIssuer {
    /// The exact `iss`; endpoints and keys are found by discovery below it.
    pub issuer: String,
    /// Our client id there (public client with PKCE); also the audience of its ID tokens.
    pub client_id: String,
    /// Accepted algorithms.
    #[serde(default = "default_algorithms")]
    pub algorithms: BTreeSet<Algorithm>,
    /// The claim that is matched with [`Person::subjects`] (`sub`), or `email`, which counts
    /// only with `email_verified` and is matched with [`Person::emails`].
    #[serde(default = "default_subject_claim")]
    pub subject_claim: String,
}

fn default_subject_claim() -> String {
    "sub".to_owned()
}

/// A named place to act.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its name.
    pub name: TargetName,
    /// The account.
    pub account: AccountId,
    /// `aws`, `aws-cn` or `aws-us-gov`.
    #[serde(default = "default_partition")]
    pub partition: String,
    /// The regions agents may name; global services count as the first.
    pub regions: Vec<RegionName>,
    /// The role that calls pass with that policy allows. Agents name it as `AWS_ROLE_ARN`.
    pub auto_role: String,
    /// The role that approved calls are replayed with.
    pub approved_role: String,
    /// The external id that both roles' trust policies ask for.
    pub external_id: Option<String>,
}

fn default_partition() -> String {
    "aws".to_owned()
}

/// What is known of an agent beyond its token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentEntry {
    /// The agent, or a prefix followed by `*`.
    pub agent: String,
    /// Its owners: they never approve its calls. An agent without an owner gets no approval.
    #[serde(default)]
    pub owners: BTreeSet<PersonId>,
    /// Further groups.
    #[serde(default)]
    pub groups: BTreeSet<GroupName>,
}

impl AgentEntry {
    /// Whether the entry is about `agent`.
    pub fn matches(&self, agent: &AgentId) -> bool {
        match self.agent.strip_suffix('*') {
            Some(prefix) => agent.as_str().starts_with(prefix),
            None => agent.as_str() == self.agent,
        }
    }
}

/// A person: one id with aliases.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The id in the record.
    pub id: PersonId,
    /// Email addresses; the first one gets mail and codes.
    #[serde(default)]
    pub emails: Vec<String>,
    /// Subjects at the person issuers: `issuer|claim value`.
    #[serde(default)]
    pub subjects: Vec<String>,
    /// Groups.
    #[serde(default)]
    pub groups: BTreeSet<GroupName>,
}

/// How persons are asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channels {
    /// The `From` address of mail; verified in SES.
    pub email_from: String,
    /// An SNS topic that is told of every request, without links that decide.
    pub sns_topic: Option<String>,
    /// Whether a code sent by email may stand for signing in, for calls in no class.
    #[serde(default)]
    pub email_codes: bool,
}

/// What masking does beyond the models.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Masking {
    /// Names of built-in patterns that are off (`email`, `phone` …).
    pub patterns_off: BTreeSet<String>,
}

impl Settings {
    /// The target that an agent names by its auto role.
    pub fn target_by_role(&self, role_arn: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.auto_role == role_arn)
    }

    /// The target called `name`.
    pub fn target(&self, name: &TargetName) -> Option<&Target> {
        self.targets.iter().find(|target| target.name == *name)
    }

    /// The person with this id.
    pub fn person(&self, id: &PersonId) -> Option<&Person> {
        self.persons.iter().find(|person| person.id == *id)
    }

    /// The person who is `subject` at `issuer`.
    pub fn person_by_subject(&self, issuer: &str, subject: &str) -> Option<&Person> {
        self.persons
            .iter()
            .find(|person| person.subjects.iter().any(|known| known.split_once('|') == Some((issuer, subject))))
    }

    /// The person with this verified email address; letter case does not matter.
    pub fn person_by_email(&self, email: &str) -> Option<&Person> {
        self.persons.iter().find(|person| person.emails.iter().any(|known| known.eq_ignore_ascii_case(email)))
    }

    /// The owners of `agent` by the bundle's entries.
    pub fn owners_of(&self, agent: &AgentId) -> BTreeSet<PersonId> {
        self.agents.iter().filter(|entry| entry.matches(agent)).flat_map(|entry| entry.owners.iter().cloned()).collect()
    }

    /// The groups of `agent` by the bundle's entries.
    pub fn groups_of(&self, agent: &AgentId) -> BTreeSet<GroupName> {
        self.agents.iter().filter(|entry| entry.matches(agent)).flat_map(|entry| entry.groups.iter().cloned()).collect()
    }

    /// All groups of `agent`: by the bundle's entries, and `by_token`.
    pub fn all_groups_of(&self, agent: &AgentId, by_token: &BTreeSet<GroupName>) -> BTreeSet<GroupName> {
        let mut groups = self.groups_of(agent);
        groups.extend(by_token.iter().cloned());
        groups
    }

    /// The persons in `group`.
    pub fn members_of<'a>(&'a self, group: &'a GroupName) -> impl Iterator<Item = &'a Person> {
        self.persons.iter().filter(move |person| person.groups.contains(group))
    }

    /// How long a session lives.
    pub fn session_lifetime(&self) -> Duration {
        Duration::from_secs(u64::from(self.limits.session_seconds))
    }
}
