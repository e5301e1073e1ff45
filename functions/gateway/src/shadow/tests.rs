use countersign_domain::{AgentId, Timestamp};
use countersign_understanding as understanding;

use super::*;

const SETTINGS: &str = include_str!("../../../../crates/policy/tests/policy/countersign.toml");

/// A bundle that permits everything, with the files of a shadow bundle beside it.
fn folder(shadow: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("countersign.toml"), SETTINGS).unwrap();
    std::fs::write(folder.path().join("live.cedar"), "permit(principal, action, resource);").unwrap();
    if !shadow.is_empty() {
        std::fs::create_dir(folder.path().join(SHADOW_DIR)).unwrap();
    }
    for (name, text) in shadow {
        std::fs::write(folder.path().join(SHADOW_DIR).join(name), text).unwrap();
    }
    folder
}

/// What the shadow bundle says to `sqs:ListQueues`.
fn decide(folder: &tempfile::TempDir) -> Option<ShadowBundle> {
    let bundle = Bundle::load(folder.path(), |_| None, &[]).unwrap();
    let target = &bundle.settings().targets[0];
    let request = countersign_catalogue::WireRequest {
        method: "POST",
        path: "/",
        query: "",
        headers: &[
            ("x-amz-target".to_owned(), "AmazonSQS.ListQueues".to_owned()),
            ("content-type".to_owned(), "application/x-amz-json-1.0".to_owned()),
        ],
        body: bytes::Bytes::from_static(b"{}"),
        signing_name: "sqs",
        signing_region: "eu-central-1",
        host_prefix: "",
        from_chunked: false,
        body_is_signed: true,
        endpoint: countersign_catalogue::Endpoint::Any,
    };
    let call = understanding::understand(&request, target).unwrap();
    let agent = AgentId::new("explorer").unwrap();
    let facts = Facts {
        agent: &agent,
        agent_groups: &[].into(),
        owners: &[].into(),
        target,
        session_age: std::time::Duration::ZERO,
        unverified_task: "look",
        source_ip: None,
        now: Timestamp::from_secs(1),
    };
    assert_eq!(bundle.decide(&call, &facts).decision.as_str(), "allow", "the live bundle is not touched");
    Shadow::load(folder.path(), &[]).decide(&call, &facts)
}

#[test]
fn without_a_folder_there_is_no_shadow() {
    assert_eq!(decide(&folder(&[])), None);
}

#[test]
fn a_shadow_bundle_decides_with_the_settings_of_the_live_one() {
    let shadow = folder(&[("next.cedar", "@id(\"none\") @reason(\"no queues\") forbid(principal, action, resource);")]);
    let Some(ShadowBundle::Decided { decision, rules, .. }) = decide(&shadow) else { panic!("it did not decide") };
    assert_eq!(decision, "deny");
    assert_eq!(rules[0].rule, "next/none");
}

#[test]
fn limits_on_rules_of_the_live_bundle_do_not_trouble_the_shadow() {
    let shadow = folder(&[("next.cedar", "permit(principal, action, resource);")]);
    let limit = "[[limits.rate]]\nname = \"x\"\nper = \"rule\"\nrules = [\"live/rule1\"]\npending = 1\n";
    std::fs::write(shadow.path().join("countersign.toml"), format!("{SETTINGS}{limit}")).unwrap();
    assert!(matches!(decide(&shadow), Some(ShadowBundle::Decided { decision, .. }) if decision == "allow"));
}

#[test]
fn a_shadow_bundle_that_does_not_load_or_cannot_be_read_is_an_error_on_record() {
    let broken = folder(&[("next.cedar", "\npermit(principal, action);")]);
    let Some(ShadowBundle::Failed { error }) = decide(&broken) else { panic!("it decided") };
    assert!(error.starts_with("shadow/next.cedar:2: the rule does not parse"), "{error}");
    let file = folder(&[]);
    std::fs::write(file.path().join(SHADOW_DIR), "not a folder").unwrap();
    assert!(matches!(decide(&file), Some(ShadowBundle::Failed { .. })));
    // A shadow rule that errs is a denial of the shadow bundle, as it would be of the live one.
    let errs = folder(&[("next.cedar", "permit(principal, action, resource) when { context.params.Missing == 1 };")]);
    assert!(matches!(decide(&errs), Some(ShadowBundle::Decided { decision, .. }) if decision == "deny"));
}

#[test]
fn a_panic_is_an_error_on_record() {
    assert_eq!(guarded(|| 1), Ok(1));
    let caught: Result<(), String> = guarded(|| panic!("a defect, on purpose"));
    assert!(caught.is_err_and(|error| error.contains("a defect")));
}
