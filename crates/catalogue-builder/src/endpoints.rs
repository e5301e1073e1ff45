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

/// The static context parameters of an operation of the model, as far as the tables go by them.
pub fn static_context(operation: &Value) -> BTreeMap<String, Value> {
    let names_bucket = operation["http"]["requestUri"].as_str().is_some_and(|uri| uri.contains("{Bucket}"));
    let parameters = operation["staticContextParams"].as_object().into_iter().flatten();
    parameters
        .filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()) && !(names_bucket && *name == EXPRESS_CONTROL))
        .map(|(name, parameter)| (name.clone(), parameter["value"].clone()))
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
) -> Result<EndpointTable, BuildError> {
    let resolve = |region: &str| -> Result<Option<Endpoint>, BuildError> {
        let mut given = context.clone();
        given.insert("Region".to_owned(), Value::String(region.to_owned()));
        rules.resolve(&given)?.map(|resolved| endpoint(&resolved, region)).transpose()
    };
    let mut entries = Vec::new();
    for (place, partition) in partitions.iter().enumerate() {
        // No region of AWS has this name: what the rules give for it they give for every region
        // that they do not treat by name.
        let prefix = partition.region_prefixes.first().copied().unwrap_or_default();
        let default = resolve(&format!("{prefix}nowhere-9"))?;
        let mut exceptions = Vec::new();
        for region in &partition.regions {
            match resolve(region)? {
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

fn endpoint(resolved: &Resolved, region: &str) -> Result<Endpoint, BuildError> {
    let host = resolved
        .url
        .strip_prefix("https://")
        .filter(|host| !host.contains('/'))
        .ok_or_else(|| BuildError::rules(&format!("`{}` is more than a host", resolved.url)))?;
    let scheme = resolved.scheme.as_ref();
    let signing_name = scheme.and_then(|scheme| scheme.signing_name.as_deref()).unwrap_or_default();
    let signing_region = scheme.and_then(|scheme| scheme.signing_region.as_deref()).unwrap_or_default();
    Ok(Endpoint {
        host: leak(&host.replace(region, "{r}")),
        signing_name: leak(signing_name),
        signing_region: if signing_region == region { "" } else { leak(signing_region) },
        sigv4a: scheme.is_some_and(|scheme| scheme.name == "sigv4a"),
    })
}

/// A stable key of a static context, to share tables between operations.
pub fn context_key(context: &BTreeMap<String, Value>) -> Text {
    leak(&context.iter().map(|(name, value)| format!("{name}={value};")).collect::<String>())
}
