//! Why a request is not understood. Every reason is its own.

use thiserror::Error;

/// Why a request is refused. Nothing that is refused is ever sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No service signs with this name.
    #[error("no service of the catalogue {version} signs as `{signing_name}`")]
    UnknownService {
        /// The service name of the credential scope.
        signing_name: String,
        /// The catalogue's version.
        version: String,
    },
    /// The service is known, no operation of it matches.
    #[error("no operation of the catalogue {version} that signs as `{signing_name}` matches {what}")]
    UnknownOperation {
        /// The service name of the credential scope.
        signing_name: String,
        /// What was looked for: a target, an action, or method and path.
        what: String,
        /// The catalogue's version.
        version: String,
    },
    /// Several operations match and they do not go to the same host.
    #[error(
        "the request may mean any of {}, which go to different hosts; set the service's own endpoint, `…/_/as/SERVICE`",
        candidates.join(", ")
    )]
    Ambiguous {
        /// `service:Operation` of each.
        candidates: Vec<String>,
    },
    /// The endpoint is of no service.
    #[error("the endpoint is for `{endpoint}`, which is no service of the catalogue {version}")]
    UnknownEndpoint {
        /// The service that the endpoint names.
        endpoint: String,
        /// The catalogue's version.
        version: String,
    },
    /// The endpoint is of a service that the request cannot be for.
    #[error("the endpoint is for `{endpoint}`, and the request can only mean {}", candidates.join(", "))]
    OtherEndpoint {
        /// The service that the endpoint names.
        endpoint: String,
        /// `service:Operation` of each that it can mean.
        candidates: Vec<String>,
    },
    /// Two identification signals contradict each other.
    #[error("the request says two things about its operation: {what}")]
    Contradiction {
        /// Which signals.
        what: String,
    },
    /// A member name appears twice after unescaping.
    #[error("the key `{key}` appears twice in {place}")]
    DuplicateKey {
        /// The key.
        key: String,
        /// Body, query or form.
        place: &'static str,
    },
    /// A header appears twice.
    #[error("the header `{name}` appears twice")]
    DuplicateHeader {
        /// The header.
        name: String,
    },
    /// An `x-amz-*` header that the operation does not declare.
    #[error("the header `{name}` is not declared by {operation} in the catalogue {version}")]
    UndeclaredHeader {
        /// The header.
        name: String,
        /// `service:Operation`.
        operation: String,
        /// The catalogue's version.
        version: String,
    },
    /// A query key that the operation does not declare.
    #[error("the query key `{name}` is not declared by {operation} in the catalogue {version}")]
    UndeclaredQueryKey {
        /// The key.
        name: String,
        /// `service:Operation`.
        operation: String,
        /// The catalogue's version.
        version: String,
    },
    /// A member that the shape does not have; the letter case counts.
    #[error("`{path}` is not a member of {operation} in the catalogue {version}")]
    UnknownMember {
        /// The member's path.
        path: String,
        /// `service:Operation`.
        operation: String,
        /// The catalogue's version.
        version: String,
    },
    /// A member whose value has the wrong type or form.
    #[error("`{path}` should be {expected}")]
    WrongType {
        /// The member's path.
        path: String,
        /// What the model wants.
        expected: &'static str,
    },
    /// A required member of a path, host, header or query is missing or empty.
    #[error("the required member `{path}` is missing")]
    MissingMember {
        /// The member's path.
        path: String,
    },
    /// The body is not what the protocol says.
    #[error("the body is not well-formed {format}: {problem} at byte {offset}")]
    Malformed {
        /// JSON, XML, CBOR or form.
        format: &'static str,
        /// What is wrong.
        problem: &'static str,
        /// Where.
        offset: usize,
    },
    /// Nested deeper than [`countersign_domain::value::MAX_DEPTH`].
    #[error("the parameters are nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// More members, entries or bytes than are taken.
    #[error("the request has more {what} than the limit of {limit}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Text that is not UTF-8, or holds a character that no part of a request may hold.
    #[error("{place} holds bytes that are not allowed there")]
    BadText {
        /// Where.
        place: &'static str,
    },
    /// A broken or needless percent escape, a dot segment, or an empty path.
    #[error("the path or query is not in canonical form: {problem}")]
    BadTarget {
        /// What is wrong.
        problem: &'static str,
    },
    /// A `Content-Type` that the protocol does not use.
    #[error("the content type `{content_type}` is not that of {operation}")]
    WrongContentType {
        /// As sent.
        content_type: String,
        /// The target, or the protocol.
        operation: String,
    },
    /// A `Content-Encoding` that is not taken apart here.
    #[error("the content encoding `{encoding}` is not taken for this operation")]
    ContentEncoding {
        /// As sent.
        encoding: String,
    },
    /// A body where the operation has none.
    #[error("{operation} takes no body")]
    UnexpectedBody {
        /// `service:Operation`.
        operation: String,
    },
    /// The signature does not cover the body, which may name the resource.
    #[error("the signature does not cover the body, as it must for {operation}")]
    UnsignedBody {
        /// `service:Operation`.
        operation: String,
    },
    /// The operation's input is an event stream.
    #[error("{operation} takes an event stream, which cannot be held for approval")]
    EventStreamInput {
        /// `service:Operation`.
        operation: String,
    },
    /// The labels in front of the base host are not those of the operation.
    #[error("the host prefix `{host_prefix}` is not that of {operation}")]
    WrongHostPrefix {
        /// As sent.
        host_prefix: String,
        /// `service:Operation`.
        operation: String,
    },
    /// A member that goes into the host name is not a DNS label.
    #[error("`{path}` goes into the host name and is not a DNS label")]
    BadHostLabel {
        /// The member.
        path: String,
    },
    /// The region is none of the partition, or the service is not there.
    #[error("the region `{region}` is not one of partition `{partition}` where {service} can be reached")]
    UnknownRegion {
        /// The region of the credential scope.
        region: String,
        /// The partition.
        partition: String,
        /// The service.
        service: String,
    },
    /// The host depends on something that the catalogue cannot resolve.
    #[error("the host for this call cannot be told from the request: {why}")]
    UnresolvedHost {
        /// Why.
        why: &'static str,
    },
    /// AWS takes this operation only with a kind of signature that is not made here.
    #[error("{operation} needs {scheme}, which the gateway does not make")]
    UnsupportedSigning {
        /// `service:Operation`.
        operation: String,
        /// `SigV4a`, a bearer token, …
        scheme: &'static str,
    },
    /// The catalogue itself is damaged: never the caller's fault.
    #[error("the catalogue is damaged: {what}")]
    DamagedCatalogue {
        /// What.
        what: &'static str,
    },
}

/// What is shown of a text of the caller's.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(100).collect()
}

impl Refusal {
    /// A stable name of the reason, for records and tests.
    pub fn reason(&self) -> &'static str {
        match self {
            Refusal::UnknownService { .. } => "UnknownService",
            Refusal::UnknownOperation { .. } => "UnknownOperation",
            Refusal::Ambiguous { .. } => "Ambiguous",
            Refusal::UnknownEndpoint { .. } => "UnknownEndpoint",
            Refusal::OtherEndpoint { .. } => "OtherEndpoint",
            Refusal::Contradiction { .. } => "Contradiction",
            Refusal::DuplicateKey { .. } => "DuplicateKey",
            Refusal::DuplicateHeader { .. } => "DuplicateHeader",
            Refusal::UndeclaredHeader { .. } => "UndeclaredHeader",
            Refusal::UndeclaredQueryKey { .. } => "UndeclaredQueryKey",
            Refusal::UnknownMember { .. } => "UnknownMember",
            Refusal::WrongType { .. } => "WrongType",
            Refusal::MissingMember { .. } => "MissingMember",
            Refusal::Malformed { .. } => "Malformed",
            Refusal::TooDeep { .. } => "TooDeep",
            Refusal::TooLarge { .. } => "TooLarge",
            Refusal::BadText { .. } => "BadText",
            Refusal::BadTarget { .. } => "BadTarget",
            Refusal::WrongContentType { .. } => "WrongContentType",
            Refusal::ContentEncoding { .. } => "ContentEncoding",
            Refusal::UnexpectedBody { .. } => "UnexpectedBody",
            Refusal::UnsignedBody { .. } => "UnsignedBody",
            Refusal::EventStreamInput { .. } => "EventStreamInput",
            Refusal::WrongHostPrefix { .. } => "WrongHostPrefix",
            Refusal::BadHostLabel { .. } => "BadHostLabel",
            Refusal::UnknownRegion { .. } => "UnknownRegion",
            Refusal::UnresolvedHost { .. } => "UnresolvedHost",
            Refusal::UnsupportedSigning { .. } => "UnsupportedSigning",
            Refusal::DamagedCatalogue { .. } => "DamagedCatalogue",
        }
    }

    /// What the caller and the record are told.
    pub fn message(&self) -> String {
        self.to_string()
    }
}
