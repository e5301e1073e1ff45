//! `policy roles`.

use std::{fmt::Write as _, fs, path::PathBuf};

use clap::Args;
use countersign_authoring::{AwsActions, Document, Role, policies, services_of, template_text};
use countersign_policy::{ActionCatalogue as _, nearest};
use serde::Serialize;

use super::{PlaceholderOptions, load, print, print_json};
use crate::ending::{CliError, Ending};

pub(super) const EXAMPLES: &str = "\
Examples:
  countersign policy roles infra/bundle --out infra/roles
  countersign policy roles infra/bundle --out infra/roles --check
  countersign policy roles infra/bundle --out build --service s3 --service dynamodb

For each target a CloudFormation template of managed policies: the auto role's from what rules let pass without approval,
the approved role's from what they let pass at all. docs/policy.md tells how they are deployed.

Exit codes: 0 written, or with --check fresh; 1 with --check: not fresh; 2 the policies do not fit into IAM's limits, or
the command line is wrong.";

/// Options of `policy roles`.
#[derive(Debug, Args)]
pub(crate) struct RolesOptions {
    /// The bundle's folder
    #[arg(value_name = "DIR", default_value = "infra/bundle")]
    folder: PathBuf,
    /// The folder of the templates, one for each target
    #[arg(long, value_name = "DIR", default_value = "infra/roles")]
    out: PathBuf,
    /// Limit the roles to a service, named as in `s3:GetObject`; may be repeated. Those of the file that is there when left
    /// out, and all where there is none
    #[arg(long = "service", value_name = "SERVICE", value_parser = service)]
    services: Vec<String>,
    /// Write nothing, and say whether what is there is fresh
    #[arg(long)]
    check: bool,
    /// Write what was done as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    placeholders: PlaceholderOptions,
}

fn service(text: &str) -> Result<String, String> {
    let aws = AwsActions::embedded();
    if aws.service_exists(text) {
        return Ok(text.to_owned());
    }
    let near = nearest(text, aws.by_service().keys().copied());
    Err(near.map_or_else(|| "AWS has no such service".to_owned(), |near| format!("did you mean `{near}`?")))
}

#[derive(Serialize)]
struct Written {
    target: String,
    file: String,
    auto_policies: usize,
    auto_characters: usize,
    approved_policies: usize,
    approved_characters: usize,
    fresh: bool,
}

/// Writes the templates, or checks them.
pub(super) fn run(options: &RolesOptions) -> Result<Ending, CliError> {
    let bundle = load::valid_bundle(&options.folder, &options.placeholders)?;
    let mut all = Vec::new();
    for target in &bundle.settings().targets {
        let name = target.name.as_str();
        let path = options.out.join(format!("{name}.json"));
        let there = fs::read_to_string(&path).unwrap_or_default();
        let services = match options.services.as_slice() {
            [] => services_of(&there),
            given => given.iter().cloned().collect(),
        };
        let of = |role| policies(&bundle, name, role, &services).map_err(|error| CliError::Usage(error.to_string()));
        let (auto, approved) = (of(Role::Auto)?, of(Role::Approved)?);
        let text = template_text(name, &services, &auto, &approved);
        let fresh = there == text;
        if !options.check && !fresh {
            let wrong = |source| CliError::File { path: path.clone(), source };
            fs::create_dir_all(&options.out).map_err(wrong)?;
            fs::write(&path, text).map_err(wrong)?;
        }
        let characters = |documents: &[Document]| documents.iter().map(Document::size).sum();
        all.push(Written {
            target: name.to_owned(),
            file: path.display().to_string(),
            auto_policies: auto.len(),
            auto_characters: characters(&auto),
            approved_policies: approved.len(),
            approved_characters: characters(&approved),
            fresh: fresh || !options.check,
        });
    }
    if options.json {
        print_json(&all)?;
    } else {
        print(&readable(&all))?;
    }
    Ok(if all.iter().all(|one| one.fresh) { Ending::Well } else { Ending::Finding })
}

fn readable(all: &[Written]) -> String {
    let mut text = String::new();
    for one in all {
        let stale = if one.fresh { "" } else { ": not fresh, write it anew without --check" };
        let _ = writeln!(
            text,
            "{}: auto role {} ({} characters), approved role {} ({} characters){stale}",
            one.file,
            managed(one.auto_policies),
            one.auto_characters,
            managed(one.approved_policies),
            one.approved_characters,
        );
    }
    text
}

fn managed(count: usize) -> String {
    if count == 1 { "1 policy".to_owned() } else { format!("{count} policies") }
}
