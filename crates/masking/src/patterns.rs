//! The patterns, by name.
//!
//! Each has a cheap trigger that spares most texts its regular expression, which is compiled on
//! first use. The expressions run in time linear in the text (the `regex` crate has no
//! backtracking), and what a regular language cannot say (a check digit, how random a text looks)
//! is checked afterwards.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use crate::{armour, checks};

/// The pattern for values that their names give away.
pub(crate) const PASSWORD: &str = "password";

/// One pattern.
pub(crate) struct Pattern {
    /// In the mask token and in the settings.
    pub(crate) name: &'static str,
    /// Whether it is found by its own form to be a credential, which nothing reveals.
    pub(crate) is_credential: bool,
    trigger: fn(&str) -> bool,
    finds: Finds,
    accepts: fn(&str, &Range<usize>) -> bool,
}

/// How the places are found.
enum Finds {
    /// The first group, if there is one, is what is masked; else the whole match.
    Regex(LazyLock<Regex>),
    /// What no regular expression says.
    Scan(fn(&str) -> Vec<Range<usize>>),
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name)
    }
}

impl Pattern {
    /// Every place in `text` that the pattern masks, in order and apart from each other.
    pub(crate) fn find(&self, text: &str) -> Vec<Range<usize>> {
        if !(self.trigger)(text) {
            return Vec::new();
        }
        let regex = match &self.finds {
            Finds::Scan(scan) => return scan(text),
            Finds::Regex(regex) => regex,
        };
        regex
            .captures_iter(text)
            .filter_map(|found| found.iter().skip(1).flatten().next().or_else(|| found.get(0)))
            .map(|found| found.range())
            .filter(|range| (self.accepts)(text, range))
            .collect()
    }
}

#[expect(clippy::expect_used, reason = "the expressions are constants, and a test compiles each")]
fn compile(expression: &str) -> Regex {
    Regex::new(expression).expect("a constant expression")
}

/// All patterns, in the order in which they are applied: the more telling first.
pub(crate) static PATTERNS: [Pattern; 11] = [
    // PEM and OpenPGP armour, with its end or without.
    Pattern {
        name: "private-key",
        is_credential: true,
        trigger: |text| text.contains("PRIVATE KEY"),
        finds: Finds::Scan(armour::private_keys),
        accepts: anything,
    },
    // Three parts are a JWS, five a JWE; both begin with the base64url of `{"`.
    Pattern {
        name: "jwt",
        is_credential: true,
        trigger: |text| text.contains("eyJ"),
        finds: Finds::Regex(LazyLock::new(|| {
            compile(
                r"eyJ[A-Za-z0-9_-]{8,}(?:\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*|(?:\.[A-Za-z0-9_-]*){3}\.[A-Za-z0-9_-]{8,})",
            )
        })),
        accepts: |text, range| checks::stands_alone(text, range, |byte| byte.is_ascii_alphanumeric() || byte == b'_'),
    },
    // Beginnings of the tokens that STS gives: base64 of their inner format's header.
    Pattern {
        name: "aws-session-token",
        is_credential: true,
        trigger: |text| {
            ["IQoJb3JpZ2lu", "FwoGZXIvYXdz", "FQoGZXIvYXdz", "AQoDYXdz"].iter().any(|mark| text.contains(mark))
        },
        finds: Finds::Regex(LazyLock::new(|| {
            compile(r"(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz|AQoDYXdz)[A-Za-z0-9/+=_%-]{80,}")
        })),
        accepts: anything,
    },
    Pattern {
        name: "aws-secret-key",
        is_credential: true,
        trigger: |text| text.len() >= 40,
        finds: Finds::Regex(LazyLock::new(|| compile(r"[A-Za-z0-9/+]{40,}"))),
        accepts: checks::is_aws_secret_key,
    },
    // Tokens that other services mark as theirs, so that scanners find them.
    Pattern {
        name: "api-token",
        is_credential: true,
        trigger: |text| {
            ["gh", "glpat-", "xox", "sk_live_", "rk_live_", "npm_", "AIza", "pypi-", "sk-"]
                .iter()
                .any(|mark| text.contains(mark))
        },
        finds: Finds::Regex(LazyLock::new(|| {
            compile(concat!(
                r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,}|glpat-[A-Za-z0-9_-]{20,}|xox[abeoprs]-[A-Za-z0-9-]{10,}",
                r"|[rs]k_live_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{36}|AIza[A-Za-z0-9_-]{35}|pypi-[A-Za-z0-9_-]{50,}",
                r"|sk-(?:ant-|proj-)[A-Za-z0-9_-]{40,}"
            ))
        })),
        accepts: |text, range| checks::stands_alone(text, range, |byte| byte.is_ascii_alphanumeric()),
    },
    // Long-term, temporary, bearer and context-specific keys; the ids of users and roles (AIDA,
    // AROA …) name no key. An id alone opens nothing, so it can be revealed.
    Pattern {
        name: "aws-access-key-id",
        is_credential: false,
        trigger: |text| ["AKIA", "ASIA", "ABIA", "ACCA"].iter().any(|mark| text.contains(mark)),
        finds: Finds::Regex(LazyLock::new(|| compile(r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}"))),
        accepts: |text, range| checks::stands_alone(text, range, |byte| byte.is_ascii_alphanumeric()),
    },
    // The signature of a presigned URL is what makes it work.
    Pattern {
        name: "presigned-url",
        is_credential: false,
        trigger: |text| text.contains("Signature="),
        finds: Finds::Regex(LazyLock::new(|| {
            compile(r"[?&;](?:X-Amz-Signature=([0-9a-fA-F]{64})|Signature=([A-Za-z0-9%+/=_~-]{20,}))")
        })),
        accepts: anything,
    },
    Pattern {
        name: PASSWORD,
        is_credential: false,
        trigger: |text| text.contains([':', '=']),
        finds: Finds::Regex(LazyLock::new(|| compile(&password_expression()))),
        accepts: checks::is_password_value,
    },
    Pattern {
        name: "card-number",
        is_credential: false,
        trigger: |text| text.bytes().filter(u8::is_ascii_digit).nth(13).is_some(),
        finds: Finds::Regex(LazyLock::new(|| {
            compile(
                r"[2-6][0-9]{13,18}|[2-6][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{4}|3[0-9]{3}[ -][0-9]{6}[ -][0-9]{4,5}",
            )
        })),
        accepts: checks::is_card_number,
    },
    Pattern {
        name: "email",
        is_credential: false,
        trigger: |text| text.contains('@'),
        finds: Finds::Regex(LazyLock::new(|| {
            compile(r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}")
        })),
        accepts: checks::is_email,
    },
    // E.164 with its plus sign; national forms look like too much else.
    Pattern {
        name: "phone",
        is_credential: false,
        trigger: |text| text.contains('+'),
        finds: Finds::Regex(LazyLock::new(|| {
            compile(
                r"\+[1-9][0-9]{7,14}|\+[1-9][0-9]{0,2}[ .-]?(?:\([0-9]{1,4}\)[ .-]?)?[0-9]{1,4}(?:[ .-][0-9]{2,4}){1,4}",
            )
        })),
        accepts: checks::is_phone_number,
    },
];

/// Values that a name gives away: in connection strings and assignments, in JSON, and in the user
/// info of a URL. Only the value is masked.
fn password_expression() -> String {
    // Unicode tables are left out of the build: case is folded for ASCII only, and white space
    // is spelt out instead of `\s`.
    let name = concat!(
        r"(?i-u:password|passwd|passphrase|secret[_-]?key|secret[_-]?access[_-]?key|(?:client|app|shared|signing|webhook)[_-]?secret",
        r"|api[_-]?key|access[_-]?token|auth[_-]?token|refresh[_-]?token|private[_-]?token|account[_-]?key|shared[_-]?access[_-]?key)"
    );
    [
        // "password": "value", also with escaped quotes as within another string
        format!(r#"{name}\\?"[ \t]*:[ \t\r\n]*\\?"((?:[^"\\]|\\[^"])+)"#),
        // password=value;  PWD='value'  --password=value
        format!(r#"(?:{name}|(?-u:\b)(?i-u:pwd))[ ]?=[ ]?\\?["']?([^ \t\r\n"'\\;&,<>]+)"#),
        // password: value, on a line of its own as in YAML
        format!(r#"(?m:^[ \t-]*[A-Za-z0-9_.-]*{name}[ ]?:[ ]+["']?([^ \t\r\n"'\\;,<>]+)["']?[ \t]*\r?$)"#),
        // scheme://user:value@host
        r#"[A-Za-z][A-Za-z0-9+.-]*://[^ \t\r\n/:@"'<>]*:([^ \t\r\n/@"'<>]+)@"#.to_owned(),
    ]
    .join("|")
}

fn anything(_: &str, _: &Range<usize>) -> bool {
    true
}
