//! The main job: held, approved by a person, run once, collected.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign_tests::{
    agent::Agent,
    approver::{Approver, await_message, fetch, link_in, messages},
    browser,
    stack::Stack,
};
use serde_json::{Value as Json, json};

use super::{
    Test,
    stage::{TRUST, approve, await_state, decide, fresh, held, sent, state, upstream},
};

pub(crate) const TESTS: &[Test] = &[
    ("a held role is approved in a browser, created once, and collected by repeating the call", in_a_browser),
    ("the same by the aws cli", by_the_cli),
    ("a call in no class is approved by a code from mail", by_emailed_code),
    ("a code from mail is not enough for a call in a class", no_code_for_classes),
    ("a denial reaches the agent with the person's words and holds for a while", denial),
    ("neither the owner nor a stranger can approve", owner_and_stranger),
    ("a link that is fetched a hundred times decides nothing", links_decide_nothing),
    ("an approval without reading the very call is refused", stale_digest),
    ("a repeated call is one request, another call another", one_request),
    ("the agent's words cannot change the page", hostile_words),
];

fn role(name: &str) -> Json {
    json!({"RoleName": name, "AssumeRolePolicyDocument": TRUST, "Description": "made by an agent"})
}

fn in_a_browser(stack: &Stack) -> Result<()> {
    let name = fresh("browser-role");
    let mut agent = Agent::new(stack, "deployer", "roll-out-42")?;
    let (request, refused) = held(&mut agent, "iam", "create_role", &role(&name))?;
    ensure!(refused.message.contains("/_/v1/requests/"), "where to wait is not said: {}", refused.message);
    ensure!(sent(stack, "CreateRole", &name)? == 0, "it was sent before anybody approved");
    let mail = await_message(stack, "ann@example.com", |message| message.text.contains(&request))?;
    ensure!(!mail.text.contains(&name), "the mail tells what only the page may");
    let folder = tempfile::tempdir()?;
    let visit = browser::decide(&link_in(stack, &mail)?, "ann", "approve", "reviewed with the team", folder.path())?;
    let before = visit.before;
    for shown in [name.as_str(), "iam:CreateRole", "aws iam create-role", "roll-out-42", "deployer", &request] {
        ensure!(before.contains(shown), "the page does not show `{shown}`:\n{before}");
    }
    ensure!(visit.complaints.is_empty(), "the browser complains: {:?}", visit.complaints);
    await_state(&mut agent, stack, &request, &["answered"], 30)?;
    let created = agent.must("iam", "create_role", role(&name))?;
    ensure!(created.pointer("/Role/RoleName") == Some(&json!(name)), "collected: {created}");
    ensure!(sent(stack, "CreateRole", &name)? == 1, "sent {} times", sent(stack, "CreateRole", &name)?);
    let seen = upstream(stack, "iam", "get_role", json!({"RoleName": name}))?;
    ensure!(seen.pointer("/Role/Description") == Some(&json!("made by an agent")), "{seen}");
    ensure!(state(&mut agent, stack, &request)? == "delivered", "not closed");
    Ok(())
}

fn by_the_cli(stack: &Stack) -> Result<()> {
    let name = fresh("cli-role");
    let agent = Agent::new(stack, "deployer", "from-the-cli")?;
    let arguments = ["iam", "create-role", "--role-name", &name, "--assume-role-policy-document", TRUST];
    let output = agent.cli(&arguments)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success() && said.contains("ApprovalRequired"), "the CLI said: {said}");
    let request =
        countersign_tests::agent::Refused { class: String::new(), code: String::new(), message: said }.request_id()?;
    approve(stack, "ann", &request)?;
    let mut same = Agent::new(stack, "deployer", "waiting")?;
    await_state(&mut same, stack, &request, &["answered"], 30)?;
    let output = agent.cli(&arguments)?;
    let role: Json =
        serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    ensure!(role.pointer("/Role/RoleName") == Some(&json!(name)), "collected: {role}");
    ensure!(sent(stack, "CreateRole", &name)? == 1, "not sent exactly once");
    Ok(())
}

/// The value of a hidden field of a page.
fn hidden(page: &str, name: &str) -> Result<String> {
    let at = page.find(&format!("name=\"{name}\"")).with_context(|| format!("no field `{name}` in {page}"))?;
    let rest = page.split_at(at).1;
    let value = rest.split("value=\"").nth(1).and_then(|rest| rest.split('"').next());
    value.map(str::to_owned).context("the field has no value")
}

fn form(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(
                |byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") },
            )
            .collect()
    };
    fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];

fn by_emailed_code(stack: &Stack) -> Result<()> {
    let name = fresh("coded-queue");
    let mut agent = Agent::new(stack, "deployer", "needs-a-queue")?;
    let parameters = json!({"QueueName": name});
    let (request, _) = held(&mut agent, "sqs", "create_queue", &parameters)?;
    let mail = await_message(stack, "ben@example.com", |message| message.text.contains(&request))?;
    let link = link_in(stack, &mail)?;
    let first = fetch("GET", &link, &[], None)?;
    ensure!(first.status == 200 && !first.body.contains(&name), "the link alone shows the call: {}", first.body);
    let asked = fetch("POST", &format!("{link}/code"), FORM, Some(""))?;
    ensure!(asked.status == 200, "no code: {} {}", asked.status, asked.body);
    let letter = await_message(stack, "ben@example.com", |message| {
        message.subject.contains("code") && message.text.contains(&request)
    })?;
    let code =
        letter.text.split_whitespace().find(|word| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit()));
    let code = code.context("no code in the mail")?;
    let wrong = if code == "00000000" { "00000001" } else { "00000000" };
    let refused = fetch("POST", &format!("{link}/open"), FORM, Some(&form(&[("code", wrong)])))?;
    ensure!(refused.status == 403, "a wrong code: {}", refused.status);
    let page = fetch("POST", &format!("{link}/open"), FORM, Some(&form(&[("code", code)])))?;
    ensure!(page.status == 200 && page.body.contains(&name), "the call is not shown: {} {}", page.status, page.body);
    let again = fetch("POST", &format!("{link}/open"), FORM, Some(&form(&[("code", code)])))?;
    ensure!(again.status == 403, "a code was taken twice");
    let decision = form(&[
        ("verdict", "approve"),
        ("reason", "a queue is fine"),
        ("frozen_digest", &hidden(&page.body, "frozen_digest")?),
        ("proof", &hidden(&page.body, "proof")?),
    ]);
    let done = fetch("POST", &format!("{link}/decision"), FORM, Some(&decision))?;
    ensure!(done.status == 200 && done.body.contains("Approved"), "{} {}", done.status, done.body);
    ensure!(fetch("GET", &link, &[], None)?.status == 410, "a used link opens");
    await_state(&mut agent, stack, &request, &["answered"], 30)?;
    let queue = agent.must("sqs", "create_queue", parameters)?;
    ensure!(queue.get("QueueUrl").and_then(Json::as_str).is_some_and(|url| url.contains(&name)), "{queue}");
    ensure!(sent(stack, "CreateQueue", &name)? == 1, "not sent exactly once");
    Ok(())
}

fn no_code_for_classes(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "deployer", "removes-a-queue")?;
    let queue = upstream(stack, "sqs", "create_queue", json!({"QueueName": fresh("doomed")}))?;
    let (request, _) = held(&mut agent, "sqs", "delete_queue", &json!({"QueueUrl": queue.get("QueueUrl")}))?;
    let mail = await_message(stack, "ben@example.com", |message| message.text.contains(&request))?;
    let link = link_in(stack, &mail)?;
    let asked = fetch("POST", &format!("{link}/code"), FORM, Some(""))?;
    ensure!(asked.status == 403, "a code was sent: {} {}", asked.status, asked.body);
    Ok(())
}

fn denial(stack: &Stack) -> Result<()> {
    let name = fresh("denied-role");
    let mut agent = Agent::new(stack, "deployer", "hopes")?;
    let (request, _) = held(&mut agent, "iam", "create_role", &role(&name))?;
    decide(stack, "ann", &request, "deny")?;
    let refused = agent.must_fail("iam", "create_role", role(&name))?;
    ensure!(refused.code == "AccessDenied", "{refused:?}");
    ensure!(refused.message.contains("checked by a test") && refused.message.contains(&request), "{refused:?}");
    ensure!(
        agent.must_fail("iam", "create_role", role(&name))?.message.contains(&request),
        "a new request in the cool-down"
    );
    ensure!(sent(stack, "CreateRole", &name)? == 0, "a denied call was sent");
    Ok(())
}

fn owner_and_stranger(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "deployer", "asks")?;
    let (request, _) = held(&mut agent, "iam", "create_role", &role(&fresh("owned-role")))?;
    let order = json!({"verdict": "approve", "reason": "mine"});
    let owner = Approver::new(stack, "carol")?;
    let seen = owner.look(stack, &request)?;
    ensure!(seen.status == 200, "an owner may look: {} {}", seen.status, seen.body);
    let refused = owner.decide(stack, &request, &order)?;
    ensure!(refused.status == 403, "the owner approved: {} {}", refused.status, refused.body);
    for stranger in ["mallory", "deployer"] {
        let answer = Approver::new(stack, stranger)?.look(stack, &request)?;
        ensure!(matches!(answer.status, 401 | 403 | 404), "{stranger} saw it: {}", answer.status);
    }
    // The agent's own token is no person's.
    let token = stack.token(&["--agent", "deployer"])?;
    let bearer = format!("Bearer {token}");
    let url = stack.url("approvals", &format!("/requests/{request}"));
    ensure!(fetch("GET", &url, &[("authorization", &bearer)], None)?.status == 401, "an agent's token opened the page");
    ensure!(state(&mut agent, stack, &request)? == "pending", "decided");
    Ok(())
}

fn links_decide_nothing(stack: &Stack) -> Result<()> {
    let name = fresh("scanned-queue");
    let mut agent = Agent::new(stack, "deployer", "is-scanned")?;
    let (request, _) = held(&mut agent, "sqs", "create_queue", &json!({"QueueName": name}))?;
    let mail = await_message(stack, "ann@example.com", |message| message.text.contains(&request))?;
    let link = link_in(stack, &mail)?;
    let page = stack.url("approvals", &format!("/requests/{request}"));
    for round in 0..100 {
        let method = if round % 3 == 0 { "HEAD" } else { "GET" };
        ensure!(fetch(method, &link, &[], None)?.status == 200, "the link does not open");
    }
    let digest = "0".repeat(64);
    let guesses = [
        form(&[("verdict", "approve"), ("reason", "x"), ("frozen_digest", &digest)]),
        form(&[("verdict", "approve"), ("reason", "x"), ("frozen_digest", &digest), ("proof", "AAAA")]),
        form(&[("verdict", "approve"), ("reason", "x"), ("frozen_digest", &digest), ("form_token", "AAAA")]),
        form(&[("code", "12345678")]),
        String::new(),
    ];
    for guess in &guesses {
        for url in
            [format!("{link}/decision"), format!("{link}/open"), format!("{page}/decision"), link.clone(), page.clone()]
        {
            let answer = fetch("POST", &url, FORM, Some(guess))?;
            ensure!((400..500).contains(&answer.status), "POST {url} `{guess}`: {} {}", answer.status, answer.body);
        }
    }
    for query in ["?verdict=approve&reason=x", "/decision?verdict=approve", "/approve", "/decision"] {
        let answer = fetch("GET", &format!("{link}{query}"), &[], None)?;
        ensure!(answer.status < 500, "{query}: {}", answer.status);
    }
    ensure!(state(&mut agent, stack, &request)? == "pending", "something decided");
    ensure!(sent(stack, "CreateQueue", &name)? == 0, "something was sent");
    Ok(())
}

fn stale_digest(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "deployer", "asks")?;
    let (request, _) = held(&mut agent, "iam", "create_role", &role(&fresh("stale-role")))?;
    let ann = Approver::new(stack, "ann")?;
    let refused =
        ann.decide(stack, &request, &json!({"verdict": "approve", "reason": "x", "frozen_digest": "0".repeat(64)}))?;
    ensure!(refused.status == 409, "{} {}", refused.status, refused.body);
    let refused = ann.decide(stack, &request, &json!({"verdict": "approve", "reason": "  "}))?;
    ensure!(refused.status == 400, "no reason was asked: {}", refused.body);
    let refused = ann.decide(stack, &request, &json!({"verdict": "yes", "reason": "x"}))?;
    ensure!(refused.status == 400, "{}", refused.body);
    ensure!(state(&mut agent, stack, &request)? == "pending", "decided");
    Ok(())
}

fn one_request(stack: &Stack) -> Result<()> {
    let name = fresh("once-role");
    let mut agent = Agent::new(stack, "deployer", "asks-twice")?;
    let (first, _) = held(&mut agent, "iam", "create_role", &role(&name))?;
    let (second, _) = held(&mut agent, "iam", "create_role", &role(&name))?;
    ensure!(first == second, "the same call is two requests");
    let (third, _) = held(&mut agent, "iam", "create_role", &role(&fresh("other-role")))?;
    ensure!(first != third, "two calls are one request");
    std::thread::sleep(Duration::from_millis(500));
    let mails =
        messages(stack)?.into_iter().filter(|mail| mail.to.contains("ann@") && mail.text.contains(&first)).count();
    ensure!(mails == 1, "{mails} mails about one request");
    Ok(())
}

fn hostile_words(stack: &Stack) -> Result<()> {
    let name = fresh("hostile-role");
    let mut agent = Agent::new(stack, "deployer", "task")?;
    let description = "<script>alert(1)</script>\u{202e}evil\u{200b} \"quoted\" 'x'";
    let mut parameters = role(&name);
    if let Some(fields) = parameters.as_object_mut() {
        fields.insert("Description".to_owned(), json!("</pre><form action=//evil><b>Approved by security</b>"));
        fields.insert("Tags".to_owned(), json!([{"Key": "note", "Value": "bold plain"}]));
    }
    let (request, _) = held(&mut agent, "iam", "create_role", &parameters)?;
    let cookie_page = Approver::new(stack, "ann")?.look(stack, &request)?;
    ensure!(cookie_page.status == 200, "{}", cookie_page.body);
    let bearer = format!("Bearer {}", stack.token(&["--person", "ann"])?);
    let page = fetch(
        "GET",
        &stack.url("approvals", &format!("/requests/{request}")),
        &[("authorization", &bearer), ("accept", "text/html")],
        None,
    )?;
    ensure!(page.status == 200, "{}", page.body);
    ensure!(
        !page.body.contains("<form action=//evil>") && !page.body.contains(description),
        "unescaped: {}",
        page.body
    );
    ensure!(page.body.contains("&lt;form action=//evil&gt;"), "not shown: {}", page.body);
    ensure!(page.policy.as_deref().is_some_and(|policy| policy.contains("default-src 'none'")), "{:?}", page.policy);
    Ok(())
}
