use countersign_domain::Timestamp;
use countersign_sigv4::{Presented, SecretKey, UnverifiedRequest, verify};
use tokio::net::TcpListener;

use super::*;
use crate::testing::{Act, Received, Server, aws};

const LIMIT: Duration = Duration::from_secs(10);

fn outgoing(method: &str, path: &str, query: &str, body: &'static [u8]) -> OutgoingRequest {
    OutgoingRequest {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        headers: vec![("content-type".into(), "application/x-amz-json-1.0".into())],
        body: Bytes::from_static(body),
    }
}

fn upstream(signing_name: &str) -> Upstream {
    Upstream {
        host: format!("{signing_name}.eu-central-1.amazonaws.com"),
        signing_name: signing_name.into(),
        signing_region: "eu-central-1".into(),
    }
}

fn credentials() -> Credentials {
    Credentials::new("ASIAEXAMPLE", "secret", Some("token".into()), None, "test")
}

async fn send_to(endpoint: &str, limit: Duration) -> Result<Answer, ForwardError> {
    let forwarder = aws(Some(endpoint.to_owned())).fresh_forwarder();
    forwarder.send(&outgoing("POST", "/", "", b"{}"), &upstream("dynamodb"), &credentials(), limit).await
}

async fn send(act: Act, limit: Duration) -> Result<Answer, ForwardError> {
    let server = Server::start([act]).await;
    let answer = send_to(&server.origin, limit).await;
    assert_eq!(server.received().len(), 1, "sent once, whatever happens");
    answer
}

#[tokio::test]
async fn what_could_not_connect_was_not_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let not_sent = Err(ForwardError::NotSent(NotSent::NoConnection));
    assert_eq!(send_to(&format!("http://{closed}"), LIMIT).await, not_sent);
    // A server that does not speak TLS: the handshake fails, and no byte of the call has left.
    let server = Server::start([Act::Close]).await;
    assert_eq!(send_to(&server.origin.replace("http://", "https://"), LIMIT).await, not_sent);
    assert_eq!(send_to("http://no-such-host.invalid", LIMIT).await, not_sent);
}

#[tokio::test]
async fn what_was_written_may_have_been_executed() {
    let maybe = |why| Err(ForwardError::MaybeSent(why));
    assert_eq!(send(Act::Close, LIMIT).await, maybe(MaybeSent::Broken));
    assert_eq!(send(Act::AnswerInPart, LIMIT).await, maybe(MaybeSent::Broken));
    assert_eq!(send(Act::Hang, Duration::from_millis(300)).await, maybe(MaybeSent::TimedOut));
}

#[tokio::test]
async fn a_part_that_stands_in_no_request_is_not_sent() {
    let forwarder = aws(Some("http://127.0.0.1:9".into())).forwarder();
    let mut bad = outgoing("POST", "/", "", b"");
    bad.headers.push(("x-amz-meta-a".into(), "line\r\nbreak".into()));
    let sent = forwarder.send(&bad, &upstream("s3"), &credentials(), LIMIT).await;
    assert_eq!(sent, Err(ForwardError::NotSent(NotSent::BadRequest)));
}

#[tokio::test]
async fn errors_and_redirects_are_answers() {
    for status in [200, 307, 400, 503] {
        let headers = vec![("Location", "http://169.254.169.254/".to_owned()), ("X-Amzn-RequestId", "id".to_owned())];
        let answer = send(Act::Answer { status, headers, body: "body".into() }, LIMIT).await.unwrap();
        assert_eq!((answer.status, &*answer.body), (status, b"body".as_slice()));
        assert!(answer.headers.contains(&("x-amzn-requestid".into(), "id".into())), "{:?}", answer.headers);
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_passed_on_still_tells_its_status() {
    let body = "x".repeat(MOST_ANSWER_BYTES + 1);
    let answer = send(Act::Answer { status: 200, headers: Vec::new(), body }, LIMIT).await;
    assert_eq!(answer, Err(ForwardError::MaybeSent(MaybeSent::TooLarge { status: 200 })));
}

/// What was received, as the verifier of the agents' door sees it.
fn verify_received(received: &Received) -> Result<(), String> {
    let mut words = received.line.split(' ');
    let method = words.next().unwrap();
    let (path, query) = words.next().map(|target| target.split_once('?').unwrap_or((target, ""))).unwrap();
    let body = Bytes::from(received.body.clone());
    let request = UnverifiedRequest { method, path, query, headers: &received.headers, body: &body };
    let presented = Presented::parse(&request).map_err(|error| error.to_string())?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    verify(&presented, &request, &SecretKey::new("secret"), Timestamp::from_secs(now))
        .map(|_| ())
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn every_path_rule_signs_what_a_strict_verifier_accepts() {
    for (signing_name, method, path, query) in [
        ("dynamodb", "POST", "/", ""),
        ("s3", "PUT", "/bucket/a%20b/%C3%BC%2B/c%25d", "x-id=PutObject"),
        ("s3", "GET", "/bucket/..%2F/./key//double", "versionId=a%2Fb"),
        ("s3-outposts", "GET", "/v20180820/bucket/arn%3Aaws%3As3", ""),
        ("lambda", "GET", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu%3A1%3Afunction%3Af/policy", "Qualifier=1"),
        ("execute-api", "DELETE", "/apis/a%20b", "a=1&a=2&b="),
    ] {
        let server = Server::start([Act::Answer { status: 200, headers: Vec::new(), body: String::new() }]).await;
        let forwarder = server.aws().forwarder();
        let request = outgoing(method, path, query, b"body");
        forwarder.send(&request, &upstream(signing_name), &credentials(), LIMIT).await.unwrap();
        let received = server.received().remove(0);
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        assert_eq!(received.line, format!("{method} {target} HTTP/1.1"), "sent as written");
        assert_eq!(received.body, b"body");
        assert_eq!(received.header("host"), server.origin.strip_prefix("http://"), "the override's own");
        assert_eq!(received.header("x-amz-security-token"), Some("token"));
        assert_eq!(received.header("x-amz-content-sha256").is_some(), signing_name.starts_with("s3"));
        assert_eq!(verify_received(&received), Ok(()), "{signing_name} {path}");
    }
}

#[tokio::test]
async fn an_override_keeps_nothing_but_its_own_origin() {
    let forwarder = aws(Some("http://127.0.0.1:4566/".into())).forwarder();
    assert_eq!(forwarder.origin(&upstream("s3")), "http://127.0.0.1:4566");
    let forwarder = aws(None).forwarder();
    assert_eq!(forwarder.origin(&upstream("s3")), "https://s3.eu-central-1.amazonaws.com");
}
