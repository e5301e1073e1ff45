//! Every command of the documents that needs a running stack, run as it is written.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use countersign_tests::{
    agent::{Agent, python},
    markdown::Document,
    stack::{Stack, root},
};
use serde_json::{Value as Json, json};

use super::{
    Test,
    stage::{TRUST, await_state, fresh, held},
};

pub(crate) const TESTS: &[Test] = &[("the commands of the documents work as they are written", commands)];

/// The named blocks of `path`, one after the other.
fn blocks(path: &str, names: &[&str]) -> Result<String> {
    let document = Document::read(&root(), path.to_owned())?;
    let mut script = String::new();
    for name in names {
        let block = document.blocks.iter().find(|block| block.check.as_deref() == Some(&format!("stack {name}")));
        script.push_str(&block.with_context(|| format!("{path} has no block `{name}`"))?.text);
        script.push('\n');
    }
    Ok(script)
}

/// Runs a script in the repository's root, with the AWS CLI on the path; gives what it prints.
fn shell(script: &str, environment: &[(&str, &str)]) -> Result<String> {
    let tools = python("cli")?.parent().map(std::path::Path::to_path_buf).unwrap_or_default();
    let path = std::env::join_paths(
        std::iter::once(tools).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )?;
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(root())
        .env("PATH", path)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(environment.iter().copied())
        .output()?;
    if !output.status.success() {
        bail!("{script}\n{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn commands(stack: &Stack) -> Result<()> {
    std::fs::create_dir_all(root().join("target"))?;
    std::fs::write(root().join("target/stack.json"), stack.ready.to_string())?;
    let environment = blocks("README.md", &["agent-environment"])?;
    shell(&blocks("README.md", &["agent-environment", "inbox"])?, &[])?;
    let agents = blocks(
        "docs/agents.md",
        &["agent-first-call", "agent-service-endpoint", "agent-session", "agent-credential-process"],
    )?;
    let said = shell(&format!("{environment}{agents}"), &[])?;
    ensure!(said.contains("CSGN"), "no session: {said}");

    let mut agent = Agent::new(stack, "deployer", "reads-the-documents")?;
    let wanted = json!({"RoleName": fresh("documented-role"), "AssumeRolePolicyDocument": TRUST});
    let (request, _) = held(&mut agent, "iam", "create_role", &wanted)?;
    let approving = blocks("docs/approvers.md", &["approver-environment", "approver-look", "approver-decide"])?;
    let said = shell(&approving, &[("REQUEST", &request)])?;
    ensure!(said.contains("approved"), "not approved: {said}");
    await_state(&mut agent, stack, &request, &["answered"], 30)?;
    let waiting = blocks("docs/agents.md", &["agent-wait"])?;
    let said = shell(&format!("{environment}{waiting}"), &[("REQUEST", &request)])?;
    ensure!(said.contains("answered"), "not told: {said}");
    operators(stack, &request)
}

/// What operators do, with the credentials of the account itself.
fn operators(stack: &Stack, request: &str) -> Result<()> {
    let setting =
        |name: &str| stack.ready.pointer(&format!("/settings/{name}")).and_then(Json::as_str).context("no setting");
    let operator = [
        ("AWS_ENDPOINT_URL", stack.get("backing")),
        ("AWS_ACCESS_KEY_ID", stack.get("account")),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", stack.get("region")),
        ("AUTHORITY_TABLE", setting("COUNTERSIGN_AUTHORITY_TABLE")?),
        ("RECORD_TABLE", setting("COUNTERSIGN_RECORD_TABLE")?),
        ("REQUEST", request),
    ];
    shell(&blocks("docs/operators.md", &["operator-functions", "operator-stop"])?, &operator)?;
    let said = shell(&blocks("docs/operators.md", &["record-by-request"])?, &operator)?;
    let first: Json = serde_json::from_str(said.lines().next().context("no event")?)?;
    let session = first.pointer("/subject/session").and_then(Json::as_str).context("no session")?;
    let by_session = [operator.as_slice(), &[("SESSION", session)]].concat();
    let said = shell(&blocks("docs/operators.md", &["record-by-session"])?, &by_session)?;
    ensure!(said.contains("decided"), "no decision on record: {said}");
    Ok(())
}
