//! Many actions in few words: prefixes that match no other action that AWS has.

use std::collections::{BTreeMap, BTreeSet};

use crate::actions::AwsActions;

/// The names and prefixes with `*` that match exactly `actions` among all actions of their services. IAM matches without
/// regard to letter case.
pub(super) fn compressed(actions: &BTreeSet<String>) -> Vec<String> {
    let mut by_service: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for action in actions {
        if let Some((service, name)) = action.split_once(':') {
            by_service.entry(service).or_default().push(name);
        }
    }
    let all = AwsActions::embedded().by_service();
    let mut patterns = Vec::new();
    for (service, names) in by_service {
        let wanted: BTreeSet<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let known = all.get(service).into_iter().flatten().filter_map(|action| Some(action.split_once(':')?.1));
        let others: BTreeSet<String> =
            known.map(str::to_ascii_lowercase).filter(|name| !wanted.contains(name)).collect();
        let mut sorted: Vec<(String, &str)> = names.iter().map(|name| (name.to_ascii_lowercase(), *name)).collect();
        sorted.sort();
        cover(&sorted, &others, 0, &mut |pattern| patterns.push(format!("{service}:{pattern}")));
    }
    patterns
}

/// Covers `names`, which share their first `length` bytes and are sorted.
fn cover(names: &[(String, &str)], others: &BTreeSet<String>, length: usize, found: &mut impl FnMut(String)) {
    let Some((first, shown)) = names.first() else { return };
    if names.len() == 1 {
        found((*shown).to_owned());
        return;
    }
    let prefix = first.get(..length).unwrap_or(first);
    let is_free = others.range(prefix.to_owned()..).next().is_none_or(|other| !other.starts_with(prefix));
    if is_free {
        found(format!("{}*", shown.get(..length).unwrap_or_default()));
        return;
    }
    let mut rest = names;
    // One whose name ends here begins the others' names, so it stands for itself.
    if first.len() == length {
        found((*shown).to_owned());
        rest = names.get(1..).unwrap_or_default();
    }
    while let Some(letter) = rest.first().and_then(|(name, _)| name.as_bytes().get(length)) {
        let end = rest.iter().take_while(|(name, _)| name.as_bytes().get(length) == Some(letter)).count();
        let (same, after) = rest.split_at(end);
        cover(same, others, length + 1, found);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str], others: &[&str]) -> Vec<String> {
        let mut sorted: Vec<_> = names.iter().map(|name| (name.to_ascii_lowercase(), *name)).collect();
        sorted.sort();
        let others = others.iter().map(|name| name.to_ascii_lowercase()).collect();
        let mut found = Vec::new();
        cover(&sorted, &others, 0, &mut |pattern| found.push(pattern));
        found
    }

    #[test]
    fn prefixes_match_nothing_else() {
        assert_eq!(of(&["GetItem", "Query"], &[]), ["*"]);
        assert_eq!(of(&["GetItem", "GetRecords", "Query"], &["PutItem"]), ["G*", "Query"]);
        assert_eq!(of(&["GetItem", "GetItems"], &["GetItemsNow"]), ["GetItem", "GetItems"]);
        assert_eq!(of(&["GetItem"], &["GetItems"]), ["GetItem"]);
        assert_eq!(of(&["ListA", "ListB", "ListC"], &["ListCX"]), ["ListA", "ListB", "ListC"]);
    }

    #[test]
    fn compressing_and_matching_gives_the_same_actions() {
        let aws = AwsActions::embedded().by_service();
        for service in ["dynamodb", "ec2", "s3", "iam"] {
            let all: Vec<_> = aws.get(service).unwrap().iter().map(|action| (*action).to_owned()).collect();
            let wanted: BTreeSet<_> =
                all.iter().filter(|action| action.contains(":Get") || action.len() % 3 == 0).cloned().collect();
            let patterns = compressed(&wanted);
            for action in &all {
                let matched = patterns.iter().any(|pattern| super::super::matching::fits(pattern, action));
                assert_eq!(matched, wanted.contains(action), "{action}");
            }
        }
    }
}
