//! A running local stack, started the way a developer starts it: `cargo xtask up`.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// A stack; stopped when it is dropped.
#[derive(Debug)]
pub struct Stack {
    child: Child,
    /// The line that `up` printed when it was ready.
    pub ready: Json,
}

impl Stack {
    /// Starts a stack with further options of `cargo xtask up`, as in `--door function-url`.
    ///
    /// # Errors
    /// When it does not become ready; its own words are on stderr.
    pub fn start(options: &[&str]) -> Result<Self> {
        let mut child = xtask()
            .args(["up", "--json"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .context("`cargo xtask up` does not start")?;
        let stdout = child.stdout.take().context("the stack has no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("the stack's first line cannot be read")?;
        if line.trim().is_empty() {
            let status = child.wait()?;
            bail!("`cargo xtask up` ended before it was ready ({status}); see its messages above");
        }
        let ready = serde_json::from_str(&line).with_context(|| format!("not the ready line: {line}"))?;
        Ok(Self { child, ready })
    }

    /// A value of the ready line.
    ///
    /// # Panics
    /// When the stack did not say it: no test can go on.
    pub fn get(&self, name: &str) -> &str {
        match self.ready.get(name).and_then(Json::as_str) {
            Some(value) => value,
            None => panic!("the ready line has no `{name}`: {}", self.ready),
        }
    }

    /// A token of the stack's issuer, by `cargo xtask token`.
    ///
    /// # Errors
    /// When the command fails.
    pub fn token(&self, arguments: &[&str]) -> Result<String> {
        let output = xtask()
            .arg("token")
            .args(arguments)
            .args(["--state-dir", self.get("state_dir")])
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            bail!("`cargo xtask token {}` failed: {}", arguments.join(" "), output.status);
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Where a page, an inbox or the control endpoint is.
    pub fn url(&self, name: &str, path: &str) -> String {
        format!("{}{path}", self.get(name).trim_end_matches('/'))
    }

    /// Stops the stack and says whether it ended well.
    ///
    /// # Errors
    /// When it does not end within 20 seconds, or not with success.
    pub fn stop(mut self) -> Result<()> {
        terminate(&self.child);
        let patience = Instant::now();
        while patience.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.child.try_wait()? {
                if status.success() {
                    return Ok(());
                }
                bail!("the stack ended with {status}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the stack did not end within 20 seconds of SIGTERM");
    }
}

/// `cargo xtask` in the root; the program itself where it says where it is.
pub fn xtask() -> Command {
    let mut command = match std::env::var_os("COUNTERSIGN_XTASK") {
        Some(program) => Command::new(program),
        None => {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.arg("xtask");
            cargo
        }
    };
    command.current_dir(root());
    command
}

/// SIGTERM, as a supervisor would send it.
fn terminate(child: &Child) {
    if let Err(error) = Command::new("kill").args(["-TERM", &child.id().to_string()]).status() {
        eprintln!("the stack could not be told to stop: {error}");
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            terminate(&self.child);
            if let Err(error) = self.child.wait() {
                eprintln!("the stack was told to stop, but: {error}");
            }
        }
    }
}

/// Tries until `attempt` gives something, for at most `patience`.
///
/// # Errors
/// When nothing came in time; `what` is named.
pub fn eventually<T>(what: &str, patience: Duration, mut attempt: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = attempt()? {
            return Ok(found);
        }
        if start.elapsed() > patience {
            bail!("{what} did not come within {patience:?}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
