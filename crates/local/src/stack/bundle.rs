//! The bundle, as the functions find it in their layer.

use std::path::{Path, PathBuf};

use super::StackConfig;
use crate::error::StackError;

/// The bundle as the layer would hold it: a copy, so that a running stack does not see edits.
pub(super) fn copy_bundle(config: &StackConfig, state_dir: &Path) -> Result<PathBuf, StackError> {
    let from = config.bundle.clone().unwrap_or_else(|| config.template.with_file_name("bundle"));
    let to = state_dir.join("bundle");
    std::fs::create_dir_all(&to).map_err(StackError::io("making the bundle's folder"))?;
    copy_files(&from, &to)?;
    // The bundle that is only tried out goes along.
    let shadow = from.join("shadow");
    if shadow.is_dir() {
        let to = to.join("shadow");
        std::fs::create_dir_all(&to).map_err(StackError::io("making the shadow bundle's folder"))?;
        copy_files(&shadow, &to)?;
    }
    if !to.join("countersign.toml").is_file() {
        return Err(StackError::Usage(format!("`{}` has no countersign.toml", from.display())));
    }
    Ok(to)
}

/// Copies rules and settings.
fn copy_files(from: &Path, to: &Path) -> Result<(), StackError> {
    let entries = std::fs::read_dir(from).map_err(StackError::io(format!("reading `{}`", from.display())))?;
    for entry in entries {
        let path = entry.map_err(StackError::io("reading the bundle"))?.path();
        let Some(name) = path.file_name() else { continue };
        let wanted = name == "countersign.toml" || path.extension().is_some_and(|extension| extension == "cedar");
        if wanted {
            std::fs::copy(&path, to.join(name)).map_err(StackError::io(format!("copying `{}`", path.display())))?;
        }
    }
    Ok(())
}

/// The ids of the bundle's persons, for the sign-in page.
pub(super) fn persons_of(bundle: &Path) -> Result<Vec<String>, StackError> {
    let path = bundle.join("countersign.toml");
    let text = std::fs::read_to_string(&path).map_err(StackError::io(format!("reading `{}`", path.display())))?;
    let settings: toml::Table =
        text.parse().map_err(|error| StackError::Usage(format!("`{}`: {error}", path.display())))?;
    let persons = settings.get("persons").and_then(toml::Value::as_array).into_iter().flatten();
    Ok(persons.filter_map(|person| person.get("id").and_then(toml::Value::as_str).map(str::to_owned)).collect())
}
