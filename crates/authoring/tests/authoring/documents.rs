//! Every rule and every case in docs/policy.md, run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use countersign_authoring::{CaseFile, CaseResult, Coverage, Placeholders, run};
use countersign_policy::Bundle;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The fenced blocks in `language` of docs/policy.md, each with the line before it.
fn blocks(language: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("docs/policy.md")).unwrap();
    let mut found = Vec::new();
    let (mut before, mut open): (&str, Option<(String, String)>) = ("", None);
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => found.extend(open.take().filter(|(_, text)| !text.is_empty())),
            (Some((_, text)), _) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, Some(of)) if of == language => open = Some((before.to_owned(), String::new())),
            (None, _) => {}
        }
        before = line;
    }
    found
}

fn with_rules(rules: Option<&str>) -> Bundle {
    let folder = root().join("infra/bundle");
    let samples = Placeholders::default();
    let value = |name: &str| samples.value(name);
    let loaded = match rules {
        None => Bundle::load(&folder, value, &[]),
        Some(rules) => {
            let settings = fs::read_to_string(folder.join("countersign.toml")).unwrap();
            let files = [("countersign.toml", settings), ("example.cedar", rules.to_owned())];
            Bundle::from_sources(files.map(|(name, text)| (name.to_owned(), text)).into(), value, &[])
        }
    };
    loaded.unwrap_or_else(|error| panic!("{error}"))
}

fn passing(bundle: &Bundle, path: &Path, text: &str) -> Vec<CaseResult> {
    let file = CaseFile::read(path, text).unwrap_or_else(|error| panic!("{error}"));
    let results = run(bundle, &file);
    let failed: Vec<_> = results.iter().filter(|result| !result.passed()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    results
}

/// `examples/<id>.toml` has the cases of the example whose first rule has this `@id`.
#[test]
fn every_rule_decides_as_it_is_told() {
    let examples = blocks("cedar");
    let mut told = Vec::new();
    for (_, rules) in &examples {
        let (_, rest) = rules.split_once("@id(\"").unwrap();
        let (id, _) = rest.split_once('"').unwrap();
        let path = root().join(format!("crates/authoring/tests/examples/{id}.toml"));
        let cases = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let bundle = with_rules(Some(rules));
        let results = passing(&bundle, &path, &cases);
        assert_eq!(Coverage::of(&bundle, &results).percent(), 100, "{id}: no case reaches the rule");
        told.push(id.to_owned());
    }
    let mut written: Vec<_> = fs::read_dir(root().join("crates/authoring/tests/examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    written.sort();
    told.sort();
    assert_eq!(written, told);
}

#[test]
fn every_example_of_a_case_passes_on_the_default_bundle() {
    let cases: Vec<_> = blocks("toml").into_iter().filter(|(before, _)| before == "<!-- check: cases -->").collect();
    assert!(!cases.is_empty());
    for (_, text) in cases {
        passing(&with_rules(None), Path::new("docs/policy.md"), &text);
    }
}
