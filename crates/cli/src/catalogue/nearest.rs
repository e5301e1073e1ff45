//! Suggestions for mistyped names.

use countersign_policy::edit_distance;

/// The candidate closest to `text`: letter case aside, one that it is part of, or else by edit distance; none if all are
/// far off.
pub(crate) fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_ascii_lowercase();
    let limit = (text.chars().count() / 3).max(1);
    let rank = |candidate: &str| {
        let candidate = candidate.to_ascii_lowercase();
        let distance = edit_distance(&text, &candidate);
        let starts = text.len() >= 2 && candidate.starts_with(&text);
        (distance <= limit || starts).then_some(if starts { distance.min(limit) } else { distance })
    };
    candidates
        .into_iter()
        .filter_map(|candidate| Some((rank(candidate)?, candidate.len(), candidate)))
        .min()
        .map(|(_, _, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_closest_name() {
        assert_eq!((edit_distance("kitten", "sitting"), edit_distance("", "abc")), (3, 3));
        for (text, expected) in [
            ("dynamdb", Some("dynamodb")),
            ("DynamoDB", Some("dynamodb")),
            ("dynamo", Some("dynamodb")),
            ("secrets", Some("secretsmanager")),
            ("s4", Some("s3")),
            ("quantum", None),
        ] {
            assert_eq!(
                nearest(text, ["dynamodb", "dynamodbstreams", "s3", "s3control", "secretsmanager"]),
                expected,
                "{text}"
            );
        }
    }
}
