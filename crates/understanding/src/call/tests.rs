use bytes::Bytes;
use countersign_domain::{
    AccountId, AgentId, Caller, RegionName, RequestId, Resource, SessionId, TargetName, Timestamp,
};

use super::*;

fn target(regions: &[&str]) -> Target {
    Target {
        name: TargetName::new("sandbox").unwrap(),
        account: AccountId::new("123456789012").unwrap(),
        partition: "aws".into(),
        regions: regions.iter().map(|name| RegionName::new(*name).unwrap()).collect(),
        auto_role: "arn:aws:iam::123456789012:role/auto".into(),
        approved_role: "arn:aws:iam::123456789012:role/approved".into(),
        external_id: None,
    }
}

struct Sent {
    method: &'static str,
    path: &'static str,
    query: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
    service: &'static str,
    region: &'static str,
    endpoint: Endpoint<'static>,
}

fn create_role() -> Sent {
    Sent {
        method: "POST",
        path: "/",
        query: "",
        headers: vec![("content-type", "application/x-www-form-urlencoded; charset=utf-8")],
        body: "Action=CreateRole&Version=2010-05-08&RoleName=app&AssumeRolePolicyDocument=%7B%7D",
        service: "iam",
        region: "eu-central-1",
        endpoint: Endpoint::Any,
    }
}

fn put_item() -> Sent {
    Sent {
        headers: vec![("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "DynamoDB_20120810.PutItem")],
        body: r#"{"TableName":"t","Item":{"k":{"S":"v"}}}"#,
        service: "dynamodb",
        ..create_role()
    }
}

fn get_object() -> Sent {
    Sent {
        method: "GET",
        path: "/bucket/a%20b/%C3%BC",
        query: "x-id=GetObject",
        headers: Vec::new(),
        body: "",
        service: "s3",
        ..create_role()
    }
}

fn understood(sent: &Sent, target: &Target) -> Result<Call, Refusal> {
    let headers: Vec<_> = sent.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let request = WireRequest {
        method: sent.method,
        path: sent.path,
        query: sent.query,
        headers: &headers,
        body: Bytes::from_static(sent.body.as_bytes()),
        signing_name: sent.service,
        signing_region: sent.region,
        host_prefix: "",
        from_chunked: false,
        body_is_signed: true,
        endpoint: sent.endpoint,
    };
    understand(&request, target)
}

fn frozen(call: &Call, target: &Target) -> FrozenCall {
    FrozenCall {
        request_id: RequestId::from_random([7; 16]),
        caller: Caller {
            agent: AgentId::new("deployer").unwrap(),
            groups: Default::default(),
            owners: Default::default(),
            session: SessionId::from_bits([3; 16]),
            session_started: Timestamp::from_secs(0),
            unverified_task: String::new(),
            source_ip: String::new(),
        },
        target: target.name.clone(),
        account: target.account.clone(),
        region: RegionName::new(call.region.clone()).unwrap(),
        signing_name: call.upstream.signing_name.clone(),
        host: call.upstream.host.clone(),
        outgoing: call.outgoing.clone(),
        frozen_at: Timestamp::from_secs(1),
        expires_at: Timestamp::from_secs(2),
    }
}

#[test]
fn a_request_becomes_a_call_with_its_permissions_and_its_place() {
    let target = target(&["eu-central-1"]);
    for (sent, name, host, action, arn) in [
        (create_role(), "iam:CreateRole", "iam.amazonaws.com", "iam:CreateRole", "arn:aws:iam::123456789012:role/app"),
        (
            put_item(),
            "dynamodb:PutItem",
            "dynamodb.eu-central-1.amazonaws.com",
            "dynamodb:PutItem",
            "arn:aws:dynamodb:eu-central-1:123456789012:table/t",
        ),
        (get_object(), "s3:GetObject", "s3.eu-central-1.amazonaws.com", "s3:GetObject", "arn:aws:s3:::bucket/a b/ü"),
    ] {
        let call = understood(&sent, &target).unwrap();
        assert_eq!(
            (call.name().as_str(), call.upstream.host.as_str(), call.region.as_str()),
            (name, host, "eu-central-1")
        );
        let permission = call.permissions.iter().find(|permission| permission.action == action).unwrap();
        assert_eq!(permission.resource, Resource::Exact(arn.into()));
    }
}

#[test]
fn what_was_understood_once_is_understood_the_same_again() {
    let target = target(&["eu-central-1", "eu-west-1"]);
    for sent in [create_role(), put_item(), get_object()] {
        let call = understood(&sent, &target).unwrap();
        let again = reidentify(&frozen(&call, &target), &target).unwrap();
        assert_eq!(
            (again.name(), &again.parameters, &again.permissions),
            (call.name(), &call.parameters, &call.permissions)
        );
        assert_eq!((&again.outgoing, &again.upstream, &again.region), (&call.outgoing, &call.upstream, &call.region));
    }
}

#[test]
fn whatever_is_forged_beside_the_bytes_is_found() {
    let target = target(&["eu-central-1", "eu-west-1"]);
    let call = understood(&put_item(), &target).unwrap();
    let forge: [fn(&mut FrozenCall); 8] = [
        |frozen| frozen.host = "dynamodb.eu-central-1.amazonaws.com.evil.example".into(),
        |frozen| frozen.region = RegionName::new("eu-west-1").unwrap(),
        |frozen| frozen.region = RegionName::new("us-east-1").unwrap(),
        |frozen| frozen.signing_name = "dax".into(),
        |frozen| frozen.account = AccountId::new("999999999999").unwrap(),
        |frozen| frozen.target = TargetName::new("production").unwrap(),
        |frozen| frozen.outgoing.headers.push(("x-amz-security-token".into(), "mine".into())),
        |frozen| frozen.outgoing.body = Bytes::from_static(br#"{ "TableName":"t","Item":{"k":{"S":"v"}}}"#),
    ];
    for (number, forge) in forge.into_iter().enumerate() {
        let mut forged = frozen(&call, &target);
        forge(&mut forged);
        assert!(reidentify(&forged, &target).is_err(), "forgery {number}");
    }
    // Another call with the same host is another call: its digest differs, not its right to exist.
    let mut other = frozen(&call, &target);
    other.outgoing.body = Bytes::from_static(br#"{"TableName":"u","Item":{"k":{"S":"v"}}}"#);
    assert_ne!(FrozenCall::digest_of(&other.encode()), FrozenCall::digest_of(&frozen(&call, &target).encode()));
}

#[test]
fn a_target_holds_its_regions() {
    let outside = Sent { region: "us-east-1", ..put_item() };
    assert_eq!(understood(&outside, &target(&["eu-central-1"])).unwrap_err().reason(), "Region");
    let global = Sent { region: "us-east-1", ..create_role() };
    assert_eq!(understood(&global, &target(&["eu-central-1"])).unwrap().region, "eu-central-1");
}

#[test]
fn what_aws_takes_from_anybody_is_not_forwarded() {
    let login = Sent {
        body: "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fr\
               &RoleSessionName=name&WebIdentityToken=token",
        service: "sts",
        ..create_role()
    };
    assert_eq!(understood(&login, &target(&["eu-central-1"])).unwrap_err().reason(), "UnsignedOperation");
}

fn chime_tags(endpoint: Endpoint<'static>) -> Sent {
    Sent {
        method: "GET",
        path: "/tags",
        query: "arn=arn%3Aaws%3Achime%3Aeu-central-1%3A123456789012%3Aother%2Fx",
        headers: Vec::new(),
        body: "",
        service: "chime",
        endpoint,
        ..create_role()
    }
}

#[test]
fn the_endpoint_chooses_among_the_hosts_that_the_bytes_allow() {
    let target = target(&["eu-central-1"]);
    let reason = |sent: &Sent| understood(sent, &target).unwrap_err().reason();
    assert_eq!(reason(&chime_tags(Endpoint::Any)), "Ambiguous");
    for (service, host) in [
        ("chime-sdk-identity", "identity-chime.eu-central-1.amazonaws.com"),
        ("chime-sdk-messaging", "messaging-chime.eu-central-1.amazonaws.com"),
        ("chime-sdk-voice", "voice-chime.eu-central-1.amazonaws.com"),
    ] {
        let call = understood(&chime_tags(Endpoint::OfService(service)), &target).unwrap();
        assert_eq!((call.service.as_str(), call.upstream.host.as_str()), (service, host));
        assert_eq!(call.permissions[0].action, "chime:ListTagsForResource");
    }
    assert_eq!(reason(&chime_tags(Endpoint::OfService("dynamodb"))), "OtherEndpoint");
    assert_eq!(reason(&chime_tags(Endpoint::OfService("chime-sdk"))), "UnknownEndpoint");
    assert_eq!(reason(&chime_tags(Endpoint::OfService("CHIME-SDK-VOICE"))), "UnknownEndpoint");
    // Where the bytes say one thing, an endpoint of another service changes nothing about it.
    let other = Sent { endpoint: Endpoint::OfService("sts"), ..create_role() };
    assert_eq!(reason(&other), "OtherEndpoint");
    let own = Sent { endpoint: Endpoint::OfService("iam"), ..create_role() };
    assert_eq!(understood(&own, &target).unwrap().outgoing, understood(&create_role(), &target).unwrap().outgoing);
}

#[test]
fn an_endpoint_does_not_choose_among_names_for_one_host() {
    let describe = |endpoint| Sent {
        body: "Action=DescribeDBClusters&Version=2014-10-31",
        service: "rds",
        endpoint,
        ..create_role()
    };
    let target = target(&["eu-central-1"]);
    let call = understood(&describe(Endpoint::OfService("docdb")), &target).unwrap();
    assert_eq!(call.service, "rds");
    assert_eq!(call.permissions, understood(&describe(Endpoint::Any), &target).unwrap().permissions);
}

#[test]
fn a_frozen_call_is_understood_again_for_the_host_that_was_frozen() {
    let target = target(&["eu-central-1"]);
    for service in ["chime-sdk-identity", "chime-sdk-messaging", "chime-sdk-voice"] {
        let call = understood(&chime_tags(Endpoint::OfService(service)), &target).unwrap();
        let kept = frozen(&call, &target);
        assert_eq!(reidentify(&kept, &target).unwrap().upstream, call.upstream);
        let elsewhere = FrozenCall { host: "chime.evil.example".into(), ..kept };
        assert!(reidentify(&elsewhere, &target).is_err());
    }
}

#[test]
fn a_url_that_an_sdk_signed_for_another_region_is_left_out_or_refused() {
    let copy = |service, body| Sent { body, service, ..create_role() };
    let target = target(&["eu-central-1"]);
    for (sent, name) in [
        (
            copy(
                "ec2",
                "Action=CopySnapshot&Version=2016-11-15&SourceRegion=eu-west-1&SourceSnapshotId=snap-0123456789abcdef0\
                 &DestinationRegion=eu-central-1&PresignedUrl=https%3A%2F%2Fec2.eu-west-1.amazonaws.com%2F%3FX-Amz-Signature%3Dab",
            ),
            "ec2:CopySnapshot",
        ),
        (
            copy(
                "rds",
                "Action=CopyDBSnapshot&Version=2014-10-31&TargetDBSnapshotIdentifier=copy\
                 &SourceDBSnapshotIdentifier=arn%3Aaws%3Ards%3Aeu-west-1%3A123456789012%3Asnapshot%3As\
                 &PreSignedUrl=https%3A%2F%2Frds.eu-west-1.amazonaws.com%2F%3FX-Amz-Signature%3Dab",
            ),
            "rds:CopyDBSnapshot",
        ),
    ] {
        let call = understood(&sent, &target).unwrap();
        assert_eq!(call.name(), name);
        let body = String::from_utf8(call.outgoing.body.to_vec()).unwrap();
        assert!(!body.to_ascii_lowercase().contains("presignedurl"), "{body}");
        assert!(body.contains("Source"), "{body}");
        assert_eq!(reidentify(&frozen(&call, &target), &target).unwrap().outgoing, call.outgoing);
        let gov = Target {
            partition: "aws-us-gov".into(),
            regions: vec![RegionName::new("us-gov-west-1").unwrap()],
            ..target.clone()
        };
        let there = understood(&Sent { region: "us-gov-west-1", ..sent }, &gov);
        match name {
            "ec2:CopySnapshot" => assert!(there.is_ok()),
            _ => assert_eq!(there.unwrap_err().reason(), "PresignedUrl"),
        }
    }
}

#[test]
fn what_may_be_sent_again_is_told_from_what_may_not() {
    let target = target(&["eu-central-1"]);
    let form = |service, body| Sent { body, service, ..create_role() };
    let json = |service, target, body| Sent {
        headers: vec![("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)],
        body,
        service,
        ..create_role()
    };
    for (sent, may) in [
        (form("iam", "Action=GetRole&Version=2010-05-08&RoleName=app"), true),
        (create_role(), false),
        (form("iam", "Action=DeleteRole&Version=2010-05-08&RoleName=app"), false),
        (form("ec2", "Action=DescribeInstances&Version=2016-11-15"), true),
        (form("ec2", "Action=RunInstances&Version=2016-11-15&MinCount=1&MaxCount=1&ImageId=ami-1"), false),
        (form("ec2", "Action=RunInstances&Version=2016-11-15&MinCount=1&MaxCount=1&ImageId=ami-1&ClientToken=t"), true),
        (
            form(
                "sns",
                "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-central-1%3A123456789012%3At&Message=m",
            ),
            false,
        ),
        (put_item(), false),
        (json("secretsmanager", "secretsmanager.CreateSecret", r#"{"Name":"n"}"#), false),
        (
            json(
                "secretsmanager",
                "secretsmanager.CreateSecret",
                r#"{"Name":"n","ClientRequestToken":"tttttttttttttttttttttttttttttttt"}"#,
            ),
            true,
        ),
        (json("kms", "TrentService.ScheduleKeyDeletion", r#"{"KeyId":"k"}"#), false),
        (json("ssm", "AmazonSSM.SendCommand", r#"{"DocumentName":"d"}"#), false),
        (get_object(), true),
        (Sent { method: "PUT", path: "/bucket/k", query: "x-id=PutObject", ..get_object() }, false),
    ] {
        let call = understood(&sent, &target).unwrap();
        assert_eq!(call.may_be_repeated(), may, "{} {}", call.name(), sent.body);
    }
    let delete = |service, path, query| Sent {
        method: "DELETE",
        path,
        query,
        headers: Vec::new(),
        body: "",
        service,
        ..create_role()
    };
    // Declared idempotent; the second has a token for that, and says so only of calls that carry it.
    for (sent, may) in [
        (delete("lambda", "/2015-03-31/functions/f/aliases/live", ""), true),
        (delete("scheduler", "/schedules/nightly", ""), false),
        (delete("scheduler", "/schedules/nightly", "clientToken=t"), true),
    ] {
        assert_eq!(understood(&sent, &target).unwrap().may_be_repeated(), may, "{} {}", sent.path, sent.query);
    }
}
