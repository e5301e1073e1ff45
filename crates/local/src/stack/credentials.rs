//! Credentials of the roles as files, for Step Functions and for whoever tests what a role may do.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde_json::json;
use time::format_description::well_known::Rfc3339;

use crate::{error::StackError, front::sts::Sts, iam::principals::Session, lambda_host::LambdaHost, plan::Machine};

/// What was written.
pub(super) struct Written {
    /// The folder, with a file per role.
    pub(super) by_role: PathBuf,
    /// The files of the functions' roles, by short name of the function.
    pub(super) by_function: BTreeMap<String, PathBuf>,
}

/// Writes a file for each function's role and each state machine's, in the format of
/// `credential_process`.
pub(super) fn write(
    state_dir: &Path,
    sts: &Sts,
    lambda: &LambdaHost,
    machines: &[Machine],
) -> Result<Written, StackError> {
    let by_role = state_dir.join("credentials");
    std::fs::create_dir_all(&by_role).map_err(StackError::io("making the folder for credentials"))?;
    let mut by_function = BTreeMap::new();
    for function in lambda.configs() {
        let session = sts.service_session(&function.role_arn, "lambda.amazonaws.com", "inspection", &function.arn);
        let file = write_one(&by_role, session, &function.role_arn, "lambda.amazonaws.com")?;
        by_function.insert(function.short_name.clone(), file);
    }
    for machine in machines {
        let session = sts.service_session(&machine.role_arn, "states.amazonaws.com", &machine.name, &machine.arn);
        write_one(&by_role, session, &machine.role_arn, "states.amazonaws.com")?;
    }
    Ok(Written { by_role, by_function })
}

fn write_one(folder: &Path, session: Option<Session>, role_arn: &str, service: &str) -> Result<PathBuf, StackError> {
    let session =
        session.ok_or_else(|| StackError::Template(format!("the role `{role_arn}` does not let `{service}` in")))?;
    let path = folder.join(format!("{}.json", session.role.name));
    let credentials = json!({
        "Version": 1,
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key,
        "SessionToken": session.token,
        "Expiration": session.expires.format(&Rfc3339).unwrap_or_default(),
    });
    write_private(&path, &credentials.to_string())?;
    Ok(path)
}

/// Writes a file that only its owner can read.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), StackError> {
    let doing = || format!("writing `{}`", path.display());
    let mut file: File = File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(StackError::io(doing()))?;
    file.write_all(text.as_bytes()).map_err(StackError::io(doing()))
}
