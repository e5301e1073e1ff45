//! The time of signing, as the string to sign spells it.

use countersign_domain::Timestamp;

/// The time that a request claims to have been signed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SigningTime {
    /// The point in time, in whole seconds.
    pub(crate) at: Timestamp,
    /// The same in ISO 8601 basic form, as in `20261121T142718Z`.
    pub(crate) basic: String,
}

impl SigningTime {
    /// Reads `20261121T142718Z`, the form of `x-amz-date`.
    pub(crate) fn from_basic(text: &str) -> Option<Self> {
        let [y1, y2, y3, y4, m1, m2, d1, d2, b'T', h1, h2, n1, n2, s1, s2, b'Z'] = text.as_bytes() else {
            return None;
        };
        let date = (number(&[*y1, *y2, *y3, *y4])?, number(&[*m1, *m2])?, number(&[*d1, *d2])?);
        let at = timestamp(date, (number(&[*h1, *h2])?, number(&[*n1, *n2])?, number(&[*s1, *s2])?))?;
        Some(Self { at, basic: text.to_owned() })
    }

    /// Reads the `date` header: an HTTP date (RFC 9110 §5.6.7, as in `Sat, 21 Nov 2026 14:27:18 GMT`) or
    /// the basic form.
    pub(crate) fn from_date_header(text: &str) -> Option<Self> {
        if let Some(time) = Self::from_basic(text) {
            return Some(time);
        }
        let mut words = text.split(' ');
        let (Some(weekday), Some(day), Some(month), Some(year), Some(clock), Some("GMT"), None) =
            (words.next(), words.next(), words.next(), words.next(), words.next(), words.next(), words.next())
        else {
            return None;
        };
        if !["Mon,", "Tue,", "Wed,", "Thu,", "Fri,", "Sat,", "Sun,"].contains(&weekday) {
            return None;
        }
        let month = (1_u64..).zip(MONTHS).find(|(_, name)| *name == month)?.0;
        let [h1, h2, b':', n1, n2, b':', s1, s2] = clock.as_bytes() else { return None };
        if year.len() != 4 || day.len() != 2 {
            return None;
        }
        let date = (number(year.as_bytes())?, month, number(day.as_bytes())?);
        let clock = (number(&[*h1, *h2])?, number(&[*n1, *n2])?, number(&[*s1, *s2])?);
        let basic = format!("{:04}{:02}{:02}T{:02}{:02}{:02}Z", date.0, date.1, date.2, clock.0, clock.1, clock.2);
        Some(Self { at: timestamp(date, clock)?, basic })
    }

    /// Whether the day in UTC is `day`, as in `20261121`.
    pub(crate) fn is_on(&self, day: &str) -> bool {
        self.basic.strip_prefix(day).is_some_and(|rest| rest.starts_with('T'))
    }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Decimal digits only: `u64::from_str` would take a sign.
fn number(digits: &[u8]) -> Option<u64> {
    digits
        .iter()
        .try_fold(0_u64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit.wrapping_sub(b'0'))))
}

fn timestamp((year, month, day): (u64, u64, u64), (hour, minute, second): (u64, u64, u64)) -> Option<Timestamp> {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_in_month = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap(year) => 29,
        2 => 28,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1970..=9999).contains(&year) || !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59
    {
        return None;
    }
    // leap days before the first of this month, counted from year 0
    let before = if month > 2 { year } else { year - 1 };
    let leap_days = before / 4 - before / 100 + before / 400 - LEAP_DAYS_TO_1970;
    let days_to_month = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let month = usize::try_from(month - 1).ok()?;
    let days = (year - 1970) * 365 + leap_days + days_to_month.get(month)? + day - 1;
    Some(Timestamp::from_secs(days * 86_400 + hour * 3600 + minute * 60 + second))
}

const LEAP_DAYS_TO_1970: u64 = 1969 / 4 - 1969 / 100 + 1969 / 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_forms() {
        for (basic, seconds) in [
            ("19700101T000000Z", 0),
            ("20150830T123600Z", 1_440_938_160),
            ("20240229T235959Z", 1_709_251_199),
            ("20240301T000000Z", 1_709_251_200),
            ("21000301T000000Z", 4_107_542_400),
            ("20261121T142718Z", 1_795_271_238),
        ] {
            let time = SigningTime::from_basic(basic).unwrap();
            assert_eq!((time.at, time.basic.as_str()), (Timestamp::from_secs(seconds), basic));
        }
        let time = SigningTime::from_date_header("Sat, 21 Nov 2026 14:27:18 GMT").unwrap();
        assert_eq!(time, SigningTime::from_basic("20261121T142718Z").unwrap());
        assert_eq!(SigningTime::from_date_header("20261121T142718Z"), Some(time));
    }

    #[test]
    fn agrees_with_the_display_of_timestamps() {
        for days in (0..40_000_u64).step_by(7) {
            let at = Timestamp::from_secs(days * 86_400 + 3_723);
            let basic = at.to_string().replace(['-', ':'], "");
            assert_eq!(SigningTime::from_basic(&basic).unwrap().at, at, "{basic}");
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "20261121",
            "20261121T142718",
            "20261121T142718z",
            "2026-11-21T14:27:18Z",
            "20260229T000000Z",
            "20261301T000000Z",
            "20260001T000000Z",
            "20260100T000000Z",
            "20260101T240000Z",
            "20260101T006000Z",
            "20260101T000060Z",
            "+2026121T142718Z",
            "19691231T235959Z",
            " 20261121T142718Z",
            "Sat, 21 Nov 2026 14:27:18 UTC",
            "Sat, 21 Nov 26 14:27:18 GMT",
            "21 Nov 2026 14:27:18 GMT",
            "Sat, 1 Nov 2026 14:27:18 GMT",
            "Sat, 31 Nov 2026 14:27:18 GMT",
            "Xyz, 21 Nov 2026 14:27:18 GMT",
        ] {
            assert_eq!(SigningTime::from_date_header(text), None, "{text}");
        }
    }

    #[test]
    fn compares_days() {
        let time = SigningTime::from_basic("20261121T142718Z").unwrap();
        assert!(time.is_on("20261121"));
        assert!(!time.is_on("20261122") && !time.is_on("2026112") && !time.is_on(""));
    }
}
