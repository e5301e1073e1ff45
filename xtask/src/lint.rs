//! `lint-infra`: the templates, checked by AWS's own linters.

use serde_json::Value as Json;

use crate::{
    error::{Outcome, TaskError},
    steps::{output_of, run},
    venv::Venv,
    workspace,
};

/// Templates, from the root.
const TEMPLATES: [&str; 2] = ["infra/template.yaml", "infra/target-account.yaml"];

/// Written by `countersign policy roles`, which knows more than the linter.
const ROLES: &str = "infra/roles/main.json";

/// Where the linter is wrong about [`ROLES`]: a rule, what its message holds, and why it is no fault.
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    ("E3510", ":????????????:", "IAM takes wildcards for an account; the linter's pattern has `*` and digits only"),
    (
        "W3037",
        " is not one of ",
        "the actions are those of AWS's service reference; the linter's list has not all of them",
    ),
];

/// The environment with cfn-lint, SAM and cargo-lambda.
///
/// # Errors
/// When it cannot be installed.
pub(crate) fn infra_tools() -> Outcome<Venv> {
    Venv::install("infra", &workspace::root().join("infra/requirements.txt"))
}

/// Runs cfn-lint and `sam validate --lint` on every template, and cfn-lint on the roles; a warning fails as well.
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
    let mut roles = tools.program("cfn-lint");
    roles.args(["--format", "json", "--non-zero-exit-code", "none", "--", ROLES]);
    let found = unexpected(&output_of("cfn-lint of the roles", &mut roles)?)?;
    if found.is_empty() { Ok(()) } else { Err(TaskError::Check(found.join("\n"))) }
}

/// What cfn-lint found, as it prints it for programs, that no exception is made for.
fn unexpected(printed: &str) -> Outcome<Vec<String>> {
    let findings: Vec<Json> = serde_json::from_str(printed)
        .map_err(|error| TaskError::Check(format!("cfn-lint printed no list: {error}")))?;
    let text = |finding: &Json, pointer: &str| {
        finding.pointer(pointer).and_then(Json::as_str).unwrap_or_default().chars().take(200).collect::<String>()
    };
    let lines = findings.iter().filter_map(|finding| {
        let (rule, message) = (text(finding, "/Rule/Id"), text(finding, "/Message"));
        let is_excepted = EXCEPTIONS.iter().any(|(known, holds, _)| rule == *known && message.contains(holds));
        let line = finding.pointer("/Location/Start/LineNumber").and_then(Json::as_u64).unwrap_or_default();
        (!is_excepted).then(|| format!("{}:{line}: {rule} {message}", text(finding, "/Filename")))
    });
    Ok(lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_findings_are_excepted() {
        let finding = |rule: &str, message: &str| {
            serde_json::json!({
                "Filename": ROLES, "Rule": {"Id": rule}, "Message": message, "Location": {"Start": {"LineNumber": 7}},
            })
        };
        let printed = serde_json::json!([
            finding("E3510", "'arn:*:s3:*:????????????:b' does not match 'x'"),
            finding("W3037", "'getlogobject' is not one of ['getlogevents']"),
            finding("E3510", "'arn:aws' does not match 'x'"),
            finding("E3001", "'AWS::IAM::Rule' is not a type"),
        ]);
        let found = unexpected(&printed.to_string()).expect("a list");
        assert_eq!(
            found,
            [
                format!("{ROLES}:7: E3510 'arn:aws' does not match 'x'"),
                format!("{ROLES}:7: E3001 'AWS::IAM::Rule' is not a type"),
            ]
        );
        assert!(unexpected("Traceback").is_err());
    }
}
