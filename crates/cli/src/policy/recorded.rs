//! Options and progress of the commands that replay recorded calls.

use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;
use countersign_authoring::{AgentMapping, Progress};
use countersign_domain::AgentId;

use crate::ending::CliError;

/// Recorded calls, and whose they are.
#[derive(Args, Clone, Debug)]
pub(super) struct RecordedOptions {
    /// Recorded calls: Countersign's events or CloudTrail's records as JSON lines, or CloudTrail's files, each also with
    /// gzip; `-` is stdin
    #[arg(long = "calls", value_name = "FILE", required = true, num_args = 1..)]
    pub(super) calls: Vec<PathBuf>,
    /// Count every call as this agent's
    #[arg(long, value_name = "AGENT", value_parser = agent)]
    agent: Option<AgentId>,
    /// Count a principal of CloudTrail (a role's or user's name, or an ARN) as an agent; may be repeated. Else the name
    /// of the role or user is taken for the agent's
    #[arg(long = "principal", value_name = "PRINCIPAL=AGENT", value_parser = principal)]
    principals: Vec<(String, AgentId)>,
}

impl RecordedOptions {
    pub(super) fn agents(&self) -> AgentMapping {
        AgentMapping { everyone: self.agent.clone(), named: self.principals.iter().cloned().collect() }
    }
}

pub(super) fn agent(text: &str) -> Result<AgentId, String> {
    AgentId::new(text).map_err(|error| error.to_string())
}

fn principal(text: &str) -> Result<(String, AgentId), String> {
    let (principal, name) = text.rsplit_once('=').ok_or("write PRINCIPAL=AGENT, as in `deploy-role=deployer`")?;
    Ok((principal.to_owned(), agent(name)?))
}

/// Tells on stderr how far a run has come: a bar on a terminal, else a line now and then.
pub(super) struct Reporter {
    started: Instant,
    told: Option<Instant>,
    on_terminal: bool,
}

impl Reporter {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), told: None, on_terminal: std::io::stderr().is_terminal() }
    }

    pub(super) fn tell(&mut self, progress: Progress) {
        let pause = if self.on_terminal { Duration::from_millis(100) } else { Duration::from_secs(5) };
        let since = self.told.unwrap_or(self.started);
        if since.elapsed() < pause {
            return;
        }
        self.told = Some(Instant::now());
        let line = line(progress, self.started.elapsed());
        // A progress that cannot be shown is no reason to stop.
        let mut out = std::io::stderr().lock();
        let _ = if self.on_terminal { write!(out, "\r{line}\u{1b}[K") } else { writeln!(out, "{line}") };
        let _ = out.flush();
    }

    /// Clears the bar.
    pub(super) fn done(&self) {
        if self.on_terminal && self.told.is_some() {
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}

/// The width of the bar in characters.
const WIDTH: u64 = 30;

fn line(progress: Progress, elapsed: Duration) -> String {
    let rate =
        progress.objects.saturating_mul(1000).checked_div(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
    let rate = rate.map(|rate| format!(", {rate} a second")).unwrap_or_default();
    match (progress.bytes * 100).checked_div(progress.total) {
        Some(percent) => {
            let percent = percent.min(100);
            let full = percent * WIDTH / 100;
            let bar: String = (0..WIDTH).map(|at| if at < full { '#' } else { '.' }).collect();
            format!("[{bar}] {percent:>3} %  {} events{rate}", progress.objects)
        }
        None => format!("{} events{rate}", progress.objects),
    }
}

/// An error of a replay as one of the program.
pub(super) fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::Usage(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_a_share_of_the_bytes_or_else_a_count() {
        let second = Duration::from_secs(1);
        let half = Progress { objects: 1000, bytes: 50, total: 100 };
        assert_eq!(line(half, second), "[###############...............]  50 %  1000 events, 1000 a second");
        // Gzip and files that grow: never more than all.
        assert!(line(Progress { bytes: 300, ..half }, second).contains("100 %"));
        assert_eq!(line(Progress { objects: 7, bytes: 3, total: 0 }, Duration::ZERO), "7 events");
    }

    #[test]
    fn principals_are_agents() {
        assert_eq!(principal("arn:aws:iam::1:role/a=deployer").unwrap().0, "arn:aws:iam::1:role/a");
        for bad in ["deployer", "a=", "a=b c"] {
            assert!(principal(bad).is_err(), "{bad}");
        }
    }
}
