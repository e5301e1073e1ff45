//! What every function needs of the process it runs in: a clock, randomness, and a log.

use std::time::{SystemTime, UNIX_EPOCH};

use countersign_domain::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};

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

/// Starts the log: JSON lines on standard output, at the level of `AWS_LAMBDA_LOG_LEVEL` (or
/// `info`), without times, which Lambda adds.
pub fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("AWS_LAMBDA_LOG_LEVEL")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).with_current_span(false).without_time().init();
}
