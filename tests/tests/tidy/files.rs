//! What files look like.

use std::{fs, path::PathBuf, process::Command};

use countersign_tests::stack::root;

use super::metadata::members;

/// The longest Rust file, in lines. A longer one would be clearer as two.
const LONGEST: usize = 500;

/// Files that git tracks or would track, as text; what is not UTF-8 is left out.
fn texts(patterns: &[&str]) -> Vec<(PathBuf, String)> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z", "--"])
        .args(patterns)
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let files = names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
    files.filter_map(|file| fs::read_to_string(root().join(&file)).ok().map(|text| (file, text))).collect()
}

#[test]
fn every_package_says_what_it_is_and_takes_the_common_lints() {
    let mut wrong = Vec::new();
    for (name, package) in members() {
        let folder = package.manifest.parent().expect("a manifest is in a folder");
        if !folder.join("README.md").is_file() {
            wrong.push(format!("{name} has no README.md"));
        }
        let manifest = fs::read_to_string(&package.manifest).expect("a manifest");
        let lines: Vec<&str> = manifest.lines().map(str::trim).collect();
        if !lines.windows(2).any(|pair| pair == ["[lints]", "workspace = true"]) {
            wrong.push(format!("{name} does not take the workspace's lints"));
        }
        for setting in ["version", "edition", "rust-version", "license", "publish"] {
            if !lines.contains(&format!("{setting}.workspace = true").as_str()) {
                wrong.push(format!("{name} does not take `{setting}` from the workspace"));
            }
        }
        let directory = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name != format!("countersign-{directory}") {
            wrong.push(format!("{name} is in a folder called {directory}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_stay_short() {
    let long: Vec<String> = texts(&["*.rs"])
        .iter()
        .map(|(file, text)| (file, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(file, lines)| format!("{}: {lines} lines", file.display()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn nothing_is_left_for_later() {
    // Written in two halves, so that this file does not find itself.
    let words = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["XX", "X:"],
        ["HA", "CK:"],
        ["#[ig", "nore"],
        ["todo", "!("],
        ["unimplemented", "!("],
    ]
    .map(|halves| halves.concat());
    let mut found = Vec::new();
    for (file, text) in texts(&["*.rs", "*.toml", "*.yaml", "*.json", "*.py", "*.md", "*.cedar", ".ci/*"]) {
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(word.as_str())) {
                found.push(format!("{}:{}: {word}", file.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn modules_are_named_for_what_they_hold() {
    let banned = ["mod.rs", "utils.rs", "util.rs", "helpers.rs", "helper.rs", "common.rs", "manager.rs", "misc.rs"];
    let found: Vec<PathBuf> = texts(&["*.rs"])
        .into_iter()
        .map(|(file, _)| file)
        .filter(|file| file.file_name().and_then(|name| name.to_str()).is_some_and(|name| banned.contains(&name)))
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

/// Every folder that ARCHITECTURE.md names is there, and every package is in a folder that it names.
#[test]
fn the_code_map_is_the_layout_on_disk() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let (_, map) = text.split_once("## Code map").expect("a code map");
    let map = map.split("\n## ").next().unwrap_or_default();
    let named: Vec<String> = map
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(place, _)| place.trim_end_matches('/').to_owned())
        .collect();
    assert!(named.len() > 10, "the code map cannot be read: {named:?}");
    for place in named.iter().filter(|place| !place.contains('*')) {
        assert!(root().join(place).is_dir(), "ARCHITECTURE.md names {place}, which is not there");
    }
    for (name, package) in members() {
        let folder =
            package.manifest.parent().and_then(|folder| folder.strip_prefix(root()).ok()).expect("below the root");
        let folder = folder.display().to_string();
        let matches = |place: &String| match place.split_once('*') {
            None => *place == folder,
            Some((before, after)) => folder.starts_with(before) && folder.ends_with(after),
        };
        assert!(named.iter().any(matches), "ARCHITECTURE.md does not name {folder}, where {name} is");
    }
}
