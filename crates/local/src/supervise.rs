//! Child processes that never outlive the stack.
//!
//! Each child is started through this program's own `supervised` command, which asks the kernel to
//! kill it when the stack dies, however the stack dies, and then becomes the wanted program. Each
//! child leads a process group of its own, so that stopping it also stops what it started.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, getppid, kill_process_group, set_parent_process_death_signal};
use tokio::{process::Command, sync::watch};

use crate::error::StackError;

/// What to start.
#[derive(Clone, Debug)]
pub struct ChildSpec {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its whole environment, except `PATH`, `HOME` and `LANG`, which are passed on.
    pub environment: BTreeMap<String, String>,
    /// Where it runs.
    pub directory: PathBuf,
    /// The file that gets both of its output streams, appended.
    pub log: PathBuf,
}

/// Starts children.
#[derive(Clone, Debug)]
pub struct Launcher {
    own_executable: PathBuf,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// Not known.
    Unknown,
}

/// A running child.
pub struct Process {
    group: Pid,
    ended: watch::Receiver<Option<Ending>>,
}

impl Launcher {
    /// A launcher that goes through this very program.
    ///
    /// # Errors
    /// [`StackError::Io`] when the program's own path is not known.
    pub fn new() -> Result<Self, StackError> {
        let own_executable = std::env::current_exe().map_err(StackError::io("finding this program's path"))?;
        Ok(Self { own_executable })
    }

    /// Starts a child. Call it on a runtime thread that lives as long as the stack: the kernel's
    /// parent-death signal follows the thread.
    ///
    /// # Errors
    /// [`StackError::Io`] when the log cannot be opened or the process cannot be made.
    pub fn spawn(&self, spec: &ChildSpec) -> Result<Process, StackError> {
        let log = open_log(&spec.log)?;
        let log_too = log.try_clone().map_err(StackError::io("duplicating the log handle"))?;
        let mut command = Command::new(&self.own_executable);
        command
            .arg("supervised")
            .arg("--parent")
            .arg(std::process::id().to_string())
            .arg("--")
            .arg(&spec.program)
            .args(&spec.arguments)
            .env_clear()
            .envs(["PATH", "HOME", "LANG"].iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))))
            .envs(&spec.environment)
            .current_dir(&spec.directory)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too)
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(StackError::io(format!("starting `{}`", spec.program.display())))?;
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw)
            .ok_or_else(|| StackError::Emulator(format!("`{}` has no process id", spec.program.display())))?;
        let (sender, ended) = watch::channel(None);
        tokio::spawn(async move {
            let ending = child.wait().await.map_or(Ending::Unknown, ending_of);
            sender.send_replace(Some(ending));
        });
        Ok(Process { group, ended })
    }
}

impl Process {
    /// The process id.
    pub fn id(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    /// How it ended, if it has.
    pub fn ending(&self) -> Option<Ending> {
        *self.ended.borrow()
    }

    /// Waits for its end.
    pub async fn wait(&self) -> Ending {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(ending) => ending.unwrap_or(Ending::Unknown),
            Err(_) => Ending::Unknown,
        }
    }

    /// Kills it and all that it started, at once.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Stops it from running until [`Process::thaw`].
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it run again.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to end, and kills it when it has not within `grace`.
    pub async fn stop(&self, grace: Duration) {
        self.signal(Signal::TERM);
        let _ended_or_late = tokio::time::timeout(grace, self.wait()).await;
        // Also when it has ended: the group may hold others.
        kill_group(self.group, Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if self.ending().is_none() {
            kill_group(self.group, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn kill_group(group: Pid, signal: Signal) {
    // A group that is gone already is what was wanted.
    let _gone = kill_process_group(group, signal);
}

fn ending_of(status: std::process::ExitStatus) -> Ending {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Code(code),
        (None, Some(signal)) => Ending::Signal(signal),
        (None, None) => Ending::Unknown,
    }
}

fn open_log(path: &Path) -> Result<File, StackError> {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(StackError::io(format!("opening the log `{}`", path.display())))
}

/// The `supervised` command: ties this process to its parent and becomes the wanted program.
///
/// # Errors
/// [`StackError`] when the parent is gone already or the program cannot be run; it does not return
/// otherwise.
pub fn become_supervised(parent: i32, program: &Path, arguments: &[OsString]) -> Result<(), StackError> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| StackError::Io { doing: "tying the child to its parent".to_owned(), source: error.into() })?;
    // The parent may have died before the line above took effect.
    if getppid().map(|id| id.as_raw_nonzero().get()) != Some(parent) {
        return Err(StackError::Usage("the parent process is gone".to_owned()));
    }
    let source = std::process::Command::new(program).args(arguments).exec();
    Err(StackError::Io { doing: format!("running `{}`", program.display()), source })
}
