//! The main job as a story: exits 0 only if every step truly held.

#![expect(clippy::print_stdout, reason = "the story is told on standard output")]

use std::{fs, process::ExitCode, time::Duration, time::Instant};

use anyhow::{Context, Result, ensure};
use countersign_tests::{
    agent::{Agent, Refused},
    approver::{Approver, await_message, fetch, link_in},
    browser,
    stack::{Stack, eventually, root},
};
use serde_json::{Value as Json, json};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

fn main() -> ExitCode {
    let release = std::env::args().any(|argument| argument == "--release");
    let start = Instant::now();
    match story(release) {
        Ok(()) => {
            println!("\nEvery step held ({} s).", start.elapsed().as_secs());
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("\nThis step did not hold: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn step(title: &str) {
    println!("\n== {title}");
}

fn told(text: &str) {
    for line in text.lines() {
        println!("   {line}");
    }
}

fn story(release: bool) -> Result<()> {
    step("A local stack: the function binaries, the state machine, emulators of AWS, an issuer, a mailbox");
    let stack = Stack::start(if release { &["--release"] } else { &[] })?;
    told(&format!("agents' door     {}", stack.get("gateway")));
    told(&format!("approvers' door  {}", stack.get("approvals")));

    step("An agent with nothing but an OIDC token and the AWS CLI lists the account: reads pass");
    let agent = Agent::new(&stack, "deployer", "release-42")?;
    run(&agent, &["iam", "list-roles", "--query", "length(Roles)"])?;
    run(&agent, &["ec2", "describe-regions", "--query", "Regions[0].RegionName"])?;

    step("It tries to make itself a user: denied, with the reason");
    let said = refused(&agent, &["iam", "create-user", "--user-name", "eve"])?;
    ensure!(said.contains("AccessDenied"), "not denied: {said}");

    step("It wants a role: a write, so it waits for a person");
    let create = ["iam", "create-role", "--role-name", "release-42", "--assume-role-policy-document", TRUST];
    let said = refused(&agent, &create)?;
    ensure!(said.contains("ApprovalRequired"), "not held: {said}");
    let request = Refused { class: String::new(), code: String::new(), message: said }.request_id()?;

    step("Ann gets mail; a scanner that fetches its link twenty times decides nothing");
    let mail = await_message(&stack, "ann@example.com", |message| message.text.contains(&request))?;
    told(&format!("Subject: {}", mail.subject));
    let link = link_in(&stack, &mail)?;
    for _ in 0..20 {
        ensure!(fetch("GET", &link, &[], None)?.status == 200, "the link does not open");
    }
    ensure!(state(&stack, &agent, &request)? == "pending", "a link decided");

    step("The agent's owner cannot approve it");
    let owner = Approver::new(&stack, "carol")?;
    let answer = owner.decide(&stack, &request, &json!({"verdict": "approve", "reason": "it is mine"}))?;
    ensure!(answer.status == 403, "the owner approved");
    told(&answer.body);

    approve(&stack, &request, &link)?;

    step("The executor replays the frozen bytes once; the agent repeats the same command and gets the role");
    eventually("the replay", Duration::from_secs(30), || {
        Ok((state(&stack, &agent, &request)? == "answered").then_some(()))
    })?;
    run(&agent, &[create.as_slice(), &["--query", "Role.Arn"]].concat())?;
    let calls: Vec<Json> = serde_json::from_str(&fetch("GET", &stack.url("control", "/calls"), &[], None)?.body)?;
    let fits = |call: &&Json| {
        call.get("side") == Some(&json!("upstream")) && call.get("operation") == Some(&json!("CreateRole"))
    };
    let created = calls.iter().filter(fits).count();
    ensure!(created == 1, "CreateRole reached the account {created} times");
    told("CreateRole reached the account exactly once.");
    ensure!(state(&stack, &agent, &request)? == "delivered", "not delivered");
    stack.stop()
}

/// In a browser where there is one, otherwise as a script would.
fn approve(stack: &Stack, request: &str, link: &str) -> Result<()> {
    if browser::is_there() {
        step("Ann opens the link in a browser, signs in, reads what the frozen bytes say, and approves");
        let folder = root().join("target/demo");
        fs::create_dir_all(&folder)?;
        let visit = browser::decide(link, "ann", "approve", "the role of release 42", &folder)?;
        ensure!(visit.before.contains("aws iam create-role"), "the page does not show the call");
        let line = visit.before.lines().find(|line| line.starts_with("aws iam")).context("no command line")?;
        told(line);
        told(&format!("Screenshots: {}", folder.display()));
    } else {
        step("Ann signs in, reads what the frozen bytes say, and approves (no chromium here: by script)");
        let answer = Approver::new(stack, "ann")?.decide(
            stack,
            request,
            &json!({"verdict": "approve", "reason": "the role of release 42"}),
        )?;
        ensure!(answer.status == 200, "not approved: {}", answer.body);
    }
    Ok(())
}

fn run(agent: &Agent, arguments: &[&str]) -> Result<()> {
    println!("   $ aws {}", arguments.join(" "));
    let output = agent.cli(arguments)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    told(&String::from_utf8_lossy(&output.stdout));
    Ok(())
}

fn refused(agent: &Agent, arguments: &[&str]) -> Result<String> {
    println!("   $ aws {}", arguments.join(" "));
    let output = agent.cli(arguments)?;
    ensure!(!output.status.success(), "it passed");
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    told(&said);
    Ok(said)
}

fn state(stack: &Stack, agent: &Agent, request: &str) -> Result<String> {
    let token = fs::read_to_string(agent.folder().join("token"))?;
    let bearer = format!("Bearer {}", token.trim());
    let url = stack.url("gateway", &format!("/_/v1/requests/{request}"));
    let body: Json = serde_json::from_str(&fetch("GET", &url, &[("authorization", &bearer)], None)?.body)?;
    Ok(body.get("state").and_then(Json::as_str).unwrap_or_default().to_owned())
}
