//! The command line.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use bytes::Bytes;
use clap::{Args, Parser, Subcommand, ValueEnum};
use http_body_util::Full;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    doors::DoorKind,
    error::StackError,
    issuer::Wanted,
    stack::{Stack, StackConfig, running},
    supervise,
    web::WebClient,
};

/// The local stack of Countersign.
#[derive(Debug, Parser)]
#[command(name = "countersign-local", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything on free loopback ports and run until SIGINT or SIGTERM.
    Up(Up),
    /// Print an OIDC token of the running stack's issuers.
    Token(Token),
    /// Tie this process to its parent and become another program.
    #[command(hide = true)]
    Supervised(Supervised),
}

#[derive(Debug, Args)]
struct Up {
    /// Another policy folder: `*.cedar` and `countersign.toml`.
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Send target calls to this AWS endpoint instead of the stack's own emulator.
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// What agents are told to talk to.
    #[arg(long, value_enum, default_value = "http-api")]
    door: DoorArgument,
    /// Print the JSON line; it is printed in any case.
    #[arg(long)]
    json: bool,
    /// The folder with the binaries gateway, notifier, approvals, executor.
    #[arg(long, value_name = "DIR")]
    functions_dir: PathBuf,
    /// The stack's template; target-account.yaml is beside it.
    #[arg(long, value_name = "FILE", default_value = "infra/template.yaml")]
    template: PathBuf,
    /// The state machine's definition.
    #[arg(long, value_name = "FILE", default_value = "statemachines/approval.asl.json")]
    state_machine: PathBuf,
    /// The folder of this run: logs, credentials, state.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Where the emulators are installed.
    #[arg(long, value_name = "DIR", default_value = "target/local/venv")]
    venv: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DoorArgument {
    HttpApi,
    FunctionUrl,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("who").required(true).args(["agent", "person"])))]
struct Token {
    /// The agent that the token names.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// A group of the agent; may be repeated.
    #[arg(long = "group", value_name = "GROUP", requires = "agent")]
    groups: Vec<String>,
    /// An owner of the agent; may be repeated.
    #[arg(long = "owner", value_name = "PERSON", requires = "agent")]
    owners: Vec<String>,
    /// The person that the token names.
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    /// Another audience than the stack's.
    #[arg(long)]
    audience: Option<String>,
    /// Lifetime in seconds; negative for a token that is over.
    #[arg(long, allow_negative_numbers = true)]
    expires: Option<i64>,
    /// The state folder of a stack, or the folder above, which knows the latest one.
    #[arg(long, value_name = "DIR", default_value = "target/local")]
    state_dir: PathBuf,
}

#[derive(Debug, Args)]
struct Supervised {
    #[arg(long)]
    parent: i32,
    program: PathBuf,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        // No runtime and no threads: the process is about to become another program.
        Command::Supervised(child) => supervise::become_supervised(child.parent, &child.program, &child.arguments),
        Command::Up(up) => with_runtime(self::up(up)),
        Command::Token(token) => with_runtime(self::token(token)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&mut std::io::stderr(), &format!("countersign-local: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn with_runtime(work: impl Future<Output = Result<(), StackError>> + Send + 'static) -> Result<(), StackError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(StackError::io("starting the runtime"))?;
    // On a worker: children are tied to the thread that starts them, and workers last.
    let result = runtime.block_on(async { tokio::spawn(work).await });
    runtime.shutdown_background();
    result.unwrap_or_else(|error| Err(StackError::Usage(error.to_string())))
}

async fn up(up: Up) -> Result<(), StackError> {
    let run = format!("run-{}", std::process::id());
    let state_dir = up.state_dir.unwrap_or_else(|| PathBuf::from("target/local").join(run));
    std::fs::create_dir_all(&state_dir).map_err(StackError::io("making the state folder"))?;
    log_to(&state_dir)?;
    let config = StackConfig {
        bundle: up.bundle,
        upstream: up.upstream,
        door: match up.door {
            DoorArgument::HttpApi => DoorKind::HttpApi,
            DoorArgument::FunctionUrl => DoorKind::FunctionUrl,
        },
        functions_dir: up.functions_dir,
        template: up.template,
        state_machine: up.state_machine,
        state_dir,
        // The emulators run in folders of their own.
        venv: std::path::absolute(up.venv).map_err(StackError::io("finding the emulators' folder"))?,
    };
    let mut interrupted = signal(SignalKind::interrupt()).map_err(StackError::io("listening for signals"))?;
    let mut terminated = signal(SignalKind::terminate()).map_err(StackError::io("listening for signals"))?;
    let stack = tokio::select! {
        stack = Stack::start(&config) => stack?,
        _ = interrupted.recv() => return given_up("SIGINT"),
        _ = terminated.recv() => return given_up("SIGTERM"),
    };
    tell(&mut std::io::stdout(), &stack.line());
    let broken = tokio::select! {
        _ = interrupted.recv() => None,
        _ = terminated.recv() => None,
        what = stack.broken() => Some(what),
    };
    tracing::info!("stopping");
    stack.stop().await;
    broken.map_or(Ok(()), |what| Err(StackError::Emulator(what)))
}

async fn token(token: Token) -> Result<(), StackError> {
    let state = running(&token.state_dir)?;
    let text = |name: &str| state.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (audience, expires) = (token.audience, token.expires);
    let wanted = match (token.agent, token.person) {
        (Some(name), None) => Wanted::Agent { name, groups: token.groups, owners: token.owners, audience, expires },
        (None, Some(name)) => Wanted::Person { name, audience, expires },
        _ => return Err(StackError::Usage("either --agent or --person".to_owned())),
    };
    let base = text("issuer").trim_end_matches("/agents").to_owned();
    let body = serde_json::to_vec(&wanted).map_err(|error| StackError::Usage(error.to_string()))?;
    let request = http::Request::post(format!("{base}/admin/token"))
        .header("authorization", format!("Bearer {}", text("admin_secret")))
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| StackError::Usage(error.to_string()))?;
    let answer = WebClient::new().send(request).await.map_err(|error| StackError::Usage(error.to_string()))?;
    let body = String::from_utf8_lossy(answer.body()).into_owned();
    if !answer.status().is_success() {
        return Err(StackError::Usage(body));
    }
    let answer: Value = serde_json::from_str(&body).map_err(|error| StackError::Usage(error.to_string()))?;
    tell(&mut std::io::stdout(), answer.get("token").and_then(Value::as_str).unwrap_or_default());
    Ok(())
}

/// A signal came before the stack was ready: whoever waits for its line must learn why none comes.
fn given_up(signal: &str) -> Result<(), StackError> {
    Err(StackError::Usage(format!("{signal} while starting")))
}

/// Logs to stderr and to a file in the state folder.
fn log_to(state_dir: &std::path::Path) -> Result<(), StackError> {
    use tracing_subscriber::{EnvFilter, fmt::writer::MakeWriterExt};
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(state_dir.join("stack.log"))
        .map_err(StackError::io("opening the log"))?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_target(false)
        .with_writer(std::io::stderr.and(std::sync::Arc::new(file)))
        .init();
    Ok(())
}

/// Writes a line; a reader that has gone away is no reason to fail.
fn tell(out: &mut impl std::io::Write, line: &str) {
    let _reader_gone = writeln!(out, "{line}").and_then(|()| out.flush());
}
