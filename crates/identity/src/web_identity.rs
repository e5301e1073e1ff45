//! `AssumeRoleWithWebIdentity`, as AWS STS speaks it: the form that SDKs send, and the answers
//! that they read. Source: the STS API reference, version 2011-06-15.

use std::{collections::BTreeMap, fmt::Write as _};

use countersign_domain::Timestamp;
use percent_encoding::percent_decode_str;

use crate::{
    error::IdentityError,
    session::{SessionCredentials, SessionError},
};

/// The STS API version.
const VERSION: &str = "2011-06-15";
const ACTION: &str = "AssumeRoleWithWebIdentity";
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// The largest form that is read: a token of 16 KiB, escaped, and the rest.
const MAX_FORM_BYTES: usize = 64 * 1024;

/// A login as an SDK sends it.
#[derive(Clone, PartialEq, Eq)]
pub struct AssumeRoleWithWebIdentity {
    /// The role that the agent asks for; it names a target.
    pub role_arn: String,
    /// The agent's own words: its task.
    pub unverified_role_session_name: String,
    /// The agent's token.
    pub unverified_token: String,
    /// The lifetime asked for, 900 to 43,200 seconds.
    pub duration_seconds: Option<u32>,
}

/// Shows everything but the token.
impl std::fmt::Debug for AssumeRoleWithWebIdentity {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("AssumeRoleWithWebIdentity")
            .field("role_arn", &self.role_arn)
            .field("unverified_role_session_name", &self.unverified_role_session_name)
            .field("duration_seconds", &self.duration_seconds)
            .finish_non_exhaustive()
    }
}

/// Whether a form asks for this operation at all. A form that also asks for another one is
/// still taken here, where [`parse`] refuses it.
pub fn is_web_identity_login(form: &[u8]) -> bool {
    std::str::from_utf8(form).is_ok_and(|form| form.split('&').any(|pair| pair == "Action=AssumeRoleWithWebIdentity"))
}

/// Parses the form of a `POST /` without a signature.
///
/// # Errors
/// [`StsError`]: for duplicate, unknown or malformed members, and for members that STS knows and
/// that are not supported here, by name.
pub fn parse(form: &[u8]) -> Result<AssumeRoleWithWebIdentity, StsError> {
    let mut members = members(form)?;
    let mut take = |name: &str| members.remove(name);
    if take("Action").as_deref() != Some(ACTION) {
        return Err(StsError::new(
            StsCode::InvalidAction,
            "the only operation without a signature here is AssumeRoleWithWebIdentity",
        ));
    }
    if take("Version").as_deref() != Some(VERSION) {
        return Err(StsError::new(StsCode::InvalidAction, format!("the version must be {VERSION}")));
    }
    let mut required = |name: &str| {
        take(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            StsError::new(StsCode::MissingParameter, format!("the request must contain the parameter {name}"))
        })
    };
    let role_arn = required("RoleArn")?;
    let unverified_role_session_name = required("RoleSessionName")?;
    let unverified_token = required("WebIdentityToken")?;
    let duration_seconds = members.remove("DurationSeconds").map(|text| duration(&text)).transpose()?;
    refuse_the_rest(&members)?;
    if !is_role_arn(&role_arn) {
        return Err(StsError::new(StsCode::ValidationError, "RoleArn is not the ARN of an IAM role"));
    }
    if !is_role_session_name(&unverified_role_session_name) {
        return Err(StsError::new(
            StsCode::ValidationError,
            "RoleSessionName must be 2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -",
        ));
    }
    Ok(AssumeRoleWithWebIdentity { role_arn, unverified_role_session_name, unverified_token, duration_seconds })
}

fn members(form: &[u8]) -> Result<BTreeMap<String, String>, StsError> {
    let malformed = |problem: &str| StsError::new(StsCode::MalformedInput, format!("the form is malformed: {problem}"));
    if form.len() > MAX_FORM_BYTES {
        return Err(malformed("it is too long"));
    }
    let form = std::str::from_utf8(form).map_err(|_| malformed("it is not utf-8"))?;
    let mut members = BTreeMap::new();
    for pair in form.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| malformed("a member has no value"))?;
        let name = form_text(name).ok_or_else(|| malformed("a name is badly escaped"))?;
        let value = form_text(value).ok_or_else(|| malformed("a value is badly escaped"))?;
        if members.contains_key(&name) {
            return Err(StsError::new(StsCode::ValidationError, "a parameter is given twice"));
        }
        members.insert(name, value);
    }
    Ok(members)
}

/// One text of `application/x-www-form-urlencoded`; `None` for a `%` without two hex digits.
pub(crate) fn form_text(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('%') {
        let digits = after.get(..2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        rest = after;
    }
    percent_decode_str(&text.replace('+', " ")).decode_utf8().ok().map(|text| text.into_owned())
}

fn refuse_the_rest(members: &BTreeMap<String, String>) -> Result<(), StsError> {
    let Some(name) = members.keys().next() else { return Ok(()) };
    let message = if name == "Policy" || name.starts_with("PolicyArns") {
        "session policies are not supported here: what an agent may do is decided for each call by the bundle"
            .to_owned()
    } else if name == "ProviderId" {
        "ProviderId is not supported here: it is for OAuth 2.0 access tokens, and only OpenID Connect tokens are accepted".to_owned()
    } else {
        "the request has a parameter that AssumeRoleWithWebIdentity does not have".to_owned()
    };
    Err(StsError::new(StsCode::ValidationError, message))
}

fn duration(text: &str) -> Result<u32, StsError> {
    text.bytes()
        .all(|digit| digit.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
        .filter(|seconds| (900..=43_200).contains(seconds))
        .ok_or_else(|| StsError::new(StsCode::ValidationError, "DurationSeconds must be 900 to 43200"))
}

fn is_role_arn(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (arn, partition, service, region, account, resource) = (next(), next(), next(), next(), next(), next());
    text.len() <= 2048
        && arn == "arn"
        && matches!(partition, "aws" | "aws-cn" | "aws-us-gov")
        && service == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.bytes().all(|digit| digit.is_ascii_digit())
        && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty())
        && resource.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

fn is_role_session_name(text: &str) -> bool {
    (2..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

/// An error code of STS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StsCode {
    /// The caller may not have this role.
    AccessDenied,
    /// The token has expired.
    ExpiredToken,
    /// The issuer could not be reached; SDKs try again.
    IdpCommunicationError,
    /// The issuer or its settings reject the claims.
    IdpRejectedClaim,
    /// Our fault.
    InternalFailure,
    /// Another operation or version.
    InvalidAction,
    /// The token is not one that is accepted.
    InvalidIdentityToken,
    /// Not a form.
    MalformedInput,
    /// A parameter is missing.
    MissingParameter,
    /// We cannot serve now; SDKs try again.
    ServiceUnavailable,
    /// A parameter is not as documented.
    ValidationError,
}

impl StsCode {
    /// The code on the wire, from STS's service model and the common errors of the query protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            StsCode::AccessDenied => "AccessDenied",
            StsCode::ExpiredToken => "ExpiredTokenException",
            StsCode::IdpCommunicationError => "IDPCommunicationError",
            StsCode::IdpRejectedClaim => "IDPRejectedClaim",
            StsCode::InternalFailure => "InternalFailure",
            StsCode::InvalidAction => "InvalidAction",
            StsCode::InvalidIdentityToken => "InvalidIdentityToken",
            StsCode::MalformedInput => "MalformedInput",
            StsCode::MissingParameter => "MissingParameter",
            StsCode::ServiceUnavailable => "ServiceUnavailable",
            StsCode::ValidationError => "ValidationError",
        }
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            StsCode::AccessDenied | StsCode::IdpRejectedClaim => 403,
            StsCode::ExpiredToken
            | StsCode::IdpCommunicationError
            | StsCode::InvalidAction
            | StsCode::InvalidIdentityToken
            | StsCode::MalformedInput
            | StsCode::MissingParameter
            | StsCode::ValidationError => 400,
            StsCode::InternalFailure => 500,
            StsCode::ServiceUnavailable => 503,
        }
    }
}

/// An error as STS answers it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub struct StsError {
    /// The code.
    pub code: StsCode,
    /// For the caller to read.
    pub message: String,
}

impl StsError {
    /// An error with this code and message.
    pub fn new(code: StsCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The body of the answer; its content type is `text/xml`.
    pub fn to_xml(&self, request_id: &str) -> String {
        let kind = if self.code.status() < 500 { "Sender" } else { "Receiver" };
        let mut xml = format!("<ErrorResponse xmlns=\"{NAMESPACE}\">\n  <Error>\n");
        element(&mut xml, 4, "Type", kind);
        element(&mut xml, 4, "Code", self.code.as_str());
        element(&mut xml, 4, "Message", &self.message);
        xml.push_str("  </Error>\n");
        element(&mut xml, 2, "RequestId", request_id);
        xml.push_str("</ErrorResponse>\n");
        xml
    }
}

impl From<&IdentityError> for StsError {
    fn from(error: &IdentityError) -> Self {
        let code = match error {
            IdentityError::Expired(_) => StsCode::ExpiredToken,
            IdentityError::IssuerUnavailable { .. } => StsCode::IdpCommunicationError,
            IdentityError::Audience { .. } | IdentityError::Claim { .. } | IdentityError::Nonce => {
                StsCode::IdpRejectedClaim
            }
            IdentityError::TooLong(_)
            | IdentityError::Malformed(_)
            | IdentityError::Type(_)
            | IdentityError::UnknownIssuer(_)
            | IdentityError::Algorithm(_)
            | IdentityError::UnknownKey
            | IdentityError::Signature
            | IdentityError::NotYetValid(_) => StsCode::InvalidIdentityToken,
        };
        StsError::new(code, error.to_string())
    }
}

impl From<&SessionError> for StsError {
    fn from(error: &SessionError) -> Self {
        match error {
            SessionError::TooLong { .. } | SessionError::Lifetime => {
                StsError::new(StsCode::ValidationError, error.to_string())
            }
            SessionError::Expired(_) => StsError::new(StsCode::ExpiredToken, error.to_string()),
            SessionError::Invalid => StsError::new(StsCode::InvalidIdentityToken, error.to_string()),
            // What failed inside is not the caller's to know.
            SessionError::Seal(_) => StsError::new(StsCode::InternalFailure, "the session could not be made"),
        }
    }
}

/// What STS answers to a successful login.
#[derive(Debug)]
pub struct Success<'a> {
    /// The credentials.
    pub credentials: &'a SessionCredentials,
    /// The ARN of the role that was asked for.
    pub role_arn: &'a str,
    /// The name that was asked for.
    pub role_session_name: &'a str,
    /// A stable id of the session.
    pub session_id: &'a str,
    /// `sub` of the token.
    pub subject: &'a str,
    /// The audience of the token.
    pub audience: &'a str,
    /// `iss` of the token.
    pub issuer: &'a str,
}

impl Success<'_> {
    /// The body of the answer; its status is 200 and its content type `text/xml`.
    pub fn to_xml(&self, request_id: &str) -> String {
        let mut xml = format!("<{ACTION}Response xmlns=\"{NAMESPACE}\">\n  <{ACTION}Result>\n");
        element(&mut xml, 4, "SubjectFromWebIdentityToken", self.subject);
        element(&mut xml, 4, "Audience", self.audience);
        element(&mut xml, 4, "Provider", self.issuer);
        xml.push_str("    <AssumedRoleUser>\n");
        element(&mut xml, 6, "Arn", &assumed_role_arn(self.role_arn, self.role_session_name));
        element(&mut xml, 6, "AssumedRoleId", &format!("{}:{}", self.session_id, self.role_session_name));
        xml.push_str("    </AssumedRoleUser>\n    <Credentials>\n");
        element(&mut xml, 6, "AccessKeyId", &self.credentials.access_key_id);
        element(&mut xml, 6, "SecretAccessKey", self.credentials.secret_access_key.expose());
        element(&mut xml, 6, "SessionToken", &self.credentials.session_token);
        element(&mut xml, 6, "Expiration", &iso8601(self.credentials.expires_at));
        let _ = write!(xml, "    </Credentials>\n  </{ACTION}Result>\n  <ResponseMetadata>\n");
        element(&mut xml, 4, "RequestId", request_id);
        let _ = writeln!(xml, "  </ResponseMetadata>\n</{ACTION}Response>");
        xml
    }
}

/// `arn:aws:iam::1:role/path/name` and a session name as the ARN of the assumed role, which has
/// no path.
fn assumed_role_arn(role_arn: &str, role_session_name: &str) -> String {
    let (front, name) = role_arn.rsplit_once('/').unwrap_or(("", role_arn));
    let mut parts = front.split(':');
    let partition = parts.nth(1).unwrap_or("aws");
    let account = parts.nth(2).unwrap_or_default();
    format!("arn:{partition}:sts::{account}:assumed-role/{name}/{role_session_name}")
}

fn iso8601(at: Timestamp) -> String {
    at.to_string()
}

fn element(xml: &mut String, indent: usize, name: &str, text: &str) {
    let _ = writeln!(xml, "{:indent$}<{name}>{}</{name}>", "", escaped(text));
}

/// Text for an XML element. Characters that XML 1.0 does not have at all become U+FFFD, or no SDK
/// could parse the answer.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, letter| {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\n' | '\t' => out.push(letter),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            letter if letter < ' ' => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
        out
    })
}

#[cfg(test)]
mod tests;
