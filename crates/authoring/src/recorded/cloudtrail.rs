//! CloudTrail's records (AWS CloudTrail User Guide, "CloudTrail record contents").

use countersign_catalogue::{
    Catalogue, Service,
    model::{Operation, ServiceModel},
};
use countersign_domain::{AgentId, Permission, Resource, Value, settings::Target};
use countersign_permissions::{Permissions, Question};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{Reader, Recorded, RecordedCall, Region, call, input::Input, region_of, unmapped};
use crate::{case_file::moment, circumstances::Circumstances};

/// Events whose name is neither that of the operation nor that with a version after it.
const OTHER_NAMES: [(&str, &str, &str, &str); 9] = [
    ("s3", "GetBucketPublicAccessBlock", "s3", "GetPublicAccessBlock"),
    ("s3", "PutBucketPublicAccessBlock", "s3", "PutPublicAccessBlock"),
    ("s3", "DeleteBucketPublicAccessBlock", "s3", "DeletePublicAccessBlock"),
    ("s3", "GetAccountPublicAccessBlock", "s3control", "GetPublicAccessBlock"),
    ("s3", "PutAccountPublicAccessBlock", "s3control", "PutPublicAccessBlock"),
    ("s3", "DeleteAccountPublicAccessBlock", "s3control", "DeletePublicAccessBlock"),
    ("s3", "GetBucketObjectLockConfiguration", "s3", "GetObjectLockConfiguration"),
    ("s3", "PutBucketObjectLockConfiguration", "s3", "PutObjectLockConfiguration"),
    ("s3", "InitiateMultipartUpload", "s3", "CreateMultipartUpload"),
];

/// One record. Members that do not matter here are not read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    event_time: String,
    event_source: String,
    event_name: String,
    #[serde(default)]
    event_type: Option<String>,
    #[serde(default)]
    aws_region: String,
    #[serde(default, rename = "sourceIPAddress")]
    source_ip: Option<String>,
    #[serde(default)]
    user_identity: UserIdentity,
    #[serde(default)]
    request_parameters: Json,
    #[serde(default)]
    resources: Option<Vec<Listed>>,
    #[serde(default)]
    recipient_account_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserIdentity {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    user_name: Option<String>,
    #[serde(default)]
    arn: Option<String>,
    #[serde(default)]
    account_id: Option<String>,
    #[serde(default)]
    invoked_by: Option<String>,
    #[serde(default)]
    session_context: Option<SessionContext>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionContext {
    #[serde(default)]
    session_issuer: Option<SessionIssuer>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionIssuer {
    #[serde(default)]
    user_name: Option<String>,
}

/// A resource as CloudTrail lists it.
#[derive(Debug, Deserialize)]
struct Listed {
    #[serde(default, rename = "ARN")]
    arn: Option<String>,
}

/// An item of `LookupEvents`.
#[derive(Deserialize)]
struct LookedUp {
    #[serde(rename = "CloudTrailEvent")]
    event: String,
}

/// The record in `object`, if it is one.
pub(super) fn read(object: &[u8]) -> Option<Record> {
    serde_json::from_slice(object).ok().or_else(|| {
        let found: LookedUp = serde_json::from_slice(object).ok()?;
        serde_json::from_str(&found.event).ok()
    })
}

impl Reader<'_> {
    pub(super) fn cloudtrail(&self, record: &Record) -> Recorded {
        let what = format!("{} {}", record.event_source, record.event_name);
        if record.event_type.as_deref().is_some_and(|kind| kind != "AwsApiCall") {
            return Recorded::Skipped("an event of CloudTrail that is no API call");
        }
        if record.user_identity.r#type == "AWSService" || record.user_identity.invoked_by.is_some() {
            return Recorded::Skipped("a call that an AWS service made by itself");
        }
        let Some(agent) = self.agent(&record.user_identity) else {
            return unmapped("the principal has no name that can be an agent's", what);
        };
        let account = record.recipient_account_id.as_ref().or(record.user_identity.account_id.as_ref());
        let target =
            self.settings.targets.iter().find(|target| Some(target.account.as_str()) == account.map(String::as_str));
        let Some(target) = target else { return unmapped("no target of the bundle has this account", what) };
        let Ok(at) = moment(&record.event_time) else { return unmapped("the time cannot be read", what) };
        let mut circumstances = Circumstances::new(agent, target.clone());
        circumstances.at = at;
        circumstances.source_ip = record.source_ip.as_deref().and_then(|address| address.parse().ok());
        let candidates = operations(&record.event_source, &record.event_name);
        let mut readings: Vec<Recorded> = Vec::new();
        for (service, operation) in candidates {
            readings.push(reading(record, service, operation, circumstances.clone()));
        }
        choose(readings, what)
    }

    /// A role's name for its sessions, a user's, or what the mapping says.
    fn agent(&self, identity: &UserIdentity) -> Option<AgentId> {
        if let Some(agent) = &self.agents.everyone {
            return Some(agent.clone());
        }
        let issuer = identity.session_context.as_ref().and_then(|context| context.session_issuer.as_ref());
        let name = match identity.r#type.as_str() {
            "Root" => Some("root"),
            "AssumedRole" | "FederatedUser" | "Role" => issuer.and_then(|issuer| issuer.user_name.as_deref()),
            _ => identity.user_name.as_deref(),
        };
        let mapped = [name, identity.arn.as_deref()].into_iter().flatten().find_map(|name| self.agents.named.get(name));
        mapped.cloned().or_else(|| AgentId::new(name?).ok())
    }
}

/// The operations that an event can be.
fn operations(source: &str, name: &str) -> Vec<(&'static Service, &'static Operation)> {
    let catalogue = Catalogue::embedded();
    let label = source.split('.').next().unwrap_or_default();
    if let Some((_, _, service, operation)) =
        OTHER_NAMES.iter().find(|(source, event, _, _)| *source == label && *event == name)
    {
        return catalogue.operation(service, operation).into_iter().collect();
    }
    let unversioned = without_version(name);
    let named = catalogue.services().iter().filter(|entry| entry.id == label || entry.signing_name == label);
    let found = named
        .filter_map(|entry| catalogue.operation(entry.id, name).or_else(|| catalogue.operation(entry.id, unversioned)));
    found.collect()
}

/// `Invoke20150331`, `UpdateFunctionCode20150331v2` and `CreateDistribution2020_05_31` without what follows the name.
fn without_version(name: &str) -> &str {
    let without_revision =
        name.rsplit_once('v').filter(|(_, rest)| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
    let base = without_revision.map_or(name, |(base, _)| base);
    let stem = base.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '_');
    let digits = base.get(stem.len()..).unwrap_or_default().bytes().filter(u8::is_ascii_digit).count();
    if digits == 8 { stem } else { name }
}

fn reading(
    record: &Record,
    service: &'static Service,
    operation: &'static Operation,
    circumstances: Circumstances,
) -> Recorded {
    let model: &ServiceModel = service.model();
    let mut input = Input::new(model);
    let parameters = input.parameters(operation.input, &record.request_parameters);
    // Reads have no parameters in CloudTrail now and then; then nothing tells their resource but the list.
    let missing = record.request_parameters.is_null() && operation.input.is_some();
    let in_part = input.in_part || missing;
    let target = circumstances.target.clone();
    let name = || format!("{}:{}", model.id, operation.name);
    let region = match region_of(service, operation, &parameters, &target, &record.aws_region) {
        Region::In(region) => region,
        Region::Refused(reason) => {
            return Recorded::Refused { circumstances: Box::new(circumstances), operation: name(), reason };
        }
    };
    let Some(mut permissions) = permissions(model.id, operation.name, &parameters, &target, &region) else {
        return unmapped("its permissions are not known", name());
    };
    if in_part {
        fill(&mut permissions, record.resources.as_deref().unwrap_or_default());
    }
    let call = call(service, operation, region, parameters, permissions);
    Recorded::Call(Box::new(RecordedCall { call, circumstances, in_part }))
}

fn permissions(
    service: &str,
    operation: &str,
    parameters: &Value,
    target: &Target,
    region: &str,
) -> Option<Vec<Permission>> {
    let question = Question {
        service,
        operation,
        parameters,
        partition: &target.partition,
        account: &target.account,
        region,
        http_method_path: None,
    };
    Permissions::embedded().of(&question).ok()
}

/// Gives resources that got lost with a parameter the ARN that CloudTrail lists, where it lists one of that service.
fn fill(permissions: &mut [Permission], listed: &[Listed]) {
    for permission in permissions.iter_mut().filter(|permission| permission.resource == Resource::Unresolved) {
        let service = permission.action.split(':').next().unwrap_or_default();
        let mut of_service = listed
            .iter()
            .filter_map(|one| one.arn.as_deref())
            .filter(|arn| arn.split(':').nth(2) == Some(service) && !arn.contains(['*', '?']));
        if let (Some(arn), None) = (of_service.next(), of_service.next()) {
            permission.resource = Resource::Exact(arn.to_owned());
        }
    }
}

/// The one reading, or the one that understands every parameter; none where several differ.
fn choose(mut readings: Vec<Recorded>, what: String) -> Recorded {
    if readings.len() > 1 {
        let whole = |reading: &Recorded| matches!(reading, Recorded::Call(call) if !call.in_part);
        if readings.iter().any(whole) {
            readings.retain(whole);
        }
    }
    let mut readings = readings.into_iter();
    let Some(first) = readings.next() else { return unmapped("the catalogue has no such operation", what) };
    let same = |other: &Recorded| match (&first, other) {
        (Recorded::Call(one), Recorded::Call(other)) => one.call.permissions == other.call.permissions,
        (Recorded::Refused { reason: one, .. }, Recorded::Refused { reason: other, .. }) => one == other,
        _ => false,
    };
    if readings.all(|other| same(&other)) { first } else { unmapped("several services have such an operation", what) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_cut_off_names() {
        for (name, expected) in [
            ("CreateFunction20150331", "CreateFunction"),
            ("UpdateFunctionCode20150331v2", "UpdateFunctionCode"),
            ("CreateDistribution2020_05_31", "CreateDistribution"),
            ("ListObjectsV2", "ListObjectsV2"),
            ("Invoke", "Invoke"),
            ("PutItem2015", "PutItem2015"),
        ] {
            assert_eq!(without_version(name), expected, "{name}");
        }
    }

    #[test]
    fn events_are_operations_of_the_services_that_sign_with_their_source() {
        for (source, name, expected) in [
            ("lambda.amazonaws.com", "CreateFunction20150331", Some("CreateFunction")),
            ("monitoring.amazonaws.com", "PutMetricAlarm", Some("PutMetricAlarm")),
            ("s3.amazonaws.com", "PutBucketPublicAccessBlock", Some("PutPublicAccessBlock")),
            ("nothing.amazonaws.com", "Nothing", None),
        ] {
            let found = operations(source, name);
            assert_eq!(found.first().map(|(_, operation)| operation.name), expected, "{source} {name}");
        }
    }
}
