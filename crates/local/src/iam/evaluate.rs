//! The evaluation logic (IAM User Guide, "Policy evaluation logic").

use super::{
    policy::{Effect, Naming, Policy, Question},
    principals::Caller,
};

/// What a principal brings along.
#[derive(Clone, Copy, Debug)]
pub struct Authority<'a> {
    /// Identity policies.
    pub identity: &'a [Policy],
    /// The permissions boundary.
    pub boundary: Option<&'a Policy>,
    /// The session policy.
    pub session: Option<&'a Policy>,
}

/// What a resource brings along.
#[derive(Clone, Copy, Debug)]
pub struct ResourceSide<'a> {
    /// The resource's own policy.
    pub policy: Option<&'a Policy>,
    /// Whether nothing is allowed unless the resource's policy has a part in it: KMS keys and
    /// role trust policies.
    pub must_consent: bool,
    /// Whether resource and caller are of the same account.
    pub same_account: bool,
}

impl ResourceSide<'_> {
    /// A resource of the caller's account without a policy of its own.
    pub const SILENT: ResourceSide<'static> = ResourceSide { policy: None, must_consent: false, same_account: true };
}

/// The policy type that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// An identity-based policy.
    Identity,
    /// A permissions boundary.
    Boundary,
    /// A session policy.
    Session,
    /// A resource-based policy.
    Resource,
}

impl PolicyKind {
    fn phrase(self) -> &'static str {
        match self {
            PolicyKind::Identity => "identity-based policy",
            PolicyKind::Boundary => "permissions boundary",
            PolicyKind::Session => "session policy",
            PolicyKind::Resource => "resource-based policy",
        }
    }
}

/// The outcome of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Granted.
    Allowed,
    /// A statement denies.
    ExplicitDeny(PolicyKind),
    /// Nothing of this kind allows.
    ImplicitDeny(PolicyKind),
}

impl Verdict {
    /// AWS's message for a denial, as in "… is not authorized to perform: … because no
    /// identity-based policy allows the … action"; `None` when granted.
    pub fn message(self, caller: &Caller, action: &str, resource: &str) -> Option<String> {
        let reason = match self {
            Verdict::Allowed => return None,
            Verdict::ExplicitDeny(kind) => format!("with an explicit deny in a {}", kind.phrase()),
            Verdict::ImplicitDeny(kind) => format!("because no {} allows the {action} action", kind.phrase()),
        };
        Some(format!("User: {} is not authorized to perform: {action} on resource: {resource} {reason}", caller.name()))
    }
}

/// Whether `caller` with `authority` may do what `question` asks.
pub fn evaluate(
    caller: &Caller,
    authority: Authority<'_>,
    resource: ResourceSide<'_>,
    question: Question<'_>,
) -> Verdict {
    if let Some(kind) = explicit_deny(caller, authority, resource, question) {
        return Verdict::ExplicitDeny(kind);
    }
    let named = resource.policy.and_then(|policy| policy.says_of(Effect::Allow, question, caller));
    // A resource policy that names the session itself is not limited by what the session lacks.
    if named == Some(Naming::Session) && resource.same_account {
        return Verdict::Allowed;
    }
    let identity = authority.identity.iter().any(|policy| policy.says(Effect::Allow, question));
    let by_resource = named >= Some(Naming::Role);
    let granted = match (resource.same_account, resource.must_consent) {
        (true, false) => identity || by_resource,
        (true, true) => by_resource || (identity && named.is_some()),
        (false, _) => identity && named.is_some(),
    };
    if !granted {
        let missing = if identity { PolicyKind::Resource } else { PolicyKind::Identity };
        return Verdict::ImplicitDeny(missing);
    }
    if authority.boundary.is_some_and(|policy| !policy.says(Effect::Allow, question)) {
        return Verdict::ImplicitDeny(PolicyKind::Boundary);
    }
    if authority.session.is_some_and(|policy| !policy.says(Effect::Allow, question)) {
        return Verdict::ImplicitDeny(PolicyKind::Session);
    }
    Verdict::Allowed
}

fn explicit_deny(
    caller: &Caller,
    authority: Authority<'_>,
    resource: ResourceSide<'_>,
    question: Question<'_>,
) -> Option<PolicyKind> {
    let denies = |policy: &Policy| policy.says(Effect::Deny, question);
    if authority.identity.iter().any(denies) {
        Some(PolicyKind::Identity)
    } else if authority.boundary.is_some_and(denies) {
        Some(PolicyKind::Boundary)
    } else if authority.session.is_some_and(denies) {
        Some(PolicyKind::Session)
    } else if resource.policy.is_some_and(|policy| policy.says_of(Effect::Deny, question, caller).is_some()) {
        Some(PolicyKind::Resource)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::iam::Context;

    fn policy(effect: &str, actions: &[&str], principal: Option<&Value>) -> Policy {
        let mut statement = json!({"Effect": effect, "Action": actions, "Resource": "*"});
        if let (Some(statement), Some(principal)) = (statement.as_object_mut(), principal) {
            statement.insert("Principal".to_owned(), principal.clone());
        }
        Policy::from_json(&json!({"Version": "2012-10-17", "Statement": [statement]}), principal.is_some())
            .expect("policy")
    }

    fn allow(actions: &[&str]) -> Policy {
        policy("Allow", actions, None)
    }

    fn caller() -> Caller {
        Caller::Session {
            account: "111122223333".to_owned(),
            role_arn: "arn:aws:iam::111122223333:role/R".to_owned(),
            session_arn: "arn:aws:sts::111122223333:assumed-role/R/s".to_owned(),
        }
    }

    fn judge(
        identity: &[Policy],
        boundary: Option<&Policy>,
        session: Option<&Policy>,
        side: ResourceSide<'_>,
    ) -> Verdict {
        let context = Context::default();
        let question =
            Question { action: "kms:Sign", resource: "arn:aws:kms:eu-central-1:111122223333:key/1", context: &context };
        evaluate(&caller(), Authority { identity, boundary, session }, side, question)
    }

    #[test]
    fn every_layer_must_allow_and_none_may_deny() {
        let (sign, other, deny) = (allow(&["kms:Sign"]), allow(&["kms:Verify"]), policy("Deny", &["kms:*"], None));
        let both = [sign.clone(), deny.clone()];
        let silent = ResourceSide::SILENT;
        for (name, verdict, expected) in [
            ("nothing", judge(&[], None, None, silent), Verdict::ImplicitDeny(PolicyKind::Identity)),
            ("identity", judge(std::slice::from_ref(&sign), None, None, silent), Verdict::Allowed),
            ("identity denies", judge(&both, None, None, silent), Verdict::ExplicitDeny(PolicyKind::Identity)),
            (
                "boundary lacks it",
                judge(std::slice::from_ref(&sign), Some(&other), None, silent),
                Verdict::ImplicitDeny(PolicyKind::Boundary),
            ),
            (
                "boundary denies",
                judge(std::slice::from_ref(&sign), Some(&deny), None, silent),
                Verdict::ExplicitDeny(PolicyKind::Boundary),
            ),
            (
                "session lacks it",
                judge(std::slice::from_ref(&sign), Some(&sign), Some(&other), silent),
                Verdict::ImplicitDeny(PolicyKind::Session),
            ),
            (
                "session cannot widen",
                judge(std::slice::from_ref(&other), None, Some(&sign), silent),
                Verdict::ImplicitDeny(PolicyKind::Identity),
            ),
            ("all agree", judge(std::slice::from_ref(&sign), Some(&sign), Some(&sign), silent), Verdict::Allowed),
        ] {
            assert_eq!(verdict, expected, "{name}");
        }
    }

    #[test]
    fn resource_policies_by_how_they_name_the_caller() {
        let sign = [allow(&["kms:Sign"])];
        let other = allow(&["kms:Verify"]);
        let root = policy("Allow", &["kms:*"], Some(&json!({"AWS": "arn:aws:iam::111122223333:root"})));
        let role = policy("Allow", &["kms:Sign"], Some(&json!({"AWS": "arn:aws:iam::111122223333:role/R"})));
        let session =
            policy("Allow", &["kms:Sign"], Some(&json!({"AWS": "arn:aws:sts::111122223333:assumed-role/R/s"})));
        let stranger = policy("Allow", &["kms:Sign"], Some(&json!({"AWS": "arn:aws:iam::111122223333:role/S"})));
        let denies = policy("Deny", &["kms:Sign"], Some(&json!("*")));
        let key = |policy| ResourceSide { policy: Some(policy), must_consent: true, same_account: true };
        let abroad = |policy| ResourceSide { policy: Some(policy), must_consent: true, same_account: false };
        for (name, verdict, allowed) in [
            ("root delegates to identity policies", judge(&sign, None, None, key(&root)), true),
            ("root alone grants nothing", judge(&[], None, None, key(&root)), false),
            ("role named", judge(&[], None, None, key(&role)), true),
            ("role named, session policy lacks it", judge(&[], None, Some(&other), key(&role)), false),
            ("session named, session policy lacks it", judge(&[], None, Some(&other), key(&session)), true),
            ("another role named", judge(&sign, None, None, key(&stranger)), false),
            ("denied to everyone", judge(&sign, None, None, key(&denies)), false),
            ("no key policy", judge(&sign, None, None, ResourceSide { policy: None, ..key(&root) }), false),
            ("cross-account needs both: resource only", judge(&[], None, None, abroad(&role)), false),
            ("cross-account needs both: both", judge(&sign, None, None, abroad(&role)), true),
        ] {
            assert_eq!(verdict == Verdict::Allowed, allowed, "{name}: {verdict:?}");
        }
    }

    #[test]
    fn messages_read_like_awss() {
        let verdict = Verdict::ImplicitDeny(PolicyKind::Session);
        assert_eq!(
            verdict.message(&caller(), "kms:Sign", "*").as_deref(),
            Some(
                "User: arn:aws:sts::111122223333:assumed-role/R/s is not authorized to perform: kms:Sign on resource: * \
                 because no session policy allows the kms:Sign action"
            )
        );
        assert_eq!(Verdict::Allowed.message(&caller(), "kms:Sign", "*"), None);
    }
}
