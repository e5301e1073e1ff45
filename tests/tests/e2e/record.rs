//! The record: every event in its place, and nothing in it that should be hidden.

use anyhow::{Context, Result, ensure};
use countersign_domain::{
    Digest,
    event::{Event, Happening, hash},
};
use countersign_tests::{agent::Agent, stack::Stack};
use serde_json::{Value as Json, json};

use super::{
    Test,
    stage::{TRUST, approve, await_state, call_as, fresh, held, operator_keys, setting, upstream},
};

pub(crate) const TESTS: &[Test] = &[
    ("the record tells who, what, why, who decided, what it became and what happened next", whole_story),
    ("secrets are masked for the agent and in the record", secrets_are_masked),
];

/// A stored event.
#[derive(Debug)]
pub(crate) struct Stored {
    pub chain: String,
    sequence: u64,
    pub event: Event,
}

/// Every event with `field` = `value`, from the emulator's own tables, each with its hash checked.
pub(crate) fn events(stack: &Stack, field: &str, value: &str) -> Result<Vec<Stored>> {
    stored(stack, Some((field, value)))
}

/// The session that an agent opened for `task`.
pub(crate) fn session_of(stack: &Stack, task: &str) -> Result<String> {
    let found = all_events(stack)?.into_iter().find(|one| one.event.subject.unverified_task == task);
    let session = found.and_then(|one| one.event.subject.session).context("no session in the record")?;
    Ok(session.to_string())
}

/// Every event.
pub(crate) fn all_events(stack: &Stack) -> Result<Vec<Stored>> {
    stored(stack, None)
}

fn stored(stack: &Stack, wanted: Option<(&str, &str)>) -> Result<Vec<Stored>> {
    let table = setting(stack, "COUNTERSIGN_RECORD_TABLE")?;
    let keys = operator_keys(stack);
    let order = json!({"service": "dynamodb", "operation": "scan", "parameters": {"TableName": table}});
    let answer = call_as(stack.get("backing"), stack.get("region"), &keys, &order)?;
    let items = answer.pointer("/ok/Items").and_then(Json::as_array).with_context(|| format!("no items: {answer}"))?;
    let mut found = Vec::new();
    for item in items {
        let text = |name: &str| item.pointer(&format!("/{name}/S")).and_then(Json::as_str);
        if wanted.is_some_and(|(field, value)| text(field) != Some(value)) {
            continue;
        }
        let body = text("body").context("an event without body")?;
        let chain = text("pk").context("no chain")?.to_owned();
        let sequence: u64 = item.pointer("/sk/N").and_then(Json::as_str).context("no place")?.parse()?;
        let digest = |name| text(name).and_then(Digest::from_hex).context("no digest");
        ensure!(
            hash(&chain, sequence, &digest("previous")?, body) == digest("hash")?,
            "the hash of {chain} {sequence} is wrong"
        );
        found.push(Stored { chain, sequence, event: serde_json::from_str(body)? });
    }
    found.sort_by_key(|stored| (stored.event.at, stored.sequence));
    Ok(found)
}

fn whole_story(stack: &Stack) -> Result<()> {
    let name = fresh("recorded-role");
    let mut agent = Agent::new(stack, "deployer", "for-the-record")?;
    let parameters = json!({"RoleName": name, "AssumeRolePolicyDocument": TRUST});
    let (request, _) = held(&mut agent, "iam", "create_role", &parameters)?;
    approve(stack, "ann", &request)?;
    await_state(&mut agent, stack, &request, &["answered"], 30)?;
    agent.must("iam", "create_role", parameters)?;
    let story = events(stack, "request", &request)?;
    let at = |fits: &dyn Fn(&Happening) -> bool| {
        story
            .iter()
            .position(|stored| fits(&stored.event.happening))
            .with_context(|| format!("not in the record: {story:#?}"))
    };
    let held_at = at(&|what| matches!(what, Happening::Held { approvals, .. } if !approvals.is_empty()))?;
    let asked = at(
        &|what| matches!(what, Happening::Asked { persons, .. } if persons.iter().any(|person| person.as_str() == "ann")),
    )?;
    let voted = at(&|what| {
        matches!(what, Happening::Voted { person, verdict, proof, reason, .. }
        if person.as_str() == "ann" && verdict == "approve" && proof == "signed-in" && !reason.is_empty())
    })?;
    let certified = at(&|what| matches!(what, Happening::Certified { .. }))?;
    let departing =
        at(&|what| matches!(what, Happening::Departing { call, .. } if call.parameters.to_string().contains(&name)))?;
    let replayed = at(&|what| matches!(what, Happening::Replayed { status: Some(200), .. }))?;
    let delivered = at(&|what| matches!(what, Happening::Delivered { status: 200 }))?;
    let order = [held_at, asked, voted, certified, departing, replayed, delivered];
    ensure!(order.windows(2).all(|pair| matches!(pair, [one, two] if one < two)), "out of order: {order:?} {story:#?}");
    for stored in &story {
        let subject = &stored.event.subject;
        ensure!(subject.agent.as_ref().is_some_and(|agent| agent.as_str() == "deployer"), "no agent: {stored:?}");
        ensure!(subject.session.is_some() && subject.target.is_some(), "no session or target: {stored:?}");
    }
    Ok(())
}

fn secrets_are_masked(stack: &Stack) -> Result<()> {
    let function = fresh("configured");
    let role = upstream(
        stack,
        "iam",
        "create_role",
        json!({"RoleName": fresh("lambda-role"), "AssumeRolePolicyDocument": TRUST}),
    )?;
    let arn = role.pointer("/Role/Arn").cloned().context("no role")?;
    let zip = empty_zip();
    upstream(
        stack,
        "lambda",
        "create_function",
        json!({
            "FunctionName": function, "Runtime": "python3.12", "Handler": "x.y", "Role": arn, "Code": {"ZipFile": {"base64": zip}},
            "Environment": {"Variables": {"DB_PASSWORD": "hunter2-hunter2"}},
        }),
    )?;
    // The secret stands beside what this read is for: it passes, masked by the model.
    let mut agent = Agent::new(stack, "deployer", "reads-configuration")?;
    let got = agent.must("lambda", "get_function_configuration", json!({"FunctionName": function}))?;
    ensure!(!got.to_string().contains("hunter2"), "the agent saw the secret: {got}");
    ensure!(got.to_string().contains("masked"), "nothing says that something is hidden: {got}");
    ensure!(got.get("FunctionName") == Some(&json!(function)), "too much is hidden: {got}");
    masked_after_approval(stack, &mut agent)?;
    masked_by_pattern(stack)
}

/// A forwarded read: nothing marks the item, but a key is known by its look.
/// A read that is for the secret is in a class, so it waits; what is collected then is masked all the same.
fn masked_after_approval(stack: &Stack, agent: &mut Agent) -> Result<()> {
    let name = fresh("database");
    let made =
        upstream(stack, "secretsmanager", "create_secret", json!({"Name": name, "SecretString": "hunter2-hunter2"}))?;
    let wanted = json!({"SecretId": made.get("ARN").cloned().context("no secret")?});
    let (request, _) = held(agent, "secretsmanager", "get_secret_value", &wanted)?;
    approve(stack, "ann", &request)?;
    await_state(agent, stack, &request, &["answered"], 30)?;
    let got = agent.must("secretsmanager", "get_secret_value", wanted)?;
    ensure!(!got.to_string().contains("hunter2"), "the agent saw the secret: {got}");
    ensure!(got.to_string().contains("masked"), "nothing says that something is hidden: {got}");
    ensure!(got.get("Name") == Some(&json!(name)), "too much is hidden: {got}");
    let story = format!("{:?}", events(stack, "request", &request)?);
    ensure!(!story.contains("hunter2"), "the record holds the secret: {story}");
    Ok(())
}

fn masked_by_pattern(stack: &Stack) -> Result<()> {
    let table = fresh("agent-scratch");
    let schema = json!({
        "TableName": table, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    });
    upstream(stack, "dynamodb", "create_table", schema)?;
    let secret = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7\n-----END RSA PRIVATE KEY-----";
    upstream(
        stack,
        "dynamodb",
        "put_item",
        json!({"TableName": table, "Item": {"id": {"S": "1"}, "key": {"S": secret}}}),
    )?;
    let mut agent = Agent::new(stack, "explorer", "reads-items")?;
    let got = agent.must("dynamodb", "get_item", json!({"TableName": table, "Key": {"id": {"S": "1"}}}))?;
    ensure!(!got.to_string().contains("MIIEow") && got.to_string().contains("masked"), "not masked: {got}");
    ensure!(got.pointer("/Item/id/S") == Some(&json!("1")), "too much is hidden: {got}");
    Ok(())
}

/// A ZIP archive with nothing in it, in base64.
fn empty_zip() -> String {
    use base64::Engine;
    let mut bytes = b"PK\x05\x06".to_vec();
    bytes.resize(22, 0);
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
