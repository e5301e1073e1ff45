//! Turns a service's endpoint rules into tables of hosts by partition and region.

use std::collections::BTreeMap;

use countersign_catalogue::model::{Endpoint, EndpointTable, Partition, PartitionEndpoints, Text};
use serde_json::Value;

use crate::BuildError;
use crate::endpoint_rules::{Resolved, Rules, region_prefixes};
use crate::models::leak;

/// Parameters that only make the rules demand what the host prefix already gives: the host
/// prefix `{AccountId}.` of the operation stands in for them.
const LEFT_OUT: &[&str] = &["RequiresAccountId"];

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
        given.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
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
