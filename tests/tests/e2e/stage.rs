//! What tests share: an operator who looks at the target account and at the tables from behind.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use countersign_policy::{COMPILED_FILE, compile};
use countersign_tests::{
    agent::{Agent, Refused, python},
    approver::{Approver, fetch},
    stack::{Stack, eventually, root},
};
use serde_json::{Value as Json, json};

/// One SDK call by somebody who is no agent, with the credentials and endpoint given.
pub(crate) fn call_as(endpoint: &str, region: &str, keys: &[(&str, &str)], order: &Json) -> Result<Json> {
    let mut child = Command::new(python("sdk")?)
        .arg(root().join("tests/clients/call.py"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_DEFAULT_REGION", region)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(keys.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    writeln!(child.stdin.take().context("no input")?, "{order}")?;
    let output = child.wait_with_output()?;
    serde_json::from_slice(&output.stdout).context("the SDK did not answer")
}

/// The target account seen directly, by an operator.
pub(crate) fn upstream(stack: &Stack, service: &str, operation: &str, parameters: Json) -> Result<Json> {
    let keys = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    let order = json!({"service": service, "operation": operation, "parameters": parameters});
    let answer = call_as(stack.get("upstream"), stack.get("region"), &keys, &order)?;
    answer.get("ok").cloned().with_context(|| format!("upstream {service} {operation}: {answer}"))
}

/// A call with the execution role's credentials of a function, against the endpoint that enforces IAM.
pub(crate) fn as_function(
    stack: &Stack,
    function: &str,
    service: &str,
    operation: &str,
    parameters: Json,
) -> Result<Json> {
    let path =
        stack.ready.pointer(&format!("/credentials/{function}")).and_then(Json::as_str).context("no credentials")?;
    let given: Json = serde_json::from_slice(&std::fs::read(path)?)?;
    let text = |name: &str| given.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let (id, secret, token) = (text("AccessKeyId"), text("SecretAccessKey"), text("SessionToken"));
    let keys = [
        ("AWS_ACCESS_KEY_ID", id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", secret.as_str()),
        ("AWS_SESSION_TOKEN", token.as_str()),
    ];
    let order = json!({"service": service, "operation": operation, "parameters": parameters});
    call_as(stack.get("aws"), stack.get("region"), &keys, &order)
}

/// The call must be refused as access denied.
pub(crate) fn must_be_refused(answer: &Json, what: &str) -> Result<()> {
    let code = answer.pointer("/error/code").and_then(Json::as_str).unwrap_or_default();
    ensure!(code.contains("AccessDenied"), "{what} was not refused: {answer}");
    Ok(())
}

/// How often the executor or the gateway sent an operation to the target account, by the stack's log.
pub(crate) fn sent(stack: &Stack, operation: &str, mark: &str) -> Result<usize> {
    let answer = fetch("GET", &stack.url("control", "/calls"), &[], None)?;
    let calls: Vec<Json> = serde_json::from_str(&answer.body)?;
    let fits = |call: &&Json| {
        call.get("side").and_then(Json::as_str) == Some("upstream")
            && call.get("operation").and_then(Json::as_str) == Some(operation)
            && call.to_string().contains(mark)
    };
    Ok(calls.iter().filter(fits).count())
}

/// Has a fault happen to coming calls.
pub(crate) fn fault(stack: &Stack, fault: &Json) -> Result<()> {
    let answer = fetch(
        "POST",
        &stack.url("control", "/faults"),
        &[("content-type", "application/json")],
        Some(&fault.to_string()),
    )?;
    ensure!(answer.status < 300, "the fault was not taken: {} {}", answer.status, answer.body);
    Ok(())
}

/// Ends all faults, and lets go of what is held.
pub(crate) fn mend(stack: &Stack) -> Result<()> {
    let cleared = fetch("DELETE", &stack.url("control", "/faults"), &[], None)?;
    ensure!(cleared.status < 300, "faults stay: {}", cleared.body);
    fetch("POST", &stack.url("control", "/release"), &[], None)?;
    Ok(())
}

/// Runs `body` under faults, and mends them whatever happened.
pub(crate) fn under(stack: &Stack, faults: &[Json], body: impl FnOnce() -> Result<()>) -> Result<()> {
    let result = faults.iter().try_for_each(|one| fault(stack, one)).and_then(|()| body());
    mend(stack)?;
    result
}

/// Waits until a call is held that holds all of `marks`.
pub(crate) fn wait_until_held(stack: &Stack, marks: &[&str]) -> Result<()> {
    eventually(&format!("a held call with {marks:?}"), Duration::from_secs(30), || {
        let answer = fetch("GET", &stack.url("control", "/held"), &[], None)?;
        let calls: Vec<Json> = serde_json::from_str(&answer.body)?;
        let fits = |call: &Json| {
            let text = call.to_string();
            marks.iter().all(|mark| text.contains(mark))
        };
        Ok(calls.iter().any(fits).then_some(()))
    })
}

/// Ends every instance of a function; the next event starts another one.
pub(crate) fn kill(stack: &Stack, function: &str) -> Result<()> {
    let answer = fetch(
        "POST",
        &stack.url("control", "/kill"),
        &[("content-type", "application/json")],
        Some(&json!({"function": function}).to_string()),
    )?;
    ensure!(answer.status < 300, "{function} was not killed: {}", answer.body);
    Ok(())
}

/// Runs `body` while one file of the bundle is `text`, as after a deployment of the bundle alone, and
/// deploys the old one again whatever happened.
pub(crate) fn under_bundle(
    stack: &Stack,
    file: &str,
    text: impl FnOnce(&str) -> String,
    body: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let folder = root().join(stack.get("state_dir")).join("bundle");
    let path = folder.join(file);
    let before = std::fs::read_to_string(&path).ok();
    std::fs::write(&path, text(before.as_deref().unwrap_or_default()))?;
    let deployed = || {
        std::fs::write(folder.join(COMPILED_FILE), compile(&folder)?)?;
        FUNCTIONS.iter().try_for_each(|function| kill(stack, function))
    };
    let result = deployed().and_then(|()| body());
    match before {
        Some(text) => std::fs::write(&path, text)?,
        None => std::fs::remove_file(&path)?,
    }
    deployed()?;
    result
}

pub(crate) const FUNCTIONS: [&str; 4] = ["gateway", "notifier", "approvals", "executor"];

/// The keys with which the account's operators reach the emulators themselves.
pub(crate) fn operator_keys(stack: &Stack) -> [(&'static str, &str); 2] {
    [("AWS_ACCESS_KEY_ID", stack.get("account")), ("AWS_SECRET_ACCESS_KEY", "test")]
}

/// A setting of the functions, as the stack resolved it.
pub(crate) fn setting<'a>(stack: &'a Stack, name: &str) -> Result<&'a str> {
    stack
        .ready
        .pointer(&format!("/settings/{name}"))
        .and_then(Json::as_str)
        .with_context(|| format!("no setting {name}"))
}

/// Approves a request signed in, without a browser.
pub(crate) fn approve(stack: &Stack, person: &str, request: &str) -> Result<()> {
    decide(stack, person, request, "approve")
}

/// Decides a request signed in, without a browser.
pub(crate) fn decide(stack: &Stack, person: &str, request: &str, verdict: &str) -> Result<()> {
    let approver = Approver::new(stack, person)?;
    let seen: Json = serde_json::from_str(&approver.look(stack, request)?.body)?;
    let mut order = json!({"verdict": verdict, "reason": "checked by a test"});
    if let (Some(name), Some(fields)) = (seen.get("confirm").filter(|name| name.is_string()), order.as_object_mut()) {
        fields.insert("confirm".to_owned(), name.clone());
    }
    let reading = seen.pointer("/obligations/min_review/secs").and_then(Json::as_u64).unwrap_or_default();
    std::thread::sleep(Duration::from_secs(reading));
    let answer = approver.decide(stack, request, &order)?;
    ensure!(answer.status == 200, "{person} could not {verdict}: {} {}", answer.status, answer.body);
    Ok(())
}

/// The state of a request as its agent sees it.
pub(crate) fn state(agent: &mut Agent, stack: &Stack, request: &str) -> Result<String> {
    let token = std::fs::read_to_string(agent.folder().join("token"))?;
    let bearer = format!("Bearer {}", token.trim());
    let answer =
        fetch("GET", &stack.url("gateway", &format!("/_/v1/requests/{request}")), &[("authorization", &bearer)], None)?;
    let body: Json = serde_json::from_str(&answer.body).with_context(|| answer.body.clone())?;
    Ok(body.get("state").and_then(Json::as_str).unwrap_or_default().to_owned())
}

/// Waits until a request is in one of the states.
pub(crate) fn await_state(
    agent: &mut Agent,
    stack: &Stack,
    request: &str,
    states: &[&str],
    patience: u64,
) -> Result<String> {
    eventually(&format!("{request} in {states:?}"), Duration::from_secs(patience), || {
        let now = state(agent, stack, request)?;
        Ok(states.contains(&now.as_str()).then_some(now))
    })
}

/// Has a call held; gives the request.
pub(crate) fn held(agent: &mut Agent, service: &str, operation: &str, parameters: &Json) -> Result<(String, Refused)> {
    let refused = agent.must_fail(service, operation, parameters.clone())?;
    if refused.code != "ApprovalRequired" {
        bail!("not held: {refused:?}");
    }
    Ok((refused.request_id()?, refused))
}

/// A bucket in the target account.
pub(crate) fn bucket(stack: &Stack, name: &str) -> Result<()> {
    let place = json!({"LocationConstraint": stack.get("region")});
    upstream(stack, "s3", "create_bucket", json!({"Bucket": name, "CreateBucketConfiguration": place})).map(|_| ())
}

/// A name that no other test uses.
pub(crate) fn fresh(prefix: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{prefix}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A trust policy for roles that tests have created.
pub(crate) const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
