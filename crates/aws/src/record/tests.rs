use countersign_domain::{
    Timestamp,
    event::{Happening, Subject},
};
use serde_json::{Value as Json, json};

use super::*;
use crate::testing::{Act, Received, Server};

fn event(state: &str) -> Event {
    Event {
        at: Timestamp::from_secs(7),
        subject: Subject { agent: None, session: None, target: None, request: None, unverified_task: String::new() },
        happening: Happening::Closed { state: state.into() },
    }
}

fn stored() -> Act {
    Act::json(200, &json!({}))
}

/// A failure that the SDK does not try again.
fn failed() -> Act {
    Act::json(400, &json!({ "__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "message": "x" }))
}

fn taken_by(item: &Json) -> Act {
    let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    Act::json(400, &json!({ "__type": kind, "message": "x", "Item": item }))
}

fn place(received: &Received) -> (String, String) {
    let item = received.json()["Item"].clone();
    (item["pk"]["S"].as_str().unwrap().to_owned(), item["sk"]["N"].as_str().unwrap().to_owned())
}

fn recorder(server: &Server) -> Recorder {
    server.aws().recorder("record", WriterKind::Gateway, [1; 8])
}

#[tokio::test]
async fn events_of_one_session_follow_each_other() {
    let server = Server::start([stored(), stored(), stored()]).await;
    let recorder = recorder(&server);
    let first = recorder.append("s-1", &event("one")).await.unwrap();
    let second = recorder.append("s-1", &event("two")).await.unwrap();
    let other = recorder.append("s-2", &event("three")).await.unwrap();
    assert_eq!((first.sequence, second.sequence, other.sequence), (0, 1, 0));
    assert_eq!(first.chain, second.chain);
    let items: Vec<_> = server.received().iter().map(|received| received.json()["Item"].clone()).collect();
    assert_eq!(items[1]["previous"], items[0]["hash"]);
    assert_eq!(server.received()[0].json()["ConditionExpression"], "attribute_not_exists(pk)");
}

#[tokio::test]
async fn an_event_that_was_not_stored_ends_its_chain() {
    let server = Server::start([stored(), failed(), stored()]).await;
    let recorder = recorder(&server);
    recorder.append("s-1", &event("one")).await.unwrap();
    assert!(matches!(recorder.append("s-1", &event("lost")).await, Err(RecordError::Service(_))));
    recorder.append("s-1", &event("three")).await.unwrap();
    let places: Vec<_> = server.received().iter().map(place).collect();
    assert_eq!(places[0].0, places[1].0);
    assert_ne!(places[0].0, places[2].0, "a chain of its own, so that no gap looks like a loss");
    assert_eq!(places[2].1, "0");
}

#[tokio::test]
async fn an_append_that_was_given_up_ends_its_chain() {
    let server = Server::start([stored(), Act::Hang, stored()]).await;
    let recorder = recorder(&server);
    recorder.append("s-1", &event("one")).await.unwrap();
    let lost = event("lost");
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(200), recorder.append("s-1", &lost)).await;
    assert!(given_up.is_err());
    recorder.append("s-1", &event("three")).await.unwrap();
    let places: Vec<_> = server.received().iter().map(place).collect();
    assert_ne!(places[0].0, places[2].0);
}

#[tokio::test]
async fn a_lost_answer_is_not_somebody_elses_event() {
    let request = RequestId::from_random([3; 16]);
    let departing = |server: &Server| server.aws().recorder("record", WriterKind::Executor, [1; 8]);
    // What the first try stored.
    let server = Server::start([stored()]).await;
    let won = departing(&server).depart(&request, 1, "attempt-a", &event("go")).await.unwrap();
    assert_eq!(won, Departure::Won);
    let item = server.received()[0].json()["Item"].clone();
    assert_eq!(item["pk"]["S"], format!("EX#{request}#departure-1"));
    // The same attempt finds it again; another attempt, even with the very same event, does not win.
    for (attempt, expected) in [("attempt-a", Departure::Won), ("attempt-b", Departure::AlreadyDeparted)] {
        let server = Server::start([taken_by(&item)]).await;
        assert_eq!(departing(&server).depart(&request, 1, attempt, &event("go")).await.unwrap(), expected);
    }
    let server = Server::start([taken_by(&item)]).await;
    let other = departing(&server).depart(&request, 1, "attempt-a", &event("other")).await.unwrap();
    assert_eq!(other, Departure::AlreadyDeparted);
}

#[tokio::test]
async fn a_departure_that_is_not_known_to_be_stored_is_an_error() {
    let server = Server::start([failed()]).await;
    let recorder = server.aws().recorder("record", WriterKind::Executor, [1; 8]);
    assert!(recorder.depart(&RequestId::from_random([3; 16]), 1, "a", &event("go")).await.is_err());
}
