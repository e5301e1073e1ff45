//! What every function may read: requests, decisions, certificates, and the state that follows.

use countersign_domain::{
    RequestId, Timestamp,
    certificate::Statement,
    request::{RequestFacts, RequestState, Verdict},
};

use super::{
    Authority, AuthorityError, DecisionItem, OutcomeSummary, SignedCertificate, UntrustedRequest,
    item::{Attributes, BadAttribute, ItemReader, Key},
    types::UnaskedItem,
};

/// Everything that is known of a request at one moment.
#[derive(Clone, Debug)]
pub struct RequestSnapshot {
    /// The gateway's words about it.
    pub request: UntrustedRequest,
    /// The decisions so far, oldest first.
    pub decisions: Vec<DecisionItem>,
    /// What its state follows from.
    pub facts: RequestFacts,
    /// What became of the replay, without headers and body.
    pub outcome: Option<OutcomeSummary>,
    /// Under which `amz-sdk-invocation-id` the agent was given the outcome.
    pub delivered_to: Option<String>,
}

impl RequestSnapshot {
    /// The state at `now`.
    pub fn state(&self, now: Timestamp) -> RequestState {
        RequestState::derive(&self.facts, now)
    }

    /// When the first denial was decided, if any.
    pub fn denied_at(&self) -> Option<Timestamp> {
        self.decisions.iter().find(|decision| decision.verdict == Verdict::Deny).map(|decision| decision.decided_at)
    }
}

impl Authority {
    /// The gateway's words about a request.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer or the item is malformed.
    pub async fn request(&self, request: &RequestId) -> Result<Option<UntrustedRequest>, AuthorityError> {
        let item = self.get(&Key::single(UntrustedRequest::PREFIX, request.as_str())).await?;
        item.map(|item| UntrustedRequest::read(request, &item)).transpose()
    }

    /// The decisions on a request, oldest first.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer or an item is malformed.
    pub async fn decisions(&self, request: &RequestId) -> Result<Vec<DecisionItem>, AuthorityError> {
        let items = self.partition(&format!("{}{request}", DecisionItem::PREFIX)).await?;
        let mut decisions = items.iter().map(DecisionItem::read).collect::<Result<Vec<_>, _>>()?;
        decisions.sort_by(|one, other| (one.decided_at, &one.person).cmp(&(other.decided_at, &other.person)));
        Ok(decisions)
    }

    /// The certificate of a request, not yet verified.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer or the item is malformed.
    pub async fn unverified_certificate(
        &self,
        request: &RequestId,
    ) -> Result<Option<SignedCertificate>, AuthorityError> {
        let item = self.get(&Key::single(SignedCertificate::PREFIX, request.as_str())).await?;
        item.as_ref().map(SignedCertificate::read).transpose()
    }

    /// What became of a replay, without headers and body.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer or the item is malformed.
    pub async fn outcome_summary(&self, request: &RequestId) -> Result<Option<OutcomeSummary>, AuthorityError> {
        let item = self.get(&Key::single(OutcomeSummary::PREFIX, request.as_str())).await?;
        item.as_ref().map(OutcomeSummary::read).transpose()
    }

    /// Everything that is known of a request, or nothing if there is no such request. For the
    /// gateway and for approvals: their roles may read every prefix that is asked for.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer or an item is malformed.
    pub async fn request_facts(&self, request: &RequestId) -> Result<Option<RequestSnapshot>, AuthorityError> {
        let keys = ["REQ#", "CERT#", "CLAIM#", "OUT#", "DLV#", UnaskedItem::PREFIX]
            .map(|prefix| Key::single(prefix, request.as_str()));
        // An item that appears between the two reads only makes the snapshot a moment older: facts
        // are never taken back.
        let (items, decisions) = tokio::try_join!(self.get_all(&keys), self.decisions(request))?;
        let with = |prefix: &str| {
            let pk = format!("{prefix}{request}");
            items.iter().find(|item| ItemReader(item).text("pk") == Ok(pk.as_str()))
        };
        let Some(stored) = with("REQ#") else { return Ok(None) };
        let stored = UntrustedRequest::read(request, stored)?;
        let outcome = with("OUT#").map(OutcomeSummary::read).transpose()?;
        let delivered = with("DLV#");
        let denied = decisions.iter().find(|decision| decision.verdict == Verdict::Deny);
        let facts = RequestFacts {
            expires_at: stored.expires_at,
            denied: denied.map(|decision| (decision.person.clone(), decision.reason.clone())),
            approvals: decisions.iter().filter(|decision| decision.verdict == Verdict::Approve).count(),
            unasked: with(UnaskedItem::PREFIX).map(UnaskedItem::read).transpose()?,
            certified_until: with("CERT#").map(certified_until).transpose()?,
            claimed: with("CLAIM#").is_some(),
            outcome: outcome.as_ref().map(|outcome| outcome.kind),
            delivered: delivered.is_some(),
        };
        let delivered_to = delivered
            .map(|item| ItemReader(item).optional_text("invocation_id").map(|id| id.map(str::to_owned)))
            .transpose()
            .map_err(|bad| AuthorityError::malformed("DLV#", bad))?
            .flatten();
        Ok(Some(RequestSnapshot { request: stored, decisions, facts, outcome, delivered_to }))
    }
}

/// Until when a stored certificate lets the replay begin. Only for showing a state: its signature
/// is the executor's business.
fn certified_until(item: &Attributes) -> Result<Timestamp, AuthorityError> {
    let unverified = SignedCertificate::read(item)?;
    Statement::decode(&unverified.statement)
        .map(|statement| statement.expires_at)
        .map_err(|_| AuthorityError::malformed(SignedCertificate::PREFIX, BadAttribute("statement")))
}
