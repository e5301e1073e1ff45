//! An agent: an unmodified AWS SDK or CLI with nothing but the environment of an agent.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, OnceLock},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value as Json, json};

use crate::stack::{Stack, root};

/// An agent that is logged in by its token file.
#[derive(Debug)]
pub struct Agent {
    environment: BTreeMap<String, String>,
    folder: tempfile::TempDir,
    sdk: Option<Sdk>,
}

#[derive(Debug)]
struct Sdk {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Agent {
    /// An agent `name` of `stack` with a stated task.
    ///
    /// # Errors
    /// When no token can be had.
    pub fn new(stack: &Stack, name: &str, task: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let token_file = folder.path().join("token");
        fs::write(&token_file, stack.token(&["--agent", name])?)?;
        let mut environment = BTreeMap::new();
        let mut set = |key: &str, value: &str| environment.insert(key.to_owned(), value.to_owned());
        set("AWS_ENDPOINT_URL", stack.get("gateway"));
        set("AWS_ROLE_ARN", stack.get("target_role_arn"));
        set("AWS_WEB_IDENTITY_TOKEN_FILE", &token_file.to_string_lossy());
        set("AWS_ROLE_SESSION_NAME", task);
        set("AWS_REGION", stack.get("region"));
        set("AWS_DEFAULT_REGION", stack.get("region"));
        Ok(Self { environment, folder, sdk: None })
    }

    /// Somebody with the same client who talks to the upstream itself: a baseline.
    ///
    /// # Errors
    /// When no folder can be made.
    pub fn direct(stack: &Stack) -> Result<Self> {
        let mut environment = BTreeMap::new();
        let mut set = |key: &str, value: &str| environment.insert(key.to_owned(), value.to_owned());
        set("AWS_ENDPOINT_URL", stack.get("upstream"));
        set("AWS_ACCESS_KEY_ID", "test");
        set("AWS_SECRET_ACCESS_KEY", "test");
        set("AWS_DEFAULT_REGION", stack.get("region"));
        Ok(Self { environment, folder: tempfile::tempdir()?, sdk: None })
    }

    /// Sets a variable of the agent's environment, before its first call.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// The folder of the agent's own files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A program with the agent's environment and nothing of ours.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .envs(&self.environment)
            .current_dir(self.folder.path());
        command
    }

    /// The AWS CLI.
    ///
    /// # Errors
    /// When it cannot be run at all.
    pub fn cli(&self, arguments: &[&str]) -> Result<Output> {
        Ok(self.command(python("cli")?.with_file_name("aws")).env("AWS_PAGER", "").args(arguments).output()?)
    }

    /// One call by the SDK: `{"ok": …}` or `{"error": {"class","code","message","status"}}`.
    ///
    /// # Errors
    /// When the SDK's process cannot be talked to.
    pub fn call(&mut self, service: &str, operation: &str, parameters: Json) -> Result<Json> {
        self.order(&json!({"service": service, "operation": operation, "parameters": parameters}))
    }

    /// One call with further settings, see `clients/call.py`.
    ///
    /// # Errors
    /// When the SDK's process cannot be talked to.
    pub fn order(&mut self, order: &Json) -> Result<Json> {
        if self.sdk.is_none() {
            let script = root().join("tests/clients/call.py");
            let mut child =
                self.command(python("sdk")?).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
            let answers = BufReader::new(child.stdout.take().context("the SDK has no output")?);
            self.sdk = Some(Sdk { child, answers });
        }
        let sdk = self.sdk.as_mut().context("the SDK is not running")?;
        let input = sdk.child.stdin.as_mut().context("the SDK has no input")?;
        writeln!(input, "{order}")?;
        let mut line = String::new();
        sdk.answers.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("the SDK did not answer {order} but `{line}`"))
    }

    /// A call that must succeed; gives the response.
    ///
    /// # Errors
    /// When it fails; the SDK's error is named.
    pub fn must(&mut self, service: &str, operation: &str, parameters: Json) -> Result<Json> {
        let answer = self.call(service, operation, parameters)?;
        match answer.get("ok") {
            Some(response) => Ok(response.clone()),
            None => bail!("{service} {operation}: {answer}"),
        }
    }

    /// A call that must fail; gives the SDK's exception.
    ///
    /// # Errors
    /// When it succeeds.
    pub fn must_fail(&mut self, service: &str, operation: &str, parameters: Json) -> Result<Refused> {
        let answer = self.call(service, operation, parameters)?;
        let Some(error) = answer.get("error") else { bail!("{service} {operation} was let through: {answer}") };
        let text = |name: &str| error.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        Ok(Refused { class: text("class"), code: text("code"), message: text("message") })
    }
}

/// The exception that an SDK raised.
#[derive(Debug)]
pub struct Refused {
    /// The exception's class.
    pub class: String,
    /// The error code.
    pub code: String,
    /// The error message.
    pub message: String,
}

impl Refused {
    /// The id of the request that the message names.
    ///
    /// # Errors
    /// When it names none.
    pub fn request_id(&self) -> Result<String> {
        self.message
            .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-')
            .find(|word| word.starts_with("r-") && word.len() == 28)
            .map(str::to_owned)
            .with_context(|| format!("no request id in `{}`", self.message))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(sdk) = &mut self.sdk {
            drop(sdk.child.stdin.take());
            if let Err(error) = sdk.child.wait() {
                eprintln!("the SDK's process: {error}");
            }
        }
    }
}

/// The Python of a client environment (`sdk` or `cli`), made on first use from its pinned list.
///
/// # Errors
/// When it cannot be made.
pub fn python(name: &str) -> Result<PathBuf> {
    static MAKING: OnceLock<Mutex<()>> = OnceLock::new();
    let _one_at_a_time = MAKING.get_or_init(|| Mutex::new(())).lock();
    let list = root().join(format!("tests/clients/{name}.txt"));
    let folder = root().join(format!("target/clients/{name}"));
    let stamp = folder.join("installed.txt");
    let wanted = fs::read(&list)?;
    if fs::read(&stamp).ok().as_ref() != Some(&wanted) {
        eprintln!("installing the clients of tests/clients/{name}.txt …");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        run(Command::new(folder.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(&list))?;
        fs::write(&stamp, wanted)?;
    }
    Ok(folder.join("bin/python"))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed with {status}");
    }
    Ok(())
}
