use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;

use super::*;

fn masker() -> Masker {
    Masker::new(&Masking::default()).unwrap()
}

fn masked(text: &str) -> String {
    masker().mask_plain(text).into_owned()
}

/// A key of the form that AWS gives, made up.
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzE8xAMPL3a";
const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";

#[test]
fn every_expression_compiles_and_finds_its_example() {
    let session_token = format!("IQoJb3JpZ2luX2Vj{}", "EL3//////////wEaCXVz".repeat(8));
    let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7bq0\nIBAAKC\n-----END RSA PRIVATE KEY-----";
    let github_token = format!("ghp_{}", "a1B2".repeat(9));
    let signature = format!("https://b.s3.amazonaws.com/k?X-Amz-Signature={}", "0a".repeat(32));
    for (name, text, whole) in [
        ("private-key", pem, false),
        ("private-key", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA", false),
        ("jwt", JWT, true),
        ("jwt", "eyJhbGciOiJkaXIi.a2V5.aXY.dGV4dA.dGFndGFndGFn", true),
        ("aws-session-token", &session_token, true),
        ("aws-secret-key", SECRET_KEY, true),
        ("api-token", &github_token, true),
        ("aws-access-key-id", "AKIAIOSFODNN7EXAMPLE", true),
        ("aws-access-key-id", "ASIAIOSFODNN7EXAMPLE", true),
        ("presigned-url", &signature, false),
        ("password", "Server=db;User Id=sa;Password=hunter2!;Encrypt=true", false),
        ("card-number", "4111111111111111", true),
        ("email", "ann@example.com", true),
        ("phone", "+4915112345678", true),
    ] {
        let out = masked(text);
        let token = mask_token(name);
        assert!(if whole { out == token } else { out.contains(&token) }, "{name}: {text} -> {out}");
    }
    assert_eq!(pattern_names().count(), PATTERNS.len());
}

#[test]
fn what_is_around_a_secret_stays() {
    for (text, expected) in [
        ("mail ann@example.com, please", "mail ‹masked:email›, please"),
        (
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYzE8xAMPL3a\n",
            "aws_secret_access_key = ‹masked:aws-secret-key›\n",
        ),
        ("AWS_SECRET=wJalrXUtnFEMI/K7MDENG/bPxRfiCYzE8xAMPL3a.", "AWS_SECRET=‹masked:aws-secret-key›."),
        ("Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", "Authorization: Bearer ‹masked:jwt›"),
        ("postgres://app:s3cr3t@db.internal:5432/app", "postgres://app:‹masked:password›@db.internal:5432/app"),
        ("Pwd=abc;Database=x", "Pwd=‹masked:password›;Database=x"),
        ("db:\n  password: hunter2\n  user: app", "db:\n  password: ‹masked:password›\n  user: app"),
        ("mysql --password=hunter2 -h db", "mysql --password=‹masked:password› -h db"),
        ("pay with 4111 1111 1111 1111.", "pay with ‹masked:card-number›."),
        ("card:5555-5555-5555-4444", "card:‹masked:card-number›"),
        ("call +1 (415) 555-2671 now", "call ‹masked:phone› now"),
        ("SharedAccessKeyName=x;SharedAccessKey=abcd+/12=", "SharedAccessKeyName=x;SharedAccessKey=‹masked:password›"),
    ] {
        assert_eq!(masked(text), expected, "{text}");
    }
}

#[test]
fn identifiers_pass() {
    for text in [
        "",
        "arn:aws:iam::123456789012:role/service-role/AWSLambdaBasicExecutionRole-0a1b2c3d",
        "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_AdministratorAccess_0123456789abcdef/ann",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/db/password-AbCdEf",
        "AROAIOSFODNN7EXAMPLE",
        "AIDACKCEVSQ6C2EXAMPLE",
        "123456789012",
        "1763736438123",
        "1763736438123456",
        "2026-11-21T14:27:18Z",
        "2026-11-21T14:27:18.123+0000",
        "2026-11-21 14:27:18+05:30",
        "20261121T142718Z",
        "6f1ed002-ab5f-4a2b-9c1d-4111111111111111",
        "4111111-1111-1111-1111-111111111111",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "\"d41d8cd98f00b204e9800998ecf8427e-38\"",
        "\"d41d8cd98f00b204e9800998ecf8427e\"",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
        "EDFDVBD6EXAMPLE",
        "i-0abcdef1234567890",
        "sg-0123456789abcdef0",
        "vpce-svc-0123456789abcdef0",
        "s3://bucket/2026/11/21/part-00000-4111111111111111.parquet",
        "git@github.com:org/repository.git",
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com/app@sha256:0123456789abcdef",
        "left-pad@1.3.0",
        "eyJ2IjoiMiIsImMiOiJhYmNkZWYifQ==",
        "amzn1.application-oa2-client.0123456789abcdef0123456789abcdef",
        "x-amz-id-2: eftixk72aD6Ap51TnqcoF8eFidJG9Z/2mkiDFu8yU9AS1ed4OpIszj7UDNEHGran",
        "Z0123456789ABCDEFGHIJ",
        "projects/organization/TeamRepositoryName/Releases",
        "/aws/lambda/my-function-Name1234567890abcdefgh",
        "HTTP/1.1 200 OK",
        "1+12345678=12345679",
        "the password: it must have eight characters",
        "{\"password\":\"{{resolve:secretsmanager:db:SecretString:password}}\"}",
        "{\"PasswordArn\":\"arn:aws:ssm:eu-central-1:123456789012:parameter/db\"}",
        "db_password=${DB_PASSWORD}",
        "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"*\"}]}",
        "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D",
        "‹masked:email›",
        "password=‹masked:password›",
    ] {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn secrets_are_found_within_encodings() {
    let inner = format!("#!/bin/sh\nexport KEY={SECRET_KEY}\n");
    let once = STANDARD.encode(&inner);
    let twice = STANDARD.encode(&once);
    let wrapped: String = STANDARD
        .encode(inner.repeat(3))
        .as_bytes()
        .chunks(76)
        .map(|line| format!("{}\n", std::str::from_utf8(line).unwrap()))
        .collect();
    assert_eq!(masked(&once), "‹masked:encoded›");
    assert_eq!(masked(&twice), "‹masked:encoded›");
    assert_eq!(masked(&format!("data:text/plain;base64,{once}")), "data:text/plain;base64,‹masked:encoded›");
    assert!(!masked(&wrapped).contains("bHJYVXRu"), "{}", masked(&wrapped));

    assert_eq!(masked(r#"{"a":"\u0061nn@example.com","n":1.5}"#), r#"{"a":"‹masked:email›","n":1.5}"#);
    assert_eq!(masked(r#"{"password":"p\"w","user":"app"}"#), r#"{"password":"‹masked:password›","user":"app"}"#);
    assert_eq!(masked(r#"["{\"password\":\"x\"}"]"#), r#"["{\"password\":\"‹masked:password›\"}"]"#);
    assert_eq!(
        masked(r#"[{"Name":"DB_PASSWORD","Value":"x"}]"#),
        r#"[{"Name":"DB_PASSWORD","Value":"‹masked:password›"}]"#
    );
    assert_eq!(masked(r#"{"card":4111111111111111}"#), r#"{"card":0}"#);
    assert_eq!(masked(&format!(r#"{{"b":"{once}"}}"#)), r#"{"b":"‹masked:encoded›"}"#);
    let policy = masked("%7B%22Principal%22%3A%22ann%40example.com%22%7D");
    assert_eq!(
        percent_encoding::percent_decode_str(&policy).decode_utf8().unwrap(),
        r#"{"Principal":"‹masked:email›"}"#
    );
}

/// No text may cost more than time linear in its length: each of these is much of what
/// would hurt a backtracking expression or a comparison of all pairs.
#[test]
fn hostile_texts_cost_no_more_than_others() {
    let masker = masker();
    let length = 1 << 16;
    for piece in [
        "a",
        "a@",
        "ann@example.com ",
        "password",
        "password:",
        "password=\"",
        "password\":\"",
        "\\\"",
        "eyJ",
        "eyJaaaaaaaa.",
        "-----BEGIN PRIVATE KEY",
        "-----BEGIN PRIVATE KEY-----",
        "4111 ",
        "41111111111111111",
        "+1 ",
        "+1 23 ",
        "x://",
        "x://y:",
        "://u:p@h ",
        "AKIA",
        "QUtJQUlPU0ZPRE5ON0VYQU1QTEUg",
        "QUtJQUlPU0ZPRE5ON0VYQU1QTEUg\n",
        "[",
        "{\"a\":",
        "%7B",
        "%40",
        "\n",
        "‹masked",
        "&Signature=",
        "IQoJb3JpZ2lu",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzE8xAMPL3a ",
        "a.",
        "a-",
    ] {
        let text = piece.repeat(length / piece.len());
        let start = std::time::Instant::now();
        let _ = masker.mask_plain(&text);
        let taken = start.elapsed();
        // Unoptimised and on a loaded machine; quadratic work on this length takes minutes.
        assert!(taken.as_secs() < 30, "{piece:?} took {taken:?}");
    }
}

#[test]
fn marks_and_reveals() {
    let masker = masker();
    let reveal: BTreeSet<String> = ["SecretString".to_owned()].into();
    let none = BTreeSet::new();
    let sensitive = Some("‹masked:sensitive›".to_owned());
    assert_eq!(masker.mask_text("x", "SecretString", true, &none), sensitive);
    assert_eq!(masker.mask_text("‹masked:sensitive›", "SecretString", true, &none), None);
    assert_eq!(masker.mask_text("x", "SecretString", true, &reveal), None);
    assert_eq!(masker.mask_text("x", "A[].SecretString[]", true, &reveal), None);
    assert_eq!(masker.mask_text("x", "SecretStringOther", true, &reveal), sensitive);
    assert_eq!(masker.mask_text("x", "SecretString.Other", true, &reveal), sensitive);
    // Revealed: a password and an address pass, a credential does not.
    let text = format!("password=x ann@example.com {SECRET_KEY}");
    let shown = masker.mask_text(&text, "SecretString", true, &reveal).unwrap();
    assert_eq!(shown, "password=x ann@example.com ‹masked:aws-secret-key›");
    assert_eq!(masker.mask_text(r#"{"password":"x"}"#, "SecretString", true, &reveal), None);
    // A member's own name is a mark, too.
    assert_eq!(masker.mask_text("x", "User.MasterPassword", false, &none), Some("‹masked:password›".to_owned()));

    assert_eq!(masker.mask_blob(&[0xff, 0], "Plaintext", true, &none), Some("‹masked:sensitive›".into()));
    assert_eq!(masker.mask_blob(&[0xff, 0], "Plaintext", false, &none), None);
    assert_eq!(masker.mask_blob(b"ann@example.com", "Body", false, &none), Some("‹masked:email›".into()));
    assert!(masker.masks_scalar("Pin", true, &none));
    assert!(!masker.masks_scalar("Pin", true, &["Pin".to_owned()].into()));
}

#[test]
fn patterns_are_switched_off_by_name_only() {
    let off = Masking { patterns_off: ["email".to_owned()].into() };
    assert_eq!(Masker::new(&off).unwrap().mask_plain("ann@example.com"), "ann@example.com");
    let misspelt = Masking { patterns_off: ["e-mail".to_owned()].into() };
    let error = Masker::new(&misspelt).unwrap_err().to_string();
    assert!(error.starts_with("`e-mail` is not a masking pattern; there are private-key, jwt,"), "{error}");
}

#[test]
fn bodies_without_a_model() {
    let masker = masker();
    let xml = b"<Error><Code>A</Code><Message>User ann@example.com: no</Message></Error>";
    let body = masker.mask_unmodelled(xml).unwrap();
    assert_eq!(body.text, "<Error><Code>A</Code><Message>User ‹masked:email›: no</Message></Error>");
    assert!(body.changed);
    let json = br#"{"__type":"E","message":"plain"}"#;
    assert_eq!(
        masker.mask_unmodelled(json).unwrap(),
        MaskedBody { text: String::from_utf8(json.to_vec()).unwrap(), changed: false }
    );
    assert_eq!(masker.mask_unmodelled(&[0xff]), Err(NotTextError));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn masking_twice_is_masking_once(
        pieces in proptest::collection::vec(
            prop_oneof![
                any::<String>(),
                "[ -~]{0,30}",
                prop::sample::select(vec![
                    SECRET_KEY, JWT, "AKIAIOSFODNN7EXAMPLE", "ann@example.com", "+4915112345678", "4111111111111111",
                    "password=", "password: ", "\"password\":\"", "://u:p@h", "-----BEGIN PRIVATE KEY-----",
                    "-----END PRIVATE KEY-----", "‹masked:email›", "‹masked", "›", "{", "}", "[\"", "\"]", "\n", "%7B", "%40",
                    "\\u0041", "=", "YW5uQGV4YW1wbGUuY29tIGFubkBleGFtcGxlLmNvbQ==",
                ]).prop_map(str::to_owned),
            ],
            0..8,
        )
    ) {
        let once = masked(&pieces.concat());
        prop_assert_eq!(masked(&once), once);
    }

    #[test]
    fn secrets_never_survive_among_other_text(before in "[ -~]{0,20}[ ,;]", after in "[ ,;\n][ -~]{0,20}") {
        let out = masked(&format!("{before}{SECRET_KEY}{after}"));
        prop_assert!(!out.contains(SECRET_KEY), "{}", out);
    }

    #[test]
    fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = masker().mask_unmodelled(&bytes);
        let _ = masker().mask_blob(&bytes, "A", false, &BTreeSet::new());
    }
}
