//! Building and testing choose the same features, so that whoever does both compiles everything once.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use countersign_tests::stack::root;

/// The sets of features that each package is compiled with, by name and version. A package can have two: for build
/// scripts and macros, and for programs.
fn features(edges: &str) -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--workspace", "--edges", edges, "--prefix", "none", "--format", "{p}|{f}|"])
        .current_dir(root())
        .output()
        .expect("cargo tree runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).expect("cargo tree prints text").lines() {
        let mut parts = line.split('|');
        if let (Some(package), Some(features)) = (parts.next(), parts.next()) {
            all.entry(package.to_owned()).or_default().insert(features.to_owned());
        }
    }
    all
}

#[test]
fn dependencies_of_tests_change_no_features() {
    let (built, tested) = (features("normal,build"), features("normal,build,dev"));
    assert!(built.len() > 100, "cargo tree shows {} packages only", built.len());
    let changed: Vec<String> = built
        .iter()
        .filter(|(package, features)| !tested.get(*package).is_some_and(|tested| features.is_subset(tested)))
        .map(|(package, features)| format!("{package}: {features:?}, and {:?} with tests", tested.get(package)))
        .collect();
    assert!(changed.is_empty(), "compiled again for tests; see tests/Cargo.toml: {changed:#?}");
}
