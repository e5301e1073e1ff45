//! The bundle, as the functions find it in their layer: what `infra/Makefile` puts there.

use std::path::{Path, PathBuf};

use countersign_policy::{COMPILED_FILE, compile};

use super::StackConfig;
use crate::error::StackError;

/// The bundle as the layer would hold it, its rules compiled: a copy, so that a running stack does not see edits.
pub(super) fn deploy_bundle(config: &StackConfig, state_dir: &Path) -> Result<PathBuf, StackError> {
    let from = config.bundle.clone().unwrap_or_else(|| config.template.with_file_name("bundle"));
    let to = state_dir.join("bundle");
    deploy(&from, &to)?;
    // The bundle that is only tried out goes along.
    let shadow = from.join("shadow");
    if shadow.is_dir() {
        deploy(&shadow, &to.join("shadow"))?;
    }
    if !to.join("countersign.toml").is_file() {
        return Err(StackError::Usage(format!("`{}` has no countersign.toml", from.display())));
    }
    Ok(to)
}

fn deploy(from: &Path, to: &Path) -> Result<(), StackError> {
    std::fs::create_dir_all(to).map_err(StackError::io("making the bundle's folder"))?;
    copy_files(from, to)?;
    let compiled = compile(to).map_err(|source| StackError::Bundle { folder: from.display().to_string(), source })?;
    std::fs::write(to.join(COMPILED_FILE), compiled).map_err(StackError::io("writing the compiled bundle"))
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
