//! Attacks on what is signed: each has its own reason.

use countersign_domain::Timestamp;
use countersign_sigv4::{Options, SignatureError as E, UnsignedBodies};

use crate::{
    attacks::{add, authorization, get_object, json, presigned, refused, with},
    signer::{HEADER, HOST, NOW, Request, S3, SECRET, Signing, signed},
};

#[test]
fn headers() {
    refused(vec![
        (
            "a changed value",
            with(json(), |it| it.set("x-amz-target", "DynamoDB_20120810.DeleteItem")),
            E::SignatureMismatch,
        ),
        (
            "an added value",
            add(json(), "x-amz-target", "DynamoDB_20120810.DeleteItem"),
            E::DuplicateHeader("x-amz-target".to_owned()),
        ),
        (
            "another content type",
            with(json(), |it| it.set("content-type", "application/x-www-form-urlencoded")),
            E::SignatureMismatch,
        ),
        (
            "a removed header",
            with(json(), |it| it.headers.retain(|(name, _)| name != "x-amz-target")),
            E::SignedHeaderAbsent("x-amz-target".to_owned()),
        ),
        ("another host", with(json(), |it| it.set("host", "other.example.com")), E::SignatureMismatch),
        ("two hosts", add(json(), "host", HOST), E::DuplicateHeader("host".to_owned())),
        ("an unsigned host", authorization(json(), "content-type;host", "content-type"), E::HostNotSigned),
        (
            "an unsigned target",
            authorization(json(), ";x-amz-target", ""),
            E::HeaderNotSigned("x-amz-target".to_owned()),
        ),
        (
            "an unsigned content type",
            authorization(json(), "content-type;host", "host"),
            E::HeaderNotSigned("content-type".to_owned()),
        ),
        ("an added amz header", add(json(), "x-amz-meta-x", "1"), E::HeaderNotSigned("x-amz-meta-x".to_owned())),
        (
            "an added protocol",
            add(json(), "smithy-protocol", "rpc-v2-cbor"),
            E::HeaderNotSigned("smithy-protocol".to_owned()),
        ),
        ("an added coding", add(json(), "content-encoding", "gzip"), E::HeaderNotSigned("content-encoding".to_owned())),
        (
            "signed headers out of order",
            authorization(json(), "content-type;host", "host;content-type"),
            E::MalformedSignedHeaders,
        ),
        (
            "signed headers repeated",
            authorization(json(), "content-type;host", "content-type;host;host"),
            E::MalformedSignedHeaders,
        ),
        ("a name in capitals", add(json(), "X-Amz-Target", "x"), E::MalformedHeaderName),
        ("a name with a line break", add(json(), "via\nx-amz-target", "x"), E::MalformedHeaderName),
        ("a wrong length", add(json(), "content-length", "18"), E::ContentLength),
        ("a length with a sign", add(json(), "content-length", "+17"), E::ContentLength),
        (
            "two lengths",
            add(add(json(), "content-length", "17"), "content-length", "17"),
            E::DuplicateHeader("content-length".to_owned()),
        ),
    ]);
    let mut request = json();
    for (name, value) in
        [("x-amzn-trace-id", "Root=1"), ("x-forwarded-for", "1.2.3.4"), ("via", "1.1 x"), ("content-length", "17")]
    {
        request = add(request, name, value);
    }
    request.verify().unwrap();
}

#[test]
fn targets() {
    refused(vec![
        ("another method", with(get_object(), |it| it.method = "DELETE".to_owned()), E::SignatureMismatch),
        ("a method in lower case", with(get_object(), |it| it.method = "get".to_owned()), E::MalformedMethod),
        ("a method with a line break", with(get_object(), |it| it.method = "GET\n/".to_owned()), E::MalformedMethod),
        ("another path", with(get_object(), |it| it.path = "/bucket/key2".to_owned()), E::SignatureMismatch),
        ("a slash more, S3", with(get_object(), |it| it.path = "/bucket//key".to_owned()), E::SignatureMismatch),
        ("dot segments, S3", with(get_object(), |it| it.path = "/x/../bucket/key".to_owned()), E::SignatureMismatch),
        ("an escaped slash, S3", with(get_object(), |it| it.path = "/bucket%2Fkey".to_owned()), E::SignatureMismatch),
        ("a trailing slash", with(get_object(), |it| it.path = "/bucket/key/".to_owned()), E::SignatureMismatch),
        ("a broken escape", with(get_object(), |it| it.path = "/bucket/%".to_owned()), E::MalformedPath),
        (
            "a question mark in the path",
            with(get_object(), |it| it.path = "/bucket/key?acl".to_owned()),
            E::MalformedPath,
        ),
        ("dot segments", with(json(), |it| it.path = "/x/..".to_owned()), E::UncoveredSegments),
        ("a slash more", with(json(), |it| it.path = "//".to_owned()), E::UncoveredSegments),
        ("an added query", with(json(), |it| it.query = "Action=DeleteTable".to_owned()), E::SignatureMismatch),
        ("a removed query", with(get_object(), |it| it.query = String::new()), E::SignatureMismatch),
        ("a fragment", with(get_object(), |it| it.query = "versionId=1#".to_owned()), E::MalformedQuery),
        ("a broken query", with(get_object(), |it| it.query = "versionId=%1".to_owned()), E::MalformedQuery),
    ]);
}

#[test]
fn bodies() {
    let stated = |how: &Signing, stated: &'static str| {
        signed(Request::new("PUT", "/b/k", "", &[], b"data"), &Signing { payload: Some(stated), ..*how })
    };
    let put = || signed(Request::new("PUT", "/b/k", "", &[], b"data"), &S3);
    refused(vec![
        ("another body", with(put(), |it| it.body = "Data".into()), E::BodyHash),
        (
            "another body, hash not stated",
            with(json(), |it| it.body = "{\"TableName\":\"u\"}".into()),
            E::SignatureMismatch,
        ),
        (
            "another statement",
            with(put(), |it| it.set("x-amz-content-sha256", "UNSIGNED-PAYLOAD")),
            E::SignatureMismatch,
        ),
        (
            "no statement",
            with(put(), |it| it.headers.retain(|(name, _)| name != "x-amz-content-sha256")),
            E::SignedHeaderAbsent("x-amz-content-sha256".to_owned()),
        ),
        ("unsigned outside the S3 family", stated(&HEADER, "UNSIGNED-PAYLOAD"), E::UnsignedBody),
        ("streaming outside the S3 family", stated(&HEADER, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), E::StreamingService),
        (
            "signed streaming outside the S3 family",
            stated(&HEADER, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            E::StreamingService,
        ),
        ("an event stream", stated(&S3, "STREAMING-AWS4-HMAC-SHA256-EVENTS"), E::UnsupportedStream),
        ("streaming with version 4a", stated(&S3, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"), E::UnsupportedStream),
        ("an unknown keyword", stated(&S3, "STREAMING-ANYTHING"), E::UnsupportedPayload),
        (
            "a hash in capitals",
            stated(&S3, "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"),
            E::UnsupportedPayload,
        ),
        (
            "framing that is not stated",
            signed(Request::new("PUT", "/b/k", "", &[("content-encoding", "gzip, AWS-chunked")], b"0\r\n\r\n"), &S3),
            E::UnexpectedFraming,
        ),
        (
            "a decoded length that is not stated",
            signed(Request::new("PUT", "/b/k", "", &[("x-amz-decoded-content-length", "0")], b""), &S3),
            E::UnexpectedFraming,
        ),
        (
            "trailers that are not stated",
            signed(Request::new("PUT", "/b/k", "", &[("x-amz-trailer", "x-amz-checksum-crc32")], b""), &S3),
            E::UnexpectedFraming,
        ),
    ]);
}

#[test]
fn unsigned_bodies_are_a_choice() {
    let put = |service| {
        let how = Signing { service, payload: Some("UNSIGNED-PAYLOAD"), ..HEADER };
        signed(Request::new("PUT", "/b/k", "", &[], b"data"), &how)
    };
    for (choice, accepted) in [
        (UnsignedBodies::Refuse, &[][..]),
        (UnsignedBodies::S3Family, &["s3", "s3-object-lambda", "s3-outposts", "s3express"]),
        (UnsignedBodies::AsSdksDo, &["s3", "s3express", "ebs", "lex", "mediastore", "omics"]),
    ] {
        let options = Options { unsigned_bodies: choice, ..Options::default() };
        for service in ["s3", "s3express", "ebs", "lex", "mediastore", "omics", "dynamodb", "lambda"] {
            let outcome = put(service).verify_at(SECRET, Timestamp::from_secs(NOW), &options);
            let expected = if accepted.contains(&service) { None } else { Some(E::UnsignedBody) };
            assert_eq!(outcome.err(), expected, "{choice:?} {service}");
        }
        let outcome = presigned().verify_at(SECRET, Timestamp::from_secs(NOW), &options);
        assert_eq!(outcome.is_ok(), choice != UnsignedBodies::Refuse);
    }
}

/// Framing that the request's signature covers, but that lies.
#[test]
fn framing() {
    let crc = "x-amz-checksum-crc32:rfPzYw=="; // of "data"
    let put = |length: &str, trailer: &str, body: &str| {
        let mut headers = vec![("content-encoding", "aws-chunked")];
        if !length.is_empty() {
            headers.push(("x-amz-decoded-content-length", length));
        }
        if !trailer.is_empty() {
            headers.push(("x-amz-trailer", trailer));
        }
        let how = Signing { payload: Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), ..S3 };
        signed(Request::new("PUT", "/b/k", "", &headers, body.as_bytes()), &how)
    };
    let one = "x-amz-checksum-crc32";
    let whole = format!("4\r\ndata\r\n0\r\n{crc}\r\n\r\n");
    assert_eq!(put("4", one, &whole).verify().unwrap().body, "data");
    assert_eq!(put("4", "", "4\r\ndata\r\n0\r\n\r\n").verify().unwrap().body, "data");
    refused(vec![
        ("no length", put("", one, &whole), E::MissingDecodedLength),
        ("a length that is no number", put("four", one, &whole), E::DecodedLength),
        ("a length with a sign", put("+4", one, &whole), E::DecodedLength),
        ("a length too short", put("3", one, &whole), E::DecodedLength),
        ("a length too long", put("5", one, &whole), E::DecodedLength),
        ("a length beyond the body", put("18446744073709551615", one, &whole), E::DecodedLength),
        ("bytes after the end", put("4", one, &format!("{whole}x")), E::BytesAfterEnd),
        ("a second body", put("4", one, &format!("{whole}{whole}")), E::BytesAfterEnd),
        ("no last line", put("4", one, &format!("4\r\ndata\r\n0\r\n{crc}\r\n")), E::MalformedTrailer),
        ("an early end", put("4", one, "4\r\nda"), E::ChunkFraming),
        ("a chunk without end", put("4", one, "4\r\ndataxx0\r\n\r\n"), E::ChunkFraming),
        ("a size that is no number", put("4", one, "4x\r\ndata\r\n0\r\n\r\n"), E::ChunkFraming),
        ("a size with a sign", put("4", one, "+4\r\ndata\r\n0\r\n\r\n"), E::ChunkFraming),
        ("a size that overflows", put("4", one, "fffffffffffffffff\r\ndata\r\n0\r\n\r\n"), E::ChunkFraming),
        ("the largest size", put("4", one, "ffffffffffffffff\r\ndata\r\n0\r\n\r\n"), E::DecodedLength),
        ("a line that ends in LF", put("4", one, "4\ndata\r\n0\r\n\r\n"), E::ChunkFraming),
        ("a chunk extension", put("4", one, "4;x=y\r\ndata\r\n0\r\n\r\n"), E::ChunkFraming),
        (
            "a wrong checksum",
            put("4", one, "4\r\nDATA\r\n0\r\nx-amz-checksum-crc32:rfPzYw==\r\n\r\n"),
            E::TrailerChecksum,
        ),
        (
            "a checksum that is no base64",
            put("4", one, "4\r\ndata\r\n0\r\nx-amz-checksum-crc32:!\r\n\r\n"),
            E::TrailerChecksum,
        ),
        ("a missing trailer", put("4", one, "4\r\ndata\r\n0\r\n\r\n"), E::MissingTrailer),
        ("one of two trailers", put("4", "x-amz-checksum-crc32, x-amz-checksum-sha1", &whole), E::MissingTrailer),
        ("an undeclared trailer", put("4", "", &whole), E::UndeclaredTrailer),
        ("another trailer", put("4", one, "4\r\ndata\r\n0\r\nx-amz-acl:public\r\n\r\n"), E::UndeclaredTrailer),
        ("a trailer twice", put("4", one, &format!("4\r\ndata\r\n0\r\n{crc}\r\n{crc}\r\n\r\n")), E::DuplicateTrailer),
        (
            "a trailer declared twice",
            put("4", "x-amz-checksum-crc32,x-amz-checksum-crc32", &whole),
            E::DuplicateTrailer,
        ),
        ("an unknown trailer", put("4", "x-amz-acl", &whole), E::UnknownTrailer),
        ("a checksum that cannot be verified", put("4", "x-amz-checksum-md5", &whole), E::UnknownTrailer),
        (
            "a trailer without value",
            put("4", one, "4\r\ndata\r\n0\r\nx-amz-checksum-crc32\r\n\r\n"),
            E::MalformedTrailer,
        ),
        (
            "a signature where none is signed",
            put("4", one, &format!("4\r\ndata\r\n0\r\n{crc}\r\nx-amz-trailer-signature:00\r\n\r\n")),
            E::UndeclaredTrailer,
        ),
        ("an endless line", put("4", one, &format!("4\r\ndata\r\n0\r\n{}", "x".repeat(100_000))), E::MalformedTrailer),
    ]);
}
