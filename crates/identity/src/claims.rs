//! Claims: the checks that every token passes, and finding claims by the settings' paths.

use std::{collections::BTreeMap, time::Duration};

use countersign_domain::Timestamp;
use serde_json::{Map, Value};

use crate::error::IdentityError;

/// How far clocks may differ.
pub(crate) const LEEWAY: Duration = Duration::from_secs(60);
/// The most entries of a claim that is a list, and the longest text of one.
const MAX_ENTRIES: usize = 200;
const MAX_TEXT_BYTES: usize = 512;

/// The times of a token, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    pub(crate) expires_at: Timestamp,
}

/// Checks `exp` (required), `iat` (required) and `nbf` against `now` with [`LEEWAY`]
/// (RFC 7519 §4.1; OpenID Connect Core 1.0 §2 requires `exp` and `iat`).
pub(crate) fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<Lifetime, IdentityError> {
    let expires_at = seconds(claims, "exp")?.ok_or_else(|| IdentityError::claim("exp", "is missing"))?;
    let issued_at = seconds(claims, "iat")?.ok_or_else(|| IdentityError::claim("iat", "is missing"))?;
    if now >= expires_at.plus(LEEWAY) {
        return Err(IdentityError::Expired(expires_at));
    }
    for start in [Some(issued_at), seconds(claims, "nbf")?].into_iter().flatten() {
        if start > now.plus(LEEWAY) {
            return Err(IdentityError::NotYetValid(start));
        }
    }
    Ok(Lifetime { expires_at })
}

/// A claim in whole seconds since the epoch. A text is refused even if it holds digits: whoever
/// reads it in another way would see another time.
pub(crate) fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, IdentityError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_u64()
            .map(|seconds| Some(Timestamp::from_secs(seconds)))
            .ok_or_else(|| IdentityError::claim(name, "is not a whole number of seconds")),
    }
}

/// Checks that the token is for `expected` alone: a text, or a list of just that text. A token that
/// is also for another service could have been forwarded by that service.
pub(crate) fn check_audience(claims: &Map<String, Value>, claim: &str, expected: &str) -> Result<(), IdentityError> {
    let refused = || IdentityError::Audience { expected: expected.to_owned() };
    if claim != "aud" && claims.contains_key("aud") {
        return Err(refused());
    }
    let only = match find(claims, claim) {
        Some(Value::String(audience)) => Some(audience.as_str()),
        Some(Value::Array(audiences)) => match audiences.as_slice() {
            [Value::String(audience)] => Some(audience.as_str()),
            _ => None,
        },
        _ => None,
    };
    if !expected.is_empty() && only == Some(expected) { Ok(()) } else { Err(refused()) }
}

/// Checks that every claim in `require` has one of its values; booleans and numbers count as
/// their JSON text.
pub(crate) fn check_required(
    claims: &Map<String, Value>,
    require: &BTreeMap<String, Vec<String>>,
) -> Result<(), IdentityError> {
    for (path, accepted) in require {
        let found = match find(claims, path) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => Some(value.to_string()),
            _ => None,
        };
        match found {
            None => return Err(IdentityError::claim(path, "is required and missing")),
            Some(found) if accepted.contains(&found) => {}
            Some(_) => return Err(IdentityError::claim(path, "has a value that is not accepted here")),
        }
    }
    Ok(())
}

/// The text at `path`.
pub(crate) fn text(claims: &Map<String, Value>, path: &str) -> Result<String, IdentityError> {
    match find(claims, path) {
        Some(Value::String(text)) if text.is_empty() => Err(IdentityError::claim(path, "is empty")),
        Some(Value::String(text)) if text.len() <= MAX_TEXT_BYTES => Ok(text.clone()),
        Some(Value::String(_)) => Err(IdentityError::claim(path, format!("is longer than {MAX_TEXT_BYTES} bytes"))),
        Some(_) => Err(IdentityError::claim(path, "is not a text")),
        None => Err(IdentityError::claim(path, "is missing")),
    }
}

/// The texts at `path`: a list of texts, one text, or nothing when the claim is missing.
///
/// An issuer that leaves a long list out and says so (Entra ID's group overage: `_claim_names` or
/// `hasgroups`) is refused: a rule that forbids a group must not be dodged by being in many.
pub(crate) fn texts(claims: &Map<String, Value>, path: &str) -> Result<Vec<String>, IdentityError> {
    let Some(found) = find(claims, path) else {
        return if is_left_out(claims, path) {
            Err(IdentityError::claim(path, "is left out by the issuer because it is too long; assign fewer groups"))
        } else {
            Ok(Vec::new())
        };
    };
    let items: Vec<&Value> = match found {
        Value::String(_) => vec![found],
        Value::Array(items) => items.iter().collect(),
        _ => return Err(IdentityError::claim(path, "is neither a text nor a list of texts")),
    };
    if items.len() > MAX_ENTRIES {
        return Err(IdentityError::claim(path, format!("has more than {MAX_ENTRIES} entries")));
    }
    items
        .into_iter()
        .map(|item| match item.as_str() {
            Some(text) if text.len() <= MAX_TEXT_BYTES => Ok(text.to_owned()),
            _ => Err(IdentityError::claim(path, "has an entry that is not a short text")),
        })
        .collect()
}

fn is_left_out(claims: &Map<String, Value>, path: &str) -> bool {
    let first = path_names(path).into_iter().next().unwrap_or_default();
    let distributed =
        claims.get("_claim_names").and_then(Value::as_object).is_some_and(|names| names.contains_key(&first));
    let overage = first == "groups" && claims.get("hasgroups").is_some_and(|flag| *flag != Value::Bool(false));
    distributed || overage
}

/// The claim at a dotted path, in which `\.` is a dot within a name and `\\` a backslash.
pub(crate) fn find<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut names = path_names(path).into_iter();
    let first = claims.get(&names.next()?)?;
    names.try_fold(first, |value, name| value.as_object()?.get(&name))
}

fn path_names(path: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut letters = path.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '.' => names.push(String::new()),
            letter => {
                let letter = if letter == '\\' { letters.next().unwrap_or('\\') } else { letter };
                if let Some(name) = names.last_mut() {
                    name.push(letter);
                }
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_may_hold_dots_in_names() {
        for (path, names) in [
            ("sub", vec!["sub"]),
            (r"kubernetes\.io.serviceaccount.name", vec!["kubernetes.io", "serviceaccount", "name"]),
            (r"a\\.b", vec![r"a\", "b"]),
            (r"https://example\.com/groups", vec!["https://example.com/groups"]),
            ("cognito:groups", vec!["cognito:groups"]),
        ] {
            assert_eq!(path_names(path), names, "{path}");
        }
    }
}
