//! The line of JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    StackConfig,
    blueprint::{Templates, target_role},
    credentials,
    listeners::Listeners,
    names::{AGENT_AUDIENCE, PERSON_CLIENT_ID, TARGET_ACCOUNT},
};
use crate::{doors::DoorKind, issuer::Issuer, lambda_host::LambdaHost, plan::Plan};

/// Where the emulators themselves are, behind everything that verifies.
pub(super) struct EmulatorUrls {
    /// What stands for the target account.
    pub(super) upstream: String,
    /// What holds the stack's own tables, keys and buckets.
    pub(super) store: String,
}

/// What the stack tells of itself.
pub(super) fn described(
    config: &StackConfig,
    listeners: &Listeners,
    templates: &Templates,
    plan: &Plan,
    backends: &EmulatorUrls,
    credentials: &credentials::Written,
    lambda: &LambdaHost,
) -> Value {
    let endpoint = |function: &str| listeners.api_of(plan, lambda, function).unwrap_or_default();
    let gateway = match config.door {
        DoorKind::HttpApi => endpoint("gateway"),
        DoorKind::FunctionUrl => listeners.function_url.url(),
    };
    let issuer = listeners.issuer.url();
    let roles: BTreeMap<&str, &str> =
        lambda.configs().map(|function| (function.short_name.as_str(), function.role_arn.as_str())).collect();
    // The same names mean the same in every function.
    let settings: BTreeMap<&str, &str> = lambda
        .configs()
        .flat_map(|function| &function.environment)
        .filter(|(name, _)| name.starts_with("COUNTERSIGN_"))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    json!({
        "gateway": gateway,
        "approvals": endpoint("approvals"),
        "issuer": Issuer::agent_issuer(&issuer),
        "person_issuer": Issuer::person_issuer(&issuer),
        "agent_audience": AGENT_AUDIENCE,
        "person_client_id": PERSON_CLIENT_ID,
        "inbox": listeners.inbox.url(),
        "upstream": backends.upstream,
        "upstream_front": listeners.upstream.url(),
        "target_role_arn": target_role("auto"),
        "approved_role_arn": target_role("approved"),
        "region": templates.pseudo.region,
        "account": templates.pseudo.account,
        "target_account": TARGET_ACCOUNT,
        "function_url": listeners.function_url.url(),
        "aws": listeners.front.url(),
        "roles": roles,
        "credentials": credentials.by_function,
        "control": listeners.control.url(),
        "backing": backends.store,
        "settings": settings,
        "state_dir": config.state_dir,
        "pid": std::process::id(),
    })
}
