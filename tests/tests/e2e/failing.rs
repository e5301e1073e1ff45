//! Parts that fail: a denial in the caller's words, never an unrecorded call, never a second execution.

use std::time::Duration;

use anyhow::{Result, ensure};
use countersign_tests::{
    agent::Agent,
    approver::{Approver, fetch},
    stack::{Stack, eventually},
};
use serde_json::json;

use super::{
    Test,
    stage::{
        TRUST, approve, await_state, bucket as make_bucket, fresh, held, kill, sent, state, under, upstream,
        wait_until_held,
    },
};

pub(crate) const TESTS: &[Test] = &[
    ("a failing table, role or record denies in the caller's protocol and sends nothing", denials),
    ("an executor killed between claim and send runs the call once", killed_before_send),
    (
        "an executor killed between send and store does not run it twice and says that it does not know",
        killed_after_send,
    ),
    ("a failing certificate key loses no approval", failing_key),
    ("an upstream that hangs up is told honestly", upstream_hangs_up),
];

fn denials(stack: &Stack) -> Result<()> {
    let bucket = fresh("agent-scratch");
    make_bucket(stack, &bucket)?;
    let mut agent = Agent::new(stack, "explorer", "under-faults")?;
    agent.must("s3", "list_objects_v2", json!({"Bucket": bucket}))?;
    let faults = [
        json!({"match": {"role": "gateway", "service": "dynamodb", "operation": "PutItem"}, "action": "error", "status": 400, "code": "ProvisionedThroughputExceededException"}),
        json!({"match": {"role": "gateway", "service": "dynamodb"}, "action": "error", "status": 500, "code": "InternalServerError"}),
        json!({"match": {"role": "gateway", "service": "dynamodb"}, "action": "close"}),
    ];
    for one in faults {
        let key = fresh("key");
        under(stack, std::slice::from_ref(&one), || {
            let put = json!({"Bucket": bucket, "Key": key, "Body": {"base64": "aGk="}});
            let refused = agent.must_fail("s3", "put_object", put)?;
            ensure!(
                refused.code == "AccessDenied" && refused.message.contains("nothing was sent"),
                "{one}: {refused:?}"
            );
            let refused = agent.must_fail("dynamodb", "list_tables", json!({}))?;
            ensure!(refused.code.starts_with("AccessDenied"), "{one}: {refused:?}");
            Ok(())
        })?;
        ensure!(sent(stack, "PutObject", &key)? == 0, "{one}: it was sent without a record");
    }
    // Roles are assumed anew for a policy that was not asked for before.
    let queue = upstream(stack, "sqs", "create_queue", json!({"QueueName": fresh("agent-scratch")}))?;
    let no_role = json!({"match": {"role": "gateway", "service": "sts"}, "action": "error", "status": 500});
    under(stack, &[no_role], || {
        let message = json!({"QueueUrl": queue.get("QueueUrl"), "MessageBody": "x"});
        let refused = agent.must_fail("sqs", "send_message", message)?;
        ensure!(refused.code.contains("AccessDenied"), "{refused:?}");
        Ok(())
    })?;
    let name = fresh("unfrozen-role");
    for service in ["kms", "states"] {
        under(
            stack,
            &[
                json!({"match": {"role": "gateway", "service": service}, "action": "error", "status": 500, "code": "InternalFailure"}),
            ],
            || {
                let refused = agent.must_fail(
                    "iam",
                    "create_role",
                    json!({"RoleName": name, "AssumeRolePolicyDocument": TRUST}),
                )?;
                ensure!(refused.code == "AccessDenied", "{service}: {refused:?}");
                Ok(())
            },
        )?;
    }
    // What failed is made good when the call is repeated.
    held(&mut agent, "iam", "create_role", &json!({"RoleName": name, "AssumeRolePolicyDocument": TRUST}))?;
    Ok(())
}

/// Kills the executor, and waits until nobody waits for the held call any more.
fn kill_executor(stack: &Stack) -> Result<()> {
    kill(stack, "executor")?;
    eventually("the end of the held call", Duration::from_secs(10), || {
        let held = fetch("GET", &stack.url("control", "/held"), &[], None)?;
        Ok((held.body.trim() == "[]").then_some(()))
    })
}

fn killed_before_send(stack: &Stack) -> Result<()> {
    let name = fresh("killed-early-role");
    let mut agent = Agent::new(stack, "deployer", "is-interrupted")?;
    let parameters = json!({"RoleName": name, "AssumeRolePolicyDocument": TRUST});
    let (request, _) = held(&mut agent, "iam", "create_role", &parameters)?;
    // The role is assumed after the claim and before anything is sent.
    let hold = json!({"match": {"role": "executor", "service": "sts", "operation": "AssumeRole"}, "action": "hold", "times": 1});
    under(stack, &[hold], || {
        approve(stack, "ann", &request)?;
        wait_until_held(stack, &["executor", "AssumeRole"])?;
        kill_executor(stack)
    })?;
    let end = await_state(&mut agent, stack, &request, &["answered"], 150)?;
    ensure!(
        end == "answered" && sent(stack, "CreateRole", &name)? == 1,
        "{end}, sent {}",
        sent(stack, "CreateRole", &name)?
    );
    agent.must("iam", "create_role", parameters)?;
    Ok(())
}

fn killed_after_send(stack: &Stack) -> Result<()> {
    let name = fresh("killed-late-role");
    let mut agent = Agent::new(stack, "deployer", "is-interrupted")?;
    let parameters = json!({"RoleName": name, "AssumeRolePolicyDocument": TRUST});
    let (request, _) = held(&mut agent, "iam", "create_role", &parameters)?;
    // The answer has come, and is about to be stored.
    let hold = json!({"match": {"role": "executor", "service": "dynamodb", "operation": "PutItem", "path_contains": "OUT#"}, "action": "hold", "times": 1});
    under(stack, &[hold], || {
        approve(stack, "ann", &request)?;
        wait_until_held(stack, &["executor", "PutItem", "OUT#"])?;
        kill_executor(stack)
    })?;
    let end = await_state(&mut agent, stack, &request, &["unknown", "answered"], 150)?;
    ensure!(end == "unknown", "the state is {end}");
    ensure!(sent(stack, "CreateRole", &name)? == 1, "sent {} times", sent(stack, "CreateRole", &name)?);
    let told = agent.must_fail("iam", "create_role", parameters)?;
    ensure!(told.code == "OutcomeUnknown" && told.message.contains(&request), "{told:?}");
    ensure!(sent(stack, "CreateRole", &name)? == 1, "sent again");
    Ok(())
}

fn failing_key(stack: &Stack) -> Result<()> {
    let name = fresh("unsigned-role");
    let mut agent = Agent::new(stack, "deployer", "waits")?;
    let (request, _) =
        held(&mut agent, "iam", "create_role", &json!({"RoleName": name, "AssumeRolePolicyDocument": TRUST}))?;
    let broken = json!({"match": {"role": "approvals", "service": "kms", "operation": "Sign"}, "action": "error", "status": 500, "code": "KMSInternalException"});
    under(stack, &[broken], || {
        let answer =
            Approver::new(stack, "ann")?.decide(stack, &request, &json!({"verdict": "approve", "reason": "yes"}))?;
        ensure!(answer.status == 503 && answer.body.contains("try again"), "{} {}", answer.status, answer.body);
        ensure!(state(&mut agent, stack, &request)? == "pending", "approved without a certificate");
        Ok(())
    })?;
    ensure!(sent(stack, "CreateRole", &name)? == 0, "sent without a certificate");
    // The same decision again makes good what was left undone.
    approve(stack, "ann", &request)?;
    await_state(&mut agent, stack, &request, &["answered"], 30)?;
    ensure!(sent(stack, "CreateRole", &name)? == 1, "not sent exactly once");
    Ok(())
}

fn upstream_hangs_up(stack: &Stack) -> Result<()> {
    let bucket = fresh("agent-scratch");
    make_bucket(stack, &bucket)?;
    let mut agent = Agent::new(stack, "explorer", "under-faults")?;
    let close = json!({"match": {"side": "upstream", "service": "s3", "operation": "PutObject"}, "action": "close", "times": 1});
    under(stack, &[close], || {
        let told =
            agent.must_fail("s3", "put_object", json!({"Bucket": bucket, "Key": "k", "Body": {"base64": "aGk="}}))?;
        ensure!(told.code == "OutcomeUnknown", "{told:?}");
        Ok(())
    })
}
