//! Noise: whatever comes, the answer is a call or a refusal, and a call is a fixed point.

use bytes::Bytes;
use countersign_catalogue::{Catalogue, Endpoint, Place, WireRequest};
use countersign_domain::OutgoingRequest;
use proptest::prelude::*;

use crate::Request;

/// Requests to be damaged, one of each protocol and some of the stranger kinds.
fn seeds() -> Vec<Request> {
    vec![
        Request::dynamodb("PutItem", r#"{"TableName":"t","Item":{"k":{"M":{"n":{"L":[{"N":"1"},{"B":"AA=="}]}}}}}"#),
        Request::form("iam", "Action=TagUser&Version=2010-05-08&UserName=a&Tags.member.1.Key=k&Tags.member.1.Value=v"),
        Request::form("ec2", "Action=RunInstances&Version=2016-11-15&MinCount=1&MaxCount=1&TagSpecification.1.Tag.1.Key=k"),
        Request::rest("s3", "PUT", "/b").query("tagging").body(
            r#"<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"#,
        ),
        Request::rest("s3", "GET", "/b/a%20b/c").query("versionId=1&partNumber=2"),
        Request::rest("lambda", "POST", "/2015-03-31/functions/f/invocations").body("{}").header("x-amz-invocation-type", "Event"),
        Request::rest("lambda", "GET", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Ax%3A1%3Afunction%3Af"),
        Request {
            path: "/service/GraniteServiceVersion20100801/operation/PutMetricData".to_owned(),
            ..Request::new("monitoring")
                .header("smithy-protocol", "rpc-v2-cbor")
                .body(*b"\xa2\x69Namespace\x61n\x6aMetricData\x81\xa3\x6aMetricName\x61m\x65Value\xfb\x3f\xf0\0\0\0\0\0\0\x69Timestamp\xc1\x1a\x65\0\0\0")
        },
    ]
}

fn understand(request: &OutgoingRequest, signing_name: &str) -> Option<OutgoingRequest> {
    let wire = WireRequest {
        method: &request.method,
        path: &request.path,
        query: &request.query,
        headers: &request.headers,
        body: request.body.clone(),
        signing_name,
        signing_region: "eu-central-1",
        host_prefix: "",
        from_chunked: false,
        body_is_signed: true,
        endpoint: Endpoint::Any,
    };
    Catalogue::embedded().understand(&wire, &Place::aws()).ok().map(|call| call.outgoing)
}

#[test]
fn the_seeds_are_understood() {
    for seed in seeds() {
        let call = seed.understand().unwrap_or_else(|refusal| panic!("{}: {refusal}", seed.path));
        assert_eq!(understand(&call.outgoing, seed.signing_name), Some(call.outgoing.clone()), "{}", call.operation);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_requests_are_refused_or_are_fixed_points(
        seed in 0_usize..8,
        place in any::<prop::sample::Index>(),
        replacement in prop::collection::vec(any::<u8>(), 0..6),
        cut in 0_usize..4,
        part in 0_u8..3,
    ) {
        let mut request = seeds().swap_remove(seed);
        let damage = |bytes: &mut Vec<u8>| {
            let at = place.index(bytes.len() + 1);
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, replacement.iter().copied());
        };
        match part {
            0 => damage(&mut request.body),
            1 => {
                let mut path = std::mem::take(&mut request.path).into_bytes();
                damage(&mut path);
                request.path = String::from_utf8_lossy(&path).into_owned();
            }
            _ => {
                if let Some((_, value)) = request.headers.first_mut() {
                    let mut bytes = std::mem::take(value).into_bytes();
                    damage(&mut bytes);
                    *value = String::from_utf8_lossy(&bytes).into_owned();
                }
            }
        }
        if let Ok(call) = request.understand() {
            prop_assert_eq!(understand(&call.outgoing, request.signing_name), Some(call.outgoing));
        }
    }

    #[test]
    fn answers_of_noise_are_errors_or_pass_the_mask(body in prop::collection::vec(any::<u8>(), 0..200), status in 200_u16..600) {
        use countersign_catalogue::response::Answered;
        use countersign_domain::Protocol;
        let body = Bytes::from(body);
        for (service, operation, protocol) in [
            ("dynamodb", "GetItem", Protocol::Json),
            ("iam", "GetUser", Protocol::Query),
            ("ec2", "DescribeInstances", Protocol::Ec2),
            ("s3", "ListObjectsV2", Protocol::RestXml),
            ("cloudwatch", "GetMetricData", Protocol::RpcV2Cbor),
        ] {
            let answered = Answered { service, operation, protocol };
            let _ = Catalogue::embedded().mask_response(&answered, status, &mut Vec::new(), &body, &mut |_| None);
        }
    }
}
