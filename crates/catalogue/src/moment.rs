//! Timestamps on the wire: ISO 8601, RFC 822 (IMF-fixdate) and seconds since the epoch.

use countersign_domain::Value;

use crate::model::TimeFormat;

/// A moment: seconds since the epoch, and nanoseconds within the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
}

/// From year 0001 to 9999, which is what the textual formats can say.
const EARLIEST: i64 = -62_135_596_800;
const LATEST: i64 = 253_402_300_799;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

impl Moment {
    pub(crate) fn value(self) -> Value {
        Value::Timestamp { seconds: self.seconds, nanoseconds: self.nanoseconds }
    }

    pub(crate) fn of(value: &Value) -> Option<Moment> {
        match value {
            Value::Timestamp { seconds, nanoseconds }
                if (EARLIEST..=LATEST).contains(seconds) && *nanoseconds < 1_000_000_000 =>
            {
                Some(Moment { seconds: *seconds, nanoseconds: *nanoseconds })
            }
            _ => None,
        }
    }

    fn new(seconds: i64, nanoseconds: u32) -> Option<Moment> {
        (EARLIEST..=LATEST).contains(&seconds).then_some(Moment { seconds, nanoseconds })
    }

    /// Reads `text` in `format`.
    pub(crate) fn parse(text: &str, format: TimeFormat) -> Option<Moment> {
        match format {
            TimeFormat::Unix => parse_unix(text),
            TimeFormat::Iso8601 => parse_iso8601(text),
            TimeFormat::Rfc822 => parse_rfc822(text),
            TimeFormat::Default => None,
        }
    }

    /// Writes the moment in `format`.
    pub(crate) fn format(self, format: TimeFormat) -> String {
        match format {
            TimeFormat::Rfc822 => self.rfc822(),
            TimeFormat::Unix => self.unix(),
            TimeFormat::Iso8601 | TimeFormat::Default => self.iso8601(),
        }
    }

    fn parts(self) -> (i64, i64, i64, i64) {
        let days = self.seconds.div_euclid(86_400);
        let (year, month, day) = civil_from_days(days);
        (year, month, day, self.seconds.rem_euclid(86_400))
    }

    fn fraction(self) -> String {
        if self.nanoseconds == 0 {
            return String::new();
        }
        format!(".{:09}", self.nanoseconds).trim_end_matches('0').to_owned()
    }

    /// The fraction as botocore writes it: six digits, or nine where six do not hold it.
    fn micros(self) -> String {
        match (self.nanoseconds, self.nanoseconds % 1000) {
            (0, _) => String::new(),
            (nanoseconds, 0) => format!(".{:06}", nanoseconds / 1000),
            (nanoseconds, _) => format!(".{nanoseconds:09}"),
        }
    }

    fn iso8601(self) -> String {
        let (year, month, day, time) = self.parts();
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{}Z", self.micros())
    }

    fn rfc822(self) -> String {
        let (year, month, day, time) = self.parts();
        let name_of = |names: &[&'static str], place: i64| {
            usize::try_from(place).ok().and_then(|place| names.get(place).copied()).unwrap_or("")
        };
        let weekday = name_of(&DAYS, self.seconds.div_euclid(86_400).rem_euclid(7));
        let month = name_of(&MONTHS, month - 1);
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }

    /// Seconds with a fraction; negative moments count their fraction towards zero.
    fn unix(self) -> String {
        if self.seconds < 0 && self.nanoseconds > 0 {
            let back = Moment { seconds: -(self.seconds + 1), nanoseconds: 1_000_000_000 - self.nanoseconds };
            return format!("-{}{}", back.seconds, back.fraction());
        }
        format!("{}{}", self.seconds, self.fraction())
    }
}

/// A decimal number of seconds, with at most nine digits after the point that are not zero.
fn parse_unix(text: &str) -> Option<Moment> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.trim_start_matches('+').parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    if whole.is_empty() || all.len() > 40 || !(-40..=40).contains(&exponent) {
        return None;
    }
    if !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // The point, counted from the left, after the exponent has moved it.
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let digit = |place: i32| usize::try_from(place).ok().and_then(|place| all.as_bytes().get(place)).copied();
    let mut nanoseconds: i128 = 0;
    for place in point.min(0)..point.max(0) + 9 {
        nanoseconds = nanoseconds.checked_mul(10)? + i128::from(digit(place).unwrap_or(b'0') - b'0');
    }
    let finer = i32::try_from(all.len()).ok()?.max(0);
    if ((point + 9).max(0)..finer).any(|place| digit(place).is_some_and(|digit| digit != b'0')) {
        // Floats carry more digits than they mean: round to the nanosecond.
        let next = digit((point + 9).max(0)).unwrap_or(b'0');
        nanoseconds += i128::from(next >= b'5');
    }
    if negative {
        nanoseconds = -nanoseconds;
    }
    let seconds = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).ok()?;
    Moment::new(seconds, u32::try_from(nanoseconds.rem_euclid(1_000_000_000)).ok()?)
}

/// `2026-11-01T00:00:00Z`, with a fraction or an offset instead of `Z`.
fn parse_iso8601(text: &str) -> Option<Moment> {
    let (date, rest) = text.split_once('T')?;
    let [year, month, day] = fixed_numbers(date, '-', [4, 2, 2])?;
    let zone_at = rest.find(['Z', '+', '-'])?;
    let (time, zone) = rest.split_at(zone_at);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = fixed_numbers(clock, ':', [2, 2, 2])?;
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: u32 = format!("{fraction:0<9}").parse().ok()?;
    let offset = if zone == "Z" {
        0
    } else {
        let [hours, minutes] = fixed_numbers(zone.get(1..)?, ':', [2, 2])?;
        let size = hours * 3600 + minutes * 60;
        if zone.starts_with('-') { -size } else { size }
    };
    let seconds = seconds_of(year, month, day, hour, minute, second)?;
    Moment::new(seconds - offset, nanoseconds)
}

/// `Sun, 01 Nov 2026 00:00:00 GMT`.
fn parse_rfc822(text: &str) -> Option<Moment> {
    let (_, rest) = text.split_once(", ")?;
    let words: Vec<&str> = rest.split(' ').collect();
    let [day, month, year, clock, "GMT"] = words.as_slice() else { return None };
    let month = MONTHS.iter().position(|name| name == month)? + 1;
    let [hour, minute, second] = fixed_numbers(clock, ':', [2, 2, 2])?;
    let [day] = fixed_numbers(day, ' ', [2])?;
    let [year] = fixed_numbers(year, ' ', [4])?;
    let moment = Moment::new(seconds_of(year, i64::try_from(month).ok()?, day, hour, minute, second)?, 0)?;
    // The weekday must fit, or two readers may read two moments.
    (moment.rfc822() == text).then_some(moment)
}

fn fixed_numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut numbers = [0_i64; N];
    let mut parts = text.split(separator);
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn seconds_of(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Option<i64> {
    let days = days_from_civil(year, month, day);
    let is_real = civil_from_days(days) == (year, month, day);
    let in_day = hour < 24 && minute < 60 && second < 60;
    (is_real && in_day).then_some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days since the epoch of a date in the proleptic Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date of a day since the epoch; the inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_of_year = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_of_year + 2) / 5 + 1;
    let month = if month_of_year < 10 { month_of_year + 3 } else { month_of_year - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64, nanoseconds: u32) -> Option<Moment> {
        Some(Moment { seconds, nanoseconds })
    }

    #[test]
    fn the_three_formats_are_read() {
        for (text, format, expected) in [
            ("2026-11-01T00:00:00Z", TimeFormat::Iso8601, at(1_793_491_200, 0)),
            ("2026-11-01T02:00:00.5+02:00", TimeFormat::Iso8601, at(1_793_491_200, 500_000_000)),
            ("2026-02-30T00:00:00Z", TimeFormat::Iso8601, None),
            ("2026-11-01", TimeFormat::Iso8601, None),
            ("Sun, 01 Nov 2026 00:00:00 GMT", TimeFormat::Rfc822, at(1_793_491_200, 0)),
            ("Mon, 01 Nov 2026 00:00:00 GMT", TimeFormat::Rfc822, None),
            ("1793491200", TimeFormat::Unix, at(1_793_491_200, 0)),
            ("1793491200.123", TimeFormat::Unix, at(1_793_491_200, 123_000_000)),
            ("1.7934912E9", TimeFormat::Unix, at(1_793_491_200, 0)),
            ("-0.5", TimeFormat::Unix, at(-1, 500_000_000)),
            ("0", TimeFormat::Unix, at(0, 0)),
            ("1e99", TimeFormat::Unix, None),
            ("", TimeFormat::Unix, None),
        ] {
            assert_eq!(Moment::parse(text, format), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for seconds in [-62_135_596_800, -86_401, -1, 0, 951_782_400, 1_793_491_200, 253_402_300_799] {
            for nanoseconds in [0, 1, 500_000_000, 999_999_999] {
                let moment = Moment { seconds, nanoseconds };
                for format in [TimeFormat::Iso8601, TimeFormat::Unix] {
                    assert_eq!(
                        Moment::parse(&moment.format(format), format),
                        Some(moment),
                        "{}",
                        moment.format(format)
                    );
                }
            }
            let whole = Moment { seconds, nanoseconds: 0 };
            assert_eq!(Moment::parse(&whole.format(TimeFormat::Rfc822), TimeFormat::Rfc822), Some(whole));
        }
    }
}
