//! What differs between two catalogue files.

use std::{fs, path::Path};

use countersign_catalogue::{
    Catalogue,
    changes::{self, Change},
};
use serde_json::json;

use crate::ending::{CliError, Ending};

use super::{print, print_json};

/// Prints what is new, gone and changed from `old` to `new`.
///
/// # Errors
/// When a file cannot be read or is no catalogue, or the output cannot be written.
pub(super) fn run(old: &Path, new: &Path, as_json: bool) -> Result<Ending, CliError> {
    let (before, after) = (read(old)?, read(new)?);
    let changes = changes::between(&before, &after);
    if as_json {
        let named = |wanted: fn(&Change) -> Option<&String>| changes.iter().filter_map(wanted).collect::<Vec<_>>();
        print_json(&json!({
            "old": before.version(),
            "new": after.version(),
            "new_operations": named(|change| if let Change::New(name) = change { Some(name) } else { None }),
            "gone_operations": named(|change| if let Change::Gone(name) = change { Some(name) } else { None }),
            "changed_operations": named(|change| if let Change::Changed(name) = change { Some(name) } else { None }),
        }))?;
    } else {
        for change in &changes {
            print(&format!("{change}\n"))?;
        }
        let count = |wanted: fn(&Change) -> bool| changes.iter().filter(|change| wanted(change)).count();
        print(&format!(
            "{} new, {} gone, {} changed from {} to {}\n",
            count(|change| matches!(change, Change::New(_))),
            count(|change| matches!(change, Change::Gone(_))),
            count(|change| matches!(change, Change::Changed(_))),
            before.version(),
            after.version()
        ))?;
    }
    Ok(if changes.is_empty() { Ending::Well } else { Ending::Finding })
}

/// A catalogue of which every service can be read: one that is half damaged would look as if services were gone.
fn read(path: &Path) -> Result<Catalogue, CliError> {
    let bytes = fs::read(path).map_err(|source| CliError::File { path: path.to_owned(), source })?;
    let damaged = |what: String| CliError::Usage(format!("`{}` is no catalogue: {what}", path.display()));
    // A catalogue borrows from its bytes as long as the process lasts, which is not much longer.
    let catalogue = Catalogue::from_blob(bytes.leak()).map_err(|error| damaged(error.to_string()))?;
    match catalogue.services().iter().find(|entry| catalogue.service(entry.id).is_none()) {
        None => Ok(catalogue),
        Some(entry) => Err(damaged(format!("the service `{}` cannot be read", entry.id))),
    }
}
