//! Parameters as Cedar values.
//!
//! Values are constructed, never parsed from JSON: Cedar's JSON reader gives `__entity` and
//! `__extn` a meaning, by which an agent could forge entities in data.
//!
//! | parameter | in `context.params` |
//! |---|---|
//! | null, in a structure or a list | absent |
//! | boolean | `Bool` |
//! | integer within 64 bits | `Long` |
//! | float | `decimal`, rounded to four places; `String` when not finite or beyond ±922,337,203,685,477 |
//! | larger integer, decimal text | `String` |
//! | string | `String` |
//! | blob | `{ length: Long, sha256: String }`, the digest in lower-case hex |
//! | streaming payload | `{ length: Long }` |
//! | timestamp | `datetime` in whole milliseconds, rounded down; outside years 0 to 9999 a `Long` of seconds |
//! | list | `Set`: order and repetition are lost |
//! | structure or map | record |

use cedar_policy::RestrictedExpression;
use countersign_domain::{Digest, Timestamp, Value};
use time::OffsetDateTime;

/// Beyond this, Cedar's `decimal` (64 bits, four places) does not reach.
const LARGEST_DECIMAL: f64 = 922_337_203_685_477.0;

/// A value that Cedar refuses: names that stand twice in one record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DuplicateName;

/// The record of parameters; `None` for a null.
///
/// # Errors
/// When a name stands twice in one record, which understanding a call excludes.
pub(crate) fn convert(value: &Value) -> Result<Option<RestrictedExpression>, DuplicateName> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Bool(value) => RestrictedExpression::new_bool(*value),
        Value::Integer(value) => RestrictedExpression::new_long(*value),
        Value::Float(value) => float(*value),
        Value::Decimal(text) | Value::Text(text) => RestrictedExpression::new_string(text.clone()),
        Value::Blob(bytes) => record([
            ("length".to_owned(), length(bytes.len() as u64)),
            ("sha256".to_owned(), RestrictedExpression::new_string(Digest::of(bytes).to_string())),
        ])?,
        Value::Stream { length: bytes } => record([("length".to_owned(), length(*bytes))])?,
        Value::Timestamp { seconds, nanoseconds } => timestamp(*seconds, *nanoseconds),
        Value::List(items) => {
            let converted: Result<Vec<_>, _> = items.iter().filter_map(|item| convert(item).transpose()).collect();
            RestrictedExpression::new_set(converted?)
        }
        Value::Record(members) => {
            let converted: Result<Vec<_>, _> = members
                .iter()
                .filter_map(|(name, member)| Some(convert(member).transpose()?.map(|member| (name.clone(), member))))
                .collect();
            record(converted?)?
        }
    }))
}

/// A record.
pub(crate) fn record(
    members: impl IntoIterator<Item = (String, RestrictedExpression)>,
) -> Result<RestrictedExpression, DuplicateName> {
    RestrictedExpression::new_record(members).map_err(|_| DuplicateName)
}

/// A moment as `datetime`.
pub(crate) fn moment(at: Timestamp) -> RestrictedExpression {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    let nanoseconds = u32::try_from(at.as_millis() % 1000).unwrap_or_default() * 1_000_000;
    timestamp(seconds, nanoseconds)
}

fn length(bytes: u64) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(bytes).unwrap_or(i64::MAX))
}

fn float(value: f64) -> RestrictedExpression {
    if value.abs() < LARGEST_DECIMAL {
        RestrictedExpression::new_decimal(format!("{value:.4}"))
    } else {
        RestrictedExpression::new_string(value.to_string())
    }
}

fn timestamp(seconds: i64, nanoseconds: u32) -> RestrictedExpression {
    let in_range = OffsetDateTime::from_unix_timestamp(seconds).ok().filter(|at| (0..=9999).contains(&at.year()));
    match in_range {
        Some(at) => RestrictedExpression::new_datetime(format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            nanoseconds / 1_000_000
        )),
        None => RestrictedExpression::new_long(seconds),
    }
}
