//! The state file, by which other commands find a running stack.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::credentials::write_private;
use crate::error::StackError;

/// The name of a stack's own file, in its state folder.
const OWN: &str = "stack.json";

/// The name of the file that tells of the latest stack, in the folder above.
const LATEST: &str = "running.json";

/// What a stack tells of itself, on disk.
pub struct StateFile {
    public: Value,
    own: PathBuf,
    latest: PathBuf,
}

impl StateFile {
    pub(super) fn write(state_dir: &Path, public: &Value, admin_secret: &str) -> Result<Self, StackError> {
        let mut all = public.clone();
        if let Some(members) = all.as_object_mut() {
            members.insert("admin_secret".to_owned(), Value::String(admin_secret.to_owned()));
        }
        let own = state_dir.join(OWN);
        let latest = state_dir.parent().unwrap_or(state_dir).join(LATEST);
        for path in [&own, &latest] {
            write_private(path, &all.to_string())?;
        }
        Ok(Self { public: public.clone(), own, latest })
    }

    /// What may be shown: without the admin secret.
    pub fn public(&self) -> &Value {
        &self.public
    }

    /// Removes the files, the shared one only while it tells of this stack.
    pub fn remove(&self) {
        let tells_of_us = read(&self.latest).is_ok_and(|latest| latest.get("pid") == self.public.get("pid"));
        for path in std::iter::once(&self.own).chain(tells_of_us.then_some(&self.latest)) {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "the state file stays behind");
            }
        }
    }
}

/// The state of the running stack: of the one in `folder`, or the latest one below it.
///
/// # Errors
/// [`StackError::Usage`] when none runs.
pub fn running(folder: &Path) -> Result<Value, StackError> {
    let found = [OWN, LATEST].iter().find_map(|name| read(&folder.join(name)).ok());
    let state = found.filter(|state| state.get("pid").and_then(Value::as_u64).is_some_and(is_alive));
    state.ok_or_else(|| StackError::Usage(format!("no stack runs in `{}`; start one first", folder.display())))
}

fn read(path: &Path) -> Result<Value, std::io::Error> {
    serde_json::from_slice(&std::fs::read(path)?).map_err(std::io::Error::other)
}

fn is_alive(pid: u64) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}
