//! Turns a service's endpoint rules into tables of hosts by partition and region.

use std::collections::BTreeMap;

use countersign_catalogue::model::{Endpoint, EndpointTable, Partition, PartitionEndpoints, Text};
use serde_json::Value;

use crate::BuildError;
use crate::endpoint_rules::{Resolved, Rules, region_prefixes};
use crate::models::leak;

/// Parameters of the rules that are left out.
const LEFT_OUT: &[&str] = &[
    // Only demands what the host prefix `{AccountId}.` of the operation already gives.
    "RequiresAccountId",
];

/// Counts only for directory buckets, so only where the operation names no bucket.
const EXPRESS_CONTROL: &str = "UseS3ExpressControlEndpoint";

/// Parameters that become a label of the host, with a label that stands for their value.
const IN_HOST: &[(&str, &str)] = &[("SpaceId", "x-space-id-x")];

/// The context parameters of an operation of the model, as far as the tables go by them. The
/// value of one that becomes a label of the host is a stand-in and the member's name.
pub fn static_context(model: &Value, operation: &Value) -> BTreeMap<String, Value> {
    let names_bucket = operation["http"]["requestUri"].as_str().is_some_and(|uri| uri.contains("{Bucket}"));
    let parameters = operation["staticContextParams"].as_object().into_iter().flatten();
    parameters
        .filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()))
        .filter(|(name, _)| !names_bucket || *name != EXPRESS_CONTROL)
        .map(|(name, parameter)| (name.clone(), parameter["value"].clone()))
        .chain(in_host(model, operation))
        .collect()
}

fn in_host(model: &Value, operation: &Value) -> Vec<(String, Value)> {
    let input = &model["shapes"][operation["input"]["shape"].as_str().unwrap_or_default()];
    let members = input["members"].as_object().into_iter().flatten();
    let named = members.filter_map(|(member, reference)| Some((member, reference["contextParam"]["name"].as_str()?)));
    named
        .filter_map(|(member, parameter)| {
            let (_, stand_in) = IN_HOST.iter().find(|(name, _)| *name == parameter)?;
            Some((parameter.to_owned(), Value::String(format!("{stand_in}{member}"))))
        })
        .collect()
}

/// The partitions of `partitions.json`.
pub fn partitions(partitions: &Value) -> Vec<Partition> {
    let all = partitions["partitions"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter()
        .map(|partition| Partition {
            id: leak(partition["id"].as_str().unwrap_or_default()),
            region_prefixes: region_prefixes(partition).iter().map(|prefix| leak(prefix)).collect(),
            regions: partition["regions"]
                .as_object()
                .into_iter()
                .flat_map(|regions| regions.keys())
                .filter(|region| !region.ends_with("-global"))
                .map(|region| leak(region))
                .collect(),
        })
        .collect()
}

/// The table for the operations that share `context`, the model's static context parameters.
///
/// # Errors
/// [`BuildError`] when the rules are not understood.
pub fn table(
    rules: &Rules<'_>,
    partitions: &[Partition],
    context: &BTreeMap<String, Value>,
    scopes: &GlobalScopes,
) -> Result<EndpointTable, BuildError> {
    let resolve = |partition: &Partition, region: &str| -> Result<Option<Endpoint>, BuildError> {
        let mut given = context.clone();
        given.insert("Region".to_owned(), Value::String(region.to_owned()));
        let scope = scopes.get(partition.id).map(String::as_str);
        rules.resolve(&given)?.map(|resolved| endpoint(&resolved, region, scope)).transpose()
    };
    let mut entries = Vec::new();
    for (place, partition) in partitions.iter().enumerate() {
        // No region of AWS has this name: what the rules give for it they give for every region
        // that they do not treat by name.
        let prefix = partition.region_prefixes.first().copied().unwrap_or_default();
        let default = resolve(partition, &format!("{prefix}nowhere-9"))?;
        let mut exceptions = Vec::new();
        for region in &partition.regions {
            match resolve(partition, region)? {
                Some(found) if Some(found) != default => exceptions.push((*region, found)),
                Some(_) => {}
                None if default.is_some() => {
                    return Err(BuildError::rules(&format!("the rules leave out the region `{region}` alone")));
                }
                None => {}
            }
        }
        if default.is_some() || !exceptions.is_empty() {
            entries.push(PartitionEndpoints { partition: place, default, exceptions });
        }
    }
    Ok(EndpointTable { partitions: entries })
}

fn endpoint(resolved: &Resolved, region: &str, global_scope: Option<&str>) -> Result<Endpoint, BuildError> {
    let host = resolved
        .url
        .strip_prefix("https://")
        .filter(|host| !host.contains('/'))
        .ok_or_else(|| BuildError::rules(&format!("`{}` is more than a host", resolved.url)))?;
    let scheme = resolved.scheme.as_ref();
    let signing_name = scheme.and_then(|scheme| scheme.signing_name.as_deref()).unwrap_or_default();
    let said = scheme.and_then(|scheme| scheme.signing_region.as_deref());
    let signing_region = said.or(global_scope).unwrap_or_default();
    Ok(Endpoint {
        host: leak(&stand_ins_to_members(&host.replace(region, "{r}"))),
        signing_name: leak(signing_name),
        signing_region: if signing_region == region { "" } else { leak(signing_region) },
        sigv4a: scheme.is_some_and(|scheme| scheme.name == "sigv4a"),
    })
}

/// `x-space-id-xspaceId.` becomes `{spaceId}.`.
fn stand_ins_to_members(host: &str) -> String {
    let label = |label: &str| match IN_HOST.iter().find_map(|(_, stand_in)| label.strip_prefix(stand_in)) {
        Some(member) => format!("{{{member}}}"),
        None => label.to_owned(),
    };
    host.split('.').map(label).collect::<Vec<_>>().join(".")
}

/// By partition, the region that a service signs for although its rules do not say so: services
/// that `endpoints.json` calls not regionalized.
pub type GlobalScopes = BTreeMap<String, String>;

/// The [`GlobalScopes`] of the service with this endpoint prefix.
pub fn global_scopes(endpoints: &Value, endpoint_prefix: &str) -> GlobalScopes {
    let mut scopes = GlobalScopes::new();
    for partition in endpoints["partitions"].as_array().into_iter().flatten() {
        let service = &partition["services"][endpoint_prefix];
        let region = service["partitionEndpoint"]
            .as_str()
            .and_then(|endpoint| service["endpoints"][endpoint]["credentialScope"]["region"].as_str());
        if let (Some(id), Some(region), Some(false)) =
            (partition["partition"].as_str(), region, service["isRegionalized"].as_bool())
        {
            scopes.insert(id.to_owned(), region.to_owned());
        }
    }
    scopes
}

/// A stable key of a static context, to share tables between operations.
pub fn context_key(context: &BTreeMap<String, Value>) -> Text {
    leak(&context.iter().map(|(name, value)| format!("{name}={value};")).collect::<String>())
}
