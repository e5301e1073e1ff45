//! The endpoint of one service: `/_/as/SERVICE` in front of the path.
//!
//! Some services sign alike and repeat each other's operations, so the bytes of a request do not tell
//! where it goes. A client that uses one of them is given that service's endpoint
//! (`AWS_ENDPOINT_URL_<SERVICE>`). SDKs put an endpoint's path in front of the operation's and sign
//! both, so the signature is verified over the whole path before the endpoint is taken off it.

/// What every endpoint of a service begins with.
const ENDPOINTS: &str = "/_/as/";

/// An endpoint as the path names it, and the path behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnverifiedEndpoint<'a> {
    /// `/_/as/SERVICE`, as sent.
    pub prefix: &'a str,
    /// The service, of letters, digits and `-` only: nothing that an HTTP API or a signature would
    /// write in another way.
    pub service: &'a str,
    /// What follows: empty, or from its `/` on.
    pub rest: &'a str,
}

impl<'a> UnverifiedEndpoint<'a> {
    /// The endpoint at the beginning of `path`, decoded or not. The caller sees to it that the path is
    /// on the base host: behind a bucket's name it would be a key.
    pub fn of(path: &'a str) -> Option<Self> {
        let after = path.strip_prefix(ENDPOINTS)?;
        let (service, _) = after.split_at(after.find('/').unwrap_or(after.len()));
        let is_plain = service.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if service.is_empty() || !is_plain {
            return None;
        }
        let (prefix, rest) = path.split_at_checked(ENDPOINTS.len() + service.len())?;
        Some(Self { prefix, service, rest })
    }

    /// The service's own path in one that was signed. SDKs leave away the slash of a path that is
    /// nothing else.
    pub fn own_path(&self, signed: &str) -> String {
        match signed.strip_prefix(self.prefix) {
            None | Some("") => "/".to_owned(),
            Some(rest) => rest.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_plain_name_behind_its_prefix() {
        for (path, expected) in [
            ("/_/as/chime-sdk-messaging", Some(("chime-sdk-messaging", ""))),
            ("/_/as/chime-sdk-messaging/", Some(("chime-sdk-messaging", "/"))),
            ("/_/as/s3/bucket/_/as/x", Some(("s3", "/bucket/_/as/x"))),
            ("/_/as/s3//key", Some(("s3", "//key"))),
            ("/_/as/", None),
            ("/_/as", None),
            ("/_/as//s3", None),
            ("/_/as/S3/x", None),
            ("/_/as/%73%33/x", None),
            ("/_/as/s3?x", None),
            ("/_/as/../x", None),
            ("/_/v1/health", None),
            ("/bucket/_/as/s3", None),
        ] {
            let found = UnverifiedEndpoint::of(path);
            assert_eq!(found.map(|endpoint| (endpoint.service, endpoint.rest)), expected, "{path}");
        }
    }

    #[test]
    fn what_was_signed_loses_the_endpoint_and_nothing_else() {
        let endpoint = UnverifiedEndpoint::of("/_/as/s3/b/k").unwrap();
        for (signed, own) in [
            ("/_/as/s3", "/"),
            ("/_/as/s3/", "/"),
            ("/_/as/s3/b/k%2F", "/b/k%2F"),
            ("/_/as/s3/_/as/s3/k", "/_/as/s3/k"),
            ("/_/as/s3//k", "//k"),
        ] {
            assert_eq!(endpoint.own_path(signed), own);
        }
    }
}
