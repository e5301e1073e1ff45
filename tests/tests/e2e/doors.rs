//! The two kinds of agents' door, and what a stack leaves behind.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, ensure};
use countersign_tests::{agent::Agent, runtime::Function, stack::Stack};
use serde_json::{Value as Json, json};

use super::{
    Test,
    stage::{bucket, fresh, upstream},
};

pub(crate) const TESTS: &[Test] = &[
    ("a path that the door lost is refused with the name of the other door", lost_path),
    ("a bucket in the host name leads to the same object", virtual_host),
    ("the event of a rest api is answered by the gateway's binary, and no header of its own spoils it", rest_api),
    ("queues' urls lead to the gateway, and are understood when they come back", queue_urls),
    ("the function url keeps every path, and a stopped stack leaves no process", function_url),
];

const HELLO: &str = "aGVsbG8=";

fn lost_path(stack: &Stack) -> Result<()> {
    let name = fresh("agent-scratch");
    bucket(stack, &name)?;
    let mut agent = Agent::new(stack, "explorer", "odd-paths")?;
    let put = json!({"Bucket": name, "Key": "what?ever", "Body": {"base64": HELLO}});
    let refused = agent.must_fail("s3", "put_object", put)?;
    ensure!(refused.code == "SignatureDoesNotMatch", "{refused:?}");
    ensure!(refused.message.contains(stack.get("function_url")), "the other door is not named: {refused:?}");
    Ok(())
}

fn virtual_host(stack: &Stack) -> Result<()> {
    let name = fresh("agent-scratch");
    bucket(stack, &name)?;
    let mut agent = Agent::new(stack, "explorer", "by-host-name")?;
    let endpoint = stack.get("gateway").replace("127.0.0.1", "localhost");
    let by_host = |operation: &str, parameters: Json| {
        json!({
            "service": "s3", "operation": operation, "parameters": parameters, "endpoint": endpoint,
            "config": {"s3": {"addressing_style": "virtual"}},
        })
    };
    for key in ["plain", "with space", "_/v1/health"] {
        let put =
            agent.order(&by_host("put_object", json!({"Bucket": name, "Key": key, "Body": {"base64": HELLO}})))?;
        ensure!(put.get("ok").is_some(), "`{key}`: {put}");
        let got = agent.order(&by_host("get_object", json!({"Bucket": name, "Key": key})))?;
        ensure!(got.pointer("/ok/Body/base64").and_then(Json::as_str) == Some(HELLO), "`{key}` came back as {got}");
        upstream(stack, "s3", "head_object", json!({"Bucket": name, "Key": key}))?;
    }
    let mut presign = by_host("get_object", json!({"Bucket": name, "Key": "plain"}));
    if let Some(fields) = presign.as_object_mut() {
        fields.insert("presign".into(), json!(true));
    }
    let url = agent.order(&presign)?;
    ensure!(
        url.pointer("/ok/url").and_then(Json::as_str).is_some_and(|url| url.contains(&format!("//{name}.localhost:"))),
        "the bucket is not in the host name: {url}"
    );
    let listed = agent.must("s3", "list_objects_v2", json!({"Bucket": name}))?;
    ensure!(listed.get("KeyCount") == Some(&json!(3)), "listed: {listed}");
    Ok(())
}

/// The captured event with a signed request in its place: what a REST API makes of it, which decodes path and query
/// and adds headers of its own and of CloudFront.
fn rest_event(url: &str) -> Result<Json> {
    let mut event: Json = serde_json::from_str(include_str!("fixtures/rest-api-event.json"))?;
    let (address, query) = url.split_once('?').context("no query")?;
    let (host, path) =
        address.split_once("://").and_then(|(_, rest)| rest.split_once('/')).context("no path in the url")?;
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        values.entry(decoded(name)).or_default().push(decoded(value));
    }
    let fields = event.as_object_mut().context("the fixture is no object")?;
    let path = format!("/{}", decoded(path));
    fields.insert("path".into(), json!(path));
    fields.insert("httpMethod".into(), json!("GET"));
    fields.insert("body".into(), Json::Null);
    fields.insert(
        "queryStringParameters".into(),
        json!(values.iter().map(|(name, all)| (name, all.last())).collect::<BTreeMap<_, _>>()),
    );
    fields.insert("multiValueQueryStringParameters".into(), json!(values));
    for (headers, value) in [("headers", json!(host)), ("multiValueHeaders", json!([host]))] {
        let headers = fields.get_mut(headers).and_then(Json::as_object_mut).context("no headers")?;
        headers.insert("Host".into(), value);
        headers.remove("Content-Type");
    }
    Ok(event)
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn rest_api(stack: &Stack) -> Result<()> {
    let name = fresh("agent-scratch");
    bucket(stack, &name)?;
    let key = "notes/with space+plus ü";
    upstream(stack, "s3", "put_object", json!({"Bucket": name, "Key": key, "Body": {"base64": HELLO}}))?;
    let mut agent = Agent::new(stack, "explorer", "through-a-rest-api")?;
    // A REST API drops an `Authorization` header that holds a signature; a presigned URL passes.
    let order = json!({"service": "s3", "operation": "get_object", "parameters": {"Bucket": name, "Key": key}, "presign": true});
    let answer = agent.order(&order)?;
    let url = answer.pointer("/ok/url").and_then(Json::as_str).with_context(|| format!("no url: {answer}"))?;
    let gateway = Function::start(stack, "gateway")?;
    let told = gateway.invoke(rest_event(url)?)?;
    ensure!(told.get("statusCode") == Some(&json!(200)) && told.get("body") == Some(&json!("hello")), "{told}");
    let headers = told.get("multiValueHeaders").context("not an answer for a REST API")?;
    ensure!(headers.pointer("/x-content-type-options/0") == Some(&json!("nosniff")), "{told}");
    let other = rest_event(&url.replace("notes", "other"))?;
    let told = gateway.invoke(other)?;
    let body = told.get("body").and_then(Json::as_str).unwrap_or_default();
    ensure!(told.get("statusCode") == Some(&json!(403)) && body.contains("SignatureDoesNotMatch"), "{told}");
    Ok(())
}

fn queue_urls(stack: &Stack) -> Result<()> {
    let name = fresh("agent-scratch");
    let original = upstream(stack, "sqs", "create_queue", json!({"QueueName": name}))?;
    let original = original.get("QueueUrl").and_then(Json::as_str).context("no queue")?.to_owned();
    let mut agent = Agent::new(stack, "explorer", "writes-to-a-queue")?;
    let told = agent.must("sqs", "get_queue_url", json!({"QueueName": name}))?;
    let url = told.get("QueueUrl").and_then(Json::as_str).context("no url")?.to_owned();
    ensure!(url.starts_with(stack.get("gateway")) && url.ends_with(&name), "the url leads elsewhere: {url}");
    let listed = agent.must("sqs", "list_queues", json!({"QueueNamePrefix": name}))?;
    ensure!(listed.pointer("/QueueUrls/0").and_then(Json::as_str) == Some(&url), "{listed}");
    for queue in [&url, &original] {
        agent.must("sqs", "send_message", json!({"QueueUrl": queue, "MessageBody": format!("by way of {queue}")}))?;
    }
    let count = json!({"QueueUrl": original, "AttributeNames": ["ApproximateNumberOfMessages"]});
    let seen = upstream(stack, "sqs", "get_queue_attributes", count)?;
    ensure!(seen.pointer("/Attributes/ApproximateNumberOfMessages") == Some(&json!("2")), "{seen}");
    Ok(())
}

fn function_url(_: &Stack) -> Result<()> {
    let stack = Stack::start(&["--door", "function-url"])?;
    let name = fresh("agent-scratch");
    bucket(&stack, &name)?;
    let mut agent = Agent::new(&stack, "explorer", "odd-paths")?;
    for key in ["a//b", "/front", "back/", "100%", "%2F", "a b+c&d=e"] {
        agent.must("s3", "put_object", json!({"Bucket": name, "Key": key, "Body": {"base64": HELLO}}))?;
        let got = agent.must("s3", "get_object", json!({"Bucket": name, "Key": key}))?;
        ensure!(got.pointer("/Body/base64").and_then(Json::as_str) == Some(HELLO), "`{key}` came back as {got}");
    }
    drop(agent);
    let state = stack.get("state_dir").to_owned();
    stack.stop()?;
    for entry in fs::read_dir("/proc")?.flatten() {
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        ensure!(!String::from_utf8_lossy(&command).contains(&state), "left behind: {}", entry.path().display());
    }
    Ok(())
}
