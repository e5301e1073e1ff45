//! A PutItem of 1 KB as the agents' door hands it over: signed by `aws-sigv4` with a session of the gateway's own.

use std::{
    collections::BTreeSet,
    error::Error,
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use bytes::Bytes;
use countersign_domain::{
    AccountId, AgentId, Digest, GroupName, PersonId, RegionName, TargetName, Timestamp, settings::Target,
};
use countersign_identity::{
    sealing::{Sealer, SealingKey},
    session::{Login, SessionCredentials},
};
use countersign_sigv4::UnverifiedRequest;
use zeroize::Zeroizing;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// 2026-11-21T14:27:18Z.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_795_271_238);

const HOST: &str = "abcdefghij.execute-api.eu-central-1.amazonaws.com";
const REGION: &str = "eu-central-1";

/// What a client of the AWS SDK for Python sends and signs.
const SIGNED: [(&str, &str); 3] =
    [("host", HOST), ("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "DynamoDB_20120810.PutItem")];

/// What it sends besides, and what API Gateway adds.
const UNSIGNED: [(&str, &str); 8] = [
    ("accept-encoding", "identity"),
    ("amz-sdk-invocation-id", "5ad9ec4d-5a3b-4d2c-8a51-b9c2f3f1a0de"),
    ("amz-sdk-request", "attempt=1"),
    (
        "user-agent",
        "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.11.2 cfg/retry-mode#standard",
    ),
    ("x-amzn-trace-id", "Root=1-6920f0a6-3b5d1f2c4a6b7c8d9e0f1a2b"),
    ("x-forwarded-for", "203.0.113.7"),
    ("x-forwarded-port", "443"),
    ("x-forwarded-proto", "https"),
];

/// The request and everything that belongs to it.
pub(crate) struct Signed {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    pub(crate) sealer: Sealer,
    pub(crate) credentials: SessionCredentials,
    pub(crate) target: Target,
}

impl Signed {
    pub(crate) fn new() -> Outcome<Self> {
        let sealer = Sealer::new(SealingKey::new("bench", &Zeroizing::new(vec![7; 32]))?);
        let (_, credentials) = sealer.issue_session(login()?, NOW, Duration::from_secs(3600))?;
        let mut signed = Self { headers: Vec::new(), body: body(), sealer, credentials, target: target()? };
        signed.headers = owned(&SIGNED);
        signed.headers.extend(signed.signature()?);
        signed.headers.extend(owned(&UNSIGNED));
        signed.headers.push(("content-length".to_owned(), signed.body.len().to_string()));
        Ok(signed)
    }

    /// The headers that the client's side of a signature gives.
    pub(crate) fn signature(&self) -> Outcome<Vec<(String, String)>> {
        let SessionCredentials { access_key_id, secret_access_key, session_token, .. } = &self.credentials;
        let token = Some(session_token.clone());
        let identity = Credentials::new(access_key_id, secret_access_key.expose(), token, None, "bench").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name("dynamodb")
            .time(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW.as_secs()))
            .settings(SigningSettings::default())
            .build()?
            .into();
        let request = SignableRequest::new(
            "POST",
            format!("https://{HOST}/"),
            SIGNED.into_iter(),
            SignableBody::Bytes(&self.body),
        )?;
        let (instructions, _) = sign(request, &params)?.into_parts();
        let (headers, _) = instructions.into_parts();
        Ok(headers.iter().map(|header| (header.name().to_owned(), header.value().to_owned())).collect())
    }

    pub(crate) fn unverified(&self) -> UnverifiedRequest<'_> {
        UnverifiedRequest { method: "POST", path: "/", query: "", headers: &self.headers, body: &self.body }
    }
}

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// 1,024 bytes: an item of strings, numbers, a list and a map.
fn body() -> Bytes {
    let fixed = r#"{"TableName":"orders","Item":{"pk":{"S":"CUSTOMER#7f3a"},"sk":{"S":"ORDER#2026-11-21T14:27:18Z"},"total":{"N":"129.95"},"paid":{"BOOL":true},"tags":{"SS":["gift","express"]},"address":{"M":{"street":{"S":"1 Main Street"},"city":{"S":"Anytown"},"zip":{"S":"12345"}}},"lines":{"L":[{"M":{"sku":{"S":"A-1001"},"count":{"N":"2"}}},{"M":{"sku":{"S":"B-2002"},"count":{"N":"1"}}}]}"#;
    let end = r#"},"ReturnValues":"NONE"}"#;
    let mut text = fixed.to_owned();
    for number in 0..8 {
        text.push_str(&format!(r#","attribute{number}":{{"S":"{}"}}"#, "v".repeat(36)));
    }
    let left = 1024_usize.saturating_sub(text.len() + end.len() + r#","note":{"S":""}"#.len());
    text.push_str(&format!(r#","note":{{"S":"{}"}}{end}"#, "n".repeat(left)));
    Bytes::from(text)
}

fn login() -> Outcome<Login> {
    Ok(Login {
        agent: AgentId::new("repo:example/shop:ref:refs/heads/main")?,
        groups: BTreeSet::from([GroupName::new("deployers")?]),
        owners: BTreeSet::from([PersonId::new("carol")?]),
        target: TargetName::new("sandbox")?,
        unverified_task: "import the orders of November".to_owned(),
        unverified_reason: None,
        unverified_ticket: None,
        issuer: "https://token.actions.githubusercontent.com".to_owned(),
        subject: "repo:example/shop:ref:refs/heads/main".to_owned(),
        jti: Some("0b5b7b5e-1c0e-4d3a-9a54-1f0a4c2f7d11".to_owned()),
        token_hash: Digest::of(b"token"),
    })
}

fn target() -> Outcome<Target> {
    Ok(Target {
        name: TargetName::new("sandbox")?,
        account: AccountId::new("123456789012")?,
        partition: "aws".to_owned(),
        regions: vec![RegionName::new(REGION)?],
        auto_role: "arn:aws:iam::123456789012:role/auto".to_owned(),
        approved_role: "arn:aws:iam::123456789012:role/approved".to_owned(),
        external_id: None,
    })
}
