//! `up` and `token`: both become the local stack's own program.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    binaries::{self, Profile},
    cli::{TokenOptions, UpOptions},
    error::{Outcome, TaskError},
    steps::{become_program, program},
    tools::{self, Tool},
};

/// The template that AWS gets as well; the target account's is beside it.
const TEMPLATE: &str = "infra/template.yaml";

/// The state machine that AWS gets as well.
const STATE_MACHINE: &str = "statemachines/approval.asl.json";

/// The local stack's program.
const LOCAL_STACK: &str = "countersign-local";

/// Builds everything and becomes `countersign-local up`, so that signals and the exit code are the stack's own.
///
/// # Errors
/// When a tool is missing, something does not compile or the bundle's folder does not exist.
pub(crate) fn up(options: &UpOptions) -> Outcome {
    tools::need(&[Tool::CCompiler, Tool::Python])?;
    // Seen from where the command was typed; the stack itself runs in the root.
    let bundle = options.bundle.as_deref().map(absolute).transpose()?;
    let folder = binaries::build(Profile::from_flag(options.release))?;
    let mut local = local_stack(&folder);
    local.arg("up").arg("--functions-dir").arg(&folder);
    local.args(["--template", TEMPLATE, "--state-machine", STATE_MACHINE, "--door", options.door.word()]);
    if let Some(bundle) = bundle {
        local.arg("--bundle").arg(bundle);
    }
    if let Some(upstream) = &options.upstream {
        local.args(["--upstream", upstream]);
    }
    if options.json {
        local.arg("--json");
    }
    become_program(&mut local)
}

/// Becomes `countersign-local token`, which asks the running stack's issuer.
///
/// # Errors
/// When there is no local stack's program and it does not compile.
pub(crate) fn token(options: &TokenOptions) -> Outcome {
    // A running stack was started by a program that is built, with whichever profile.
    let built = [Profile::Debug, Profile::Release].map(Profile::folder).into_iter().find(|folder| is_built(folder));
    let folder = match built {
        Some(folder) => folder,
        None => binaries::build(Profile::Debug)?,
    };
    let mut local = local_stack(&folder);
    local.arg("token");
    let single = [
        ("--agent", &options.agent),
        ("--person", &options.person),
        ("--audience", &options.audience),
        ("--expires", &options.expires),
    ];
    for (option, value) in single {
        local.args(value.iter().flat_map(|value| [option, value]));
    }
    if let Some(folder) = &options.state_dir {
        local.arg("--state-dir").arg(folder);
    }
    for (option, values) in [("--group", &options.groups), ("--owner", &options.owners)] {
        local.args(values.iter().flat_map(|value| [option, value]));
    }
    become_program(&mut local)
}

fn local_stack(folder: &Path) -> Command {
    program(folder.join(LOCAL_STACK))
}

fn is_built(folder: &Path) -> bool {
    folder.join(LOCAL_STACK).is_file()
}

fn absolute(path: &Path) -> Outcome<PathBuf> {
    path.canonicalize().map_err(|source| TaskError::File { path: path.to_owned(), source })
}
