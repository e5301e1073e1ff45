//! What comes in, and what is known of it afterwards.

use bytes::Bytes;
use countersign_domain::{OutgoingRequest, Protocol, Upstream, Value};

/// A request whose signature was verified, with its body out of any aws-chunked framing.
///
/// Its parts are still the caller's words: [`crate::Catalogue::understand`] checks every one.
#[derive(Clone, Debug)]
pub struct WireRequest<'a> {
    /// The HTTP method, in capitals.
    pub method: &'a str,
    /// The path as signed, percent-encoded, beginning with `/`.
    pub path: &'a str,
    /// The query as sent, without `?` and without the `X-Amz-*` members of a presigned URL's
    /// signature; empty when there is none.
    pub query: &'a str,
    /// The headers: names in lower case, duplicates kept. Trailers of an aws-chunked body are
    /// appended by whoever decoded it.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: Bytes,
    /// The service name of the verified credential scope.
    pub signing_name: &'a str,
    /// The region of the verified credential scope.
    pub signing_region: &'a str,
    /// The labels in front of the gateway's base host, without the final dot: an S3 bucket
    /// (virtual-host style) or an API host prefix such as `data`; empty normally.
    pub host_prefix: &'a str,
    /// Whether the body came in aws-chunked framing, which is gone from `body`.
    pub from_chunked: bool,
    /// Whether the signature covers the body. Where it does not, only operations whose body decides nothing but what
    /// is stored are taken.
    pub body_is_signed: bool,
    /// Where the caller means it to go, if the bytes alone leave that open.
    pub endpoint: Endpoint<'a>,
}

/// What else than its bytes says where a request goes. It only chooses among what the bytes can mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Endpoint<'a> {
    /// Nothing: the one endpoint for all services.
    #[default]
    Any,
    /// The endpoint of one service, by the catalogue's id of it.
    OfService(&'a str),
    /// The host that was chosen when the request was understood first.
    Host(&'a str),
}

/// Where a call may go: the AWS partition of the target's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The partition's id: `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
}

impl Place {
    /// The commercial partition, `aws`.
    pub fn aws() -> Place {
        Place { partition: "aws".to_owned() }
    }
}

/// A request, understood.
#[derive(Clone, Debug)]
pub struct Understood {
    /// The catalogue's service id: botocore's directory name, as in `dynamodb`.
    pub service: String,
    /// The operation, as AWS documents it.
    pub operation: String,
    /// The protocol that the caller speaks.
    pub protocol: Protocol,
    /// Other (service, operation) pairs that the very same bytes mean, all with the same host.
    pub aliases: Vec<(String, String)>,
    /// The typed parameters: always a [`Value::Record`], member names as AWS documents them.
    pub parameters: Value,
    /// The request written anew from `parameters`.
    pub outgoing: OutgoingRequest,
    /// Where it goes.
    pub upstream: Upstream,
    /// The operation's idempotency-token member, if it has one.
    pub idempotency_member: Option<String>,
    /// Its value, if the call carries one.
    pub idempotency_token: Option<String>,
    /// Whether AWS takes this operation without a signature (web identity, Cognito, SSO OIDC).
    pub unsigned: bool,
    /// Whether the model marks the operation as read-only. Absence says nothing.
    pub read_only: bool,
    /// Whether the model marks the operation as idempotent. Absence says nothing.
    pub idempotent: bool,
    /// Whether the answer's body is a stream of bytes (S3 GetObject) rather than structured.
    pub streaming_output: bool,
    /// Whether the answer is an event stream.
    pub event_stream_output: bool,
}
