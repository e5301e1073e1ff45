//! S3, path style: objects, and the listing of a bucket.

use http::Method;
use percent_encoding::percent_decode_str;

use super::{asked::Check, errors::AwsError};
use crate::web::Request;

/// Query members that do not make another operation of a request.
const HARMLESS: [&str; 8] =
    ["x-id", "list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type"];

pub(super) fn read(request: &Request) -> Result<(String, Vec<Check>), AwsError> {
    let path = request.uri.path().strip_prefix('/').unwrap_or_default();
    let (bucket, key) = path.split_once('/').map_or((path, ""), |(bucket, key)| (bucket, key));
    let key = percent_decode_str(key).decode_utf8_lossy().into_owned();
    let members: Vec<&str> = request
        .query()
        .split('&')
        .map(|pair| pair.split('=').next().unwrap_or_default())
        .filter(|name| !name.is_empty() && !name.to_ascii_lowercase().starts_with("x-amz-"))
        .collect();
    let versioned = members.contains(&"versionId");
    if let Some(odd) = members.iter().find(|name| !HARMLESS.contains(name) && **name != "versionId") {
        return Err(AwsError::unread(format!("S3 with `{odd}`")));
    }
    if bucket.is_empty() || request.headers.contains_key("x-amz-copy-source") {
        return Err(AwsError::unread("only calls on one object, or a listing, are known of S3"));
    }
    let operation = match (&request.method, key.is_empty(), versioned) {
        (&Method::GET, false, false) => ("GetObject", "GetObject"),
        (&Method::HEAD, false, false) => ("HeadObject", "GetObject"),
        (&Method::GET, false, true) => ("GetObject", "GetObjectVersion"),
        (&Method::HEAD, false, true) => ("HeadObject", "GetObjectVersion"),
        (&Method::PUT, false, false) => ("PutObject", "PutObject"),
        (&Method::DELETE, false, false) => ("DeleteObject", "DeleteObject"),
        (&Method::DELETE, false, true) => ("DeleteObject", "DeleteObjectVersion"),
        (&Method::GET, true, false) => ("ListObjectsV2", "ListBucket"),
        (&Method::HEAD, true, false) => ("HeadBucket", "ListBucket"),
        (method, _, _) => return Err(AwsError::unread(format!("S3 `{method}` here"))),
    };
    let (operation, action) = operation;
    let arn = if key.is_empty() { format!("arn:aws:s3:::{bucket}") } else { format!("arn:aws:s3:::{bucket}/{key}") };
    let mut checks = vec![Check::new(format!("s3:{action}"), arn.clone())];
    // Headers of a write that take permissions of their own.
    for (header, action) in [
        ("x-amz-acl", "PutObjectAcl"),
        ("x-amz-tagging", "PutObjectTagging"),
        ("x-amz-object-lock-mode", "PutObjectRetention"),
        ("x-amz-object-lock-legal-hold", "PutObjectLegalHold"),
    ] {
        if request.headers.contains_key(header) {
            checks.push(Check::new(format!("s3:{action}"), arn.clone()));
        }
    }
    Ok((operation.to_owned(), checks))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn request(method: Method, target: &str) -> Request {
        Request {
            method,
            uri: target.parse().expect("target"),
            headers: http::HeaderMap::new(),
            body: Bytes::new(),
            peer: "127.0.0.1:1".parse().expect("peer"),
        }
    }

    #[test]
    fn objects_and_listings_are_known_and_nothing_else() {
        for (method, target, expected) in [
            (Method::GET, "/b/a%20b/c?x-id=GetObject", Some(("s3:GetObject", "arn:aws:s3:::b/a b/c"))),
            (Method::PUT, "/b/k?x-id=PutObject", Some(("s3:PutObject", "arn:aws:s3:::b/k"))),
            (Method::GET, "/b?list-type=2&prefix=x", Some(("s3:ListBucket", "arn:aws:s3:::b"))),
            (Method::GET, "/b/k?versionId=1", Some(("s3:GetObjectVersion", "arn:aws:s3:::b/k"))),
            (Method::PUT, "/b/k?acl", None),
            (Method::POST, "/b/k?uploads", None),
            (Method::PUT, "/b", None),
            (Method::GET, "/", None),
        ] {
            let read = read(&request(method.clone(), target)).ok();
            let seen = read.as_ref().and_then(|(_, checks)| checks.first());
            assert_eq!(
                seen.map(|check| (check.action.as_str(), check.resource.as_str())),
                expected,
                "{method} {target}"
            );
        }
    }
}
