//! `countersign catalogue`: what is known of AWS's services, for people.

mod diff;
mod members;
mod nearest;
mod operation;
mod service;

use std::io::{self, Write as _};

use serde_json::Value as Json;

use crate::{
    cli::CatalogueCommand,
    ending::{CliError, Ending},
};

/// Runs one of the commands.
///
/// # Errors
/// When a name or a file is wrong, or the output cannot be written.
pub(crate) fn run(command: &CatalogueCommand) -> Result<Ending, CliError> {
    match command {
        CatalogueCommand::Services { json } => service::list(*json),
        CatalogueCommand::Show { name, json } => match name.split_once(':') {
            None => service::show(name, *json),
            Some((service, name)) => operation::show(service, name, *json),
        },
        CatalogueCommand::Diff { old, new, json } => diff::run(old, new, *json),
    }
}

fn print(text: &str) -> Result<(), CliError> {
    io::stdout().lock().write_all(text.as_bytes()).map_err(CliError::output)
}

fn print_json(value: &Json) -> Result<(), CliError> {
    print(&format!("{value:#}\n"))
}

/// Rows as columns two spaces apart.
fn columns(rows: &[Vec<String>]) -> String {
    let width = |place: usize| {
        rows.iter().filter_map(|row| row.get(place)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..rows.iter().map(Vec::len).max().unwrap_or_default()).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}
