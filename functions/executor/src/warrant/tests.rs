use std::{collections::BTreeSet, time::Duration};

use countersign_domain::{
    AccessLevel, AccountId, AgentId, Caller, Class, Classes, GroupName, OutgoingRequest, Permission, Protocol,
    RegionName, Resource, RuleHit, SessionId, TargetName, Upstream, Value,
    certificate::Proof,
    settings::{Channels, Person},
};

use super::*;

fn person(name: &str) -> PersonId {
    PersonId::new(name).unwrap()
}

fn group(name: &str) -> GroupName {
    GroupName::new(name).unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

/// A case that holds: ann of the leads approved a call of an agent that carol owns. Each test spoils
/// one thing.
struct Case {
    request: RequestId,
    statement: Statement,
    frozen: FrozenCall,
    digest: Digest,
    call: Call,
    decision: Decision,
    decisions: Vec<DecisionItem>,
    seen: Vec<SeenItem>,
    settings: Settings,
}

impl Case {
    fn new() -> Self {
        let request = RequestId::from_random([1; 16]);
        let frozen = frozen(&request);
        let digest = FrozenCall::digest_of(&frozen.encode());
        let given = Approval { proof: Proof::SignedIn, seen_at: at(100), decided_at: at(130) };
        Self {
            statement: Statement {
                request_id: request.clone(),
                frozen_digest: digest,
                approvals: [(person("ann"), given)].into(),
                facts_hash: Digest::of(b"facts"),
                bundle_hash: Digest::of(b"bundle"),
                issued_at: at(130),
                expires_at: at(130 + 900),
            },
            decision: Decision::NeedsApproval { obligations: obligations(), rules: Vec::new() },
            decisions: vec![decided(&given, &digest)],
            seen: vec![SeenItem { person: person("ann"), at: at(100), proof: Proof::SignedIn }],
            call: call(Classes::NONE),
            settings: settings(),
            request,
            frozen,
            digest,
        }
    }

    fn check_at(&self, now: Timestamp) -> Result<Obligations, Uncovered> {
        let Self { request, statement, frozen, digest, call, decision, decisions, seen, settings } = self;
        let owners = &approval::owners(settings, &frozen.caller.agent, &frozen.caller.owners);
        check(&Evidence { request, statement, frozen, digest, call, decision, owners, decisions, seen, settings }, now)
    }

    fn check(&self) -> Result<Obligations, Uncovered> {
        self.check_at(at(200))
    }

    /// The same approval in certificate, decision and first sight.
    fn given(&mut self, change: impl Fn(&mut Approval)) {
        let approval = self.statement.approvals.get_mut(&person("ann")).unwrap();
        change(approval);
        self.decisions = vec![decided(approval, &self.digest)];
        self.seen[0].at = approval.seen_at;
    }

    fn obligations(&mut self, change: impl Fn(&mut Obligations)) {
        let mut obligations = obligations();
        change(&mut obligations);
        self.decision = Decision::NeedsApproval { obligations, rules: Vec::new() };
    }
}

fn decided(given: &Approval, digest: &Digest) -> DecisionItem {
    DecisionItem {
        person: person("ann"),
        verdict: Verdict::Approve,
        reason: "needed".into(),
        proof: given.proof,
        seen_at: given.seen_at,
        decided_at: given.decided_at,
        facts_hash: Digest::of(b"facts"),
        frozen_digest: *digest,
    }
}

fn obligations() -> Obligations {
    let mut obligations = Obligations::none();
    obligations.approvals = [(group("leads"), 1)].into();
    obligations.min_review = Duration::from_secs(20);
    obligations
}

fn frozen(request: &RequestId) -> FrozenCall {
    FrozenCall {
        request_id: request.clone(),
        caller: Caller {
            agent: AgentId::new("deployer").unwrap(),
            groups: BTreeSet::new(),
            owners: [person("carol")].into(),
            session: SessionId::from_bits([3; 16]),
            session_started: at(10),
            unverified_task: String::new(),
            source_ip: "203.0.113.9".into(),
        },
        target: TargetName::new("sandbox").unwrap(),
        account: AccountId::new("123456789012").unwrap(),
        region: RegionName::new("eu-central-1").unwrap(),
        signing_name: "iam".into(),
        host: "iam.amazonaws.com".into(),
        outgoing: outgoing(),
        frozen_at: at(50),
        expires_at: at(1850),
    }
}

fn outgoing() -> OutgoingRequest {
    OutgoingRequest {
        method: "POST".into(),
        path: "/".into(),
        query: String::new(),
        headers: Vec::new(),
        body: bytes::Bytes::from_static(b"Action=CreateRole"),
    }
}

fn call(classes: Classes) -> Call {
    Call {
        service: "iam".into(),
        operation: "CreateRole".into(),
        protocol: Protocol::Query,
        region: "eu-central-1".into(),
        parameters: Value::Record(Vec::new()),
        permissions: vec![Permission {
            action: "iam:CreateRole".into(),
            resource: Resource::Unresolved,
            level: AccessLevel::PermissionsManagement,
            classes,
        }],
        upstream: Upstream {
            host: "iam.amazonaws.com".into(),
            signing_name: "iam".into(),
            signing_region: "us-east-1".into(),
        },
        outgoing: outgoing(),
        idempotency_token: None,
        idempotency_member: None,
        idempotent: false,
    }
}

fn settings() -> Settings {
    let person = |name: &str, groups: &[&str]| Person {
        id: person(name),
        emails: Vec::new(),
        subjects: Vec::new(),
        groups: groups.iter().map(|name| group(name)).collect(),
    };
    Settings {
        limits: Default::default(),
        agent_issuers: Vec::new(),
        person_issuers: Vec::new(),
        targets: Vec::new(),
        agents: Vec::new(),
        persons: vec![person("ann", &["leads"]), person("carol", &["leads"]), person("dan", &["others"])],
        channels: Channels { email_from: "a@example.com".into(), sns_topic: None, email_codes: true },
        masking: Default::default(),
    }
}

#[test]
fn an_approval_that_holds_covers_the_call() {
    assert_eq!(Case::new().check(), Ok(obligations()));
}

#[test]
fn a_certificate_is_for_one_request_its_bytes_and_its_time() {
    let mut case = Case::new();
    case.request = RequestId::from_random([2; 16]);
    assert_eq!(case.check(), Err(Uncovered::AnotherRequest));
    let mut case = Case::new();
    case.statement.request_id = RequestId::from_random([2; 16]);
    assert_eq!(case.check(), Err(Uncovered::AnotherRequest));
    let mut case = Case::new();
    case.statement.frozen_digest = Digest::of(b"others");
    assert_eq!(case.check(), Err(Uncovered::OtherBytes));
    let mut case = Case::new();
    assert_eq!(case.check_at(at(1030)), Err(Uncovered::Expired));
    case.statement.expires_at = at(130 + 901);
    assert_eq!(case.check(), Err(Uncovered::TooLong));
    let mut case = Case::new();
    case.statement.approvals.clear();
    assert_eq!(case.check(), Err(Uncovered::NoQuorum));
}

#[test]
fn the_decisions_on_file_must_be_those_that_were_certified() {
    let not_on_file = Err(Uncovered::NotOnFile(person("ann")));
    let spoil: [fn(&mut Case); 7] = [
        |case| case.decisions.clear(),
        |case| case.decisions[0].proof = Proof::EmailedCode,
        |case| case.decisions[0].seen_at = at(1),
        |case| case.decisions[0].decided_at = at(131),
        |case| case.decisions[0].frozen_digest = Digest::of(b"others"),
        |case| case.seen.clear(),
        |case| case.seen[0].at = at(101),
    ];
    for (number, spoil) in spoil.into_iter().enumerate() {
        let mut case = Case::new();
        spoil(&mut case);
        assert_eq!(case.check(), not_on_file, "case {number}");
    }
}

#[test]
fn one_denial_outweighs_every_approval() {
    let mut case = Case::new();
    let mut denial = case.decisions[0].clone();
    denial.person = person("dan");
    denial.verdict = Verdict::Deny;
    case.decisions.push(denial);
    assert_eq!(case.check(), Err(Uncovered::Denied(person("dan"))));
}

#[test]
fn an_approval_after_the_expiry_does_not_count() {
    let mut case = Case::new();
    case.frozen.expires_at = at(130);
    assert_eq!(case.check(), Err(Uncovered::TooLate(person("ann"))));
}

#[test]
fn approvers_are_looked_at_as_they_are_now() {
    let ineligible = |why| Err(Uncovered::Ineligible(person("ann"), why));
    let mut case = Case::new();
    case.settings.persons.remove(0);
    assert_eq!(case.check(), Err(Uncovered::UnknownPerson(person("ann"))));
    let mut case = Case::new();
    case.settings.persons[0].groups.clear();
    assert_eq!(case.check(), ineligible(Ineligible::NotAsked("leads".into())));
    let mut case = Case::new();
    case.frozen.caller.owners = [person("ann")].into();
    assert_eq!(case.check(), ineligible(Ineligible::Owner));
    let mut case = Case::new();
    case.frozen.caller.owners.clear();
    assert_eq!(case.check(), ineligible(Ineligible::AgentWithoutOwner));
}

#[test]
fn obligations_are_those_of_policy_now() {
    let mut case = Case::new();
    case.obligations(|now| now.approvals = [(group("leads"), 2)].into());
    assert_eq!(case.check(), Err(Uncovered::NoQuorum));
    let mut case = Case::new();
    case.obligations(|now| now.min_review = Duration::from_secs(31));
    assert_eq!(case.check(), Err(Uncovered::Ineligible(person("ann"), Ineligible::TooSoon(31))));
    let mut case = Case::new();
    let rules = vec![RuleHit { rule: "new".into(), reason: "no".into() }];
    case.decision = Decision::Deny { reason: "no".into(), rules };
    assert_eq!(case.check(), Err(Uncovered::Forbidden("no".into())));
    // What needs nobody's approval any more is covered by the approval that it has.
    case.decision = Decision::Allow { obligations: Obligations::none(), rules: Vec::new() };
    assert_eq!(case.check(), Ok(Obligations::none()));
}

#[test]
fn a_code_by_email_never_stands_for_a_call_in_a_class() {
    let mut case = Case::new();
    case.given(|approval| approval.proof = Proof::EmailedCode);
    assert_eq!(case.check(), Ok(obligations()));
    let weak = Err(Uncovered::Ineligible(person("ann"), Ineligible::WeakProof));
    for class in Class::ALL {
        case.call = call(Classes::NONE.with(class));
        assert_eq!(case.check(), weak, "{class:?}");
    }
    case.call = call(Classes::NONE);
    case.settings.channels.email_codes = false;
    assert_eq!(case.check(), weak);
}
