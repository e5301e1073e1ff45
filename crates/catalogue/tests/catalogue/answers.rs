//! Masking along the model, in every protocol.

use bytes::Bytes;
use countersign_catalogue::Catalogue;
use countersign_catalogue::response::{Answered, Leaf, LeafContent, MaskError};
use countersign_domain::Protocol;

type Headers = Vec<(String, String)>;

fn masked(
    service: &str,
    operation: &str,
    protocol: Protocol,
    status: u16,
    headers: &mut Headers,
    body: &[u8],
) -> Result<Bytes, MaskError> {
    let answered = Answered { service, operation, protocol };
    let mut mask = |leaf: &Leaf<'_>| {
        let net = matches!(leaf.content, LeafContent::Text(text) if text.contains("AKIA"));
        (leaf.sensitive || net).then(|| "***".to_owned())
    };
    Catalogue::embedded().mask_response(&answered, status, headers, &Bytes::copy_from_slice(body), &mut mask)
}

#[test]
fn what_is_marked_is_masked_and_the_rest_stays() {
    let query = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
                 <AccessKeyId>x</AccessKeyId><SecretAccessKey>y</SecretAccessKey><SessionToken>z</SessionToken>\
                 <Expiration>2026-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>\
                 <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleResponse>";
    for (service, operation, protocol, status, body, expected) in [
        (
            "secretsmanager",
            "GetSecretValue",
            Protocol::Json,
            200,
            "{\"Name\":\"n\",\"SecretString\":\"s\"}",
            "{\"Name\":\"n\",\"SecretString\":\"***\"}",
        ),
        (
            "ssm",
            "CreateActivation",
            Protocol::Json,
            200,
            "{\"ActivationId\":\"i\",\"ActivationCode\":\"s\"}",
            "{\"ActivationId\":\"i\",\"ActivationCode\":\"***\"}",
        ),
        // Not in the model: AWS added it since, so nobody has looked at it.
        (
            "ssm",
            "CreateActivation",
            Protocol::Json,
            200,
            "{\"New\":7,\"ActivationId\":\"i\"}",
            "{\"New\":0,\"ActivationId\":\"i\"}",
        ),
        (
            "kms",
            "Decrypt",
            Protocol::Json,
            200,
            "{\"KeyId\":\"k\",\"Plaintext\":\"c2VjcmV0\"}",
            "{\"KeyId\":\"k\",\"Plaintext\":\"Kioq\"}",
        ),
        // The net.
        (
            "dynamodb",
            "GetItem",
            Protocol::Json,
            200,
            "{\"Item\":{\"k\":{\"S\":\"AKIA1\"}}}",
            "{\"Item\":{\"k\":{\"S\":\"***\"}}}",
        ),
        (
            "lambda",
            "GetFunctionConfiguration",
            Protocol::RestJson,
            200,
            "{\"Environment\":{\"Variables\":{\"A\":\"b\"}}}",
            "{\"Environment\":{\"Variables\":{\"A\":\"***\"}}}",
        ),
        // Errors too.
        (
            "dynamodb",
            "GetItem",
            Protocol::Json,
            400,
            "{\"__type\":\"x#ValidationException\",\"message\":\"AKIA1\"}",
            "{\"__type\":\"x#ValidationException\",\"message\":\"***\"}",
        ),
        ("s3", "GetObject", Protocol::RestXml, 404, "plain AKIA1", "***"),
        // A stream is not walked.
        ("s3", "GetObject", Protocol::RestXml, 200, "plain AKIA1", "plain AKIA1"),
    ] {
        let found = masked(service, operation, protocol, status, &mut Vec::new(), body.as_bytes()).expect(body);
        assert_eq!(String::from_utf8_lossy(&found), expected);
    }
    let found = masked("sts", "AssumeRole", Protocol::Query, 200, &mut Vec::new(), query.as_bytes()).expect("query");
    let found = String::from_utf8_lossy(&found).into_owned();
    assert!(found.contains("<SecretAccessKey>***</SecretAccessKey><SessionToken>***</SessionToken>"), "{found}");
    assert!(found.contains("<RequestId>r</RequestId>"), "{found}");
}

#[test]
fn checksums_of_a_changed_body_are_dropped() {
    let mut headers = vec![
        ("content-length".to_owned(), "99".to_owned()),
        ("x-amz-crc32".to_owned(), "1".to_owned()),
        ("x-amzn-requestid".to_owned(), "r".to_owned()),
    ];
    let body = b"{\"Item\":{\"k\":{\"S\":\"AKIA1\"}}}";
    let found = masked("dynamodb", "GetItem", Protocol::Json, 200, &mut headers, body).expect("masked");
    assert_eq!(
        headers,
        [("content-length".to_owned(), found.len().to_string()), ("x-amzn-requestid".to_owned(), "r".to_owned())]
    );
}

#[test]
fn what_cannot_be_decoded_is_not_passed() {
    let gzip = &mut vec![("content-encoding".to_owned(), "gzip".to_owned())];
    assert!(matches!(
        masked("dynamodb", "GetItem", Protocol::Json, 200, gzip, b"{}"),
        Err(MaskError::ContentEncoding(_))
    ));
    for body in [&b"not json"[..], b"{\"Item\":{}", b"\xff"] {
        let found = masked("dynamodb", "GetItem", Protocol::Json, 200, &mut Vec::new(), body);
        assert!(matches!(found, Err(MaskError::Undecodable(_))), "{found:?}");
    }
    let unknown = masked("dynamodb", "Nonesuch", Protocol::Json, 200, &mut Vec::new(), b"{}");
    assert!(matches!(unknown, Err(MaskError::UnknownOperation(_))));
}

#[test]
fn sensitive_paths_name_credentials() {
    let paths = Catalogue::embedded().sensitive_output("sts", "AssumeRole");
    assert!(paths.contains(&"Credentials.SecretAccessKey".to_owned()), "{paths:?}");
    assert!(paths.contains(&"Credentials.SessionToken".to_owned()), "{paths:?}");
}
