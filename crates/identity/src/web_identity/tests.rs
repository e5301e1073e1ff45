use std::time::Duration;

use countersign_domain::{AgentId, Digest, TargetName};
use zeroize::Zeroizing;

use super::*;
use crate::{
    sealing::{Sealer, SealingKey},
    session::Login,
};

const FORM: &str = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fagents%2Fauto\
                    &RoleSessionName=fix-alarm&WebIdentityToken=a.b.c";

#[test]
fn the_form_of_an_sdk_is_read() {
    let login = parse(FORM.as_bytes()).unwrap();
    assert_eq!(login.role_arn, "arn:aws:iam::123456789012:role/agents/auto");
    assert_eq!(login.unverified_role_session_name, "fix-alarm");
    assert_eq!(login.unverified_token, "a.b.c");
    assert_eq!(login.duration_seconds, None);
    assert_eq!(parse(format!("{FORM}&DurationSeconds=900").as_bytes()).unwrap().duration_seconds, Some(900));
    assert!(is_web_identity_login(FORM.as_bytes()));
    assert!(!is_web_identity_login(b"Action=GetCallerIdentity&Version=2011-06-15"));
    assert!(!format!("{login:?}").contains("a.b.c"));
}

#[test]
fn forms_that_are_not_right() {
    let with = |more: &str| format!("{FORM}&{more}");
    let without = |name: &str| FORM.split('&').filter(|pair| !pair.starts_with(name)).collect::<Vec<_>>().join("&");
    let replaced = |name: &str, value: &str| format!("{}&{name}={value}", without(name));
    for (form, code, message) in [
        (String::new(), StsCode::InvalidAction, "only operation"),
        (replaced("Action", "AssumeRole"), StsCode::InvalidAction, "only operation"),
        (without("Version"), StsCode::InvalidAction, "2011-06-15"),
        (replaced("Version", "2010-05-08"), StsCode::InvalidAction, "2011-06-15"),
        (without("RoleArn"), StsCode::MissingParameter, "RoleArn"),
        (without("RoleSessionName"), StsCode::MissingParameter, "RoleSessionName"),
        (without("WebIdentityToken"), StsCode::MissingParameter, "WebIdentityToken"),
        (replaced("WebIdentityToken", ""), StsCode::MissingParameter, "WebIdentityToken"),
        (with("RoleArn=x"), StsCode::ValidationError, "twice"),
        (with("Action=AssumeRoleWithWebIdentity"), StsCode::ValidationError, "twice"),
        (with("Role%41rn=x"), StsCode::ValidationError, "twice"),
        (with("roleArn=x"), StsCode::ValidationError, "does not have"),
        (with("Policy=%7B%7D"), StsCode::ValidationError, "session policies are not supported"),
        (with("PolicyArns.member.1.arn=x"), StsCode::ValidationError, "session policies are not supported"),
        (with("ProviderId=www.amazon.com"), StsCode::ValidationError, "ProviderId is not supported"),
        (with("DurationSeconds=899"), StsCode::ValidationError, "900 to 43200"),
        (with("DurationSeconds=43201"), StsCode::ValidationError, "900 to 43200"),
        (with("DurationSeconds=%2B900"), StsCode::ValidationError, "900 to 43200"),
        (with("DurationSeconds="), StsCode::ValidationError, "900 to 43200"),
        (with("x"), StsCode::MalformedInput, "no value"),
        (with("x=%zz"), StsCode::MalformedInput, "badly escaped"),
        (with("x=%4"), StsCode::MalformedInput, "badly escaped"),
        (with("x=%ff"), StsCode::MalformedInput, "badly escaped"),
        (with(&format!("x={}", "a".repeat(MAX_FORM_BYTES))), StsCode::MalformedInput, "too long"),
        (replaced("RoleArn", "arn:aws:iam::123456789012:user/a"), StsCode::ValidationError, "RoleArn"),
        (replaced("RoleArn", "arn:aws:iam::1234:role/a"), StsCode::ValidationError, "RoleArn"),
        (replaced("RoleArn", "role/a"), StsCode::ValidationError, "RoleArn"),
        (replaced("RoleSessionName", "a"), StsCode::ValidationError, "RoleSessionName"),
        (replaced("RoleSessionName", "a+b"), StsCode::ValidationError, "RoleSessionName"),
        (replaced("RoleSessionName", "%E2%80%AE12"), StsCode::ValidationError, "RoleSessionName"),
        (replaced("RoleSessionName", &"a".repeat(65)), StsCode::ValidationError, "RoleSessionName"),
    ] {
        let error = parse(form.as_bytes()).unwrap_err();
        assert_eq!(error.code, code, "{form}: {error}");
        assert!(error.message.contains(message), "{form}: {error}");
    }
    assert_eq!(parse(&[0xff]).unwrap_err().code, StsCode::MalformedInput);
}

#[test]
fn a_success_is_answered_as_sts_does() {
    let login = Login {
        agent: AgentId::new("robot").unwrap(),
        groups: Default::default(),
        owners: Default::default(),
        target: TargetName::new("prod").unwrap(),
        unverified_task: "fix-alarm".to_owned(),
        unverified_reason: None,
        unverified_ticket: None,
        issuer: "https://issuer.example".to_owned(),
        subject: "<robot> & \u{1} co".to_owned(),
        jti: None,
        token_hash: Digest::of(b"token"),
    };
    let sealer = Sealer::new(SealingKey::new("k1", &Zeroizing::new(vec![7; 32])).unwrap());
    let now = Timestamp::from_secs(1_795_000_000);
    let (claims, credentials) = sealer.issue_session(login, now, Duration::from_secs(3600)).unwrap();
    let xml = Success {
        credentials: &credentials,
        role_arn: "arn:aws-cn:iam::123456789012:role/agents/auto",
        role_session_name: "fix-alarm",
        session_id: claims.session.as_str(),
        subject: &claims.login.subject,
        audience: "countersign",
        issuer: &claims.login.issuer,
    }
    .to_xml("request-1");
    let expected = format!(
        r#"<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>&lt;robot&gt; &amp; {replacement} co</SubjectFromWebIdentityToken>
    <Audience>countersign</Audience>
    <Provider>https://issuer.example</Provider>
    <AssumedRoleUser>
      <Arn>arn:aws-cn:sts::123456789012:assumed-role/auto/fix-alarm</Arn>
      <AssumedRoleId>{session}:fix-alarm</AssumedRoleId>
    </AssumedRoleUser>
    <Credentials>
      <AccessKeyId>{key}</AccessKeyId>
      <SecretAccessKey>{secret}</SecretAccessKey>
      <SessionToken>{token}</SessionToken>
      <Expiration>2026-11-18T12:06:40Z</Expiration>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata>
    <RequestId>request-1</RequestId>
  </ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>
"#,
        replacement = '\u{fffd}',
        session = claims.session,
        key = credentials.access_key_id,
        secret = credentials.secret_access_key.expose(),
        token = credentials.session_token,
    );
    assert_eq!(xml, expected);
}

#[test]
fn errors_are_answered_as_sts_does() {
    let expired = Timestamp::from_secs(0);
    for (error, code, status) in [
        (IdentityError::Expired(expired), "ExpiredTokenException", 400),
        (IdentityError::Signature, "InvalidIdentityToken", 400),
        (IdentityError::UnknownIssuer("x".to_owned()), "InvalidIdentityToken", 400),
        (IdentityError::Audience { expected: "a".to_owned() }, "IDPRejectedClaim", 403),
        (
            IdentityError::IssuerUnavailable { issuer: "i".to_owned(), problem: "p".to_owned() },
            "IDPCommunicationError",
            400,
        ),
    ] {
        let answer = StsError::from(&error);
        assert_eq!((answer.code.as_str(), answer.code.status()), (code, status));
    }
    assert_eq!(
        StsError::new(StsCode::AccessDenied, "not <here>").to_xml("r"),
        r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error>
    <Type>Sender</Type>
    <Code>AccessDenied</Code>
    <Message>not &lt;here&gt;</Message>
  </Error>
  <RequestId>r</RequestId>
</ErrorResponse>
"#
    );
    assert!(StsError::new(StsCode::InternalFailure, "").to_xml("r").contains("<Type>Receiver</Type>"));
}
