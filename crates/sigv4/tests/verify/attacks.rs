//! Attacks on what a request claims about its signature: each has its own reason. The requests that are
//! attacked, and the tools to attack them, are here too.

use std::collections::HashSet;

use countersign_domain::Timestamp;
use countersign_sigv4::{Options, SignatureError as E};

use crate::signer::{HEADER, NOW, PRESIGNED, PRESIGNED_S3, Request, S3, SECRET, Signing, encoded, signed};

pub(crate) fn json() -> Request {
    let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "DynamoDB_20120810.GetItem")];
    signed(Request::new("POST", "/", "", &headers, b"{\"TableName\":\"t\"}"), &HEADER)
}

pub(crate) fn get_object() -> Request {
    signed(Request::new("GET", "/bucket/key", "versionId=1", &[], b""), &S3)
}

pub(crate) fn presigned() -> Request {
    signed(Request::new("GET", "/bucket/key", "versionId=1", &[], b""), &PRESIGNED_S3)
}

/// Puts another text into the `Authorization` header.
pub(crate) fn authorization(mut request: Request, from: &str, to: &str) -> Request {
    let value = request.header("authorization").unwrap().to_owned();
    assert!(value.contains(from), "{value}");
    request.set("authorization", &value.replacen(from, to, 1));
    request
}

/// Puts another text into the query.
pub(crate) fn query(mut request: Request, from: &str, to: &str) -> Request {
    assert!(request.query.contains(from), "{}", request.query);
    request.query = request.query.replacen(from, to, 1);
    request
}

pub(crate) fn with(mut request: Request, change: impl FnOnce(&mut Request)) -> Request {
    change(&mut request);
    request
}

pub(crate) fn add(mut request: Request, name: &str, value: &str) -> Request {
    request.headers.push((name.to_owned(), value.to_owned()));
    request
}

pub(crate) fn refused(attacks: Vec<(&str, Request, E)>) {
    for (attack, request, reason) in attacks {
        assert_eq!(request.verify().expect_err(attack), reason, "{attack}");
    }
}

#[test]
fn nothing_is_wrong_before_the_attack() {
    for request in [json(), get_object(), presigned()] {
        request.verify().unwrap();
    }
}

#[test]
fn unsigned_and_twice_signed() {
    let bare = || Request::new("GET", "/", "", &[], b"");
    let credential = encoded(b"CSGAEXAMPLE/20261121/eu-central-1/s3/aws4_request", "");
    refused(vec![
        ("no signature", bare(), E::MissingAuthentication),
        (
            "two authorization headers",
            with(json(), |it| {
                let again = it.header("authorization").unwrap().to_owned();
                it.headers.push(("authorization".to_owned(), again));
            }),
            E::DuplicateHeader("authorization".to_owned()),
        ),
        (
            "header and query",
            with(json(), |it| it.query = format!("X-Amz-Credential={credential}")),
            E::AmbiguousAuthentication,
        ),
        (
            "header, and query under escapes",
            with(json(), |it| it.query = "X-Amz%2DSignature=0".to_owned()),
            E::AmbiguousAuthentication,
        ),
        (
            "header, and a token in the query",
            with(json(), |it| it.query = "X-Amz-Security-Token=t".to_owned()),
            E::AmbiguousAuthentication,
        ),
        ("query, and a token in a header", add(presigned(), "x-amz-security-token", "t"), E::AmbiguousAuthentication),
        (
            "query, and another date in a header",
            add(presigned(), "x-amz-date", "20261121T142719Z"),
            E::AmbiguousAuthentication,
        ),
        (
            "query, and another payload in a header",
            query(
                add(presigned(), "x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
                "versionId=1",
                "X-Amz-Content-Sha256=x",
            ),
            E::AmbiguousAuthentication,
        ),
        (
            "a presigned request in small letters",
            with(presigned(), |it| it.query = it.query.to_ascii_lowercase()),
            E::MissingAuthentication,
        ),
        ("signature version 2, header", add(bare(), "authorization", "AWS AKID:signature"), E::SignatureVersion2),
        (
            "signature version 2, query",
            with(bare(), |it| it.query = "AWSAccessKeyId=A&Signature=s&Expires=1".to_owned()),
            E::SignatureVersion2,
        ),
        (
            "signature version 4a, header",
            authorization(json(), "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
            E::SignatureVersion4a,
        ),
        (
            "signature version 4a, query",
            query(presigned(), "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
            E::SignatureVersion4a,
        ),
        ("bearer token", add(bare(), "authorization", "Bearer abc"), E::UnsupportedAlgorithm),
        ("basic", add(bare(), "authorization", "Basic YTpi"), E::UnsupportedAlgorithm),
        ("empty header", add(bare(), "authorization", ""), E::UnsupportedAlgorithm),
        ("another case of the algorithm", authorization(json(), "AWS4-HMAC", "aws4-hmac"), E::UnsupportedAlgorithm),
    ]);
}

#[test]
fn parts_of_the_authorization_header() {
    refused(vec![
        (
            "no credential",
            authorization(json(), "Credential=", "SignedHeaders=host, Nothing="),
            E::MalformedAuthorization,
        ),
        (
            "credential twice",
            authorization(json(), "Credential=", "Credential=a, Credential="),
            E::DuplicatePart("Credential"),
        ),
        (
            "signature twice",
            authorization(json(), "Signature=", "Signature=0, Signature="),
            E::DuplicatePart("Signature"),
        ),
        (
            "signed headers twice",
            authorization(json(), "SignedHeaders=", "SignedHeaders=host, SignedHeaders="),
            E::DuplicatePart("SignedHeaders"),
        ),
        ("an unknown part", authorization(json(), "Signature=", "Extra=1, Signature="), E::MalformedAuthorization),
        ("a part without value", authorization(json(), "Signature=", "x, Signature="), E::MalformedAuthorization),
        ("algorithm only", with(json(), |it| it.set("authorization", "AWS4-HMAC-SHA256")), E::MalformedAuthorization),
        (
            "credential only",
            with(json(), |it| it.set("authorization", "AWS4-HMAC-SHA256 Credential=A/20261121/r/s/aws4_request")),
            E::MissingPart("SignedHeaders"),
        ),
        (
            "no signature",
            with(json(), |it| {
                it.set("authorization", "AWS4-HMAC-SHA256 Credential=A/20261121/r/s/aws4_request, SignedHeaders=host")
            }),
            E::MissingPart("Signature"),
        ),
        (
            "signed headers only",
            with(json(), |it| it.set("authorization", "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00")),
            E::MissingPart("Credential"),
        ),
        ("another key id", authorization(json(), "CSGAEXAMPLE", "CSGA EXAMPLE"), E::MalformedAccessKeyId),
        ("another region", authorization(json(), "eu-central-1", "us-east-1"), E::SignatureMismatch),
        ("another service", authorization(json(), "dynamodb", "sqs"), E::SignatureMismatch),
        ("an empty service", authorization(json(), "dynamodb", ""), E::ScopeService),
        ("a region with a dot", authorization(json(), "eu-central-1", "evil.example"), E::ScopeRegion),
        ("another terminator", authorization(json(), "aws4_request", "aws4_requests"), E::ScopeTerminator),
        ("another day in the scope", authorization(json(), "20261121", "20261120"), E::ScopeDate),
        ("a scope with more parts", authorization(json(), "dynamodb/", "dynamodb/x/"), E::MalformedCredential),
        (
            "signature in capitals",
            with(json(), |it| {
                let value = it.header("authorization").unwrap().to_owned();
                let (head, signature) = value.rsplit_once('=').unwrap();
                it.set("authorization", &format!("{head}={}F", signature.to_uppercase().split_at(63).0));
            }),
            E::MalformedSignature,
        ),
        ("a short signature", authorization(json(), "Signature=", "Signature=00"), E::MalformedSignature),
        (
            "a signature of zeros",
            with(json(), |it| {
                let value = it.header("authorization").unwrap().to_owned();
                it.set("authorization", &format!("{}={}", value.rsplit_once('=').unwrap().0, "0".repeat(64)));
            }),
            E::SignatureMismatch,
        ),
    ]);
}

#[test]
fn parts_of_a_presigned_request() {
    refused(vec![
        ("no algorithm", query(presigned(), "X-Amz-Algorithm", "x"), E::MissingPart("X-Amz-Algorithm")),
        ("no credential", query(presigned(), "X-Amz-Credential", "x"), E::MissingPart("X-Amz-Credential")),
        ("no date", query(presigned(), "X-Amz-Date", "x"), E::MissingPart("X-Amz-Date")),
        ("no lifetime", query(presigned(), "X-Amz-Expires", "x"), E::MissingPart("X-Amz-Expires")),
        ("no signed headers", query(presigned(), "X-Amz-SignedHeaders", "x"), E::MissingPart("X-Amz-SignedHeaders")),
        ("no signature", query(presigned(), "X-Amz-Signature", "x"), E::MissingPart("X-Amz-Signature")),
        (
            "signature twice",
            query(presigned(), "versionId=1", "X-Amz-Signature=0"),
            E::DuplicatePart("X-Amz-Signature"),
        ),
        (
            "date twice under escapes",
            query(presigned(), "versionId=1", "X%2damz-Date=0&X%2DAmz-Date=0"),
            E::DuplicatePart("X-Amz-Date"),
        ),
        ("a longer life", query(presigned(), "X-Amz-Expires=900", "X-Amz-Expires=901"), E::SignatureMismatch),
        ("eight days", query(presigned(), "X-Amz-Expires=900", "X-Amz-Expires=604801"), E::ExpiresRange),
        ("no time at all", query(presigned(), "X-Amz-Expires=900", "X-Amz-Expires=0"), E::ExpiresRange),
        ("a signed number", query(presigned(), "X-Amz-Expires=900", "X-Amz-Expires=%2B900"), E::ExpiresRange),
        ("a negative number", query(presigned(), "X-Amz-Expires=900", "X-Amz-Expires=-900"), E::ExpiresRange),
        (
            "a number out of range",
            query(presigned(), "X-Amz-Expires=900", "X-Amz-Expires=99999999999999999999"),
            E::ExpiresRange,
        ),
        ("a malformed date", query(presigned(), "20261121T142718Z", "20261121T142718"), E::MalformedDate),
        ("an added parameter", query(presigned(), "versionId=1", "versionId=1&acl"), E::SignatureMismatch),
        ("a parameter twice", query(presigned(), "versionId=1", "versionId=1&versionId=1"), E::SignatureMismatch),
        (
            "an added content type",
            add(presigned(), "content-type", "text/html"),
            E::HeaderNotSigned("content-type".to_owned()),
        ),
        (
            "an added amz header",
            add(presigned(), "x-amz-acl", "public-read"),
            E::HeaderNotSigned("x-amz-acl".to_owned()),
        ),
        (
            "a body that a presigned call of another service did not have",
            with(
                signed(
                    Request::new("GET", "/", "Action=ListUsers", &[], b""),
                    &Signing { service: "iam", ..PRESIGNED },
                ),
                |it| it.body = "x".into(),
            ),
            E::SignatureMismatch,
        ),
    ]);
}

#[test]
fn the_session_token_of_a_presigned_request_may_be_appended() {
    let token = Signing { token: Some("cs1.a/b+c=="), ..PRESIGNED };
    let appended = Signing { token_unsigned: true, ..token };
    let request = || Request::new("GET", "/mqtt", "", &[], b"");
    let with_token = signed(request(), &appended);
    assert_ne!(with_token.query, signed(request(), &token).query);
    for request in [signed(request(), &token), with_token.clone()] {
        request.verify().unwrap();
        assert_eq!(
            countersign_sigv4::Presented::parse(&request.unverified()).unwrap().unverified_session_token(),
            Some("cs1.a/b+c==")
        );
    }
    // a token that was signed cannot be exchanged, and nothing else can be appended
    refused(vec![
        ("another token", query(signed(request(), &token), "cs1.a", "cs1.b"), E::SignatureMismatch),
        ("another appended parameter", query(with_token, "X-Amz-Security-Token", "X-Amz-Other"), E::SignatureMismatch),
    ]);
}

/// The AWS SDK for JavaScript states the payload of a presigned request in its query.
#[test]
fn a_presigned_request_may_state_its_payload_in_the_query() {
    let put = |stated: &'static str| {
        let query = format!("x-id=PutObject&X-Amz-Content-Sha256={stated}");
        signed(Request::new("PUT", "/b/k", &query, &[], b"data"), &Signing { payload: Some(stated), ..PRESIGNED_S3 })
    };
    let hash = "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7"; // of "data"
    put("UNSIGNED-PAYLOAD").verify().unwrap();
    put(hash).verify().unwrap();
    refused(vec![
        ("another body", with(put(hash), |it| it.body = "Data".into()), E::BodyHash),
        ("another statement", query(put(hash), hash, "UNSIGNED-PAYLOAD"), E::SignatureMismatch),
    ]);
}

/// A request of the first published suite, which is dated by `date` (and on a weekday that it was not).
#[test]
fn the_date_header_serves_where_there_is_no_other() {
    let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20110909/us-east-1/host/aws4_request, \
                         SignedHeaders=date;host, \
                         Signature=b27ccfbfa7df52a200ff74193ca6e32d4b48b8856fab7ebf1c595d0670a7e470";
    let headers = [("date", "Mon, 09 Sep 2011 23:36:00 GMT"), ("authorization", authorization)];
    let mut request = Request::new("GET", "/", "", &headers, b"");
    request.set("host", "host.foo.com");
    let now = Timestamp::from_secs(1_315_611_360);
    request.verify_at("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", now, &Options::default()).unwrap();
}

#[test]
fn times() {
    let at = |offset: i64, how: &Signing| {
        let request = if how.service == "s3" { ("GET", "/b/k") } else { ("POST", "/") };
        let request = signed(Request::new(request.0, request.1, "", &[], b""), how);
        let now = Timestamp::from_secs(NOW.checked_add_signed(offset).unwrap());
        request.verify_at(SECRET, now, &Options::default())
    };
    for how in [HEADER, S3] {
        for offset in [-300, -1, 0, 1, 300] {
            at(offset, &how).unwrap();
        }
        for offset in [-301, 301, 86_400, -86_400] {
            let error = at(offset, &how).unwrap_err();
            assert!(matches!(error, E::ClockSkew { .. }), "{error}");
            assert_eq!(error.aws_code(), "RequestTimeTooSkewed");
        }
    }
    for offset in [-300, 0, 899] {
        at(offset, &PRESIGNED_S3).unwrap();
    }
    assert!(matches!(at(-301, &PRESIGNED_S3), Err(E::ClockSkew { .. })));
    let late = at(900, &PRESIGNED_S3).unwrap_err();
    assert!(matches!(late, E::Expired { .. }));
    assert_eq!(
        late.to_string(),
        "the presigned request expired at 2026-11-21T14:42:18Z, and the server's time is 2026-11-21T14:42:18Z"
    );
    assert_eq!(late.aws_code(), "RequestExpired");
    let early = at(-301, &HEADER).unwrap_err().to_string();
    assert!(early.contains("2026-11-21T14:27:18Z") && early.contains("2026-11-21T14:22:17Z"), "{early}");
}

#[test]
fn dates() {
    let date = |value: &str| with(json(), |it| it.set("x-amz-date", value));
    let date_header = || {
        with(json(), |it| {
            it.headers.retain(|(name, _)| name != "x-amz-date");
        })
    };
    refused(vec![
        ("no date", date_header(), E::MissingPart("x-amz-date")),
        ("another date", date("20261121T142719Z"), E::SignatureMismatch),
        ("a date in another form", date("2026-11-21T14:27:18Z"), E::MalformedDate),
        ("two dates", add(json(), "x-amz-date", "20261121T142718Z"), E::DuplicateHeader("x-amz-date".to_owned())),
        ("a date of another day", date("20261122T000000Z"), E::ScopeDate),
        ("a date header with another form", add(date_header(), "date", "today"), E::MalformedDate),
        // the time is right, but the header that was signed is gone
        (
            "the date header instead",
            add(date_header(), "date", "Sat, 21 Nov 2026 14:27:18 GMT"),
            E::SignedHeaderAbsent("x-amz-date".to_owned()),
        ),
    ]);
    // `x-amz-date` wins over `date`, which proxies may set
    add(json(), "date", "Sat, 21 Nov 2026 14:30:00 GMT").verify().unwrap();
}

/// What `text` begins with, up to what is no letter.
fn word(text: &str) -> &str {
    text.split(|char: char| !char.is_ascii_alphanumeric()).next().unwrap_or_default()
}

/// The attacks name every reason that there is.
#[test]
fn no_reason_is_without_an_attack() {
    let (attacks, _) = include_str!("attacks.rs").split_once("fn no_reason_is_without").unwrap();
    let attacks = [
        attacks,
        include_str!("tampering.rs"),
        include_str!("botocore.rs"),
        include_str!("../../src/chunked/tests.rs"),
    ]
    .concat();
    let (_, reasons) = include_str!("../../src/error.rs").split_once("pub enum SignatureError {").unwrap();
    let (reasons, _) = reasons.split_once("\n}").unwrap();
    let reasons: Vec<_> = reasons
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|char: char| char.is_ascii_uppercase()))
        .map(word)
        .collect();
    assert!(reasons.len() >= 50 && reasons.contains(&"TrailerChecksum"), "{reasons:?}");
    let met: HashSet<_> = attacks.split("::").skip(1).map(word).collect();
    let unmet: Vec<_> = reasons.iter().filter(|reason| !met.contains(*reason)).collect();
    assert!(unmet.is_empty(), "no attack leads to {unmet:?}");
}

#[test]
fn every_error_has_a_code_that_sdks_know_and_says_no_secret() {
    let request = with(json(), |it| it.set("authorization", "AWS4-HMAC-SHA256 hunter2"));
    let error = request.verify().unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert_eq!((error.aws_code(), error.http_status()), ("IncompleteSignature", 400));
    for (error, code, status) in [
        (E::MissingAuthentication, "MissingAuthenticationToken", 403),
        (E::SignatureMismatch, "SignatureDoesNotMatch", 403),
        (E::MalformedAccessKeyId, "InvalidClientTokenId", 403),
        (E::BodyHash, "XAmzContentSHA256Mismatch", 400),
        (E::TrailerChecksum, "BadDigest", 400),
        (E::MissingDecodedLength, "MissingContentLength", 411),
    ] {
        assert_eq!((error.aws_code(), error.http_status()), (code, status));
    }
}
