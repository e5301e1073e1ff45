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
    let metric = |datum: &str| {
        let target = ("x-amz-target", "GraniteServiceVersion20100801.PutMetricData");
        let body = format!("{{\"Namespace\":\"n\",\"MetricData\":[{datum}]}}");
        Request::new("monitoring").header(target.0, target.1).body(body)
    };
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
        ("base64 for URLs", put(r#"{"TableName":"a","Item":{"k":{"B":"-_-_"}}}"#), "WrongType"),
        ("base64 without padding", put(r#"{"TableName":"a","Item":{"k":{"B":"AA"}}}"#), "WrongType"),
        ("base64 with bits to spare", put(r#"{"TableName":"a","Item":{"k":{"B":"AB=="}}}"#), "WrongType"),
        ("base64 on two lines", put("{\"TableName\":\"a\",\"Item\":{\"k\":{\"B\":\"AAAA\\nAAAA\"}}}"), "WrongType"),
        ("a type beside the members", put(r#"{"__type":"PutItemInput","TableName":"a"}"#), "UnknownMember"),
        (
            "a deep key of long names",
            put(&format!(
                "{{\"TableName\":\"a\",\"Item\":{}{{\"Zz\":1}}{}}}",
                format!("{{\"{}\":{{\"M\":", "k".repeat(100)).repeat(12),
                "}}".repeat(12)
            )),
            "WrongType",
        ),
        ("an empty key", put(r#"{"":"a"}"#), "UnknownMember"),
        ("a key with a null character", put(r#"{"TableName\u0000":"a"}"#), "UnknownMember"),
        ("only null", put("null"), "WrongType"),
        ("a float for an integer", Request::dynamodb("ListTables", r#"{"Limit":1.0}"#), "WrongType"),
        ("an exponent for an integer", Request::dynamodb("ListTables", r#"{"Limit":1e2}"#), "WrongType"),
        ("a negative zero", Request::dynamodb("ListTables", r#"{"Limit":-0}"#), "WrongType"),
        ("a text for an integer", Request::dynamodb("ListTables", r#"{"Limit":"1"}"#), "WrongType"),
        ("a boolean for an integer", Request::dynamodb("ListTables", r#"{"Limit":true}"#), "WrongType"),
        ("a number beyond doubles", metric(r#"{"Value":1e400}"#), "WrongType"),
        ("infinity by another name", metric(r#"{"Value":"inf"}"#), "WrongType"),
        ("not a number by another name", metric(r#"{"Value":"nan"}"#), "WrongType"),
        ("a moment as text", metric(r#"{"Timestamp":"2026-11-01T00:00:00Z"}"#), "WrongType"),
        ("a moment beyond years", metric(r#"{"Timestamp":1e30}"#), "WrongType"),
        (
            "a million values",
            put(&format!("{{\"TableName\":\"a\",\"Item\":{{\"k\":{{\"L\":[{}{{}}]}}}}}}", "{},".repeat(1_000_000))),
            "TooLarge",
        ),
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
    let tags = |rest: &str| Request::form("iam", &format!("Action=TagUser&Version=2010-05-08&UserName=a{rest}"));
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
        ("list of a place beyond 64 bits", instances("&InstanceId.18446744073709551617=i-1"), "UnknownMember"),
        ("list numbered in other digits", instances("&InstanceId.%D9%A1=i-1"), "UnknownMember"),
        ("list number with a space", instances("&InstanceId.1%20=i-1"), "UnknownMember"),
        ("list number with a sign", instances("&InstanceId.%2B1=i-1"), "UnknownMember"),
        ("list and text at once", instances("&InstanceId=i-1&InstanceId.1=i-2"), "WrongType"),
        ("list place twice by escapes", instances("&InstanceId.1=i-1&InstanceId%2E1=i-2"), "DuplicateKey"),
        ("a text with parts in a list", instances("&InstanceId.1.Name=i-1"), "UnknownMember"),
        ("list wrapped twice", tags("&Tags.member.member.1.Key=k"), "UnknownMember"),
        ("list without its wrapper", tags("&Tags.1.Key=k"), "UnknownMember"),
        ("list with and without its wrapper", tags("&Tags.member.1.Key=k&Tags.1.Key=j"), "UnknownMember"),
        ("map in a list's wrapper", tags("&Tags.entry.1.key=k"), "UnknownMember"),
        ("empty list and items", tags("&Tags.member.1.Key=k&Tags="), "WrongType"),
        ("an older signature's members", user("&SignatureVersion=2&AWSAccessKeyId=A&Signature=s"), "UnknownMember"),
        (
            "action with a null character",
            Request::form("iam", "Action=GetUser%00&Version=2010-05-08"),
            "UnknownOperation",
        ),
        (
            "action in another case of a value",
            Request::form("iam", "Action=getuser&Version=2010-05-08"),
            "UnknownOperation",
        ),
        ("another service's action", Request::form("iam", "Action=AssumeRole&Version=2011-06-15"), "UnknownOperation"),
        ("members in the path of a form", Request { path: "/DeleteUser".to_owned(), ..user("") }, "UnknownOperation"),
        ("a form by another method", Request { method: "PUT", ..user("") }, "UnknownOperation"),
        ("a form in the body of a GET", Request { method: "GET", ..user("") }, "UnknownOperation"),
        ("fifty thousand members", user(&"&a=".repeat(50_001)), "TooLarge"),
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
        ("processing instruction", tagging("<Tagging><?php x?></Tagging>"), "Malformed"),
        ("instruction before the root", tagging("<?xml-stylesheet href=\"x\"?><Tagging/>"), "Malformed"),
        ("comment", tagging("<Tagging><!-- <TagSet/> --></Tagging>"), "Malformed"),
        ("comment before the root", tagging("<!-- a --><Tagging/>"), "Malformed"),
        ("entity of letters", tagging("<Tagging>&nbsp;</Tagging>"), "Malformed"),
        ("a surrogate as a reference", tagging("<Tagging>&#xd800;</Tagging>"), "Malformed"),
        ("UTF-16", tagging("").body(b"\xff\xfe<\0T\0".to_vec()), "BadText"),
        ("an attribute", tagging("<Tagging TagSet=\"a\"/>"), "UnknownMember"),
        ("an attribute of XML Schema", tagging("<Tagging xsi:nil=\"true\"/>"), "UnknownMember"),
        ("an attribute that opens an element", tagging("<Tagging xmlns=\"<TagSet/>\"/>"), "Malformed"),
        (
            "a thousand attributes",
            tagging(&format!("<Tagging{}/>", (0..1000).map(|n| format!(" xmlns:a{n}=\"\"")).collect::<String>())),
            "TooLarge",
        ),
        (
            "half a million elements",
            tagging(&format!("<Tagging>{}</Tagging>", "<TagSet/>".repeat(500_000))),
            "TooLarge",
        ),
        (
            "a boolean with a space",
            Request::rest("s3", "POST", "/b").query("delete").body("<Delete><Quiet> true</Quiet></Delete>"),
            "WrongType",
        ),
        (
            "a boolean in capitals",
            Request::rest("s3", "POST", "/b").query("delete").body("<Delete><Quiet>TRUE</Quiet></Delete>"),
            "WrongType",
        ),
        (
            "elements in a text",
            Request::rest("s3", "POST", "/b")
                .query("delete")
                .body("<Delete><Object><Key>a<b/></Key></Object></Delete>"),
            "WrongType",
        ),
        (
            "key twice",
            Request::rest("s3", "POST", "/b")
                .query("delete")
                .body("<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>"),
            "DuplicateKey",
        ),
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
    let datum = |datum: &[u8]| put(&[b"\xa1\x6aMetricData\x81".to_vec(), datum.to_vec()].concat());
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
        ("a tag on a text", put(b"\xa1\x69Namespace\xc0\x61a"), "WrongType"),
        ("a large number", datum(b"\xa1\x65Value\xc2\x49\x01\0\0\0\0\0\0\0\0"), "WrongType"),
        ("a negative number beyond 64 bits", datum(b"\xa1\x65Value\x3b\xff\xff\xff\xff\xff\xff\xff\xff"), "WrongType"),
        ("a float for an integer", datum(b"\xa1\x71StorageResolution\xfb\x3f\xf0\0\0\0\0\0\0"), "WrongType"),
        ("an integer beyond 32 bits", datum(b"\xa1\x71StorageResolution\x1a\xff\xff\xff\xff"), "WrongType"),
        ("a moment without its tag", datum(b"\xa1\x69Timestamp\x1a\x65\0\0\0"), "WrongType"),
        ("a moment with another tag", datum(b"\xa1\x69Timestamp\xc0\x1a\x65\0\0\0"), "WrongType"),
        ("a moment that is none", datum(b"\xa1\x69Timestamp\xc1\xf9\x7e\0"), "WrongType"),
        ("undefined", put(b"\xa1\x69Namespace\xf7"), "WrongType"),
        ("a text of pieces of bytes", put(b"\xa1\x69Namespace\x7f\x41a\xff"), "WrongType"),
        ("a text of pieces without an end", put(b"\xa1\x69Namespace\x7f\x61a"), "Malformed"),
        ("a piece of pieces", put(b"\xa1\x69Namespace\x7f\x7f\x61a\xff\xff"), "Malformed"),
        ("a map without an end", put(b"\xbf\x69Namespace\x61a"), "Malformed"),
        ("a map that is longer than it says", put(b"\xa1\x69Namespace\x61a\x6aMetricData\x80"), "Malformed"),
        ("a reserved length", put(b"\xa1\x7cNamespace\x61a"), "Malformed"),
        ("key twice in pieces", put(b"\xa2\x69Namespace\x61a\x7f\x64Name\x65space\xff\x61b"), "DuplicateKey"),
        (
            "a million values",
            put(&[b"\xa1\x6aMetricData\x9f".to_vec(), vec![0xa0; 1_000_001], vec![0xff]].concat()),
            "TooLarge",
        ),
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
