//! Requests as the real botocore signs them. `tests/fixtures/README.md` says how they were made.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use countersign_domain::Timestamp;
use countersign_sigv4::{Options, PayloadKind, Presented, SecretKey, SignatureError, Verified, verify_any_path};
use serde::Deserialize;

use crate::signer::Request;

#[derive(Deserialize)]
struct Line {
    name: String,
    access_key: String,
    secret: String,
    session_token: Option<String>,
    now: u64,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Line {
    fn request(&self) -> Request {
        Request {
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            body: Bytes::from(STANDARD.decode(&self.body).unwrap()),
        }
    }

    fn verify(&self) -> Result<Verified, SignatureError> {
        self.request().verify_at(&self.secret, Timestamp::from_secs(self.now), &Options::default())
    }
}

fn lines() -> Vec<Line> {
    include_str!("../fixtures/botocore.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn line(name: &str) -> Line {
    lines().into_iter().find(|line| line.name == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn every_request_verifies() {
    let mut failures = Vec::new();
    for line in lines() {
        let request = line.request();
        let unverified = request.unverified();
        let presented = Presented::parse(&unverified).unwrap();
        assert_eq!(presented.unverified_access_key_id(), line.access_key, "{}", line.name);
        assert_eq!(presented.unverified_session_token(), line.session_token.as_deref(), "{}", line.name);
        if let Err(error) = line.verify() {
            failures.push(format!("{}: {error}", line.name));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn payloads_are_recognised_and_taken_out_of_their_framing() {
    let large: Vec<u8> = (0..=255).collect::<Vec<u8>>().repeat(32);
    let chunked: Vec<u8> = (0..=255).collect::<Vec<u8>>().repeat(40);
    for (name, kind, body, trailers) in [
        ("s3 get odd key 0", PayloadKind::Hashed, &b""[..], 0),
        ("s3 presigned get odd key 0", PayloadKind::Unsigned, b"", 0),
        (&format!("s3 presigned put {TOKEN}"), PayloadKind::Unsigned, b"anything", 0),
        ("s3 put trailer CRC32", PayloadKind::StreamingUnsignedTrailer, b"data", 1),
        ("s3 put trailer SHA1", PayloadKind::StreamingUnsignedTrailer, b"data", 1),
        ("s3 put trailer SHA256", PayloadKind::StreamingUnsignedTrailer, b"data", 1),
        ("s3 put trailer SHA512", PayloadKind::StreamingUnsignedTrailer, b"data", 1),
        ("s3 put large", PayloadKind::StreamingUnsignedTrailer, &large, 1),
        ("s3 put empty", PayloadKind::StreamingUnsignedTrailer, b"", 1),
        ("s3 put signed body", PayloadKind::Hashed, b"data", 0),
        ("s3 put unsigned", PayloadKind::Unsigned, b"data", 0),
        ("s3 chunk-signed one chunk", PayloadKind::StreamingSigned, &[b'a'; 1000], 0),
        ("s3 chunk-signed", PayloadKind::StreamingSigned, &chunked, 0),
        ("s3 chunk-signed empty", PayloadKind::StreamingSigned, b"", 0),
        ("s3 chunk-signed trailer", PayloadKind::StreamingSignedTrailer, &chunked, 1),
        ("s3 chunk-signed trailer empty", PayloadKind::StreamingSignedTrailer, b"", 1),
        ("cbor cloudwatch", PayloadKind::Hashed, &line("cbor cloudwatch").request().body, 0),
    ] {
        let verified = line(name).verify().unwrap();
        assert_eq!(verified.payload, kind, "{name}");
        assert_eq!(verified.body, body, "{name}");
        assert_eq!(verified.trailers.len(), trailers, "{name}");
        assert_eq!(verified.decoded_from_chunked, kind.is_chunked(), "{name}");
    }
}

#[test]
fn what_is_verified_is_reported() {
    let verified = line("json dynamodb").verify().unwrap();
    assert_eq!(verified.scope.to_string(), "20261121/eu-central-1/dynamodb/aws4_request");
    assert_eq!(verified.signed_at, Timestamp::from_secs(1_795_271_238));
    assert_eq!(verified.access_key_id, "CSGAEXAMPLE");
    assert_eq!(verified.presigned_expires, None);
    for name in ["content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target"] {
        assert!(verified.signed_headers.iter().any(|signed| signed == name), "{name}");
    }
    let verified = line(&format!("s3 presigned put {TOKEN}")).verify().unwrap();
    assert_eq!(verified.presigned_expires, Some(Timestamp::from_secs(1_795_271_238 + 604_800)));
    assert_eq!(verified.signed_headers, ["host"]);
}

/// Amazon API Gateway decodes the path of an HTTP API's request: the signature finds the right spelling again.
#[test]
fn the_signature_chooses_among_candidate_paths() {
    for name in ["s3 get odd key 1", "rest-json lambda arn", "rest-json tags arn in path", "s3 presigned get odd key 6"]
    {
        let line = line(name);
        let mut request = line.request();
        let sent = std::mem::replace(&mut request.path, "/lost".to_owned());
        let unverified = request.unverified();
        let presented = Presented::parse(&unverified).unwrap();
        let (secret, now) = (SecretKey::new(line.secret), Timestamp::from_secs(line.now));
        let candidates = ["/lost", "not a path", "/%zz", "/a//b", &sent, "/after"];
        let chosen = verify_any_path(&presented, &unverified, &secret, now, candidates.map(Cow::Borrowed)).unwrap().1;
        assert_eq!(chosen, sent);
        let choose = |candidates: &[&str]| {
            let candidates: Vec<_> = candidates.iter().map(|path| Cow::Owned((*path).to_owned())).collect();
            verify_any_path(&presented, &unverified, &secret, now, candidates).unwrap_err()
        };
        assert_eq!(choose(&[]), SignatureError::SignatureMismatch);
        assert_eq!(choose(&["/lost"]), SignatureError::SignatureMismatch);
        assert_eq!(choose(&["/%zz", "/lost"]), SignatureError::SignatureMismatch);
        assert_eq!(choose(&["/%zz"]), SignatureError::MalformedPath);
        assert_eq!(choose(&["/lost"; 256]), SignatureError::SignatureMismatch);
        let mut many = vec!["/lost"; 256];
        many.push(&sent);
        assert_eq!(choose(&many), SignatureError::TooManyPaths);
    }
}

const TOKEN: &str = "cs1.AgE/fixture+token==";
