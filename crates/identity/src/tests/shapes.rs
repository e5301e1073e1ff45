//! Tokens of the issuers that must be expressible, and of another implementation.

use std::collections::BTreeSet;

use countersign_domain::settings::{Algorithm, Settings};

use super::*;

/// Issuer, agent, groups, owners.
type Shape = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const SHAPES: [Shape; 6] = [
    (
        "GitHub Actions",
        include_str!("../../fixtures/github-actions.toml"),
        include_str!("../../fixtures/github-actions.json"),
        "github:repo:octo-org/octo-repo:environment:prod",
        &["prod"],
        &["octocat"],
    ),
    (
        "GitLab",
        include_str!("../../fixtures/gitlab.toml"),
        include_str!("../../fixtures/gitlab.json"),
        "gitlab:my-group/my-project",
        &["mygroup/mysubgroup", "myothergroup/myothersubgroup"],
        &["sample-user@example.com"],
    ),
    (
        "Kubernetes",
        include_str!("../../fixtures/kubernetes.toml"),
        include_str!("../../fixtures/kubernetes.json"),
        "k8s:prod:fixer",
        &["agents"],
        &[],
    ),
    (
        "Okta",
        include_str!("../../fixtures/okta.toml"),
        include_str!("../../fixtures/okta.json"),
        "okta:0oa3jq1apZL7ysIOI5d6",
        &["agents", "fixers"],
        &["ann@example.com"],
    ),
    (
        "Entra ID",
        include_str!("../../fixtures/entra-id.toml"),
        include_str!("../../fixtures/entra-id.json"),
        "entra:690222be-ff1a-4d56-abd1-7e4f7d38e474",
        &["Agents.Fix"],
        &[],
    ),
    (
        "Cognito",
        include_str!("../../fixtures/cognito.toml"),
        include_str!("../../fixtures/cognito.json"),
        "cognito:1example23456789",
        &["agents"],
        &[],
    ),
];

/// A verifier for the setting, and a time within the life of the claims.
fn stage_for(setting: &AgentIssuer, claims: &Value) -> (Signer, TokenVerifier<Arc<Web>>, Timestamp) {
    let signer = Signer::new("k1");
    let web = Arc::new(Web::default());
    web.serve_issuer(&setting.issuer, &[signer.jwk()]);
    let now = Timestamp::from_secs(claims["iat"].as_u64().unwrap() + 10);
    (signer, TokenVerifier::new(vec![setting.clone()], vec![], web), now)
}

#[tokio::test]
async fn known_issuers_are_expressible() {
    for (about, setting, claims, agent, groups, owners) in SHAPES {
        let setting = agent_issuer(setting);
        let claims: Value = serde_json::from_str(claims).unwrap();
        let (signer, verifier, now) = stage_for(&setting, &claims);
        let identity = verifier.verify_agent(&signer.sign(&claims), now).await.unwrap();
        assert_eq!(identity.agent.as_str(), agent, "{about}");
        let found: BTreeSet<&str> = identity.groups.iter().map(|group| group.as_str()).collect();
        assert_eq!(found, groups.iter().copied().collect(), "{about}");
        assert_eq!(identity.owner_claims, owners, "{about}");
        assert_eq!(identity.issuer, setting.issuer, "{about}");

        // Each required claim counts.
        for path in setting.require.keys() {
            let mut other = setting.clone();
            other.require.insert(path.clone(), vec!["another".to_owned()]);
            let (signer, verifier, now) = stage_for(&other, &claims);
            let error = verifier.verify_agent(&signer.sign(&claims), now).await.unwrap_err();
            assert_eq!(error, claim_error(path, "has a value that is not accepted here"), "{about}");
        }
    }
}

#[tokio::test]
async fn a_token_with_an_audience_is_refused_where_the_setting_reads_another_claim() {
    let setting = agent_issuer(include_str!("../../fixtures/cognito.toml"));
    let mut claims: Value = serde_json::from_str(include_str!("../../fixtures/cognito.json")).unwrap();
    claims["aud"] = json!("https://another.example");
    let (signer, verifier, now) = stage_for(&setting, &claims);
    let error = verifier.verify_agent(&signer.sign(&claims), now).await.unwrap_err();
    assert!(matches!(error, IdentityError::Audience { .. }), "{error}");
}

#[tokio::test]
async fn groups_that_were_left_out_or_cannot_be_groups_are_refused() {
    let mut setting = default_agent_issuer();
    setting.groups_claim = Some("groups".to_owned());
    for (changes, problem) in [
        (json!({ "_claim_names": { "groups": "src1" } }), Some("left out by the issuer")),
        (json!({ "hasgroups": true }), Some("left out by the issuer")),
        (json!({ "groups": ["Data Team"] }), Some("cannot be a group")),
        (json!({ "groups": ["a", 1] }), Some("not a short text")),
        (json!({ "groups": { "a": 1 } }), Some("neither a text nor a list")),
        (json!({ "groups": vec!["a"; 201] }), Some("more than 200 entries")),
        (json!({ "groups": "one" }), None),
        (json!({ "groups": [] }), None),
        (json!({}), None),
    ] {
        let claims = claims_with(&changes);
        let (signer, verifier, now) = stage_for(&setting, &claims);
        let result = verifier.verify_agent(&signer.sign(&claims), now).await;
        match problem {
            Some(problem) => assert!(result.unwrap_err().to_string().contains(problem), "{changes}"),
            None => assert!(result.is_ok(), "{changes}"),
        }
    }
}

#[tokio::test]
async fn one_issuer_with_two_settings_names_by_the_one_that_is_met() {
    let entry = |prefix: &str, repository: &str| {
        agent_issuer(&format!(
            "issuer = '{ISSUER}'\naudience = '{AUDIENCE}'\nagent_claim = 'sub'\nagent_prefix = '{prefix}'\n[require]\nrepository = ['{repository}']"
        ))
    };
    let signer = Signer::new("k1");
    let web = Arc::new(Web::default());
    web.serve_issuer(ISSUER, &[signer.jwk()]);
    let verifier = TokenVerifier::new(vec![entry("a:", "one"), entry("b:", "two")], vec![], web);
    for (repository, agent) in [("one", Some("a:robot")), ("two", Some("b:robot")), ("three", None)] {
        let token = signer.sign(&claims_with(&json!({ "repository": repository })));
        let identity = verifier.verify_agent(&token, NOW).await;
        assert_eq!(identity.ok().as_ref().map(|identity| identity.agent.as_str()), agent);
    }
}

#[tokio::test]
async fn owners_are_mapped_by_id_email_or_subject() {
    let settings: Settings = toml::from_str(&format!(
        r#"
        agent_issuers = []
        targets = []
        channels = {{ email_from = "a@example.com" }}
        [[persons]]
        id = "ann"
        [[persons]]
        id = "ben"
        emails = ["Ben@example.com"]
        [[persons]]
        id = "cat"
        subjects = ["{ISSUER}|octocat"]
        [[persons]]
        id = "dan"
        subjects = ["https://another.example|dan-there"]
        "#
    ))
    .unwrap();
    let mut setting = default_agent_issuer();
    setting.owners_claim = Some("owners".to_owned());
    let claims = claims_with(&json!({ "owners": ["ann", "ben@example.com", "octocat", "dan-there", "nobody"] }));
    let (signer, verifier, now) = stage_for(&setting, &claims);
    let identity = verifier.verify_agent(&signer.sign(&claims), now).await.unwrap();
    let owners = identity.owners(&settings);
    assert_eq!(owners.iter().map(|person| person.as_str()).collect::<Vec<_>>(), ["ann", "ben", "cat"]);
}

#[tokio::test]
async fn tokens_of_another_implementation() {
    let fixture: Value = serde_json::from_str(include_str!("../../fixtures/independent-tokens.json")).unwrap();
    let keys = fixture["keys"]["keys"].as_array().unwrap();
    let web = Arc::new(Web::default());
    web.serve_issuer(ISSUER, keys);
    let mut setting = default_agent_issuer();
    setting.algorithms = [
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::EdDSA,
    ]
    .into();
    let verifier = TokenVerifier::new(vec![setting], vec![], web);
    let accepted = fixture["accepted"].as_object().unwrap();
    assert_eq!(accepted.len(), 7);
    for (algorithm, token) in accepted {
        let result = verifier.verify_agent(token.as_str().unwrap(), NOW).await;
        assert!(result.is_ok(), "{algorithm}: {result:?}");
        let (input, signature) = token.as_str().unwrap().rsplit_once('.').unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        bytes[7] ^= 1;
        let forged = format!("{input}.{}", encode(bytes));
        assert_eq!(verifier.verify_agent(&forged, NOW).await.unwrap_err(), IdentityError::Signature, "{algorithm}");
    }
    for (about, token) in fixture["refused"].as_object().unwrap() {
        let result = verifier.verify_agent(token.as_str().unwrap(), NOW).await;
        assert!(matches!(result, Err(IdentityError::Signature | IdentityError::UnknownKey)), "{about}: {result:?}");
    }
}
