//! The harness: an owned request, and `aws-sigv4` to sign it.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest, SignatureLocation,
        SigningSettings, UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use bytes::Bytes;
use countersign_domain::Timestamp;
use countersign_sigv4::{
    Options, Presented, SecretKey, SignatureError, UnverifiedRequest, Verified, is_s3_family, verify_with,
};

pub(crate) const HOST: &str = "gateway.example.com";
pub(crate) const KEY_ID: &str = "CSGAEXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2026-11-21T14:27:18Z.
pub(crate) const NOW: u64 = 1_795_271_238;

/// A request that owns its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str, query: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut headers: Vec<_> = headers.iter().map(own).collect();
        headers.insert(0, ("host".to_owned(), HOST.to_owned()));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: Bytes::copy_from_slice(body),
        }
    }

    pub(crate) fn unverified(&self) -> UnverifiedRequest<'_> {
        UnverifiedRequest {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
        }
    }

    pub(crate) fn verify_at(
        &self,
        secret: &str,
        now: Timestamp,
        options: &Options,
    ) -> Result<Verified, SignatureError> {
        let request = self.unverified();
        verify_with(&Presented::parse(&request)?, &request, &SecretKey::new(secret), now, options)
    }

    pub(crate) fn verify(&self) -> Result<Verified, SignatureError> {
        self.verify_at(SECRET, Timestamp::from_secs(NOW), &Options::default())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(candidate, _)| candidate != name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }
}

/// How to sign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signing {
    pub(crate) service: &'static str,
    pub(crate) presigned: Option<u64>,
    pub(crate) token: Option<&'static str>,
    /// Append the token after signing instead of signing it.
    pub(crate) token_unsigned: bool,
    /// What `x-amz-content-sha256` states; `None` for the hash of the body.
    pub(crate) payload: Option<&'static str>,
    /// Whether `x-amz-content-sha256` is sent with a hash.
    pub(crate) hash_header: bool,
    pub(crate) at: u64,
}

pub(crate) const HEADER: Signing = Signing {
    service: "dynamodb",
    presigned: None,
    token: None,
    token_unsigned: false,
    payload: None,
    hash_header: false,
    at: NOW,
};

pub(crate) const S3: Signing = Signing { service: "s3", hash_header: true, ..HEADER };
pub(crate) const PRESIGNED: Signing = Signing { presigned: Some(900), ..HEADER };
pub(crate) const PRESIGNED_S3: Signing =
    Signing { service: "s3", presigned: Some(900), payload: Some("UNSIGNED-PAYLOAD"), ..HEADER };

/// Signs with `aws-sigv4`, set up for the service as the AWS SDK for Rust does.
pub(crate) fn signed(mut request: Request, how: &Signing) -> Request {
    let credentials = Credentials::new(KEY_ID, SECRET, how.token.map(str::to_owned), None, "test");
    let identity = credentials.into();
    let mut settings = SigningSettings::default();
    if is_s3_family(how.service) {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    if how.hash_header || how.payload.is_some() {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    if how.token_unsigned {
        settings.session_token_mode = SessionTokenMode::Exclude;
    }
    if let Some(seconds) = how.presigned {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(seconds));
    }
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name(how.service)
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(how.at))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let body = match how.payload {
        None => SignableBody::Bytes(&request.body),
        Some(stated) => SignableBody::Precomputed(stated.to_owned()),
    };
    let separator = if request.query.is_empty() { "" } else { "?" };
    let uri = format!("https://{HOST}{}{separator}{}", request.path, request.query);
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let signable = SignableRequest::new(&request.method, uri, headers, body).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    let (headers, parameters) = instructions.into_parts();
    request.headers.extend(headers.iter().map(|it| (it.name().to_owned(), it.value().to_owned())));
    for (name, value) in parameters {
        let separator = if request.query.is_empty() { "" } else { "&" };
        request.query += &format!("{separator}{name}={}", encoded(value.as_bytes(), ""));
    }
    request
}

/// Percent-encodes all but the unreserved octets and those in `keep`.
pub(crate) fn encoded(octets: &[u8], keep: &str) -> String {
    octets
        .iter()
        .map(|octet| match char::from(*octet) {
            c if c.is_ascii_alphanumeric() || "-_.~".contains(c) || (c.is_ascii() && keep.contains(c)) => c.to_string(),
            _ => format!("%{octet:02X}"),
        })
        .collect()
}
