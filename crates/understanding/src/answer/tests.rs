use countersign_domain::{OutgoingRequest, Protocol, Upstream, Value, settings::Masking};

use super::*;

fn call(service: &str, operation: &str, protocol: Protocol) -> Call {
    Call {
        service: service.into(),
        operation: operation.into(),
        protocol,
        region: "eu-central-1".into(),
        parameters: Value::Record(Vec::new()),
        permissions: Vec::new(),
        upstream: Upstream { host: String::new(), signing_name: service.into(), signing_region: String::new() },
        outgoing: OutgoingRequest {
            method: "POST".into(),
            path: "/".into(),
            query: String::new(),
            headers: Vec::new(),
            body: Bytes::new(),
        },
        idempotency_token: None,
        idempotency_member: None,
        idempotent: false,
    }
}

fn masked(call: &Call, status: u16, body: &[u8], reveal: &[&str]) -> Result<MaskedAnswer, WithheldAnswer> {
    let headers = vec![
        ("content-length".to_owned(), body.len().to_string()),
        ("etag".to_owned(), "\"abc\"".to_owned()),
        ("x-amz-checksum-crc32".to_owned(), "AAAAAA==".to_owned()),
    ];
    let masker = Masker::new(&Masking::default()).unwrap();
    let reveal = reveal.iter().map(|name| (*name).to_owned()).collect();
    mask_answer(call, status, headers, &Bytes::copy_from_slice(body), &masker, &reveal)
}

fn text(answer: &MaskedAnswer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

#[test]
fn marked_members_give_way_and_revealed_ones_stay() {
    let get = call("secretsmanager", "GetSecretValue", Protocol::Json);
    let body = br#"{"Name":"app","SecretString":"hunter2"}"#;
    let answer = masked(&get, 200, body, &[]).unwrap();
    assert!(!text(&answer).contains("hunter2"), "{}", text(&answer));
    assert!(text(&answer).contains(r#""Name":"app""#));
    assert_eq!(answer.count, 1);
    let revealed = masked(&get, 200, body, &["SecretString"]).unwrap();
    assert_eq!(text(&revealed), std::str::from_utf8(body).unwrap());
}

#[test]
fn errors_are_masked_by_pattern() {
    let get = call("secretsmanager", "GetSecretValue", Protocol::Json);
    let body = br#"{"__type":"ValidationException","message":"bad ann@example.com"}"#;
    let answer = masked(&get, 400, body, &[]).unwrap();
    assert!(!text(&answer).contains("ann@example.com") && text(&answer).contains("ValidationException"));
}

#[test]
fn what_cannot_be_read_is_withheld() {
    let get = call("secretsmanager", "GetSecretValue", Protocol::Json);
    assert!(matches!(masked(&get, 200, b"\xff\xfe", &[]), Err(WithheldAnswer::Unreadable(_))));
}

#[test]
fn objects_of_text_are_masked_and_lose_what_vouched_for_them() {
    let get = call("s3", "GetObject", Protocol::RestXml);
    let answer = masked(&get, 200, b"mail ann@example.com", &[]).unwrap();
    assert!(!text(&answer).contains("ann@"), "{}", text(&answer));
    assert!(answer.headers.is_empty(), "{:?}", answer.headers);
    let plain = masked(&get, 200, b"nothing here", &[]).unwrap();
    assert_eq!((text(&plain), plain.headers.len(), plain.count), ("nothing here", 3, 0));
    let binary = masked(&get, 200, &[0xff, 0xd8, 0xff, 0xe0], &[]).unwrap();
    assert_eq!((&*binary.body, binary.headers.len()), ([0xff, 0xd8, 0xff, 0xe0].as_slice(), 3));
}

#[test]
fn a_part_of_a_text_is_withheld_and_a_part_of_bytes_is_not() {
    let get = call("s3", "GetObject", Protocol::RestXml);
    assert_eq!(masked(&get, 206, b"-----BEGIN RSA PRI", &[]), Err(WithheldAnswer::PartOfText));
    // Cutting a character at either end makes no bytes of it.
    let umlauts = "üpassword=ü".as_bytes();
    assert_eq!(masked(&get, 206, &umlauts[1..], &[]), Err(WithheldAnswer::PartOfText));
    assert_eq!(masked(&get, 206, &umlauts[1..umlauts.len() - 1], &[]), Err(WithheldAnswer::PartOfText));
    assert!(masked(&get, 206, &[0xff, 0xd8], &[]).is_ok());
    assert!(masked(&get, 206, b"part of a log", &["Body"]).is_ok());
}
