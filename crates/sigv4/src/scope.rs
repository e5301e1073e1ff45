//! The credential scope.

use std::fmt;

use crate::SignatureError;

/// Where and when a signing key is good: the scope of a signature without its `aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The day in UTC, as in `20261121`.
    pub date: String,
    /// The region, as in `eu-central-1`.
    pub region: String,
    /// The signing name of the service, as in `dynamodb`.
    pub service: String,
}

/// As in `20261121/eu-central-1/dynamodb/aws4_request`.
impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// A longer name than any region or signing name that AWS has.
const MAX_NAME: usize = 64;

/// The `Credential` of a signature: the access key id and the scope.
#[derive(Debug)]
pub(crate) struct Credential {
    pub(crate) unverified_access_key_id: String,
    pub(crate) unverified_scope: Scope,
}

impl Credential {
    /// Reads `AKID/20261121/eu-central-1/dynamodb/aws4_request`.
    pub(crate) fn parse(text: &str) -> Result<Self, SignatureError> {
        let mut parts = text.split('/');
        let (Some(key), Some(date), Some(region), Some(service), Some(terminator), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SignatureError::MalformedCredential);
        };
        if key.is_empty() || key.len() > 128 || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(SignatureError::MalformedAccessKeyId);
        }
        if terminator != "aws4_request" {
            return Err(SignatureError::ScopeTerminator);
        }
        if date.len() != 8 || !date.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SignatureError::MalformedCredential);
        }
        if !is_name(region, u8::is_ascii_lowercase) {
            return Err(SignatureError::ScopeRegion);
        }
        // `IoTSecuredTunneling` is a signing name
        if !is_name(service, u8::is_ascii_alphabetic) {
            return Err(SignatureError::ScopeService);
        }
        Ok(Self {
            unverified_access_key_id: key.to_owned(),
            unverified_scope: Scope { date: date.to_owned(), region: region.to_owned(), service: service.to_owned() },
        })
    }
}

fn is_name(text: &str, letter: fn(&u8) -> bool) -> bool {
    !text.is_empty()
        && text.len() <= MAX_NAME
        && text.bytes().all(|byte| letter(&byte) || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_credential() {
        let credential = Credential::parse("CSG_1/20261121/us-gov-west-1/IoTSecuredTunneling/aws4_request").unwrap();
        assert_eq!(credential.unverified_access_key_id, "CSG_1");
        assert_eq!(credential.unverified_scope.to_string(), "20261121/us-gov-west-1/IoTSecuredTunneling/aws4_request");
    }

    #[test]
    fn refuses_each_broken_part_with_its_own_reason() {
        use SignatureError as E;
        for (text, reason) in [
            ("", E::MalformedCredential),
            ("A/20261121/r/s", E::MalformedCredential),
            ("A/20261121/r/s/aws4_request/x", E::MalformedCredential),
            ("A/2026112/r/s/aws4_request", E::MalformedCredential),
            ("A/2026-1-1/r/s/aws4_request", E::MalformedCredential),
            ("/20261121/r/s/aws4_request", E::MalformedAccessKeyId),
            ("A B/20261121/r/s/aws4_request", E::MalformedAccessKeyId),
            ("A/20261121/r/s/aws5_request", E::ScopeTerminator),
            ("A/20261121/R/s/aws4_request", E::ScopeRegion),
            ("A/20261121//s/aws4_request", E::ScopeRegion),
            ("A/20261121/r/s.example.com/aws4_request", E::ScopeService),
            ("A/20261121/r//aws4_request", E::ScopeService),
        ] {
            assert_eq!(Credential::parse(text).unwrap_err(), reason, "{text}");
        }
    }
}
