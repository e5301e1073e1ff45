//! The service model as it is in memory: what the builder writes and the parsers read.
//!
//! Text borrows from the decoded frame, which lives as long as the process.

use countersign_domain::Protocol;

use crate::fault::{Fault, FaultKind, Read};
pub use crate::shapes::Shapes;

/// Text of the catalogue.
pub type Text = &'static str;

/// The place of a shape in [`ServiceModel::shapes`].
pub type ShapeId = usize;

/// What the directory knows of a service without decoding its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEntry {
    /// botocore's directory name, as in `dynamodb`.
    pub id: Text,
    /// The name that clients sign with.
    pub signing_name: Text,
    /// Further names that are seen in credential scopes, as in `s3express`.
    pub other_signing_names: Vec<Text>,
    /// The service name for people.
    pub full_name: Text,
    /// The number of operations.
    pub operations: usize,
    /// Where its frame begins in the blob.
    pub frame_start: usize,
    /// The frame's length in bytes.
    pub frame_length: usize,
    /// The decoded frame's length in bytes.
    pub decoded_length: usize,
}

/// A service, decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceModel {
    /// botocore's directory name.
    pub id: Text,
    /// AWS's service id, as in `DynamoDB`.
    pub service_id: Text,
    /// The service name for people.
    pub full_name: Text,
    /// The API version, as in `2012-08-10`.
    pub api_version: Text,
    /// The name that clients sign with.
    pub signing_name: Text,
    /// The protocols that the service speaks, the one that clients prefer first.
    pub protocols: Vec<Protocol>,
    /// The part of `X-Amz-Target` before the dot; also the service's name in rpc-v2-cbor paths.
    pub target_prefix: Text,
    /// `1.0` or `1.1`; empty when the service does not speak `json`.
    pub json_version: Text,
    /// Whether errors carry `x-amzn-query-error`, and requests `x-amzn-query-mode`.
    pub query_compatible: bool,
    /// What AWS takes as the signature.
    pub signing: Signing,
    /// The XML namespace of query answers; may be empty.
    pub xml_namespace: Text,
    /// The error code for a denial that the service's own model names, or empty.
    pub access_denied: Text,
    /// The operations, sorted by name.
    pub operations: Vec<Operation>,
    /// The shapes that the operations reach.
    pub shapes: Shapes,
    /// The endpoint tables; an operation names one by its place.
    pub endpoints: Vec<EndpointTable>,
    /// The errors that the operations name.
    pub errors: Vec<ModelledError>,
    /// The XML namespaces; members and operations name one by its place.
    pub namespaces: Vec<Namespace>,
}

/// The kind of signature that a service takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// SigV4, or its S3 dialect.
    SigV4,
    /// The old version 2.
    SigV2,
    /// A bearer token.
    Bearer,
}

/// An XML namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// The prefix, or empty for the default namespace.
    pub prefix: Text,
    /// The namespace's name.
    pub uri: Text,
}

/// An operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// As AWS documents it, and as it is on the wire.
    pub name: Text,
    /// The HTTP method.
    pub method: Text,
    /// The URI template as in the model, as in `/{Bucket}/{Key+}?tagging`.
    pub uri: Text,
    /// The input structure, if there is one.
    pub input: Option<ShapeId>,
    /// The output structure, if there is one.
    pub output: Option<ShapeId>,
    /// The root element of the input in rest-xml; empty when it has none.
    pub input_root: Text,
    /// The root element's namespace: a place in [`ServiceModel::namespaces`].
    pub input_namespace: Option<usize>,
    /// The element around the output in query; empty when there is none.
    pub result_wrapper: Text,
    /// The host prefix template, as in `data-` or `{AccountId}.`; empty when there is none.
    pub host_prefix: Text,
    /// The status of success.
    pub status: u16,
    /// The place of the endpoint table in [`ServiceModel::endpoints`].
    pub endpoint: usize,
    /// The member that names the checksum algorithm of the request; empty when there is none.
    pub checksum_member: Text,
    /// Yes-or-no traits.
    pub traits: OperationTraits,
}

/// Yes-or-no traits of an operation, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperationTraits(pub u16);

impl OperationTraits {
    /// AWS takes it without a signature.
    pub const UNSIGNED: u16 = 1;
    /// The payload is not signed.
    pub const UNSIGNED_PAYLOAD: u16 = 1 << 1;
    /// Marked read-only.
    pub const READ_ONLY: u16 = 1 << 2;
    /// Marked idempotent.
    pub const IDEMPOTENT: u16 = 1 << 3;
    /// A checksum of the request body is required.
    pub const CHECKSUM_REQUIRED: u16 = 1 << 4;
    /// The request body may be compressed with gzip.
    pub const COMPRESSION: u16 = 1 << 5;
    /// The answer is an event stream.
    pub const EVENT_OUTPUT: u16 = 1 << 6;
    /// The request is an event stream.
    pub const EVENT_INPUT: u16 = 1 << 7;
    /// The answer's body is a stream of bytes.
    pub const STREAM_OUTPUT: u16 = 1 << 8;
    /// Finds endpoints for the service itself: botocore adds `x-amz-api-version`.
    pub const ENDPOINT_OPERATION: u16 = 1 << 9;
    /// Marked deprecated.
    pub const DEPRECATED: u16 = 1 << 10;

    /// Whether all bits of `trait_bits` are set.
    pub fn has(self, trait_bits: u16) -> bool {
        self.0 & trait_bits == trait_bits
    }
}

/// A modelled error of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelledError {
    /// The code on the wire.
    pub code: Text,
    /// Its structure.
    pub shape: ShapeId,
}

/// A shape. Small, since most are structures and a service can have thousands: the rarer parts stand elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A structure.
    Structure(Structure),
    /// A list of items.
    List(Box<Member>),
    /// A map of keys and values.
    Map {
        /// The key: always a string.
        key: Box<Member>,
        /// The value.
        value: Box<Member>,
    },
    /// A string.
    Text,
    /// Bytes.
    Blob,
    /// A boolean.
    Boolean,
    /// A whole number of 32 bits or fewer.
    Integer,
    /// A whole number of 64 bits.
    Long,
    /// A float.
    Float,
    /// A double.
    Double,
    /// A timestamp.
    Timestamp,
    /// Any JSON.
    Document,
}

/// The shapes that every service begins with: nothing tells one string shape from another once
/// its traits are with the members. The place in this list is the [`ShapeId`].
pub const SCALARS: [Shape; 9] = [
    Shape::Text,
    Shape::Blob,
    Shape::Boolean,
    Shape::Integer,
    Shape::Long,
    Shape::Float,
    Shape::Double,
    Shape::Timestamp,
    Shape::Document,
];

/// A structure.
#[derive(Clone, Debug, PartialEq)]
pub struct Structure {
    /// The members, in the model's order.
    pub members: Vec<Member>,
    /// The place of the member that is the HTTP payload.
    pub payload: Option<usize>,
    /// Whether it is an event stream.
    pub event_stream: bool,
    /// Whether exactly one member is set.
    pub union: bool,
}

/// Where a member goes in an HTTP request or answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// In the body.
    Body,
    /// A label of the path.
    Label,
    /// A query key.
    Query,
    /// A header.
    Header,
    /// A family of headers with a common prefix.
    Headers,
    /// The status code of the answer.
    Status,
}

/// The format of a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// What the protocol and the place say.
    Default,
    /// `2026-11-01T00:00:00Z`.
    Iso8601,
    /// `Sun, 01 Nov 2026 00:00:00 GMT`.
    Rfc822,
    /// Seconds since the epoch.
    Unix,
}

/// A member of a structure, the item of a list, or key or value of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The member's name as AWS documents it; empty for items, keys and values.
    pub name: Text,
    /// `locationName`; empty when the model has none.
    pub location_name: Text,
    /// The shape.
    pub shape: ShapeId,
    /// Where it goes.
    pub location: Location,
    /// The timestamp format.
    pub time: TimeFormat,
    /// Yes-or-no traits.
    pub traits: MemberTraits,
    /// EC2's own name in requests; empty when there is none.
    pub query_name: Text,
    /// The XML namespace: a place in [`ServiceModel::namespaces`].
    pub namespace: Option<u16>,
}

impl Member {
    /// The name on the wire of JSON, CBOR, XML, headers, query and labels.
    pub fn wire_name(&self) -> Text {
        if self.location_name.is_empty() { self.name } else { self.location_name }
    }
}

/// Yes-or-no traits of a member, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemberTraits(pub u16);

impl MemberTraits {
    /// The structure requires it.
    pub const REQUIRED: u16 = 1;
    /// It is an idempotency token.
    pub const IDEMPOTENCY_TOKEN: u16 = 1 << 1;
    /// A flattened list or map.
    pub const FLATTENED: u16 = 1 << 2;
    /// An XML attribute.
    pub const XML_ATTRIBUTE: u16 = 1 << 3;
    /// It goes into the host name.
    pub const HOST_LABEL: u16 = 1 << 4;
    /// JSON text, base64 in headers.
    pub const JSON_VALUE: u16 = 1 << 5;
    /// A stream.
    pub const STREAMING: u16 = 1 << 6;
    /// The payload of an event.
    pub const EVENT_PAYLOAD: u16 = 1 << 7;
    /// A header of an event.
    pub const EVENT_HEADER: u16 = 1 << 8;
    /// AWS marks it or its shape as sensitive, or the reviewed supplement does.
    pub const SENSITIVE: u16 = 1 << 9;
    /// An event of an event stream.
    pub const EVENT: u16 = 1 << 10;

    /// Whether all bits of `trait_bits` are set.
    pub fn has(self, trait_bits: u16) -> bool {
        self.0 & trait_bits == trait_bits
    }
}

/// The hosts of a service, or of a group of its operations, by partition and region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointTable {
    /// One entry for each partition in which the rules give a host.
    pub partitions: Vec<PartitionEndpoints>,
    /// Hosts that a member of the input chooses, in the order in which the members count.
    pub by_member: Vec<MemberEndpoints>,
}

/// The [`MemberEndpoints::resource`] of a member that counts whatever it holds.
pub const ANYTHING: Text = "*";

/// The hosts for requests in which one member is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberEndpoints {
    /// The member.
    pub member: Text,
    /// The type of the resource whose ARN the member is, as in `stream`; empty for the id of a stream, or
    /// [`ANYTHING`].
    pub resource: Text,
    /// As in [`EndpointTable::partitions`]. In a host `{Member#account}` and `{Member#id}` stand for parts of the ARN,
    /// `{Member#head}` and `{Member#tail}` for the two parts of the id.
    pub partitions: Vec<PartitionEndpoints>,
}

/// The hosts in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionEndpoints {
    /// The place of the partition in the catalogue's list.
    pub partition: usize,
    /// The host for every region that is no exception, if there is one.
    pub default: Option<Endpoint>,
    /// Regions with a host of their own.
    pub exceptions: Vec<(Text, Endpoint)>,
}

/// A host with its credential scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The host; `{r}` stands for the region, any other name in braces for a member of the input.
    pub host: Text,
    /// The signing name, or empty for the service's.
    pub signing_name: Text,
    /// The signing region, or empty for the request's.
    pub signing_region: Text,
    /// Whether AWS wants SigV4a there.
    pub sigv4a: bool,
}

/// A partition of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// `aws`, `aws-cn`, …
    pub id: Text,
    /// What comes before `<word>-<number>` in the names of its regions, as in `eu-`.
    pub region_prefixes: Vec<Text>,
    /// The regions that the models list.
    pub regions: Vec<Text>,
}

impl ServiceModel {
    /// The shape with this id.
    pub(crate) fn shape(&self, id: ShapeId) -> Read<&Shape> {
        self.shapes.get(id).ok_or_else(|| Fault::new(FaultKind::Damaged("a shape is missing")))
    }

    /// The structure with this id.
    pub(crate) fn structure(&self, id: ShapeId) -> Read<&Structure> {
        match self.shape(id)? {
            Shape::Structure(structure) => Ok(structure),
            _ => Err(Fault::new(FaultKind::Damaged("a structure is missing"))),
        }
    }

    /// The operation of this name.
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        let place = self.operations.binary_search_by(|operation| operation.name.cmp(name)).ok()?;
        self.operations.get(place)
    }
}

impl Structure {
    /// The member with this documented name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }
}
