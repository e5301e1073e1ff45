//! What an attacker may send to be taken for something milder: each has its own reason.

use crate::Request;

fn nested(open: &str, close: &str, levels: usize) -> String {
    format!("{}{}", open.repeat(levels), close.repeat(levels))
}

#[test]
fn each_attack_is_refused_with_its_own_reason() {
    let put = |body: &str| Request::dynamodb("PutItem", body);
    let key = "{\"TableName\":\"t\",\"Key\":{\"k\":{\"S\":\"v\"}}}";
    let attacks = [
        // Two readers, two meanings.
        ("key twice", put("{\"TableName\":\"a\",\"TableName\":\"b\"}"), "DuplicateKey"),
        ("key twice by escapes", put("{\"TableName\":\"a\",\"T\\u0061bleName\":\"b\"}"), "DuplicateKey"),
        (
            "map key twice",
            put("{\"TableName\":\"a\",\"Item\":{\"k\":{\"S\":\"1\"},\"k\":{\"S\":\"2\"}}}"),
            "DuplicateKey",
        ),
        ("wrong case", put("{\"tableName\":\"a\"}"), "UnknownMember"),
        ("unknown member", put("{\"TableName\":\"a\",\"Zz\":1}"), "UnknownMember"),
        ("wrong type", put("{\"TableName\":[\"a\"]}"), "WrongType"),
        ("trailing data", put("{\"TableName\":\"a\"} {}"), "Malformed"),
        ("comment", put("{\"TableName\":\"a\"/**/}"), "Malformed"),
        ("trailing comma", put("{\"TableName\":\"a\",}"), "Malformed"),
        ("leading zero", put("{\"TableName\":\"a\",\"Item\":{\"k\":{\"N\":\"1\"}},\"ReturnValues\":01}"), "WrongType"),
        ("lone surrogate", put("{\"TableName\":\"\\ud800\"}"), "Malformed"),
        ("control character", put("{\"TableName\":\"a\nb\"}"), "Malformed"),
        ("not UTF-8", Request::dynamodb("PutItem", "").body(b"{\"TableName\":\"\xff\"}".to_vec()), "BadText"),
        (
            "nesting bomb",
            put(&format!("{{\"TableName\":\"a\",\"Item\":{{\"k\":{}}}}}", nested("{\"M\":{\"k\":", "}}", 40_000))),
            "TooDeep",
        ),
        // Which operation.
        ("unknown operation", Request::dynamodb("PutItems", "{}"), "UnknownOperation"),
        ("operation in another case", Request::dynamodb("putItem", "{}"), "UnknownOperation"),
        (
            "another service's target",
            Request::new("dynamodb").header("x-amz-target", "AWSLambda.Invoke"),
            "UnknownOperation",
        ),
        ("no target", Request::new("dynamodb").body("{}"), "UnknownOperation"),
        ("two targets", put("{}").header("x-amz-target", "DynamoDB_20120810.GetItem"), "DuplicateHeader"),
        ("two protocols", put("{}").header("smithy-protocol", "rpc-v2-cbor"), "Contradiction"),
        ("unknown service", Request::new("nonesuch"), "UnknownService"),
        ("target with a query", put("{}").query("Action=DeleteTable"), "UndeclaredQueryKey"),
        ("target on another path", Request { path: "/x".to_owned(), ..put("{}") }, "UnknownOperation"),
        ("undeclared header", put("{}").header("x-amz-copy-source", "b/k"), "UndeclaredHeader"),
        ("chunk header without chunks", put("{}").header("x-amz-decoded-content-length", "2"), "UndeclaredHeader"),
        ("chunk encoding without chunks", put("{}").header("content-encoding", "aws-chunked"), "ContentEncoding"),
        ("compressed", put("\x1f").header("content-encoding", "gzip"), "ContentEncoding"),
        // Forms.
        ("action twice", Request::form("iam", "Action=GetUser&Version=2010-05-08&Action=DeleteUser"), "DuplicateKey"),
        (
            "action in query and body",
            Request::form("iam", "Action=GetUser&Version=2010-05-08").query("Action=DeleteUser"),
            "Contradiction",
        ),
        ("wrong version", Request::form("iam", "Action=GetUser&Version=2011-05-08"), "UnknownOperation"),
        ("no version", Request::form("iam", "Action=GetUser"), "UnknownOperation"),
        (
            "form member twice",
            Request::form("iam", "Action=GetUser&Version=2010-05-08&UserName=a&User%4eame=b"),
            "DuplicateKey",
        ),
        ("unknown form member", Request::form("iam", "Action=GetUser&Version=2010-05-08&Username=a"), "UnknownMember"),
        (
            "list with a gap",
            Request::form("ec2", "Action=DescribeInstances&Version=2016-11-15&InstanceId.1=i-1&InstanceId.3=i-2"),
            "WrongType",
        ),
        (
            "list number in another form",
            Request::form("ec2", "Action=DescribeInstances&Version=2016-11-15&InstanceId.01=i-1"),
            "UnknownMember",
        ),
        (
            "deep form key",
            Request::form("iam", &format!("Action=GetUser&Version=2010-05-08&UserName{}=x", ".a".repeat(5000))),
            "TooDeep",
        ),
        ("broken escape", Request::form("iam", "Action=GetUser&Version=2010-05-08&UserName=%zz"), "BadText"),
        // Paths.
        ("empty segment", Request::rest("lambda", "GET", "/2015-03-31//functions/"), "UnknownOperation"),
        ("empty label", Request::rest("lambda", "GET", "/2015-03-31/functions//configuration"), "UnknownOperation"),
        ("dot segment", Request::rest("lambda", "GET", "/2015-03-31/functions/.."), "BadTarget"),
        ("encoded dot segment", Request::rest("lambda", "GET", "/2015-03-31/functions/%2e%2e"), "BadTarget"),
        ("trailing slash", Request::rest("lambda", "GET", "/2015-03-31/functions/f/"), "UnknownOperation"),
        ("broken path escape", Request::rest("lambda", "GET", "/2015-03-31/functions/%zz"), "BadTarget"),
        ("path not UTF-8", Request::rest("s3", "GET", "/b/%ff"), "BadTarget"),
        ("bucket is a dot segment", Request::rest("s3", "GET", "/../k"), "BadTarget"),
        ("method", Request::rest("lambda", "TRACE", "/2015-03-31/functions/f"), "UnknownOperation"),
        // Queries.
        ("undeclared query key", Request::rest("s3", "GET", "/b/k").query("x-nonesuch=1"), "UndeclaredQueryKey"),
        ("two subresources", Request::rest("s3", "GET", "/b/k").query("acl&tagging"), "UndeclaredQueryKey"),
        ("another operation's x-id", Request::rest("s3", "GET", "/b/k").query("x-id=PutObject"), "UndeclaredQueryKey"),
        ("query key twice", Request::rest("s3", "GET", "/b/k").query("versionId=1&versionId=2"), "DuplicateKey"),
        ("plus in the query", Request::rest("s3", "GET", "/b").query("prefix=a+b"), "BadTarget"),
        // S3's headers make other operations.
        (
            "copy on a part of nothing",
            Request::rest("s3", "PUT", "/b").header("x-amz-copy-source", "a/b"),
            "UndeclaredHeader",
        ),
        (
            "header twice",
            Request::rest("s3", "PUT", "/b/k").header("x-amz-acl", "private").header("x-amz-acl", "public-read"),
            "DuplicateHeader",
        ),
        (
            "an ARN for a bucket",
            Request::rest("s3", "GET", "/arn%3Aaws%3As3%3A%3A1%3Aaccesspoint%2Fa/k"),
            "UnresolvedHost",
        ),
        ("a slash in the bucket", Request::rest("s3", "GET", "/a%2Fb/k"), "WrongType"),
        ("directory bucket", Request::rest("s3", "GET", "/b--euc1-az1--x-s3/k"), "UnresolvedHost"),
        // XML.
        (
            "document type",
            Request::rest("s3", "PUT", "/b").query("tagging").body("<!DOCTYPE a [<!ENTITY b \"c\">]><Tagging/>"),
            "Malformed",
        ),
        (
            "unknown entity",
            Request::rest("s3", "PUT", "/b").query("tagging").body("<Tagging>&b;</Tagging>"),
            "Malformed",
        ),
        ("another root", Request::rest("s3", "PUT", "/b").query("tagging").body("<Tags/>"), "UnknownMember"),
        (
            "nesting in XML",
            Request::rest("s3", "PUT", "/b").query("tagging").body(nested("<Tagging>", "</Tagging>", 40_000)),
            "TooDeep",
        ),
        // Hosts.
        (
            "prefix of another host",
            Request { host_prefix: "evil", ..Request::dynamodb("GetItem", key) },
            "WrongHostPrefix",
        ),
        (
            "account that is no label",
            Request::rest("s3", "GET", "/v20180820/jobs").header("x-amz-account-id", "evil.example/"),
            "BadHostLabel",
        ),
        (
            "event stream",
            Request::rest("bedrock", "POST", "/model/m/invoke-with-bidirectional-stream"),
            "EventStreamInput",
        ),
    ];
    for (name, request, reason) in attacks {
        match request.understand() {
            Err(refusal) => {
                assert_eq!(refusal.reason(), reason, "{name}: {refusal}");
                assert!(refusal.message().len() < 600, "{name}: {}", refusal.message().len());
            }
            Ok(understood) => panic!("{name}: understood as {}:{}", understood.service, understood.operation),
        }
    }
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
