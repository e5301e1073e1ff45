//! What the Lambda environment says: region, the role's credentials, endpoints.

use std::{env::VarError, fmt};

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

/// The members of the variable `name`, separated by commas, without spaces around and without empty
/// ones; there must be at least one.
///
/// # Errors
/// [`EnvironmentError`] when there is none.
pub fn list(name: &'static str) -> Result<Vec<String>, EnvironmentError> {
    let members = members(&required(name)?);
    if members.is_empty() { Err(EnvironmentError::Missing(name)) } else { Ok(members) }
}

fn members(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|member| !member.is_empty()).map(str::to_owned).collect()
}

/// The URL that one of our doors is reached at, without a final slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// `url` without a final slash.
    pub fn new(url: &str) -> Self {
        Self(url.trim_end_matches('/').to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, with the port where there is one.
    pub fn host(&self) -> &str {
        let after = self.0.split_once("://").map_or(self.0.as_str(), |(_, rest)| rest);
        after.split('/').next().unwrap_or_default()
    }

    /// Whether it is reached over TLS; only a local stack's is not.
    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_no_empty_members() {
        assert_eq!(members("arn:a, arn:b,,\n arn:c ,"), ["arn:a", "arn:b", "arn:c"]);
        assert!(members(" , ").is_empty(), "an empty pattern would protect nothing, or everything");
    }

    #[test]
    fn the_host_of_a_door_is_what_stands_between_scheme_and_path() {
        for (url, host, secure) in [
            ("https://gw.example.com/", "gw.example.com", true),
            ("http://127.0.0.1:8080", "127.0.0.1:8080", false),
            ("https://gw.example.com/stage", "gw.example.com", true),
            ("gw.example.com", "gw.example.com", false),
        ] {
            let url = BaseUrl::new(url);
            assert_eq!((url.host(), url.is_secure()), (host, secure), "{url}");
            assert!(!url.as_str().ends_with('/'));
        }
    }
}
