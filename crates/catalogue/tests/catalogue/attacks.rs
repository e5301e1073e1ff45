//! What an attacker may send to be taken for something milder: each is refused, with its own reason.
//!
//! The attacker holds valid credentials and signs whatever is sent; attacks on the signature itself are in the tests of
//! `countersign-sigv4`.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use countersign_catalogue::Endpoint;

use crate::{Request, attacks_bodies as bodies, attacks_hosts};

/// What is tried, the request, and the reason why it is refused.
pub(crate) type Attack = (&'static str, Request, &'static str);

/// Reasons that no attack in the tables leads to.
const ELSEWHERE: [&str; 2] = [
    // The blob's own tests damage it.
    "DamagedCatalogue",
    // Regions have a table of their own.
    "UnknownRegion",
];

pub(crate) fn nested(open: &str, close: &str, levels: usize) -> String {
    format!("{}{}", open.repeat(levels), close.repeat(levels))
}

fn operations() -> Vec<Attack> {
    let put = |body: &str| Request::dynamodb("PutItem", body);
    let cbor = |path: &str| Request {
        path: path.to_owned(),
        ..Request::new("monitoring").header("smithy-protocol", "rpc-v2-cbor")
    };
    vec![
        ("unknown service", Request::new("nonesuch"), "UnknownService"),
        ("service in another case", Request::new("DynamoDB"), "UnknownService"),
        ("unknown operation", Request::dynamodb("PutItems", "{}"), "UnknownOperation"),
        ("operation in another case", Request::dynamodb("putItem", "{}"), "UnknownOperation"),
        ("a space behind the operation", Request::dynamodb("PutItem ", "{}"), "UnknownOperation"),
        (
            "another service's target",
            Request::new("dynamodb").header("x-amz-target", "AWSLambda.Invoke"),
            "UnknownOperation",
        ),
        (
            "a target without a service",
            Request::new("dynamodb").header("x-amz-target", "DeleteTable"),
            "UnknownOperation",
        ),
        ("no target", Request::new("dynamodb").body("{}"), "UnknownOperation"),
        ("two targets", put("{}").header("x-amz-target", "DynamoDB_20120810.GetItem"), "DuplicateHeader"),
        (
            "two targets in one",
            {
                Request::new("dynamodb")
                    .header("x-amz-target", "DynamoDB_20120810.GetItem, DynamoDB_20120810.DeleteTable")
            },
            "UnknownOperation",
        ),
        (
            "a target in the query",
            Request::new("dynamodb").query("X-Amz-Target=DynamoDB_20120810.GetItem"),
            "UnknownOperation",
        ),
        ("an empty target", Request::new("dynamodb").header("x-amz-target", ""), "UnknownOperation"),
        (
            "a target on a service of forms",
            Request::form("iam", "Action=GetUser&Version=2010-05-08").header("x-amz-target", "IAM.DeleteUser"),
            "WrongContentType",
        ),
        ("a target in JSON of another kind", put("{}").header("content-type", "application/json"), "WrongContentType"),
        (
            "two content types in one",
            put("{}").header("content-type", "application/x-amz-json-1.0,application/x-www-form-urlencoded"),
            "WrongContentType",
        ),
        (
            "JSON to a service of forms",
            Request::new("iam").header("content-type", "application/json").body("{\"Action\":\"DeleteUser\"}"),
            "UnknownOperation",
        ),
        (
            "a form in parts",
            Request::new("iam")
                .header("content-type", "multipart/form-data; boundary=b")
                .body("--b\r\nContent-Disposition: form-data; name=\"Action\"\r\n\r\nDeleteUser\r\n--b--"),
            "UnknownOperation",
        ),
        (
            "an upload by a form of a browser",
            Request::rest("s3", "POST", "/b")
                .header("content-type", "multipart/form-data; boundary=b")
                .body("--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--b--"),
            "UnknownOperation",
        ),
        (
            "an action beside another API of the same host",
            Request {
                query: "Action=DeleteIdentity&Version=2010-12-01",
                ..Request::rest("ses", "GET", "/v2/email/identities")
            },
            "UnknownOperation",
        ),
        (
            "a cbor path with a form",
            cbor("/service/GraniteServiceVersion20100801/operation/ListMetrics")
                .header("content-type", "application/x-www-form-urlencoded"),
            "WrongContentType",
        ),
        (
            "a cbor path with a query",
            Request {
                query: "Action=DeleteAlarms",
                ..cbor("/service/GraniteServiceVersion20100801/operation/ListMetrics")
            },
            "UndeclaredQueryKey",
        ),
        ("the name of one service for another's host", Request { host_prefix: "data", ..put("{}") }, "WrongHostPrefix"),
        ("two protocols", put("{}").header("smithy-protocol", "rpc-v2-cbor"), "Contradiction"),
        ("unknown protocol", Request::new("monitoring").header("smithy-protocol", "rpc-v9"), "UnknownOperation"),
        (
            "protocol in another case",
            Request::new("monitoring").header("smithy-protocol", "RPC-v2-CBOR"),
            "UnknownOperation",
        ),
        (
            "a cbor path with a slash more",
            cbor("/service/GraniteServiceVersion20100801/operation/ListMetrics/"),
            "UnknownOperation",
        ),
        ("a cbor path of another service", cbor("/service/DynamoDB_20120810/operation/ListTables"), "UnknownOperation"),
        (
            "an escaped cbor path",
            cbor("/service/GraniteServiceVersion20100801/operation/%4cistMetrics"),
            "UnknownOperation",
        ),
        ("a target with an action in the query", put("{}").query("Action=DeleteTable"), "UndeclaredQueryKey"),
        ("a target on another path", Request { path: "/x".to_owned(), ..put("{}") }, "UnknownOperation"),
        ("a target with another method", Request { method: "GET", ..put("{}") }, "UnknownOperation"),
        (
            "a presigned form of an unknown action",
            Request { method: "GET", ..Request::new("sts") }.query("Action=X&Version=2011-06-15"),
            "UnknownOperation",
        ),
        (
            "an event stream",
            Request::rest("bedrock", "POST", "/model/m/invoke-with-bidirectional-stream"),
            "EventStreamInput",
        ),
        ("an old signature", Request::form("sdb", "Action=ListDomains&Version=2009-04-15"), "UnsupportedSigning"),
        ("a body that is not signed", Request { body_is_signed: false, ..put("{}") }, "UnsignedBody"),
        (
            "the endpoint of no service",
            Request { endpoint: Endpoint::OfService("nonesuch"), ..put("{}") },
            "UnknownEndpoint",
        ),
        ("another service's endpoint", Request { endpoint: Endpoint::OfService("sqs"), ..put("{}") }, "OtherEndpoint"),
        (
            "the same bytes on two hosts",
            Request::new("timestream").header("x-amz-target", "Timestream_20181101.DescribeEndpoints").body("{}"),
            "Ambiguous",
        ),
    ]
}

fn paths() -> Vec<Attack> {
    let function = |rest: &str| Request::rest("lambda", "GET", &format!("/2015-03-31/functions/{rest}"));
    vec![
        ("empty segment", Request::rest("lambda", "GET", "/2015-03-31//functions/"), "UnknownOperation"),
        ("empty label", function("/configuration"), "UnknownOperation"),
        ("slashes at the beginning", Request::rest("lambda", "GET", "//2015-03-31/functions/f"), "UnknownOperation"),
        ("dot segment", function(".."), "BadTarget"),
        ("dot segment within", function("../functions/f"), "UnknownOperation"),
        ("encoded dot segment", function("%2e%2e"), "BadTarget"),
        ("half encoded dot segment", function(".%2e"), "BadTarget"),
        ("overlong dot segment", function("%c0%ae%c0%ae"), "BadTarget"),
        (
            "a path that is a URL",
            Request::rest("lambda", "GET", "http://evil.example/2015-03-31/functions/f"),
            "BadTarget",
        ),
        ("a path that is a star", Request::rest("s3", "GET", "*"), "BadTarget"),
        ("no path", Request::rest("s3", "GET", ""), "BadTarget"),
        ("UTF-16 in the path", function("%ff%fe%2e%00"), "BadTarget"),
        (
            "a dot segment inside a label that takes slashes",
            Request::rest("mediastore", "GET", "/a%2F..%2F..%2Fb"),
            "BadTarget",
        ),
        (
            "an empty segment inside a label that takes slashes",
            Request::rest("mediastore", "GET", "/a%2F%2Fb"),
            "BadTarget",
        ),
        ("a slash before a label that takes slashes", Request::rest("mediastore", "GET", "/%2Fb"), "BadTarget"),
        (
            "another operation's path inside a label that takes slashes",
            Request::rest("workspaces-web", "DELETE", "/portals/a%2FuserSettings"),
            "BadTarget",
        ),
        (
            "another resource's path behind a tag's",
            Request::rest("workspaces-web", "DELETE", "/tags/x%2F..%2F..%2Fportals%2Fp").query("tagKeys=k"),
            "BadTarget",
        ),
        ("trailing slash", function("f/"), "UnknownOperation"),
        ("broken escape", function("%zz"), "BadTarget"),
        ("escape that is cut off", function("f%2"), "BadTarget"),
        ("not UTF-8", Request::rest("s3", "GET", "/b/%ff"), "BadTarget"),
        ("literal under escapes", Request::rest("lambda", "GET", "/2015-03-31/functions%2Ff"), "UnknownOperation"),
        ("literal in another case", Request::rest("lambda", "GET", "/2015-03-31/Functions/f"), "UnknownOperation"),
        ("method", Request::rest("lambda", "TRACE", "/2015-03-31/functions/f"), "UnknownOperation"),
        ("method in another case", Request::rest("lambda", "delete", "/2015-03-31/functions/f"), "UnknownOperation"),
        ("a body where there is none", function("f").body("{\"a\":1}"), "UnexpectedBody"),
        ("a body of XML where there is none", Request::rest("s3", "GET", "/b/k").body("<Delete/>"), "UnexpectedBody"),
        ("bucket is a dot segment", Request::rest("s3", "GET", "/../k"), "BadTarget"),
        ("a slash in the bucket", Request::rest("s3", "GET", "/a%2Fb/k"), "WrongType"),
        ("an at sign in the bucket", Request::rest("s3", "GET", "/evil@b/k"), "WrongType"),
        (
            "an ARN for a bucket",
            Request::rest("s3", "GET", "/arn%3Aaws%3As3%3A%3A1%3Aaccesspoint%2Fa/k"),
            "UnresolvedHost",
        ),
        ("a percent sign in the bucket", Request::rest("s3", "GET", "/a%252Fb/k"), "WrongType"),
        (
            "a bucket in front of the host that is a path",
            Request { host_prefix: "a/b", ..Request::rest("s3", "GET", "/k") },
            "WrongType",
        ),
        (
            "a bucket in front of the host of dots",
            Request { host_prefix: "..", ..Request::rest("s3", "GET", "/k") },
            "BadTarget",
        ),
        (
            "a multi-region access point",
            Request::rest("s3", "GET", "/arn%3Aaws%3As3%3A%3A1%3Aaccesspoint%2Fm.mrap/k"),
            "UnresolvedHost",
        ),
        ("directory bucket", Request::rest("s3", "GET", "/b--euc1-az1--x-s3/k"), "UnresolvedHost"),
    ]
}

fn queries_and_headers() -> Vec<Attack> {
    static LONG: LazyLock<String> = LazyLock::new(|| "a".repeat(1_000));
    static KEYS: LazyLock<String> = LazyLock::new(|| "a&".repeat(50_001));
    let object = |query: &'static str| Request::rest("s3", "GET", "/b/k").query(query);
    let put = || Request::rest("s3", "PUT", "/b/k");
    let json = |body: &str| Request::dynamodb("PutItem", body);
    vec![
        ("undeclared query key", object("x-nonesuch=1"), "UndeclaredQueryKey"),
        ("query key in another case", object("versionid=1"), "UndeclaredQueryKey"),
        ("two subresources", object("acl&tagging"), "UndeclaredQueryKey"),
        ("subresource in another case", object("ACL"), "UndeclaredQueryKey"),
        ("a subresource with a value", object("acl=1"), "UndeclaredQueryKey"),
        (
            "a list and a subresource",
            Request::rest("s3", "GET", "/b").query("list-type=2&versioning"),
            "UndeclaredQueryKey",
        ),
        ("an answer's type on a write", put().query("response-content-type=text%2Fhtml"), "UndeclaredQueryKey"),
        ("a header in the query", put().query("x-amz-acl=public-read"), "UndeclaredQueryKey"),
        ("a source of a copy in the query", put().query("X-Amz-Copy-Source=a%2Fb"), "UndeclaredQueryKey"),
        ("a part of an upload without the upload", put().query("partNumber=1"), "MissingMember"),
        ("a method in the query", object("_method=DELETE"), "UndeclaredQueryKey"),
        ("a signature in the query", object("X-Amz-Signature=0"), "UndeclaredQueryKey"),
        ("another operation's x-id", object("x-id=PutObject"), "UndeclaredQueryKey"),
        ("query key twice", object("versionId=1&versionId=2"), "DuplicateKey"),
        ("query key twice by escapes", object("versionId=1&version%49d=2"), "DuplicateKey"),
        ("subresource twice", object("acl&acl"), "UndeclaredQueryKey"),
        ("plus in the query", Request::rest("s3", "GET", "/b").query("prefix=a+b"), "BadTarget"),
        ("raw bytes in the query", object("versionId=\u{e9}"), "BadTarget"),
        ("a space in the query", object("versionId=a b"), "BadTarget"),
        ("broken escape in the query", object("versionId=%g1"), "BadText"),
        (
            "a required member of the query is missing",
            { Request::rest("s3", "PUT", "/b/k").query("uploadId=u") },
            "MissingMember",
        ),
        ("a required header is missing", Request::rest("s3", "GET", "/b/k").query("attributes"), "MissingMember"),
        (
            "copy on a part of nothing",
            Request::rest("s3", "PUT", "/b").header("x-amz-copy-source", "a/b"),
            "UndeclaredHeader",
        ),
        ("header twice", put().header("x-amz-acl", "private").header("x-amz-acl", "public-read"), "DuplicateHeader"),
        ("content type twice", put().header("content-type", "a/b").header("content-type", "c/d"), "DuplicateHeader"),
        ("undeclared header", json("{}").header("x-amz-copy-source", "b/k"), "UndeclaredHeader"),
        (
            "another operation's header",
            Request::rest("s3", "GET", "/b/k").header("x-amz-acl", "public-read"),
            "UndeclaredHeader",
        ),
        ("undeclared header of the other family", json("{}").header("x-amzn-nonesuch", "1"), "UndeclaredHeader"),
        (
            "a copy of a part on a copy",
            put().header("x-amz-copy-source", "a/b").header("x-amz-copy-source-range", "bytes=0-1"),
            "UndeclaredHeader",
        ),
        (
            "an access list on a part",
            put().query("partNumber=1&uploadId=u").header("x-amz-acl", "public-read"),
            "UndeclaredHeader",
        ),
        (
            "a bypass on a read",
            Request::rest("s3", "GET", "/b/k").header("x-amz-bypass-governance-retention", "true"),
            "UndeclaredHeader",
        ),
        ("a query key of a thousand letters", object(&LONG), "UndeclaredQueryKey"),
        (
            "a header of a thousand letters",
            json("{}").header(&format!("x-amz-{}", "a".repeat(1_000)), "1"),
            "UndeclaredHeader",
        ),
        (
            "more headers than a door takes",
            (0..2_001).fold(put(), |it, n| it.header(&format!("x-amz-meta-{n}"), "1")),
            "TooLarge",
        ),
        ("more query keys than a door takes", Request::rest("s3", "GET", "/b").query(&KEYS), "TooLarge"),
        ("chunk header without chunks", json("{}").header("x-amz-decoded-content-length", "2"), "UndeclaredHeader"),
        ("chunk encoding without chunks", json("{}").header("content-encoding", "aws-chunked"), "ContentEncoding"),
        ("chunk encoding among others", put().header("content-encoding", "gzip, aws-chunked"), "ContentEncoding"),
        ("compressed in capitals", json("{}").header("content-encoding", "GZIP"), "ContentEncoding"),
        ("compressed twice", json("{}").header("content-encoding", "gzip, gzip"), "ContentEncoding"),
        ("compressed", json("\x1f").header("content-encoding", "gzip"), "ContentEncoding"),
        ("a number that is none", Request::rest("s3", "GET", "/b").query("list-type=2&max-keys=1e3"), "WrongType"),
        (
            "a truth that is none",
            put()
                .header("x-amz-object-lock-legal-hold", "ON")
                .header("x-amz-server-side-encryption-bucket-key-enabled", "TRUE"),
            "WrongType",
        ),
    ]
}

#[test]
fn each_attack_is_refused_with_its_own_reason() {
    let tables = [
        operations(),
        paths(),
        queries_and_headers(),
        attacks_hosts::hosts(),
        bodies::json(),
        bodies::forms(),
        bodies::xml(),
        bodies::cbor(),
        bodies::compressed(),
    ];
    let mut wrong = Vec::new();
    let mut met = BTreeSet::from(ELSEWHERE);
    for (name, request, reason) in tables.iter().flatten() {
        met.insert(reason);
        match request.understand() {
            Err(refusal) if refusal.reason() == *reason => {
                // Whatever is quoted of the request is cut.
                assert!(refusal.message().len() < 600, "{name}: {}", refusal.message().len());
            }
            Err(refusal) => wrong.push(format!("{name}: {} instead of {reason}: {refusal}", refusal.reason())),
            Ok(call) => wrong.push(format!("{name}: understood as {}:{}", call.service, call.operation)),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let refusals = include_str!("../../src/refusal.rs");
    let reasons = refusals.lines().filter_map(|line| line.trim().strip_prefix("Refusal::")?.split('"').nth(1));
    let untried: Vec<_> = reasons.filter(|reason| !met.contains(reason)).collect();
    assert!(untried.is_empty(), "no attack leads to {untried:?}");
}
