//! Condition keys and operators (IAM User Guide, "IAM JSON policy elements: Condition operators").

use std::{collections::BTreeMap, net::IpAddr};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::pattern::Pattern;

/// The condition keys of one request. Keys are compared without letter case.
#[derive(Clone, Debug, Default)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// The context with one value per key.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut context = Self::default();
        for (key, value) in pairs {
            context.set(key, value);
        }
        context
    }

    /// Sets `key` to the one value.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_lowercase(), vec![value.into()]);
    }

    /// Sets `key` to several values; without any value the key stays absent.
    pub fn set_all(&mut self, key: &str, values: impl IntoIterator<Item = String>) {
        let values: Vec<String> = values.into_iter().collect();
        if !values.is_empty() {
            self.0.insert(key.to_lowercase(), values);
        }
    }

    /// Adds the keys of `other`; they win.
    pub fn extend(&mut self, other: &Context) {
        self.0.extend(other.0.iter().map(|(key, values)| (key.clone(), values.clone())));
    }

    /// The values of `key`, if the request has it.
    pub fn values(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_lowercase()).map(Vec::as_slice)
    }
}

/// How several values of a key are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    /// No prefix: meant for keys with one value.
    Single,
    /// `ForAllValues:`; also true when the key is absent.
    All,
    /// `ForAnyValue:`; false when the key is absent.
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Arn,
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    IpAddress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Order::Equal => left == right,
            Order::Less => left < right,
            Order::LessOrEqual => left <= right,
            Order::Greater => left > right,
            Order::GreaterOrEqual => left >= right,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    /// `Null`: whether the key is absent.
    Null,
    /// A comparison, perhaps negated.
    Compare { comparison: Comparison, negated: bool },
}

/// One line of a `Condition` block: an operator, a key and the values that the policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    quantifier: Quantifier,
    test: Test,
    if_exists: bool,
    key: String,
    values: Vec<String>,
}

impl Condition {
    /// Reads the operator name, as in `ForAnyValue:StringLikeIfExists`.
    ///
    /// `None` for an operator that IAM does not know.
    pub fn new(operator: &str, key: &str, values: Vec<String>) -> Option<Self> {
        let (quantifier, operator) = match operator.split_once(':') {
            None => (Quantifier::Single, operator),
            Some(("ForAllValues", rest)) => (Quantifier::All, rest),
            Some(("ForAnyValue", rest)) => (Quantifier::Any, rest),
            Some(_) => return None,
        };
        let (operator, if_exists) = match operator.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (operator, false),
        };
        let test = test_named(operator)?;
        if test == Test::Null && (if_exists || quantifier != Quantifier::Single) {
            return None;
        }
        Some(Self { quantifier, test, if_exists, key: key.to_owned(), values })
    }

    /// Whether the condition holds for a request with these keys.
    pub fn holds(&self, context: &Context) -> bool {
        let found = context.values(&self.key);
        let Test::Compare { comparison, negated } = self.test else {
            let wants_absent = self.values.iter().any(|value| value.eq_ignore_ascii_case("true"));
            return found.is_none() == wants_absent;
        };
        let Some(found) = found else {
            return match self.quantifier {
                Quantifier::All => true,
                Quantifier::Any => self.if_exists,
                Quantifier::Single => self.if_exists || negated,
            };
        };
        let listed = |value: &String| self.values.iter().any(|wanted| compare(comparison, value, wanted, context));
        match self.quantifier {
            Quantifier::All => found.iter().all(|value| listed(value) != negated),
            Quantifier::Any => found.iter().any(|value| listed(value) != negated),
            Quantifier::Single => found.iter().any(listed) != negated,
        }
    }
}

fn test_named(operator: &str) -> Option<Test> {
    let (comparison, negated) = match operator {
        "Null" => return Some(Test::Null),
        "StringEquals" => (Comparison::StringEquals, false),
        "StringNotEquals" => (Comparison::StringEquals, true),
        "StringEqualsIgnoreCase" => (Comparison::StringEqualsIgnoreCase, false),
        "StringNotEqualsIgnoreCase" => (Comparison::StringEqualsIgnoreCase, true),
        "StringLike" => (Comparison::StringLike, false),
        "StringNotLike" => (Comparison::StringLike, true),
        // ArnEquals and ArnLike behave identically.
        "ArnEquals" | "ArnLike" => (Comparison::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Comparison::Arn, true),
        "NumericEquals" => (Comparison::Numeric(Order::Equal), false),
        "NumericNotEquals" => (Comparison::Numeric(Order::Equal), true),
        "NumericLessThan" => (Comparison::Numeric(Order::Less), false),
        "NumericLessThanEquals" => (Comparison::Numeric(Order::LessOrEqual), false),
        "NumericGreaterThan" => (Comparison::Numeric(Order::Greater), false),
        "NumericGreaterThanEquals" => (Comparison::Numeric(Order::GreaterOrEqual), false),
        "DateEquals" => (Comparison::Date(Order::Equal), false),
        "DateNotEquals" => (Comparison::Date(Order::Equal), true),
        "DateLessThan" => (Comparison::Date(Order::Less), false),
        "DateLessThanEquals" => (Comparison::Date(Order::LessOrEqual), false),
        "DateGreaterThan" => (Comparison::Date(Order::Greater), false),
        "DateGreaterThanEquals" => (Comparison::Date(Order::GreaterOrEqual), false),
        "Bool" => (Comparison::Bool, false),
        "BinaryEquals" => (Comparison::Binary, false),
        "IpAddress" => (Comparison::IpAddress, false),
        "NotIpAddress" => (Comparison::IpAddress, true),
        _ => return None,
    };
    Some(Test::Compare { comparison, negated })
}

fn compare(comparison: Comparison, value: &str, wanted: &str, context: &Context) -> bool {
    match comparison {
        Comparison::StringEquals => Pattern::literal(wanted, context).is_some_and(|pattern| pattern.matches(value)),
        Comparison::StringEqualsIgnoreCase => {
            Pattern::literal(wanted, context).is_some_and(|pattern| pattern.matches_ignoring_case(value))
        }
        Comparison::StringLike => Pattern::wildcards(wanted, context).is_some_and(|pattern| pattern.matches(value)),
        Comparison::Arn => Pattern::wildcards(wanted, context).is_some_and(|pattern| pattern.matches_arn(value)),
        Comparison::Numeric(order) => match (value.parse::<f64>(), wanted.parse::<f64>()) {
            (Ok(value), Ok(wanted)) => order.holds(&value, &wanted),
            _ => false,
        },
        Comparison::Date(order) => match (instant(value), instant(wanted)) {
            (Some(value), Some(wanted)) => order.holds(&value, &wanted),
            _ => false,
        },
        Comparison::Bool => value.eq_ignore_ascii_case(wanted),
        Comparison::Binary => value == wanted,
        Comparison::IpAddress => in_network(value, wanted),
    }
}

/// An instant from RFC 3339 text or from seconds since the Unix epoch.
fn instant(text: &str) -> Option<OffsetDateTime> {
    match text.parse::<i64>() {
        Ok(seconds) => OffsetDateTime::from_unix_timestamp(seconds).ok(),
        Err(_) => OffsetDateTime::parse(text, &Rfc3339).ok(),
    }
}

/// Whether the address is in the CIDR block, or equal to the plain address.
fn in_network(address: &str, network: &str) -> bool {
    let (base, length) = match network.split_once('/') {
        Some((base, length)) => match length.parse::<u32>() {
            Ok(length) => (base, Some(length)),
            Err(_) => return false,
        },
        None => (network, None),
    };
    match (address.parse::<IpAddr>(), base.parse::<IpAddr>()) {
        (Ok(IpAddr::V4(address)), Ok(IpAddr::V4(base))) => {
            let length = length.unwrap_or(32);
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length)).unwrap_or(0);
            length <= 32 && address.to_bits() & mask == base.to_bits() & mask
        }
        (Ok(IpAddr::V6(address)), Ok(IpAddr::V6(base))) => {
            let length = length.unwrap_or(128);
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length)).unwrap_or(0);
            length <= 128 && address.to_bits() & mask == base.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(operator: &str, key: &str, wanted: &[&str], context: &Context) -> bool {
        let wanted = wanted.iter().map(|value| (*value).to_owned()).collect();
        Condition::new(operator, key, wanted).expect("known operator").holds(context)
    }

    #[test]
    fn operators_on_one_value() {
        let context = Context::from_pairs([
            ("aws:SourceIdentity", "agent-a"),
            ("aws:ViaAWSService", "true"),
            ("aws:PrincipalArn", "arn:aws:iam::123456789012:role/Gateway"),
            ("aws:SourceIp", "10.1.2.3"),
            ("aws:CurrentTime", "2026-11-21T12:00:00Z"),
            ("s3:max-keys", "10"),
        ]);
        for (operator, key, wanted, expected) in [
            ("StringEquals", "aws:sourceidentity", &["agent-a"][..], true),
            ("StringEquals", "aws:SourceIdentity", &["agent-*"], false),
            ("StringLike", "aws:SourceIdentity", &["agent-*"], true),
            ("StringNotLike", "aws:SourceIdentity", &["agent-*"], false),
            ("StringEqualsIgnoreCase", "aws:SourceIdentity", &["AGENT-A"], true),
            ("StringNotEquals", "aws:SourceIdentity", &["x", "agent-a"], false),
            ("StringEquals", "aws:Absent", &["x"], false),
            ("StringNotEquals", "aws:Absent", &["x"], true),
            ("StringEqualsIfExists", "aws:Absent", &["x"], true),
            ("Bool", "aws:ViaAWSService", &["true"], true),
            ("Bool", "aws:ViaAWSService", &["false"], false),
            ("Null", "aws:Absent", &["true"], true),
            ("Null", "aws:Absent", &["false"], false),
            ("Null", "aws:SourceIdentity", &["false"], true),
            ("ArnLike", "aws:PrincipalArn", &["arn:aws:iam::*:role/G*"], true),
            ("ArnNotLike", "aws:PrincipalArn", &["arn:aws:iam::*:role/G*"], false),
            ("ArnLike", "aws:PrincipalArn", &["arn:*:role/Gateway"], false),
            ("IpAddress", "aws:SourceIp", &["10.0.0.0/8"], true),
            ("NotIpAddress", "aws:SourceIp", &["10.0.0.0/8"], false),
            ("IpAddress", "aws:SourceIp", &["10.1.2.4"], false),
            ("IpAddress", "aws:SourceIp", &["0.0.0.0/0"], true),
            ("DateLessThan", "aws:CurrentTime", &["2026-11-21T12:00:01Z"], true),
            ("DateGreaterThan", "aws:CurrentTime", &["2026-11-21T12:00:01Z"], false),
            ("NumericLessThanEquals", "s3:max-keys", &["10"], true),
            ("NumericGreaterThan", "s3:max-keys", &["10"], false),
            ("NumericEquals", "s3:max-keys", &["ten"], false),
        ] {
            assert_eq!(holds(operator, key, wanted, &context), expected, "{operator} {key} {wanted:?}");
        }
    }

    #[test]
    fn operators_on_several_values() {
        let mut context = Context::default();
        context.set_all("dynamodb:LeadingKeys", ["REQ#1".to_owned(), "DEC#1".to_owned()]);
        let keys = "dynamodb:LeadingKeys";
        for (operator, wanted, expected) in [
            ("ForAllValues:StringLike", &["REQ#*"][..], false),
            ("ForAllValues:StringLike", &["REQ#*", "DEC#*"], true),
            ("ForAnyValue:StringLike", &["DEC#*"], true),
            ("ForAnyValue:StringLike", &["TOK#*"], false),
            ("ForAllValues:StringNotLike", &["TOK#*"], true),
            ("ForAllValues:StringNotLike", &["DEC#*"], false),
            ("ForAnyValue:StringNotLike", &["DEC#*"], true),
        ] {
            assert_eq!(holds(operator, keys, wanted, &context), expected, "{operator} {wanted:?}");
        }
    }

    #[test]
    fn an_absent_key_passes_for_all_values_only() {
        let context = Context::default();
        assert!(holds("ForAllValues:StringLike", "dynamodb:LeadingKeys", &["REQ#*"], &context));
        assert!(!holds("ForAnyValue:StringLike", "dynamodb:LeadingKeys", &["REQ#*"], &context));
        assert!(!holds("Null", "dynamodb:LeadingKeys", &["false"], &context));
    }

    #[test]
    fn unknown_operators_are_refused() {
        for operator in
            ["StringMatches", "ForSomeValues:StringLike", "NullIfExists", "ForAnyValue:Null", "stringequals"]
        {
            assert!(Condition::new(operator, "a:b", vec![]).is_none(), "{operator}");
        }
    }
}
