//! What README.md and docs/ say, held against what is there: commands, rules, settings, links, variables, parameters.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use countersign_policy::Bundle;
use countersign_tests::{
    markdown::{self, Block, Document, anchor_of},
    stack::{root, xtask},
};

/// The blocks that need a running stack. The end-to-end tests run each as it stands in the documents; the others are
/// for AWS itself or start the stack.
const ON_A_STACK: [&str; 14] = [
    "agent-credential-process",
    "agent-environment",
    "agent-first-call",
    "agent-service-endpoint",
    "agent-session",
    "agent-wait",
    "approver-decide",
    "approver-environment",
    "approver-look",
    "inbox",
    "operator-functions",
    "operator-stop",
    "record-by-request",
    "record-by-session",
];

/// README.md and everything in docs/ that people wrote.
fn documents() -> Result<Vec<Document>> {
    let mut paths = vec!["README.md".to_owned()];
    for entry in fs::read_dir(root().join("docs"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // That one is written by the builder of the permissions.
        if name.ends_with(".md") && name != "catalogue-coverage.md" {
            paths.push(format!("docs/{name}"));
        }
    }
    paths.sort();
    paths.into_iter().map(|path| Document::read(&root(), path)).collect()
}

/// The blocks in any of `languages`.
fn blocks(languages: &[&str]) -> Result<Vec<Block>> {
    let all = documents()?.into_iter().flat_map(|document| document.blocks);
    Ok(all.filter(|block| languages.contains(&block.language.as_str())).collect())
}

fn xtask_help(task: &str) -> Result<String> {
    let output = xtask().args([task, "--help"]).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "`cargo xtask {task} --help` failed");
    Ok(String::from_utf8(output.stdout)?)
}

/// The words after `cargo xtask` of every such command in `text`, up to what ends a command in a shell.
fn xtask_commands(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let rests = joined.split("cargo xtask ").skip(1);
    rests
        .map(|rest| {
            let command = rest.split(['\n', '|', '&', ';', '>', '<', ')', '`', '#']).next().unwrap_or_default();
            command.split_whitespace().map(str::to_owned).collect()
        })
        .collect()
}

#[test]
fn every_command_of_ours_exists_with_its_options() -> Result<()> {
    let mut help: BTreeMap<String, String> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for document in documents()? {
        for words in xtask_commands(&document.text) {
            let Some((task, options)) = words.split_first() else { continue };
            let place = format!("{}: `cargo xtask {}`", document.path, words.join(" "));
            if !help.contains_key(task) {
                help.insert(task.clone(), xtask_help(task).with_context(|| place.clone())?);
            }
            let known = help.get(task).context("no help")?;
            for option in options.iter().take_while(|word| *word != "--").filter(|word| word.starts_with("--")) {
                let name = option.split('=').next().unwrap_or_default();
                let is_known = known.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'));
                ensure!(is_known.into_iter().any(|word| word == name), "{place}: there is no `{name}`");
            }
            seen.insert(task.clone());
        }
    }
    for task in ["demo", "test", "up", "token"] {
        ensure!(seen.contains(task), "`cargo xtask {task}` is documented nowhere");
    }
    Ok(())
}

#[test]
fn every_shell_block_is_sound_and_says_how_it_is_checked() -> Result<()> {
    let mut on_a_stack = Vec::new();
    for block in blocks(&["sh"])? {
        let output = Command::new("bash").args(["-n", "-c", &block.text]).output()?;
        ensure!(output.status.success(), "{}: {}", block.place, String::from_utf8_lossy(&output.stderr));
        match block.check.as_deref().and_then(|check| check.split_once(' ')).unwrap_or_default() {
            ("stack", name) => on_a_stack.push(name.to_owned()),
            // `program`: the tests of crates/cli run it as it stands.
            _ => ensure!(
                ["syntax", "program"].contains(&block.check.as_deref().unwrap_or_default()),
                "{}: put `<!-- check: syntax -->`, `<!-- check: program -->` or `<!-- check: stack NAME -->` before it",
                block.place
            ),
        }
    }
    on_a_stack.sort();
    ensure!(on_a_stack == ON_A_STACK, "blocks for a stack: {on_a_stack:?}");
    Ok(())
}

/// What the placeholders of the default settings stand for here.
fn variable(name: &str) -> Option<String> {
    let role = |kind: &str| format!("arn:aws:iam::123456789012:role/countersign-target-{kind}");
    Some(match name {
        "COUNTERSIGN_AGENT_ISSUER" => "https://agents.example.com".to_owned(),
        "COUNTERSIGN_AGENT_AUDIENCE" => "countersign".to_owned(),
        "COUNTERSIGN_PERSON_ISSUER" => "https://people.example.com".to_owned(),
        "COUNTERSIGN_PERSON_CLIENT_ID" => "approvals".to_owned(),
        "COUNTERSIGN_TARGET_ACCOUNT" => "123456789012".to_owned(),
        "COUNTERSIGN_TARGET_REGION" => "eu-central-1".to_owned(),
        "COUNTERSIGN_TARGET_AUTO_ROLE" => role("auto"),
        "COUNTERSIGN_TARGET_APPROVED_ROLE" => role("approved"),
        "COUNTERSIGN_EMAIL_FROM" => "countersign@example.com".to_owned(),
        "COUNTERSIGN_SNS_TOPIC" => "arn:aws:sns:eu-central-1:111122223333:countersign-requests".to_owned(),
        _ => return None,
    })
}

const SETTINGS: &str = "countersign.toml";

fn default_settings() -> Result<String> {
    Ok(fs::read_to_string(root().join("infra/bundle").join(SETTINGS))?)
}

fn load(place: &str, rules: Option<&str>, settings: String) -> Result<()> {
    let mut files = vec![(SETTINGS.to_owned(), settings)];
    files.extend(rules.map(|rules| ("example.cedar".to_owned(), rules.to_owned())));
    Bundle::from_sources(files, variable, &[]).with_context(|| format!("{place} does not load"))?;
    Ok(())
}

#[test]
fn every_rule_loads() -> Result<()> {
    let rules = blocks(&["cedar"])?;
    ensure!(!rules.is_empty(), "there is no example of a rule");
    for block in rules {
        load(&block.place, Some(&block.text), default_settings()?)?;
    }
    Ok(())
}

/// Each example takes the place of the tables of the same names in the default settings.
#[test]
fn every_setting_loads() -> Result<()> {
    let examples = blocks(&["toml"])?;
    ensure!(!examples.is_empty(), "there is no example of a setting");
    // `cases` are no settings: the tests of crates/authoring run them.
    for block in examples.into_iter().filter(|block| block.check.as_deref() != Some("cases")) {
        let mut settings: toml::Table = default_settings()?.parse()?;
        let example: toml::Table = block.text.parse().with_context(|| block.place.clone())?;
        settings.extend(example);
        load(&block.place, None, toml::to_string(&settings)?)?;
    }
    Ok(())
}

#[test]
fn every_link_leads_somewhere() -> Result<()> {
    for document in documents()? {
        for link in &document.links {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { root().join(&document.path) } else { document.beside(&root(), path) };
            ensure!(target.exists(), "{}: `{link}` leads to nothing", document.path);
            if !anchor.is_empty() {
                let text = fs::read_to_string(&target)?;
                let found = markdown::headings(&text).any(|heading| anchor_of(heading) == anchor);
                ensure!(found, "{}: `{link}` names no heading", document.path);
            }
        }
    }
    Ok(())
}

/// `COUNTERSIGN_…` names in `text`; the short form `…_NAME` of a table is written out.
fn variables(text: &str) -> BTreeSet<String> {
    let written_out = text.replace("…_", "COUNTERSIGN_");
    let is_part = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
    let words = written_out.split(|letter| !is_part(letter));
    words
        .filter(|word| word.strip_prefix("COUNTERSIGN_").is_some_and(|rest| !rest.is_empty()))
        .map(str::to_owned)
        .collect()
}

/// The part of a Markdown text below the heading `title`.
fn section<'a>(text: &'a str, title: &str) -> Result<&'a str> {
    let (_, after) = text.split_once(&format!("\n## {title}\n")).with_context(|| format!("no section `{title}`"))?;
    Ok(after.split("\n## ").next().unwrap_or(after))
}

/// That the template sets what the architecture lists is another test's work.
#[test]
fn every_variable_is_one_that_the_architecture_lists() -> Result<()> {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md"))?;
    let listed = variables(section(&architecture, "Settings of the functions")?);
    for document in documents()? {
        let unknown: Vec<_> = variables(&document.text).difference(&listed).cloned().collect();
        ensure!(unknown.is_empty(), "{}: {unknown:?} are not in the table of ARCHITECTURE.md", document.path);
    }
    Ok(())
}

/// The names of a template's parameters.
fn parameters(template: &str) -> Result<BTreeSet<String>> {
    let text = fs::read_to_string(root().join(template))?;
    let lines = text.lines().skip_while(|line| *line != "Parameters:").skip(1);
    let section = lines.take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    let names =
        section.filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':').filter(|name| !name.starts_with(' ')));
    Ok(names.map(str::to_owned).collect())
}

/// The names in the first column of the tables in `text`.
fn first_column(text: &str) -> BTreeSet<String> {
    let cells = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    cells.map(str::to_owned).collect()
}

#[test]
fn parameters_are_the_same_in_the_documents_and_the_templates() -> Result<()> {
    let operators = fs::read_to_string(root().join("docs/operators.md"))?;
    for (title, template) in [
        ("Parameters of the stack", "infra/template.yaml"),
        ("Parameters of a target account", "infra/target-account.yaml"),
    ] {
        let (told, declared) = (first_column(section(&operators, title)?), parameters(template)?);
        ensure!(!declared.is_empty() && told == declared, "docs/operators.md has {told:?}, {template} {declared:?}");
    }
    Ok(())
}

/// The members that a `#[serde]` structure of the settings has.
fn fields_of(source: &str, structure: &str) -> Result<BTreeSet<String>> {
    let (_, after) =
        source.split_once(&format!("pub struct {structure} {{\n")).with_context(|| structure.to_owned())?;
    let body = after.split("\n}\n").next().unwrap_or_default();
    let names = body.lines().filter_map(|line| line.trim_start().strip_prefix("pub ")?.split(':').next());
    Ok(names.map(str::to_owned).collect())
}

#[test]
fn every_setting_is_documented() -> Result<()> {
    let read = |path: &str| fs::read_to_string(root().join("crates/domain/src").join(path));
    let source = read("settings.rs")? + &read("limits/settings.rs")?;
    let policy = fs::read_to_string(root().join("docs/policy.md"))?;
    for (title, structure) in [
        ("`[limits]`", "Limits"),
        ("`[[limits.rate]]`", "RateLimit"),
        ("`[[agent_issuers]]`", "AgentIssuer"),
        ("`[[person_issuers]]`", "PersonIssuer"),
        ("`[[targets]]`", "Target"),
        ("`[[agents]]`", "AgentEntry"),
        ("`[[persons]]`", "Person"),
        ("`[channels]`", "Channels"),
        ("`[masking]`", "Masking"),
    ] {
        let (_, after) = policy.split_once(&format!("\n### {title}\n")).with_context(|| title.to_owned())?;
        let told = first_column(after.split("\n### ").next().unwrap_or_default());
        let declared = fields_of(&source, structure)?;
        ensure!(told == declared, "docs/policy.md has {told:?} in {title}, and `{structure}` is {declared:?}");
    }
    Ok(())
}

/// The text of the item of `source` that begins with `head`, up to a line that closes it at its own depth.
fn item<'a>(source: &'a str, head: &str) -> Result<&'a str> {
    let start = source.find(head).with_context(|| format!("there is no `{head}`"))?;
    let line = source.get(..start).and_then(|before| before.rsplit('\n').next()).unwrap_or_default();
    let depth = " ".repeat(line.len() - line.trim_start().len());
    let rest = source.get(start..).unwrap_or_default();
    let end = [format!("\n{depth}}}\n"), format!("\n{depth}];\n"), "];\n".to_owned()];
    let length = end.iter().filter_map(|end| rest.find(end.as_str())).min().unwrap_or(rest.len());
    rest.get(..length).context("the item cannot be cut out")
}

/// The string literals of a piece of code, comments aside.
fn literals(code: &str) -> BTreeSet<String> {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Stable names that people and scripts meet, and the document that explains each.
#[test]
fn every_name_that_is_told_is_explained() -> Result<()> {
    let read = |path: &str| fs::read_to_string(root().join(path)).with_context(|| path.to_owned());
    for (source, head, document) in [
        ("functions/gateway/src/denial.rs", "fn code(", "docs/agents.md"),
        ("functions/approvals/src/problem.rs", "fn name(", "docs/approvers.md"),
        ("crates/domain/src/request.rs", "fn as_str(", "docs/agents.md"),
        ("crates/policy/src/annotation.rs", "const KNOWN", "docs/policy.md"),
        ("crates/policy/src/vocabulary.rs", "const RESOURCE_ATTRIBUTES", "docs/policy.md"),
        ("crates/policy/src/vocabulary.rs", "fn class_group(", "docs/policy.md"),
    ] {
        let names = literals(item(&read(source)?, head)?);
        ensure!(names.len() > 3, "{source}: `{head}` cannot be read: {names:?}");
        let text = read(document)?;
        let is_told = |name: &String| {
            [format!("`{name}`"), format!("`@{name}`"), format!(".{name}`"), format!("\"{name}\"")]
                .iter()
                .any(|form| text.contains(form.as_str()))
        };
        let missing: Vec<_> = names.iter().filter(|name| !is_told(name)).collect();
        ensure!(missing.is_empty(), "{document} does not explain {missing:?} of {source}");
    }
    Ok(())
}
