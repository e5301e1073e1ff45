//! Limits and shadow bundles, on a stack with a bundle that has both.

use std::{collections::BTreeMap, fs, io::Write, path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use countersign_domain::event::{Happening, ShadowBundle};
use countersign_tests::{
    agent::{Agent, python},
    approver::fetch,
    stack::{Stack, root},
};
use serde_json::{Value as Json, json};

use super::{
    Test,
    record::{events, session_of},
    stage::{TRUST, as_function, await_state, bucket, decide, fault, fresh, held, mend, must_be_refused, sent},
};

pub(crate) const TESTS: &[Test] = &[(
    "limits hold under a burst and in every case, a shadow bundle only shows on record, and denials teach",
    limits_and_shadow,
)];

/// Windows of 31 days: no test sees one end.
const LIMITS: &str = r#"
[[limits.rate]]
name = "burst"
per = "agent"
agents = ["explorer"]
rules = ["30-scratch/scratch"]
calls = 20
window = "31d"

[[limits.rate]]
name = "burst-all"
per = ["target", "rule"]
agents = ["explorer"]
rules = ["30-scratch/scratch"]
calls = 1000
window = "31d"

[[limits.rate]]
name = "objects"
per = ["agent", "rule"]
agents = ["deployer"]
rules = ["30-scratch/scratch"]
distinct_resources = 3
window = "31d"

[[limits.rate]]
name = "queue-reads"
per = "target"
rules = ["10-reads/reads"]
agents = ["deployer"]
calls = 2
window = "31d"

[[limits.rate]]
name = "asked"
per = "target"
agents = ["deployer"]
rules = ["20-writes/permissions", "20-writes/writes"]
pending = 1
"#;

const QUEUES: &str = r#"
@id("names")
@reason("queues of agents are called so that one finds them")
forbid (principal, action == Action::"sqs:CreateQueue", resource)
unless { context.params has QueueName && context.params.QueueName like "agents-*" };
"#;

/// The default bundle with these limits, and a shadow bundle that would forbid reading.
fn bundle(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(root().join("infra/bundle"))? {
        let path = entry?.path();
        let name = path.file_name().context("a file")?;
        if path.is_file() {
            fs::copy(&path, folder.join(name))?;
        }
    }
    let settings = folder.join("countersign.toml");
    fs::write(&settings, fs::read_to_string(&settings)? + LIMITS)?;
    fs::write(folder.join("05-queues.cedar"), QUEUES)?;
    fs::create_dir(folder.join("shadow"))?;
    let rule =
        "@id(\"closed\") @reason(\"nothing is read\") forbid(principal, action in Action::\"level:Read\", resource);";
    fs::write(folder.join("shadow/next.cedar"), rule)?;
    Ok(())
}

fn limits_and_shadow(_: &Stack) -> Result<()> {
    let folder = tempfile::tempdir()?;
    bundle(folder.path())?;
    let stack = Stack::start(&["--bundle", &folder.path().to_string_lossy()])?;
    burst(&stack)?;
    not_retried(&stack)?;
    distinct(&stack)?;
    pending(&stack)?;
    failing_table(&stack)?;
    counts_only_grow(&stack)?;
    shadow(&stack)?;
    taught(&stack)?;
    stack.stop()
}

/// Fifty calls at once, each in a gateway process of its own while it lasts.
fn burst(stack: &Stack) -> Result<()> {
    let name = fresh("agent-scratch");
    bucket(stack, &name)?;
    let agent = Agent::new(stack, "explorer", "all-at-once")?;
    let puts: Vec<_> = (0..50).map(|number| json!({"Bucket": name, "Key": format!("key-{number}")})).collect();
    let order = json!({"service": "s3", "operation": "put_object", "parameters": puts});
    let mut child = agent
        .command(python("sdk")?)
        .arg(root().join("tests/clients/burst.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    writeln!(child.stdin.take().context("no input")?, "{order}")?;
    let output = child.wait_with_output()?;
    let counts: BTreeMap<String, u64> = serde_json::from_slice(&output.stdout).context("the burst did not end")?;
    let expected = [("LimitReached".to_owned(), 30), ("ok".to_owned(), 20)];
    ensure!(counts == expected.into(), "not exactly the limit: {counts:?}");
    ensure!(sent(stack, "PutObject", &name)? == 20, "sent {} times", sent(stack, "PutObject", &name)?);
    // Each process writes chains of its own.
    let decided = events(stack, "session", &session_of(stack, "all-at-once")?)?;
    let of_puts = decided.iter().filter(|one| matches!(&one.event.happening, Happening::Decided { .. }));
    let writers: std::collections::BTreeSet<_> = of_puts.map(|one| one.chain.clone()).collect();
    ensure!(writers.len() >= 4, "only {} gateways took part", writers.len());
    let limited = decided.iter().filter(|one| matches!(&one.event.happening, Happening::Limited { .. })).count();
    ensure!(limited == 30, "{limited} events say that a limit was reached");
    Ok(())
}

/// The session with this task, from the record.
/// How often the gateway updated an item of the authority table.
fn updates(stack: &Stack) -> Result<usize> {
    let answer = fetch("GET", &stack.url("control", "/calls"), &[], None)?;
    let calls: Vec<Json> = serde_json::from_str(&answer.body)?;
    Ok(calls.iter().filter(|call| call.get("operation").and_then(Json::as_str) == Some("UpdateItem")).count())
}

/// SDKs with retries on do not repeat the call; what is read names the limit and its end.
fn not_retried(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "deployer", "reads-much")?;
    agent.must("sqs", "list_queues", json!({}))?;
    let read = |agent: &mut Agent| {
        agent.order(&json!({"service": "dynamodb", "operation": "list_tables", "attempts": 5, "parameters": {}}))
    };
    ensure!(read(&mut agent)?.get("ok").is_some(), "the second call was refused");
    let before = updates(stack)?;
    let refused = read(&mut agent)?;
    let text = |name: &str| refused.pointer(&format!("/error/{name}")).and_then(Json::as_str).unwrap_or_default();
    ensure!(text("code") == "LimitReached", "{refused}");
    for part in
        ["the limit `queue-reads` for target `main` is reached", "2 of 2 calls are used", "Z (UTC)", "Nothing was sent"]
    {
        ensure!(text("message").contains(part), "the message lacks `{part}`: {refused}");
    }
    ensure!(updates(stack)? == before + 1, "the SDK tried again");
    Ok(())
}

fn distinct(stack: &Stack) -> Result<()> {
    let name = fresh("agent-scratch");
    bucket(stack, &name)?;
    let mut agent = Agent::new(stack, "deployer", "many-objects")?;
    let put = |key: &str| json!({"Bucket": name, "Key": key, "Body": {"base64": "aGk="}});
    for key in ["a", "b", "a", "c"] {
        agent.must("s3", "put_object", put(key))?;
    }
    let refused = agent.must_fail("s3", "put_object", put("d"))?;
    ensure!(refused.code == "LimitReached" && refused.message.contains("3 of 3 distinct resources"), "{refused:?}");
    agent.must("s3", "put_object", put("b"))?;
    ensure!(sent(stack, "PutObject", &name)? == 5, "not sent as often as it was let pass");
    Ok(())
}

fn pending(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "deployer", "asks-twice")?;
    let role = |name: &str| json!({"RoleName": name, "AssumeRolePolicyDocument": TRUST});
    let (first, second) = (fresh("limited-role"), fresh("limited-role"));
    let (request, _) = held(&mut agent, "iam", "create_role", &role(&first))?;
    // The same call again is the same request; another one finds no place.
    held(&mut agent, "iam", "create_role", &role(&first))?;
    let refused = agent.must_fail("iam", "create_role", role(&second))?;
    ensure!(refused.code == "LimitReached" && refused.message.contains("1 of 1 requests wait"), "{refused:?}");
    decide(stack, "ann", &request, "deny")?;
    await_state(&mut agent, stack, &request, &["denied"], 30)?;
    let told = agent.must_fail("iam", "create_role", role(&first))?;
    ensure!(told.message.contains("was denied by"), "{told:?}");
    held(&mut agent, "iam", "create_role", &role(&second))?;
    Ok(())
}

fn failing_table(stack: &Stack) -> Result<()> {
    let name = fresh("agent-scratch");
    bucket(stack, &name)?;
    let mut agent = Agent::new(stack, "deployer", "uncounted")?;
    let broken = json!({"match": {"role": "gateway", "service": "dynamodb", "operation": "UpdateItem"}, "action": "error", "status": 500, "code": "InternalServerError"});
    fault(stack, &broken)?;
    let refused = agent.must_fail("s3", "put_object", json!({"Bucket": name, "Key": "a", "Body": {"base64": "aGk="}}));
    mend(stack)?;
    let refused = refused?;
    ensure!(refused.code == "AccessDenied" && refused.message.contains("limits"), "{refused:?}");
    ensure!(sent(stack, "PutObject", &name)? == 0, "it was sent uncounted");
    Ok(())
}

/// The gateway's role can add to counts, and neither remove them nor update anything else.
fn counts_only_grow(stack: &Stack) -> Result<()> {
    let table =
        stack.ready.pointer("/settings/COUNTERSIGN_AUTHORITY_TABLE").and_then(Json::as_str).context("no table")?;
    let key = |pk: &str| json!({"pk": {"S": pk}, "sk": {"S": "-"}});
    let update = |pk: &str| {
        json!({"TableName": table, "Key": key(pk), "UpdateExpression": "ADD calls :one",
               "ExpressionAttributeValues": {":one": {"N": "1"}}})
    };
    for pk in ["REQ#x", "PEND#x", "DLV#x", "DEC#x", "OUT#x", "QUAR#all"] {
        must_be_refused(&as_function(stack, "gateway", "dynamodb", "update_item", update(pk))?, pk)?;
    }
    let remove = json!({"TableName": table, "Key": key("LIM#x")});
    must_be_refused(&as_function(stack, "gateway", "dynamodb", "delete_item", remove)?, "removing a count")?;
    let put = json!({"TableName": table, "Item": key("LIM#x")});
    must_be_refused(&as_function(stack, "gateway", "dynamodb", "put_item", put)?, "replacing a count")?;
    let other = as_function(stack, "executor", "dynamodb", "update_item", update("LIM#x"))?;
    must_be_refused(&other, "counting as the executor")
}

/// The SDK's exception names the rule, its reason and the way around it.
fn taught(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "explorer", "is-taught")?;
    let refused = agent.must_fail("sqs", "create_queue", json!({"QueueName": "jobs"}))?;
    for part in [
        "queues of agents are called so that one finds them (rule `05-queues/names`)",
        "The rule does not forbid it where",
        "context.params.QueueName like \"agents-*\"",
    ] {
        ensure!(refused.message.contains(part), "the message lacks `{part}`: {refused:?}");
    }
    // What it says holds: so named, the call is one that can be asked for.
    held(&mut agent, "sqs", "create_queue", &json!({"QueueName": "agents-jobs"}))?;
    Ok(())
}

fn shadow(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "explorer", "is-shadowed")?;
    agent.must("sts", "get_caller_identity", json!({}))?;
    let session = session_of(stack, "is-shadowed")?;
    let found = events(stack, "session", &session)?;
    let shadow = found.iter().find_map(|one| match &one.event.happening {
        Happening::Decided { decision, shadow_bundle, .. } => Some((decision.clone(), shadow_bundle.clone())),
        _ => None,
    });
    let Some((decision, Some(ShadowBundle::Decided { decision: would_be, rules, .. }))) = shadow else {
        anyhow::bail!("no shadow decision on record: {found:?}")
    };
    ensure!((decision.as_str(), would_be.as_str()) == ("allow", "deny"), "{decision}, and {would_be} in the shadow");
    ensure!(rules.iter().any(|hit| hit.rule == "next/closed"), "{rules:?}");
    Ok(())
}
