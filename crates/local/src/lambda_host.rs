//! Lambda: runs the real function binaries behind the Lambda Runtime API.
//!
//! As on AWS, an instance serves one invocation at a time, more invocations get more instances, an
//! instance is frozen between invocations, and one that runs out of time or crashes is lost.
//! Differences: a function has at most [`MOST_INSTANCES`] instances and further invocations wait
//! for one instead of being throttled; retries of asynchronous invocations come after seconds.

mod instance;
pub mod invoke_api;

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::sync::Semaphore;

use crate::{error::StackError, iam::principals::Session, supervise::Launcher};
use instance::Instance;

/// The most instances of one function.
pub const MOST_INSTANCES: usize = 10;

/// The largest event and the largest answer of a synchronous invocation, in bytes (Lambda quotas).
pub const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024;

/// The largest event of an asynchronous invocation, in bytes (Lambda quotas).
pub const ASYNC_PAYLOAD_LIMIT: usize = 1024 * 1024;

/// How many finished invocations are remembered.
const REMEMBERED: usize = 2000;

/// A function as the template declares it.
#[derive(Clone, Debug)]
pub struct FunctionConfig {
    /// The short name: that of its binary.
    pub short_name: String,
    /// The function's name at Lambda.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The binary.
    pub binary: PathBuf,
    /// `_HANDLER`.
    pub handler: String,
    /// Memory, in MB; told to the function, not enforced.
    pub memory_mb: u32,
    /// The longest invocation.
    pub timeout: Duration,
    /// The environment of the template, resolved, with what only the local stack adds.
    pub environment: BTreeMap<String, String>,
    /// The execution role.
    pub role_arn: String,
}

/// Gives a function's execution-role credentials; asked for each new instance.
pub type RoleCredentials = Arc<dyn Fn(&str) -> Option<Session> + Send + Sync>;

/// How an invocation went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The function's answer.
    Answer(Bytes),
    /// The function failed, or was stopped; the payload is Lambda's error object.
    FunctionError(Bytes),
}

/// Why an invocation was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// No such function.
    #[error("Function not found: {0}")]
    NotFound(String),
    /// The event is too large.
    #[error("{size} byte payload is too large for the {kind} invocation type (limit {limit} bytes)")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// `RequestResponse` or `Event`.
        kind: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// The event is not JSON.
    #[error("Could not parse request body into json: {0}")]
    NotJson(String),
    /// The host could not start the function.
    #[error("{0}")]
    Service(String),
}

/// One invocation, for whoever watches.
#[derive(Clone, Debug, Serialize)]
pub struct InvocationReport {
    /// The function's short name.
    pub function: String,
    /// The request id.
    pub request_id: String,
    /// The process that served it; absent when none could be started.
    pub process: Option<i32>,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// How long it took, in milliseconds.
    pub milliseconds: u128,
    /// `ok`, or the type of the error.
    pub status: String,
}

/// The functions and their instances.
pub struct LambdaHost {
    functions: BTreeMap<String, Arc<Function>>,
    reports: Mutex<VecDeque<InvocationReport>>,
}

struct Function {
    config: FunctionConfig,
    surroundings: Surroundings,
    permits: Semaphore,
    idle: Mutex<Vec<Arc<Instance>>>,
    running: Mutex<Vec<Arc<Instance>>>,
    started: AtomicU64,
}

/// What every instance needs besides its function's configuration.
#[derive(Clone)]
pub struct Surroundings {
    /// Starts processes.
    pub launcher: Launcher,
    /// Where logs go.
    pub log_dir: PathBuf,
    /// The region.
    pub region: String,
    /// Where credentials come from.
    pub credentials: RoleCredentials,
}

impl LambdaHost {
    /// A host of these functions; nothing runs until it is invoked.
    pub fn new(configs: Vec<FunctionConfig>, surroundings: &Surroundings) -> Self {
        let functions = configs
            .into_iter()
            .map(|config| {
                let function = Function {
                    surroundings: surroundings.clone(),
                    permits: Semaphore::new(MOST_INSTANCES),
                    idle: Mutex::default(),
                    running: Mutex::default(),
                    started: AtomicU64::new(0),
                    config,
                };
                (function.config.short_name.clone(), Arc::new(function))
            })
            .collect();
        Self { functions, reports: Mutex::default() }
    }

    /// The configurations, by short name.
    pub fn configs(&self) -> impl Iterator<Item = &FunctionConfig> {
        self.functions.values().map(|function| &function.config)
    }

    /// The configuration of a function by short name, name, ARN, or ARN with a qualifier.
    pub fn find(&self, name: &str) -> Option<&FunctionConfig> {
        self.function(name).map(|function| &function.config)
    }

    fn function(&self, name: &str) -> Option<&Arc<Function>> {
        self.functions.values().find(|function| {
            let config = &function.config;
            let unqualified =
                name.strip_prefix(config.arn.as_str()).or_else(|| name.strip_prefix(config.name.as_str()));
            name == config.short_name || unqualified.is_some_and(|rest| rest.is_empty() || is_qualifier(rest))
        })
    }

    /// Starts an instance of each function, so that what keeps one from starting is known before
    /// anybody calls it.
    ///
    /// # Errors
    /// [`StackError::Function`] with the function's own last words.
    pub async fn start_each(&self) -> Result<(), StackError> {
        for function in self.functions.values() {
            let instance = function.instance().await?;
            let started = instance.started().await;
            if let Err(status) = started {
                function.forget(&instance);
                let words = instance.last_words().unwrap_or(status);
                return Err(StackError::Function { name: function.config.short_name.clone(), words });
            }
            function.idle.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
        }
        Ok(())
    }

    /// Invokes a function and waits for its answer.
    ///
    /// # Errors
    /// [`InvokeError`] when the invocation was not made.
    pub async fn invoke(&self, name: &str, event: Bytes) -> Result<Outcome, InvokeError> {
        let function = self.function(name).ok_or_else(|| InvokeError::NotFound(name.to_owned()))?;
        check_event(&event, "RequestResponse", PAYLOAD_LIMIT)?;
        self.run(function, event).await
    }

    /// Accepts an asynchronous invocation; a failing one is tried twice more.
    ///
    /// # Errors
    /// [`InvokeError`] when it is not accepted.
    pub fn invoke_later(self: &Arc<Self>, name: &str, event: Bytes) -> Result<(), InvokeError> {
        let function = self.function(name).ok_or_else(|| InvokeError::NotFound(name.to_owned()))?;
        check_event(&event, "Event", ASYNC_PAYLOAD_LIMIT)?;
        let (host, function) = (Arc::clone(self), Arc::clone(function));
        tokio::spawn(async move {
            for pause in [1, 2, 0] {
                match host.run(&function, event.clone()).await {
                    Ok(Outcome::Answer(_)) => return,
                    Ok(Outcome::FunctionError(_)) | Err(_) => tokio::time::sleep(Duration::from_secs(pause)).await,
                }
            }
            tracing::warn!(function = function.config.short_name, "asynchronous invocation given up");
        });
        Ok(())
    }

    async fn run(&self, function: &Arc<Function>, event: Bytes) -> Result<Outcome, InvokeError> {
        let started = OffsetDateTime::now_utc();
        let clock = std::time::Instant::now();
        let request_id = crate::random::uuid();
        let (process, result) = function.run(&request_id, event).await;
        let status = match &result {
            Ok(Outcome::Answer(_)) => "ok".to_owned(),
            Ok(Outcome::FunctionError(payload)) => error_type(payload),
            Err(error) => error.to_string(),
        };
        if status != "ok" {
            tracing::warn!(function = function.config.short_name, status, "invocation failed");
        }
        let report = InvocationReport {
            function: function.config.short_name.clone(),
            request_id,
            process,
            started_at: started.format(&Rfc3339).unwrap_or_default(),
            milliseconds: clock.elapsed().as_millis(),
            status,
        };
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        if reports.len() == REMEMBERED {
            reports.pop_front();
        }
        reports.push_back(report);
        drop(reports);
        result
    }

    /// The finished invocations, oldest first.
    pub fn reports(&self) -> Vec<InvocationReport> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Kills every instance of a function, busy or not; gives their number, or `None` when there
    /// is no such function.
    pub fn kill(&self, name: &str) -> Option<usize> {
        let function = self.function(name)?;
        let running: Vec<_> = function.running.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
        function.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for instance in &running {
            instance.kill();
        }
        Some(running.len())
    }

    /// Kills every instance of every function.
    pub fn kill_all(&self) {
        for name in self.functions.keys() {
            self.kill(name);
        }
    }
}

impl Function {
    async fn run(self: &Arc<Self>, request_id: &str, event: Bytes) -> (Option<i32>, Result<Outcome, InvokeError>) {
        // INVARIANT: the semaphore is never closed.
        let Ok(_permit) = self.permits.acquire().await else {
            return (None, Err(InvokeError::Service("the host is closing".to_owned())));
        };
        let instance = match self.instance().await {
            Ok(instance) => instance,
            Err(error) => return (None, Err(InvokeError::Service(error.to_string()))),
        };
        let outcome = instance.invoke(request_id, event, &self.config).await;
        if instance.is_lost() {
            self.forget(&instance);
        } else {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&instance));
        }
        (Some(instance.process_id()), Ok(outcome))
    }

    /// An idle instance, or a new one.
    async fn instance(&self) -> Result<Arc<Instance>, StackError> {
        while let Some(instance) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            if !instance.is_lost() {
                return Ok(instance);
            }
            self.forget(&instance);
        }
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let instance = Arc::new(Instance::start(&self.config, &self.surroundings, number).await?);
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&instance));
        Ok(instance)
    }

    fn forget(&self, lost: &Arc<Instance>) {
        lost.kill();
        self.running.lock().unwrap_or_else(PoisonError::into_inner).retain(|instance| !Arc::ptr_eq(instance, lost));
    }
}

/// `:live` or `:$LATEST` after a name or ARN.
fn is_qualifier(rest: &str) -> bool {
    rest.strip_prefix(':').is_some_and(|qualifier| !qualifier.is_empty() && !qualifier.contains(':'))
}

fn check_event(event: &Bytes, kind: &'static str, limit: usize) -> Result<(), InvokeError> {
    if event.len() > limit {
        return Err(InvokeError::TooLarge { size: event.len(), kind, limit });
    }
    if event.is_empty() {
        return Ok(());
    }
    serde_json::from_slice::<serde::de::IgnoredAny>(event)
        .map(|_| ())
        .map_err(|error| InvokeError::NotJson(error.to_string()))
}

fn error_type(payload: &[u8]) -> String {
    serde_json::from_slice::<serde_json::Value>(payload)
        .ok()
        .and_then(|error| error.get("errorType").and_then(|kind| kind.as_str()).map(str::to_owned))
        .unwrap_or_else(|| "Unhandled".to_owned())
}
