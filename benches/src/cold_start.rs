//! From starting a process to its first `GET …/invocation/next`.

use std::{
    env, fs,
    io::Read,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use countersign_policy::{COMPILED_FILE, compile};
use countersign_tests::stack::root;

use crate::mapped;

const ROUNDS: usize = 25;

/// Every function.
pub(crate) const FUNCTIONS: [&str; 4] = ["gateway", "notifier", "approvals", "executor"];

/// Prints the figures of `functions` beside the baseline.
pub(crate) fn measure(functions: &[String]) -> Result<()> {
    println!("cold start: process start to the first request for work");
    // Where cargo-lambda puts what is deployed: beside the folder of this program's profile.
    let this = env::current_exe()?;
    let folder = this.ancestors().nth(2).context("no target folder")?.join("lambda");
    let bundle = deployed_bundle()?;
    for name in std::iter::once("hello").chain(functions.iter().map(String::as_str)) {
        let program = folder.join(name).join("bootstrap");
        ensure!(program.exists(), "{} is missing: run `cargo xtask bench`", program.display());
        let size = fs::metadata(&program)?.len();
        let start = || once(&program, bundle.path(), |_| Ok(()));
        let times = (0..ROUNDS).map(|_| start()).collect::<Result<Vec<_>>>()?;
        println!("  {name:<10} {:>5.1} MB  {}", megabytes(size), crate::summary(times));
        data(&program, bundle.path())?;
    }
    Ok(())
}

/// Prints how much of the committed AWS data a start maps: none of it is used before the first call.
fn data(program: &PathBuf, bundle: &Path) -> Result<()> {
    let bytes = fs::read(program)?;
    for name in ["catalogue", "permissions"] {
        let blob = fs::read(root().join(format!("crates/{name}/data/{name}.bin")))?;
        let Some(place) = mapped::place_in(&bytes, &blob) else { continue };
        let length = u64::try_from(blob.len())?;
        let mut kilobytes = 0;
        once(program, bundle, |process| {
            kilobytes = mapped::kilobytes(process, place, length)?;
            Ok(())
        })?;
        println!("               maps {kilobytes} of {} KB of the {name}", length / 1024);
    }
    Ok(())
}

/// The default bundle as `infra/Makefile` makes it: the rules compiled.
fn deployed_bundle() -> Result<tempfile::TempDir> {
    let (from, to) = (root().join("infra/bundle"), tempfile::tempdir()?);
    for entry in fs::read_dir(&from)? {
        let path = entry?.path();
        let name = path.file_name().context("a file without a name")?;
        if name == "countersign.toml" || path.extension().is_some_and(|extension| extension == "cedar") {
            fs::copy(&path, to.path().join(name))?;
        }
    }
    fs::write(to.path().join(COMPILED_FILE), compile(&from)?)?;
    Ok(to)
}

/// One start, in milliseconds. `look` sees the process when it asks for work.
fn once(program: &PathBuf, bundle: &Path, look: impl FnOnce(u32) -> Result<()>) -> Result<f64> {
    let api = TcpListener::bind(("127.0.0.1", 0))?;
    let start = Instant::now();
    let mut child = Command::new(program)
        .env_clear()
        .envs(environment(&api.local_addr()?.to_string(), bundle))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    api.set_nonblocking(true)?;
    let mut connection = loop {
        match api.accept() {
            Ok((connection, _)) => break connection,
            Err(_) if start.elapsed() < Duration::from_secs(5) => std::hint::spin_loop(),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                return Err(error).with_context(|| format!("{} never asked for work", program.display()));
            }
        }
    };
    connection.set_nonblocking(false)?;
    let mut first = [0; 64];
    let read = connection.read(&mut first)?;
    let elapsed = start.elapsed().as_secs_f64() * 1000.0;
    let looked = look(child.id());
    child.kill()?;
    child.wait()?;
    looked?;
    let asked = first.get(..read).unwrap_or_default();
    ensure!(asked.starts_with(b"GET /2018-06-01/runtime/invocation/next"), "not a request for work");
    Ok(elapsed)
}

/// What a function is told, with the default bundle and names that nothing stands behind: a start
/// asks nothing of the network.
fn environment(api: &str, bundle: &Path) -> Vec<(String, String)> {
    let bundle = bundle.to_string_lossy().into_owned();
    let role = "arn:aws:iam::123456789012:role/countersign-auto";
    let key = "arn:aws:kms:us-east-1:111111111111:key/00000000-0000-0000-0000-000000000000";
    let fixed = [
        ("AWS_LAMBDA_RUNTIME_API", api),
        ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "bench"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "none"),
        ("AWS_SESSION_TOKEN", "none"),
        ("COUNTERSIGN_BUNDLE_DIR", bundle.as_str()),
        ("COUNTERSIGN_AUTHORITY_TABLE", "authority"),
        ("COUNTERSIGN_RECORD_TABLE", "record"),
        ("COUNTERSIGN_FROZEN_BUCKET", "frozen"),
        ("COUNTERSIGN_FROZEN_KEY", key),
        ("COUNTERSIGN_SESSION_KEYS", key),
        ("COUNTERSIGN_COOKIE_KEY", key),
        ("COUNTERSIGN_CERTIFICATE_KEY", key),
        ("COUNTERSIGN_STATE_MACHINE", "arn:aws:states:us-east-1:111111111111:stateMachine:approval"),
        ("COUNTERSIGN_GATEWAY_URL", "https://gateway.example.com"),
        ("COUNTERSIGN_APPROVALS_URL", "https://approvals.example.com"),
        ("COUNTERSIGN_PROTECTED_ARNS", "arn:aws:dynamodb:*:111111111111:table/countersign-*"),
        ("COUNTERSIGN_AGENT_ISSUER", "https://issuer.example.com/agents"),
        ("COUNTERSIGN_AGENT_AUDIENCE", "countersign"),
        ("COUNTERSIGN_PERSON_ISSUER", "https://issuer.example.com/persons"),
        ("COUNTERSIGN_PERSON_CLIENT_ID", "countersign"),
        ("COUNTERSIGN_TARGET_ACCOUNT", "123456789012"),
        ("COUNTERSIGN_TARGET_REGION", "us-east-1"),
        ("COUNTERSIGN_TARGET_AUTO_ROLE", role),
        ("COUNTERSIGN_TARGET_APPROVED_ROLE", "arn:aws:iam::123456789012:role/countersign-approved"),
        ("COUNTERSIGN_TARGET_EXTERNAL_ID", "bench"),
        ("COUNTERSIGN_EMAIL_FROM", "countersign@example.com"),
        ("COUNTERSIGN_SNS_TOPIC", ""),
    ];
    fixed.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}
