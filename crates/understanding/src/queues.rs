//! The addresses of queues in SQS's answers.

use bytes::Bytes;
use countersign_catalogue::{
    Catalogue,
    response::{Answered, Leaf, LeafContent, MaskError},
};
use countersign_domain::Call;

/// The members of SQS's answers that hold queues' URLs.
const MEMBERS: [&str; 3] = ["QueueUrl", "QueueUrls[]", "queueUrls[]"];

/// The body of an answer of SQS, with `door` (the base URL that the agent talks to) as the address of
/// each queue in it: SDKs send to the host that a queue's URL names, and would pass the gateway by.
/// Any other answer is given back as it is.
///
/// # Errors
/// [`MaskError`] when the answer cannot be read along the model.
pub fn with_queues_at(
    door: &str,
    call: &Call,
    status: u16,
    headers: &mut Vec<(String, String)>,
    body: Bytes,
) -> Result<Bytes, MaskError> {
    if call.service != "sqs" || !(200..300).contains(&status) {
        return Ok(body);
    }
    let answered = Answered { service: &call.service, operation: &call.operation, protocol: call.protocol };
    let mut readdress = |leaf: &Leaf<'_>| match leaf.content {
        LeafContent::Text(url) if MEMBERS.contains(&leaf.path) => readdressed(door, url),
        _ => None,
    };
    Catalogue::embedded().mask_response(&answered, status, headers, &body, &mut readdress)
}

fn readdressed(door: &str, url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let (_, path) = rest.split_once('/')?;
    Some(format!("{}/{path}", door.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use countersign_catalogue::{Endpoint, WireRequest};
    use countersign_domain::{AccountId, RegionName, TargetName, settings::Target};

    use super::*;
    use crate::understand;

    const DOOR: &str = "https://gw.example.com";

    fn target() -> Target {
        Target {
            name: TargetName::new("sandbox").unwrap(),
            account: AccountId::new("123456789012").unwrap(),
            partition: "aws".into(),
            regions: vec![RegionName::new("eu-central-1").unwrap()].into_iter().collect(),
            auto_role: "arn:aws:iam::123456789012:role/auto".into(),
            approved_role: "arn:aws:iam::123456789012:role/approved".into(),
            external_id: None,
        }
    }

    fn call(operation: &str, body: String) -> Call {
        let headers = [
            ("content-type".to_owned(), "application/x-amz-json-1.0".to_owned()),
            ("x-amz-target".to_owned(), format!("AmazonSQS.{operation}")),
        ];
        let request = WireRequest {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: Bytes::from(body),
            signing_name: "sqs",
            signing_region: "eu-central-1",
            host_prefix: "",
            from_chunked: false,
            body_is_signed: true,
            endpoint: Endpoint::Any,
        };
        understand(&request, &target()).unwrap()
    }

    fn answered(call: &Call, body: &'static str) -> String {
        let body = with_queues_at(DOOR, call, 200, &mut Vec::new(), Bytes::from_static(body.as_bytes())).unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn a_queues_url_leads_to_the_door_and_back_to_the_same_queue() {
        let create = call("CreateQueue", r#"{"QueueName":"jobs"}"#.to_owned());
        let told = answered(&create, r#"{"QueueUrl":"https://sqs.eu-central-1.amazonaws.com/123456789012/jobs"}"#);
        assert_eq!(told, r#"{"QueueUrl":"https://gw.example.com/123456789012/jobs"}"#);
        let list = call("ListQueues", "{}".to_owned());
        let told = answered(
            &list,
            r#"{"NextToken":"n","QueueUrls":["https://sqs.eu-central-1.amazonaws.com/123456789012/a"]}"#,
        );
        assert!(told.contains(r#""https://gw.example.com/123456789012/a""#), "{told}");
        let original = "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs";
        let send = |url: &str| call("SendMessage", format!(r#"{{"MessageBody":"{url}","QueueUrl":"{url}"}}"#));
        let [there, back] = [send(original), send("https://gw.example.com/123456789012/jobs")];
        assert_eq!(there.permissions, back.permissions);
        assert_eq!(back.parameters.get("QueueUrl").and_then(|url| url.as_text()), Some(original));
        let sent = String::from_utf8(back.outgoing.body.to_vec()).unwrap();
        assert!(sent.contains(&format!(r#""QueueUrl":"{original}""#)), "{sent}");
        assert!(sent.contains(r#""MessageBody":"https://gw.example.com/123456789012/jobs""#), "messages stay: {sent}");
    }

    #[test]
    fn messages_and_other_services_stay_as_they_are() {
        let receive = call("ReceiveMessage", r#"{"QueueUrl":"https://gw.example.com/123456789012/jobs"}"#.to_owned());
        let body = r#"{"Messages":[{"Body":"https://sqs.eu-central-1.amazonaws.com/123456789012/jobs"}]}"#;
        assert_eq!(answered(&receive, body), body);
        let mut other = receive;
        other.service = "sns".into();
        assert_eq!(answered(&other, "no json"), "no json");
    }
}
