//! ID tokens of persons.

use countersign_domain::settings::Settings;

use super::*;
use crate::token::MappedClaim;

fn stage_with(setting: &str) -> (Signer, TokenVerifier<Arc<Web>>) {
    let signer = Signer::new("k1");
    let web = Arc::new(Web::default());
    web.serve_issuer(ISSUER, &[signer.jwk()]);
    let setting = person_issuer(&format!("issuer = '{ISSUER}'\nclient_id = 'approvals'\n{setting}"));
    (signer, TokenVerifier::new(vec![], vec![setting], web))
}

fn person_claims(changes: &Value) -> Value {
    let mut claims = claims_with(&json!({ "aud": "approvals", "nonce": "n-1", "sub": "00u1" }));
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    claims
}

#[tokio::test]
async fn a_person_is_mapped_by_subject() {
    let (signer, verifier) = stage_with("");
    let token = signer.sign(&person_claims(&json!({
        "auth_time": NOW.as_secs() - 30, "amr": ["pwd", "hwk"], "acr": "phr", "azp": "approvals",
    })));
    let identity = verifier.verify_person(&token, Some("n-1"), NOW).await.unwrap();
    assert_eq!(identity.mapped, MappedClaim::Subject("00u1".to_owned()));
    assert_eq!(identity.methods, ["pwd", "hwk"]);
    assert_eq!(identity.context_class.as_deref(), Some("phr"));
    assert_eq!(identity.authenticated_at, Some(Timestamp::from_secs(NOW.as_secs() - 30)));
    let settings: Settings = toml::from_str(&format!(
        "agent_issuers = []\ntargets = []\nchannels = {{ email_from = 'a@example.com' }}\n[[persons]]\nid = 'ann'\nsubjects = ['{ISSUER}|00u1']"
    ))
    .unwrap();
    assert_eq!(identity.person(&settings).unwrap().id.as_str(), "ann");
}

#[tokio::test]
async fn an_email_counts_only_when_verified() {
    let (signer, verifier) = stage_with("subject_claim = 'email'");
    for (changes, passes) in [
        (json!({ "email": "ann@example.com", "email_verified": true }), true),
        (json!({ "email": "ann@example.com", "email_verified": "true" }), false),
        (json!({ "email": "ann@example.com", "email_verified": false }), false),
        (json!({ "email": "ann@example.com" }), false),
        (json!({ "email_verified": true }), false),
    ] {
        let token = signer.sign(&person_claims(&changes));
        let identity = verifier.verify_person(&token, None, NOW).await;
        assert_eq!(identity.is_ok(), passes, "{changes}");
    }
}

#[tokio::test]
async fn tokens_for_another_sign_in_or_client_are_refused() {
    let (signer, verifier) = stage_with("");
    for (changes, nonce, expected) in [
        (json!({}), "n-2", IdentityError::Nonce),
        (json!({ "nonce": "" }), "n-1", IdentityError::Nonce),
        (json!({ "nonce": 1 }), "n-1", IdentityError::Nonce),
        (json!({ "aud": "another" }), "n-1", IdentityError::Audience { expected: "approvals".to_owned() }),
        (
            json!({ "aud": ["approvals", "another"] }),
            "n-1",
            IdentityError::Audience { expected: "approvals".to_owned() },
        ),
        (json!({ "azp": "another" }), "n-1", claim_error("azp", "names another client")),
        (json!({ "auth_time": "now" }), "n-1", claim_error("auth_time", "is not a whole number of seconds")),
    ] {
        let token = signer.sign(&person_claims(&changes));
        assert_eq!(verifier.verify_person(&token, Some(nonce), NOW).await.unwrap_err(), expected, "{changes}");
    }
    // An access token is no ID token, although the same issuer signs both.
    let access =
        signer.sign_raw(r#"{"alg":"ES256","kid":"k1","typ":"at+jwt"}"#, &person_claims(&json!({})).to_string());
    assert!(matches!(verifier.verify_person(&access, None, NOW).await, Err(IdentityError::Type(_))));
    // An agent's token is no person's, and the other way round.
    let agent = signer.sign(&claims());
    assert!(verifier.verify_person(&agent, None, NOW).await.is_err());
    let person = signer.sign(&person_claims(&json!({})));
    assert!(matches!(verifier.verify_agent(&person, NOW).await, Err(IdentityError::UnknownIssuer(_))));
}

#[tokio::test]
async fn endpoints_come_from_discovery() {
    let (_, verifier) = stage_with("");
    let endpoints = verifier.sign_in_endpoints(ISSUER, NOW).await.unwrap();
    assert_eq!(endpoints.authorization_endpoint.as_deref(), Some("https://issuer.example/authorize"));
    assert_eq!(endpoints.token_endpoint.as_deref(), Some("https://issuer.example/token"));
    let other = verifier.sign_in_endpoints("https://another.example", NOW).await;
    assert!(matches!(other, Err(IdentityError::UnknownIssuer(_))));
}
