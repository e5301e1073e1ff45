//! How long decisions and loading take: `cargo bench -p countersign-policy`.
//!
//! Decisions by a bundle beside the same decisions by plain Cedar over the whole set, in the same
//! run, on one thread. Times are medians; those of loading and of a first decision are times on the
//! processor. Memory is what a process holds more after loading the compiled form.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt::Write as _,
    hint::black_box,
    io::Write as _,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cedar_policy::{Authorizer, Context, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression};
use countersign_domain::{
    AccessLevel, AgentId, Call, Classes, OutgoingRequest, Permission, Protocol, Resource, Timestamp, Upstream, Value,
};
use countersign_policy::{Bundle, COMPILED_FILE, Facts, compile};

const SETTINGS: &str = include_str!("../tests/policy/countersign.toml");

const ARN: &str = "arn:aws:dynamodb:eu-central-1:111122223333:table/app-3-orders";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    if let Some(folder) = std::env::var_os(MEMORY_OF) {
        let before = resident_kilobytes();
        let bundle = Bundle::load(Path::new(&folder), |_| None, &[])?;
        writeln!(out, "{}", resident_kilobytes().saturating_sub(before))?;
        drop(black_box(bundle));
        return Ok(());
    }
    writeln!(out, "rules   candidates  decide   unindexed Cedar  load text  load compiled  first decision  memory")?;
    // The sizes may be given: `cargo bench -p countersign-policy -- 100`.
    let given: Vec<usize> = std::env::args().filter_map(|size| size.parse().ok()).collect();
    for count in if given.is_empty() { vec![100, 1_000, 10_000] } else { given } {
        measure(count, &mut out)?;
    }
    Ok(())
}

/// Ten rules about everything, five about the measured action, the rest about others.
fn rules(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let rule = match number {
            0..5 => format!(
                "@id(\"broad{number}\") forbid(principal, action, resource)
                 when {{ resource.name like \"never-{number}-*\" && context.region == \"eu-north-1\" }};"
            ),
            5..10 => format!(
                "@id(\"level{number}\") @approval(\"approvers\") @reason(\"held by level\")
                 permit(principal in Group::\"group{number}\", action in Action::\"level:Write\", resource);"
            ),
            10..15 => format!(
                "@id(\"put{number}\") permit(principal in Group::\"deployers\", action == Action::\"dynamodb:PutItem\", resource)
                 when {{ resource.name like \"app-{}-*\" && context.params has TableName }};",
                number - 10
            ),
            _ => format!(
                "@id(\"rule{number}\") @reason(\"for application {number}\")
                 permit(principal in Group::\"group{}\", action == Action::\"service{}:Operation{number}\", resource)
                 when {{ resource.name like \"app-{number}-*\" && context.session.age_seconds < 3600 }};",
                number % 50,
                number % 200
            ),
        };
        let _ = writeln!(text, "{rule}");
    }
    text
}

fn measure(count: usize, out: &mut impl std::io::Write) -> Result<(), Box<dyn std::error::Error>> {
    let text = rules(count);
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("rules.cedar"), &text)?;
    std::fs::write(folder.path().join("countersign.toml"), SETTINGS)?;
    let load = || Bundle::load(folder.path(), |_| None, &[]);
    let load_text = on_processor(|| drop(black_box(load())));
    std::fs::write(folder.path().join(COMPILED_FILE), compile(folder.path())?)?;
    std::fs::remove_file(folder.path().join("rules.cedar"))?;
    let load_compiled = median((0..11).map(|_| on_processor(|| drop(black_box(load())))).collect());
    let memory = memory_of_loading(folder.path())?;
    let bundle = load()?;

    let call = call();
    let agent = AgentId::new("deployer")?;
    let facts = Facts {
        agent: &agent,
        agent_groups: &BTreeSet::new(),
        owners: &BTreeSet::new(),
        target: bundle.settings().targets.first().ok_or("no target")?,
        session_age: Duration::from_secs(60),
        unverified_task: "deploy",
        source_ip: None,
        now: Timestamp::from_secs(1_795_272_000),
    };
    let first = on_processor(|| drop(black_box(bundle.decide(&call, &facts))));
    let decide = median((0..5000).map(|_| timed(|| drop(black_box(bundle.decide(&call, &facts))))).collect());
    let candidates = bundle.explain(&call, &facts).considered.len();
    let unindexed = unindexed(&text, if count > 1000 { 51 } else { 1001 })?;
    writeln!(
        out,
        "{count:>6}  {candidates:>10}  {decide:>7.1?}  {unindexed:>15.1?}  {load_text:>9.1?}  {load_compiled:>13.1?}  {first:>14.1?}  {memory:>5} KB"
    )?;
    Ok(())
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// The time on a processor that `work` takes: for what is longer than the scheduler's slices, so
/// that a busy machine shows in no figure. The time by the clock where there is no `/proc`.
fn on_processor(work: impl FnOnce()) -> Duration {
    let spent = || {
        let line = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        line.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
    };
    let before = spent();
    let by_clock = timed(work);
    // The scheduler books late: what is shorter than a few ticks is not booked, and not interrupted.
    let booked = spent().zip(before).map(|(after, before)| after.saturating_sub(before));
    booked.filter(|booked| *booked > Duration::from_millis(10)).unwrap_or(by_clock)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// What a process that only loads holds more afterwards: measured in a process of its own.
fn memory_of_loading(folder: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let child = Command::new(std::env::current_exe()?).env(MEMORY_OF, folder).output()?;
    Ok(String::from_utf8(child.stdout)?.trim().to_owned())
}

/// Names the folder to the process that [`memory_of_loading`] starts.
const MEMORY_OF: &str = "COUNTERSIGN_BENCH_MEMORY_OF";

/// Resident memory of this process, from `/proc`; 0 where there is none.
fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn call() -> Call {
    let table = Value::Record(vec![("TableName".to_owned(), Value::Text("app-3-orders".to_owned()))]);
    Call {
        service: "dynamodb".to_owned(),
        operation: "PutItem".to_owned(),
        protocol: Protocol::Json,
        region: "eu-central-1".to_owned(),
        parameters: table,
        permissions: vec![Permission {
            action: "dynamodb:PutItem".to_owned(),
            resource: Resource::Exact(ARN.to_owned()),
            level: AccessLevel::Write,
            classes: Classes::NONE,
        }],
        upstream: Upstream {
            host: "dynamodb.eu-central-1.amazonaws.com".to_owned(),
            signing_name: "dynamodb".to_owned(),
            signing_region: "eu-central-1".to_owned(),
        },
        outgoing: OutgoingRequest {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: Bytes::new(),
        },
        idempotency_token: None,
        idempotency_member: None,
        idempotent: false,
    }
}

/// The same decision by Cedar over every rule, its request and entities built each time as ours.
fn unindexed(rules: &str, times: usize) -> Result<Duration, Box<dyn std::error::Error>> {
    let set: PolicySet = rules.parse()?;
    let authorizer = Authorizer::new();
    let uid = |text: &str| text.parse::<EntityUid>().map_err(Box::new);
    let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
    let agent = uid("Agent::\"deployer\"")?;
    let action = uid("Action::\"dynamodb:PutItem\"")?;
    let resource = uid(&format!("Resource::\"{ARN}\""))?;
    let parents = HashSet::from([uid("Action::\"dynamodb:*\"")?, uid("Action::\"level:Write\"")?]);
    let groups = HashSet::from([uid("Group::\"deployers\"")?]);
    let within = HashSet::from([uid("Account::\"111122223333\"")?, uid("Target::\"dev\"")?]);
    let decide = || -> Result<bool, Box<dyn std::error::Error>> {
        let session =
            RestrictedExpression::new_record([("age_seconds".to_owned(), RestrictedExpression::new_long(60))])?;
        let params = RestrictedExpression::new_record([("TableName".to_owned(), text("app-3-orders"))])?;
        let context = Context::from_pairs([
            ("region".to_owned(), text("eu-central-1")),
            ("session".to_owned(), session),
            ("params".to_owned(), params),
        ])?;
        let attributes = HashMap::from([("name".to_owned(), text("app-3-orders"))]);
        let entities = Entities::from_entities(
            [
                Entity::new_no_attrs(agent.clone(), groups.clone()),
                Entity::new_no_attrs(action.clone(), parents.clone()),
                Entity::new(resource.clone(), attributes, within.clone())?,
            ],
            None,
        )?;
        let request = Request::new(agent.clone(), action.clone(), resource.clone(), context, None)?;
        Ok(authorizer.is_authorized(&request, &set, &entities).decision() == cedar_policy::Decision::Allow)
    };
    let mut taken = Vec::with_capacity(times);
    for _ in 0..times {
        let started = Instant::now();
        black_box(decide()?);
        taken.push(started.elapsed());
    }
    Ok(median(taken))
}
