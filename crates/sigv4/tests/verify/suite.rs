//! The published test suite of AWS.

use std::{fs, path::PathBuf};

use bytes::Bytes;
use countersign_domain::Timestamp;
use countersign_sigv4::{Options, PayloadKind, SignatureError, UncoveredSegments};
use serde::Deserialize;

use crate::signer::Request;

#[derive(Deserialize)]
struct Context {
    credentials: Credentials,
    normalize: bool,
}

#[derive(Deserialize)]
struct Credentials {
    secret_access_key: String,
    token: Option<String>,
}

fn suite() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/aws-signing-test-suite")
}

fn cases() -> Vec<String> {
    let names = fs::read_dir(suite()).unwrap().map(|entry| entry.unwrap());
    let mut cases: Vec<_> = names
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    cases.sort();
    cases
}

/// The requests are written as on the wire, but with line breaks of one byte and raw spaces in paths.
fn request(text: &str) -> Request {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let head = head.trim_end().replace("\n ", "\u{b} ");
    let mut lines = head.lines();
    let (method, target) = lines.next().unwrap().trim_end().split_once(' ').unwrap();
    let target = target.strip_suffix(" HTTP/1.1").unwrap_or(target);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_lowercase(), value.to_owned())
    };
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: lines.map(header).collect(),
        body: Bytes::copy_from_slice(body.trim_end_matches('\n').as_bytes()),
    }
}

const AS_AWS: Options = Options {
    unsigned_bodies: countersign_sigv4::UnsignedBodies::S3Family,
    uncovered_segments: UncoveredSegments::Accept,
};
const SUITE_TIME: Timestamp = Timestamp::from_secs(1_440_938_160);

#[test]
fn every_published_request_verifies() {
    let mut verified = 0;
    for case in cases() {
        let Ok(context) = fs::read_to_string(suite().join(&case).join("context.json")) else { continue };
        let context: Context = serde_json::from_str(&context).unwrap();
        if !context.normalize {
            // as the S3 family signs paths, but for a service outside it: see the tests of the path rules
            assert!(case.ends_with("-unnormalized"), "{case}");
            continue;
        }
        for form in ["header", "query"] {
            let name = format!("{case}/{form}");
            let text = fs::read_to_string(suite().join(&case).join(format!("{form}-signed-request.txt"))).unwrap();
            let outcome = request(&text).verify_at(&context.credentials.secret_access_key, SUITE_TIME, &AS_AWS);
            if name == "post-sts-header-after/header" {
                // our rule is stricter: a session token in a header must be signed
                let unsigned = SignatureError::HeaderNotSigned("x-amz-security-token".to_owned());
                assert_eq!(outcome.unwrap_err(), unsigned);
                continue;
            }
            let outcome = outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(outcome.scope.to_string(), "20150830/us-east-1/service/aws4_request", "{name}");
            assert_eq!(outcome.payload, PayloadKind::Hashed, "{name}");
            assert_eq!(outcome.presigned_expires.is_some(), form == "query", "{name}");
            verified += 1;
        }
    }
    assert_eq!(verified, EXPECTED);
}

#[test]
fn tokens_of_the_suite_are_presented() {
    for case in ["post-sts-header-before", "post-sts-header-after", "get-vanilla-with-session-token"] {
        let context = fs::read_to_string(suite().join(case).join("context.json")).unwrap();
        let context: Context = serde_json::from_str(&context).unwrap();
        for form in ["header", "query"] {
            let text = fs::read_to_string(suite().join(case).join(format!("{form}-signed-request.txt"))).unwrap();
            let request = request(&text);
            let unverified = request.unverified();
            let presented = countersign_sigv4::Presented::parse(&unverified).unwrap();
            assert_eq!(presented.unverified_session_token(), context.credentials.token.as_deref(), "{case}/{form}");
            assert_eq!(presented.unverified_access_key_id(), "AKIDEXAMPLE");
            assert_eq!(presented.is_presigned(), form == "query");
        }
    }
}

#[test]
fn the_doubly_encoded_path_of_the_suite_verifies() {
    let text = fs::read_to_string(suite().join("double-url-encode/header-signed-request.txt")).unwrap();
    let at = Timestamp::from_secs(1_620_747_645);
    let outcome = request(&text).verify_at("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", at, &Options::default());
    assert_eq!(outcome.unwrap().scope.service, "lambda");
}

#[test]
fn uncovered_segments_of_the_suite_are_refused_by_default() {
    for case in cases().iter().filter(|case| case.ends_with("-normalized") && *case != "get-space-normalized") {
        let text = fs::read_to_string(suite().join(case).join("header-signed-request.txt")).unwrap();
        let outcome = request(&text).verify_at("irrelevant", SUITE_TIME, &Options::default());
        assert_eq!(outcome.unwrap_err(), SignatureError::UncoveredSegments, "{case}");
    }
}

/// Requests of the suite, in both forms, that verify.
const EXPECTED: usize = 61;
