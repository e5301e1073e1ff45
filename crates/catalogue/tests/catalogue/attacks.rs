//! What an attacker may send to be taken for something milder: each is refused, with its own reason.
//!
//! The attacker holds valid credentials and signs whatever is sent; attacks on the signature itself are in the tests of
//! `countersign-sigv4`.

use std::collections::BTreeSet;

use countersign_catalogue::Endpoint;

use crate::{Request, attacks_bodies as bodies};

/// What is tried, the request, and the reason why it is refused.
pub(crate) type Attack = (&'static str, Request, &'static str);

/// Reasons that no attack in the tables leads to.
const ELSEWHERE: [&str; 2] = [
    // The blob's own tests damage it.
    "DamagedCatalogue",
    // Regions are below.
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
        ("directory bucket", Request::rest("s3", "GET", "/b--euc1-az1--x-s3/k"), "UnresolvedHost"),
    ]
}

fn queries_and_headers() -> Vec<Attack> {
    let object = |query: &'static str| Request::rest("s3", "GET", "/b/k").query(query);
    let put = || Request::rest("s3", "PUT", "/b/k");
    let json = |body: &str| Request::dynamodb("PutItem", body);
    vec![
        ("undeclared query key", object("x-nonesuch=1"), "UndeclaredQueryKey"),
        ("query key in another case", object("versionid=1"), "UndeclaredQueryKey"),
        ("two subresources", object("acl&tagging"), "UndeclaredQueryKey"),
        ("subresource in another case", object("ACL"), "UndeclaredQueryKey"),
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
        ("chunk header without chunks", json("{}").header("x-amz-decoded-content-length", "2"), "UndeclaredHeader"),
        ("chunk encoding without chunks", json("{}").header("content-encoding", "aws-chunked"), "ContentEncoding"),
        ("chunk encoding among others", put().header("content-encoding", "gzip, aws-chunked"), "ContentEncoding"),
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

fn hosts() -> Vec<Attack> {
    let key = "{\"TableName\":\"t\",\"Key\":{\"k\":{\"S\":\"v\"}}}";
    let prefixed = |host_prefix| Request { host_prefix, ..Request::dynamodb("GetItem", key) };
    let jobs = |account: &str| Request::rest("s3", "GET", "/v20180820/jobs").header("x-amz-account-id", account);
    let kinesis = |arn: &str| {
        let target = ("x-amz-target", "Kinesis_20131202.DescribeStreamSummary");
        Request::new("kinesis").header(target.0, target.1).body(format!("{{\"StreamARN\":\"{arn}\"}}"))
    };
    let predict = |host: &str| {
        let target = ("x-amz-target", "AmazonML_20141212.Predict");
        let body = format!("{{\"MLModelId\":\"m\",\"Record\":{{}},\"PredictEndpoint\":\"{host}\"}}");
        Request::new("machinelearning").header(target.0, target.1).body(body)
    };
    vec![
        ("prefix of another host", prefixed("evil"), "WrongHostPrefix"),
        ("a host in front", prefixed("evil.example"), "WrongHostPrefix"),
        ("an account that is a path", jobs("evil.example/"), "BadHostLabel"),
        ("an account that is a domain", jobs("evil.example"), "BadHostLabel"),
        ("an account that comments the rest out", jobs("evil#"), "BadHostLabel"),
        ("an account of 64 letters", jobs(&"a".repeat(64)), "BadHostLabel"),
        (
            "a stream whose account is a domain",
            kinesis("arn:aws:kinesis:eu-central-1:evil.example:stream/s"),
            "BadHostLabel",
        ),
        ("a stream whose account is empty", kinesis("arn:aws:kinesis:eu-central-1::stream/s"), "BadHostLabel"),
        ("a stream of another service", kinesis("arn:aws:s3:eu-central-1:1:stream/s"), "UnresolvedHost"),
        ("a stream of another partition", kinesis("arn:aws-cn:kinesis:eu-central-1:1:stream/s"), "UnresolvedHost"),
        ("a stream that is a queue", kinesis("arn:aws:kinesis:eu-central-1:1:queue/q"), "UnresolvedHost"),
        ("predictions elsewhere", predict("https://evil.example"), "UnresolvedHost"),
        (
            "predictions in another region",
            predict("https://realtime.machinelearning.us-east-1.amazonaws.com"),
            "UnresolvedHost",
        ),
        (
            "predictions behind a user",
            predict("https://realtime.machinelearning.eu-central-1.amazonaws.com@evil.example"),
            "UnresolvedHost",
        ),
        (
            "an EventBridge endpoint",
            {
                Request::new("events")
                    .header("x-amz-target", "AWSEvents.PutEvents")
                    .body("{\"Entries\":[],\"EndpointId\":\"a.b\"}")
            },
            "UnresolvedHost",
        ),
    ]
}

#[test]
fn each_attack_is_refused_with_its_own_reason() {
    let tables = [
        operations(),
        paths(),
        queries_and_headers(),
        hosts(),
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

#[test]
fn regions_stay_within_their_partition() {
    use countersign_catalogue::{Catalogue, Place, WireRequest};
    let headers = vec![("x-amz-target".to_owned(), "DynamoDB_20120810.ListTables".to_owned())];
    for (partition, region, fits) in [
        ("aws", "eu-central-1", true),
        ("aws", "eu-nowhere-9", true),
        ("aws", "cn-north-1", false),
        ("aws", "us-gov-west-1", false),
        ("aws-cn", "cn-north-1", true),
        ("aws-us-gov", "us-gov-west-1", true),
        ("aws", "", false),
        ("aws", "eu-central-1.evil.example", false),
        ("aws", "eu-central-1/", false),
        ("aws", "EU-CENTRAL-1", false),
        ("nonesuch", "eu-central-1", false),
    ] {
        let request = WireRequest {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: bytes::Bytes::from_static(b"{}"),
            signing_name: "dynamodb",
            signing_region: region,
            host_prefix: "",
            from_chunked: false,
            body_is_signed: true,
            endpoint: Endpoint::Any,
        };
        let found = Catalogue::embedded().understand(&request, &Place { partition: partition.to_owned() });
        assert_eq!(found.is_ok(), fits, "{partition} {region}: {found:?}");
        if let Ok(found) = found {
            assert!(found.upstream.host.ends_with(if partition == "aws-cn" {
                ".amazonaws.com.cn"
            } else {
                ".amazonaws.com"
            }));
        }
    }
}
