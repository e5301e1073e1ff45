//! A person at a real browser.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

use crate::{agent::python, stack::root};

/// What the person saw.
#[derive(Debug)]
pub struct Visit {
    /// The page that showed the call.
    pub before: String,
    /// The page after the decision.
    pub after: String,
    /// Severe messages of the browser's console.
    pub complaints: Vec<String>,
}

/// Whether a browser and its driver are installed.
pub fn is_there() -> bool {
    let found = |name: &str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    found("chromium") && found("chromedriver")
}

/// Opens `link`, signs in as `person` and decides. Screenshots go to `folder`.
///
/// # Errors
/// When any step does not work; the page is in the message.
pub fn decide(link: &str, person: &str, verdict: &str, reason: &str, folder: &Path) -> Result<Visit> {
    let output = Command::new(python("sdk")?)
        .arg(root().join("tests/clients/browser.py"))
        .args([link, person, verdict, reason])
        .arg(folder)
        .output()?;
    if !output.status.success() {
        bail!("the browser: {}", String::from_utf8_lossy(&output.stderr));
    }
    let pages: Json = serde_json::from_slice(&output.stdout)?;
    let text = |name: &str| pages.get(name).and_then(Json::as_str).map(str::to_owned).context("no text of the page");
    let complaints = pages.get("console").and_then(Json::as_array).into_iter().flatten();
    Ok(Visit {
        before: text("before")?,
        after: text("after")?,
        complaints: complaints.map(ToString::to_string).collect(),
    })
}
