//! Suggestions for misspelt action names.

/// The nearest action to `name`: first the nearest prefix, then the nearest name under it. `None`
/// if nothing is within a third of its length.
pub(crate) fn nearest<'p, Names: Iterator<Item = &'p str>>(
    name: &str,
    prefixes: impl Iterator<Item = &'p str>,
    names: impl Fn(&'p str) -> Names,
) -> Option<&'p str> {
    let (prefix, _) = name.split_once(':')?;
    let prefix = prefix.to_ascii_lowercase();
    let wanted = name.to_ascii_lowercase();
    let mut near: Vec<_> = prefixes
        .map(|known| (distance(&prefix, known), known))
        .filter(|(distance, known)| *distance <= known.len().max(3) / 3)
        .collect();
    near.sort_unstable();
    let best = near.first()?.0;
    near.into_iter()
        .filter(|(distance, _)| *distance <= best + 1)
        .flat_map(|(_, prefix)| names(prefix))
        .map(|known| (distance(&wanted, &known.to_ascii_lowercase()), known))
        .filter(|(distance, _)| *distance <= wanted.len() / 3)
        .min()
        .map(|(_, known)| known)
}

/// Levenshtein's distance in bytes; inputs over 128 bytes are as far as can be.
fn distance(left: &str, right: &str) -> usize {
    if left.len() > 128 || right.len() > 128 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, left_byte) in left.bytes().enumerate() {
        let mut diagonal = at;
        let mut before = at + 1;
        for (cell, right_byte) in row.iter_mut().skip(1).zip(right.bytes()) {
            let above = *cell;
            let changed = diagonal + usize::from(left_byte != right_byte);
            before = changed.min(above + 1).min(before + 1);
            *cell = before;
            diagonal = above;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (left, right, expected) in [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("abc", "abc", 0)] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }

    #[test]
    fn the_nearest_action_is_found() {
        let names = |prefix| match prefix {
            "s3" => vec!["s3:GetObject", "s3:PutObject"].into_iter(),
            _ => vec!["dynamodb:PutItem", "dynamodb:GetItem"].into_iter(),
        };
        let suggested = |name| nearest(name, ["dynamodb", "s3"].into_iter(), names);
        assert_eq!(suggested("s3:GetObjects"), Some("s3:GetObject"));
        assert_eq!(suggested("dynamo:PutItem"), Some("dynamodb:PutItem"));
        assert_eq!(suggested("dynamdb:putitem"), Some("dynamodb:PutItem"));
        assert_eq!(suggested("nonsense:Whatever"), None);
        assert_eq!(suggested("s3"), None);
    }
}
