//! Points in time, passed in from outside.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A point in time: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the Unix epoch.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// This time and `duration` more; saturates.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// RFC 3339 in UTC with whole seconds, as in `2026-11-21T14:27:18Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.as_secs()).unwrap_or(i64::MAX);
        match OffsetDateTime::from_unix_timestamp(seconds).ok().and_then(|at| at.format(&Rfc3339).ok()) {
            Some(text) => out.write_str(&text),
            None => write!(out, "@{}", self.as_secs()),
        }
    }
}

/// A length of time: `90s`, `10m`, `2h`, `1d`, and joined from the largest unit down, as in `1h30m`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut seconds = 0_u64;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let (number, after) = rest.split_at_checked(rest.find(|character: char| !character.is_ascii_digit())?)?;
        let mut units = after.chars();
        let unit = match units.next()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        if unit >= smallest {
            return None;
        }
        smallest = unit;
        seconds = number.parse::<u64>().ok()?.checked_mul(unit)?.checked_add(seconds)?;
        rest = units.as_str();
    }
    (smallest != u64::MAX).then_some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let seconds = |text| parse_duration(text).map(|duration| duration.as_secs());
        for (text, expected) in [("30s", 30), ("10m", 600), ("2h", 7200), ("1d", 86_400), ("1h30m", 5400), ("0s", 0)] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for bad in ["", "10", "m", "10x", "-1s", "30m1h", "1m1m", "1.5h", "99999999999999999999d", "1 h"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
