//! How long a replay of CloudTrail's records takes, and in how much memory: `cargo bench -p countersign-authoring`.
//!
//! Another number of events may be given: `cargo bench -p countersign-authoring -- 1000000`.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use countersign_authoring::{AgentMapping, Placeholders, Simulation};
use countersign_policy::Bundle;

/// Source, name and parameters of events; `N` is a number that differs.
const EVENTS: [(&str, &str, &str); 10] = [
    ("dynamodb", "PutItem", r#"{"tableName":"orders-N","key":{"id":"N"}}"#),
    ("dynamodb", "Query", r#"{"tableName":"orders-N","keyConditionExpression":"id = :id"}"#),
    (
        "s3",
        "GetObject",
        r#"{"bucketName":"reports-N","Host":"reports-N.s3.eu-central-1.amazonaws.com","key":"a/N.csv"}"#,
    ),
    ("s3", "PutObject", r#"{"bucketName":"agent-scratch-N","key":"a/N.csv"}"#),
    ("ec2", "DescribeInstances", r#"{"filterSet":{"items":[{"name":"tag:n","valueSet":{"items":[{"value":"N"}]}}]}}"#),
    ("ec2", "TerminateInstances", r#"{"instancesSet":{"items":[{"instanceId":"i-0123456789abcdefN"}]}}"#),
    ("iam", "GetRole", r#"{"roleName":"app-N"}"#),
    ("sqs", "ReceiveMessage", r#"{"queueUrl":"https://sqs.eu-central-1.amazonaws.com/123456789012/jobs-N"}"#),
    ("lambda", "UpdateFunctionCode20150331v2", r#"{"functionName":"report-N","publish":true,"dryRun":false}"#),
    (
        "secretsmanager",
        "GetSecretValue",
        r#"{"secretId":"arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-N-Ab3xY9"}"#,
    ),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("trail.json");
    generate(&path, count)?;
    let samples = Placeholders::default();
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/bundle");
    let bundle = Bundle::load_texts(&bundle, |name| samples.value(name), &[])?;
    let agents = AgentMapping::default();
    let started = Instant::now();
    let files: Vec<PathBuf> = vec![path.clone()];
    let tally = Simulation { bundle: &bundle, against: None, agents: &agents }.run(&files, |_| {})?;
    let elapsed = started.elapsed();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{count} events, {} MB: {elapsed:.1?}, {} pass, {} wait, {} denied, {} not told; {} MB of memory at most",
        std::fs::metadata(&path)?.len() >> 20,
        tally.calls.pass,
        tally.calls.wait,
        tally.calls.deny,
        tally.unmapped_total(),
        peak_megabytes(),
    )?;
    Ok(())
}

fn generate(path: &Path, count: usize) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    write!(out, "{{\"Records\":[")?;
    for (number, (source, name, parameters)) in EVENTS.iter().cycle().take(count).enumerate() {
        let comma = if number == 0 { "" } else { "," };
        let parameters = parameters.replace('N', &(number % 1000).to_string());
        let agent = if number % 3 == 0 { "deployer" } else { "explorer" };
        let (day, minute, second) = (1 + number % 28, number / 60 % 60, number % 60);
        write!(
            out,
            "{comma}{{\"eventVersion\":\"1.11\",\"userIdentity\":{{\"type\":\"AssumedRole\",\"principalId\":\"AROAEXAMPLE:run\",\
             \"arn\":\"arn:aws:sts::123456789012:assumed-role/{agent}/run\",\"accountId\":\"123456789012\",\"sessionContext\":\
             {{\"sessionIssuer\":{{\"type\":\"Role\",\"userName\":\"{agent}\"}},\"attributes\":{{\"mfaAuthenticated\":\"false\"}}}}}},\
             \"eventTime\":\"2026-11-{day:02}T10:{minute:02}:{second:02}Z\",\"eventSource\":\"{source}.amazonaws.com\",\
             \"eventName\":\"{name}\",\"awsRegion\":\"eu-central-1\",\"sourceIPAddress\":\"192.0.2.7\",\"userAgent\":\"aws-sdk-rust/1\",\
             \"requestParameters\":{parameters},\"responseElements\":null,\"requestID\":\"{number:032}\",\"eventID\":\"{number:032}\",\
             \"readOnly\":false,\"eventType\":\"AwsApiCall\",\"recipientAccountId\":\"123456789012\"}}"
        )?;
    }
    write!(out, "]}}")?;
    out.flush()
}

/// The most that this process had resident, from `/proc`; 0 where there is none.
fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() >> 10
}
