//! Finds the rules that could match by their heads, so that cost follows the candidates.

use std::collections::{HashMap, HashSet};

use crate::{
    rule::{Key, Rule},
    vocabulary::EntityKind,
};

/// An interned key; 0 is "any".
type KeyNumber = u32;

const ANY: KeyNumber = 0;

/// One action of a head. The order of the fields is the order of the index: one sorted list
/// answers by action, by action and principal, and by all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    action: KeyNumber,
    principal: KeyNumber,
    resource: KeyNumber,
    place: u32,
}

/// The index over the rules of a bundle.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Numbers of keys, per entity type.
    numbers: HashMap<EntityKind, HashMap<String, KeyNumber>>,
    last: KeyNumber,
    entries: Vec<Entry>,
}

/// What a request is, in the words of heads. "Any" is added by the index.
#[derive(Debug, Default)]
pub(crate) struct Lookup<'a> {
    pub(crate) principals: Vec<(EntityKind, &'a str)>,
    pub(crate) actions: Vec<(EntityKind, &'a str)>,
    /// `None` when the resource may be any.
    pub(crate) resources: Option<Vec<(EntityKind, &'a str)>>,
}

impl Index {
    /// The index over `rules`; the number of a rule is its place.
    pub(crate) fn new(rules: &[Rule]) -> Self {
        let mut index = Self { entries: Vec::with_capacity(rules.len()), ..Self::default() };
        // A bundle of four thousand million rules does not fit into memory.
        for (place, rule) in (0_u32..).zip(rules) {
            let principal = index.number(&rule.head.principal);
            let resource = index.number(&rule.head.resource);
            for action in &rule.head.actions {
                let action = index.number(action);
                index.entries.push(Entry { action, principal, resource, place });
            }
        }
        index.entries.sort_unstable();
        index
    }

    fn number(&mut self, key: &Key) -> KeyNumber {
        let Key::Is(kind, id) = key else { return ANY };
        let of_kind = self.numbers.entry(*kind).or_default();
        if let Some(number) = of_kind.get(id) {
            return *number;
        }
        self.last += 1;
        of_kind.insert(id.clone(), self.last);
        self.last
    }

    fn known(&self, keys: &[(EntityKind, &str)]) -> Vec<KeyNumber> {
        let find = |(kind, id): &(EntityKind, &str)| self.numbers.get(kind)?.get(*id).copied();
        std::iter::once(ANY).chain(keys.iter().filter_map(find)).collect()
    }

    /// The places of the rules whose heads may match, in order, without repetition.
    pub(crate) fn candidates(&self, lookup: &Lookup<'_>) -> Vec<u32> {
        let principals = self.known(&lookup.principals);
        let resources = lookup.resources.as_ref().map(|resources| self.known(resources));
        let mut found = Vec::new();
        for action in self.known(&lookup.actions) {
            let of_action = equal(&self.entries, action, |entry| entry.action);
            for principal in &principals {
                let of_both = equal(of_action, *principal, |entry| entry.principal);
                match &resources {
                    Some(resources) => resources.iter().for_each(|resource| {
                        found.extend(equal(of_both, *resource, |entry| entry.resource).iter().map(|entry| entry.place));
                    }),
                    None => found.extend(of_both.iter().map(|entry| entry.place)),
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// At most `most` rules about one of `actions`, those on single actions and small groups first.
    pub(crate) fn about(&self, actions: &[(EntityKind, &str)], most: usize) -> Vec<u32> {
        let list = |action: KeyNumber| equal(&self.entries, action, |entry| entry.action);
        let mut lists: Vec<_> = self.known(actions).into_iter().map(list).collect();
        lists.sort_by_key(|list| list.len());
        let mut seen = HashSet::new();
        lists.into_iter().flatten().map(|entry| entry.place).filter(|place| seen.insert(*place)).take(most).collect()
    }
}

/// The run of entries with this key; `entries` is sorted by it.
fn equal(entries: &[Entry], key: KeyNumber, of: impl Fn(&Entry) -> KeyNumber) -> &[Entry] {
    let from = entries.partition_point(|entry| of(entry) < key);
    let rest = entries.get(from..).unwrap_or_default();
    let length = rest.partition_point(|entry| of(entry) == key);
    rest.get(..length).unwrap_or_default()
}
