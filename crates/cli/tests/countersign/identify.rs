//! `countersign identify`, on requests that real clients made for AWS's own hosts.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
};

use serde_json::Value as Json;

use super::{countersign, run, stderr, stdout};

/// One request of each protocol and of each kind that the gateway refuses, taken from botocore.
const REQUESTS: &str = include_str!("data/requests.jsonl");

fn answers(arguments: &[&str], input: &str) -> Vec<Json> {
    let output = run(arguments, input);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn answer(line: &str) -> Json {
    let mut all = answers(&["identify"], line);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn signed(service: &str, region: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260304/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

#[test]
fn requests_of_every_protocol_are_identified() {
    let all = answers(&["identify"], REQUESTS);
    assert_eq!(all.len(), REQUESTS.lines().count());
    let pretty = all.iter().fold(String::new(), |mut text, one| {
        // Writing to a text does not fail.
        let _ = writeln!(text, "{one:#}");
        text
    });
    insta::assert_snapshot!("identified", pretty);
    let mut protocols: Vec<&str> = all.iter().filter_map(|one| one["protocol"].as_str()).collect();
    protocols.sort_unstable();
    protocols.dedup();
    assert_eq!(protocols, ["ec2", "json", "query", "rest-json", "rest-xml", "rpc-v2-cbor"]);
}

#[test]
fn the_table_reads_well() {
    let output = run(&["identify", "--table"], REQUESTS);
    insta::assert_snapshot!("table", stdout(&output));
}

#[test]
fn it_says_that_signatures_are_not_verified() {
    let output = run(&["identify"], "");
    assert_eq!(stderr(&output).matches("signatures are not verified").count(), 1);
    assert!(output.stdout.is_empty());
}

#[test]
fn account_and_partition_are_those_asked_for() {
    let line = REQUESTS.lines().next().unwrap();
    let all = answers(&["identify", "--account", "999999999999", "--partition", "aws-cn"], line);
    assert_eq!(all[0]["upstream"], Json::Null, "eu-central-1 is not in China");
    assert_eq!(all[0]["operation"], "PutItem");
    assert!(all[0]["problem"].as_str().unwrap().starts_with("UnknownRegion: "), "{}", all[0]["problem"]);
    let all = answers(&["identify", "--account", "999999999999"], line);
    assert_eq!(all[0]["actions"][0]["resource"], "arn:aws:dynamodb:eu-central-1:999999999999:table/t");
}

#[test]
fn buckets_are_found_below_the_base_hosts() {
    let line = serde_json::json!({
        "method": "GET", "url": "http://my.bucket.s3.test:4566/a/b", "headers": { "authorization": signed("s3", "us-east-1") },
    })
    .to_string();
    let plain = answer(&line);
    assert_eq!((&plain["params"]["Bucket"], &plain["params"]["Key"]), (&Json::from("a"), &Json::from("b")));
    let below = answers(&["identify", "--base-host", "other.test", "--base-host", "s3.test"], &line);
    assert_eq!(below[0]["params"]["Bucket"], "my.bucket");
    assert_eq!(below[0]["params"]["Key"], "a/b");
}

#[test]
fn the_endpoint_of_a_service_tells_what_the_bytes_do_not() {
    let line = |url: &str| {
        let headers = serde_json::json!({ "authorization": signed("chime", "us-east-1") });
        serde_json::json!({ "method": "GET", "url": url, "headers": headers }).to_string()
    };
    let seen = |url: &str| {
        let all = answers(&["identify", "--base-host", "gateway.test"], &line(url));
        let host = all[0]["upstream"]["host"].as_str().unwrap_or_default().to_owned();
        let problem = all[0]["problem"].as_str().unwrap_or_default().split(':').next().unwrap_or_default().to_owned();
        (all[0]["service"].as_str().unwrap_or_default().to_owned(), host, problem, all[0]["aliases"].to_string())
    };
    let (_, _, problem, aliases) = seen("https://gateway.test/settings");
    assert_eq!((problem.as_str(), aliases.contains("GetGlobalSettings")), ("Ambiguous", true));
    for (service, host) in
        [("chime", "chime.us-east-1.amazonaws.com"), ("chime-sdk-voice", "voice-chime.us-east-1.amazonaws.com")]
    {
        let found = seen(&format!("https://gateway.test/_/as/{service}/settings"));
        assert_eq!(found, (service.to_owned(), host.to_owned(), String::new(), "[]".to_owned()));
    }
    for (url, problem) in [
        ("https://gateway.test/_/as/dynamodb/settings", "OtherEndpoint"),
        ("https://gateway.test/_/as/nonesuch/settings", "UnknownEndpoint"),
        ("https://gateway.test/_/as/CHIME/settings", "UnknownOperation"),
        ("https://label.gateway.test/_/as/chime/settings", "UnknownOperation"),
        ("https://chime.us-east-1.amazonaws.com/_/as/chime/settings", "UnknownOperation"),
    ] {
        assert_eq!(seen(url).2, problem, "{url}");
    }
    let object = "https://gateway.test/_/as/s3/bucket/_/as/key";
    let of_s3 = serde_json::json!({ "method": "GET", "url": object, "headers": { "authorization": signed("s3", "us-east-1") } });
    assert_eq!(answer(&of_s3.to_string())["params"], serde_json::json!({ "Bucket": "bucket", "Key": "_/as/key" }));
    // A bucket's name in front of the host: the rest is a key.
    let below = of_s3.to_string().replace("gateway.test", "my-bucket.gateway.test");
    let below = answers(&["identify", "--base-host", "gateway.test"], &below);
    assert_eq!(below[0]["params"], serde_json::json!({ "Bucket": "my-bucket", "Key": "_/as/s3/bucket/_/as/key" }));
}

#[test]
fn what_cannot_be_read_gets_a_problem_and_the_next_line_is_read() {
    let good = REQUESTS.lines().next().unwrap();
    let long = format!("{{\"method\":\"GET\",\"url\":\"/{}\"}}", "x".repeat(33 * 1024 * 1024));
    let input = format!("[]\n{good}\n\u{0}\n{long}\n{{\"method\":\"GET\"}}\n\n{good}");
    let all = answers(&["identify"], &input);
    let problems: Vec<_> =
        all.iter().map(|one| one["problem"].as_str().map(|text| text.split(':').next().unwrap())).collect();
    let unreadable = Some("UnreadableLine");
    assert_eq!(problems, [unreadable, None, unreadable, unreadable, unreadable, None]);
    assert!(all[3]["problem"].as_str().unwrap().contains("longer than"));
    for one in &all {
        assert_eq!(one.as_object().unwrap().len(), 10, "every answer has the same members");
    }
}

#[test]
fn each_answer_comes_before_the_next_question() {
    let mut child = countersign(&["identify"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in REQUESTS.lines().take(3) {
        writeln!(stdin, "{line}").unwrap();
        let answer: Json = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert!(answer["operation"].is_string());
    }
    drop(stdin);
    assert!(answers.next().is_none());
    assert!(child.wait().unwrap().success());
}

#[test]
fn big_numbers_and_odd_floats_keep_their_value() {
    let body =
        r#"{"TableName":"t","ProvisionedThroughput":{"ReadCapacityUnits":9223372036854775807,"WriteCapacityUnits":1}}"#;
    let line = serde_json::json!({
        "method": "POST", "url": "http://127.0.0.1/", "body_b64": base64(body),
        "headers": {
            "X-Amz-Target": "DynamoDB_20120810.UpdateTable", "Content-Type": "application/x-amz-json-1.0",
            "Authorization": signed("dynamodb", "eu-central-1"),
        },
    });
    let output = run(&["identify"], &line.to_string());
    assert!(stdout(&output).contains(r#""ReadCapacityUnits":9223372036854775807"#), "{}", stdout(&output));
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
