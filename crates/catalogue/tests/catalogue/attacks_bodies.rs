//! Bodies that two readers may read in two ways, by protocol: each has its own reason.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

use crate::Request;
use crate::attacks::{Attack, nested};

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).and_then(|()| encoder.finish()).expect("in memory")
}

pub(crate) fn json() -> Vec<Attack> {
    let put = |body: &str| Request::dynamodb("PutItem", body);
    let deep = format!("{{\"TableName\":\"a\",\"Item\":{{\"k\":{}}}}}", nested("{\"M\":{\"k\":", "}}", 40_000));
    vec![
        ("key twice", put(r#"{"TableName":"a","TableName":"b"}"#), "DuplicateKey"),
        ("key twice by escapes", put(r#"{"TableName":"a","T\u0061bleName":"b"}"#), "DuplicateKey"),
        ("key twice, the last null", put(r#"{"TableName":"a","TableName":null}"#), "DuplicateKey"),
        ("key twice in a map", put(r#"{"TableName":"a","Item":{"k":{"S":"1"},"k":{"S":"2"}}}"#), "DuplicateKey"),
        (
            "key twice in a document",
            Request::rest("bedrock", "POST", "/model/m/converse")
                .body(r#"{"messages":[],"additionalModelRequestFields":{"a":{"b":1,"b":2}}}"#),
            "DuplicateKey",
        ),
        ("wrong case", put(r#"{"tableName":"a"}"#), "UnknownMember"),
        ("both cases", put(r#"{"TableName":"a","tablename":"b"}"#), "UnknownMember"),
        ("space in the key", put(r#"{"TableName ":"a"}"#), "UnknownMember"),
        ("invisible character in the key", put("{\"Table\u{200b}Name\":\"a\"}"), "UnknownMember"),
        ("letter of another alphabet", put("{\"T\u{0430}bleName\":\"a\"}"), "UnknownMember"),
        ("unknown member", put(r#"{"TableName":"a","Zz":1}"#), "UnknownMember"),
        ("list for a text", put(r#"{"TableName":["a"]}"#), "WrongType"),
        ("number for a text", put(r#"{"TableName":1}"#), "WrongType"),
        ("text for a boolean", put(r#"{"TableName":"a","Item":{"k":{"BOOL":"false"}}}"#), "WrongType"),
        ("fraction for an integer", Request::dynamodb("ListTables", r#"{"Limit":1.5}"#), "WrongType"),
        ("integer beyond 64 bits", Request::dynamodb("ListTables", r#"{"Limit":18446744073709551617}"#), "WrongType"),
        (
            "two members of a union",
            Request::rest("bedrock", "POST", "/model/m/converse")
                .body(r#"{"messages":[{"role":"user","content":[{"text":"a","cachePoint":{"type":"default"}}]}]}"#),
            "WrongType",
        ),
        ("broken base64", put(r#"{"TableName":"a","Item":{"k":{"B":"*"}}}"#), "WrongType"),
        ("a second value", put(r#"{"TableName":"a"} {}"#), "Malformed"),
        ("array around", put(r#"[{"TableName":"a"}]"#), "WrongType"),
        ("comment", put(r#"{"TableName":"a"/**/}"#), "Malformed"),
        ("comma at the end", put(r#"{"TableName":"a",}"#), "Malformed"),
        ("leading zero", Request::dynamodb("ListTables", r#"{"Limit":01}"#), "Malformed"),
        ("plus sign", Request::dynamodb("ListTables", r#"{"Limit":+1}"#), "WrongType"),
        ("not a number", Request::dynamodb("ListTables", r#"{"Limit":NaN}"#), "WrongType"),
        ("single quotes", put("{'TableName':'a'}"), "Malformed"),
        ("lone surrogate", put(r#"{"TableName":"\ud800"}"#), "Malformed"),
        ("surrogates in the wrong order", put(r#"{"TableName":"\udc00\ud800"}"#), "Malformed"),
        ("control character", put("{\"TableName\":\"a\nb\"}"), "Malformed"),
        ("byte order mark", put("\u{feff}{\"TableName\":\"a\"}"), "WrongType"),
        ("not UTF-8", put("").body(b"{\"TableName\":\"\xff\"}".to_vec()), "BadText"),
        ("overlong UTF-8", put("").body(b"{\"TableName\":\"\xc0\xaf\"}".to_vec()), "BadText"),
        ("UTF-16", put("").body(b"\xff\xfe{\0}\0".to_vec()), "BadText"),
        ("cut off", put(r#"{"TableName":"a"#), "Malformed"),
        ("nesting bomb", put(&deep), "TooDeep"),
        ("unopened nesting bomb", put(&"[".repeat(1_000_000)), "WrongType"),
    ]
}

pub(crate) fn forms() -> Vec<Attack> {
    let user = |rest: &str| Request::form("iam", &format!("Action=GetUser&Version=2010-05-08{rest}"));
    let instances = |rest: &str| Request::form("ec2", &format!("Action=DescribeInstances&Version=2016-11-15{rest}"));
    vec![
        ("action twice", user("&Action=DeleteUser"), "DuplicateKey"),
        ("action twice by escapes", user("&%41ction=DeleteUser"), "DuplicateKey"),
        ("version twice", user("&Version=2010-05-08"), "DuplicateKey"),
        ("action in another case", user("&action=DeleteUser"), "UnknownMember"),
        ("action in query and body", user("").query("Action=DeleteUser"), "Contradiction"),
        (
            "action in the query, members in the body",
            { Request::form("iam", "UserName=a").query("Action=DeleteUser&Version=2010-05-08") },
            "UnknownOperation",
        ),
        ("members in the query, action in the body", user("").query("UserName=a"), "UndeclaredQueryKey"),
        ("wrong version", Request::form("iam", "Action=GetUser&Version=2011-05-08"), "UnknownOperation"),
        ("no version", Request::form("iam", "Action=GetUser"), "UnknownOperation"),
        ("a name with a space", Request::form("iam", "Action=GetUser+&Version=2010-05-08"), "UnknownOperation"),
        ("member twice", user("&UserName=a&User%4eame=b"), "DuplicateKey"),
        ("unknown member", user("&Username=a"), "UnknownMember"),
        ("semicolons between members", user(";UserName=a"), "UnknownOperation"),
        ("a text with members", user("&UserName.1=a"), "UnknownMember"),
        ("list with a gap", instances("&InstanceId.1=i-1&InstanceId.3=i-2"), "WrongType"),
        ("list from zero", instances("&InstanceId.0=i-1"), "UnknownMember"),
        ("list number with a zero", instances("&InstanceId.01=i-1"), "UnknownMember"),
        ("list of a huge place", instances("&InstanceId.4294967297=i-1"), "WrongType"),
        ("list in the other dialect", instances("&InstanceId.member.1=i-1"), "UnknownMember"),
        ("deep key", user(&format!("&UserName{}=x", ".a".repeat(5000))), "TooDeep"),
        ("broken escape", user("&UserName=%zz"), "BadText"),
        ("not UTF-8", user("&UserName=%ff"), "BadText"),
        ("raw bytes", user("").body(b"Action=GetUser&Version=2010-05-08&UserName=\xff".to_vec()), "BadText"),
        (
            "a form with a target",
            {
                Request::dynamodb("PutItem", "Action=DeleteTable")
                    .header("content-type", "application/x-www-form-urlencoded")
            },
            "WrongContentType",
        ),
    ]
}

pub(crate) fn xml() -> Vec<Attack> {
    let tagging = |body: &str| Request::rest("s3", "PUT", "/b").query("tagging").body(body);
    let lol = "<!DOCTYPE l [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;\">]><Tagging>&b;</Tagging>";
    vec![
        ("document type", tagging("<!DOCTYPE a [<!ENTITY b \"c\">]><Tagging/>"), "Malformed"),
        ("entity bomb", tagging(lol), "Malformed"),
        ("external entity", tagging("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><Tagging/>"), "Malformed"),
        ("unknown entity", tagging("<Tagging>&b;</Tagging>"), "Malformed"),
        ("reference to no character", tagging("<Tagging>&#0;</Tagging>"), "Malformed"),
        ("another root", tagging("<Tags/>"), "UnknownMember"),
        ("wrong case", tagging("<tagging/>"), "UnknownMember"),
        ("unknown element", tagging("<Tagging><Zz/></Tagging>"), "UnknownMember"),
        ("element twice", tagging("<Tagging><TagSet/><TagSet/></Tagging>"), "DuplicateKey"),
        (
            "element twice by a prefix",
            tagging("<Tagging xmlns:a=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet/><a:TagSet/></Tagging>"),
            "DuplicateKey",
        ),
        ("text between elements", tagging("<Tagging>x<TagSet/></Tagging>"), "WrongType"),
        ("a second root", tagging("<Tagging/><Tagging/>"), "Malformed"),
        ("wrong end", tagging("<Tagging></Tags>"), "Malformed"),
        ("no end", tagging("<Tagging>"), "Malformed"),
        ("attribute twice", tagging("<Tagging a=\"1\" a=\"2\"/>"), "DuplicateKey"),
        ("not UTF-8", tagging("").body(b"<Tagging>\xff</Tagging>".to_vec()), "BadText"),
        ("nesting bomb", tagging(&nested("<Tagging>", "</Tagging>", 40_000)), "TooDeep"),
    ]
}

pub(crate) fn cbor() -> Vec<Attack> {
    let put = |body: &[u8]| Request {
        path: "/service/GraniteServiceVersion20100801/operation/PutMetricData".to_owned(),
        ..Request::new("monitoring").header("smithy-protocol", "rpc-v2-cbor").body(body)
    };
    let bomb = [b"\xa1\x6aMetricData".to_vec(), vec![0x81; 100_000]].concat();
    vec![
        ("key twice", put(b"\xa2\x69Namespace\x61a\x69Namespace\x61b"), "DuplicateKey"),
        ("wrong case", put(b"\xa1\x69namespace\x61a"), "UnknownMember"),
        ("number for a key", put(b"\xa1\x01\x61a"), "WrongType"),
        ("bytes for a text", put(b"\xa1\x69Namespace\x41a"), "WrongType"),
        ("a list of 2^60", put(b"\xa1\x6aMetricData\x9b\x10\0\0\0\0\0\0\0"), "Malformed"),
        ("a text of 2^60", put(b"\xa1\x69Namespace\x7b\x10\0\0\0\0\0\0\0"), "Malformed"),
        ("bytes after the end", put(b"\xa1\x69Namespace\x61a\x00"), "Malformed"),
        ("cut off", put(b"\xa1\x69Namespace"), "Malformed"),
        ("break without begin", put(b"\xff"), "WrongType"),
        ("not UTF-8", put(b"\xa1\x69Namespace\x61\xff"), "BadText"),
        ("not a map", put(b"\x81\x01"), "WrongType"),
        ("nesting bomb where nothing nests", put(&bomb), "WrongType"),
    ]
}

pub(crate) fn compressed() -> Vec<Attack> {
    let put = |body: Vec<u8>| Request::form("monitoring", "").header("content-encoding", "gzip").body(body);
    let form = b"Action=PutMetricData&Version=2010-08-01&Namespace=n";
    let zeroes = gzip(&vec![b'a'; 64 << 20]);
    assert!(zeroes.len() < 100_000, "a small request of a large body");
    let json = |body: Vec<u8>| {
        let target = ("x-amz-target", "GraniteServiceVersion20100801.PutMetricData");
        Request::new("monitoring").header(target.0, target.1).header("content-encoding", "gzip").body(body)
    };
    vec![
        ("decompression bomb", json(zeroes), "TooLarge"),
        ("not gzip", json(b"{}".to_vec()), "Malformed"),
        ("cut off", json(gzip(form).split_at(20).0.to_vec()), "Malformed"),
        ("a second member", json([gzip(b"{}"), gzip(b"{}")].concat()), "Malformed"),
        ("bytes after the end", json([gzip(b"{}"), b"x".to_vec()].concat()), "Malformed"),
        ("gzip twice", json(gzip(&gzip(b"{}"))), "BadText"),
        ("a form, which is read before", put(gzip(form)), "BadText"),
        ("another coding", json(gzip(b"{}")).header("content-encoding", "br"), "DuplicateHeader"),
        (
            "where nobody compresses",
            { Request::dynamodb("PutItem", "").header("content-encoding", "gzip").body(gzip(b"{}")) },
            "ContentEncoding",
        ),
    ]
}
