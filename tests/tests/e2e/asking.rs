//! Asking persons: outages of mail, nobody to ask, and tokens that are out of date.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign_tests::{
    agent::Agent,
    approver::{Approver, await_message, fetch, messages},
    stack::{Stack, eventually},
};
use serde_json::{Value as Json, json};

use super::{
    Test,
    stage::{
        TRUST, approve, as_function, await_state, fresh, held, sent, setting, under, under_bundle, wait_until_held,
    },
};

pub(crate) const TESTS: &[Test] = &[
    ("an outage of mail is outlasted, and the topic is told once", outage),
    ("a request that nobody can be asked about says so, and the call can be asked for again", nobody_to_ask),
    ("a request whose machine has ended without a word does not go on waiting", lost_machine),
    ("an ask that fails for one person writes to no other a second time", half_an_ask),
    ("an approval that wakes nobody is not said to run, and says the same when repeated", approved_and_not_waiting),
    ("a claimed call whose machine has ended is told as unknown, and the next is a new request", claimed_and_over),
    ("an approval with a token that is out of date wakes the machine that waits now", outdated_token),
];

fn role(name: &str) -> Json {
    json!({"RoleName": name, "AssumeRolePolicyDocument": TRUST})
}

/// How often the notifier published to the topic.
fn published(stack: &Stack) -> Result<usize> {
    let answer = fetch("GET", &stack.url("control", "/calls"), &[], None)?;
    let calls: Vec<Json> = serde_json::from_str(&answer.body)?;
    Ok(calls.iter().filter(|call| call.get("operation").and_then(Json::as_str) == Some("Publish")).count())
}

fn outage(stack: &Stack) -> Result<()> {
    let name = fresh("mailless-role");
    let mut agent = Agent::new(stack, "deployer", "asks-during-an-outage")?;
    // Three tries with two letters each.
    let down = json!({"match": {"role": "notifier", "service": "ses"}, "action": "error", "status": 503, "times": 6});
    under(stack, &[down], || {
        let told = published(stack)?;
        let (request, _) = held(&mut agent, "iam", "create_role", &role(&name))?;
        await_message(stack, "ann@example.com", |message| message.text.contains(&request))?;
        approve(stack, "ann", &request)?;
        await_state(&mut agent, stack, &request, &["answered"], 30)?;
        // Once that it waits, once that it has run; the latter may not have been told yet.
        let told = published(stack)? - told;
        ensure!((1..=2).contains(&told), "the topic was told {told} times");
        ensure!(sent(stack, "CreateRole", &name)? == 1, "not sent exactly once");
        Ok(())
    })
}

fn nobody_to_ask(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "deployer", "asks-nobody")?;
    let name = fresh("unasked-role");
    // Everybody who could approve owns the agent.
    let all_own = |text: &str| text.replacen("owners = [\"carol\"]", "owners = [\"ann\", \"ben\"]", 1);
    let mut first = String::new();
    under_bundle(stack, "countersign.toml", all_own, || {
        let (request, _) = held(&mut agent, "iam", "create_role", &role(&name))?;
        await_state(&mut agent, stack, &request, &["not-asked"], 20)?;
        let told = agent.must_fail("iam", "create_role", role(&name))?;
        ensure!(told.code == "AccessDenied" && told.message.contains(&request), "{told:?}");
        ensure!(told.message.contains("nobody could be asked"), "{told:?}");
        first = request;
        Ok(())
    })?;
    let refused =
        Approver::new(stack, "ann")?.decide(stack, &first, &json!({"verdict": "approve", "reason": "late"}))?;
    ensure!(refused.status == 409 && refused.body.contains("not-asked"), "{} {}", refused.status, refused.body);
    // The next same call is a new request, and this time somebody is there.
    let (second, _) = held(&mut agent, "iam", "create_role", &role(&name))?;
    ensure!(second != first, "the call still belongs to a request that nobody will decide");
    approve(stack, "ann", &second)?;
    await_state(&mut agent, stack, &second, &["answered"], 30)?;
    ensure!(sent(stack, "CreateRole", &name)? == 1, "not sent exactly once");
    Ok(())
}

fn lost_machine(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "deployer", "loses-its-machine")?;
    let name = fresh("machineless-role");
    let (first, _) = held(&mut agent, "iam", "create_role", &role(&name))?;
    await_message(stack, "ann@example.com", |message| message.text.contains(&first))?;
    // An error that the machine ends on without having anything written down.
    end_machine(stack, &token_item(stack, &first)?)?;
    // Whoever only asks for the state learns it, too.
    await_state(&mut agent, stack, &first, &["not-asked"], 10)?;
    let told = agent.must_fail("iam", "create_role", role(&name))?;
    ensure!(told.code == "AccessDenied" && told.message.contains("nobody could be asked"), "{told:?}");
    let (second, _) = held(&mut agent, "iam", "create_role", &role(&name))?;
    ensure!(second != first, "the call still belongs to a request that nobody will decide");
    Ok(())
}

fn half_an_ask(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "deployer", "is-half-asked-about")?;
    let name = fresh("half-asked-role");
    let no_link = json!({
        "match": {"role": "notifier", "service": "dynamodb", "operation": "PutItem", "path_contains": "LNK#"},
        "action": "error", "status": 400, "code": "AccessDeniedException", "times": 1,
    });
    under(stack, &[no_link], || {
        let (request, _) = held(&mut agent, "iam", "create_role", &role(&name))?;
        let letters =
            || Ok::<_, anyhow::Error>(messages(stack)?.iter().filter(|mail| mail.text.contains(&request)).count());
        eventually("a letter", Duration::from_secs(20), || Ok((letters()? > 0).then_some(())))?;
        // The state machine's first two tries would be over by then.
        std::thread::sleep(Duration::from_secs(7));
        ensure!(letters()? == 1, "{} letters to the one who could be asked", letters()?);
        Ok(())
    })
}

/// Ends the machine of a request without a word on what became of it.
fn end_machine(stack: &Stack, token: &Json) -> Result<()> {
    let token = token.pointer("/task_token/S").context("no token")?;
    let failed = json!({"taskToken": token, "error": "NoRequest"});
    let ended = as_function(stack, "approvals", "stepfunctions", "send_task_failure", failed)?;
    ensure!(ended.get("ok").is_some(), "the machine was not ended: {ended}");
    Ok(())
}

fn put_as(stack: &Stack, function: &str, item: &Json) -> Result<()> {
    let table = setting(stack, "COUNTERSIGN_AUTHORITY_TABLE")?;
    let put = as_function(stack, function, "dynamodb", "put_item", json!({"TableName": table, "Item": item}))?;
    ensure!(put.get("ok").is_some(), "{function} cannot store an item: {put}");
    Ok(())
}

/// The token's item, out of date.
fn outdated(item: &Json) -> Json {
    let mut outdated = item.clone();
    if let Some(fields) = outdated.as_object_mut() {
        fields.insert("task_token".to_owned(), json!({"S": "of-an-attempt-that-failed"}));
    }
    outdated
}

fn approved_and_not_waiting(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "deployer", "is-approved-between-two-tries")?;
    let name = fresh("between-tries-role");
    let (request, _) = held(&mut agent, "iam", "create_role", &role(&name))?;
    await_message(stack, "ann@example.com", |message| message.text.contains(&request))?;
    let current = token_item(stack, &request)?;
    put_as(stack, "notifier", &outdated(&current))?;
    let ann = Approver::new(stack, "ann")?;
    ann.look(stack, &request)?;
    for _ in 0..2 {
        let told = ann.decide(stack, &request, &json!({"verdict": "approve", "reason": "yes"}))?;
        ensure!(told.status == 503 && told.body.contains("not waiting now"), "{} {}", told.status, told.body);
    }
    ensure!(sent(stack, "CreateRole", &name)? == 0, "it ran");
    // The machine ends, so the approved call will not run.
    end_machine(stack, &current)?;
    let told = eventually("the end of the machine", Duration::from_secs(10), || {
        let told = agent.must_fail("iam", "create_role", role(&name))?;
        Ok((told.code != "ApprovalRequired").then_some(told))
    })?;
    ensure!(told.message.contains(&request) && told.message.contains("approved but not sent"), "{told:?}");
    let (second, _) = held(&mut agent, "iam", "create_role", &role(&name))?;
    ensure!(second != request, "the call still belongs to a request that will not run");
    Ok(())
}

fn claimed_and_over(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "deployer", "loses-its-executor")?;
    let name = fresh("claimed-role");
    let (first, _) = held(&mut agent, "iam", "create_role", &role(&name))?;
    await_message(stack, "ann@example.com", |message| message.text.contains(&first))?;
    let claim = json!({
        "pk": {"S": format!("CLAIM#{first}")}, "sk": {"S": "-"},
        "at": {"N": "1"}, "until": {"N": "2"}, "attempt": {"S": "of-an-executor-that-is-gone"},
    });
    put_as(stack, "executor", &claim)?;
    ensure!(agent.must_fail("iam", "create_role", role(&name))?.code == "ApprovalRequired", "its machine still runs");
    end_machine(stack, &token_item(stack, &first)?)?;
    await_state(&mut agent, stack, &first, &["unknown"], 10)?;
    let told = agent.must_fail("iam", "create_role", role(&name))?;
    ensure!(told.code == "OutcomeUnknown" && told.message.contains(&first), "{told:?}");
    let (second, _) = held(&mut agent, "iam", "create_role", &role(&name))?;
    ensure!(second != first, "the call still belongs to a request whose end nobody knows");
    Ok(())
}

/// The item with the token that wakes the machine, as approvals may read it.
fn token_item(stack: &Stack, request: &str) -> Result<Json> {
    let table = setting(stack, "COUNTERSIGN_AUTHORITY_TABLE")?;
    let key = json!({"pk": {"S": format!("TOK#{request}")}, "sk": {"S": "-"}});
    let read = as_function(stack, "approvals", "dynamodb", "get_item", json!({"TableName": table, "Key": key}))?;
    read.pointer("/ok/Item").cloned().with_context(|| format!("no token: {read}"))
}

fn outdated_token(stack: &Stack) -> Result<()> {
    let name = fresh("retried-role");
    let mut agent = Agent::new(stack, "deployer", "is-asked-about-twice")?;
    let (request, _) = held(&mut agent, "iam", "create_role", &role(&name))?;
    await_message(stack, "ann@example.com", |message| message.text.contains(&request))?;
    let current = token_item(stack, &request)?;
    let put = |item: &Json| put_as(stack, "notifier", item);
    put(&outdated(&current))?;
    let hold = json!({"match": {"role": "approvals", "service": "states", "operation": "SendTaskSuccess"}, "action": "hold", "times": 1});
    under(stack, &[hold], || {
        std::thread::scope(|scope| {
            let deciding = scope.spawn(|| approve(stack, "ann", &request));
            wait_until_held(stack, &["SendTaskSuccess"])?;
            // The next attempt of asking stores its token while the old one is on its way.
            put(&current)?;
            fetch("POST", &stack.url("control", "/release"), &[], None)?;
            deciding.join().map_err(|_| anyhow::anyhow!("the approver panicked"))?
        })
    })?;
    await_state(&mut agent, stack, &request, &["answered"], 30)?;
    ensure!(sent(stack, "CreateRole", &name)? == 1, "not sent exactly once");
    Ok(())
}
