//! Names and ids as newtypes: each is checked once, where it enters.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not a valid id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {kind}: {rule}")]
pub struct IdError {
    /// What the text should have been.
    pub kind: &'static str,
    /// The offending text, cut to 80 characters.
    pub text: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text`.
            ///
            /// # Errors
            /// [`IdError`] names the rule that the text breaks.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) {
                    Ok(Self(text))
                } else {
                    Err(IdError { kind: $kind, text: text.chars().take(80).collect(), rule: $rule })
                }
            }

            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

/// Printable ASCII without space, quotes, angle brackets, backslash, `#` (our key separator) and
/// control characters: nothing in it can break a key, a mail header or a page.
fn is_name(text: &str, longest: usize) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@:/|~-".contains(&byte))
}

id!(
    /// The agent's name, from its OIDC token by the bundle's claim mapping.
    AgentId, "agent id", "1 to 128 characters of A-Z a-z 0-9 _ + = , . @ : / | ~ -",
    |text| is_name(text, 128)
);
id!(
    /// A person's id in the bundle.
    PersonId, "person id", "1 to 128 characters of A-Z a-z 0-9 _ + = , . @ : / | ~ -",
    |text| is_name(text, 128)
);
id!(
    /// A group of agents or of persons.
    GroupName, "group name", "1 to 128 characters of A-Z a-z 0-9 _ + = , . @ : / | ~ -",
    |text| is_name(text, 128)
);
id!(
    /// A named place to act.
    TargetName, "target name", "1 to 64 characters of a-z 0-9 -",
    |text| {
        !text.is_empty()
            && text.len() <= 64
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    }
);
id!(
    /// A limit of the bundle.
    LimitName, "limit name", "1 to 64 characters of A-Z a-z 0-9 _ . -",
    |text| {
        !text.is_empty()
            && text.len() <= 64
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    }
);
impl LimitName {
    /// The name of the one limit that every bundle has: the setting `limits.pending_per_agent`.
    pub fn pending_per_agent() -> Self {
        Self("pending_per_agent".to_owned())
    }
}
id!(
    /// A session of an agent.
    SessionId, "session id", "`s-` and 26 characters of a-z 2-7",
    |text| text.strip_prefix("s-").is_some_and(is_base32_lower)
);
id!(
    /// A request for approval.
    RequestId, "request id", "`r-` and 26 characters of a-z 2-7",
    |text| text.strip_prefix("r-").is_some_and(is_base32_lower)
);
id!(
    /// A twelve-digit AWS account id.
    AccountId, "account id", "12 digits",
    |text| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
);
id!(
    /// An AWS region, or a pseudo region of the endpoint rules such as `aws-global`.
    RegionName, "region", "1 to 32 characters of a-z 0-9 -",
    |text| {
        !text.is_empty()
            && text.len() <= 32
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    }
);

fn is_base32_lower(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|byte| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte))
}

/// 128 bits as the 26 characters of RFC 4648 base32 in lower case, without padding.
fn base32_lower(bits: [u8; 16]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let number = u128::from_be_bytes(bits);
    // 25 groups of five bits from the top, then the last three bits padded with two zeros.
    (0..26_u32)
        .map(|group| {
            let five = if group < 25 { number >> (123 - 5 * group) } else { number << 2 };
            let place = usize::try_from(five & 0b1_1111).unwrap_or_default();
            char::from(ALPHABET.get(place).copied().unwrap_or(b'a'))
        })
        .collect()
}

impl RequestId {
    /// The id made of 128 random bits.
    pub fn from_random(random: [u8; 16]) -> Self {
        Self(format!("r-{}", base32_lower(random)))
    }
}

impl SessionId {
    /// The id made of 128 bits, derived from the session's inputs by a keyed hash.
    pub fn from_bits(bits: [u8; 16]) -> Self {
        Self(format!("s-{}", base32_lower(bits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_are_valid_and_distinct() {
        let low = RequestId::from_random([0; 16]);
        let high = RequestId::from_random([255; 16]);
        assert_eq!(low.as_str(), "r-aaaaaaaaaaaaaaaaaaaaaaaaaa");
        assert_eq!(high.as_str(), "r-77777777777777777777777774");
        for id in [low, high] {
            assert!(RequestId::new(id.as_str()).is_ok());
        }
    }

    #[test]
    fn names_cannot_break_a_key_or_a_header() {
        for bad in ["", "a b", "a#b", "a\nb", "<a>", "\"", "ä", "\u{202e}"] {
            assert!(AgentId::new(bad).is_err(), "{bad:?}");
        }
        assert!(AgentId::new("repo:org/name:ref:refs/heads/main").is_ok());
    }
}
