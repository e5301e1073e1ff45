//! The state machine is sound: AWS refuses some of this, and emulators accept it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use countersign_tests::stack::root;
use serde_json::Value as Json;

fn machine() -> Json {
    let text = fs::read_to_string(root().join("statemachines/approval.asl.json")).expect("the state machine");
    serde_json::from_str(&text).expect("the state machine is JSON")
}

/// Every state that `state` may go to.
fn followers(state: &Json) -> BTreeSet<&str> {
    let lists = ["Catch", "Choices"].into_iter().filter_map(|list| state[list].as_array()).flatten();
    lists.map(|item| &item["Next"]).chain([&state["Next"], &state["Default"]]).filter_map(Json::as_str).collect()
}

#[test]
fn every_state_is_there_and_reached_and_leads_on() {
    let machine = machine();
    let states: BTreeMap<&str, &Json> =
        machine["States"].as_object().expect("states").iter().map(|(name, state)| (name.as_str(), state)).collect();
    let mut reached = BTreeSet::new();
    let mut open = vec![machine["StartAt"].as_str().expect("StartAt")];
    while let Some(name) = open.pop() {
        if reached.insert(name) {
            let state = states.get(name).unwrap_or_else(|| panic!("there is no state {name}"));
            let next = followers(state);
            let ends = ["Succeed", "Fail"].iter().any(|kind| state["Type"] == *kind);
            assert_eq!(next.is_empty(), ends, "{name} must lead on, or end");
            open.extend(next);
        }
    }
    let unreached: Vec<&&str> = states.keys().filter(|name| !reached.contains(*name)).collect();
    assert!(unreached.is_empty(), "never reached: {unreached:?}");
}

#[test]
fn every_task_has_a_time_limit_and_no_error_is_lost() {
    let machine = machine();
    for (name, state) in machine["States"].as_object().expect("states") {
        if state["Type"] != "Task" {
            continue;
        }
        assert!(
            state["TimeoutSeconds"].is_u64() || state["TimeoutSecondsPath"].is_string(),
            "{name} has no time limit"
        );
        for list in ["Retry", "Catch"] {
            let last =
                state[list].as_array().and_then(|list| list.last()).unwrap_or_else(|| panic!("{name}: no {list}"));
            assert_eq!(last["ErrorEquals"], serde_json::json!(["States.ALL"]), "{name}: the last of {list}");
        }
    }
}

/// Only an approval leads to the replay, and the executor alone is asked what became of it.
#[test]
fn only_an_approval_leads_to_the_replay() {
    let machine = machine();
    let states = machine["States"].as_object().expect("states");
    let before: Vec<&String> =
        states.iter().filter(|(_, state)| followers(state).contains("Replay")).map(|(name, _)| name).collect();
    assert_eq!(before, ["Decided"]);
    let decided = &states["Decided"];
    assert_eq!(decided["Default"], "Denied");
    let choices = decided["Choices"].as_array().expect("choices");
    assert_eq!(choices.len(), 1);
    assert_eq!(choices[0]["And"][1], serde_json::json!({"Variable": "$.answer.verdict", "StringEquals": "approve"}));
}

#[test]
fn nobody_sees_the_task_token_but_the_notifier() {
    let text = machine().to_string();
    assert_eq!(text.matches("$$.Task.Token").count(), 1);
    let ask = machine()["States"]["Ask"].clone();
    assert_eq!(ask["Parameters"]["Payload"]["task_token.$"], "$$.Task.Token");
    assert_eq!(ask["Parameters"]["FunctionName"], "${NotifierFunctionArn}");
}
