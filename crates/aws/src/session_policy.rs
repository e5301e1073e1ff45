//! The session policy of one call: just its actions on just its resources.
//!
//! The role stays the ceiling: a session policy only narrows. Where a resource is not known, only
//! the action is held.

use std::collections::{BTreeMap, BTreeSet};

use countersign_domain::{Permission, Resource};
use serde_json::{Value as Json, json};

/// The most characters of an inline session policy (AWS STS, `AssumeRole`, parameter `Policy`).
pub const MOST_CHARACTERS: usize = 2_048;

/// How close a session policy is to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The very ARNs. For writes and for everything that is replayed.
    Exact,
    /// What holds them: a bucket's objects, a table with its indexes, a log group's streams. For
    /// reads, so that reading a thousand objects asks STS once.
    Container,
}

/// A session policy, and the scope it came out with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    text: String,
}

impl SessionPolicy {
    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Why there is no session policy for a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionPolicyError {
    /// The call has no permissions, so nothing could be allowed.
    #[error("the call has no permissions")]
    NoPermissions,
    /// An action is not `service:Name`, or stands for several.
    #[error("`{0}` is not the name of one iam action")]
    Action(String),
    /// However its ARNs are put together, the policy is longer than STS takes.
    #[error("the session policy has {0} characters, and STS takes {MOST_CHARACTERS}")]
    TooLong(usize),
}

/// The session policy for `permissions`, as close as `scope` asks for. Where it would be too long,
/// the ARNs are widened step by step, always the same way: to their containers, then to all of
/// their type.
///
/// # Errors
/// [`SessionPolicyError`]; the call cannot be sent then.
pub fn session_policy(permissions: &[Permission], scope: Scope) -> Result<SessionPolicy, SessionPolicyError> {
    if permissions.is_empty() {
        return Err(SessionPolicyError::NoPermissions);
    }
    if let Some(bad) = permissions.iter().find(|permission| !is_action(&permission.action)) {
        return Err(SessionPolicyError::Action(bad.action.clone()));
    }
    let steps: &[fn(&str) -> String] = match scope {
        Scope::Exact => &[exact, container, whole_type],
        Scope::Container => &[container, whole_type],
    };
    let mut shortest = usize::MAX;
    for widen in steps {
        let text = policy_text(permissions, *widen);
        let characters = text.chars().count();
        if characters <= MOST_CHARACTERS {
            return Ok(SessionPolicy { text });
        }
        shortest = shortest.min(characters);
    }
    Err(SessionPolicyError::TooLong(shortest))
}

fn is_action(action: &str) -> bool {
    action.split_once(':').is_some_and(|(service, name)| {
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        service.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && !service.is_empty() && plain(name)
    })
}

/// One statement for each set of actions that share their resources, and one for what AWS services
/// do on the caller's behalf.
fn policy_text(permissions: &[Permission], widen: fn(&str) -> String) -> String {
    let mut by_resource: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for permission in permissions {
        let resource = match &permission.resource {
            Resource::Exact(arn) => widen(arn),
            Resource::NonCanonical(_) | Resource::Unresolved | Resource::AccountLevel => "*".to_owned(),
        };
        by_resource.entry(resource).or_default().insert(&permission.action);
    }
    let mut by_actions: BTreeMap<BTreeSet<&str>, Vec<String>> = BTreeMap::new();
    for (resource, actions) in by_resource {
        by_actions.entry(actions).or_default().push(resource);
    }
    let mut statements: Vec<Json> = by_actions
        .into_iter()
        .map(|(actions, resources)| {
            json!({
                "Effect": "Allow",
                "Action": one_or_all(actions.into_iter().map(Json::from).collect()),
                "Resource": one_or_all(resources.into_iter().map(Json::from).collect()),
            })
        })
        .collect();
    statements.push(json!({
        "Effect": "Allow",
        "Action": "*",
        "Resource": "*",
        "Condition": { "Bool": { "aws:ViaAWSService": "true" } },
    }));
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

fn one_or_all(mut members: Vec<Json>) -> Json {
    match (members.len(), members.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            members.extend(last);
            Json::from(members)
        }
    }
}

/// The ARN itself. IAM reads `*`, `?` and `${…}` in it as patterns; in the names of S3 objects they
/// are plain characters, and `${*}`, `${?}` and `${$}` stand for them. In other ARNs a `*` is part of
/// the form that AWS uses (`log-group:name:*`), and stays.
fn exact(arn: &str) -> String {
    let object = is_s3(arn);
    let mut text = String::with_capacity(arn.len());
    let mut signs = arn.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            '*' | '?' if object => text.extend(["${", &sign.to_string(), "}"]),
            '$' if signs.peek() == Some(&'{') => text.push_str("${$}"),
            _ => text.push(sign),
        }
    }
    text
}

fn is_s3(arn: &str) -> bool {
    arn.split(':').nth(2) == Some("s3")
}

/// What holds the resource: the first two parts of its name and everything below; an S3 object's
/// bucket. A resource that is in nothing stays as it is.
fn container(arn: &str) -> String {
    let Some((head, name)) = split_arn(arn) else { return exact(arn) };
    if is_s3(arn) {
        return match name.split_once('/') {
            Some((bucket, _)) => format!("{head}{bucket}/*"),
            None => exact(arn),
        };
    }
    for separator in ['/', ':'] {
        let mut parts = name.splitn(3, separator);
        if let (Some(kind), Some(first), Some(_)) = (parts.next(), parts.next(), parts.next()) {
            // An empty first part is a name that starts with the separator, as of SSM parameters.
            return exact(&format!("{head}{kind}{separator}{first}{separator}")) + "*";
        }
    }
    exact(arn)
}

/// Every resource of the same type in the same place.
fn whole_type(arn: &str) -> String {
    let Some((head, name)) = split_arn(arn) else { return exact(arn) };
    match name.find(['/', ':']).and_then(|place| name.get(..=place)) {
        // All buckets' objects would be `*/*`; the bucket is as wide as an S3 policy gets.
        _ if is_s3(arn) => container(arn),
        Some(kind) => exact(&format!("{head}{kind}")) + "*",
        None => exact(head) + "*",
    }
}

/// `arn:partition:service:region:account:` and the rest.
fn split_arn(arn: &str) -> Option<(&str, &str)> {
    let (place, _) = arn.match_indices(':').nth(4)?;
    arn.split_at_checked(place.checked_add(1)?)
}

#[cfg(test)]
mod tests {
    use countersign_domain::{AccessLevel, Classes};

    use super::*;

    fn permission(action: &str, resource: Resource) -> Permission {
        Permission { action: action.into(), resource, level: AccessLevel::Write, classes: Classes::NONE }
    }

    fn on(action: &str, arn: &str) -> Permission {
        permission(action, Resource::Exact(arn.into()))
    }

    fn statements(policy: &SessionPolicy) -> Vec<Json> {
        let mut document: Json = serde_json::from_str(policy.as_str()).unwrap();
        document["Statement"].as_array_mut().unwrap().drain(..).collect()
    }

    #[test]
    fn exactly_the_actions_on_exactly_the_arns_and_what_aws_does_on_behalf() {
        let role = "arn:aws:iam::123456789012:role/app";
        let policy = session_policy(&[on("iam:CreateRole", role), on("iam:TagRole", role)], Scope::Exact).unwrap();
        let all = statements(&policy);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0], json!({"Effect": "Allow", "Action": ["iam:CreateRole", "iam:TagRole"], "Resource": role}));
        assert_eq!(all[1]["Condition"], json!({"Bool": {"aws:ViaAWSService": "true"}}));
    }

    #[test]
    fn an_unknown_resource_widens_its_own_action_only() {
        let queue = "arn:aws:sqs:eu-central-1:123456789012:q";
        let permissions = [
            permission("ec2:RunInstances", Resource::Unresolved),
            permission("s3:ListAllMyBuckets", Resource::AccountLevel),
            permission("kms:Decrypt", Resource::NonCanonical("alias/key".into())),
            on("sqs:SendMessage", queue),
        ];
        let all = statements(&session_policy(&permissions, Scope::Exact).unwrap());
        let of = |action: &str| all.iter().find(|one| one["Action"].to_string().contains(action)).unwrap();
        assert_eq!(of("RunInstances")["Resource"], "*");
        assert_eq!(of("Decrypt")["Resource"], "*");
        assert_eq!(of("ListAllMyBuckets")["Resource"], "*");
        assert_eq!(of("SendMessage")["Resource"], queue);
        assert!(!of("SendMessage")["Action"].to_string().contains("Decrypt"));
    }

    #[test]
    fn patterns_in_object_names_are_plain_characters() {
        for (arn, expected) in [
            ("arn:aws:s3:::b/a*b?c", "arn:aws:s3:::b/a${*}b${?}c"),
            ("arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/${$}{aws:username}"),
            ("arn:aws:s3:::b/$5", "arn:aws:s3:::b/$5"),
            ("arn:aws:logs:r:1:log-group:g:*", "arn:aws:logs:r:1:log-group:g:*"),
        ] {
            assert_eq!(exact(arn), expected);
        }
    }

    #[test]
    fn containers_and_types_widen_the_same_way_always() {
        for (arn, contained, typed) in [
            ("arn:aws:s3:::b/k/e/y", "arn:aws:s3:::b/*", "arn:aws:s3:::b/*"),
            ("arn:aws:s3:::b", "arn:aws:s3:::b", "arn:aws:s3:::b"),
            ("arn:aws:dynamodb:r:1:table/t/index/i", "arn:aws:dynamodb:r:1:table/t/*", "arn:aws:dynamodb:r:1:table/*"),
            ("arn:aws:dynamodb:r:1:table/t", "arn:aws:dynamodb:r:1:table/t", "arn:aws:dynamodb:r:1:table/*"),
            (
                "arn:aws:logs:r:1:log-group:g:log-stream:s",
                "arn:aws:logs:r:1:log-group:g:*",
                "arn:aws:logs:r:1:log-group:*",
            ),
            (
                "arn:aws:ssm:r:1:parameter/app/db/password",
                "arn:aws:ssm:r:1:parameter/app/*",
                "arn:aws:ssm:r:1:parameter/*",
            ),
            ("arn:aws:sqs:r:1:q", "arn:aws:sqs:r:1:q", "arn:aws:sqs:r:1:*"),
            (
                "arn:aws:secretsmanager:r:1:secret:s-AbCdEf",
                "arn:aws:secretsmanager:r:1:secret:s-AbCdEf",
                "arn:aws:secretsmanager:r:1:secret:*",
            ),
            ("not an arn", "not an arn", "not an arn"),
        ] {
            assert_eq!(container(arn), contained);
            assert_eq!(whole_type(arn), typed);
        }
    }

    #[test]
    fn reads_of_one_bucket_share_a_policy() {
        let read =
            |key: &str| session_policy(&[on("s3:GetObject", &format!("arn:aws:s3:::b/{key}"))], Scope::Container);
        assert_eq!(read("one").unwrap(), read("two/three").unwrap());
    }

    #[test]
    fn too_many_arns_are_widened_and_a_policy_is_never_too_long() {
        let rows = |count: usize| -> Vec<_> {
            (0..count)
                .map(|n| on("dynamodb:PutItem", &format!("arn:aws:dynamodb:eu-central-1:123456789012:table/t{n}")))
                .collect()
        };
        let few = session_policy(&rows(5), Scope::Exact).unwrap();
        assert_eq!(statements(&few)[0]["Resource"].as_array().unwrap().len(), 5);
        let many = session_policy(&rows(100), Scope::Exact).unwrap();
        assert_eq!(statements(&many)[0]["Resource"], "arn:aws:dynamodb:eu-central-1:123456789012:table/*");
        let buckets: Vec<_> =
            (0..100).map(|n| on("s3:PutObject", &format!("arn:aws:s3:::bucket-number-{n}/k"))).collect();
        assert!(matches!(session_policy(&buckets, Scope::Exact), Err(SessionPolicyError::TooLong(_))));
    }

    #[test]
    fn an_action_that_stands_for_several_is_refused() {
        for action in ["s3:*", "s3:Get*", "*", "s3", "s3:", ":Get", "s3:Get?"] {
            assert!(session_policy(&[on(action, "arn:aws:s3:::b")], Scope::Exact).is_err(), "{action}");
        }
        assert_eq!(session_policy(&[], Scope::Exact), Err(SessionPolicyError::NoPermissions));
    }
}
