//! Whether a verified certificate covers a frozen call now: the one place where that is decided,
//! without input or output.

use std::collections::BTreeSet;

use countersign_aws::authority::{DecisionItem, SeenItem};
use countersign_domain::{
    Call, Decision, Digest, FrozenCall, Obligations, PersonId, RequestId, Timestamp,
    approval::{self, Ineligible},
    certificate::{Approval, CERTIFICATE_LIFETIME, Statement},
    request::Verdict,
    settings::Settings,
};

/// What is known of an approval and of what it is for.
#[derive(Clone, Copy)]
pub(crate) struct Evidence<'a> {
    pub request: &'a RequestId,
    /// From a certificate whose signature was verified.
    pub statement: &'a Statement,
    pub frozen: &'a FrozenCall,
    /// The digest of the frozen bytes.
    pub digest: &'a Digest,
    /// The call as it was identified again.
    pub call: &'a Call,
    /// What policy says now.
    pub decision: &'a Decision,
    /// Who owns the agent now.
    pub owners: &'a BTreeSet<PersonId>,
    /// Every decision on the request.
    pub decisions: &'a [DecisionItem],
    /// When the certificate's persons first saw the call.
    pub seen: &'a [SeenItem],
    pub settings: &'a Settings,
}

/// Why an approval does not cover the call. The agent reads it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Uncovered {
    #[error("the certificate is for another request")]
    AnotherRequest,
    #[error("the certificate is for other bytes than those that are frozen")]
    OtherBytes,
    #[error("the certificate has expired")]
    Expired,
    #[error("the certificate holds for longer than any may")]
    TooLong,
    #[error("policy forbids the call now: {0}")]
    Forbidden(String),
    #[error("{0} denied the request")]
    Denied(PersonId),
    #[error("the approval by {0} is not on file as it was certified")]
    NotOnFile(PersonId),
    #[error("{0} approved after the request had expired")]
    TooLate(PersonId),
    #[error("{0} is not in the bundle any more")]
    UnknownPerson(PersonId),
    #[error("the approval by {0} does not count now: {1}")]
    Ineligible(PersonId, Ineligible),
    #[error("the approvals do not meet what policy asks for now")]
    NoQuorum,
}

/// The obligations that go with the call, if the certificate covers it at `now`.
pub(crate) fn check(evidence: &Evidence<'_>, now: Timestamp) -> Result<Obligations, Uncovered> {
    check_certificate(evidence, now)?;
    if let Some(denial) = evidence.decisions.iter().find(|decision| decision.verdict == Verdict::Deny) {
        return Err(Uncovered::Denied(denial.person.clone()));
    }
    for (person, approval) in &evidence.statement.approvals {
        check_on_file(evidence, person, approval)?;
    }
    match evidence.decision {
        Decision::Deny { reason, .. } => Err(Uncovered::Forbidden(reason.clone())),
        Decision::NeedsApproval { obligations, .. } => {
            for (person, approval) in &evidence.statement.approvals {
                check_person(evidence, obligations, person, approval)
                    .map_err(|why| Uncovered::Ineligible(person.clone(), why))?;
            }
            let persons: BTreeSet<_> = evidence.statement.approvals.keys().cloned().collect();
            match approval::quorum_is_met(evidence.settings, &persons, obligations) {
                true => Ok(obligations.clone()),
                false => Err(Uncovered::NoQuorum),
            }
        }
        // The rule that held it is gone, and what is left needs nobody's approval.
        Decision::Allow { obligations, .. } => Ok(obligations.clone()),
    }
}

fn check_certificate(evidence: &Evidence<'_>, now: Timestamp) -> Result<(), Uncovered> {
    let statement = evidence.statement;
    if statement.request_id != *evidence.request || evidence.frozen.request_id != *evidence.request {
        return Err(Uncovered::AnotherRequest);
    }
    if statement.frozen_digest != *evidence.digest {
        return Err(Uncovered::OtherBytes);
    }
    if now >= statement.expires_at {
        return Err(Uncovered::Expired);
    }
    if statement.expires_at.since(statement.issued_at) > CERTIFICATE_LIFETIME {
        return Err(Uncovered::TooLong);
    }
    if statement.approvals.is_empty() {
        return Err(Uncovered::NoQuorum);
    }
    Ok(())
}

/// The person's own items say what the certificate says: who could sign could not also decide.
fn check_on_file(evidence: &Evidence<'_>, person: &PersonId, approval: &Approval) -> Result<(), Uncovered> {
    let decided = evidence.decisions.iter().any(|decision| {
        decision.person == *person
            && decision.verdict == Verdict::Approve
            && decision.proof == approval.proof
            && decision.seen_at == approval.seen_at
            && decision.decided_at == approval.decided_at
            && decision.frozen_digest == *evidence.digest
    });
    let seen = evidence.seen.iter().any(|seen| seen.person == *person && seen.at == approval.seen_at);
    if !decided || !seen {
        return Err(Uncovered::NotOnFile(person.clone()));
    }
    if approval.decided_at >= evidence.frozen.expires_at {
        return Err(Uncovered::TooLate(person.clone()));
    }
    match evidence.settings.person(person) {
        Some(_) => Ok(()),
        None => Err(Uncovered::UnknownPerson(person.clone())),
    }
}

/// Whether the person's approval counts by the bundle as it is now.
fn check_person(
    evidence: &Evidence<'_>,
    obligations: &Obligations,
    person: &PersonId,
    given: &Approval,
) -> Result<(), Ineligible> {
    if let Some(person) = evidence.settings.person(person) {
        approval::may_decide(person, evidence.owners, obligations)?;
    }
    approval::proof_is_enough(given.proof, evidence.call, evidence.settings)?;
    approval::looked_long_enough(given.seen_at, given.decided_at, obligations)
}

#[cfg(test)]
mod tests;
