//! Finds the rules that could match by their heads, so that cost follows the candidates.

use std::collections::HashMap;

use crate::{
    rule::{Head, Key, Rule},
    vocabulary::EntityKind,
};

/// An interned key; 0 is "any".
type KeyNumber = u32;

const ANY: KeyNumber = 0;

/// The index over the rules of a bundle.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Numbers of keys, per entity type.
    numbers: HashMap<EntityKind, HashMap<String, KeyNumber>>,
    next: KeyNumber,
    /// For a known resource: principal, action, resource.
    exact: HashMap<(KeyNumber, KeyNumber, KeyNumber), Vec<u32>>,
    /// For a resource that may be any: principal, action.
    open: HashMap<(KeyNumber, KeyNumber), Vec<u32>>,
    /// For explanations, whoever calls and on whatever: action.
    by_action: HashMap<KeyNumber, Vec<u32>>,
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
        let mut index =
            Self { exact: HashMap::with_capacity(rules.len()), open: HashMap::with_capacity(64), ..Self::default() };
        for (place, rule) in rules.iter().enumerate() {
            // A bundle of four thousand million rules does not fit into memory.
            let Ok(place) = u32::try_from(place) else { break };
            index.add(place, &rule.head);
        }
        index
    }

    fn add(&mut self, place: u32, head: &Head) {
        let principal = self.number(&head.principal);
        let resource = self.number(&head.resource);
        for action in &head.actions {
            let action = self.number(action);
            self.exact.entry((principal, action, resource)).or_default().push(place);
            self.open.entry((principal, action)).or_default().push(place);
            self.by_action.entry(action).or_default().push(place);
        }
    }

    fn number(&mut self, key: &Key) -> KeyNumber {
        let Key::Is(kind, id) = key else { return ANY };
        let of_kind = self.numbers.entry(*kind).or_default();
        if let Some(number) = of_kind.get(id) {
            return *number;
        }
        self.next += 1;
        of_kind.insert(id.clone(), self.next);
        self.next
    }

    fn known(&self, keys: &[(EntityKind, &str)]) -> Vec<KeyNumber> {
        let find = |(kind, id): &(EntityKind, &str)| self.numbers.get(kind)?.get(*id).copied();
        std::iter::once(ANY).chain(keys.iter().filter_map(find)).collect()
    }

    /// The places of the rules whose heads may match, in order, without repetition.
    pub(crate) fn candidates(&self, lookup: &Lookup<'_>) -> Vec<u32> {
        let principals = self.known(&lookup.principals);
        let actions = self.known(&lookup.actions);
        let resources = lookup.resources.as_ref().map(|resources| self.known(resources));
        let mut found = Vec::new();
        for principal in &principals {
            for action in &actions {
                match &resources {
                    Some(resources) => {
                        for resource in resources {
                            found.extend(self.exact.get(&(*principal, *action, *resource)).into_iter().flatten());
                        }
                    }
                    None => found.extend(self.open.get(&(*principal, *action)).into_iter().flatten()),
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// At most `most` rules about one of `actions`, those on single actions and small groups first.
    pub(crate) fn about(&self, actions: &[(EntityKind, &str)], most: usize) -> Vec<u32> {
        let mut lists: Vec<_> = self.known(actions).iter().filter_map(|action| self.by_action.get(action)).collect();
        lists.sort_by_key(|list| list.len());
        let mut seen = std::collections::HashSet::new();
        lists.into_iter().flatten().copied().filter(|place| seen.insert(*place)).take(most).collect()
    }
}
