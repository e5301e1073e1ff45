//! Parameters as JSON, in the form in which boto3 and the AWS CLI take them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use countersign_domain::Value;

/// Appends `value`. `stream` is the body, which stands for [`Value::Stream`].
pub(crate) fn write_value(out: &mut String, value: &Value, stream: &Bytes) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Integer(number) => out.push_str(&number.to_string()),
        Value::Float(number) => write_float(out, *number),
        // Canonical decimal text is a JSON number, of any length.
        Value::Decimal(digits) => out.push_str(digits),
        Value::Text(text) => write_text(out, text),
        Value::Blob(bytes) => write_text(out, &STANDARD.encode(bytes)),
        Value::Stream { .. } => write_text(out, &STANDARD.encode(stream)),
        Value::Timestamp { seconds, nanoseconds } => write_text(out, &iso8601(*seconds, *nanoseconds)),
        Value::List(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                out.push_str(if place == 0 { "" } else { "," });
                write_value(out, item, stream);
            }
            out.push(']');
        }
        Value::Record(members) => {
            out.push('{');
            for (place, (name, member)) in members.iter().enumerate() {
                out.push_str(if place == 0 { "" } else { "," });
                write_text(out, name);
                out.push(':');
                write_value(out, member, stream);
            }
            out.push('}');
        }
    }
}

/// Appends a JSON string.
pub(crate) fn write_text(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// Numbers that JSON does not have are written as AWS writes them in JSON: as texts.
fn write_float(out: &mut String, number: f64) {
    if number.is_nan() {
        out.push_str("\"NaN\"");
    } else if number.is_infinite() {
        out.push_str(if number > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
    } else {
        out.push_str(&serde_json::Value::from(number).to_string());
    }
}

/// `2026-11-01T00:00:00Z`, with three, six or nine digits of a fraction where there is one.
///
/// Source of the algorithm: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
pub(crate) fn iso8601(seconds: i64, nanoseconds: u32) -> String {
    let (days, second_of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    let fraction = match nanoseconds {
        0 => String::new(),
        _ if nanoseconds.is_multiple_of(1_000_000) => format!(".{:03}", nanoseconds / 1_000_000),
        _ if nanoseconds.is_multiple_of(1_000) => format!(".{:06}", nanoseconds / 1_000),
        _ => format!(".{nanoseconds:09}"),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_boto3_takes_them() {
        for (value, expected) in [
            (Value::Null, "null"),
            (Value::Integer(i64::MAX), "9223372036854775807"),
            (Value::Decimal("123456789012345678901234567890.5".into()), "123456789012345678901234567890.5"),
            (Value::Float(0.1), "0.1"),
            (Value::Float(2.0), "2.0"),
            (Value::Float(f64::NEG_INFINITY), "\"-Infinity\""),
            (Value::Text("a\"\u{1}é".into()), "\"a\\\"\\u0001é\""),
            (Value::Blob(Bytes::from_static(b"\x00\xff")), "\"AP8=\""),
            (Value::Stream { length: 2 }, "\"aGk=\""),
            (
                Value::List(vec![Value::Bool(true), Value::Record(vec![("a".into(), Value::List(vec![]))])]),
                "[true,{\"a\":[]}]",
            ),
        ] {
            let mut out = String::new();
            write_value(&mut out, &value, &Bytes::from_static(b"hi"));
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn times_are_iso_8601_in_utc() {
        for (seconds, nanoseconds, expected) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (-1, 0, "1969-12-31T23:59:59Z"),
            (951_782_400, 250_000_000, "2000-02-29T00:00:00.250Z"),
            (1_772_600_767, 1_000, "2026-03-04T05:06:07.000001Z"),
            (253_402_300_799, 1, "9999-12-31T23:59:59.000000001Z"),
            (-62_135_596_800, 0, "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(iso8601(seconds, nanoseconds), expected);
        }
    }
}
