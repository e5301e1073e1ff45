//! Forbids that no bundle lifts.
//!
//! * `built-in/credential-returning`: a call whose answer carries a usable AWS credential.
//! * `built-in/own-resources`: a call on Countersign's own resources: those whose ARN patterns
//!   the deployment names (`COUNTERSIGN_PROTECTED_ARNS`), and the auto and approved roles of
//!   every target. See [`Protected`] for what counts as being on them.
//! * `built-in/masked-value`: a call that carries a mask token, which would be written over the
//!   value that it stands for.
//! * `built-in/no-owner`: a call that would need an approval, of an agent without an owner.

use countersign_domain::{AccessLevel, Call, Class, Permission, Resource, RuleHit, Value, settings::Settings};

use crate::{
    arn::{self, Arn},
    facts::Facts,
};

/// How every mask token begins.
pub const MASK_TOKEN_PREFIX: &str = "‹masked";

/// The built-in forbid that `permission` of `call` meets, if any.
pub(crate) fn forbids(
    protected: &Protected,
    call: &Call,
    permission: &Permission,
    facts: &Facts<'_>,
) -> Option<RuleHit> {
    if permission.classes.contains(Class::CredentialReturning) {
        return Some(hit(
            "credential-returning",
            "the answer would carry a usable AWS credential, which no agent receives",
        ));
    }
    protected.forbids(call, permission, facts).map(|reason| hit("own-resources", reason))
}

/// The built-in forbid that the call as a whole meets, if any.
pub(crate) fn forbids_call(call: &Call) -> Option<RuleHit> {
    let streams = call
        .parameters
        .as_record()
        .is_some_and(|members| members.iter().any(|(_, member)| matches!(member, Value::Stream { .. })));
    let masked = holds_token(&call.parameters) || (streams && bytes_hold_token(&call.outgoing.body));
    masked.then(|| {
        hit("masked-value", "the request carries a masked value (`‹masked…›`); sending it would overwrite the real one")
    })
}

/// The hit for an agent that nobody owns.
pub(crate) fn no_owner() -> RuleHit {
    hit("no-owner", "the call needs an approval, and an agent without an owner gets none; name an owner in the bundle")
}

fn hit(name: &str, reason: &str) -> RuleHit {
    RuleHit { rule: format!("built-in/{name}"), reason: reason.to_owned() }
}

fn holds_token(value: &Value) -> bool {
    match value {
        Value::Text(text) | Value::Decimal(text) => text.contains(MASK_TOKEN_PREFIX),
        Value::Blob(bytes) => bytes_hold_token(bytes),
        Value::List(items) => items.iter().any(holds_token),
        Value::Record(members) => {
            members.iter().any(|(name, member)| name.contains(MASK_TOKEN_PREFIX) || holds_token(member))
        }
        Value::Null
        | Value::Bool(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Stream { .. }
        | Value::Timestamp { .. } => false,
    }
}

fn bytes_hold_token(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, MASK_TOKEN_PREFIX.as_bytes()).is_some()
}

/// Countersign's own resources.
///
/// A permission is on them when
/// * its resource is an ARN that a pattern matches, letter case aside;
/// * its resource is not canonical, and a part of it (cut at `:` and `/`) matches the name of a
///   pattern; or it is a KMS alias while a pattern covers keys, because an alias can point at any;
/// * its resource is unresolved or the action has none, and a parameter contains the name of a pattern;
/// * its resource is unresolved or the action has none, and the action changes something: the resource could be any, and
///   nothing in the call shows that it is not ours. Not so `Create…`, which makes what was not
///   there, and `iam:PassRole`, because our roles' trust policies name no AWS service that could
///   use them.
///
/// The last three hold only for patterns of the action's own service and of an account that can
/// be the target's. So a gateway in an account of its own forbids nothing in its targets but the
/// roles, and listing and describing (`ec2:DescribeInstances` on `*`) is never forbidden as such.
/// What this rule cannot see, IAM denies: the boundaries of both roles name the same ARNs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Protected {
    patterns: Vec<String>,
    /// Each pattern, and what is in the resources that it names (`table/x/index/y`, `bucket/key`).
    covering: Vec<String>,
}

impl Protected {
    /// The deployment's `patterns` and the roles of the settings' targets.
    pub(crate) fn new(patterns: &[String], settings: &Settings) -> Self {
        let roles = settings.targets.iter().flat_map(|target| [target.auto_role.clone(), target.approved_role.clone()]);
        let mut patterns: Vec<_> = patterns.iter().cloned().chain(roles).collect();
        patterns.sort();
        patterns.dedup();
        let within = |pattern: &String| [pattern.clone(), format!("{pattern}/*"), format!("{pattern}:*")];
        let covering = patterns.iter().flat_map(within).collect();
        Self { patterns, covering }
    }

    /// The patterns, sorted.
    pub(crate) fn patterns(&self) -> &[String] {
        &self.patterns
    }

    fn forbids(&self, call: &Call, permission: &Permission, facts: &Facts<'_>) -> Option<&'static str> {
        match &permission.resource {
            Resource::Exact(resource) => {
                let owned = self.covering.iter().any(|pattern| arn::matches(pattern, resource));
                owned.then_some("the resource belongs to Countersign itself, which is not reachable through it")
            }
            Resource::NonCanonical(text) => {
                let named = self.reachable(permission, facts).any(|pattern| {
                    let arn = Arn::parse(pattern);
                    let alias = arn.service == "kms" && text.to_ascii_lowercase().contains("alias/");
                    (alias && permission.level > AccessLevel::Read) || named_in(text, &arn)
                });
                named.then_some("the resource may be Countersign's own; name it by its full ARN")
            }
            // Without a resource of its own an action can still reach ours, as `states:SendTaskSuccess` does.
            Resource::Unresolved | Resource::AccountLevel => {
                let mut patterns = self.reachable(permission, facts).peekable();
                let verb = permission.action.split(':').nth(1).unwrap_or_default();
                let changes_any =
                    permission.level > AccessLevel::Read && !verb.starts_with("Create") && verb != "PassRole";
                let owned = (changes_any && patterns.peek().is_some())
                    || patterns
                        .any(|pattern| mentions(&call.parameters, longest_text(telling_name(&Arn::parse(pattern)))));
                owned.then_some("the resource cannot be told from the request, and may be Countersign's own")
            }
        }
    }

    /// The patterns that a resource of this permission, whatever it is, can match.
    fn reachable<'a>(&'a self, permission: &'a Permission, facts: &'a Facts<'_>) -> impl Iterator<Item = &'a str> {
        let service = permission.action.split(':').next().unwrap_or_default();
        let account = facts.target.account.as_str();
        self.patterns.iter().map(String::as_str).filter(move |pattern| {
            let arn = Arn::parse(pattern);
            let account_fits = arn.account.is_empty() || arn::matches(arn.account, account);
            arn::matches(arn.service, service) && account_fits
        })
    }
}

/// The part of the resource that names it: the last one with fixed text (`role/path/name` → `name`,
/// `stack/name/*` → `name`).
fn telling_name<'a>(arn: &Arn<'a>) -> &'a str {
    if arn.service == "s3" {
        return arn.name;
    }
    let tells = |part: &&str| !part.trim_matches('*').is_empty();
    arn.resource.rsplit(['/', ':']).find(tells).unwrap_or(arn.name)
}

/// The longest text of `pattern` without `*`.
fn longest_text(pattern: &str) -> &str {
    pattern.split('*').max_by_key(|part| part.len()).unwrap_or_default()
}

/// Whether a part of `text` matches the name in `pattern`.
fn named_in(text: &str, pattern: &Arn<'_>) -> bool {
    let name = telling_name(pattern);
    text.split([':', '/']).any(|part| arn::matches(name, part)) || arn::matches(pattern.name, text)
}

/// Whether a string anywhere in `value` contains `name`, letter case aside.
fn mentions(value: &Value, name: &str) -> bool {
    let holds = |text: &str| arn::find(text, name).is_some();
    match value {
        Value::Text(text) => holds(text),
        Value::Blob(bytes) => std::str::from_utf8(bytes).is_ok_and(holds),
        Value::List(items) => items.iter().any(|item| mentions(item, name)),
        Value::Record(members) => members.iter().any(|(key, member)| holds(key) || mentions(member, name)),
        _ => false,
    }
}
