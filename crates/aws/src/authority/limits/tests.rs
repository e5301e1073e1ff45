use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_domain::{
    AgentId, RuleHit, TargetName, Timestamp,
    limits::{Circumstances, RateLimit},
};
use serde_json::{Value as Json, json};

use super::*;
use crate::testing::{Act, Server};

/// The charge of one call on `resources` under a limit, at 1970-01-01T02:00:05Z.
fn charge(limit: Json, resources: &[&str]) -> Charge {
    let limit: RateLimit = serde_json::from_value(limit).unwrap();
    let (agent, target) = (AgentId::new("deployer").unwrap(), TargetName::new("main").unwrap());
    let rules = [RuleHit { rule: "20-writes/writes".into(), reason: String::new() }];
    let of = Circumstances { agent: &agent, groups: &[].into(), target: &target, rules: &rules };
    let counter = limit.counters(&of, Timestamp::from_secs(7205)).pop().unwrap();
    Charge { counter, resources: resources.iter().map(|one| ResourceMark::of(one)).collect() }
}

/// The marks of resources as an item has them.
fn marks(resources: &[&str]) -> Json {
    let mut marks: Vec<_> = resources.iter().map(|one| ResourceMark::of(one)).collect();
    marks.sort();
    json!({"BS": marks.iter().map(|mark| STANDARD.encode(mark.as_bytes())).collect::<Vec<_>>()})
}

fn calls(name: &str, most: u32) -> Json {
    json!({"name": name, "per": "agent", "calls": most, "window": "1h"})
}

fn objects(most: u32) -> Json {
    json!({"name": "objects", "per": ["agent", "rule"], "distinct_resources": most, "window": "1d"})
}

fn counted(calls: u32, resources: &[&str]) -> Json {
    let mut item = json!({"calls": {"N": calls.to_string()}});
    if !resources.is_empty() {
        item["resources"] = marks(resources);
    }
    item
}

fn ok() -> Act {
    Act::json(200, &json!({}))
}

fn refused(item: &Json) -> Act {
    let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    Act::json(400, &json!({ "__type": kind, "Item": item }))
}

fn cancelled(reasons: &Json) -> Act {
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    Act::json(400, &json!({ "__type": kind, "Message": "x", "CancellationReasons": reasons }))
}

async fn count(charges: &[Charge], script: Vec<Act>) -> (Result<Counting, AuthorityError>, Vec<Json>) {
    let server = Server::start(script).await;
    let counting = server.aws().authority("authority").count(charges).await;
    (counting, server.received().iter().map(|request| request.json()).collect())
}

#[tokio::test]
async fn no_limit_costs_no_call() {
    let (counting, sent) = count(&[], vec![]).await;
    assert_eq!((counting, sent), (Ok(Counting::Within), vec![]));
}

#[tokio::test]
async fn one_limit_is_one_update_of_the_windows_item() {
    let (counting, sent) = count(&[charge(calls("writes", 100), &[])], vec![ok()]).await;
    assert_eq!(counting, Ok(Counting::Within));
    let key = json!({"pk": {"S": "LIM#writes#agent#deployer"}, "sk": {"S": "3600s@1970-01-01T02:00:00Z"}});
    assert_eq!(sent[0]["Key"], key);
    assert_eq!(sent[0]["UpdateExpression"], "SET #ttl = :ttl ADD #calls :one");
    assert_eq!(sent[0]["ConditionExpression"], "(attribute_not_exists(#calls) OR #calls < :calls)");
    assert_eq!(sent[0]["ExpressionAttributeNames"], json!({"#calls": "calls", "#ttl": "ttl"}));
    // A day after the window's end at 03:00.
    let values = json!({":one": {"N": "1"}, ":calls": {"N": "100"}, ":ttl": {"N": (10_800 + 86_400).to_string()}});
    assert_eq!(sent[0]["ExpressionAttributeValues"], values);
    assert_eq!(sent[0]["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
}

#[tokio::test]
async fn a_used_up_limit_refuses_with_its_numbers() {
    let (counting, sent) = count(&[charge(calls("writes", 2), &[])], vec![refused(&counted(2, &[]))]).await;
    let Ok(Counting::Exceeded(exceeded)) = counting else { panic!("{counting:?}") };
    assert_eq!((exceeded.used, exceeded.most), (2, 2));
    assert_eq!(exceeded.resets_at, Some(Timestamp::from_secs(10_800)));
    assert_eq!(sent.len(), 1);
}

#[tokio::test]
async fn a_resource_that_was_used_needs_no_room_and_a_new_one_does() {
    let (counting, sent) = count(&[charge(objects(2), &["a"])], vec![ok()]).await;
    assert_eq!(counting, Ok(Counting::Within));
    let condition = "(attribute_not_exists(#resources) OR contains(#resources, :resource) OR size(#resources) < :room)";
    assert_eq!(sent[0]["ConditionExpression"], condition);
    assert_eq!(sent[0]["UpdateExpression"], "SET #ttl = :ttl ADD #calls :one, #resources :resources");
    assert_eq!(sent[0]["ExpressionAttributeValues"][":resources"], marks(&["a"]));
    assert_eq!(sent[0]["Key"]["pk"]["S"], "LIM#objects#agent#deployer#rule#20-writes/writes");
    let full = || refused(&counted(9, &["b", "c"]));
    assert!(matches!(count(&[charge(objects(2), &["a"])], vec![full()]).await.0, Ok(Counting::Exceeded(_))));
}

#[tokio::test]
async fn several_resources_learn_from_a_refusal_how_much_room_they_need() {
    // Room for both is asked for first; one of them is there already, so room for one will do.
    let script = vec![refused(&counted(1, &["a", "x"])), ok()];
    let (counting, sent) = count(&[charge(objects(3), &["a", "b"])], script).await;
    assert_eq!(counting, Ok(Counting::Within));
    let room = |place: usize| &sent[place]["ExpressionAttributeValues"][":room"]["N"];
    assert_eq!((room(0), room(1)), (&json!("1"), &json!("2")));
    // More than the limit in one call never fits, and is not even tried.
    let (counting, sent) = count(&[charge(objects(1), &["a", "b"])], vec![]).await;
    assert!(matches!(counting, Ok(Counting::Exceeded(exceeded)) if exceeded.needed == 2));
    assert!(sent.is_empty());
}

#[tokio::test]
async fn several_limits_are_one_transaction_tried_again_where_it_collides() {
    let charges = [charge(calls("first", 5), &[]), charge(calls("second", 5), &[])];
    let conflict = || cancelled(&json!([{"Code": "TransactionConflict"}, {"Code": "None"}]));
    let (counting, sent) = count(&charges, vec![conflict(), conflict(), ok()]).await;
    assert_eq!(counting, Ok(Counting::Within));
    let pks: Vec<_> =
        sent[2]["TransactItems"].as_array().unwrap().iter().map(|one| &one["Update"]["Key"]["pk"]["S"]).collect();
    assert_eq!(pks, ["LIM#first#agent#deployer", "LIM#second#agent#deployer"]);
    assert!(sent[0]["ClientRequestToken"].is_string(), "the SDK's own retries count once");
    let full = json!([{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": counted(5, &[])}]);
    let (counting, _) = count(&charges, vec![cancelled(&full)]).await;
    assert!(matches!(counting, Ok(Counting::Exceeded(exceeded)) if exceeded.limit.as_str() == "second"));
}

#[tokio::test]
async fn a_table_that_fails_or_makes_no_sense_is_an_error_and_never_room() {
    let one = [charge(calls("writes", 5), &[])];
    let denied = Act::json(400, &json!({ "__type": "x#AccessDeniedException" }));
    assert!(matches!(count(&one, vec![denied]).await.0, Err(AuthorityError::Service(_))));
    for item in [
        json!({}),
        json!({"calls": {"S": "many"}}),
        json!({"calls": {"N": "1"}, "resources": {"S": "a"}}),
        json!({"calls": {"N": "1"}, "resources": {"BS": ["YQ=="]}}),
    ] {
        let (counting, _) = count(&one, vec![refused(&item)]).await;
        assert!(matches!(counting, Err(AuthorityError::Malformed { .. })), "{counting:?}");
    }
}

#[tokio::test]
async fn the_window_after_is_another_item() {
    let limit: RateLimit = serde_json::from_value(calls("writes", 1)).unwrap();
    let (agent, target) = (AgentId::new("deployer").unwrap(), TargetName::new("main").unwrap());
    let of = Circumstances { agent: &agent, groups: &[].into(), target: &target, rules: &[] };
    let at = |millis| {
        let counter = limit.counters(&of, Timestamp::from_millis(millis)).pop().unwrap();
        key(&counter).sk
    };
    assert_eq!(at(3_599_999), "3600s@1970-01-01T00:00:00Z");
    assert_eq!(at(3_600_000), "3600s@1970-01-01T01:00:00Z");
}

#[test]
fn a_full_set_of_distinct_resources_stays_within_four_write_units() {
    // The most that a bundle may set; each call rewrites the whole item, a unit for each KB.
    let names: Vec<_> = (0..200).map(|number| format!("arn:aws:s3:::bucket/key-{number}")).collect();
    let charge = charge(objects(200), &names.iter().map(String::as_str).collect::<Vec<_>>());
    let expression = Expression::of(&charge, &charge.condition().unwrap());
    let Some(AttributeValue::Bs(blobs)) = expression.values.get(":resources") else { panic!("no binaries") };
    assert_eq!(blobs.len(), 200);
    // Beside the set: keys of at most some 300 bytes, two numbers and the names of attributes.
    let bytes: usize = blobs.iter().map(|blob| blob.as_ref().len()).sum();
    assert!(bytes + 400 <= 4096, "{bytes} bytes");
}
