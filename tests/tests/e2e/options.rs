//! The options of `cargo xtask up`: rules of one's own, another AWS.

use std::{fs, path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use countersign_tests::{
    agent::Agent,
    stack::{Stack, root, xtask},
};
use serde_json::{Value as Json, json};

use super::{
    Test,
    stage::{FUNCTIONS, fresh, upstream},
};

pub(crate) const TESTS: &[Test] = &[
    ("a stack with other rules and another upstream decides by the one and sends to the other", elsewhere),
    ("every function reads its rules as they are deployed, compiled", compiled),
    ("a bundle that does not load keeps the stack from starting, with file and line", broken_bundle),
];

/// Nothing of the default rules: reads are denied and making buckets is allowed.
const RULES: &str = r#"
@id("make-buckets")
permit (principal == Agent::"explorer", action == Action::"s3:CreateBucket", resource);
"#;

fn elsewhere(stack: &Stack) -> Result<()> {
    let bundle = bundle(RULES)?;
    let folder = bundle.path().to_str().context("the folder's name is no text")?;
    // Another AWS that answers: the target account of the stack that all tests share.
    let other = Stack::start(&["--bundle", folder, "--upstream", stack.get("upstream")])?;
    ensure!(other.get("upstream") == stack.get("upstream"), "the ready line names another upstream: {}", other.ready);
    let name = fresh("agent-made");
    let region = json!({"LocationConstraint": other.get("region")});
    let mut agent = Agent::new(&other, "explorer", "own-rules")?;
    agent.must("s3", "create_bucket", json!({"Bucket": name, "CreateBucketConfiguration": region}))?;
    let refused = agent.must_fail("s3", "list_buckets", json!({}))?;
    ensure!(refused.code == "AccessDenied", "no rule allows it: {refused:?}");
    let buckets = upstream(stack, "s3", "list_buckets", json!({}))?;
    ensure!(buckets.to_string().contains(&name), "`{name}` is not there: {buckets}");
    drop(agent);
    other.stop()
}

fn compiled(stack: &Stack) -> Result<()> {
    for function in FUNCTIONS {
        let log = root().join(stack.get("state_dir")).join("functions").join(format!("{function}-0.log"));
        let text = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
        let loaded: Vec<Json> =
            lines.filter(|line| field(line, "message") == Some(&json!("the bundle is loaded"))).collect();
        ensure!(loaded.len() == 1, "an instance of {function} loads one bundle: {text}");
        ensure!(
            loaded.iter().all(|line| field(line, "compiled") == Some(&json!(true))),
            "{function} has read texts: {loaded:?}"
        );
    }
    Ok(())
}

fn field<'a>(line: &'a Json, name: &str) -> Option<&'a Json> {
    line.get("fields")?.get(name)
}

fn broken_bundle(_: &Stack) -> Result<()> {
    let bundle = bundle("permit (principal, action, resource)\nwhen { context.")?;
    let up = xtask().args(["up", "--json", "--bundle"]).arg(bundle.path()).stdout(Stdio::piped()).output()?;
    let said = String::from_utf8_lossy(&up.stderr);
    ensure!(!up.status.success(), "it started: {said}");
    ensure!(up.stdout.is_empty(), "a ready line: {}", String::from_utf8_lossy(&up.stdout));
    ensure!(said.contains("own.cedar:2") || said.contains("own.cedar:1"), "neither file nor line: {said}");
    Ok(())
}

/// The settings of the default bundle, with other rules.
fn bundle(rules: &str) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let settings = Path::new("countersign.toml");
    fs::copy(root().join("infra/bundle").join(settings), folder.path().join(settings))?;
    fs::write(folder.path().join("own.cedar"), rules)?;
    Ok(folder)
}
