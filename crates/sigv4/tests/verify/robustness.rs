//! Noise: nothing panics, and nothing that was damaged verifies as something else.

use std::borrow::Cow;

use countersign_domain::Timestamp;
use countersign_sigv4::{Options, Presented, SecretKey, UncoveredSegments, UnsignedBodies, verify_any_path_with};
use proptest::prelude::*;

use crate::signer::{HEADER, NOW, PRESIGNED_S3, Request, S3, SECRET, Signing, signed};

/// Text that is likelier than noise to get far.
fn text() -> impl Strategy<Value = String> {
    let words = vec![
        "AWS4-HMAC-SHA256",
        "AWS",
        "Credential",
        "SignedHeaders",
        "Signature",
        "host",
        "x-amz-date",
        "=",
        ",",
        ";",
        "/",
        " ",
        "&",
        "?",
        "%",
        "%2F",
        "+",
        "..",
        "aws4_request",
        "20261121",
        "20261121T142718Z",
        "eu-central-1",
        "s3",
        "dynamodb",
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
        "X-Amz-Security-Token",
        "604800",
        "UNSIGNED-PAYLOAD",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "authorization",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "x-amz-content-sha256",
        "x-amz-trailer",
        "x-amz-decoded-content-length",
        "content-encoding",
        "aws-chunked",
        "\r\n",
        "\u{1234}",
        "\0",
        "-1",
        "99999999999999999999",
    ];
    prop_oneof![
        3 => prop::collection::vec(prop::sample::select(words), 0..12).prop_map(|words| words.concat()),
        1 => any::<String>(),
    ]
}

fn noise() -> impl Strategy<Value = Request> {
    let headers = prop::collection::vec((text(), text()), 0..6);
    (text(), text(), text(), headers, prop::collection::vec(any::<u8>(), 0..100))
        .prop_map(|(method, path, query, headers, body)| Request { method, path, query, headers, body: body.into() })
}

/// A well-signed request of some kind.
fn sound() -> impl Strategy<Value = Request> {
    let chunked = Signing { payload: Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), ..S3 };
    let framing = [
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "4"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ];
    let body = b"4\r\ndata\r\n0\r\nx-amz-checksum-crc32:rfPzYw==\r\n\r\n";
    prop::sample::select(vec![
        signed(Request::new("POST", "/", "", &[("x-amz-target", "T.O")], b"{}"), &HEADER),
        signed(Request::new("PUT", "/b/a%20b", "x=1&y", &[("x-amz-meta-a", "a b")], b"data"), &S3),
        signed(Request::new("GET", "/b/k", "versionId=1", &[], b""), &PRESIGNED_S3),
        signed(Request::new("PUT", "/b/k", "", &framing, body), &chunked),
    ])
}

fn attempt(request: &Request) -> bool {
    let unverified = request.unverified();
    let options = Options { unsigned_bodies: UnsignedBodies::AsSdksDo, uncovered_segments: UncoveredSegments::Accept };
    let Ok(presented) = Presented::parse(&unverified) else { return false };
    let _ = (presented.unverified_session_token(), presented.unverified_scope());
    let (secret, now) = (SecretKey::new(SECRET), Timestamp::from_secs(NOW));
    let candidates = [Cow::Borrowed(request.path.as_str())];
    verify_any_path_with(&presented, &unverified, &secret, now, &options, candidates).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn noise_is_refused(request in noise()) {
        prop_assert!(!attempt(&request));
    }

    /// Each part of a sound request replaced by noise.
    #[test]
    fn a_part_replaced_is_refused(sound in sound(), part in 0..4_usize, which: prop::sample::Index, noise in text()) {
        let mut request = sound.clone();
        match part {
            0 => request.method = noise,
            1 => request.path = noise,
            2 => request.query = noise,
            _ => which.get_mut(&mut request.headers).1 = noise,
        }
        // an empty path is the root, and empty members of a query are none
        request.query = request.query.split('&').filter(|member| !member.is_empty()).collect::<Vec<_>>().join("&");
        if request.path.is_empty() {
            request.path.push('/');
        }
        prop_assert!(request == sound || request.verify().is_err(), "{:?}", request);
    }

    /// Bytes of the body cut out or put in: only where the body is unsigned and unframed is that not seen.
    #[test]
    fn a_damaged_body_is_refused(sound in sound(), from: prop::sample::Index, cut in 0..5_usize, put in prop::collection::vec(any::<u8>(), 0..5)) {
        let mut body = sound.body.to_vec();
        let from = from.index(body.len() + 1);
        let to = (from + cut).min(body.len());
        body.splice(from..to, put);
        let mut request = sound.clone();
        request.body = body.into();
        let is_uncovered = request.query.contains("X-Amz-Signature");
        // the sizes and names in framing may be spelled differently; the data may not
        let same_data = request.verify().is_ok_and(|verified| verified.body == "data");
        prop_assert!(request == sound || is_uncovered || same_data || !attempt(&request), "{:?}", request);
    }

    #[test]
    fn any_clock_will_do(sound in sound(), now: u64) {
        let outcome = sound.verify_at(SECRET, Timestamp::from_millis(now), &Options::default());
        let near = now.abs_diff(NOW * 1000) <= 900_000;
        prop_assert!(outcome.is_err() || near);
    }
}
