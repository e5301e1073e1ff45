//! Loads a bundle for a command.

use std::path::Path;

use countersign_authoring::Placeholders;
use countersign_policy::{Bundle, BundleError};

use super::PlaceholderOptions;
use crate::ending::CliError;

/// The values of the placeholders.
///
/// # Errors
/// When one is given in a form that cannot be used.
pub(super) fn placeholders(options: &PlaceholderOptions) -> Result<Placeholders, CliError> {
    Placeholders::new(&options.set, options.env).map_err(|error| CliError::Usage(error.to_string()))
}

/// The bundle in `folder`, from its texts: a compiled form beside them is for functions.
pub(super) fn bundle(folder: &Path, values: &Placeholders) -> Result<Bundle, BundleError> {
    let loaded = Bundle::load_texts(folder, |name| values.value(name), &[]);
    let sampled = values.sampled();
    if !sampled.is_empty() {
        let names: Vec<_> = sampled.keys().map(String::as_str).collect();
        eprintln!("note: sample values stand for {}; give your own with --set NAME=VALUE or --env", names.join(", "));
    }
    loaded
}

/// As [`bundle`]; what is wrong with it ends the command.
pub(super) fn valid_bundle(folder: &Path, options: &PlaceholderOptions) -> Result<Bundle, CliError> {
    let values = placeholders(options)?;
    bundle(folder, &values).map_err(|error| CliError::Usage(format!("`{}`: {error}", folder.display())))
}
