//! The two rules for paths.

use std::borrow::Cow;

use crate::{SignatureError, UncoveredSegments, percent};

/// Whether the signing name belongs to Amazon S3, whose object keys are paths: these services sign the
/// path as it is, encoded once.
pub fn is_s3_family(service: &str) -> bool {
    matches!(service, "s3" | "s3-object-lambda" | "s3-outposts" | "s3express")
}

/// The path as the canonical request has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CanonicalPath<'a> {
    pub(crate) path: Cow<'a, str>,
    /// A second spelling, where signers differ.
    pub(crate) alternative: Option<Cow<'a, str>>,
}

/// Applies the rule of the service.
///
/// # Errors
/// When the path is malformed, or has segments that the signature would not cover and these are refused.
pub(crate) fn canonical<'a>(
    raw: &'a str,
    service: &str,
    uncovered: UncoveredSegments,
) -> Result<CanonicalPath<'a>, SignatureError> {
    let raw = if raw.is_empty() { "/" } else { raw };
    let is_plain = |byte: u8| byte >= 0x20 && !matches!(byte, 0x7f | b'?' | b'#');
    if !raw.starts_with('/') || !raw.bytes().all(is_plain) || !percent::is_well_formed(raw) {
        return Err(SignatureError::MalformedPath);
    }
    if is_s3_family(service) {
        let path = percent::normalise_path(raw).map_err(|_| SignatureError::MalformedPath)?;
        return Ok(CanonicalPath { path, alternative: None });
    }
    let Some(normal) = without_empty_segments(raw) else {
        return Ok(CanonicalPath { path: percent::encode_path(raw), alternative: None });
    };
    if uncovered == UncoveredSegments::Refuse {
        return Err(SignatureError::UncoveredSegments);
    }
    // RFC 3986 §5.2.4, and with it aws-sigv4, ends `/a/.` and `/a/b/..` in a slash; botocore does not
    let differs = (raw.ends_with("/.") || raw.ends_with("/..")) && normal != "/";
    let alternative = differs.then(|| Cow::Owned(percent::encode_path(&format!("{normal}/")).into_owned()));
    Ok(CanonicalPath { path: Cow::Owned(percent::encode_path(&normal).into_owned()), alternative })
}

/// Removes `.`, `..` with its parent, and empty segments but for the last; `None` if there are none.
fn without_empty_segments(raw: &str) -> Option<String> {
    let inner = raw.strip_prefix('/').unwrap_or(raw);
    let is_normal = |segment: &str| !matches!(segment, "" | "." | "..");
    let body = inner.strip_suffix('/').unwrap_or(inner);
    if inner.is_empty() || body.split('/').all(is_normal) {
        return None;
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in inner.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let end = if raw.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    Some(format!("/{}{end}", kept.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(raw: &str, service: &str) -> (String, Option<String>) {
        let path = canonical(raw, service, UncoveredSegments::Accept).unwrap();
        (path.path.into_owned(), path.alternative.map(Cow::into_owned))
    }

    #[test]
    fn the_s3_family_signs_the_path_as_it_is() {
        for (raw, path) in [
            ("", "/"),
            ("/b/k", "/b/k"),
            ("/b//k/./../x/", "/b//k/./../x/"),
            ("/b/a%20b%2Bc", "/b/a%20b%2Bc"),
            ("/b/(x)", "/b/%28x%29"),
            ("/b/%e2%82%ac", "/b/%E2%82%AC"),
            ("/v20180820/accesspoint/arn%3Aaws%3As3%2Fx", "/v20180820/accesspoint/arn%3Aaws%3As3%2Fx"),
        ] {
            for service in ["s3", "s3-object-lambda", "s3-outposts", "s3express"] {
                assert_eq!(accepted(raw, service), (path.to_owned(), None), "{raw}");
            }
        }
    }

    #[test]
    fn all_others_normalise_and_encode_twice() {
        for (raw, path, alternative) in [
            ("", "/", None),
            ("/", "/", None),
            ("//", "/", None),
            ("/a/", "/a/", None),
            ("/a//", "/a/", None),
            ("//a//b", "/a/b", None),
            ("/./a", "/a", None),
            ("/a/./b/../c", "/a/c", None),
            ("/../../a", "/a", None),
            ("/a/.", "/a", Some("/a/")),
            ("/a/b/..", "/a", Some("/a/")),
            ("/a/..", "/", None),
            ("/a/./", "/a/", None),
            ("/a%2Fb/%2e%2e/c", "/a%252Fb/%252e%252e/c", None),
            ("/s3/a b", "/s3/a%20b", None),
        ] {
            let expected = (path.to_owned(), alternative.map(str::to_owned));
            for service in ["dynamodb", "s3tables", "s3vectors", "S3"] {
                assert_eq!(accepted(raw, service), expected, "{raw}");
            }
        }
    }

    /// The cases of the published suite that say `normalize: false`, of which the S3 family is the only use.
    #[test]
    fn unnormalised_paths_of_the_published_suite() {
        let suite = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/aws-signing-test-suite");
        for case in
            ["relative", "relative-relative", "slash", "slash-dot-slash", "slash-pointless-dot", "slashes", "space"]
        {
            let case = suite.join(format!("get-{case}-unnormalized"));
            let read = |name: &str| std::fs::read_to_string(case.join(name)).unwrap();
            let signed = read("header-signed-request.txt");
            let raw = signed.strip_prefix("GET ").unwrap().split_once(" HTTP").unwrap().0;
            let expected = read("header-canonical-request.txt");
            assert_eq!(Some(accepted(raw, "s3").0.as_str()), expected.lines().nth(1), "{case:?}");
        }
    }

    #[test]
    fn uncovered_segments_are_refused_by_default() {
        for raw in ["//", "/a//b", "//a", "/a//", "/.", "/..", "/a/.", "/a/../b", "/./"] {
            let refused = canonical(raw, "lambda", UncoveredSegments::default());
            assert_eq!(refused, Err(SignatureError::UncoveredSegments), "{raw}");
            assert!(canonical(raw, "s3", UncoveredSegments::default()).is_ok(), "{raw}");
        }
        for raw in ["", "/", "/a", "/a/", "/a/b.c/...", "/a/%2e%2e"] {
            assert!(canonical(raw, "lambda", UncoveredSegments::default()).is_ok(), "{raw}");
        }
    }

    #[test]
    fn malformed_paths_are_refused() {
        for raw in ["a", "*", "http://x/", "/a?b", "/a#b", "/a\nb", "/\u{7f}", "/%", "/%4", "/%xy"] {
            for service in ["s3", "lambda"] {
                let refused = canonical(raw, service, UncoveredSegments::Accept);
                assert_eq!(refused, Err(SignatureError::MalformedPath), "{raw}");
            }
        }
    }
}
