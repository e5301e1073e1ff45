//! Adding a call to a counter: under which condition, and what a counter that refused tells.

use std::collections::BTreeSet;

use super::{Counted, Counter, Exceeded};
use crate::digest::Digest;

/// A resource as counters keep it: the first 128 bits of a digest, because counters are read and
/// written whole with each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceMark([u8; 16]);

impl ResourceMark {
    /// The mark of the resource that `text` names.
    pub fn of(text: &str) -> Self {
        let mut mark = [0; 16];
        for (to, from) in mark.iter_mut().zip(Digest::of(text.as_bytes()).as_bytes()) {
            *to = *from;
        }
        Self(mark)
    }

    /// The bytes that a counter keeps.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// From the bytes that a counter kept; nothing where they are not 16.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// What one call adds to one counter: one call, and its resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The counter.
    pub counter: Counter,
    /// The call's resources by [`super::resources_of`]; empty where only calls are counted.
    pub resources: BTreeSet<ResourceMark>,
}

/// What a counter holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many calls.
    pub calls: u32,
    /// Which resources. Within a window none is ever taken out.
    pub resources: BTreeSet<ResourceMark>,
}

/// What must hold of a counter in the very moment in which a call is added to it. A counter that
/// does not exist holds nothing and meets every condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Fewer calls than this.
    pub calls_below: Option<u32>,
    /// What of the resources.
    pub resources: Option<ResourceCondition>,
}

/// What must hold of a counter's resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceCondition {
    /// This one is among them, or there are fewer than so many.
    Holds {
        /// The resource.
        resource: ResourceMark,
        /// So many.
        or_below: u32,
    },
    /// There are at most so many.
    AtMost(u32),
}

impl Charge {
    /// The condition to try first, without knowing the counter.
    ///
    /// # Errors
    /// [`Exceeded`] when even an empty counter has no room for the call.
    pub fn condition(&self) -> Result<Condition, Exceeded> {
        let empty = Tally::default();
        let mut condition = self.condition_after(&empty)?;
        let only = self.resources.first().filter(|_| self.resources.len() == 1);
        if let (Some(most), Some(resource)) = (self.counter.distinct_resources, only) {
            condition.resources = Some(ResourceCondition::Holds { resource: *resource, or_below: most });
        }
        Ok(condition)
    }

    /// The condition to try after the counter refused and showed `seen`.
    ///
    /// Resources are never taken out, so those of the call that were there stay there, and room for
    /// the others is all that is needed. Where somebody else adds some of these meanwhile, less room
    /// would do; the next refusal tells.
    ///
    /// # Errors
    /// [`Exceeded`] when there is no room for the call.
    pub fn condition_after(&self, seen: &Tally) -> Result<Condition, Exceeded> {
        let counter = &self.counter;
        if let Some(most) = counter.calls.filter(|most| seen.calls >= *most) {
            return Err(self.exceeded(Counted::Calls, most, seen.calls, 1));
        }
        let resources = match counter.distinct_resources {
            Some(most) => {
                let new = count(self.resources.difference(&seen.resources));
                let used = count(seen.resources.iter());
                let Some(room) = most.checked_sub(new).filter(|room| used <= *room || new == 0) else {
                    return Err(self.exceeded(Counted::DistinctResources, most, used, new));
                };
                // What is all there already needs no room.
                (new > 0).then_some(ResourceCondition::AtMost(room))
            }
            None => None,
        };
        Ok(Condition { calls_below: counter.calls, resources })
    }

    fn exceeded(&self, counted: Counted, most: u32, used: u32, needed: u32) -> Exceeded {
        Exceeded {
            limit: self.counter.limit.clone(),
            subject: self.counter.subject.clone(),
            counted,
            most,
            used,
            needed,
            resets_at: Some(self.counter.until),
        }
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
