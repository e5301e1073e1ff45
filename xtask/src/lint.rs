//! `lint-infra`: the templates, checked by AWS's own linters.

use crate::{error::Outcome, steps::run, venv::Venv, workspace};

/// Templates, from the root.
const TEMPLATES: [&str; 2] = ["infra/template.yaml", "infra/target-account.yaml"];

/// The environment with cfn-lint, SAM and cargo-lambda.
///
/// # Errors
/// When it cannot be installed.
pub(crate) fn infra_tools() -> Outcome<Venv> {
    Venv::install("infra", &workspace::root().join("infra/requirements.txt"))
}

/// Runs cfn-lint and `sam validate --lint` on every template; a warning fails as well.
///
/// # Errors
/// When a linter finds something.
pub(crate) fn infra() -> Outcome {
    let tools = infra_tools()?;
    run("cfn-lint", tools.program("cfn-lint").args(["--non-zero-exit-code", "informational", "--"]).args(TEMPLATES))?;
    for template in TEMPLATES {
        let mut sam = tools.program("sam");
        sam.args(["validate", "--lint", "--template", template]);
        // The linter wants to know a region; which one does not matter, and nothing is asked there.
        sam.env("AWS_DEFAULT_REGION", "eu-central-1").env("SAM_CLI_TELEMETRY", "0");
        run(&format!("sam validate {template}"), &mut sam)?;
    }
    Ok(())
}
