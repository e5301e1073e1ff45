//! The parameters of `AssumeRole`, checked as STS checks them (STS API Reference, AssumeRole).

use std::collections::BTreeMap;

use super::{asked::Form, errors::AwsError};
use crate::iam::Policy;

/// The longest inline session policy, in characters (STS API Reference, AssumeRole).
const LONGEST_POLICY: usize = 2048;

/// The shortest session, in seconds.
const SHORTEST_SESSION: u32 = 900;

/// The parameters of `AssumeRole`, checked for their form.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) role_arn: String,
    pub(super) session_name: String,
    pub(super) seconds: u32,
    pub(super) external_id: Option<String>,
    pub(super) source_identity: Option<String>,
    pub(super) policy: Option<(String, Policy)>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) transitive: Vec<String>,
}

impl Wanted {
    pub(super) fn read(form: &Form) -> Result<Self, AwsError> {
        let required = |name: &str| form.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
        let role_arn = required("RoleArn").ok_or_else(|| invalid("RoleArn is missing"))?;
        let session_name = required("RoleSessionName").filter(|name| is_session_name(name));
        let session_name =
            session_name.ok_or_else(|| invalid("Member must satisfy regular expression pattern: [\\w+=,.@-]*"))?;
        let source_identity = form.get("SourceIdentity").map(str::to_owned);
        if source_identity.as_ref().is_some_and(|identity| !is_session_name(identity) || identity.starts_with("aws:")) {
            return Err(invalid("SourceIdentity must be 2 to 64 characters of [\\w+=,.@-]"));
        }
        let seconds = match form.get("DurationSeconds") {
            None => 3600,
            Some(text) => text.parse().map_err(|_| invalid("DurationSeconds is not a number"))?,
        };
        if seconds < SHORTEST_SESSION {
            return Err(invalid("DurationSeconds must have value greater than or equal to 900"));
        }
        if !form.numbers("PolicyArns.member.").is_empty() {
            return Err(invalid("managed session policies are not known to the local stack"));
        }
        let policy = form.get("Policy").map(session_policy).transpose()?;
        let mut tags = BTreeMap::new();
        for number in form.numbers("Tags.member.") {
            let key = form.get(&format!("Tags.member.{number}.Key")).unwrap_or_default();
            let value = form.get(&format!("Tags.member.{number}.Value")).unwrap_or_default();
            if !is_tag(key, value) || tags.keys().any(|known: &String| known.eq_ignore_ascii_case(key)) {
                return Err(invalid(&format!("the session tag `{key}` is not valid or is duplicated")));
            }
            tags.insert(key.to_owned(), value.to_owned());
        }
        if tags.len() > 50 {
            return Err(invalid("at most 50 session tags"));
        }
        let transitive = form.numbers("TransitiveTagKeys.member.");
        let transitive = transitive.iter().filter_map(|number| form.get(&format!("TransitiveTagKeys.member.{number}")));
        Ok(Self {
            role_arn,
            session_name,
            seconds,
            external_id: form.get("ExternalId").map(str::to_owned),
            source_identity,
            policy,
            tags,
            transitive: transitive.map(str::to_owned).collect(),
        })
    }
}

fn session_policy(text: &str) -> Result<(String, Policy), AwsError> {
    if text.chars().count() > LONGEST_POLICY {
        return Err(invalid(&format!("Member must have length less than or equal to {LONGEST_POLICY} at 'policy'")));
    }
    match Policy::from_text(text, false) {
        Ok(policy) => Ok((text.to_owned(), policy)),
        Err(error) => Err(AwsError::new(400, "MalformedPolicyDocument", error.to_string())),
    }
}

/// `[\w+=,.@-]{2,64}`
fn is_session_name(text: &str) -> bool {
    (2..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

/// Keys of 1 to 128 and values of up to 256 characters of `[\p{L}\p{Z}\p{N}_.:/=+\-@]`.
fn is_tag(key: &str, value: &str) -> bool {
    let plain =
        |text: &str| text.chars().all(|sign| sign.is_alphanumeric() || sign == ' ' || "_.:/=+-@".contains(sign));
    (1..=128).contains(&key.chars().count())
        && value.chars().count() <= 256
        && plain(key)
        && plain(value)
        && !key.to_ascii_lowercase().starts_with("aws:")
}

/// A parameter that breaks a rule.
pub(super) fn invalid(message: &str) -> AwsError {
    AwsError::new(400, "ValidationError", message)
}
