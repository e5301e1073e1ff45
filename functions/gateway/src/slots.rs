//! Slots of requests that wait for nobody any more, and are given back for another.

use countersign_aws::authority::{Authority, AuthorityError, PendingSlot, RequestSnapshot};
use countersign_domain::Timestamp;
use tokio::task::JoinSet;

use crate::{denial::Denial, gateway::Gateway, hold::unreadable};

/// How many slots one call looks at: a pool may have a thousand, and each costs reads.
const LOOKS_AT: usize = 20;

impl Gateway {
    /// Gives back slots of requests that are closed, collected or not; whether there were any.
    pub(crate) async fn release_closed(&self, slots: &[PendingSlot], now: Timestamp) -> Result<bool, Denial> {
        let mut looks = JoinSet::new();
        for slot in oldest(slots) {
            looks.spawn(release_if_closed(self.authority.clone(), slot.clone(), now));
        }
        let mut released = false;
        while let Some(look) = looks.join_next().await {
            let look = look.map_err(|error| {
                tracing::error!(%error, "a pending slot could not be looked at");
                Denial::Unavailable { what: "requests for approval cannot be read" }
            })?;
            released |= look.map_err(unreadable)?;
        }
        Ok(released)
    }
}

/// Those that end first: most likely to be closed, and soon free by themselves if not.
fn oldest(slots: &[PendingSlot]) -> Vec<&PendingSlot> {
    let mut slots: Vec<_> = slots.iter().collect();
    slots.sort_by_key(|slot| slot.expires_at);
    slots.truncate(LOOKS_AT);
    slots
}

async fn release_if_closed(authority: Authority, slot: PendingSlot, now: Timestamp) -> Result<bool, AuthorityError> {
    // A slot was put with its request; without one, it ends by its own time.
    let Some(snapshot) = readable(authority.request_facts(&slot.request).await, &slot)? else { return Ok(false) };
    if snapshot.state(now).is_waiting() {
        return Ok(false);
    }
    authority.release_slots(&snapshot.request.agent, &slot.request).await?;
    Ok(true)
}

/// One request that makes no sense keeps its slot until it ends, and no other from being released.
fn readable(
    found: Result<Option<RequestSnapshot>, AuthorityError>,
    slot: &PendingSlot,
) -> Result<Option<RequestSnapshot>, AuthorityError> {
    match found {
        Err(error @ AuthorityError::Malformed { .. }) => {
            tracing::error!(%error, request = %slot.request, "the request of a pending slot is not readable");
            Ok(None)
        }
        found => found,
    }
}

#[cfg(test)]
mod tests {
    use countersign_domain::RequestId;

    use super::*;

    fn slot(number: u32, expires: u64) -> PendingSlot {
        let request = RequestId::from_random([0; 16]);
        PendingSlot { slot: number, request, expires_at: Timestamp::from_secs(expires) }
    }

    #[test]
    fn a_full_pool_costs_looking_at_a_few_slots_the_oldest_first() {
        let slots: Vec<_> = (0..1000).map(|number| slot(number, u64::from(1000 - number))).collect();
        let numbers: Vec<_> = oldest(&slots).iter().map(|slot| slot.slot).collect();
        assert_eq!(numbers, (980..1000).rev().collect::<Vec<_>>());
    }

    #[test]
    fn a_request_that_makes_no_sense_is_passed_over_and_a_table_that_fails_is_not() {
        let malformed = AuthorityError::Malformed { key: "REQ#".to_owned(), attribute: "agent" };
        assert!(matches!(readable(Err(malformed), &slot(1, 1)), Ok(None)));
        let failed = AuthorityError::Contended("dynamodb:GetItem");
        assert!(matches!(readable(Err(failed), &slot(1, 1)), Err(AuthorityError::Contended(_))));
    }
}
