//! The first use of a service, each in a fresh process.

use std::{
    env, fs,
    hint::black_box,
    io::Write,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use countersign_catalogue::Catalogue;
use countersign_domain::{AccountId, Value};
use countersign_permissions::{Permissions, Question};
use countersign_sigv4::SecretKey;

use crate::{
    microseconds, quantile,
    signed::{Outcome, Signed},
    understood,
};

/// Names the service to the process that is to use it.
const SERVICE: &str = "COUNTERSIGN_BENCH_FIRST_USE";

/// Instead of a service: the whole first call.
const A_CALL: &str = "a call";

const ROUNDS: usize = 7;
const CALLS: usize = 25;

/// In a process that [`measure`] started: measures and writes the numbers on one line.
pub(crate) fn answer(out: &mut impl Write) -> Outcome<bool> {
    let Ok(service) = env::var(SERVICE) else { return Ok(false) };
    let numbers = if service == A_CALL { first_call()? } else { first_use(&service)? };
    let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
    writeln!(out, "{}", numbers.join(" "))?;
    Ok(true)
}

/// Nanoseconds: the catalogue's directory, its services of the signing name, the directory of permissions, those of the
/// service.
fn first_use(service: &str) -> Outcome<Vec<u64>> {
    let account = AccountId::new("123456789012")?;
    let parameters = Value::Record(Vec::new());
    let (directory, catalogue) = nanoseconds(Catalogue::embedded)?;
    let entries = catalogue.services();
    let name = entries.iter().find(|entry| entry.id == service).ok_or("no such service")?.signing_name;
    // Whoever is called by this name could be meant, so all of them are decoded.
    let together =
        entries.iter().filter(|entry| entry.signing_name == name || entry.other_signing_names.contains(&name));
    let together: Vec<_> = together.map(|entry| entry.id).collect();
    let (services, decoded) = nanoseconds(|| together.iter().filter_map(|id| catalogue.service(id)).count())?;
    if decoded != together.len() {
        return Err("a service cannot be decoded".into());
    }
    let operation = catalogue.service(service).and_then(|service| service.model().operations.first());
    let operation = operation.ok_or("a service without operations")?.name;
    let (header, permissions) = nanoseconds(Permissions::embedded)?;
    let question = Question {
        service,
        operation,
        parameters: &parameters,
        partition: "aws",
        account: &account,
        region: "us-east-1",
        http_method_path: None,
    };
    let (actions, found) = nanoseconds(|| permissions.of(&question))?;
    found?;
    Ok(vec![directory, services, header, actions])
}

/// Nanoseconds of the first call and of the second, and by how many KB the first made the mapped part of the program
/// and the memory of the process grow.
fn first_call() -> Outcome<Vec<u64>> {
    let signed = Signed::new()?;
    let secret = SecretKey::new(signed.credentials.secret_access_key.expose());
    let before = resident();
    let (first, call) = nanoseconds(|| understood(&signed, &secret))?;
    call?;
    let after = resident();
    let (second, call) = nanoseconds(|| understood(&signed, &secret))?;
    call?;
    let grown = |one: u64, other: u64| other.saturating_sub(one);
    Ok(vec![first, second, grown(before.0, after.0), grown(before.1, after.1)])
}

fn nanoseconds<T>(work: impl FnOnce() -> T) -> Outcome<(u64, T)> {
    let started = Instant::now();
    let result = black_box(work());
    Ok((u64::try_from(started.elapsed().as_nanos())?, result))
}

/// Resident KB of files and of memory, from `/proc`; 0 where there is none.
fn resident() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    };
    (of("RssFile:"), of("RssAnon:"))
}

/// Prints the figures.
pub(crate) fn measure(out: &mut impl Write) -> Outcome<()> {
    let services: Vec<&str> = Catalogue::embedded().services().iter().map(|entry| entry.id).collect();
    let mut taken = Vec::with_capacity(services.len());
    for service in services {
        let numbers = of_processes(service, ROUNDS)?;
        taken.push((service, medians(numbers.clone()), bests(numbers)));
    }
    writeln!(
        out,
        "first use of each of {} services, in {ROUNDS} fresh processes each; of a service its median and its best",
        taken.len()
    )?;
    for (what, places) in [
        ("catalogue: the services of a signing name", &[1][..]),
        ("permissions of the service", &[3]),
        ("both, with the directories of both blobs", &[0, 1, 2, 3]),
    ] {
        let total = |numbers: &[u64]| places.iter().filter_map(|place| numbers.get(*place)).sum::<u64>();
        let mut times: Vec<_> = taken.iter().map(|(service, median, _)| (total(median), *service)).collect();
        let mut bests: Vec<_> = taken.iter().map(|(service, _, best)| (total(best), *service)).collect();
        let mut of = |percent| quantile(&mut times, percent);
        let ((middle, _), (p99, _), (worst, service)) = (of(50), of(99), of(100));
        let (best_worst, best_service) = quantile(&mut bests, 100);
        let show = |nanoseconds| microseconds(Duration::from_nanos(nanoseconds));
        writeln!(
            out,
            "  {what:<42} median {}, p99 {}, worst {} ({service}); worst best {} ({best_service})",
            show(middle),
            show(p99),
            show(worst),
            show(best_worst)
        )?;
    }
    let [first, second, mapped, memory] = medians(of_processes(A_CALL, CALLS)?)[..] else {
        return Err("not four numbers".into());
    };
    writeln!(out, "the PutItem in a fresh process, median of {CALLS}: what the catalogue adds to a cold start")?;
    writeln!(
        out,
        "  first call {}, second {}; maps {mapped} KB more of the program, takes {memory} KB more memory",
        microseconds(Duration::from_nanos(first)),
        microseconds(Duration::from_nanos(second))
    )?;
    blobs(out)
}

/// What so many processes give: for each number, that of each process.
fn of_processes(service: &str, rounds: usize) -> Outcome<Vec<Vec<u64>>> {
    let mut columns: Vec<Vec<u64>> = Vec::new();
    for _ in 0..rounds {
        let child = Command::new(env::current_exe()?).env(SERVICE, service).output()?;
        let line = String::from_utf8(child.stdout)?;
        if !child.status.success() || line.trim().is_empty() {
            return Err(format!("`{service}`: {}", String::from_utf8_lossy(&child.stderr)).into());
        }
        for (place, number) in line.split_whitespace().enumerate() {
            if columns.len() == place {
                columns.push(Vec::with_capacity(rounds));
            }
            columns.get_mut(place).ok_or("a number too many")?.push(number.parse()?);
        }
    }
    Ok(columns)
}

fn medians(columns: Vec<Vec<u64>>) -> Vec<u64> {
    columns.into_iter().map(|mut column| quantile(&mut column, 50)).collect()
}

/// The least of each: what the code takes, not what else the machine does.
fn bests(columns: Vec<Vec<u64>>) -> Vec<u64> {
    columns.into_iter().map(|mut column| quantile(&mut column, 0)).collect()
}

fn blobs(out: &mut impl Write) -> Outcome<()> {
    for (what, path) in
        [("catalogue", "../catalogue/data/catalogue.bin"), ("permissions", "../permissions/data/permissions.bin")]
    {
        let size = fs::metadata(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))?.len();
        writeln!(out, "blob of the {what}: {size} B")?;
    }
    Ok(())
}
