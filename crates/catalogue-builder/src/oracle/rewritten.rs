//! Requests as the gateway would send them on, for a comparison of the answers to both.

use std::io::{BufRead, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_catalogue::{Catalogue, Place};
use countersign_understanding::DoorPath;
use serde_json::json;

use super::Recorded;
use crate::BuildError;

/// Writes for each recorded request that is understood what the gateway would send in its place, one JSON object in
/// each line: `line` (from 0), `method`, `path`, `query`, `headers`, `body`. What is refused is left out.
///
/// # Errors
/// [`BuildError::Source`] when a line is not what `oracle/generate.py` writes, or the output fails.
pub fn rewrite(catalogue: &Catalogue, lines: impl BufRead, mut out: impl Write) -> Result<(), BuildError> {
    for (number, line) in lines.lines().enumerate() {
        let failed = |what: &str| BuildError::Source(format!("line {}: {what}", number + 1));
        let line = line.map_err(|error| failed(&error.to_string()))?;
        let request = Recorded::read(&line).ok_or_else(|| failed("not a recorded request"))?;
        let Ok((verified, path)) = request.verify(DoorPath::AsSent(&request.path)) else { continue };
        let opened = request.opened(catalogue, Some(verified), path);
        let Ok(understood) = catalogue.understand(&opened.wire(), &Place::aws()) else { continue };
        let outgoing = understood.outgoing;
        let written = json!({
            "line": number, "method": outgoing.method, "path": outgoing.path, "query": outgoing.query,
            "headers": outgoing.headers, "body": STANDARD.encode(&outgoing.body),
        });
        writeln!(out, "{written}").map_err(|error| failed(&error.to_string()))?;
    }
    Ok(())
}
