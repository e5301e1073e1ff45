//! Verifying agents' and persons' tokens.

use std::collections::BTreeSet;

use countersign_domain::{
    AgentId, Digest, GroupName, PersonId, Timestamp,
    settings::{AgentIssuer, Person, PersonIssuer, Settings},
};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use crate::{
    claims,
    error::{IdentityError, shortened},
    jws::{self, Kind, UnverifiedToken},
    keys::{Endpoints, FetchDocument, IssuerKeys},
};

/// Who an agent is, by its verified token and the settings of its issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentIdentity {
    /// The agent: the setting's prefix and the claim.
    pub agent: AgentId,
    /// Its groups by the token.
    pub groups: BTreeSet<GroupName>,
    /// Its owners as the token names them: person ids, email addresses or subjects. See
    /// [`AgentIdentity::owners`].
    pub owner_claims: Vec<String>,
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// The accepted audience.
    pub audience: String,
    /// `jti`, if the issuer gives one.
    pub jti: Option<String>,
    /// The digest of the signed part of the token.
    pub token_hash: Digest,
    /// `exp`.
    pub expires_at: Timestamp,
}

impl AgentIdentity {
    /// The persons among `settings` who own the agent by its token: matched by person id, by
    /// email address, or by subject at the agent's issuer. Names of nobody known are left out: such
    /// an owner can approve nothing, and an agent without any owner gets no approval.
    pub fn owners(&self, settings: &Settings) -> BTreeSet<PersonId> {
        self.owner_claims
            .iter()
            .flat_map(|name| {
                let by_id = settings.persons.iter().find(|person| person.id.as_str() == name);
                [by_id, settings.person_by_email(name), settings.person_by_subject(&self.issuer, name)]
            })
            .flatten()
            .map(|person| person.id.clone())
            .collect()
    }
}

/// Who a person is, by a verified ID token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonIdentity {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// The claim that the issuer's setting maps persons by, with its value.
    pub mapped: MappedClaim,
    /// `auth_time`: when the person last proved who they are, if the issuer says.
    pub authenticated_at: Option<Timestamp>,
    /// `amr`: how, if the issuer says (RFC 8176).
    pub methods: Vec<String>,
    /// `acr`: how strongly, if the issuer says.
    pub context_class: Option<String>,
    /// `exp`.
    pub expires_at: Timestamp,
}

/// The claim that maps a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MappedClaim {
    /// A value that [`Person::subjects`] names together with the issuer.
    Subject(String),
    /// An email address that the issuer has verified.
    VerifiedEmail(String),
}

impl PersonIdentity {
    /// The person of the settings; `None` for somebody who is nobody here.
    pub fn person<'a>(&self, settings: &'a Settings) -> Option<&'a Person> {
        match &self.mapped {
            MappedClaim::Subject(value) => settings.person_by_subject(&self.issuer, value),
            MappedClaim::VerifiedEmail(email) => settings.person_by_email(email),
        }
    }
}

/// Verifies tokens of the issuers in the settings.
#[derive(Debug)]
pub struct TokenVerifier<F> {
    agent_issuers: Vec<AgentIssuer>,
    person_issuers: Vec<PersonIssuer>,
    keys: IssuerKeys<F>,
}

impl<F: FetchDocument> TokenVerifier<F> {
    /// A verifier for exactly these issuers. It fetches nothing before the first token.
    pub fn new(agent_issuers: Vec<AgentIssuer>, person_issuers: Vec<PersonIssuer>, fetch: F) -> Self {
        let names = agent_issuers
            .iter()
            .map(|entry| entry.issuer.clone())
            .chain(person_issuers.iter().map(|entry| entry.issuer.clone()));
        Self { keys: IssuerKeys::new(names, fetch), agent_issuers, person_issuers }
    }

    /// Verifies an agent's token.
    ///
    /// The issuer, the algorithm, the times and the audience are checked before the network is
    /// used at all; nothing is believed before the signature is verified.
    ///
    /// Several settings may name one issuer (a shared one, as GitHub's, with different required
    /// claims): the first that the token meets is the one that names the agent.
    ///
    /// # Errors
    /// [`IdentityError`], by the first thing that is wrong.
    pub async fn verify_agent(&self, unverified_jwt: &str, now: Timestamp) -> Result<AgentIdentity, IdentityError> {
        let token = UnverifiedToken::parse(unverified_jwt, Kind::IdOrAccess)?;
        let setting = first_that_fits(
            &self.agent_issuers,
            &token,
            |entry| &entry.issuer,
            |entry| check_agent(entry, &token, now),
        )?;
        let key = self.keys.find(&setting.issuer, token.unverified_key_id.as_deref(), token.algorithm, now).await?;
        let token_hash = token.digest();
        let claims = token.verify(&key)?;
        agent_identity(setting, &claims, token_hash, now)
    }

    /// Verifies a person's ID token. `expected_nonce` is the one of the sign-in that asked for it;
    /// without one, the token must come over a channel that the person's own client holds.
    ///
    /// # Errors
    /// [`IdentityError`], by the first thing that is wrong.
    pub async fn verify_person(
        &self,
        unverified_id_token: &str,
        expected_nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<PersonIdentity, IdentityError> {
        let token = UnverifiedToken::parse(unverified_id_token, Kind::Id)?;
        let setting = first_that_fits(
            &self.person_issuers,
            &token,
            |entry| &entry.issuer,
            |entry| check_person(entry, &token, expected_nonce, now),
        )?;
        let key = self.keys.find(&setting.issuer, token.unverified_key_id.as_deref(), token.algorithm, now).await?;
        let claims = token.verify(&key)?;
        person_identity(setting, &claims, now)
    }

    /// Where persons sign in at `issuer`.
    ///
    /// # Errors
    /// [`IdentityError`] when no person issuer of the settings has this name, or its discovery
    /// document cannot be had.
    pub async fn sign_in_endpoints(&self, issuer: &str, now: Timestamp) -> Result<Endpoints, IdentityError> {
        if !self.person_issuers.iter().any(|entry| entry.issuer == issuer) {
            return Err(IdentityError::UnknownIssuer(shortened(issuer)));
        }
        self.keys.endpoints(issuer, now).await
    }
}

/// The first entry for the token's issuer that passes `check`; else the first one's complaint.
fn first_that_fits<'a, S>(
    entries: &'a [S],
    token: &UnverifiedToken<'_>,
    issuer_of: impl Fn(&S) -> &String,
    check: impl Fn(&S) -> Result<(), IdentityError>,
) -> Result<&'a S, IdentityError> {
    let Some(unverified_issuer) = token.unverified_claims.get("iss").and_then(Value::as_str) else {
        return Err(IdentityError::claim("iss", "is missing or not a text"));
    };
    let mut complaint = IdentityError::UnknownIssuer(shortened(unverified_issuer));
    let mut first = true;
    for entry in entries.iter().filter(|entry| issuer_of(entry) == unverified_issuer) {
        match check(entry) {
            Ok(()) => return Ok(entry),
            Err(error) if std::mem::take(&mut first) => complaint = error,
            Err(_) => {}
        }
    }
    Err(complaint)
}

fn check_agent(entry: &AgentIssuer, token: &UnverifiedToken<'_>, now: Timestamp) -> Result<(), IdentityError> {
    let claims = &token.unverified_claims;
    if !entry.algorithms.contains(&token.algorithm) {
        return Err(IdentityError::Algorithm(jws::algorithm_name(token.algorithm).to_owned()));
    }
    claims::check_times(claims, now)?;
    claims::check_audience(claims, &entry.audience_claim, &entry.audience)?;
    claims::check_required(claims, &entry.require)
}

fn agent_identity(
    entry: &AgentIssuer,
    claims: &Map<String, Value>,
    token_hash: Digest,
    now: Timestamp,
) -> Result<AgentIdentity, IdentityError> {
    let name = claims::text(claims, &entry.agent_claim)?;
    let agent = AgentId::new(format!("{}{name}", entry.agent_prefix))
        .map_err(|error| IdentityError::claim(&entry.agent_claim, format!("does not name an agent: {}", error.rule)))?;
    let list =
        |path: &Option<String>| path.as_deref().map_or_else(|| Ok(Vec::new()), |path| claims::texts(claims, path));
    let groups = list(&entry.groups_claim)?
        .into_iter()
        .map(|name| {
            GroupName::new(name).map_err(|error| {
                let claim = entry.groups_claim.as_deref().unwrap_or_default();
                IdentityError::claim(claim, format!("has an entry that cannot be a group: {}", error.rule))
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(AgentIdentity {
        agent,
        groups,
        owner_claims: list(&entry.owners_claim)?,
        issuer: entry.issuer.clone(),
        subject: claims::text(claims, "sub")?,
        audience: entry.audience.clone(),
        jti: optional_text(claims, "jti")?,
        token_hash,
        expires_at: claims::check_times(claims, now)?.expires_at,
    })
}

fn check_person(
    entry: &PersonIssuer,
    token: &UnverifiedToken<'_>,
    expected_nonce: Option<&str>,
    now: Timestamp,
) -> Result<(), IdentityError> {
    let claims = &token.unverified_claims;
    if !entry.algorithms.contains(&token.algorithm) {
        return Err(IdentityError::Algorithm(jws::algorithm_name(token.algorithm).to_owned()));
    }
    claims::check_times(claims, now)?;
    claims::check_audience(claims, "aud", &entry.client_id)?;
    // OpenID Connect Core 1.0 §3.1.3.7: an `azp` that is there must be ours as well.
    if claims.get("azp").is_some_and(|party| *party != entry.client_id) {
        return Err(IdentityError::claim("azp", "names another client"));
    }
    if let Some(expected) = expected_nonce {
        let nonce = claims.get("nonce").and_then(Value::as_str).unwrap_or_default();
        if !bool::from(nonce.as_bytes().ct_eq(expected.as_bytes())) {
            return Err(IdentityError::Nonce);
        }
    }
    Ok(())
}

fn person_identity(
    entry: &PersonIssuer,
    claims: &Map<String, Value>,
    now: Timestamp,
) -> Result<PersonIdentity, IdentityError> {
    let value = claims::text(claims, &entry.subject_claim)?;
    let mapped = if entry.subject_claim == "email" {
        // Without it anybody could sign up at the issuer under a colleague's address.
        if claims.get("email_verified") != Some(&Value::Bool(true)) {
            return Err(IdentityError::claim("email_verified", "is not true"));
        }
        MappedClaim::VerifiedEmail(value)
    } else {
        MappedClaim::Subject(value)
    };
    Ok(PersonIdentity {
        issuer: entry.issuer.clone(),
        subject: claims::text(claims, "sub")?,
        mapped,
        authenticated_at: claims::seconds(claims, "auth_time")?,
        methods: claims::texts(claims, "amr")?,
        context_class: optional_text(claims, "acr")?,
        expires_at: claims::check_times(claims, now)?.expires_at,
    })
}

fn optional_text(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, IdentityError> {
    if claims.contains_key(name) { claims::text(claims, name).map(Some) } else { Ok(None) }
}
