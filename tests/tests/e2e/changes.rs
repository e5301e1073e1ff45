//! What changes between asking and deciding: rules, groups, stops, and requests that are over.

use anyhow::{Context, Result, ensure};
use countersign_domain::event::Happening;
use countersign_tests::{
    agent::Agent,
    approver::{Approver, await_message, fetch, link_in, messages},
    stack::Stack,
};
use serde_json::{Value as Json, json};

use super::{
    Test,
    record::{events, session_of},
    stage::{
        TRUST, approve, await_state, call_as, decide, fresh, held, operator_keys, sent, setting, state, under_bundle,
    },
};

pub(crate) const TESTS: &[Test] = &[
    ("a call that policy forbids by now can be denied and not approved", denied_by_now),
    ("groups that the bundle gives are looked up at every call, not sealed at login", groups_of_now),
    ("a stop of a session holds for the next one of the same token, and for asking by token", stop_of_a_token),
    ("before a proof nothing about the call is told, and no code is sent for what is over", nothing_before_proof),
    ("refused attempts to decide are recorded a bounded number of times", bounded_refusals),
    ("a request that is decided frees its slot before its outcome is collected", freed_slot),
];

const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];

fn role(name: &str) -> Json {
    json!({"RoleName": name, "AssumeRolePolicyDocument": TRUST})
}

fn denied_by_now(stack: &Stack) -> Result<()> {
    let name = fresh("frozen-role");
    let mut agent = Agent::new(stack, "deployer", "is-overtaken")?;
    let (request, _) = held(&mut agent, "iam", "create_role", &role(&name))?;
    await_message(stack, "ann@example.com", |message| message.text.contains(&request))?;
    let freeze = |_: &str| {
        "@id(\"freeze\") @reason(\"a change freeze\") forbid (principal, action == Action::\"iam:CreateRole\", resource);\n"
            .to_owned()
    };
    under_bundle(stack, "05-freeze.cedar", freeze, || {
        let ann = Approver::new(stack, "ann")?;
        let seen = ann.look(stack, &request)?;
        ensure!(seen.status == 200 && seen.body.contains("a change freeze"), "{} {}", seen.status, seen.body);
        let bearer = format!("Bearer {}", stack.token(&["--person", "ann"])?);
        let url = stack.url("approvals", &format!("/requests/{request}"));
        let page = fetch("GET", &url, &[("authorization", &bearer), ("accept", "text/html")], None)?;
        ensure!(page.status == 200 && !page.body.contains("id=\"approve\""), "an approval is offered: {}", page.body);
        let refused = ann.decide(stack, &request, &json!({"verdict": "approve", "reason": "quick"}))?;
        ensure!(refused.status == 409 && refused.body.contains("NotApprovable"), "{} {}", refused.status, refused.body);
        let owner = Approver::new(stack, "carol")?;
        let refused = owner.decide(stack, &request, &json!({"verdict": "deny", "reason": "mine"}))?;
        ensure!(refused.status == 403, "the owner decided: {} {}", refused.status, refused.body);
        let stranger = Approver::new(stack, "mallory")?.look(stack, &request)?;
        ensure!(matches!(stranger.status, 401 | 403 | 404), "a stranger saw it: {}", stranger.status);
        decide(stack, "ann", &request, "deny")?;
        ensure!(state(&mut agent, stack, &request)? == "denied", "not denied");
        Ok(())
    })?;
    let told = agent.must_fail("iam", "create_role", role(&name))?;
    ensure!(told.message.contains("checked by a test") && told.message.contains(&request), "{told:?}");
    ensure!(sent(stack, "CreateRole", &name)? == 0, "a denied call was sent");
    Ok(())
}

fn groups_of_now(stack: &Stack) -> Result<()> {
    let rule = |_: &str| {
        "@id(\"members\") @reason(\"only deployers list queues\") forbid (principal, action == Action::\"sqs:ListQueues\", \
         resource) unless { principal in Group::\"deployers\" };\n"
            .to_owned()
    };
    under_bundle(stack, "05-members.cedar", rule, || {
        let mut agent = Agent::new(stack, "deployer", "is-a-member")?;
        agent.must("sqs", "list_queues", json!({}))?;
        let taken = |text: &str| text.replacen("groups = [\"deployers\"]", "groups = []", 1);
        under_bundle(stack, "countersign.toml", taken, || {
            // The session is the one of before.
            let refused = agent.must_fail("sqs", "list_queues", json!({}))?;
            ensure!(refused.message.contains("only deployers"), "{refused:?}");
            Ok(())
        })?;
        agent.must("sqs", "list_queues", json!({})).map(|_| ())
    })
}

/// The id of the session that a token leads to, under a name.
fn opened_session(stack: &Stack, bearer: &str, task: &str) -> Result<String> {
    let order = json!({"target": "main", "task": task}).to_string();
    let headers = [("authorization", bearer), ("content-type", "application/json")];
    let answer = fetch("POST", &stack.url("gateway", "/_/v1/sessions"), &headers, Some(&order))?;
    let body: Json = serde_json::from_str(&answer.body)?;
    body.get("session").and_then(Json::as_str).map(str::to_owned).with_context(|| answer.body.clone())
}

fn stop_of_a_token(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "deployer", "runs-away")?;
    let (request, _) = held(&mut agent, "iam", "create_role", &role(&fresh("runaway-role")))?;
    let token = std::fs::read_to_string(agent.folder().join("token"))?;
    let bearer = format!("Bearer {}", token.trim());
    let session = opened_session(stack, &bearer, "runs-away")?;
    let table = setting(stack, "COUNTERSIGN_AUTHORITY_TABLE")?;
    let key = json!({"pk": {"S": format!("QUAR#session#{session}")}, "sk": {"S": "-"}});
    let mut item = key.clone();
    if let Some(fields) = item.as_object_mut() {
        fields.insert("reason".to_owned(), json!({"S": "it runs away"}));
    }
    let as_operator = |operation: &str, parameters: Json| {
        let order = json!({"service": "dynamodb", "operation": operation, "parameters": parameters});
        call_as(stack.get("backing"), stack.get("region"), &operator_keys(stack), &order)
    };
    as_operator("put_item", json!({"TableName": table, "Item": item}))?;
    // What an instance saw of the stop list counts for five seconds; a new one has seen nothing.
    super::stage::kill(stack, "gateway")?;
    let refused = agent.must_fail("sqs", "list_queues", json!({}))?;
    ensure!(refused.message.contains("it runs away"), "{refused:?}");
    let again = opened_session(stack, &bearer, "another-name");
    ensure!(again.is_err(), "the same token logged in under another name: {again:?}");
    let asked =
        fetch("GET", &stack.url("gateway", &format!("/_/v1/requests/{request}")), &[("authorization", &bearer)], None)?;
    ensure!(asked.status == 403 && asked.body.contains("it runs away"), "{} {}", asked.status, asked.body);
    // Another token is another session.
    let mut other = Agent::new(stack, "deployer", "runs-away")?;
    other.must("sqs", "list_queues", json!({}))?;
    as_operator("delete_item", json!({"TableName": table, "Key": key}))?;
    super::stage::kill(stack, "gateway")?;
    agent.must("sqs", "list_queues", json!({})).map(|_| ())
}

fn nothing_before_proof(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "deployer", "is-not-told")?;
    let (in_a_class, _) = held(&mut agent, "iam", "create_role", &role(&fresh("untold-role")))?;
    let (in_none, _) = held(&mut agent, "sqs", "create_queue", &json!({"QueueName": fresh("untold-queue")}))?;
    let mut pages = Vec::new();
    let mut links = Vec::new();
    for request in [&in_a_class, &in_none] {
        let mail = await_message(stack, "ann@example.com", |message| message.text.contains(request.as_str()))?;
        let link = link_in(stack, &mail)?;
        let page = fetch("GET", &link, &[], None)?;
        let token = link.rsplit('/').next().unwrap_or_default().to_owned();
        pages.push((page.status, page.body.replace(&token, "TOKEN").replace(request.as_str(), "REQUEST")));
        links.push(link);
    }
    let [role_link, queue_link] = links.as_slice() else { anyhow::bail!("two links were expected") };
    ensure!(pages.first() == pages.last(), "the page tells one call from another: {pages:#?}");
    decide(stack, "ben", &in_none, "deny")?;
    let page = fetch("GET", queue_link, &[], None)?;
    ensure!(page.status == 200 && !page.body.contains("denied"), "the link tells what became of it: {}", page.body);
    let mut refusals = Vec::new();
    for (link, request) in [(role_link, &in_a_class), (queue_link, &in_none)] {
        let asked = fetch("POST", &format!("{link}/code"), FORM, Some(""))?;
        refusals.push((asked.status, asked.body));
        let code = messages(stack)?
            .into_iter()
            .find(|message| message.subject.contains("code") && message.text.contains(request.as_str()));
        ensure!(code.is_none(), "a code was sent: {code:?}");
    }
    ensure!(refusals.first() == refusals.last(), "the refusals tell the calls apart: {refusals:#?}");
    ensure!(refusals.first().is_some_and(|(status, _)| *status == 403), "{refusals:?}");
    Ok(())
}

fn bounded_refusals(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "deployer", "is-guessed-at")?;
    let (request, _) = held(&mut agent, "sqs", "create_queue", &json!({"QueueName": fresh("guessed-queue")}))?;
    let mail = await_message(stack, "ann@example.com", |message| message.text.contains(&request))?;
    let link = link_in(stack, &mail)?;
    for _ in 0..30 {
        let guess = fetch("POST", &format!("{link}/open"), FORM, Some("code=12345678"))?;
        ensure!(guess.status == 403, "{} {}", guess.status, guess.body);
    }
    let refused = events(stack, "request", &request)?
        .iter()
        .filter(|stored| matches!(stored.event.happening, Happening::VoteRefused { .. }))
        .count();
    ensure!(refused == 20, "{refused} refused attempts are on record");
    // Guessing keeps nobody from deciding.
    let asked = fetch("POST", &format!("{link}/code"), FORM, Some(""))?;
    ensure!(asked.status == 200, "no code after wrong guesses: {} {}", asked.status, asked.body);
    approve(stack, "ann", &request)?;
    await_state(&mut agent, stack, &request, &["answered"], 30)?;
    Ok(())
}

fn freed_slot(stack: &Stack) -> Result<()> {
    let one = |text: &str| text.replace("pending_per_agent = 20", "pending_per_agent = 1");
    under_bundle(stack, "countersign.toml", one, || {
        // Slots that others hold beyond the first are not looked at.
        let mut agent = Agent::new(stack, "explorer", "has-one-slot")?;
        let (first, _) = held(&mut agent, "iam", "create_role", &role(&fresh("slot-role")))?;
        let refused = agent.must_fail("iam", "create_role", role(&fresh("slot-role")))?;
        ensure!(refused.code == "LimitReached", "{refused:?}");
        ensure!(refused.message.contains("`pending_per_agent` for agent `explorer` is reached: 1 of 1"), "{refused:?}");
        let told = events(stack, "session", &session_of(stack, "has-one-slot")?)?.iter().any(|stored| {
            matches!(&stored.event.happening, Happening::Limited { limit, counted, .. }
                if limit == "pending_per_agent" && counted == "pending")
        });
        ensure!(told, "that no more may wait is not on record");
        approve(stack, "ann", &first)?;
        await_state(&mut agent, stack, &first, &["answered"], 30)?;
        // Nobody has collected the first one's outcome.
        held(&mut agent, "iam", "create_role", &role(&fresh("slot-role")))?;
        Ok(())
    })
}
