//! Fuzzing without a guide of coverage: real requests of every protocol, changed where it hurts, through the code that
//! reads what agents send. The same seed gives the same cases.
//!
//! A case that panics, or breaks a law of its target, ends the run with its number; so does one that does not end.
//! Whoever starts a run bounds its memory (`ulimit -v`), so that a case that takes too much fails too.

pub mod mutate;
pub mod targets;

use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;

use crate::BuildError;
use crate::oracle::Recorded;
use crate::seeded::Seeded;
pub use targets::Target;

/// Longer than this no case may take, on a machine that does other things as well.
const LONGEST: Duration = Duration::from_secs(20);

/// How a run goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What is fuzzed.
    pub target: Target,
    /// Until when.
    pub time: Duration,
    /// Chooses the cases.
    pub seed: u64,
    /// The first case, to see one again.
    pub first: u64,
}

/// What a run came to.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Cases that were run.
    pub cases: u64,
    /// Of these, those that were taken: understood, or verified.
    pub taken: u64,
    /// The longest that a case took.
    pub slowest: Duration,
    /// That case.
    pub slowest_case: u64,
}

/// The requests that are changed.
///
/// # Errors
/// [`BuildError::Source`] when the committed sample is not in form.
pub fn corpus() -> Result<Vec<Recorded>, BuildError> {
    let lines = BufReader::new(GzDecoder::new(crate::oracle::SAMPLE)).lines();
    let read = |line: std::io::Result<String>| Recorded::read(&line.ok()?);
    let wrong = || BuildError::Source("the sample is not in form".to_owned());
    lines.map(|line| read(line).ok_or_else(wrong)).collect()
}

/// Runs cases until the time is over; `progress` is told about every ten seconds.
///
/// # Errors
/// [`BuildError::Source`] with the case that broke a law.
pub fn run(settings: Settings, progress: impl Fn(&Outcome)) -> Result<Outcome, BuildError> {
    let corpus = corpus()?;
    let started = Instant::now();
    let current = Arc::new(AtomicU64::new(settings.first));
    watch(Arc::clone(&current), settings);
    let mut outcome = Outcome { cases: 0, taken: 0, slowest: Duration::ZERO, slowest_case: 0 };
    let mut told = started;
    while started.elapsed() < settings.time {
        let case = settings.first + outcome.cases;
        current.store(case, Ordering::Relaxed);
        let mut seeded = Seeded::new(settings.seed ^ case.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let begun = Instant::now();
        let taken = targets::run_case(settings.target, &corpus, &mut seeded).map_err(|broken| {
            BuildError::Source(format!("{} of seed {}, case {case}: {broken}", settings.target, settings.seed))
        })?;
        if begun.elapsed() > outcome.slowest {
            (outcome.slowest, outcome.slowest_case) = (begun.elapsed(), case);
        }
        outcome.taken += u64::from(taken);
        outcome.cases += 1;
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            progress(&outcome);
        }
    }
    Ok(outcome)
}

/// Ends the process when a case does not end, and names the case when one panics.
fn watch(current: Arc<AtomicU64>, settings: Settings) {
    let name = move |case: u64| format!("{} of seed {}, case {case}", settings.target, settings.seed);
    let panicked = Arc::clone(&current);
    let plain = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        eprintln!("{} panics", name(panicked.load(Ordering::Relaxed)));
        plain(panic);
    }));
    std::thread::spawn(move || {
        loop {
            let before = current.load(Ordering::Relaxed);
            std::thread::sleep(LONGEST);
            if current.load(Ordering::Relaxed) == before {
                eprintln!("{} does not end", name(before));
                std::process::exit(1);
            }
        }
    });
}

/// The most memory that this process had, in MiB, where the system says so.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? / 1024)
}
