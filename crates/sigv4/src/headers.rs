//! Which headers must be signed, and the canonical headers.

use crate::SignatureError;

/// Headers besides `x-amz-*` that must be signed if they are there, as they decide where the request goes
/// or how it is read.
pub const ROUTING_HEADERS: [&str; 4] = ["content-encoding", "content-type", "host", "smithy-protocol"];

/// Headers that look like AWS's own but are added on the way: Amazon CloudFront sets `x-amz-cf-id`, also where it stands
/// before an edge-optimised REST API.
pub const ADDED_HEADERS: [&str; 1] = ["x-amz-cf-id"];

/// Headers that have one value; a request with two is refused, signed or not.
pub const SINGLE_VALUE_HEADERS: [&str; 14] = [
    "authorization",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "host",
    "smithy-protocol",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-target",
    "x-amz-trailer",
];

/// Whether a header, by its lower-case name, must be among the signed ones if it is there: every
/// `x-amz-*` but [`ADDED_HEADERS`], and [`ROUTING_HEADERS`].
///
/// What other proxies add (`x-forwarded-*`, `x-amzn-trace-id`, `via`) and what SDKs leave out on purpose
/// (`user-agent`, `amz-sdk-invocation-id`, `amz-sdk-request`, hop-by-hop headers) may be unsigned.
pub fn must_be_signed(name: &str) -> bool {
    (name.starts_with("x-amz-") && !ADDED_HEADERS.contains(&name)) || ROUTING_HEADERS.contains(&name)
}

/// Checks the headers against the list of signed names and writes the signed ones in canonical form: sorted,
/// values trimmed, runs of white space collapsed, several values of a name joined with commas.
///
/// # Errors
/// When the list is not sorted, lacks `host`, names a header that is not there or leaves one out that
/// [`must_be_signed`]; or when a header that has one value came twice.
pub(crate) fn write_canonical(
    out: &mut String,
    headers: &[(String, String)],
    signed_names: &str,
) -> Result<(), SignatureError> {
    check_list(signed_names)?;
    let mut sorted: Vec<&(String, String)> = headers.iter().collect();
    // stable: values of one name are joined in the order in which they came
    sorted.sort_by(|one, other| one.0.cmp(&other.0));
    let mut signed = signed_names.split(';').peekable();
    for group in sorted.chunk_by(|one, other| one.0 == other.0) {
        let Some((name, _)) = group.first() else { continue };
        if group.len() > 1 && SINGLE_VALUE_HEADERS.contains(&name.as_str()) {
            return Err(SignatureError::DuplicateHeader(name.clone()));
        }
        if let Some(absent) = signed.next_if(|listed| *listed < name.as_str()) {
            return Err(SignatureError::SignedHeaderAbsent(absent.to_owned()));
        }
        if signed.next_if_eq(&name.as_str()).is_some() {
            write_header(out, name, group);
        } else if name == "host" {
            return Err(SignatureError::HostNotSigned);
        } else if must_be_signed(name) {
            return Err(SignatureError::HeaderNotSigned(name.clone()));
        }
    }
    match signed.next() {
        Some(absent) => Err(SignatureError::SignedHeaderAbsent(absent.to_owned())),
        None => Ok(()),
    }
}

/// Names of a sorted list are distinct, so that one header cannot be taken for two.
fn check_list(signed_names: &str) -> Result<(), SignatureError> {
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase());
    if !signed_names.split(';').all(is_name) || !signed_names.split(';').is_sorted_by(|one, other| one < other) {
        return Err(SignatureError::MalformedSignedHeaders);
    }
    if signed_names.split(';').any(|name| name == "host") { Ok(()) } else { Err(SignatureError::HostNotSigned) }
}

fn write_header(out: &mut String, name: &str, group: &[&(String, String)]) {
    out.push_str(name);
    let mut separator = ':';
    for (_, value) in group {
        out.push(separator);
        write_trimmed(out, value);
        separator = ',';
    }
    out.push('\n');
}

/// Trims and collapses ASCII white space, line breaks of folded headers included.
fn write_trimmed(out: &mut String, value: &str) {
    let is_space = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    let mut words = value.split(is_space).filter(|word| !word.is_empty());
    out.push_str(words.next().unwrap_or_default());
    for word in words {
        out.push(' ');
        out.push_str(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(headers: &[(&str, &str)], signed: &str) -> Result<String, SignatureError> {
        let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut out = String::new();
        write_canonical(&mut out, &headers, signed)?;
        Ok(out)
    }

    #[test]
    fn sorts_trims_and_joins() {
        let headers = [("x-b", " 2  3 "), ("host", "h"), ("x-b", "1\t\r\n 0"), ("via", "proxy"), ("x-a", "")];
        assert_eq!(canonical(&headers, "host;x-a;x-b").unwrap(), "host:h\nx-a:\nx-b:2 3,1 0\n");
        assert_eq!(canonical(&headers, "host").unwrap(), "host:h\n");
    }

    #[test]
    fn lists_must_be_canonical() {
        for signed in ["", ";host", "host;", "Host", "x;host", "host;host", "host;;x", "host, x", "host;x y"] {
            let refused = canonical(&[("host", "h"), ("x", "1")], signed).unwrap_err();
            assert_eq!(refused, SignatureError::MalformedSignedHeaders, "{signed}");
        }
    }

    #[test]
    fn what_decides_how_a_request_is_read_is_signed() {
        for name in ["x-amz-target", "x-amz-date", "x-amz-", "content-type", "content-encoding", "smithy-protocol"] {
            let refused = canonical(&[("host", "h"), (name, "1")], "host").unwrap_err();
            assert_eq!(refused, SignatureError::HeaderNotSigned(name.to_owned()));
        }
        for name in [
            "user-agent",
            "x-amzn-trace-id",
            "amz-sdk-request",
            "x-forwarded-for",
            "content-length",
            "x-amz",
            "x-amz-cf-id",
        ] {
            assert!(canonical(&[("host", "h"), (name, "1")], "host").is_ok(), "{name}");
        }
        assert_eq!(canonical(&[("host", "h"), ("x", "")], "x"), Err(SignatureError::HostNotSigned));
    }

    #[test]
    fn signed_headers_must_be_there() {
        for (signed, absent) in [("a;host", "a"), ("host;x", "x"), ("host;host2", "host2")] {
            let refused = canonical(&[("host", "h"), ("via", "v")], signed);
            assert_eq!(refused, Err(SignatureError::SignedHeaderAbsent(absent.to_owned())));
        }
        assert_eq!(canonical(&[], "host"), Err(SignatureError::SignedHeaderAbsent("host".to_owned())));
    }

    #[test]
    fn single_values_are_single() {
        for name in SINGLE_VALUE_HEADERS {
            let mut headers = vec![(name, "1"), (name, "1")];
            if name != "host" {
                headers.push(("host", "h"));
            }
            assert_eq!(canonical(&headers, "host"), Err(SignatureError::DuplicateHeader(name.to_owned())));
        }
    }
}
