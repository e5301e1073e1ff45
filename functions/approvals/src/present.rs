//! An assessment as the page and as JSON.

use countersign_domain::{
    Call, Resource, Timestamp, Value, approval,
    request::{RequestState, Verdict},
    settings::Person,
};
use serde_json::{Value as Json, json};

use crate::{
    approvals::Approvals,
    assess::Assessment,
    command_line::command_line,
    pages::{ApproveBy, RequestView, ResourceRow},
    visible::visible,
};

/// The most characters of one text on a page; beyond what a call that can be approved has.
const MOST_SHOWN: usize = 400_000;

impl Approvals {
    /// What the page shows.
    pub(crate) fn view(found: &Assessment, person: &Person, approve_by: ApproveBy, now: Timestamp) -> RequestView {
        let caller = &found.frozen.caller;
        let parameters = &found.parameters;
        let pretty = serde_json::to_string_pretty(parameters).unwrap_or_else(|_| parameters.to_string());
        let obligations = found.obligations.as_ref().ok();
        RequestView {
            request: found.frozen.request_id.to_string(),
            state: found.state(now).as_str().to_owned(),
            agent: caller.agent.to_string(),
            owners: join(found.owners.iter().map(|owner| owner.as_str())),
            session: caller.session.to_string(),
            source_ip: visible(&caller.source_ip, 64),
            target: found.frozen.target.to_string(),
            account: found.frozen.account.to_string(),
            region: found.frozen.region.to_string(),
            host: visible(&found.call.upstream.host, 300),
            operation: found.call.name(),
            command_line: visible(&command_line(&found.call, parameters), MOST_SHOWN),
            parameters: visible(&pretty, MOST_SHOWN),
            body: streamed(&found.call),
            resources: found.call.permissions.iter().map(resource_row).collect(),
            rules: found.rules.iter().map(|hit| (hit.rule.clone(), visible(&hit.reason, 500))).collect(),
            needs: match &found.obligations {
                Ok(obligations) => {
                    let groups = obligations.approvals.iter().map(|(group, quorum)| format!("{quorum} of {group}"));
                    groups.collect::<Vec<_>>().join(" and ")
                }
                Err(reason) => visible(reason, 500),
            },
            decided: found
                .snapshot
                .decisions
                .iter()
                .map(|decision| {
                    (decision.person.to_string(), decided_words(decision.verdict == Verdict::Approve, &decision.reason))
                })
                .collect(),
            task: visible(&caller.unverified_task, 2000),
            asked_at: found.frozen.frozen_at.to_string(),
            expires_at: found.frozen.expires_at.to_string(),
            frozen_digest: found.digest.to_string(),
            min_review_seconds: obligations.map_or(0, |needed| needed.min_review.as_secs()),
            confirm: obligations
                .and_then(|needed| approval::name_to_type(&found.call, needed))
                .map(|name| visible(&name, 600)),
            denial_only: found.may_approve(person).err().map(|why| visible(&why.to_string(), 600)),
            approve_by,
        }
    }

    /// The same for scripts.
    pub(crate) fn as_json(found: &Assessment, now: Timestamp) -> Json {
        let obligations = found.obligations.as_ref().ok();
        json!({
            "request": found.frozen.request_id,
            "state": found.state(now),
            "agent": found.frozen.caller.agent,
            "owners": found.owners,
            "target": found.frozen.target,
            "account": found.frozen.account,
            "region": found.frozen.region,
            "operation": found.call.name(),
            "host": found.call.upstream.host,
            "command_line": command_line(&found.call, &found.parameters),
            "parameters": found.parameters,
            "permissions": found.call.permissions.iter().map(|permission| json!({
                "action": permission.action,
                "resource": permission.resource,
                "level": permission.level,
                "classes": permission.classes.iter().map(|class| class.as_str()).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "rules": found.rules,
            "obligations": obligations,
            "not_approvable": found.obligations.as_ref().err(),
            "confirm": obligations.and_then(|needed| approval::name_to_type(&found.call, needed)),
            "unverified_task": found.frozen.caller.unverified_task,
            "frozen_digest": found.digest,
            "facts_hash": found.facts_hash,
            "asked_at": found.frozen.frozen_at.to_string(),
            "expires_at": found.frozen.expires_at.to_string(),
        })
    }

    /// Whether a person may see the call: those who are or were asked, and the owners of the agent.
    pub(crate) fn may_see(found: &Assessment, person: &Person) -> bool {
        found.owners.contains(&person.id)
            || found.may_deny(person).is_ok()
            || found.snapshot.decisions.iter().any(|decision| decision.person == person.id)
    }

    /// Why a person who may see it cannot decide now, if so.
    pub(crate) fn not_now(found: &Assessment, person: &Person, now: Timestamp) -> Option<String> {
        match found.state(now) {
            RequestState::Pending { .. } => {}
            other => return Some(format!("The request is {}: there is nothing to decide.", other.as_str())),
        }
        if found.snapshot.decisions.iter().any(|decision| decision.person == person.id) {
            return Some("You have decided. Others are still asked.".to_owned());
        }
        found.may_deny(person).err().map(|why| format!("{why}."))
    }
}

fn resource_row(permission: &countersign_domain::Permission) -> ResourceRow {
    ResourceRow {
        action: visible(&permission.action, 128),
        resource: visible(permission.resource.as_str(), 600),
        note: match permission.resource {
            Resource::Exact(_) => None,
            Resource::NonCanonical(_) => Some("as written by the agent; AWS may read it as another resource"),
            Resource::AccountLevel => Some("no single resource: AWS decides the action for the account as a whole"),
            Resource::Unresolved => Some("not known from the call: possibly any resource"),
        },
        level: permission.level.as_str(),
        classes: permission.classes.iter().map(|class| class.as_str()).collect(),
    }
}

fn streamed(call: &Call) -> Option<String> {
    let is_stream = |value: &Value| matches!(value, Value::Stream { .. });
    let record = call.parameters.as_record()?;
    let (name, _) = record.iter().find(|(_, value)| is_stream(value))?;
    let digest = countersign_domain::Digest::of(&call.outgoing.body);
    Some(format!("{name}: {} bytes, SHA-256 {digest}", call.outgoing.body.len()))
}

fn decided_words(approved: bool, reason: &str) -> String {
    format!("{}: {}", if approved { "approved" } else { "denied" }, visible(reason, 1000))
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
