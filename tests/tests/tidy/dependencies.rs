//! Dependencies point one way, and only some packages may name some others.

use std::collections::{BTreeMap, BTreeSet};

use super::metadata::{members, packages};

/// Which of our packages each of our packages may need: all the edges there may be. A package that is not here may
/// need none of ours, so that every new edge is a decision that somebody writes down.
const ALLOWED: &[(&str, &[&str])] = &[
    ("countersign-domain", &[]),
    ("countersign-sigv4", &["domain"]),
    ("countersign-catalogue", &["domain"]),
    ("countersign-permissions", &["domain"]),
    ("countersign-understanding", &["domain", "catalogue", "permissions", "sigv4", "masking"]),
    ("countersign-policy", &["domain"]),
    ("countersign-identity", &["domain"]),
    ("countersign-masking", &["domain"]),
    ("countersign-aws", &["domain", "identity"]),
    ("countersign-assessment", &["domain", "policy", "understanding"]),
    ("countersign-startup", &["domain", "aws", "masking", "policy"]),
    (
        "countersign-gateway",
        &["domain", "aws", "catalogue", "identity", "masking", "policy", "sigv4", "startup", "understanding"],
    ),
    ("countersign-notifier", &["domain", "aws", "policy", "startup"]),
    (
        "countersign-approvals",
        &["domain", "assessment", "aws", "identity", "masking", "policy", "startup", "understanding"],
    ),
    ("countersign-executor", &["domain", "assessment", "aws", "masking", "policy", "startup", "understanding"]),
    // Never part of a function.
    ("countersign-catalogue-builder", &["domain", "catalogue", "sigv4", "understanding"]),
    ("countersign-permissions-builder", &["domain", "permissions", "catalogue"]),
    ("countersign-local", &["domain", "catalogue", "permissions", "policy", "sigv4"]),
    ("countersign-authoring", &["domain", "catalogue", "permissions", "policy", "understanding"]),
    // A program for people: it holds no authority.
    ("countersign-cli", &["domain", "authoring", "catalogue", "permissions", "policy", "understanding"]),
    ("countersign-benches", &["policy", "tests"]),
    ("countersign-tests", &[]),
    ("countersign-xtask", &[]),
];

const FUNCTIONS: [&str; 4] =
    ["countersign-gateway", "countersign-notifier", "countersign-approvals", "countersign-executor"];

/// Older generations that would be compiled into functions beside the newer ones, and second TLS stacks: name and the
/// start of the version that is banned; an empty one bans all.
const BANNED: [(&str, &str); 8] = [
    ("aws-config", ""),
    ("aws-lc-rs", ""),
    ("aws-lc-sys", ""),
    ("h2", "0.3."),
    ("hyper", "0."),
    ("native-tls", ""),
    ("openssl-sys", ""),
    ("rustls", "0.21."),
];

#[test]
fn dependencies_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, package) in members() {
        let may_need = allowed.get(name).copied().unwrap_or_default();
        for needed in package.needs.iter().filter_map(|needed| needed.strip_prefix("countersign-")) {
            if !may_need.contains(&needed) {
                wrong.push(format!("{name} needs countersign-{needed}"));
            }
        }
    }
    assert!(wrong.is_empty(), "not among the allowed edges of this test: {wrong:#?}");
}

#[test]
fn every_package_has_its_edges_stated() {
    let stated: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    let missing: Vec<&str> = members().into_keys().filter(|name| !stated.contains(name)).collect();
    assert!(missing.is_empty(), "say in ALLOWED what these may need: {missing:?}");
}

/// Cargo refuses cycles between packages, but not between their tests.
#[test]
fn the_allowed_edges_have_no_cycle() {
    let edges: BTreeMap<&str, &[&str]> =
        ALLOWED.iter().map(|(name, needs)| (name.trim_start_matches("countersign-"), *needs)).collect();
    let mut sorted: BTreeSet<&str> = BTreeSet::new();
    while sorted.len() < edges.len() {
        let ready: Vec<&str> = edges
            .iter()
            .filter(|(name, needs)| !sorted.contains(*name) && needs.iter().all(|needed| sorted.contains(needed)))
            .map(|(name, _)| *name)
            .collect();
        assert!(
            !ready.is_empty(),
            "a cycle among {:?}",
            edges.keys().filter(|name| !sorted.contains(*name)).collect::<Vec<_>>()
        );
        sorted.extend(ready);
    }
}

#[test]
fn only_one_package_speaks_to_aws_and_only_functions_to_lambda() {
    let mut wrong = Vec::new();
    for (name, package) in members() {
        for needed in &package.needs {
            let allowed = if needed.starts_with("aws-sdk-") || needed.starts_with("aws-smithy-") {
                name == "countersign-aws"
            } else if needed.starts_with("lambda_") {
                // Measurements compare functions with the smallest function there can be.
                FUNCTIONS.contains(&name) || name == "countersign-benches"
            } else {
                true
            };
            if !allowed {
                wrong.push(format!("{name} needs {needed}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The pure core: no AWS SDK, no runtime, no HTTP, no randomness.
#[test]
fn the_domain_stays_pure() {
    let domain = members()["countersign-domain"];
    let pure = ["base64", "bytes", "hex", "serde", "serde_json", "sha2", "thiserror", "time"];
    let odd: Vec<&String> = domain.needs.iter().filter(|needed| !pure.contains(&needed.as_str())).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

/// What is compiled into a function, followed by name: features may leave some of it out, never add to it.
#[test]
fn functions_carry_one_stack_of_everything() {
    let mut wrong = Vec::new();
    for package in packages().iter().filter(|package| !package.member) {
        for (name, version) in BANNED {
            if package.name == name && package.version.starts_with(version) {
                wrong.push(format!("{} {}", package.name, package.version));
            }
        }
    }
    assert!(wrong.is_empty(), "banned (see `cargo tree --invert`): {wrong:?}");
}
