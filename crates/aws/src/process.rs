//! What every function needs of the process it runs in: a clock, randomness, and a log.

use std::time::{SystemTime, UNIX_EPOCH};

use countersign_domain::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// The time of the system's clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Random bytes of the operating system; `None` where it gives none.
pub fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

/// What logs at the level that is asked for: the functions and the crates of this workspace. Others
/// would write whole events and requests, with tokens in them, at their finest levels.
const OWN: [&str; 5] = ["gateway", "notifier", "approvals", "executor", "countersign"];

/// Starts the log: JSON lines on standard output, at the level of `AWS_LAMBDA_LOG_LEVEL` (or
/// `info`), without times, which Lambda adds. Whatever the level, libraries only warn.
pub fn start_log() {
    let asked = std::env::var("AWS_LAMBDA_LOG_LEVEL").ok().and_then(|level| level.parse().ok());
    let level = asked.unwrap_or(LevelFilter::INFO);
    let targets = Targets::new().with_default(LevelFilter::WARN).with_targets(OWN.map(|name| (name, level)));
    let lines = tracing_subscriber::fmt::layer().json().with_current_span(false).without_time();
    tracing_subscriber::registry().with(lines).with(targets).init();
}
