use bytes::Bytes;
use countersign_domain::{AccountId, AgentId, Caller, Decision, OutgoingRequest, RegionName, RequestId, SessionId};

use super::*;

const SETTINGS: &str = include_str!("../../policy/tests/policy/countersign.toml");

fn bundle(rules: &str) -> Bundle {
    let files =
        vec![("rules.cedar".to_owned(), rules.to_owned()), ("countersign.toml".to_owned(), SETTINGS.to_owned())];
    Bundle::from_sources(files, |_| None, &[]).unwrap()
}

fn opened() -> OpenedCall {
    let call = FrozenCall {
        request_id: RequestId::from_random([7; 16]),
        caller: Caller {
            agent: AgentId::new("deployer").unwrap(),
            groups: BTreeSet::new(),
            owners: BTreeSet::new(),
            session: SessionId::from_bits([3; 16]),
            session_started: Timestamp::from_secs(0),
            unverified_task: String::new(),
            source_ip: "203.0.113.9".into(),
        },
        target: TargetName::new("dev").unwrap(),
        account: AccountId::new("111122223333").unwrap(),
        region: RegionName::new("eu-central-1").unwrap(),
        signing_name: "dynamodb".into(),
        host: "dynamodb.eu-central-1.amazonaws.com".into(),
        outgoing: OutgoingRequest {
            method: "POST".into(),
            path: "/".into(),
            query: String::new(),
            headers: vec![
                ("content-type".into(), "application/x-amz-json-1.0".into()),
                ("x-amz-target".into(), "DynamoDB_20120810.PutItem".into()),
            ],
            body: Bytes::from_static(br#"{"TableName":"t","Item":{"k":{"S":"v"}}}"#),
        },
        frozen_at: Timestamp::from_secs(100),
        expires_at: Timestamp::from_secs(2000),
    };
    OpenedCall { digest: FrozenCall::digest_of(&call.encode()), call }
}

fn now() -> Timestamp {
    Timestamp::from_secs(1000)
}

const HELD: &str = "@approval(\"dba\") permit(principal, action, resource);";

#[test]
fn a_held_call_is_decided_by_policy_as_it_is_now() {
    let cases = [
        (HELD, "needs-approval"),
        ("permit(principal, action, resource);", "allow"),
        ("forbid(principal, action, resource);", "deny"),
    ];
    for (rules, expected) in cases {
        let bundle = bundle(rules);
        let assessed = assess(&bundle, opened(), now()).unwrap();
        assert_eq!(assessed.verdict.decision.as_str(), expected, "{rules}");
        assert_eq!((assessed.call.name().as_str(), assessed.digest), ("dynamodb:PutItem", opened().digest));
    }
}

#[test]
fn groups_and_owners_that_the_bundle_gives_are_those_of_now() {
    // Nothing of the bundle is sealed into the frozen call.
    let rules = "@approval(\"dba\") permit(principal in Group::\"deployers\", action, resource);";
    let given = bundle(rules);
    let assessed = assess(&given, opened(), now()).unwrap();
    assert!(matches!(assessed.verdict.decision, Decision::NeedsApproval { .. }), "{:?}", assessed.verdict.decision);
    assert_eq!(assessed.owners, [PersonId::new("carol").unwrap()].into());
    let taken = SETTINGS.replace("groups = [\"deployers\"]", "groups = []");
    let files = vec![("rules.cedar".to_owned(), rules.to_owned()), ("countersign.toml".to_owned(), taken)];
    let taken = Bundle::from_sources(files, |_| None, &[]).unwrap();
    let assessed = assess(&taken, opened(), now()).unwrap();
    assert!(matches!(assessed.verdict.decision, Decision::Deny { .. }), "{:?}", assessed.verdict.decision);
}

#[test]
fn a_call_whose_target_or_bytes_do_not_fit_is_not_assessed() {
    let bundle = bundle(HELD);
    let change: [fn(&mut FrozenCall); 4] = [
        |frozen| frozen.target = TargetName::new("gone").unwrap(),
        |frozen| frozen.account = AccountId::new("999999999999").unwrap(),
        |frozen| frozen.host = "dynamodb.evil.example".into(),
        |frozen| frozen.outgoing.body = Bytes::from_static(br#"{ "TableName":"t","Item":{"k":{"S":"v"}}}"#),
    ];
    for (number, change) in change.into_iter().enumerate() {
        let mut changed = opened();
        change(&mut changed.call);
        assert!(assess(&bundle, changed, now()).is_err(), "change {number}");
    }
}
