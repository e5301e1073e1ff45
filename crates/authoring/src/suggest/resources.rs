//! What resources have in common.

use std::collections::{BTreeMap, BTreeSet};

/// Where a name may be cut.
const SEPARATORS: [char; 5] = ['/', '-', ':', '.', '_'];
/// The fewest characters of a name that make a beginning worth a rule.
const SHORTEST: usize = 3;

/// The resources as patterns of ARNs with `*` at the end, or as they are: those of one kind are written by a common
/// beginning where they are more than `most`.
pub(super) fn patterns(arns: &BTreeSet<String>, most: usize) -> Vec<String> {
    let mut kinds: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for arn in arns {
        kinds.entry(kind(arn).to_owned()).or_default().push(arn);
    }
    let mut patterns = Vec::new();
    for (kind, arns) in kinds {
        if arns.len() <= most {
            patterns.extend(arns.into_iter().map(str::to_owned));
            continue;
        }
        let in_bucket = kind.contains(":s3:::") && kind.ends_with('/');
        match common(&arns).filter(|common| in_bucket || common.len() >= kind.len() + SHORTEST) {
            Some(common) => patterns.push(format!("{common}*")),
            None => patterns.extend(arns.into_iter().map(str::to_owned)),
        }
    }
    patterns
}

/// What never differs within a pattern: the ARN up to the name, and for objects of S3 their bucket.
fn kind(arn: &str) -> &str {
    let after_colons = |count: usize| arn.match_indices(':').nth(count - 1).map_or(arn.len(), |(at, _)| at + 1);
    let resource = arn.get(after_colons(5)..).unwrap_or_default();
    let length = if arn.split(':').nth(2) == Some("s3") {
        resource.find('/').map_or(0, |at| at + 1)
    } else {
        resource.find(['/', ':']).map_or(0, |at| at + 1)
    };
    arn.get(..after_colons(5) + length).unwrap_or(arn)
}

/// The longest common beginning that ends with a separator.
fn common<'a>(arns: &[&'a str]) -> Option<&'a str> {
    let first = *arns.first()?;
    let shared = |other: &&str| first.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let length = arns.iter().map(shared).min()?;
    let mut end = length;
    // Within a character there is no text.
    while !first.is_char_boundary(end) {
        end -= 1;
    }
    let start = first.get(..end)?;
    start.get(..start.rfind(SEPARATORS)? + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_resources_of_a_kind_become_their_common_beginning() {
        let table = |name: &str| format!("arn:aws:dynamodb:eu-central-1:123456789012:table/{name}");
        let object = |name: &str| format!("arn:aws:s3:::{name}");
        let of =
            |names: &[&str], arn: &dyn Fn(&str) -> String| patterns(&names.iter().map(|name| arn(name)).collect(), 2);
        assert_eq!(of(&["app-a", "app-b"], &table), [table("app-a"), table("app-b")]);
        assert_eq!(of(&["app-a", "app-b", "app-c"], &table), [table("app-*")]);
        assert_eq!(of(&["app-a", "app-b", "x"], &table), [table("app-a"), table("app-b"), table("x")]);
        // Objects of a bucket, never several buckets.
        assert_eq!(of(&["b/1", "b/2", "b/3"], &object), [object("b/*")]);
        assert_eq!(of(&["b/y/1", "b/y/2", "b/y/3", "c/1"], &object), [object("b/y/*"), object("c/1")]);
        assert_eq!(of(&["logs-1", "logs-2", "logs-3"], &object), [object("logs-*")]);
        assert_eq!(of(&["äa-1", "äa-2", "äa-3"], &table), [table("äa-*")]);
        assert_eq!(of(&["ä", "ö", "ü"], &table).len(), 3);
    }
}
