use countersign_domain::{
    AgentId, Digest, PersonId, RequestId, SessionId, TargetName, Timestamp,
    certificate::Proof,
    limits::{Charge, PendingPool},
};
use serde_json::{Value as Json, json};

use super::*;
use crate::testing::{Act, Server};

fn request() -> UntrustedRequest {
    UntrustedRequest {
        request: RequestId::from_random([1; 16]),
        agent: AgentId::new("deployer").unwrap(),
        session: SessionId::from_bits([2; 16]),
        target: TargetName::new("sandbox").unwrap(),
        operation: "iam:CreateRole".into(),
        groups: std::collections::BTreeSet::new(),
        frozen_digest: Digest::of(b"frozen"),
        match_digest: Digest::of(b"match"),
        created_at: Timestamp::from_secs(10),
        expires_at: Timestamp::from_secs(1810),
        sealed: SealedFrozen { data_key: vec![1], body: SealedBody::Inline(vec![2, 3]) },
    }
}

fn new(request: &UntrustedRequest) -> NewRequest<'_> {
    NewRequest {
        request,
        findable_until: Timestamp::from_secs(90_000),
        replaces: None,
        places: Places { agent: &request.agent, own: PendingPool::of_agent(&request.agent, 2), pools: &[] },
        charges: &[],
    }
}

fn now() -> Timestamp {
    Timestamp::from_secs(10)
}

fn ok(body: &Json) -> Act {
    Act::json(200, body)
}

fn slots(slots: &[(&str, u64)]) -> Act {
    let holder = RequestId::from_random([9; 16]);
    let items: Vec<_> = slots
        .iter()
        .map(|(slot, until)| {
            json!({
                "pk": { "S": "PEND#deployer" }, "sk": { "S": slot },
                "request": { "S": holder }, "expires_at": { "N": until.to_string() },
            })
        })
        .collect();
    ok(&json!({ "Items": items }))
}

/// A cancelled transaction; the codes are those of its members.
fn cancelled(codes: &[&str]) -> Act {
    let reasons: Vec<_> = codes.iter().map(|code| json!({ "Code": code })).collect();
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    Act::json(400, &json!({ "__type": kind, "Message": "x", "CancellationReasons": reasons }))
}

fn match_item(request: &RequestId) -> Act {
    ok(&json!({ "Item": { "request": { "S": request }, "expires_at": { "N": "5000" } } }))
}

fn authority(server: &Server) -> Authority {
    server.aws().authority("authority")
}

#[tokio::test]
async fn a_request_opens_in_the_first_free_slot_all_or_nothing() {
    // Slot 0 is taken, slot 1 has expired.
    let server = Server::start([slots(&[("0", 20_000), ("1", 9_000)]), ok(&json!({}))]).await;
    let opened = authority(&server).open_request(&new(&request()), now()).await.unwrap();
    assert_eq!(opened, Opened::Opened);
    let transaction = server.received()[1].json();
    let puts: Vec<_> = transaction["TransactItems"].as_array().unwrap().iter().map(|one| one["Put"].clone()).collect();
    assert_eq!(puts.len(), 3);
    assert_eq!(puts[0]["ConditionExpression"], "attribute_not_exists(pk)");
    assert_eq!(puts[1]["Item"]["pk"]["S"], format!("MATCH#{}", request().match_digest));
    assert_eq!(puts[1]["ConditionExpression"], "attribute_not_exists(pk) OR #expires_at <= :now");
    assert_eq!((&puts[2]["Item"]["pk"]["S"], &puts[2]["Item"]["sk"]["S"]), (&json!("PEND#deployer"), &json!("1")));
    assert!(transaction["ClientRequestToken"].is_string(), "the SDK's own retries count as one");
}

#[tokio::test]
async fn a_closed_request_gives_its_match_to_the_next() {
    let server = Server::start([slots(&[]), ok(&json!({}))]).await;
    let closed = RequestId::from_random([8; 16]);
    let stored = request();
    let new = NewRequest { replaces: Some(&closed), ..new(&stored) };
    authority(&server).open_request(&new, now()).await.unwrap();
    let put = server.received()[1].json()["TransactItems"][1]["Put"].clone();
    assert_eq!(put["ConditionExpression"], "attribute_not_exists(pk) OR #expires_at <= :now OR #request = :closed");
    assert_eq!(put["ExpressionAttributeValues"][":closed"]["S"], closed.to_string());
    // `request` is one of DynamoDB's reserved words.
    assert_eq!(put["ExpressionAttributeNames"], json!({ "#expires_at": "expires_at", "#request": "request" }));
}

#[tokio::test]
async fn the_same_call_opens_one_request_only() {
    let other = RequestId::from_random([7; 16]);
    let refused = || cancelled(&["None", "ConditionalCheckFailed", "None"]);
    let server = Server::start([slots(&[]), refused(), match_item(&other)]).await;
    let opened = authority(&server).open_request(&new(&request()), now()).await.unwrap();
    assert!(matches!(opened, Opened::MatchTaken(MatchItem { request, .. }) if request == other));
    // Unless it is our own, whose answer was lost.
    let server = Server::start([slots(&[]), refused(), match_item(&request().request)]).await;
    assert_eq!(authority(&server).open_request(&new(&request()), now()).await.unwrap(), Opened::Opened);
}

#[tokio::test]
async fn slots_are_capped_and_contended_ones_are_looked_for_again() {
    let server = Server::start([slots(&[("0", 20_000), ("1", 20_000)])]).await;
    let opened = authority(&server).open_request(&new(&request()), now()).await.unwrap();
    let Opened::Full(full) = opened else { panic!("{opened:?}") };
    assert_eq!((full.exceeded.limit.as_str(), full.exceeded.used, full.slots.len()), ("pending_per_agent", 2, 2));
    let said = full.exceeded.to_string();
    assert!(said.starts_with("the limit `pending_per_agent` for agent `deployer` is reached: 2 of 2"), "{said}");
    let taken_meanwhile = cancelled(&["None", "None", "ConditionalCheckFailed"]);
    let conflict = cancelled(&["TransactionConflict", "None", "None"]);
    let script =
        [slots(&[]), taken_meanwhile, slots(&[("0", 20_000)]), conflict, slots(&[("0", 20_000)]), ok(&json!({}))];
    let server = Server::start(script).await;
    assert_eq!(authority(&server).open_request(&new(&request()), now()).await.unwrap(), Opened::Opened);
    assert_eq!(server.received()[5].json()["TransactItems"][2]["Put"]["Item"]["sk"]["S"], "1");
}

#[tokio::test]
async fn a_request_takes_a_place_in_each_pool_and_is_counted_in_the_same_transaction() {
    let limit = json!({"name": "writes", "per": "target", "calls": 9, "pending": 2, "window": "1h"});
    let limit: countersign_domain::limits::RateLimit = serde_json::from_value(limit).unwrap();
    let stored = request();
    let of = countersign_domain::limits::Circumstances {
        agent: &stored.agent,
        groups: &[].into(),
        target: &stored.target,
        rules: &[],
    };
    let pools = limit.pools(&of);
    let charges = limit.counters(&of, now()).into_iter().map(|counter| Charge { counter, resources: [].into() });
    let charges: Vec<_> = charges.collect();
    let new = new(&stored);
    let new = NewRequest { places: Places { pools: &pools, ..new.places }, charges: &charges, ..new };
    let server = Server::start([slots(&[]), slots(&[("0", 20_000)]), ok(&json!({}))]).await;
    assert_eq!(authority(&server).open_request(&new, now()).await.unwrap(), Opened::Opened);
    let members = server.received()[2].json()["TransactItems"].as_array().unwrap().clone();
    let own = &members[2]["Put"]["Item"];
    assert_eq!(own["also"], json!({"SS": ["PEND#limit#writes#target#sandbox#1"]}));
    let pool = &members[3]["Put"]["Item"];
    assert_eq!((&pool["pk"]["S"], &pool["sk"]["S"]), (&json!("PEND#limit#writes#target#sandbox"), &json!("1")));
    assert_eq!(members[4]["Update"]["Key"]["pk"]["S"], "LIM#writes#target#sandbox");
    // A full pool, and a full counter.
    let server = Server::start([slots(&[]), slots(&[("0", 20_000), ("1", 20_000)])]).await;
    let opened = authority(&server).open_request(&new, now()).await.unwrap();
    assert!(matches!(opened, Opened::Full(full) if full.exceeded.used == 2 && full.slots.len() == 2));
    let none = || json!({"Code": "None"});
    let full = json!({"Code": "ConditionalCheckFailed", "Item": {"calls": {"N": "9"}}});
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    let reasons = json!([none(), none(), none(), none(), full]);
    let cancelled = Act::json(400, &json!({"__type": kind, "Message": "x", "CancellationReasons": reasons}));
    let server = Server::start([slots(&[]), slots(&[]), cancelled]).await;
    let opened = authority(&server).open_request(&new, now()).await.unwrap();
    assert!(matches!(opened, Opened::Exceeded(exceeded) if exceeded.counted.as_str() == "calls"));
}

#[tokio::test]
async fn a_released_request_gives_back_its_place_in_every_pool() {
    let stored = request();
    let own = json!({
        "pk": {"S": "PEND#deployer"}, "sk": {"S": "0"}, "request": {"S": stored.request},
        "expires_at": {"N": "20000"}, "also": {"SS": ["PEND#limit#writes#target#sandbox#1"]},
    });
    let server = Server::start([ok(&json!({"Items": [own]})), ok(&json!({})), ok(&json!({}))]).await;
    authority(&server).release_slots(&stored.agent, &stored.request).await.unwrap();
    let keys: Vec<_> = server.received()[1..].iter().map(|one| one.json()["Key"]["pk"]["S"].clone()).collect();
    assert_eq!(keys, [json!("PEND#limit#writes#target#sandbox"), json!("PEND#deployer")]);
}

fn scopes() -> QuarantineScopes {
    let request = request();
    QuarantineScopes::of(&request.agent, &request.session, &request.target, Some(&request.request))
}

async fn claim(script: impl IntoIterator<Item = Act>) -> Result<Claim, AuthorityError> {
    let server = Server::start(script).await;
    authority(&server).claim(&request().request, "attempt-a", now(), Timestamp::from_secs(70), &scopes()).await
}

#[tokio::test]
async fn a_claim_is_one_transaction_with_the_kill_switch() {
    let server = Server::start([ok(&json!({}))]).await;
    let claimed = authority(&server).claim(&request().request, "a", now(), Timestamp::from_secs(70), &scopes()).await;
    assert_eq!(claimed.unwrap(), Claim::Now);
    let members = server.received()[0].json()["TransactItems"].as_array().unwrap().clone();
    assert_eq!(members[0]["Put"]["ConditionExpression"], "attribute_not_exists(pk)");
    let checked: Vec<_> = members[1..].iter().map(|one| one["ConditionCheck"]["Key"]["pk"]["S"].clone()).collect();
    let request = request();
    let expected = [
        "QUAR#all".to_owned(),
        "QUAR#agent#deployer".to_owned(),
        format!("QUAR#session#{}", request.session),
        "QUAR#target#sandbox".to_owned(),
        format!("QUAR#request#{}", request.request),
    ];
    assert_eq!(checked, expected.map(Json::from));
}

#[tokio::test]
async fn a_quarantine_stops_a_claim_and_an_earlier_claim_is_told_from_our_own() {
    let quarantined = claim([cancelled(&["None", "None", "ConditionalCheckFailed"])]).await.unwrap();
    assert!(matches!(quarantined, Claim::Quarantined(Quarantine { scope, .. }) if scope == "agent#deployer"));
    // Both at once: nothing may go on.
    let both = claim([cancelled(&["ConditionalCheckFailed", "ConditionalCheckFailed"])]).await.unwrap();
    assert!(matches!(both, Claim::Quarantined(_)));
    let held_by = |attempt: &str| {
        let item = json!({ "at": { "N": "1" }, "until": { "N": "2" }, "attempt": { "S": attempt } });
        [cancelled(&["ConditionalCheckFailed", "None"]), ok(&json!({ "Item": item }))]
    };
    let earlier = Claim::Earlier { at: Timestamp::from_millis(1), until: Timestamp::from_millis(2) };
    assert_eq!(claim(held_by("attempt-b")).await.unwrap(), earlier);
    assert_eq!(claim(held_by("attempt-a")).await.unwrap(), Claim::Now);
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_and_never_absent() {
    let request = request().request;
    let server = Server::start([ok(&json!({ "Item": { "statement": { "S": "text" } } }))]).await;
    let read = authority(&server).unverified_certificate(&request).await;
    assert_eq!(read, Err(AuthorityError::Malformed { key: "CERT#".into(), attribute: "statement" }));
    let server = Server::start([Act::json(400, &json!({ "__type": "x#AccessDeniedException" }))]).await;
    let error = authority(&server).quarantine(&scopes()).await.unwrap_err();
    assert!(!error.retryable());
    assert_eq!(error.to_string(), "`dynamodb:BatchGetItem` failed: access denied (AccessDeniedException)");
}

#[tokio::test]
async fn the_first_sight_stays() {
    let request = request().request;
    let person = PersonId::new("ann").unwrap();
    let existing = json!({
        "pk": { "S": format!("SEEN#{request}") }, "sk": { "S": "ann" },
        "at": { "N": "500" }, "proof": { "S": "signed-in" },
    });
    let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    let server = Server::start([Act::json(400, &json!({ "__type": kind, "Item": existing }))]).await;
    let seen = authority(&server).mark_seen(&request, &person, Proof::EmailedCode, now()).await.unwrap();
    assert_eq!(seen, SeenItem { person, at: Timestamp::from_millis(500), proof: Proof::SignedIn });
}

#[tokio::test]
async fn only_the_certificate_that_expired_gives_way_to_another() {
    let signed = |text: &str| SignedCertificate { statement: text.into(), signature: b"s".to_vec() };
    let request = request().request;
    let refused =
        Act::json(400, &json!({ "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException" }));
    for (answer, stored) in [(ok(&json!({})), Stored::Now), (refused, Stored::Already(()))] {
        let server = Server::start([answer]).await;
        let replaced = authority(&server).replace_certificate(&request, &signed("old"), &signed("new"), now()).await;
        assert_eq!(replaced, Ok(stored));
        let put = server.received()[0].json();
        assert_eq!(put["Item"]["pk"]["S"], format!("CERT#{request}"));
        assert_eq!(put["Item"]["statement"]["B"], "bmV3");
        assert_eq!(put["ConditionExpression"], "#statement = :expired");
        assert_eq!(put["ExpressionAttributeValues"][":expired"]["B"], "b2xk");
    }
}
