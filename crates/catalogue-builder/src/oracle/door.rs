//! What an HTTP API does to a path, and whether the gateway finds its way back.

use countersign_catalogue::{Catalogue, Place, Understood};
use countersign_understanding::{DoorPath, NotVerified, UnverifiedEndpoint};

use super::recorded::Recorded;

/// What became of a path behind the door.
pub(crate) enum Recovery {
    /// The call is the same.
    Same,
    /// The gateway says that the path is lost, and names the other door.
    OtherDoor,
    /// Anything else, which must not be.
    Wrong(String),
}

/// The path as the function gets it: percent-decoded once, cut at a `?` that decoding brought out, slashes collapsed.
///
/// Source: "Working with AWS Lambda proxy integrations for HTTP APIs", and captures. Written apart from the local
/// stack's door, so that a mistake in one shows against the other.
pub(crate) fn as_http_api_gives_it(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let escaped = after.split_at_checked(2).filter(|_| *first == b'%');
        // `from_str_radix` alone would take a sign.
        let escaped = escaped.filter(|(digits, _)| digits.iter().all(u8::is_ascii_hexdigit));
        let code = escaped.and_then(|(digits, left)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, left))
        });
        let (byte, left) = code.unwrap_or((*first, after));
        rest = if code.is_some() { left } else { rest };
        match (byte, bytes.last()) {
            (b'?', _) if code.is_some() => break,
            (b'/', Some(b'/')) => {}
            (byte, _) => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends the request through the door and compares with what it is without one.
pub(crate) fn recover(catalogue: &Catalogue, request: &Recorded, plain: &Understood) -> Recovery {
    let given = as_http_api_gives_it(&request.path);
    let endpoint = request.unverified_endpoint().and_then(|_| UnverifiedEndpoint::of(&given));
    let door_path = match endpoint {
        Some(endpoint) => DoorPath::DecodedBehind(endpoint.prefix, endpoint.rest),
        None => DoorPath::Decoded(&given),
    };
    let (verified, path) = match request.verify(door_path) {
        Ok(verified) => verified,
        Err(NotVerified::PathLost) => return Recovery::OtherDoor,
        Err(NotVerified::Signature(error)) => return Recovery::Wrong(format!("`{given}`: {error}")),
    };
    let opened = request.opened(catalogue, Some(verified), path);
    match catalogue.understand(&opened.wire(), &Place::aws()) {
        Ok(found) if is_same(&found, plain) => Recovery::Same,
        Ok(found) => Recovery::Wrong(format!("`{given}` became {}:{}", found.service, found.operation)),
        Err(refusal) => Recovery::Wrong(format!("`{given}`: {}: {refusal}", refusal.reason())),
    }
}

fn is_same(one: &Understood, other: &Understood) -> bool {
    (&one.service, &one.operation, &one.outgoing, &one.upstream)
        == (&other.service, &other.operation, &other.outgoing, &other.upstream)
        && one.parameters == other.parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_decodes_cuts_and_collapses() {
        for (sent, given) in [
            ("/", "/"),
            ("/b/a%20b", "/b/a b"),
            ("/b//k", "/b/k"),
            ("/b/a%2F%2Fb", "/b/a/b"),
            ("/b/a%3Fb=c", "/b/a"),
            ("/b/a%252Fb", "/b/a%2Fb"),
            ("/b/%C3%A4%", "/b/ä%"),
            ("/b/%+1", "/b/%+1"),
        ] {
            assert_eq!(as_http_api_gives_it(sent), given, "{sent}");
        }
    }
}
