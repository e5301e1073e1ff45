//! What the executor's role may write: claims. Outcomes are in [`crate::outcomes`].

use countersign_domain::{RequestId, Timestamp};

use super::{
    Authority, AuthorityError, Quarantine, QuarantineScopes, RETENTION,
    item::{Attributes, ItemReader, ItemWriter, Key},
    transact::{self, Transacted},
};

const PREFIX: &str = "CLAIM#";
const ATTEMPTS: usize = 4;

/// What claiming came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// This attempt holds the claim.
    Now,
    /// An earlier attempt holds it.
    Earlier {
        /// Since when.
        at: Timestamp,
        /// When that attempt is surely over.
        until: Timestamp,
    },
    /// Somebody pulled the kill switch: there is no claim by this attempt.
    Quarantined(Quarantine),
}

impl Authority {
    /// Claims a request: puts `CLAIM#` unless it is there, in one transaction with the check that
    /// nothing in `scopes` is quarantined. A claim is never taken back.
    ///
    /// `attempt` tells this attempt from every other; the same attempt may ask again.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer. The claim may stand then; whoever comes
    /// next finds it as an earlier attempt's.
    pub async fn claim(
        &self,
        request: &RequestId,
        attempt: &str,
        now: Timestamp,
        until: Timestamp,
        scopes: &QuarantineScopes,
    ) -> Result<Claim, AuthorityError> {
        let key = Key::single(PREFIX, request.as_str());
        for _ in 0..ATTEMPTS {
            let item = ItemWriter::new(&key)
                .time("at", now)
                .time("until", until)
                .text("attempt", attempt)
                .ttl(now.plus(RETENTION))
                .build();
            let mut members = vec![self.put_member(item, "attribute_not_exists(pk)", &[], None)?];
            for scope in scopes.keys() {
                members.push(self.absence_member(scope)?);
            }
            match self.transact(members).await? {
                Transacted::Done => return Ok(Claim::Now),
                Transacted::Conflict => {}
                Transacted::Refused(refused) => {
                    if let Some((member, item)) = refused.iter().find(|(member, _)| *member > 0) {
                        let scope = scopes.keys().get(member.saturating_sub(1)).map(|key| key.pk.as_str());
                        let reason = ItemReader(item).text("reason").unwrap_or_default();
                        return Ok(Claim::Quarantined(Quarantine::read(scope.unwrap_or_default(), reason)));
                    }
                    let existing = self.get(&key).await?;
                    return existing
                        .as_ref()
                        .map_or(Err(AuthorityError::Contended(transact::OPERATION)), |item| earlier(item, attempt));
                }
            }
        }
        Err(AuthorityError::Contended(transact::OPERATION))
    }
}

fn earlier(item: &Attributes, attempt: &str) -> Result<Claim, AuthorityError> {
    let item = ItemReader(item);
    if item.text("attempt") == Ok(attempt) {
        return Ok(Claim::Now);
    }
    let parse = || Ok(Claim::Earlier { at: item.time("at")?, until: item.time("until")? });
    parse().map_err(|bad| AuthorityError::malformed(PREFIX, bad))
}
