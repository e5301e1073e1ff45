//! Which headers a request may carry beyond those that its operation declares.

use crate::Refusal;
use crate::model::{Location, Member, Operation, OperationTraits, ServiceModel, Structure};
use crate::refusal::cut;

/// A header that SDKs send with any operation.
struct Known {
    name: &'static str,
    when: When,
}

/// When an undeclared `x-amz-*` or `x-amzn-*` header is taken.
enum When {
    Always,
    /// The body came in aws-chunked framing.
    Chunked,
    /// The operation has a checksum of its body.
    Checksum,
    /// The service speaks json.
    Target,
    /// The service changed from query to another protocol.
    QueryCompatible,
    /// The operation finds endpoints.
    EndpointOperation,
    /// The service is this one.
    Service(&'static str),
}

/// The reviewed list. None of these changes what the operation does; none is forwarded as sent.
const KNOWN: &[Known] = &[
    // SigV4 itself.
    Known { name: "x-amz-date", when: When::Always },
    Known { name: "x-amz-security-token", when: When::Always },
    Known { name: "x-amz-content-sha256", when: When::Always },
    // JavaScript in browsers cannot set `user-agent`.
    Known { name: "x-amz-user-agent", when: When::Always },
    // X-Ray and Lambda recursion detection; added by runtimes, means nothing to an operation.
    Known { name: "x-amzn-trace-id", when: When::Always },
    // The framing is gone, and its trailers are with the headers.
    Known { name: "x-amz-decoded-content-length", when: When::Chunked },
    Known { name: "x-amz-trailer", when: When::Chunked },
    // Written again for the body that is sent.
    Known { name: "x-amz-sdk-checksum-algorithm", when: When::Checksum },
    Known { name: "x-amz-checksum-crc32", when: When::Checksum },
    Known { name: "x-amz-checksum-crc32c", when: When::Checksum },
    Known { name: "x-amz-checksum-crc64nvme", when: When::Checksum },
    Known { name: "x-amz-checksum-md5", when: When::Checksum },
    Known { name: "x-amz-checksum-sha1", when: When::Checksum },
    Known { name: "x-amz-checksum-sha256", when: When::Checksum },
    Known { name: "x-amz-checksum-sha512", when: When::Checksum },
    Known { name: "x-amz-checksum-xxhash128", when: When::Checksum },
    Known { name: "x-amz-checksum-xxhash3", when: When::Checksum },
    Known { name: "x-amz-checksum-xxhash64", when: When::Checksum },
    // Written again from the model.
    Known { name: "x-amz-target", when: When::Target },
    Known { name: "x-amzn-query-mode", when: When::QueryCompatible },
    Known { name: "x-amz-api-version", when: When::EndpointOperation },
    Known { name: "x-amz-glacier-version", when: When::Service("glacier") },
    // JavaScript sends the hash of any body; only archives and parts of them declare it.
    Known { name: "x-amz-sha256-tree-hash", when: When::Service("glacier") },
];

/// Refuses headers that the operation does not declare, and any that comes twice.
pub(crate) fn check(
    service: &ServiceModel,
    operation: &Operation,
    input: Option<&Structure>,
    headers: &[(String, String)],
    from_chunked: bool,
    version: &str,
) -> Result<(), Refusal> {
    for (place, (name, _)) in headers.iter().enumerate() {
        if !name.starts_with("x-amz-") && !name.starts_with("x-amzn-") {
            continue;
        }
        if headers.iter().take(place).any(|(earlier, _)| earlier == name) {
            return Err(Refusal::DuplicateHeader { name: cut(name) });
        }
        let declared = input.is_some_and(|input| input.members.iter().any(|member| declares(member, name)));
        if !declared && !is_known(service, operation, name, from_chunked) {
            return Err(Refusal::UndeclaredHeader {
                name: cut(name),
                operation: format!("{}:{}", service.id, operation.name),
                version: version.to_owned(),
            });
        }
    }
    Ok(())
}

/// Whether `member` is carried by the header `name`, which is in lower case.
pub(crate) fn declares(member: &Member, name: &str) -> bool {
    match member.location {
        Location::Header => member.wire_name().eq_ignore_ascii_case(name),
        Location::Headers => {
            let prefix = member.location_name;
            name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
                && name.len() > prefix.len()
        }
        _ => false,
    }
}

fn is_known(service: &ServiceModel, operation: &Operation, name: &str, from_chunked: bool) -> bool {
    let known = KNOWN.iter().find(|known| known.name == name);
    known.is_some_and(|known| match known.when {
        When::Always => true,
        When::Chunked => from_chunked,
        When::Checksum => {
            !operation.checksum_member.is_empty() || operation.traits.has(OperationTraits::CHECKSUM_REQUIRED)
        }
        When::Target => !service.target_prefix.is_empty(),
        When::QueryCompatible => service.query_compatible,
        When::EndpointOperation => operation.traits.has(OperationTraits::ENDPOINT_OPERATION),
        When::Service(id) => service.id == id,
    })
}

/// The one value of a header.
///
/// # Errors
/// [`Refusal::DuplicateHeader`] when it comes twice.
pub(crate) fn single<'h>(headers: &'h [(String, String)], name: &str) -> Result<Option<&'h str>, Refusal> {
    let mut found = headers.iter().filter(|(known, _)| known == name);
    let first = found.next().map(|(_, value)| value.as_str());
    if found.next().is_some() {
        return Err(Refusal::DuplicateHeader { name: name.to_owned() });
    }
    Ok(first)
}

/// The content encoding of the body, without the aws-chunked framing if that is gone.
///
/// # Errors
/// [`Refusal::ContentEncoding`] when the framing is named and was not there,
/// [`Refusal::DuplicateHeader`].
pub(crate) fn content_encoding(headers: &[(String, String)], from_chunked: bool) -> Result<String, Refusal> {
    let stated = single(headers, "content-encoding")?.unwrap_or_default();
    let codings: Vec<&str> = stated.split(',').map(str::trim).filter(|coding| !coding.is_empty()).collect();
    if codings.contains(&"aws-chunked") && !from_chunked {
        return Err(Refusal::ContentEncoding { encoding: "aws-chunked".to_owned() });
    }
    let rest: Vec<&str> = codings.into_iter().filter(|coding| *coding != "aws-chunked").collect();
    Ok(rest.join(",").chars().take(256).collect())
}
