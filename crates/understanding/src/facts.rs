//! What an approval page shows, as one digest.

use countersign_domain::{Call, Digest, FrozenCall, Obligations, Permission, RuleHit, encoding::Writer};
use serde_json::Value as Json;

const DOMAIN_TAG: &str = "countersign/facts/v1";

/// Everything that a person is shown before they decide.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The frozen call: who asks, in which words, and until when.
    pub frozen: &'a FrozenCall,
    /// The digest of its bytes.
    pub frozen_digest: &'a Digest,
    /// The call as it was understood again.
    pub call: &'a Call,
    /// Its parameters as they are shown: masked and cut.
    pub parameters: &'a Json,
    /// What the approval must meet, as policy says now.
    pub obligations: &'a Obligations,
    /// The rules that hold the call.
    pub rules: &'a [RuleHit],
}

/// The digest of what is shown. Two pages with the same digest show the same.
pub fn facts_hash(shown: &Shown<'_>) -> Digest {
    let mut out = Writer::new(DOMAIN_TAG);
    // The frozen digest covers the caller, the target, the place, the times and every byte sent.
    out.bytes(shown.frozen_digest.as_bytes()).text(shown.frozen.request_id.as_str());
    out.text(&shown.call.service).text(&shown.call.operation).text(&shown.call.region).text(&shown.call.upstream.host);
    out.text(shown.call.level().as_str());
    out.number(shown.call.permissions.len() as u64);
    for one in &shown.call.permissions {
        permission(&mut out, one);
    }
    json(&mut out, shown.parameters);
    obligations(&mut out, shown.obligations);
    out.number(shown.rules.len() as u64);
    for hit in shown.rules {
        out.text(&hit.rule).text(&hit.reason);
    }
    Digest::of(&out.finish())
}

fn permission(out: &mut Writer, permission: &Permission) {
    let kind = match permission.resource {
        countersign_domain::Resource::Exact(_) => "exact",
        countersign_domain::Resource::NonCanonical(_) => "non-canonical",
        countersign_domain::Resource::Unresolved => "unresolved",
        countersign_domain::Resource::AccountLevel => "account-level",
    };
    out.text(&permission.action).text(kind).text(permission.resource.as_str()).text(permission.level.as_str());
    let classes: Vec<_> = permission.classes.iter().collect();
    out.number(classes.len() as u64);
    for class in classes {
        out.text(class.as_str());
    }
}

/// By type and in the order of names, so that how a JSON library keeps its members does not count.
fn json(out: &mut Writer, value: &Json) {
    match value {
        Json::Null => out.text("null"),
        Json::Bool(flag) => out.text("bool").number(u64::from(*flag)),
        Json::Number(number) => out.text("number").text(&number.to_string()),
        Json::String(text) => out.text("text").text(text),
        Json::Array(items) => {
            out.text("list").number(items.len() as u64);
            for item in items {
                json(out, item);
            }
            out
        }
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            out.text("record").number(members.len() as u64);
            for (name, member) in members {
                out.text(name);
                json(out, member);
            }
            out
        }
    };
}

fn obligations(out: &mut Writer, obligations: &Obligations) {
    // Taken apart in full: a new obligation that is not hashed would not compile.
    let Obligations { approvals, expires, escalations, min_review, confirm_resource, grant, reveal } = obligations;
    let millis = |duration: &std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    out.number(approvals.len() as u64);
    for (group, quorum) in approvals {
        out.text(group.as_str()).number(u64::from(*quorum));
    }
    out.number(millis(expires)).number(escalations.len() as u64);
    for step in escalations {
        out.number(millis(&step.after)).text(step.group.as_str());
    }
    out.number(millis(min_review)).number(u64::from(*confirm_resource));
    match grant {
        Some(limit) => out.text("grant").number(millis(&limit.lifetime)).number(u64::from(limit.uses)),
        None => out.text("no grant"),
    };
    out.number(reveal.len() as u64);
    for member in reveal {
        out.text(member);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use countersign_domain::{
        AccessLevel, AccountId, AgentId, Caller, Class, Classes, GroupName, OutgoingRequest, Protocol, RegionName,
        RequestId, Resource, SessionId, TargetName, Timestamp, Upstream, Value,
    };
    use serde_json::json;

    use super::*;

    #[derive(Clone)]
    struct Page {
        frozen_digest: Digest,
        call: Call,
        parameters: Json,
        obligations: Obligations,
        rules: Vec<RuleHit>,
    }

    fn outgoing() -> OutgoingRequest {
        OutgoingRequest {
            method: "POST".into(),
            path: "/".into(),
            query: String::new(),
            headers: Vec::new(),
            body: bytes::Bytes::new(),
        }
    }

    fn page() -> Page {
        Page {
            frozen_digest: Digest::of(b"frozen"),
            call: Call {
                service: "iam".into(),
                operation: "CreateRole".into(),
                protocol: Protocol::Query,
                region: "eu-central-1".into(),
                parameters: Value::Null,
                permissions: vec![Permission {
                    action: "iam:CreateRole".into(),
                    resource: Resource::Exact("*".into()),
                    level: AccessLevel::Write,
                    classes: Classes::NONE,
                }],
                upstream: Upstream {
                    host: "iam.amazonaws.com".into(),
                    signing_name: "iam".into(),
                    signing_region: "us-east-1".into(),
                },
                outgoing: outgoing(),
                idempotency_token: None,
                idempotency_member: None,
                idempotent: false,
            },
            parameters: json!({ "b": 1, "a": ["x", null, true] }),
            obligations: Obligations::none(),
            rules: vec![RuleHit { rule: "r".into(), reason: "why".into() }],
        }
    }

    fn hash(page: &Page) -> Digest {
        let frozen = FrozenCall {
            request_id: RequestId::from_random([7; 16]),
            caller: Caller {
                agent: AgentId::new("deployer").unwrap(),
                groups: Default::default(),
                owners: Default::default(),
                session: SessionId::from_bits([3; 16]),
                session_started: Timestamp::from_secs(0),
                unverified_task: String::new(),
                source_ip: String::new(),
            },
            target: TargetName::new("sandbox").unwrap(),
            account: AccountId::new("123456789012").unwrap(),
            region: RegionName::new("eu-central-1").unwrap(),
            signing_name: "iam".into(),
            host: "iam.amazonaws.com".into(),
            outgoing: outgoing(),
            frozen_at: Timestamp::from_secs(1),
            expires_at: Timestamp::from_secs(2),
        };
        let Page { frozen_digest, call, parameters, obligations, rules } = page;
        facts_hash(&Shown { frozen: &frozen, frozen_digest, call, parameters, obligations, rules })
    }

    #[test]
    fn whatever_is_shown_differently_has_another_hash() {
        let same = Page { parameters: json!({ "a": ["x", null, true], "b": 1 }), ..page() };
        assert_eq!(hash(&page()), hash(&same));
        let changes: [fn(&mut Page); 12] = [
            |page| page.frozen_digest = Digest::of(b"other"),
            |page| page.call.operation = "DeleteRole".into(),
            |page| page.call.upstream.host = "iam.us-gov.amazonaws.com".into(),
            |page| page.call.permissions[0].resource = Resource::Unresolved,
            |page| page.call.permissions[0].level = AccessLevel::Read,
            |page| page.call.permissions[0].classes = Classes::NONE.with(Class::Destructive),
            |page| page.parameters = json!({ "b": 1, "a": ["x", null, false] }),
            |page| page.parameters = json!({ "b": "1", "a": ["x", null, true] }),
            |page| page.obligations.approvals = [(GroupName::new("leads").unwrap(), 1)].into(),
            |page| page.obligations.min_review = Duration::from_secs(1),
            |page| page.obligations.reveal = ["Secret".to_owned()].into(),
            |page| page.rules.clear(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut other = page();
            change(&mut other);
            assert_ne!(hash(&other), hash(&page()), "change {number}");
        }
    }
}
