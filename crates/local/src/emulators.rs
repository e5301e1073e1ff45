//! The emulators behind the stack: installed from pinned, hashed requirements into a folder of the
//! project's own, and started on free loopback ports.
//!
//! * ministack holds the state of DynamoDB, S3, KMS, SES, SNS and Secrets Manager. Its own
//!   authentication is off: the AWS front in front of it verifies and authorises.
//! * moto, started by `emulators/stepfunctions.py`, is Step Functions.
//! * another moto is the AWS that target calls end up at.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::{
    error::StackError,
    supervise::{ChildSpec, Launcher, Process},
    web::{self, WebClient},
};

const REQUIREMENTS: &str = include_str!("../emulators/requirements.txt");
const STEP_FUNCTIONS: &str = include_str!("../emulators/stepfunctions.py");

/// How long an emulator may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A Python with the emulators installed.
#[derive(Clone, Debug)]
pub struct Python(PathBuf);

/// A running emulator.
pub struct Emulator {
    /// Its process.
    pub process: Process,
    /// Its base URL, without a slash at the end.
    pub url: String,
}

impl Python {
    /// The Python of the virtual environment at `folder`, made and filled on first use or when the
    /// pinned requirements have changed.
    ///
    /// # Errors
    /// [`StackError::Emulator`] when there is no Python 3.11 or later with `venv`, or when pip fails.
    pub async fn installed(folder: &Path) -> Result<Self, StackError> {
        std::fs::create_dir_all(folder).map_err(StackError::io(format!("making `{}`", folder.display())))?;
        // Two stacks that start at once must not fill the same folder.
        let lock = File::create(folder.join("install.lock")).map_err(StackError::io("opening the install lock"))?;
        let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock))
            .await
            .map_err(|error| StackError::Emulator(error.to_string()))?
            .map_err(StackError::io("waiting for another installation"))?;
        let python = install(folder).await;
        drop(lock);
        python
    }

    fn program(&self) -> &Path {
        &self.0
    }
}

async fn install(folder: &Path) -> Result<Python, StackError> {
    let venv = folder.join("python");
    let python = Python(venv.join("bin/python"));
    let stamp = folder.join("installed");
    let wanted = hex::encode(Sha256::digest(REQUIREMENTS));
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) && python.0.exists() {
        return Ok(python);
    }
    check_python().await?;
    tracing::info!(folder = %folder.display(), "installing the emulators, once; this takes a minute or two");
    run("python3", &["-m", "venv", "--clear", &venv.to_string_lossy()]).await?;
    let requirements = folder.join("requirements.txt");
    write(&requirements, REQUIREMENTS)?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"];
    let requirements = requirements.to_string_lossy().into_owned();
    let arguments: Vec<&str> = pip.into_iter().chain([requirements.as_str()]).collect();
    run(&python.0.to_string_lossy(), &arguments).await?;
    write(&stamp, &wanted)?;
    tracing::info!("the emulators are installed");
    Ok(python)
}

async fn check_python() -> Result<(), StackError> {
    const PROBE: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";
    run("python3", &["-c", PROBE]).await.map_err(|error| {
        StackError::Emulator(format!(
            "`python3` 3.11 or later with the `venv` module is needed (Debian: python3 python3-venv); {error}"
        ))
    })
}

async fn run(program: &str, arguments: &[&str]) -> Result<(), StackError> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(StackError::io(format!("running `{program}`")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(StackError::Emulator(format!("`{program} {}` failed: {said}", arguments.join(" "))))
}

fn write(path: &Path, text: &str) -> Result<(), StackError> {
    std::fs::write(path, text).map_err(StackError::io(format!("writing `{}`", path.display())))
}

/// Starts emulators, each with its log in one folder.
#[derive(Clone, Debug)]
pub struct EmulatorStarter {
    /// The Python that has them.
    pub python: Python,
    /// Starts the processes.
    pub launcher: Launcher,
    /// The folder of this run.
    pub state_dir: PathBuf,
    /// The region of all resources.
    pub region: String,
}

impl EmulatorStarter {
    /// Starts ministack for `account`, with mail relayed to the SMTP receiver at `smtp_port`.
    ///
    /// # Errors
    /// [`StackError`] when it does not answer in time.
    pub async fn ministack(&self, account: &str, smtp_port: u16) -> Result<Emulator, StackError> {
        let environment = [
            ("BIND_HOST", "127.0.0.1".to_owned()),
            ("IOT_MTLS_ENABLED", "0".to_owned()),
            ("MINISTACK_ACCOUNT_ID", account.to_owned()),
            ("MINISTACK_REGION", self.region.clone()),
            ("SMTP_HOST", format!("127.0.0.1:{smtp_port}")),
            ("LOG_LEVEL", "INFO".to_owned()),
        ];
        self.start("ministack", &environment, "/_ministack/health", |port| {
            (vec!["-m".into(), "ministack".into()], vec![("GATEWAY_PORT", port.to_string())])
        })
        .await
    }

    /// Starts moto as Step Functions for `account`; integrations go to `front` with the
    /// credentials found in `role_credentials`.
    ///
    /// # Errors
    /// [`StackError`] when it does not answer in time or refuses its configuration.
    pub async fn step_functions(
        &self,
        account: &str,
        front: &str,
        role_credentials: &Path,
    ) -> Result<Emulator, StackError> {
        let script = self.state_dir.join("stepfunctions.py");
        write(&script, STEP_FUNCTIONS)?;
        let environment = [
            ("AWS_FRONT", front.to_owned()),
            ("ROLE_CREDENTIALS", role_credentials.to_string_lossy().into_owned()),
            ("MOTO_ACCOUNT_ID", account.to_owned()),
        ];
        let emulator = self
            .start("stepfunctions", &environment, "/moto-api/config", |port| {
                (moto_arguments(script.into(), port), vec![])
            })
            .await?;
        configure_moto(&emulator.url).await?;
        Ok(emulator)
    }

    /// Starts moto as the AWS of the target account.
    ///
    /// # Errors
    /// [`StackError`] when it does not answer in time.
    pub async fn upstream(&self, account: &str) -> Result<Emulator, StackError> {
        self.start("upstream", &[("MOTO_ACCOUNT_ID", account.to_owned())], "/moto-api/config", |port| {
            let mut arguments = vec!["-m".into()];
            arguments.extend(moto_arguments("moto.server".into(), port));
            (arguments, vec![])
        })
        .await
    }

    async fn start(
        &self,
        name: &str,
        environment: &[(&str, String)],
        health: &str,
        on_port: impl FnOnce(u16) -> (Vec<OsString>, Vec<(&'static str, String)>),
    ) -> Result<Emulator, StackError> {
        let port = free_port().await?;
        let (arguments, more) = on_port(port);
        let directory = self.state_dir.join(name);
        std::fs::create_dir_all(&directory).map_err(StackError::io("making the emulator's folder"))?;
        let mut all: BTreeMap<String, String> =
            environment.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        all.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
        all.insert("TMPDIR".to_owned(), directory.to_string_lossy().into_owned());
        all.insert("AWS_DEFAULT_REGION".to_owned(), self.region.clone());
        // The emulators are Python: nothing of the caller's own AWS set-up may leak into them.
        all.insert("AWS_CONFIG_FILE".to_owned(), "/dev/null".to_owned());
        all.insert("AWS_SHARED_CREDENTIALS_FILE".to_owned(), "/dev/null".to_owned());
        all.insert("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned());
        let process = self.launcher.spawn(&ChildSpec {
            program: self.python.program().to_path_buf(),
            arguments,
            environment: all,
            directory,
            log: self.state_dir.join(format!("{name}.log")),
        })?;
        let url = format!("http://127.0.0.1:{port}");
        wait_until_healthy(name, &process, &format!("{url}{health}")).await?;
        Ok(Emulator { process, url })
    }
}

fn moto_arguments(script: OsString, port: u16) -> Vec<OsString> {
    vec![script, "-H".into(), "127.0.0.1".into(), "-p".into(), port.to_string().into()]
}

/// A port that was free a moment ago; the emulators cannot be handed a listening socket.
async fn free_port() -> Result<u16, StackError> {
    web::listen().await.map(|(_, port)| port)
}

async fn wait_until_healthy(name: &str, process: &Process, url: &str) -> Result<(), StackError> {
    let client = WebClient::new();
    let started = Instant::now();
    loop {
        if let Some(ending) = process.ending() {
            return Err(StackError::Emulator(format!("{name} ended while starting ({ending:?}); see {name}.log")));
        }
        if let Ok(request) = http::Request::get(url).body(Full::new(Bytes::new()))
            && let Ok(response) = client.send(request).await
            && response.status().is_success()
        {
            return Ok(());
        }
        if started.elapsed() > START_LIMIT {
            return Err(StackError::Emulator(format!("{name} did not answer within {START_LIMIT:?}; see {name}.log")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn configure_moto(url: &str) -> Result<(), StackError> {
    let request = http::Request::post(format!("{url}/moto-api/config"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(br#"{"stepfunctions":{"execute_state_machine":true}}"#)))
        .map_err(|error| StackError::Emulator(error.to_string()))?;
    let response = WebClient::new()
        .send(request)
        .await
        .map_err(|error| StackError::Emulator(format!("stepfunctions: {error}")))?;
    if response.status().is_success() {
        Ok(())
    } else {
        Err(StackError::Emulator(format!("stepfunctions refused its configuration: {}", response.status())))
    }
}
