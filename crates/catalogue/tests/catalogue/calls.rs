//! Calls as clients make them.

use countersign_catalogue::Catalogue;
use countersign_domain::{Protocol, Value};

use crate::Request;

#[test]
fn a_bucket_in_the_host_is_a_bucket_in_the_path() {
    let path = Request::rest("s3", "GET", "/my-bucket/a%20b/c").understand().expect("path style");
    let virtual_host = Request { host_prefix: "my-bucket", ..Request::rest("s3", "GET", "/a%20b/c") }
        .understand()
        .expect("virtual host");
    assert_eq!(path.operation, "GetObject");
    assert_eq!(path.outgoing, virtual_host.outgoing);
    assert_eq!(path.outgoing.path, "/my-bucket/a%20b/c");
    assert_eq!(path.upstream.host, "s3.eu-central-1.amazonaws.com");
    let list = Request { host_prefix: "my-bucket", ..Request::rest("s3", "GET", "/") };
    assert_eq!(list.query("list-type=2&prefix=a%2Fb").understand().expect("list").operation, "ListObjectsV2");
    assert_eq!(Request::rest("s3", "HEAD", "/my-bucket/").understand().expect("head").operation, "HeadBucket");
}

#[test]
fn headers_and_queries_tell_s3_operations_apart() {
    let put = || Request::rest("s3", "PUT", "/b/k");
    for (request, operation) in [
        (put(), "PutObject"),
        (put().header("x-amz-copy-source", "a/b"), "CopyObject"),
        (put().query("partNumber=1&uploadId=u"), "UploadPart"),
        (put().query("partNumber=1&uploadId=u").header("x-amz-copy-source", "a/b"), "UploadPartCopy"),
        (put().query("x-id=PutObject"), "PutObject"),
        (put().query("acl"), "PutObjectAcl"),
    ] {
        assert_eq!(request.understand().expect(operation).operation, operation);
    }
}

#[test]
fn a_slash_at_the_end_does_not_matter_where_it_tells_nothing_apart() {
    let zone = "/2013-04-01/hostedzone/Z1/rrset";
    let change = "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch>\
        <Changes><Change><Action>DELETE</Action><ResourceRecordSet><Name>a</Name><Type>A</Type></ResourceRecordSet></Change>\
        </Changes></ChangeBatch></ChangeResourceRecordSetsRequest>";
    for path in [zone.to_owned(), format!("{zone}/")] {
        let call = Request::rest("route53", "POST", &path).body(change).understand().expect("change");
        assert_eq!(
            (call.operation.as_str(), call.outgoing.path.as_str()),
            ("ChangeResourceRecordSets", &*format!("{zone}/"))
        );
    }
    for path in ["/2015-03-31/functions", "/2015-03-31/functions/"] {
        let call = Request::rest("lambda", "GET", path).understand().expect("list");
        assert_eq!((call.operation.as_str(), call.outgoing.path.as_str()), ("ListFunctions", "/2015-03-31/functions"));
    }
    // Where both are there, each is its own.
    for (path, operation) in [("/", "ListBuckets"), ("/b/k/", "GetObject"), ("/b/k", "GetObject")] {
        let call = Request::rest("s3", "GET", path).understand().expect(operation);
        assert_eq!((call.operation.as_str(), call.outgoing.path.as_str()), (operation, path));
    }
}

#[test]
fn targets_may_leave_out_the_namespace_of_their_service() {
    for prefix in ["CloudTrail_20131101", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"] {
        let request = Request::new("cloudtrail").header("x-amz-target", &format!("{prefix}.StopLogging"));
        let call = request.body(r#"{"Name":"t"}"#).understand().expect("target");
        assert_eq!(call.operation, "StopLogging");
        let target =
            call.outgoing.headers.iter().find(|(name, _)| name == "x-amz-target").map(|(_, value)| value.as_str());
        assert_eq!(target, Some("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.StopLogging"));
    }
    let other = Request::new("cloudtrail").header("x-amz-target", "v20131101.CloudTrail_20131101.StopLogging");
    assert_eq!(other.body("{}").understand().expect_err("other").reason(), "UnknownOperation");
}

#[test]
fn former_signing_names_are_taken_and_not_sent_on() {
    for name in ["iot", "execute-api"] {
        let call = Request::rest(name, "GET", "/things").understand().expect(name);
        assert_eq!((call.service.as_str(), call.operation.as_str()), ("iot", "ListThings"));
        assert_eq!(call.upstream.signing_name, "iot");
    }
}

#[test]
fn booleans_in_headers_may_be_written_as_python_does() {
    for (text, expected) in [("True", true), ("true", true), ("False", false)] {
        let call = Request::rest("s3", "DELETE", "/b/k").header("x-amz-bypass-governance-retention", text);
        let call = call.understand().expect("a boolean");
        assert_eq!(call.parameters.get("BypassGovernanceRetention"), Some(&Value::Bool(expected)));
        let sent = call.outgoing.headers.iter().find(|(name, _)| name == "x-amz-bypass-governance-retention");
        assert_eq!(sent.map(|(_, value)| value.as_str()), Some(if expected { "true" } else { "false" }));
    }
    let odd = Request::rest("s3", "DELETE", "/b/k").header("x-amz-bypass-governance-retention", "TRUE");
    assert_eq!(odd.understand().expect_err("odd").reason(), "WrongType");
}

#[test]
fn global_services_are_signed_for_their_own_region() {
    let call = Request::form("iam", "Action=GetUser&Version=2010-05-08&UserName=a").understand().expect("GetUser");
    assert_eq!(
        (call.upstream.host.as_str(), call.upstream.signing_region.as_str()),
        ("iam.amazonaws.com", "us-east-1")
    );
    assert!(call.aliases.is_empty());
    let databases = Request::form("rds", "Action=DescribeDBInstances&Version=2014-10-31").understand().expect("rds");
    assert_eq!(databases.service, "rds");
    assert_eq!(databases.aliases.len(), 2);
}

#[test]
fn sqs_is_understood_in_its_old_protocol() {
    let body = "Action=SendMessage&Version=2012-11-05&QueueUrl=https%3A%2F%2Fq&MessageBody=hi\
                &MessageAttribute.1.Name=n&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=v";
    let call =
        Request { path: "/123456789012/q".to_owned(), ..Request::form("sqs", body) }.understand().expect("query");
    assert_eq!((call.operation.as_str(), call.protocol), ("SendMessage", Protocol::Query));
    let value = call.parameters.at_path("MessageAttributes{}.StringValue");
    assert_eq!(value, [&Value::Text("v".to_owned())]);
    assert!(String::from_utf8_lossy(&call.outgoing.body).contains("MessageAttribute.1.Value.StringValue=v"));
}

#[test]
fn an_upload_out_of_its_chunks_keeps_its_checksum() {
    let request = Request {
        from_chunked: true,
        ..Request::rest("s3", "PUT", "/b/k")
            .header("content-encoding", "gzip, aws-chunked")
            .header("x-amz-decoded-content-length", "5")
            .header("x-amz-trailer", "x-amz-checksum-crc32")
            .header("x-amz-checksum-crc32", "NhCmhg==")
            .body("hello")
    };
    let call = request.understand().expect("PutObject");
    assert_eq!(call.parameters.get("Body"), Some(&Value::Stream { length: 5 }));
    let sent =
        |name: &str| call.outgoing.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(sent("content-encoding"), Some("gzip"));
    assert_eq!(sent("x-amz-checksum-crc32"), Some("NhCmhg=="));
    assert_eq!(sent("x-amz-trailer"), None);
    assert_eq!(&call.outgoing.body[..], b"hello");
}

#[test]
fn a_body_that_is_written_anew_gets_a_checksum_of_its_own() {
    let body = "<Delete><Object><Key>a&amp;b</Key></Object></Delete>";
    let call = Request::rest("s3", "POST", "/b")
        .query("delete")
        .header("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")
        .header("x-amz-checksum-sha256", "wrong")
        .body(body)
        .understand()
        .expect("DeleteObjects");
    let names: Vec<&str> = call.outgoing.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["x-amz-checksum-crc32"]);
}

#[test]
fn idempotency_tokens_are_found() {
    let call = Request::dynamodb("TransactWriteItems", "{\"TransactItems\":[],\"ClientRequestToken\":\"t-1\"}");
    let call = call.understand().expect("TransactWriteItems");
    assert_eq!(call.idempotency_member.as_deref(), Some("ClientRequestToken"));
    assert_eq!(call.idempotency_token.as_deref(), Some("t-1"));
}

#[test]
fn requests_are_made_from_json_parameters() {
    let catalogue = Catalogue::embedded();
    let made = catalogue
        .serialise_json(
            "s3",
            "PutObjectTagging",
            None,
            br#"{"Bucket":"b","Key":"k/1","Tagging":{"TagSet":[{"Key":"a","Value":"b"}]}}"#,
        )
        .expect("request");
    assert_eq!((made.method.as_str(), made.path.as_str(), made.query.as_str()), ("PUT", "/b/k/1", "tagging"));
    assert_eq!(
        String::from_utf8_lossy(&made.body),
        "<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
    );
    for (parameters, reason) in [
        (&br#"{"Bucket":"b"}"#[..], "MissingMember"),
        (br#"{"Bucket":"b","Key":"k","Nonesuch":1}"#, "UnknownMember"),
        (br#"{"Bucket":1,"Key":"k"}"#, "WrongType"),
        (br#"{"Bucket":"..","Key":"k"}"#, "WrongType"),
    ] {
        let refusal = catalogue.serialise_json("s3", "GetObject", None, parameters).expect_err(reason);
        assert_eq!(refusal.reason(), reason);
    }
}
