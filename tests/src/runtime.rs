//! A function binary behind a Lambda Runtime API of its own: for events that no local door makes.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

use crate::stack::{Stack, root};

/// How long a function may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A function that runs; ended when it is dropped.
#[derive(Debug)]
pub struct Function {
    child: Child,
    events: Sender<Json>,
    answers: Receiver<Result<Json>>,
}

impl Function {
    /// Starts the binary of the function `name` with its settings and its role's credentials in `stack`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(stack: &Stack, name: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (events, coming) = channel();
        let (answered, answers) = channel();
        std::thread::spawn(move || serve(&listener, &coming, &answered));
        let given: Json = {
            let path = stack.ready.pointer(&format!("/credentials/{name}")).and_then(Json::as_str);
            serde_json::from_slice(&std::fs::read(root().join(path.context("no credentials")?))?)?
        };
        let settings = stack.ready.get("settings").and_then(Json::as_object).context("no settings")?;
        let text = |value: Option<&Json>| value.and_then(Json::as_str).unwrap_or_default().to_owned();
        let child = Command::new(binary(name)?)
            .current_dir(root())
            .env_clear()
            .envs(settings.iter().map(|(name, value)| (name, text(Some(value)))))
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "none")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "none")
            .env("AWS_REGION", stack.get("region"))
            .env("AWS_ENDPOINT_URL", stack.get("aws"))
            .env("COUNTERSIGN_UPSTREAM_ENDPOINT", stack.get("upstream_front"))
            .env("AWS_ACCESS_KEY_ID", text(given.get("AccessKeyId")))
            .env("AWS_SECRET_ACCESS_KEY", text(given.get("SecretAccessKey")))
            .env("AWS_SESSION_TOKEN", text(given.get("SessionToken")))
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("the function `{name}` does not start"))?;
        Ok(Self { child, events, answers })
    }

    /// What the function makes of an event.
    ///
    /// # Errors
    /// When it fails, or takes too long.
    pub fn invoke(&self, event: Json) -> Result<Json> {
        self.events.send(event).map_err(|_| anyhow::anyhow!("the runtime API is gone"))?;
        match self.answers.recv_timeout(PATIENCE) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => bail!("the function did not answer within {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => bail!("the runtime API is gone"),
        }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("a function could not be ended: {error}");
        }
    }
}

/// Where a function was built: beside `cargo xtask`, unless it is said otherwise.
fn binary(name: &str) -> Result<PathBuf> {
    let folder = std::env::var_os("COUNTERSIGN_XTASK").map(PathBuf::from);
    let folder = folder.as_ref().and_then(|xtask| xtask.parent()).context("COUNTERSIGN_XTASK is not set")?;
    Ok(folder.join(name))
}

/// The Runtime API: hands out events one by one and takes their answers.
/// Source: AWS Lambda Developer Guide, "Using the Lambda runtime API".
fn serve(listener: &TcpListener, events: &Receiver<Json>, answers: &Sender<Result<Json>>) {
    for connection in listener.incoming().flatten() {
        // A connection ends when the function or the test does.
        let _ended = talk(connection, events, answers);
    }
}

fn talk(connection: TcpStream, events: &Receiver<Json>, answers: &Sender<Result<Json>>) -> Result<()> {
    let mut writer = connection.try_clone()?;
    let mut reader = BufReader::new(connection);
    loop {
        let (line, body) = read_request(&mut reader)?;
        if line.contains("/invocation/next") {
            let event = events.recv()?.to_string();
            let deadline = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() + PATIENCE.as_millis();
            write!(
                writer,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
                 lambda-runtime-aws-request-id: 1\r\nlambda-runtime-deadline-ms: {deadline}\r\n\
                 lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-central-1:111122223333:function:x\r\n\r\n{event}",
                event.len()
            )?;
        } else {
            let answer = match line.contains("/response") {
                true => serde_json::from_slice(&body).context("the answer is no JSON"),
                false => Err(anyhow::anyhow!("{line}: {}", String::from_utf8_lossy(&body))),
            };
            answers.send(answer)?;
            write!(writer, "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")?;
        }
        writer.flush()?;
    }
}

/// The request line and the body, by its length or in chunks.
fn read_request(reader: &mut impl BufRead) -> Result<(String, Vec<u8>)> {
    let mut request = String::new();
    if reader.read_line(&mut request)? == 0 {
        bail!("closed");
    }
    let (mut length, mut chunked) = (0_usize, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        match line.split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse()?,
            Some(("transfer-encoding", value)) => chunked = value.contains("chunked"),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = Vec::new();
    if !chunked {
        reader.take(u64::try_from(length)?).read_to_end(&mut body)?;
        return Ok((request, body));
    }
    loop {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = u64::from_str_radix(size.trim(), 16)?;
        reader.by_ref().take(size).read_to_end(&mut body)?;
        reader.read_line(&mut String::new())?;
        if size == 0 {
            return Ok((request, body));
        }
    }
}
