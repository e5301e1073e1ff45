//! Everything that must hold before a claim: the frozen bytes, the certificate over them, and policy
//! as it is now.

use countersign_assessment::{Assessed, assess};
use countersign_aws::{authority::QuarantineScopes, process};
use countersign_domain::{
    Call, Digest, FrozenCall, Obligations, OpenedCall, PersonId, RequestId,
    certificate::Statement,
    event::{CallRecord, Subject},
    settings::Target,
};
use countersign_understanding::call_record;

use crate::{
    executor::Executor,
    stop::{ReplayError, Stop},
    warrant::{Evidence, check},
};

/// A call that may be replayed, as far as can be said without a claim.
pub(crate) struct Examined<'a> {
    pub frozen: FrozenCall,
    pub digest: Digest,
    pub target: &'a Target,
    pub call: Call,
    /// What policy asks now; of it only what goes with the answer (`reveal`) is still needed.
    pub obligations: Obligations,
    /// Who approved.
    pub persons: Vec<PersonId>,
    /// The call as the record keeps it.
    pub record: CallRecord,
}

impl Examined<'_> {
    pub(crate) fn quarantine_scopes(&self) -> QuarantineScopes {
        let caller = &self.frozen.caller;
        QuarantineScopes::of(&caller.agent, &caller.session, &self.frozen.target, Some(&self.frozen.request_id))
    }

    pub(crate) fn subject(&self) -> Subject {
        Subject {
            agent: Some(self.frozen.caller.agent.clone()),
            session: Some(self.frozen.caller.session.clone()),
            target: Some(self.frozen.target.clone()),
            request: Some(self.frozen.request_id.clone()),
            unverified_task: self.frozen.caller.unverified_task.clone(),
        }
    }
}

impl Executor {
    pub(crate) async fn examine(&self, request: &RequestId) -> Result<Examined<'_>, Stop> {
        let statement = self.certificate(request).await?;
        let opened = self.open(request).await?;
        let decisions = self.authority.decisions(request).await?;
        let mut seen = Vec::with_capacity(statement.approvals.len());
        for person in statement.approvals.keys() {
            seen.extend(self.authority.seen(request, person).await?);
        }
        let now = process::now();
        let Assessed { frozen, digest, target, call, verdict, owners } =
            assess(&self.bundle, opened, now).map_err(|error| Stop::refused(error.to_string()))?;
        let evidence = Evidence {
            request,
            statement: &statement,
            frozen: &frozen,
            digest: &digest,
            call: &call,
            decision: &verdict.decision,
            owners: &owners,
            decisions: &decisions,
            seen: &seen,
            settings: self.bundle.settings(),
        };
        let obligations = check(&evidence, now).map_err(|refused| Stop::refused(refused.to_string()))?;
        let record = call_record(&call, &target.account, &self.masker, &frozen.caller.source_ip);
        let persons = statement.approvals.into_keys().collect();
        Ok(Examined { frozen, digest, target, call, obligations, persons, record })
    }

    /// The certificate's statement; its signature is verified over the stored bytes, before they are
    /// read.
    async fn certificate(&self, request: &RequestId) -> Result<Statement, Stop> {
        let Some(unverified) = self.authority.unverified_certificate(request).await? else {
            return Err(Stop::NotApproved("there is no certificate"));
        };
        let key = &self.certificate_key;
        if let Err(error) = self.keys.verify(key, &unverified.statement, &unverified.signature).await {
            return Err(match error {
                countersign_aws::keys::KeyError::BadSignature => {
                    tracing::error!(%request, "a certificate with a bad signature");
                    Stop::refused("the certificate's signature does not hold")
                }
                other => ReplayError::temporary("the certificate cannot be verified", &other).into(),
            });
        }
        Statement::decode(&unverified.statement)
            .map_err(|error| Stop::refused(format!("the certificate cannot be read: {error}")))
    }

    async fn open(&self, request: &RequestId) -> Result<OpenedCall, Stop> {
        let Some(untrusted) = self.authority.request(request).await? else {
            return Err(Stop::NotApproved("there is no such request"));
        };
        Ok(self.frozen.open(request, &untrusted.sealed).await?)
    }
}
