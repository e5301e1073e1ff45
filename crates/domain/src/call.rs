//! A call: one AWS API request, understood.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::value::Value;

/// A wire protocol of the AWS service models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// `json`: AWS JSON 1.0 and 1.1, told apart by `X-Amz-Target`.
    Json,
    /// `query`: a form with `Action` and `Version`.
    Query,
    /// `ec2`: EC2's dialect of the query protocol.
    Ec2,
    /// `rest-json`.
    RestJson,
    /// `rest-xml`.
    RestXml,
    /// `rpc-v2-cbor`: Smithy RPC v2 with CBOR bodies.
    RpcV2Cbor,
}

/// The access level that AWS gives to an IAM action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AccessLevel {
    /// Names and lists of resources.
    List,
    /// Content of resources.
    Read,
    /// Changes of tags only.
    Tagging,
    /// Creates, changes or deletes.
    Write,
    /// Changes who may do what.
    #[serde(rename = "Permissions management")]
    PermissionsManagement,
}

impl AccessLevel {
    /// AWS's own name of the level.
    pub fn as_str(self) -> &'static str {
        match self {
            AccessLevel::List => "List",
            AccessLevel::Read => "Read",
            AccessLevel::Tagging => "Tagging",
            AccessLevel::Write => "Write",
            AccessLevel::PermissionsManagement => "Permissions management",
        }
    }
}

/// What is special about a call, across access levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The answer carries a secret (GetSecretValue, GetPasswordData, ECR tokens …).
    SecretReturning,
    /// Gives authority to something else that then acts (PassRole, CloudFormation, RunCommand …).
    Delegating,
    /// Deletes, terminates, or disables a protection.
    Destructive,
    /// The answer carries a usable AWS credential; never forwarded, whatever the bundle says.
    CredentialReturning,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 4] =
        [Class::SecretReturning, Class::Delegating, Class::Destructive, Class::CredentialReturning];

    /// The name in rules, in documents and in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::SecretReturning => "secret-returning",
            Class::Delegating => "delegating",
            Class::Destructive => "destructive",
            Class::CredentialReturning => "credential-returning",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Class::SecretReturning => 1,
            Class::Delegating => 2,
            Class::Destructive => 4,
            Class::CredentialReturning => 8,
        }
    }
}

/// A set of [`Class`]es.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Classes(u8);

impl Classes {
    /// The empty set.
    pub const NONE: Classes = Classes(0);

    /// This set with `class` added.
    #[must_use]
    pub fn with(self, class: Class) -> Classes {
        Classes(self.0 | class.bit())
    }

    /// Whether `class` is in the set.
    pub fn contains(self, class: Class) -> bool {
        self.0 & class.bit() != 0
    }

    /// Whether no class is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The union of both sets.
    #[must_use]
    pub fn union(self, other: Classes) -> Classes {
        Classes(self.0 | other.0)
    }

    /// The classes of the set, in the order of [`Class::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Class> {
        Class::ALL.into_iter().filter(move |class| self.contains(*class))
    }
}

impl FromIterator<Class> for Classes {
    fn from_iter<I: IntoIterator<Item = Class>>(classes: I) -> Self {
        classes.into_iter().fold(Classes::NONE, Classes::with)
    }
}

/// What a permission is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "arn", rename_all = "kebab-case")]
pub enum Resource {
    /// A full ARN in the form that AWS itself uses.
    Exact(String),
    /// An alias, a partial ARN, a name in odd letter case: AWS may resolve it to another ARN.
    /// Counts as possibly every ARN; the text is for people.
    NonCanonical(String),
    /// Not known from the request (`*`). Counts as possibly every ARN.
    Unresolved,
    /// AWS defines no resource for the action: it is checked on `*`, and no ARN can be meant.
    AccountLevel,
}

impl Resource {
    /// The text that is shown: the ARN, the odd form as sent, or `*`.
    pub fn as_str(&self) -> &str {
        match self {
            Resource::Exact(arn) | Resource::NonCanonical(arn) => arn,
            Resource::Unresolved | Resource::AccountLevel => "*",
        }
    }

    /// The ARN, only where it is known exactly.
    pub fn exact(&self) -> Option<&str> {
        match self {
            Resource::Exact(arn) => Some(arn),
            Resource::NonCanonical(_) | Resource::Unresolved | Resource::AccountLevel => None,
        }
    }

    /// What rules compare with: the exact ARN, or `*` where there is no ARN to be known. `None` where
    /// the resource may be any.
    pub fn known(&self) -> Option<&str> {
        match self {
            Resource::Exact(arn) => Some(arn),
            Resource::AccountLevel => Some("*"),
            Resource::NonCanonical(_) | Resource::Unresolved => None,
        }
    }
}

/// One (IAM action, resource) pair that AWS will check for a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Permission {
    /// The IAM action, as in `dynamodb:PutItem`.
    pub action: String,
    /// The resource.
    pub resource: Resource,
    /// AWS's access level of the action.
    pub level: AccessLevel,
    /// The classes of the action for this call.
    pub classes: Classes,
}

/// Where a call goes. It comes from the catalogue, never from the request's headers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// The host name, as in `dynamodb.eu-central-1.amazonaws.com`; with any host prefix.
    pub host: String,
    /// The service name of the credential scope.
    pub signing_name: String,
    /// The region of the credential scope.
    pub signing_region: String,
}

/// A request written anew from the typed model: what is frozen, or sent, once it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingRequest {
    /// The HTTP method.
    pub method: String,
    /// The path as it goes on the wire, percent-encoded.
    pub path: String,
    /// The query as it goes on the wire, without `?`; empty when there is none.
    pub query: String,
    /// Headers, names in lower case, sorted by name, values as sent; without `host` and
    /// without anything that signing adds.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// One AWS API request, understood.
#[derive(Clone, Debug)]
pub struct Call {
    /// The catalogue's service id: botocore's directory name, as in `dynamodb`, `s3`, `iam`.
    pub service: String,
    /// The operation, as AWS documents it (`PutItem`).
    pub operation: String,
    /// The protocol that the caller speaks; answers and errors go back in it.
    pub protocol: Protocol,
    /// The region the call is for (the caller's credential scope, checked against the target).
    pub region: String,
    /// The typed parameters: always a [`Value::Record`].
    pub parameters: Value,
    /// The (IAM action, resource) pairs, at least one.
    pub permissions: Vec<Permission>,
    /// Where it goes.
    pub upstream: Upstream,
    /// The request written anew.
    pub outgoing: OutgoingRequest,
    /// The value of the operation's idempotency token member, if the call carries one.
    pub idempotency_token: Option<String>,
    /// The member that is the operation's idempotency token, if it has one.
    pub idempotency_member: Option<String>,
    /// Whether AWS's model declares the operation as one that does no more when it is repeated. That it
    /// does not says nothing.
    pub idempotent: bool,
}

impl Call {
    /// `service:Operation`, for people and the record.
    pub fn name(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }

    /// The union of the classes of all permissions.
    pub fn classes(&self) -> Classes {
        self.permissions.iter().fold(Classes::NONE, |all, permission| all.union(permission.classes))
    }

    /// The strictest access level among the permissions.
    pub fn level(&self) -> AccessLevel {
        self.permissions.iter().map(|permission| permission.level).max().unwrap_or(AccessLevel::PermissionsManagement)
    }

    /// Whether every permission only lists or reads.
    pub fn is_read_only(&self) -> bool {
        self.level() <= AccessLevel::Read
    }

    /// Whether sending the call twice does no more than sending it once: it only reads, it carries an
    /// idempotency token, or it is declared idempotent. A declaration of an operation that has a token
    /// speaks of calls that carry one. Everything else may be sent once only.
    pub fn may_be_repeated(&self) -> bool {
        let has_token = self.idempotency_token.as_deref().is_some_and(|token| !token.is_empty());
        self.is_read_only() || has_token || (self.idempotent && self.idempotency_member.is_none())
    }
}
