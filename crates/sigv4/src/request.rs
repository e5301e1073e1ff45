//! The request as it came.

use std::fmt;

use bytes::Bytes;

use crate::SignatureError;

/// The HTTP request as it came, before anything is believed. Debug output leaves out query, headers and body, which hold
/// signatures and tokens.
#[derive(Clone, Copy)]
pub struct UnverifiedRequest<'a> {
    /// The method, as in `GET`.
    pub method: &'a str,
    /// The path as it was on the wire, percent-encoded, starting with `/`.
    pub path: &'a str,
    /// The query as it was on the wire, without the `?`; empty if there was none.
    pub query: &'a str,
    /// Every header: names in lower case, in the order in which they came, duplicates kept.
    pub headers: &'a [(String, String)],
    /// The whole body as it was on the wire, aws-chunked framing included.
    pub body: &'a Bytes,
}

impl<'a> UnverifiedRequest<'a> {
    /// The value of a header that may come once at most.
    ///
    /// # Errors
    /// When it comes more than once.
    pub(crate) fn single_header(&self, name: &'static str) -> Result<Option<&'a str>, SignatureError> {
        let mut values = self.headers.iter().filter(|(candidate, _)| candidate == name).map(|(_, value)| value.trim());
        let first = values.next();
        if values.next().is_some() {
            return Err(SignatureError::DuplicateHeader(name.to_owned()));
        }
        Ok(first)
    }

    /// Refuses what an HTTP parser should have refused, since the canonical request is built of lines.
    ///
    /// # Errors
    /// When the method is not a word of capital letters or a header name is not a lower-case token.
    pub(crate) fn check_form(&self) -> Result<(), SignatureError> {
        if self.method.is_empty() || !self.method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(SignatureError::MalformedMethod);
        }
        let token = |name: &str| !name.is_empty() && name.bytes().all(is_lower_token);
        if self.headers.iter().all(|(name, _)| token(name)) { Ok(()) } else { Err(SignatureError::MalformedHeaderName) }
    }
}

impl fmt::Debug for UnverifiedRequest<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("UnverifiedRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Whether the byte may be in a header name (RFC 9110 §5.1), in lower case.
fn is_lower_token(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_has_no_tokens() {
        let headers = [("x-amz-security-token".to_owned(), "hunter2".to_owned())];
        let body = Bytes::from_static(b"hunter2");
        let request = UnverifiedRequest { method: "GET", path: "/", query: "hunter2", headers: &headers, body: &body };
        assert_eq!(format!("{request:?}"), "UnverifiedRequest { method: \"GET\", path: \"/\", .. }");
    }
}
