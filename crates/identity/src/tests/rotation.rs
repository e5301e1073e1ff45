//! Keys: caching, rotation, outages, and documents that lie.

use std::time::Duration;

use super::*;
use crate::keys::{KEYS_FRESH, KEYS_USABLE, REFETCH_INTERVAL};

fn later(duration: Duration) -> Timestamp {
    NOW.plus(duration)
}

/// A token that outlives the tests.
fn token_of(signer: &Signer) -> String {
    signer.sign(&claims_with(&json!({ "exp": NOW.as_secs() + 1_000_000 })))
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_when_stale() {
    let (signer, web, verifier) = stage();
    let token = token_of(&signer);
    for _ in 0..50 {
        verifier.verify_agent(&token, NOW).await.unwrap();
    }
    assert_eq!(web.asked(), 2, "discovery and keys");
    verifier.verify_agent(&token, later(KEYS_FRESH - Duration::from_secs(1))).await.unwrap();
    assert_eq!(web.asked(), 2);
    verifier.verify_agent(&token, later(KEYS_FRESH)).await.unwrap();
    assert_eq!(web.asked(), 4);
}

#[tokio::test]
async fn calls_at_once_share_one_fetch() {
    let (signer, web, verifier) = stage();
    let token = token_of(&signer);
    let verifier = Arc::new(verifier);
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (verifier, token) = (Arc::clone(&verifier), token.clone());
            tokio::spawn(async move { verifier.verify_agent(&token, NOW).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(web.asked(), 2);
}

#[tokio::test]
async fn unknown_key_ids_fetch_at_most_once_a_minute() {
    let (signer, web, verifier) = stage();
    verifier.verify_agent(&token_of(&signer), NOW).await.unwrap();
    let forged = signer.sign_raw(r#"{"alg":"ES256","kid":"forged"}"#, &claims().to_string());
    // Ten a second for five minutes: the first and four more fetches, of two documents each.
    for tenths in 0..3_000 {
        let now = later(Duration::from_millis(100 * tenths));
        assert_eq!(verifier.verify_agent(&forged, now).await.unwrap_err(), IdentityError::UnknownKey);
    }
    assert_eq!(web.asked(), 2 * 5);
}

#[tokio::test]
async fn a_new_key_is_found_and_an_old_one_forgotten() {
    let (old, web, verifier) = stage();
    verifier.verify_agent(&token_of(&old), NOW).await.unwrap();
    let new = Signer::new("k2");
    web.serve_issuer(ISSUER, &[new.jwk()]);
    let at_once = verifier.verify_agent(&token_of(&new), later(Duration::from_secs(1))).await;
    assert_eq!(at_once.unwrap_err(), IdentityError::UnknownKey);
    // The fetch for the new key forgets the old one.
    verifier.verify_agent(&token_of(&new), later(REFETCH_INTERVAL)).await.unwrap();
    let withdrawn = verifier.verify_agent(&token_of(&old), later(REFETCH_INTERVAL)).await;
    assert_eq!(withdrawn.unwrap_err(), IdentityError::UnknownKey);
}

#[tokio::test]
async fn an_outage_is_bridged_for_an_hour_and_not_longer() {
    let (signer, web, verifier) = stage();
    let token = token_of(&signer);
    verifier.verify_agent(&token, NOW).await.unwrap();
    web.go_down();
    verifier.verify_agent(&token, later(KEYS_USABLE - Duration::from_secs(1))).await.unwrap();
    let after = verifier.verify_agent(&token, later(KEYS_USABLE + REFETCH_INTERVAL)).await.unwrap_err();
    assert!(
        matches!(&after, IdentityError::IssuerUnavailable { problem, .. } if problem == "connection refused"),
        "{after:?}"
    );
    assert!(after.retryable());
}

#[tokio::test]
async fn a_failed_fetch_is_remembered_for_a_minute() {
    let (signer, web, verifier) = stage();
    web.go_down();
    let token = token_of(&signer);
    for second in 0..60 {
        assert!(verifier.verify_agent(&token, later(Duration::from_secs(second))).await.is_err());
    }
    assert_eq!(web.asked(), 1);
    web.serve_issuer(ISSUER, &[signer.jwk()]);
    verifier.verify_agent(&token, later(REFETCH_INTERVAL)).await.unwrap();
}

#[tokio::test]
async fn documents_that_lie_are_refused() {
    let signer = Signer::new("k1");
    let discovery = format!("{ISSUER}/.well-known/openid-configuration");
    let keys = format!("{ISSUER}/keys");
    let good_keys = json!({ "keys": [signer.jwk()] });
    let with = |issuer: &str, jwks_uri: &str| json!({ "issuer": issuer, "jwks_uri": jwks_uri });
    let two_keys = json!({ "keys": [signer.jwk(), Signer::new("k1").jwk()] });
    for (about, document, key_set, problem) in [
        (
            "another issuer",
            with("https://evil.example", &keys),
            &good_keys,
            "the discovery document names another issuer",
        ),
        (
            "a slash more",
            with("https://issuer.example/", &keys),
            &good_keys,
            "the discovery document names another issuer",
        ),
        (
            "a template",
            with("https://issuer.example/{tenantid}", &keys),
            &good_keys,
            "the discovery document names another issuer",
        ),
        ("no issuer", json!({ "jwks_uri": keys }), &good_keys, "the discovery document names another issuer"),
        ("no keys", json!({ "issuer": ISSUER }), &good_keys, "the discovery document names no keys"),
        ("plain http", with(ISSUER, "http://issuer.example/keys"), &good_keys, "the address of the keys is not https"),
        ("loopback", with(ISSUER, "http://127.0.0.1/keys"), &good_keys, "the address of the keys is not https"),
        ("a file", with(ISSUER, "file:///etc/passwd"), &good_keys, "the address of the keys is not https"),
        (
            "user info",
            with(ISSUER, "https://issuer.example@evil.example/keys"),
            &good_keys,
            "the address of the keys is not https",
        ),
        ("a list", json!(["https://issuer.example"]), &good_keys, "the discovery document is not strict json"),
        ("no key set", with(ISSUER, &keys), &json!({}), "the key set has no `keys`"),
        (
            "an empty key set",
            with(ISSUER, &keys),
            &json!({ "keys": [] }),
            "the key set has no signing key of a known kind",
        ),
        (
            "only a symmetric key",
            with(ISSUER, &keys),
            &json!({ "keys": [{ "kty": "oct", "k": "AA", "kid": "k1" }] }),
            "the key set has no signing key of a known kind",
        ),
    ] {
        let web = Arc::new(Web::default());
        web.serve(&discovery, &document);
        web.serve(&keys, key_set);
        let verifier = TokenVerifier::new(vec![default_agent_issuer()], vec![], Arc::clone(&web));
        let error = verifier.verify_agent(&token_of(&signer), NOW).await.unwrap_err();
        assert_eq!(
            error,
            IdentityError::IssuerUnavailable { issuer: ISSUER.to_owned(), problem: problem.to_owned() },
            "{about}"
        );
        assert!(web.asked.lock().unwrap().iter().all(|url| url.starts_with(ISSUER)), "{about}");
    }
    // Two keys under one id: neither is used.
    let web = Arc::new(Web::default());
    web.serve(&discovery, &with(ISSUER, &keys));
    web.serve(&keys, &two_keys);
    let verifier = TokenVerifier::new(vec![default_agent_issuer()], vec![], web);
    assert_eq!(verifier.verify_agent(&token_of(&signer), NOW).await.unwrap_err(), IdentityError::UnknownKey);
}

#[tokio::test]
async fn a_loopback_issuer_may_use_plain_http() {
    let signer = Signer::new("k1");
    for (issuer, works) in [
        ("http://127.0.0.1:8123", true),
        ("http://localhost:8123/realm/", true),
        ("http://[::1]:8123", true),
        ("http://10.0.0.1", false),
        ("http://localhost.evil.example", false),
        ("ftp://issuer.example", false),
        ("issuer.example", false),
    ] {
        let web = Arc::new(Web::default());
        web.serve_issuer(issuer, &[signer.jwk()]);
        let mut setting = default_agent_issuer();
        setting.issuer = issuer.to_owned();
        let verifier = TokenVerifier::new(vec![setting], vec![], Arc::clone(&web));
        let token = signer.sign(&claims_with(&json!({ "iss": issuer })));
        assert_eq!(verifier.verify_agent(&token, NOW).await.is_ok(), works, "{issuer}");
        assert_eq!(web.asked() > 0, works, "{issuer}");
    }
}
