//! What a request claims to be signed for.

use percent_encoding::percent_decode_str;

use super::request::Captured;

/// The service and region of a credential scope. Nobody verified it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnverifiedScope {
    /// As in `dynamodb`.
    pub(crate) signing_name: String,
    /// As in `eu-central-1`.
    pub(crate) signing_region: String,
}

/// The members of a query that make a presigned URL, in lower case: no part of the call.
const PRESIGNED: [&str; 8] = [
    "x-amz-algorithm",
    "x-amz-content-sha256",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

/// The scope in the `Authorization` header, or in the query of a presigned URL.
pub(crate) fn of(captured: &Captured) -> Option<UnverifiedScope> {
    let header = captured.header("authorization").and_then(|value| {
        let parts = value.strip_prefix("AWS4-HMAC-SHA256")?.split(',').map(str::trim);
        parts.filter_map(|part| part.strip_prefix("Credential=")).next().map(str::to_owned)
    });
    let query = || {
        let mut pairs = captured.query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("x-amz-credential"))?;
        Some(percent_decode_str(value).decode_utf8().ok()?.into_owned())
    };
    parse(&header.or_else(query)?)
}

/// `<access key id>/<date>/<region>/<service>/aws4_request`
fn parse(credential: &str) -> Option<UnverifiedScope> {
    let mut parts = credential.trim().rsplit('/');
    let (terminator, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    let is_scope = terminator == "aws4_request" && !service.is_empty() && !region.is_empty() && parts.count() >= 2;
    is_scope.then(|| UnverifiedScope { signing_name: service.to_owned(), signing_region: region.to_owned() })
}

/// The query without the members of a presigned URL's signature.
pub(crate) fn without_signature(query: &str) -> String {
    let is_kept = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
        !PRESIGNED.contains(&name.as_str())
    };
    query.split('&').filter(is_kept).collect::<Vec<_>>().join("&")
}
