//! The kill switch: items that operators put, and every function honours.

use countersign_domain::{AgentId, RequestId, SessionId, TargetName};

use super::{
    Authority, AuthorityError,
    item::{ItemReader, Key},
};

const PREFIX: &str = "QUAR#";

/// Where a quarantine could stand for one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineScopes(Vec<Key>);

impl QuarantineScopes {
    /// Of a call: everything, its agent, its session, its target and, where there is one, its
    /// request.
    pub fn of(agent: &AgentId, session: &SessionId, target: &TargetName, request: Option<&RequestId>) -> Self {
        let mut scopes =
            vec!["all".to_owned(), format!("agent#{agent}"), format!("session#{session}"), format!("target#{target}")];
        scopes.extend(request.map(|request| format!("request#{request}")));
        Self(scopes.iter().map(|scope| Key::single(PREFIX, scope)).collect())
    }

    /// Nowhere: for a claim that is put in order to refuse.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.0
    }
}

/// A quarantine that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// What is stopped, as in `agent#deployer`.
    pub scope: String,
    /// The operator's words; empty where the item has none.
    pub reason: String,
}

impl Quarantine {
    /// Whatever the item looks like, its being there is what counts.
    pub(super) fn read(pk: &str, reason: &str) -> Self {
        Self { scope: pk.strip_prefix(PREFIX).unwrap_or(pk).to_owned(), reason: reason.chars().take(500).collect() }
    }
}

impl Authority {
    /// A quarantine in any of `scopes`, read consistently.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer; the caller then denies.
    pub async fn quarantine(&self, scopes: &QuarantineScopes) -> Result<Option<Quarantine>, AuthorityError> {
        let items = self.get_all(scopes.keys()).await?;
        Ok(items.first().map(|item| {
            let item = ItemReader(item);
            Quarantine::read(item.text("pk").unwrap_or_default(), item.text("reason").unwrap_or_default())
        }))
    }
}
