//! Tokens that must not pass.

use ring::hmac;

use super::*;

#[tokio::test]
async fn a_right_token_passes() {
    let (signer, _, verifier) = stage();
    for audience in [json!(AUDIENCE), json!([AUDIENCE])] {
        let token = signer.sign(&claims_with(&json!({ "aud": audience })));
        let identity = verifier.verify_agent(&token, NOW).await.unwrap();
        assert_eq!(identity.agent.as_str(), "robot");
        assert_eq!(identity.jti.as_deref(), Some("1"));
        assert_eq!(identity.expires_at.as_secs(), NOW.as_secs() + 600);
    }
}

#[tokio::test]
async fn claims_that_are_not_right() {
    let now = NOW.as_secs();
    let audience = || IdentityError::Audience { expected: AUDIENCE.to_owned() };
    let not_seconds = |claim| claim_error(claim, "is not a whole number of seconds");
    let unknown = |issuer: &str| IdentityError::UnknownIssuer(issuer.to_owned());
    for (changes, expected) in [
        (json!({ "aud": "another" }), audience()),
        (json!({ "aud": [AUDIENCE, "another"] }), audience()),
        (json!({ "aud": [AUDIENCE, AUDIENCE] }), audience()),
        (json!({ "aud": [] }), audience()),
        (json!({ "aud": "" }), audience()),
        (json!({ "aud": { "0": AUDIENCE } }), audience()),
        (json!({ "aud": null }), audience()),
        (json!({ "aud": "Countersign" }), audience()),
        (json!({ "exp": now - 60 }), IdentityError::Expired(Timestamp::from_secs(now - 60))),
        (json!({ "exp": 0 }), IdentityError::Expired(Timestamp::from_secs(0))),
        (json!({ "exp": (now + 600).to_string() }), not_seconds("exp")),
        (json!({ "exp": -1 }), not_seconds("exp")),
        (json!({ "exp": 1e30 }), not_seconds("exp")),
        (json!({ "exp": [now + 600] }), not_seconds("exp")),
        (json!({ "exp": true }), not_seconds("exp")),
        (json!({ "exp": null }), claim_error("exp", "is missing")),
        (json!({ "iat": null }), claim_error("iat", "is missing")),
        (json!({ "iat": now + 61 }), IdentityError::NotYetValid(Timestamp::from_secs(now + 61))),
        (json!({ "nbf": now + 61 }), IdentityError::NotYetValid(Timestamp::from_secs(now + 61))),
        (json!({ "nbf": "0" }), not_seconds("nbf")),
        (json!({ "iss": "https://issuer.example/" }), unknown("https://issuer.example/")),
        (json!({ "iss": "https://ISSUER.example" }), unknown("https://ISSUER.example")),
        (json!({ "iss": "http://issuer.example" }), unknown("http://issuer.example")),
        (json!({ "iss": "https://evil.example" }), unknown("https://evil.example")),
        (json!({ "iss": [ISSUER] }), claim_error("iss", "is missing or not a text")),
        (json!({ "iss": null }), claim_error("iss", "is missing or not a text")),
        (json!({ "sub": null }), claim_error("sub", "is missing")),
        (json!({ "sub": "" }), claim_error("sub", "is empty")),
        (json!({ "sub": 7 }), claim_error("sub", "is not a text")),
        (json!({ "sub": "a".repeat(600) }), claim_error("sub", "is longer than 512 bytes")),
    ] {
        let (signer, _, verifier) = stage();
        let token = signer.sign(&claims_with(&changes));
        assert_eq!(verifier.verify_agent(&token, NOW).await.unwrap_err(), expected, "{changes}");
    }
    let (signer, _, verifier) = stage();
    let odd_name = signer.sign(&claims_with(&json!({ "sub": "robot#admin\n" })));
    let error = verifier.verify_agent(&odd_name, NOW).await.unwrap_err().to_string();
    assert!(error.starts_with("the claim `sub` does not name an agent"), "{error}");
}

#[tokio::test]
async fn the_leeway_is_sixty_seconds() {
    let now = NOW.as_secs();
    for changes in [json!({ "exp": now - 59 }), json!({ "iat": now + 60 }), json!({ "nbf": now + 60 })] {
        let (signer, _, verifier) = stage();
        let token = signer.sign(&claims_with(&changes));
        assert!(verifier.verify_agent(&token, NOW).await.is_ok(), "{changes}");
    }
}

#[tokio::test]
async fn headers_that_are_not_right() {
    let (signer, web, verifier) = stage();
    let attacker = Signer::new("k1");
    web.serve_issuer("https://evil.example", &[attacker.jwk()]);
    let claims = claims().to_string();
    let point = signer.jwk();
    // The classic: the public key as an HMAC secret.
    let hmac_forged = |secret: &[u8]| {
        let input = format!("{}.{}", encode(r#"{"alg":"HS256","kid":"k1"}"#), encode(&claims));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
        format!("{input}.{}", encode(tag))
    };
    let unsigned = |header: &str| format!("{}.{}.", encode(header), encode(&claims));
    let algorithm = |name: &str| IdentityError::Algorithm(name.to_owned());
    for (about, token, expected) in [
        ("none", unsigned(r#"{"alg":"none"}"#), algorithm("none")),
        ("NONE", unsigned(r#"{"alg":"nOnE"}"#), algorithm("nOnE")),
        ("empty algorithm", unsigned(r#"{"alg":""}"#), algorithm("")),
        ("no algorithm", unsigned("{}"), IdentityError::Malformed("it names no algorithm")),
        (
            "algorithm twice",
            unsigned(r#"{"alg":"ES256","alg":"none"}"#),
            IdentityError::Malformed("its json names a member twice"),
        ),
        ("empty signature", unsigned(r#"{"alg":"ES256","kid":"k1"}"#), IdentityError::Signature),
        ("hmac with the jwk", hmac_forged(point.to_string().as_bytes()), algorithm("HS256")),
        ("hmac with the point", hmac_forged(signer.pair.public_key().as_ref()), algorithm("HS256")),
        (
            "an algorithm that is not accepted",
            signer.sign_raw(r#"{"alg":"ES384","kid":"k1"}"#, &claims),
            algorithm("ES384"),
        ),
        (
            "an algorithm of another kind of key",
            signer.sign_raw(r#"{"alg":"RS256","kid":"k1"}"#, &claims),
            IdentityError::UnknownKey,
        ),
        ("unknown key", signer.sign_raw(r#"{"alg":"ES256","kid":"k2"}"#, &claims), IdentityError::UnknownKey),
        (
            "key id as a path",
            signer.sign_raw(r#"{"alg":"ES256","kid":"../keys/k1"}"#, &claims),
            IdentityError::UnknownKey,
        ),
        (
            "key id as sql",
            signer.sign_raw(r#"{"alg":"ES256","kid":"x' OR '1'='1"}"#, &claims),
            IdentityError::UnknownKey,
        ),
        ("key id of nothing", signer.sign_raw(r#"{"alg":"ES256","kid":""}"#, &claims), IdentityError::UnknownKey),
        (
            "key id as a number",
            signer.sign_raw(r#"{"alg":"ES256","kid":1}"#, &claims),
            IdentityError::Malformed("its key id is not a short text"),
        ),
        (
            "keys from elsewhere",
            attacker.sign_raw(
                &json!({
                    "alg": "ES256", "kid": "k1", "jku": "https://evil.example/keys", "x5u": "https://evil.example/x5u",
                    "jwk": attacker.jwk(), "x5c": ["AAAA"],
                })
                .to_string(),
                &claims,
            ),
            IdentityError::Signature,
        ),
        ("another key", attacker.sign_raw(r#"{"alg":"ES256","kid":"k1"}"#, &claims), IdentityError::Signature),
        (
            "an extension",
            signer.sign_raw(r#"{"alg":"ES256","kid":"k1","crit":["b64"],"b64":false}"#, &claims),
            IdentityError::Malformed("it asks for an extension by `crit`"),
        ),
        (
            "a logout token",
            signer.sign_raw(r#"{"alg":"ES256","kid":"k1","typ":"logout+jwt"}"#, &claims),
            IdentityError::Type("logout+jwt".to_owned()),
        ),
        (
            "a type that is no text",
            signer.sign_raw(r#"{"alg":"ES256","kid":"k1","typ":["JWT"]}"#, &claims),
            IdentityError::Type("?".to_owned()),
        ),
    ] {
        assert_eq!(verifier.verify_agent(&token, NOW).await.unwrap_err(), expected, "{about}");
    }
    assert!(web.asked.lock().unwrap().iter().all(|url| url.starts_with(ISSUER)), "{:?}", web.asked.lock().unwrap());
}

#[tokio::test]
async fn types_that_identify_a_caller() {
    let (signer, _, verifier) = stage();
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt", "application/JWT"] {
        let header = json!({ "alg": "ES256", "kid": "k1", "typ": typ }).to_string();
        assert!(verifier.verify_agent(&signer.sign_raw(&header, &claims().to_string()), NOW).await.is_ok(), "{typ}");
    }
    // One key for the algorithm: no key id is needed.
    let token = signer.sign_raw(r#"{"alg":"ES256"}"#, &claims().to_string());
    assert!(verifier.verify_agent(&token, NOW).await.is_ok());
}

#[tokio::test]
async fn texts_that_are_no_token() {
    let (signer, web, verifier) = stage();
    let good = signer.sign(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let duplicated = claims().to_string().replacen('{', r#"{"sub":"admin","#, 1);
    let escaped_twice = claims().to_string().replacen('{', r#"{"\u0073ub":"admin","#, 1);
    let deep = format!(r#"{{"iss":"{ISSUER}","a":{}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let header = r#"{"alg":"ES256","kid":"k1"}"#;
    let long = signer.sign(&claims_with(&json!({ "padding": "a".repeat(16 * 1024) })));
    for (about, token) in [
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{good}.AA")),
        ("five parts", format!("{good}.AA.AA")),
        ("padding", format!("{good}=")),
        ("white space", format!(" {good}")),
        ("a line break", format!("{good}\n")),
        ("a line break within", good.replacen('.', "\n.", 1)),
        ("the other base64", good.replace(['-', '_'], "+")),
        (
            "json serialisation",
            json!({ "payload": parts[1], "protected": parts[0], "signature": parts[2] }).to_string(),
        ),
        ("an array of claims", signer.sign_raw(header, "[]")),
        ("no json", signer.sign_raw(header, "iss")),
        ("a claim twice", signer.sign_raw(header, &duplicated)),
        ("a claim twice, escaped", signer.sign_raw(header, &escaped_twice)),
        ("nesting", signer.sign_raw(header, &deep)),
        ("two documents", signer.sign_raw(header, &format!("{}{}", claims(), claims()))),
        ("length", long),
        ("a nul", format!("{good}\0")),
    ] {
        let result = verifier.verify_agent(&token, NOW).await;
        // Replacing the alphabet changes nothing in a token that happens not to use it.
        if token == good {
            continue;
        }
        assert!(matches!(result, Err(IdentityError::Malformed(_) | IdentityError::TooLong(_))), "{about}: {result:?}");
    }
    assert_eq!(web.asked(), 0, "nothing of this may reach the network");
}

#[tokio::test]
async fn any_changed_character_fails() {
    let (signer, _, verifier) = stage();
    let good = signer.sign(&claims());
    for place in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(verifier.verify_agent(&changed, NOW).await.is_err(), "{place}");
    }
}

#[tokio::test]
async fn an_unknown_issuer_reaches_no_network() {
    let (_, web, verifier) = stage();
    let attacker = Signer::new("k1");
    let token = attacker.sign(&claims_with(&json!({ "iss": "https://169.254.169.254" })));
    assert!(matches!(verifier.verify_agent(&token, NOW).await, Err(IdentityError::UnknownIssuer(_))));
    assert_eq!(web.asked(), 0);
}

#[tokio::test]
async fn the_digest_leaves_the_signature_out() {
    let (signer, _, verifier) = stage();
    // ECDSA signs the same claims in many ways; they are one token to us.
    let one = verifier.verify_agent(&signer.sign(&claims()), NOW).await.unwrap();
    let two = verifier.verify_agent(&signer.sign(&claims()), NOW).await.unwrap();
    let other = verifier.verify_agent(&signer.sign(&claims_with(&json!({ "jti": "2" }))), NOW).await.unwrap();
    assert_eq!(one.token_hash, two.token_hash);
    assert_ne!(one.token_hash, other.token_hash);
}
