//! What agents can do: allowed calls pass, denied ones are explained, in their SDK's own words.

use anyhow::{Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_tests::{agent::Agent, approver::fetch, stack::Stack};
use serde_json::{Value as Json, json};

use super::{
    Test,
    stage::{TRUST, bucket as make_bucket, fresh, upstream},
};

pub(crate) const TESTS: &[Test] = &[
    ("s3 objects with odd keys and three megabytes pass in both directions", s3),
    ("dynamodb, sqs, ec2 and iam reads and allowed writes pass", many_services),
    ("the aws cli passes alike", cli),
    ("a denied call raises the sdk's own exception with the reason", denied),
    ("what is not understood is denied and says so", not_understood),
    ("the endpoint of a service says where a call goes that its bytes do not tell", service_endpoints),
    ("without a session nothing passes", unsigned),
    ("the gateway's own endpoints answer", own_endpoints),
];

fn s3(stack: &Stack) -> Result<()> {
    let bucket = fresh("agent-scratch");
    make_bucket(stack, &bucket)?;
    let mut agent = Agent::new(stack, "explorer", "look-around")?;
    let large = STANDARD.encode(vec![0xA5_u8; 3 * 1024 * 1024]);
    let small = STANDARD.encode(b"hello");
    let keys = [
        "plain",
        "with space",
        "a+b",
        "ünï/cødé",
        "deep/er/path",
        "percent%20literal",
        "semi;colon,comma",
        "q=1&r=2",
        "tilde~dash-_.",
        "(paren)'quote'!",
        "@at:colon$dollar",
    ];
    for key in keys {
        agent.must("s3", "put_object", json!({"Bucket": bucket, "Key": key, "Body": {"base64": small}}))?;
        let got = agent.must("s3", "get_object", json!({"Bucket": bucket, "Key": key}))?;
        ensure!(
            got.pointer("/Body/base64").and_then(Json::as_str) == Some(small.as_str()),
            "`{key}` came back as {got}"
        );
        upstream(stack, "s3", "head_object", json!({"Bucket": bucket, "Key": key}))?;
    }
    agent.must("s3", "put_object", json!({"Bucket": bucket, "Key": "large", "Body": {"base64": large}}))?;
    let got = agent.must("s3", "get_object", json!({"Bucket": bucket, "Key": "large"}))?;
    ensure!(got.pointer("/Body/base64").and_then(Json::as_str) == Some(large.as_str()), "3 MB changed on the way");
    let listed = agent.must("s3", "list_objects_v2", json!({"Bucket": bucket}))?;
    ensure!(listed.get("KeyCount") == Some(&json!(keys.len() + 1)), "listed: {listed}");
    Ok(())
}

fn many_services(stack: &Stack) -> Result<()> {
    let table = fresh("agent-scratch");
    let schema = json!({
        "TableName": table, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    });
    upstream(stack, "dynamodb", "create_table", schema)?;
    let queue = upstream(stack, "sqs", "create_queue", json!({"QueueName": fresh("agent-scratch")}))?;
    let mut agent = Agent::new(stack, "explorer", "look-around")?;
    agent.must("dynamodb", "put_item", json!({"TableName": table, "Item": {"id": {"S": "1"}, "n": {"N": "1.50"}}}))?;
    let got = agent.must("dynamodb", "get_item", json!({"TableName": table, "Key": {"id": {"S": "1"}}}))?;
    ensure!(got.pointer("/Item/id/S") == Some(&json!("1")), "got {got}");
    let url = queue.get("QueueUrl").cloned().unwrap_or_default();
    agent.must("sqs", "send_message", json!({"QueueUrl": url, "MessageBody": "hello"}))?;
    agent.must("ec2", "describe_regions", json!({}))?;
    agent.must(
        "ec2",
        "describe_instances",
        json!({"Filters": [{"Name": "instance-state-name", "Values": ["running"]}]}),
    )?;
    agent.must("iam", "list_roles", json!({}))?;
    agent.must("cloudformation", "list_stacks", json!({}))?;
    agent.must("cloudwatch", "list_metrics", json!({}))?;
    agent.must("lambda", "list_event_source_mappings", json!({}))?;
    agent.must("rds", "describe_db_instances", json!({}))?;
    agent.must("kms", "list_keys", json!({}))?;
    agent.must("sns", "list_topics", json!({}))?;
    agent.must("sts", "get_caller_identity", json!({}))?;
    Ok(())
}

fn cli(stack: &Stack) -> Result<()> {
    let bucket = fresh("agent-scratch");
    make_bucket(stack, &bucket)?;
    let agent = Agent::new(stack, "explorer", "look-around")?;
    std::fs::write(agent.folder().join("note.txt"), "from the CLI")?;
    let target = format!("s3://{bucket}/dir with space/note.txt");
    for arguments in [
        vec!["s3", "cp", "note.txt", &target],
        vec!["s3", "ls", &format!("s3://{bucket}/")],
        vec!["s3", "cp", &target, "back.txt"],
        vec!["ec2", "describe-vpcs"],
        vec!["iam", "list-users"],
        vec!["sns", "list-topics"],
    ] {
        let output = agent.cli(&arguments)?;
        ensure!(output.status.success(), "aws {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    ensure!(std::fs::read_to_string(agent.folder().join("back.txt"))? == "from the CLI", "the file changed");
    let output = agent.cli(&["iam", "create-user", "--user-name", "eve"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && said.contains("AccessDenied"), "the CLI said: {said}");
    Ok(())
}

fn denied(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "explorer", "look-around")?;
    let refused = agent.must_fail("iam", "create_user", json!({"UserName": "eve"}))?;
    ensure!(refused.code == "AccessDenied", "{refused:?}");
    ensure!(refused.message.contains("ask for a role instead (rule `00-denied/identities`)"), "{refused:?}");
    let refused = agent.must_fail("iam", "create_access_key", json!({"UserName": "eve"}))?;
    ensure!(refused.code == "AccessDenied", "{refused:?}");
    let refused = agent.must_fail(
        "sts",
        "assume_role",
        json!({"RoleArn": "arn:aws:iam::123456789012:role/x", "RoleSessionName": "escape"}),
    )?;
    ensure!(refused.code.contains("AccessDenied"), "{refused:?}");
    let refused =
        agent.must_fail("iam", "create_role", json!({"RoleName": "‹masked:x›", "AssumeRolePolicyDocument": TRUST}));
    ensure!(
        refused.is_ok_and(|refused| !refused.code.contains("ApprovalRequired")),
        "a mask token was taken for a name"
    );
    Ok(())
}

fn not_understood(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "explorer", "look-around")?;
    // A region that is not the target's.
    let order = json!({"service": "dynamodb", "operation": "list_tables", "config": {"region_name": "ap-south-2"}});
    let answer = agent.order(&order)?;
    ensure!(answer.get("error").is_some(), "another region passed: {answer}");
    Ok(())
}

fn service_endpoints(stack: &Stack) -> Result<()> {
    let tags = json!({"ResourceARN": "arn:aws:chime:eu-central-1:123456789012:other/x"});
    let mut plain = Agent::new(stack, "explorer", "look-around")?;
    let refused = plain.must_fail("chime-sdk-messaging", "list_tags_for_resource", tags.clone())?;
    ensure!(refused.message.contains("chime-sdk-identity") && refused.message.contains("/_/as/"), "{refused:?}");

    let mut agent = Agent::new(stack, "explorer", "look-around")?;
    let endpoint = |service: &str| format!("{}/_/as/{service}", stack.get("gateway"));
    agent.set("AWS_ENDPOINT_URL_CHIME_SDK_MESSAGING", &endpoint("chime-sdk-messaging"));
    agent.set("AWS_ENDPOINT_URL_S3", &endpoint("s3"));
    agent.set("AWS_ENDPOINT_URL_DYNAMODB", &format!("{}/", endpoint("dynamodb")));
    agent.set("AWS_ENDPOINT_URL_SNS", &endpoint("nonesuch"));
    agent.set("AWS_ENDPOINT_URL_SQS", &endpoint("iam"));
    // The gateway sends it. The local AWS has one host for all, so there the bytes say too little again.
    let answer = agent.call("chime-sdk-messaging", "list_tags_for_resource", tags)?.to_string();
    ensure!(answer.contains("the local stack does not know this call"), "{answer}");
    let bucket = fresh("agent-scratch");
    make_bucket(stack, &bucket)?;
    let hello = STANDARD.encode(b"hello");
    for key in ["plain", "with space", "ünï/cødé", "a+b", "_/as/s3/x"] {
        agent.must("s3", "put_object", json!({"Bucket": bucket, "Key": key, "Body": {"base64": hello}}))?;
        let got = agent.must("s3", "get_object", json!({"Bucket": bucket, "Key": key}))?;
        ensure!(got.pointer("/Body/base64").and_then(Json::as_str) == Some(hello.as_str()), "`{key}`: {got}");
        upstream(stack, "s3", "head_object", json!({"Bucket": bucket, "Key": key}))?;
    }
    agent.must("dynamodb", "list_tables", json!({}))?;
    let refused = agent.must_fail("sns", "list_topics", json!({}))?;
    ensure!(refused.message.contains("`nonesuch`, which is no service"), "{refused:?}");
    let refused = agent.must_fail("sqs", "list_queues", json!({}))?;
    ensure!(refused.message.contains("can only mean sqs:ListQueues"), "{refused:?}");
    Ok(())
}

fn unsigned(stack: &Stack) -> Result<()> {
    let gateway = stack.get("gateway");
    for (method, path, body) in [
        ("GET", "/", None),
        ("POST", "/", Some("Action=ListUsers&Version=2010-05-08")),
        ("GET", "/bucket/key", None),
        (
            "POST",
            "/",
            Some("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=x&RoleSessionName=x&WebIdentityToken=x"),
        ),
        ("POST", "/", Some("Action=GetSessionToken&Version=2011-06-15")),
        ("GET", "/_/v1/requests/r-aaaaaaaaaaaaaaaaaaaaaaaaaa", None),
    ] {
        let answer =
            fetch(method, &format!("{gateway}{path}"), &[("content-type", "application/x-www-form-urlencoded")], body)?;
        ensure!((400..500).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.body);
        ensure!(answer.policy.as_deref().is_some_and(|policy| policy.contains("sandbox")), "no sandbox: {answer:?}");
        ensure!(answer.cookies.is_empty(), "a cookie: {answer:?}");
    }
    Ok(())
}

fn own_endpoints(stack: &Stack) -> Result<()> {
    let health = fetch("GET", &stack.url("gateway", "/_/v1/health"), &[], None)?;
    ensure!(health.status == 200, "{health:?}");
    let token = stack.token(&["--agent", "explorer"])?;
    let bearer = format!("Bearer {token}");
    let order = json!({"target": "main", "task": "look", "reason": "because", "ticket": "T-1"}).to_string();
    let session = fetch("POST", &stack.url("gateway", "/_/v1/sessions"), &[("authorization", &bearer)], Some(&order))?;
    let given: Json = serde_json::from_str(&session.body)?;
    ensure!(session.status == 200 && given.get("Version") == Some(&json!(1)), "{session:?}");
    let forged =
        fetch("POST", &stack.url("gateway", "/_/v1/sessions"), &[("authorization", "Bearer a.b.c")], Some(&order))?;
    ensure!(forged.status >= 400, "{forged:?}");
    Ok(())
}
