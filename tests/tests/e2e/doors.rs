//! The two kinds of agents' door, and what a stack leaves behind.

use std::fs;

use anyhow::{Result, ensure};
use countersign_tests::{agent::Agent, stack::Stack};
use serde_json::{Value as Json, json};

use super::{
    Test,
    stage::{bucket, fresh},
};

pub(crate) const TESTS: &[Test] = &[
    ("a path that the door lost is refused with the name of the other door", lost_path),
    ("the function url keeps every path, and a stopped stack leaves no process", function_url),
];

const HELLO: &str = "aGVsbG8=";

fn lost_path(stack: &Stack) -> Result<()> {
    let name = fresh("agent-scratch");
    bucket(stack, &name)?;
    let mut agent = Agent::new(stack, "explorer", "odd-paths")?;
    let put = json!({"Bucket": name, "Key": "what?ever", "Body": {"base64": HELLO}});
    let refused = agent.must_fail("s3", "put_object", put)?;
    ensure!(refused.code == "SignatureDoesNotMatch", "{refused:?}");
    ensure!(refused.message.contains(stack.get("function_url")), "the other door is not named: {refused:?}");
    Ok(())
}

fn function_url(_: &Stack) -> Result<()> {
    let stack = Stack::start(&["--door", "function-url"])?;
    let name = fresh("agent-scratch");
    bucket(&stack, &name)?;
    let mut agent = Agent::new(&stack, "explorer", "odd-paths")?;
    for key in ["a//b", "/front", "back/", "100%", "%2F", "a b+c&d=e"] {
        agent.must("s3", "put_object", json!({"Bucket": name, "Key": key, "Body": {"base64": HELLO}}))?;
        let got = agent.must("s3", "get_object", json!({"Bucket": name, "Key": key}))?;
        ensure!(got.pointer("/Body/base64").and_then(Json::as_str) == Some(HELLO), "`{key}` came back as {got}");
    }
    drop(agent);
    let state = stack.get("state_dir").to_owned();
    stack.stop()?;
    for entry in fs::read_dir("/proc")?.flatten() {
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        ensure!(!String::from_utf8_lossy(&command).contains(&state), "left behind: {}", entry.path().display());
    }
    Ok(())
}
