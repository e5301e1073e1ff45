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

/// What a request says of its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// A scope, as the gateway needs it.
    SigV4(UnverifiedScope),
    /// Something that the gateway refuses.
    Other {
        /// The signing name, where it is named all the same.
        signing_name: Option<String>,
        /// The region, where it is named.
        region: Option<String>,
        /// What is wrong.
        problem: String,
    },
}

/// The scope in the `Authorization` header, or in the query of a presigned URL.
pub(crate) fn of(captured: &Captured) -> Claim {
    let Some(authorization) = captured.header("authorization") else {
        return match query_member(captured, "x-amz-credential").as_deref().and_then(parse) {
            Some(scope) => Claim::SigV4(scope),
            None => other("Unsigned: the request names no credential scope; host and form tell what it is"),
        };
    };
    let (algorithm, rest) = authorization.split_once(' ').unwrap_or((authorization, ""));
    let credential =
        rest.split(',').filter_map(|part| part.trim().strip_prefix("Credential=")).next().unwrap_or_default();
    match algorithm {
        "AWS4-HMAC-SHA256" => match parse(credential) {
            Some(scope) => Claim::SigV4(scope),
            None => other(
                "Unsigned: the `Authorization` header names no credential scope; host and form tell what the request is",
            ),
        },
        "AWS4-ECDSA-P256-SHA256" => Claim::Other {
            // `<access key id>/<date>/<service>/aws4_request`; the regions are in a header.
            signing_name: credential.trim().rsplit('/').nth(1).map(str::to_owned),
            region: captured
                .header("x-amz-region-set")
                .and_then(|regions| regions.split(',').map(str::trim).find(|region| !region.contains('*')))
                .map(str::to_owned),
            problem: "UnsupportedSigning: the request is signed with SigV4a, which the gateway does not verify"
                .to_owned(),
        },
        _ => other(
            "Unsigned: the `Authorization` header is not of AWS Signature Version 4; host and form tell what the request is",
        ),
    }
}

fn other(problem: &str) -> Claim {
    Claim::Other { signing_name: None, region: None, problem: problem.to_owned() }
}

fn query_member(captured: &Captured, wanted: &str) -> Option<String> {
    let mut pairs = captured.query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
    Some(percent_decode_str(value).decode_utf8().ok()?.into_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(url: &str, headers: &serde_json::Value) -> Claim {
        let line = serde_json::json!({ "method": "GET", "url": url, "headers": headers }).to_string();
        of(&Captured::read(line.as_bytes()).unwrap())
    }

    fn sigv4(signing_name: &str, signing_region: &str) -> Claim {
        Claim::SigV4(UnverifiedScope { signing_name: signing_name.into(), signing_region: signing_region.into() })
    }

    #[test]
    fn scopes_are_read_from_header_and_query() {
        let header = |value: &str| serde_json::json!({ "Authorization": value });
        let plain =
            "AWS4-HMAC-SHA256 Credential=AKID/20260304/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(claim("/", &header(plain)), sigv4("sqs", "eu-west-1"));
        assert_eq!(claim("/", &header(&plain.replace(", ", ","))), sigv4("sqs", "eu-west-1"));
        let presigned = "/b/k?a=1&X-Amz-Credential=AKID%2F20260304%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=0";
        assert_eq!(claim(presigned, &serde_json::json!({})), sigv4("s3", "us-east-1"));
        assert_eq!(without_signature(presigned.trim_start_matches("/b/k?")), "a=1");
        let asymmetric = serde_json::json!({
            "authorization": "AWS4-ECDSA-P256-SHA256 Credential=AKID/20260304/s3/aws4_request, SignedHeaders=host, Signature=0",
            "x-amz-region-set": "*,eu-west-1",
        });
        let Claim::Other { signing_name, region, problem } = claim("/", &asymmetric) else { panic!("SigV4a is taken") };
        assert_eq!((signing_name.as_deref(), region.as_deref()), (Some("s3"), Some("eu-west-1")));
        assert!(problem.contains("SigV4a"));
        for value in ["Bearer x", "AWS AKID:sig", "AWS4-HMAC-SHA256 Credential=AKID/eu-west-1/sqs/aws4_request", ""] {
            assert!(matches!(claim("/", &header(value)), Claim::Other { signing_name: None, .. }), "{value}");
        }
    }
}
