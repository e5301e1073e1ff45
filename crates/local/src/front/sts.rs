//! STS: issues sessions of the roles that the templates declare, and knows them again.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use http::StatusCode;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    asked::{Form, Style},
    assume_role::{Wanted, invalid},
    errors::{AwsError, escape},
};
use crate::{
    iam::{
        Verdict, evaluate,
        evaluate::ResourceSide,
        policy::Question,
        principals::{Caller, Role, Roles, Session},
    },
    random,
    web::{self, Request, Response},
};

/// The most that session policy and tags may take together, in bytes. AWS packs them into an
/// undocumented binary form; this bound on their plain text is an approximation of it.
const LARGEST_PACKED: usize = 4096;

/// The longest session that another role's session can assume, in seconds.
const LONGEST_CHAINED: u32 = 3600;

/// Issues and knows sessions.
pub struct Sts {
    roles: Roles,
    sessions: RwLock<HashMap<String, Arc<Session>>>,
}

impl Sts {
    /// STS for these roles.
    pub fn new(roles: Roles) -> Self {
        Self { roles, sessions: RwLock::default() }
    }

    /// The roles.
    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    /// The session of an access key id.
    pub fn session(&self, access_key_id: &str) -> Option<Arc<Session>> {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).get(access_key_id).cloned()
    }

    /// A session for a service that runs with the role, as Lambda does with an execution role.
    /// `None` when there is no such role or its trust policy does not let the service in.
    pub fn service_session(&self, role_arn: &str, service: &str, name: &str, source_arn: &str) -> Option<Session> {
        let role = self.roles.get(role_arn)?;
        let mut context = crate::iam::Context::default();
        context.set("aws:SourceAccount", role.account.clone());
        context.set("aws:SourceArn", source_arn);
        let question = Question { action: "sts:AssumeRole", resource: role_arn, context: &context };
        let side = ResourceSide { policy: Some(&role.trust), must_consent: true, same_account: true };
        let nothing = crate::iam::Authority { identity: &[], boundary: None, session: None };
        if evaluate(&Caller::Service(service.to_owned()), nothing, side, question) != Verdict::Allowed {
            return None;
        }
        // Lambda gives an instance credentials that outlive it.
        let lifetime = Duration::from_secs(12 * 3600);
        let session = new_session(role, name.to_owned(), OffsetDateTime::now_utc() + lifetime);
        self.keep(session.clone());
        Some(session)
    }

    fn keep(&self, session: Session) {
        let now = OffsetDateTime::now_utc();
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.expires + Duration::from_secs(3600) > now);
        sessions.insert(session.access_key_id.clone(), Arc::new(session));
    }

    /// Answers a verified STS request.
    pub fn answer(&self, caller: &Session, request: &Request, now: OffsetDateTime) -> Response {
        let form = Form::read(&request.body);
        let result = match form.action().as_str() {
            "GetCallerIdentity" => Ok(identity(caller)),
            "AssumeRole" => Wanted::read(&form).and_then(|wanted| self.assume(caller, wanted, now)),
            other => Err(AwsError::unread(format!("sts:{other}"))),
        };
        match result {
            Ok(result) => success(&form.action(), &result),
            Err(error) => error.response(Style::Query),
        }
    }

    fn assume(&self, caller: &Session, wanted: Wanted, now: OffsetDateTime) -> Result<String, AwsError> {
        let denied = |action: &str| {
            let message = format!(
                "User: {} is not authorized to perform: {action} on resource: {}",
                caller.arn(),
                wanted.role_arn
            );
            AwsError::access_denied(message)
        };
        // AWS does not tell a role that is missing from one that may not be assumed.
        let role = self.roles.get(&wanted.role_arn).ok_or_else(|| denied("sts:AssumeRole"))?;
        if wanted.seconds > role.max_session_seconds.min(LONGEST_CHAINED) {
            return Err(invalid(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            ));
        }
        let source_identity = match (&caller.source_identity, &wanted.source_identity) {
            (Some(kept), Some(other)) if kept != other => return Err(denied("sts:SetSourceIdentity")),
            (kept, other) => other.clone().or_else(|| kept.clone()),
        };
        let mut tags = wanted.tags.clone();
        for key in &caller.transitive_tags {
            if tags.keys().any(|own| own.eq_ignore_ascii_case(key)) {
                return Err(invalid(
                    "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
                ));
            }
            tags.extend(caller.tags.get(key).map(|value| (key.clone(), value.clone())));
        }
        let mut context = caller.principal_context(now);
        context.set("sts:RoleSessionName", wanted.session_name.clone());
        context.set_all("aws:TagKeys", tags.keys().cloned());
        context.set_all("sts:TransitiveTagKeys", wanted.transitive.clone());
        for (key, value) in &tags {
            context.set(&format!("aws:RequestTag/{key}"), value.clone());
        }
        for (key, value) in [("sts:ExternalId", &wanted.external_id), ("sts:SourceIdentity", &source_identity)] {
            if let Some(value) = value {
                context.set(key, value.clone());
            }
        }
        let mut actions = vec!["sts:AssumeRole"];
        actions.extend(source_identity.is_some().then_some("sts:SetSourceIdentity"));
        actions.extend((!tags.is_empty()).then_some("sts:TagSession"));
        for action in actions {
            let side = ResourceSide {
                policy: Some(&role.trust),
                must_consent: true,
                same_account: caller.role.account == role.account,
            };
            let question = Question { action, resource: &wanted.role_arn, context: &context };
            if evaluate(&caller.caller(), caller.authority(), side, question) != Verdict::Allowed {
                return Err(denied(action));
            }
        }
        let policy_text = wanted.policy.as_ref().map(|(text, _)| text.as_str());
        let packed = packed_percent(policy_text, &tags)?;
        let mut session = new_session(role, wanted.session_name, now + Duration::from_secs(wanted.seconds.into()));
        session.source_identity = source_identity;
        session.tags = tags;
        session.transitive_tags = caller.transitive_tags.iter().cloned().chain(wanted.transitive).collect();
        session.policy = wanted.policy.map(|(_, policy)| policy);
        session.chained = true;
        let answer = assumed(&session, packed);
        self.keep(session);
        Ok(answer)
    }
}

fn packed_percent(policy: Option<&str>, tags: &BTreeMap<String, String>) -> Result<usize, AwsError> {
    // White space of a policy does not count.
    let policy = policy.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    let policy = policy.map_or(0, |policy| policy.to_string().len());
    let size = policy + tags.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    let percent = size.saturating_mul(100).div_ceil(LARGEST_PACKED);
    if percent > 100 {
        let message = format!("Packed size of session tags consumes {percent}% of allotted space.");
        return Err(AwsError::new(400, "PackedPolicyTooLarge", message));
    }
    Ok(percent)
}

fn new_session(role: Arc<Role>, name: String, expires: OffsetDateTime) -> Session {
    Session {
        role,
        name,
        access_key_id: random::aws_id("ASIA", 16),
        secret_access_key: random::secret(),
        // As long as AWS's, so that code with a limit on headers meets it here.
        token: (0..8).map(|_| random::secret()).collect(),
        expires,
        source_identity: None,
        tags: BTreeMap::new(),
        transitive_tags: Vec::new(),
        policy: None,
        chained: false,
    }
}

fn identity(caller: &Session) -> String {
    format!(
        "<Arn>{}</Arn><UserId>{}:{}</UserId><Account>{}</Account>",
        escape(&caller.arn()),
        caller.role.id,
        escape(&caller.name),
        caller.role.account
    )
}

fn assumed(session: &Session, packed: usize) -> String {
    let identity = session.source_identity.as_ref();
    let identity = identity.map(|identity| format!("<SourceIdentity>{}</SourceIdentity>", escape(identity)));
    format!(
        "<AssumedRoleUser><AssumedRoleId>{}:{}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>\
         <PackedPolicySize>{packed}</PackedPolicySize>{}",
        session.role.id,
        escape(&session.name),
        escape(&session.arn()),
        session.access_key_id,
        session.secret_access_key,
        session.token,
        session.expires.replace_nanosecond(0).unwrap_or(session.expires).format(&Rfc3339).unwrap_or_default(),
        identity.unwrap_or_default(),
    )
}

fn success(action: &str, result: &str) -> Response {
    let body = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{action}Response>",
        random::uuid()
    );
    web::typed(StatusCode::OK, "text/xml", body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::iam::Policy;

    const GATEWAY: &str = "arn:aws:iam::111122223333:role/gateway";
    const AUTO: &str = "arn:aws:iam::123456789012:role/auto";

    fn role(arn: &str, trust: serde_json::Value, identity: serde_json::Value) -> Role {
        let document = |statement, principals| {
            Policy::from_json(&json!({"Version": "2012-10-17", "Statement": statement}), principals).expect("policy")
        };
        Role {
            arn: arn.to_owned(),
            name: arn.rsplit('/').next().unwrap_or_default().to_owned(),
            account: arn.split(':').nth(4).unwrap_or_default().to_owned(),
            id: "AROATEST".to_owned(),
            trust: document(trust, true),
            identity: vec![document(identity, false)],
            boundary: None,
            max_session_seconds: 3600,
            tags: BTreeMap::new(),
        }
    }

    fn sts() -> Sts {
        let mut roles = Roles::default();
        roles.add(role(
            GATEWAY,
            json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}),
            json!({"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"], "Resource": AUTO}),
        ));
        roles.add(role(
            AUTO,
            json!([
                {
                    "Effect": "Allow", "Principal": {"AWS": GATEWAY}, "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"sts:ExternalId": "x-1"}, "StringLike": {"sts:SourceIdentity": "??*"}},
                },
                {"Effect": "Allow", "Principal": {"AWS": GATEWAY}, "Action": ["sts:SetSourceIdentity", "sts:TagSession"]},
            ]),
            json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}),
        ));
        Sts::new(roles)
    }

    fn assume(sts: &Sts, form: &str) -> Result<String, String> {
        let caller = sts.service_session(GATEWAY, "lambda.amazonaws.com", "gateway", "arn:aws:lambda:x").expect("role");
        Wanted::read(&Form::read(form.as_bytes()))
            .and_then(|wanted| sts.assume(&caller, wanted, OffsetDateTime::now_utc()))
            .map_err(|error| error.code)
    }

    #[test]
    fn a_role_is_assumed_only_as_trust_and_identity_policies_both_say() {
        let sts = sts();
        let good = format!("Action=AssumeRole&RoleArn={AUTO}&RoleSessionName=ab&ExternalId=x-1&SourceIdentity=agent");
        let answer = assume(&sts, &good).expect("assumed");
        assert!(answer.contains("<SourceIdentity>agent</SourceIdentity>"));
        for (name, form, code) in [
            ("no external id", good.replace("&ExternalId=x-1", ""), "AccessDenied"),
            ("no source identity", good.replace("&SourceIdentity=agent", ""), "AccessDenied"),
            (
                "tags that the identity policy lacks",
                format!("{good}&Tags.member.1.Key=a&Tags.member.1.Value=b"),
                "AccessDenied",
            ),
            ("unknown role", good.replace("role/auto", "role/other"), "AccessDenied"),
            ("session name", good.replace("RoleSessionName=ab", "RoleSessionName=a%20b"), "ValidationError"),
            ("too long", format!("{good}&DurationSeconds=3601"), "ValidationError"),
            ("too short", format!("{good}&DurationSeconds=899"), "ValidationError"),
            ("malformed policy", format!("{good}&Policy=%7B%7D"), "MalformedPolicyDocument"),
            ("long policy", format!("{good}&Policy={}", "x".repeat(2049)), "ValidationError"),
        ] {
            assert_eq!(assume(&sts, &form).expect_err(name), code, "{name}");
        }
    }

    #[test]
    fn a_service_gets_only_roles_that_trust_it() {
        let sts = sts();
        assert!(sts.service_session(GATEWAY, "lambda.amazonaws.com", "f", "a").is_some());
        assert!(sts.service_session(GATEWAY, "states.amazonaws.com", "f", "a").is_none());
        assert!(sts.service_session(AUTO, "lambda.amazonaws.com", "f", "a").is_none());
    }
}
