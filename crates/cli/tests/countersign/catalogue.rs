//! `countersign catalogue`.

use std::fs;

use serde_json::Value as Json;

use super::{run, stderr, stdout};

const CATALOGUE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../catalogue/data/catalogue.bin");

fn json(arguments: &[&str]) -> Json {
    let output = run(arguments, "");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn an_operation_is_shown_with_all_that_is_known_of_it() {
    let output = run(&["catalogue", "show", "secretsmanager:GetSecretValue"], "");
    insta::assert_snapshot!("show-operation", stdout(&output));
    let shown = json(&["catalogue", "show", "ec2:RunInstances", "--json"]);
    let token = shown["input"].as_array().unwrap().iter().find(|member| member["path"] == "ClientToken").unwrap();
    assert_eq!((&token["idempotency_token"], &token["type"]), (&Json::Bool(true), &Json::from("string")));
    let actions: Vec<_> =
        shown["actions"].as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert!(actions.contains(&"iam:PassRole"), "{actions:?}");
}

#[test]
fn a_service_is_shown_with_its_operations() {
    let output = run(&["catalogue", "show", "ec2-instance-connect"], "");
    insta::assert_snapshot!("show-service", stdout(&output));
    let shown = json(&["catalogue", "show", "dynamodb", "--json"]);
    assert_eq!(shown["protocols"], serde_json::json!(["json"]));
    assert!(shown["operations"].as_array().unwrap().len() > 50);
}

#[test]
fn every_service_is_listed_and_every_operation_counted() {
    let listed = json(&["catalogue", "services", "--json"]);
    let services = listed["services"].as_array().unwrap();
    let operations: u64 = services.iter().map(|service| service["operation_count"].as_u64().unwrap()).sum();
    let table = stdout(&run(&["catalogue", "services"], ""));
    let last = table.lines().last().unwrap();
    assert!(last.starts_with(&format!("{} services, {operations} operations", services.len())), "{last}");
    assert_eq!(table.lines().count(), services.len() + 2);
}

#[test]
fn unknown_names_get_a_suggestion() {
    for (name, suggestion) in
        [("dynamdb", "`dynamodb`"), ("dynamodb:PutItm", "`dynamodb:PutItem`"), ("S3:GetObject", "`s3`")]
    {
        let output = run(&["catalogue", "show", name], "");
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(stderr(&output).contains(&format!("did you mean {suggestion}?")), "{}", stderr(&output));
    }
}

#[test]
fn a_catalogue_does_not_differ_from_itself_and_damage_is_no_difference() {
    let output = run(&["catalogue", "diff", CATALOGUE, CATALOGUE], "");
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).starts_with("0 new, 0 gone, 0 changed"), "{}", stdout(&output));
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("damaged.bin");
    let mut bytes = fs::read(CATALOGUE).unwrap();
    for byte in bytes.iter_mut().rev().take(64) {
        *byte ^= 0x5a;
    }
    fs::write(&damaged, bytes).unwrap();
    let output = run(&["catalogue", "diff", CATALOGUE, damaged.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("is no catalogue"), "{}", stderr(&output));
}
