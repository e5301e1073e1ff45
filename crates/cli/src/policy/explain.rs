//! `policy explain`.

use std::{fmt::Write as _, fs, io::Read as _, net::IpAddr, path::PathBuf};

use clap::Args;
use countersign_authoring::{
    AgentMapping, Circumstances, JsonObjects, Reader, Recorded, call_of, moment, target_named,
};
use countersign_domain::{AgentId, Call, Decision, GroupName, Obligations, PersonId, Timestamp};
use countersign_policy::{Bundle, Considered, Explanation, RuleEffect, RuleOutcome, parse_duration};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{PlaceholderOptions, load, print, print_json, recorded::agent};
use crate::ending::{CliError, Ending};

pub(super) const EXAMPLES: &str = "\
Examples:
  countersign policy explain --agent deployer dynamodb:DeleteTable --parameters '{\"TableName\":\"orders\"}'
  countersign policy explain --event event.json
  countersign policy explain --agent explorer iam:GetRole --parameters '{\"RoleName\":\"app\"}' --json

Exit codes: 0 the call was decided, whatever the decision is; 2 it cannot be told what the call is.";

/// Options of `policy explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainOptions {
    /// The call, as `dynamodb:PutItem`
    #[arg(value_name = "SERVICE:OPERATION", required_unless_present = "event", conflicts_with = "event")]
    call: Option<String>,
    /// Its parameters as JSON: documented names, blobs in base64
    #[arg(long, value_name = "JSON", default_value = "{}")]
    parameters: String,
    /// Its payload, where that is a stream
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// A recorded call instead: an event of Countersign's or CloudTrail's record in JSON; `-` is stdin
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// The bundle
    #[arg(long, value_name = "DIR", default_value = "infra/bundle")]
    bundle: PathBuf,
    /// Who calls
    #[arg(long, value_name = "AGENT", value_parser = agent, required_unless_present = "event")]
    agent: Option<AgentId>,
    /// A group of the agent by its token; may be repeated. Those of the bundle are added
    #[arg(long = "group", value_name = "GROUP", value_parser = group)]
    groups: Vec<GroupName>,
    /// An owner of the agent by its token; may be repeated
    #[arg(long = "owner", value_name = "PERSON", value_parser = person)]
    owners: Vec<PersonId>,
    /// Where it acts; may be left out when the bundle has one target
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// The region; the target's first when left out
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Where the call comes from
    #[arg(long, value_name = "ADDRESS")]
    source_ip: Option<IpAddr>,
    /// When, as 2026-11-21T12:00:00Z; a fixed day in January 2026 when left out
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    at: Option<Timestamp>,
    /// How old the session is
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "1m")]
    session_age: std::time::Duration,
    /// The agent's own words
    #[arg(long, value_name = "TEXT", default_value = "")]
    task: String,
    /// Write JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    placeholders: PlaceholderOptions,
}

fn group(text: &str) -> Result<GroupName, String> {
    GroupName::new(text).map_err(|error| error.to_string())
}

fn person(text: &str) -> Result<PersonId, String> {
    PersonId::new(text).map_err(|error| error.to_string())
}

fn time(text: &str) -> Result<std::time::Duration, String> {
    parse_duration(text).ok_or_else(|| format!("`{text}` is no time, as `30s`, `10m`, `2h` or `1d`"))
}

/// Decides one call and says why.
pub(super) fn run(options: &ExplainOptions) -> Result<Ending, CliError> {
    let bundle = load::valid_bundle(&options.bundle, &options.placeholders)?;
    let (call, circumstances) = match &options.event {
        Some(path) => from_event(path, &bundle, options)?,
        None => from_line(&bundle, options)?,
    };
    let explanation = bundle.explain(&call, &circumstances.facts());
    if options.json {
        print_json(&as_json(&call, &circumstances, &explanation))?;
    } else {
        print(&readable(&call, &circumstances, &explanation))?;
    }
    Ok(Ending::Well)
}

fn usage(error: impl std::fmt::Display) -> CliError {
    CliError::Usage(error.to_string())
}

fn from_line(bundle: &Bundle, options: &ExplainOptions) -> Result<(Call, Circumstances), CliError> {
    let target = target_named(bundle.settings(), options.target.as_deref()).map_err(usage)?;
    let agent = options.agent.clone().ok_or_else(|| usage("name the agent with `--agent`"))?;
    let mut circumstances = Circumstances::new(agent, target.clone());
    circumstances.groups = options.groups.iter().cloned().collect();
    circumstances.owners = options.owners.iter().cloned().collect();
    circumstances.source_ip = options.source_ip;
    circumstances.session_age = options.session_age;
    circumstances.unverified_task.clone_from(&options.task);
    circumstances.at = options.at.unwrap_or(circumstances.at);
    let first = target.regions.first().map_or("", |region| region.as_str());
    let region = options.region.as_deref().unwrap_or(first);
    let name = options.call.as_deref().unwrap_or_default();
    let call = call_of(name, options.parameters.as_bytes(), options.body.as_deref(), region, target).map_err(usage)?;
    Ok((call, circumstances))
}

fn from_event(path: &PathBuf, bundle: &Bundle, options: &ExplainOptions) -> Result<(Call, Circumstances), CliError> {
    let mut text = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut text)
    } else {
        fs::File::open(path).and_then(|mut file| file.read_to_end(&mut text))
    };
    read.map_err(|source| CliError::File { path: path.clone(), source })?;
    let object = JsonObjects::new(text.as_slice()).next_object().map_err(usage)?;
    let object = object.ok_or_else(|| usage(format!("`{}` holds no event", path.display())))?;
    let agents = AgentMapping { everyone: options.agent.clone(), ..AgentMapping::default() };
    match Reader::new(bundle.settings(), &agents).read(&object) {
        Recorded::Call(recorded) => {
            if recorded.in_part {
                eprintln!("note: the event tells the parameters in part; what is not known counts as every resource");
            }
            let mut circumstances = recorded.circumstances;
            circumstances.groups.extend(options.groups.iter().cloned());
            circumstances.owners.extend(options.owners.iter().cloned());
            Ok((recorded.call, circumstances))
        }
        Recorded::Refused { operation, reason, .. } => {
            Err(usage(format!("the gateway refuses `{operation}` before policy is asked: {reason}")))
        }
        Recorded::Skipped(reason) => Err(usage(format!("`{}` holds no call: {reason}", path.display()))),
        Recorded::Unmapped { reason, what } => Err(usage(format!("the call cannot be told: {reason}: `{what}`"))),
    }
}

fn readable(call: &Call, circumstances: &Circumstances, explanation: &Explanation) -> String {
    let mut text = String::new();
    let decision = &explanation.verdict.decision;
    let _ = writeln!(
        text,
        "{} by {} in {} ({}): {}",
        call.name(),
        circumstances.agent,
        circumstances.target.name,
        call.region,
        told(decision)
    );
    match decision {
        Decision::Deny { reason, .. } => {
            let _ = writeln!(text, "  {reason}");
        }
        Decision::NeedsApproval { obligations, .. } => {
            let _ = writeln!(text, "  {}", obliges(obligations));
        }
        Decision::Allow { .. } => {}
    }
    for hit in decision.rules() {
        let _ = writeln!(text, "  {}: {}", hit.rule, hit.reason);
    }
    for (permission, verdict) in call.permissions.iter().zip(&explanation.verdict.per_permission) {
        let classes: Vec<_> = permission.classes.iter().map(|class| class.as_str()).collect();
        let classes = if classes.is_empty() { String::new() } else { format!(", {}", classes.join(", ")) };
        let exact =
            if permission.resource.known().is_some() { "" } else { ", not known exactly: counts as every resource" };
        let _ = writeln!(
            text,
            "\n{} on {} ({}{classes}{exact}): {}",
            permission.action,
            permission.resource.as_str(),
            permission.level.as_str(),
            told(&verdict.decision)
        );
        let of_permission =
            |one: &&Considered| one.action == permission.action && one.resource == permission.resource.as_str();
        for one in explanation.considered.iter().filter(of_permission) {
            considered(&mut text, one);
        }
    }
    text
}

fn told(decision: &Decision) -> &'static str {
    match decision {
        Decision::Deny { .. } => "denied",
        Decision::NeedsApproval { .. } => "needs approval",
        Decision::Allow { .. } => "allowed",
    }
}

fn obliges(obligations: &Obligations) -> String {
    let groups: Vec<_> = obligations.approvals.iter().map(|(group, quorum)| format!("{quorum} of {group}")).collect();
    let mut parts = vec![groups.join(" and "), format!("within {} s", obligations.expires.as_secs())];
    if !obligations.min_review.is_zero() {
        parts.push(format!("after looking for {} s", obligations.min_review.as_secs()));
    }
    if obligations.confirm_resource {
        parts.push("typing the resource's name".to_owned());
    }
    parts.join(", ")
}

/// One line for a rule, and what would have to hold for it to decide.
fn considered(text: &mut String, one: &Considered) {
    let shadow = if one.shadow { ", shadow" } else { "" };
    let outcome = match &one.outcome {
        RuleOutcome::Matches => "matches".to_owned(),
        RuleOutcome::MayMatch => "may match, as the resource is not known".to_owned(),
        RuleOutcome::Errs(error) => format!("cannot be evaluated, so the call is denied: {error}"),
        RuleOutcome::Fails if one.unmet.is_empty() => "would match a resource that is known".to_owned(),
        RuleOutcome::Fails => format!("would match with {}", one.unmet.join(" and ")),
    };
    let _ = writeln!(text, "  {:<8} {} ({}:{}{shadow}): {outcome}", effect(one.effect), one.rule, one.file, one.line);
}

fn effect(effect: RuleEffect) -> &'static str {
    match effect {
        RuleEffect::Forbid => "forbid",
        RuleEffect::Approval => "approval",
        RuleEffect::Permit => "permit",
    }
}

#[derive(Serialize)]
struct RuleJson<'a> {
    rule: &'a str,
    file: &'a str,
    line: u32,
    effect: &'static str,
    shadow: bool,
    outcome: &'static str,
    error: Option<&'a str>,
    /// What would have to hold.
    unmet: &'a [String],
    reason: Option<&'a str>,
    action: &'a str,
    resource: &'a str,
}

fn as_json(call: &Call, circumstances: &Circumstances, explanation: &Explanation) -> Json {
    let rules = |decision: &Decision| {
        decision.rules().iter().map(|hit| json!({ "rule": hit.rule, "reason": hit.reason })).collect::<Json>()
    };
    let permissions = call.permissions.iter().zip(&explanation.verdict.per_permission).map(|(permission, verdict)| {
        json!({
            "action": permission.action,
            "resource": permission.resource.as_str(),
            "exact": permission.resource.known().is_some(),
            "level": permission.level.as_str(),
            "classes": permission.classes.iter().map(|class| class.as_str()).collect::<Vec<_>>(),
            "decision": verdict.decision.as_str(),
        })
    });
    let considered = explanation.considered.iter().map(|one| RuleJson {
        rule: &one.rule,
        file: &one.file,
        line: one.line,
        effect: effect(one.effect),
        shadow: one.shadow,
        outcome: match one.outcome {
            RuleOutcome::Matches => "matches",
            RuleOutcome::MayMatch => "may-match",
            RuleOutcome::Fails => "fails",
            RuleOutcome::Errs(_) => "errs",
        },
        error: if let RuleOutcome::Errs(error) = &one.outcome { Some(error) } else { None },
        unmet: &one.unmet,
        reason: one.reason.as_deref(),
        action: &one.action,
        resource: &one.resource,
    });
    let decision = &explanation.verdict.decision;
    let reason = if let Decision::Deny { reason, .. } = decision { Some(reason) } else { None };
    let obligations = if let Decision::NeedsApproval { obligations, .. } = decision {
        Some(json!({
            "approvals": obligations.approvals.iter().map(|(group, quorum)| (group.as_str().to_owned(), Json::from(*quorum))).collect::<serde_json::Map<_, _>>(),
            "expires_seconds": obligations.expires.as_secs(),
            "min_review_seconds": obligations.min_review.as_secs(),
            "confirm": obligations.confirm_resource,
        }))
    } else {
        None
    };
    json!({
        "operation": call.name(),
        "agent": circumstances.agent.as_str(),
        "target": circumstances.target.name.as_str(),
        "region": call.region,
        "decision": decision.as_str(),
        "reason": reason,
        "obligations": obligations,
        "rules": rules(decision),
        "permissions": permissions.collect::<Vec<_>>(),
        "considered": considered.map(|one| serde_json::to_value(one).unwrap_or_default()).collect::<Vec<_>>(),
    })
}
