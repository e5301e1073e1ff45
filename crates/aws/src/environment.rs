//! What the Lambda environment says: region, the role's credentials, endpoints.

use std::env::VarError;

use aws_credential_types::Credentials;

/// Why the environment cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// A variable is missing or empty.
    #[error("the environment variable `{0}` is missing or empty")]
    Missing(&'static str),
    /// A variable is not UTF-8.
    #[error("the environment variable `{0}` is not utf-8")]
    NotUtf8(&'static str),
}

/// The variable `name`, which must be there and not empty.
///
/// # Errors
/// [`EnvironmentError`] when it is not.
pub fn required(name: &'static str) -> Result<String, EnvironmentError> {
    optional(name)?.ok_or(EnvironmentError::Missing(name))
}

/// The variable `name`; an empty one counts as absent.
///
/// # Errors
/// [`EnvironmentError::NotUtf8`].
pub fn optional(name: &'static str) -> Result<Option<String>, EnvironmentError> {
    match std::env::var(name) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(EnvironmentError::NotUtf8(name)),
    }
}

/// What every client needs to know.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The region that the function runs in (`AWS_REGION`).
    pub region: String,
    /// The credentials of the function's role. Lambda gives them to an instance once, for longer
    /// than the instance lives, so they are read once.
    pub credentials: Credentials,
    /// `AWS_ENDPOINT_URL`: where Countersign's own calls go instead of AWS.
    pub endpoint_url: Option<String>,
    /// `COUNTERSIGN_UPSTREAM_ENDPOINT`: where the agents' calls go instead of AWS.
    pub upstream_endpoint: Option<String>,
}

impl Environment {
    /// Reads the variables that AWS Lambda sets, and the two that redirect calls.
    ///
    /// # Errors
    /// [`EnvironmentError`] names the variable.
    pub fn read() -> Result<Self, EnvironmentError> {
        let credentials = Credentials::new(
            required("AWS_ACCESS_KEY_ID")?,
            required("AWS_SECRET_ACCESS_KEY")?,
            optional("AWS_SESSION_TOKEN")?,
            None,
            "lambda-environment",
        );
        Ok(Self {
            region: required("AWS_REGION")?,
            credentials,
            endpoint_url: optional("AWS_ENDPOINT_URL")?,
            upstream_endpoint: optional("COUNTERSIGN_UPSTREAM_ENDPOINT")?,
        })
    }
}
