//! One execution environment: a process and the Runtime API that it talks to.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot, watch};

use super::{FunctionConfig, Outcome, PAYLOAD_LIMIT, Surroundings};
use crate::{
    error::StackError,
    supervise::{ChildSpec, Ending, Process},
    web::{self, Request, Response, Routes},
};

/// How long an instance may take until it first asks for work (Lambda's init phase).
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// A running instance.
pub(super) struct Instance {
    process: Arc<Process>,
    log: PathBuf,
    runtime: Arc<Runtime>,
    listener: tokio::task::JoinHandle<()>,
    work: mpsc::Sender<Work>,
    lost: AtomicBool,
}

struct Work {
    request_id: String,
    arn: String,
    timeout: Duration,
    event: Bytes,
}

/// What the Runtime API's handlers share.
struct Runtime {
    process: Mutex<Option<Arc<Process>>>,
    work: tokio::sync::Mutex<mpsc::Receiver<Work>>,
    current: Mutex<Option<Current>>,
    /// Whether the instance waits in `/next`.
    waiting: watch::Sender<bool>,
    init_error: Mutex<Option<Bytes>>,
}

struct Current {
    request_id: String,
    answer: oneshot::Sender<Outcome>,
}

impl Instance {
    pub(super) async fn start(
        config: &FunctionConfig,
        surroundings: &Surroundings,
        number: u64,
    ) -> Result<Self, StackError> {
        let (listener, port) = web::listen().await?;
        let (work, receiver) = mpsc::channel(1);
        let runtime = Arc::new(Runtime {
            process: Mutex::new(None),
            work: tokio::sync::Mutex::new(receiver),
            current: Mutex::new(None),
            waiting: watch::channel(false).0,
            init_error: Mutex::new(None),
        });
        let listener = web::serve(listener, Arc::new(Routes { state: Arc::clone(&runtime), route }));
        let environment = environment(config, surroundings, port, number)?;
        let log = surroundings.log_dir.join(format!("{}-{number}.log", config.short_name));
        let process = Arc::new(surroundings.launcher.spawn(&ChildSpec {
            program: config.binary.clone(),
            arguments: Vec::new(),
            environment,
            directory: surroundings.log_dir.clone(),
            log: log.clone(),
        })?);
        *runtime.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&process));
        Ok(Self { process, log, runtime, listener, work, lost: AtomicBool::new(false) })
    }

    pub(super) fn process_id(&self) -> i32 {
        self.process.id()
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire) || self.process.ending().is_some()
    }

    pub(super) fn kill(&self) {
        self.lost.store(true, Ordering::Release);
        self.process.kill();
        self.listener.abort();
    }

    /// Waits until the instance asks for work; else gives the type of Lambda's error.
    pub(super) async fn started(&self) -> Result<(), String> {
        self.ready("init").await.map_err(|payload| super::error_type(&payload))
    }

    /// The error that the function logged last, if it did so as its log is written on AWS.
    pub(super) fn last_words(&self) -> Option<String> {
        let log = std::fs::read_to_string(&self.log).ok()?;
        let line: Value = serde_json::from_str(log.lines().next_back()?).ok()?;
        let fields = line.get("fields")?;
        let text = |name| fields.get(name).and_then(Value::as_str);
        match (text("message"), text("error")) {
            (Some(message), Some(error)) => Some(format!("{message}: {error}")),
            (message, _) => message.map(str::to_owned),
        }
    }

    /// Runs one invocation to its end.
    pub(super) async fn invoke(&self, request_id: &str, event: Bytes, config: &FunctionConfig) -> Outcome {
        if let Err(error) = self.ready(request_id).await {
            self.kill();
            return Outcome::FunctionError(error);
        }
        let (answer, answered) = oneshot::channel();
        *self.runtime.current.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Current { request_id: request_id.to_owned(), answer });
        self.process.thaw();
        let work = Work { request_id: request_id.to_owned(), arn: config.arn.clone(), timeout: config.timeout, event };
        if self.work.send(work).await.is_err() {
            self.kill();
            return Outcome::FunctionError(exit_error(request_id, Ending::Unknown));
        }
        tokio::select! {
            // An answer that is there counts, also when the process died right after it.
            biased;
            answer = answered => answer.unwrap_or_else(|_| Outcome::FunctionError(exit_error(request_id, Ending::Unknown))),
            ending = self.process.wait() => {
                self.kill();
                Outcome::FunctionError(exit_error(request_id, ending))
            }
            () = tokio::time::sleep(config.timeout) => {
                self.kill();
                Outcome::FunctionError(timeout_error(request_id, config.timeout))
            }
        }
    }

    /// Waits until the instance asks for work.
    async fn ready(&self, request_id: &str) -> Result<(), Bytes> {
        let mut waiting = self.runtime.waiting.subscribe();
        // A frozen instance waits already; one that still finishes its last invocation is thawed.
        tokio::select! {
            ready = waiting.wait_for(|waiting| *waiting) => {
                ready.map(|_| ()).map_err(|_| exit_error(request_id, Ending::Unknown))
            }
            ending = self.process.wait() => {
                let reported = self.runtime.init_error.lock().unwrap_or_else(PoisonError::into_inner).take();
                Err(reported.unwrap_or_else(|| exit_error(request_id, ending)))
            }
            () = tokio::time::sleep(INIT_LIMIT) => Err(error_object(
                "Sandbox.Timedout",
                &format!("RequestId: {request_id} Error: the runtime did not ask for work within {INIT_LIMIT:?}"),
            )),
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The reserved variables of Lambda, and what the template and the local stack set.
fn environment(
    config: &FunctionConfig,
    surroundings: &Surroundings,
    port: u16,
    number: u64,
) -> Result<BTreeMap<String, String>, StackError> {
    let session = (surroundings.credentials)(&config.role_arn)
        .ok_or_else(|| StackError::Template(format!("`{}` has no role `{}`", config.name, config.role_arn)))?;
    let mut environment = config.environment.clone();
    for (name, value) in [
        ("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{port}")),
        ("AWS_LAMBDA_FUNCTION_NAME", config.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", config.memory_mb.to_string()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", config.name)),
        ("AWS_LAMBDA_LOG_STREAM_NAME", format!("{}-{number}", config.short_name)),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023".to_owned()),
        ("AWS_REGION", surroundings.region.clone()),
        ("AWS_DEFAULT_REGION", surroundings.region.clone()),
        ("AWS_ACCESS_KEY_ID", session.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", session.secret_access_key),
        ("AWS_SESSION_TOKEN", session.token),
        ("_HANDLER", config.handler.clone()),
        ("LAMBDA_TASK_ROOT", "/var/task".to_owned()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("RUST_BACKTRACE", "1".to_owned()),
    ] {
        environment.insert(name.to_owned(), value);
    }
    Ok(environment)
}

/// The Runtime API (`2018-06-01`).
async fn route(runtime: Arc<Runtime>, request: Request) -> Response {
    let Some(path) = request.uri.path().strip_prefix("/2018-06-01/runtime/") else {
        return web::text(StatusCode::NOT_FOUND, "not a path of the runtime API");
    };
    let steps: Vec<&str> = path.split('/').collect();
    match (&request.method, steps.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => runtime.next().await,
        (&Method::POST, ["invocation", id, "response"]) if request.body.len() > PAYLOAD_LIMIT => {
            let message =
                format!("Response payload size exceeded maximum allowed payload size ({PAYLOAD_LIMIT} bytes).");
            runtime.finish(id, Outcome::FunctionError(error_object("Function.ResponseSizeTooLarge", &message)));
            status_answer(StatusCode::PAYLOAD_TOO_LARGE, "ERROR")
        }
        (&Method::POST, ["invocation", id, "response"]) => runtime.finish(id, Outcome::Answer(request.body)),
        (&Method::POST, ["invocation", id, "error"]) => runtime.finish(id, Outcome::FunctionError(request.body)),
        (&Method::POST, ["init", "error"]) => {
            *runtime.init_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(request.body);
            status_answer(StatusCode::ACCEPTED, "OK")
        }
        _ => web::text(StatusCode::NOT_FOUND, "not a path of the runtime API"),
    }
}

impl Runtime {
    async fn next(&self) -> Response {
        let mut queue = self.work.lock().await;
        self.waiting.send_replace(true);
        self.freeze();
        let Some(work) = queue.recv().await else {
            return web::text(StatusCode::GONE, "the environment is closing");
        };
        self.waiting.send_replace(false);
        let deadline = OffsetDateTime::now_utc() + work.timeout;
        let mut response = web::typed(StatusCode::OK, "application/json", work.event);
        let headers = response.headers_mut();
        for (name, value) in [
            ("lambda-runtime-aws-request-id", work.request_id.clone()),
            ("lambda-runtime-deadline-ms", (deadline.unix_timestamp_nanos() / 1_000_000).to_string()),
            ("lambda-runtime-invoked-function-arn", work.arn),
            ("lambda-runtime-trace-id", crate::random::trace_id()),
        ] {
            if let Ok(value) = http::HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }

    /// Stops the process between invocations, unless work has come in already.
    fn freeze(&self) {
        let busy = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if busy.is_none()
            && let Some(process) = self.process.lock().unwrap_or_else(PoisonError::into_inner).as_ref()
        {
            process.freeze();
        }
    }

    fn finish(&self, request_id: &str, outcome: Outcome) -> Response {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match current.take_if(|current| current.request_id == request_id) {
            Some(current) => {
                // Nobody waits any more when the invocation was given up.
                let _given_up = current.answer.send(outcome);
                status_answer(StatusCode::ACCEPTED, "OK")
            }
            None => web::json(
                StatusCode::BAD_REQUEST,
                &json!({"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}),
            ),
        }
    }
}

fn status_answer(code: StatusCode, status: &str) -> Response {
    web::json(code, &json!({ "status": status }))
}

fn error_object(kind: &str, message: &str) -> Bytes {
    let error: Value = json!({ "errorType": kind, "errorMessage": message });
    Bytes::from(error.to_string())
}

fn exit_error(request_id: &str, ending: Ending) -> Bytes {
    let how = match ending {
        Ending::Code(0) => "Runtime exited without providing a reason".to_owned(),
        Ending::Code(code) => format!("Runtime exited with error: exit status {code}"),
        Ending::Signal(signal) => format!("Runtime exited with error: signal: {signal}"),
        Ending::Unknown => "Runtime exited".to_owned(),
    };
    error_object("Runtime.ExitError", &format!("RequestId: {request_id} Error: {how}"))
}

fn timeout_error(request_id: &str, limit: Duration) -> Bytes {
    let message = format!("RequestId: {request_id} Error: Task timed out after {:.2} seconds", limit.as_secs_f64());
    error_object("Sandbox.Timedout", &message)
}
