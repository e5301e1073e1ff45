//! What `cargo metadata` says of the workspace and of everything it depends on.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::Command,
    sync::OnceLock,
};

use countersign_tests::stack::root;
use serde_json::Value as Json;

/// A package.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) licence: Option<String>,
    pub(crate) manifest: PathBuf,
    /// Whether it is one of ours.
    pub(crate) member: bool,
    /// What it needs to be built (not for its tests).
    pub(crate) needs: BTreeSet<String>,
}

/// Every package of the lock file that is built for this machine, read once.
pub(crate) fn packages() -> &'static [Package] {
    static PACKAGES: OnceLock<Vec<Package>> = OnceLock::new();
    PACKAGES.get_or_init(read)
}

/// Our own packages by name.
pub(crate) fn members() -> BTreeMap<&'static str, &'static Package> {
    packages().iter().filter(|package| package.member).map(|package| (package.name.as_str(), package)).collect()
}

fn read() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Json = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let members: BTreeSet<&str> = array(&metadata["workspace_members"]).iter().filter_map(Json::as_str).collect();
    let built: BTreeSet<&str> =
        array(&metadata["resolve"]["nodes"]).iter().filter_map(|node| node["id"].as_str()).collect();
    array(&metadata["packages"])
        .iter()
        .filter(|package| built.contains(text(&package["id"])))
        .map(|package| {
            let all = array(&package["dependencies"]).iter();
            let needs = all.filter(|needed| needed["kind"].as_str() != Some("dev"));
            Package {
                name: text(&package["name"]).to_owned(),
                version: text(&package["version"]).to_owned(),
                licence: package["license"].as_str().map(str::to_owned),
                manifest: text(&package["manifest_path"]).into(),
                member: members.contains(text(&package["id"])),
                needs: needs.map(|needed| text(&needed["name"]).to_owned()).collect(),
            }
        })
        .collect()
}

fn array(json: &Json) -> &[Json] {
    json.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(json: &Json) -> &str {
    json.as_str().expect("a string")
}
