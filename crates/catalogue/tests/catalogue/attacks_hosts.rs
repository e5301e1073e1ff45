//! Where a request is sent is never the caller's choice: hosts, accounts in front of them, and regions.

use countersign_catalogue::{Catalogue, Endpoint, Place, WireRequest};

use crate::Request;
use crate::attacks::Attack;

pub(crate) fn hosts() -> Vec<Attack> {
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
fn regions_stay_within_their_partition() {
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
