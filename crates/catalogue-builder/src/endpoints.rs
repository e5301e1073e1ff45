//! Turns a service's endpoint rules into tables of hosts by partition and region.

use std::collections::BTreeMap;

use countersign_catalogue::model::{
    ANYTHING, Endpoint, EndpointTable, MemberEndpoints, Partition, PartitionEndpoints, Text,
};
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

/// What a member of the input holds that chooses the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chooses {
    /// The ARN of a resource of this type.
    Arn(Text),
    /// The id of a stream, in two parts.
    StreamId,
    /// Anything: that it is there decides.
    Anything,
}

/// A member of the input that chooses the host, with what it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    parameter: Text,
    member: Text,
    chooses: Chooses,
}

/// The services whose rules go by members of the input, with the parameters in the order of the rules.
const CHOOSING: &[(&str, Text, Chooses)] = &[
    ("kinesis", "StreamId", Chooses::StreamId),
    ("kinesis", "StreamARN", Chooses::Arn("stream")),
    ("kinesis", "ConsumerARN", Chooses::Arn("stream")),
    ("kinesis", "ResourceARN", Chooses::Arn("stream")),
    ("kinesis", "ResourceARN", Chooses::Arn("channel")),
    ("kinesis", "ResourceARN", Chooses::Arn("queue")),
    ("kinesis", "ChannelARN", Chooses::Arn("channel")),
    ("kinesis", "QueueARN", Chooses::Arn("queue")),
    ("s3control", "OutpostId", Chooses::Anything),
];

/// What stands for the parts of a value while the rules are evaluated.
const ACCOUNT: &str = "000000000000";
const ID: &str = "x-id-x";
const HEAD: &str = "x-head-of-an-id-0000";
const TAIL: &str = "x-t";

impl Choice {
    /// A value to evaluate the rules with.
    fn stand_in(&self, partition: &str, region: &str) -> String {
        match self.chooses {
            Chooses::Arn(resource) => {
                format!("arn:{partition}:kinesis:{region}:{ACCOUNT}:{resource}/{ID}")
            }
            Chooses::StreamId => format!("{HEAD}-{TAIL}"),
            Chooses::Anything => ID.to_owned(),
        }
    }

    /// `000000000000.` becomes `{StreamARN#account}.`.
    fn named(&self, label: &str) -> Option<String> {
        let part = match (self.chooses, label) {
            (Chooses::Arn(_), ACCOUNT) => "account",
            (Chooses::Arn(_), ID) => "id",
            (Chooses::StreamId, HEAD) => "head",
            (Chooses::StreamId, TAIL) => "tail",
            _ => return None,
        };
        Some(format!("{{{}#{part}}}", self.member))
    }
}

/// The members of an operation's input that choose its host.
pub fn choices(service: &str, model: &Value, operation: &Value) -> Vec<Choice> {
    let named = |parameter: &str| context_members(model, operation).find(|(_, name)| *name == parameter);
    let choice = |(of, parameter, chooses): &(&str, Text, Chooses)| {
        let (member, _) = named(parameter).filter(|_| *of == service)?;
        Some(Choice { parameter, member: leak(member), chooses: *chooses })
    };
    CHOOSING.iter().filter_map(choice).collect()
}

/// The members of an operation's input that are parameters of the rules, with the parameters' names.
fn context_members<'m>(model: &'m Value, operation: &'m Value) -> impl Iterator<Item = (&'m str, &'m str)> {
    let input = &model["shapes"][operation["input"]["shape"].as_str().unwrap_or_default()];
    let members = input["members"].as_object().into_iter().flatten();
    members.filter_map(|(member, reference)| Some((member.as_str(), reference["contextParam"]["name"].as_str()?)))
}

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
    context_members(model, operation)
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
    choices: &[Choice],
    scopes: &GlobalScopes,
) -> Result<EndpointTable, BuildError> {
    let resolve = |choice: Option<&Choice>, partition: &Partition, region: &str| {
        let mut given = context.clone();
        given.insert("Region".to_owned(), Value::String(region.to_owned()));
        if let Some(choice) = choice {
            given.insert(choice.parameter.to_owned(), Value::String(choice.stand_in(partition.id, region)));
        }
        let scope = scopes.get(partition.id).map(String::as_str);
        rules.resolve(&given)?.map(|resolved| endpoint(&resolved, choice, region, scope)).transpose()
    };
    let by_member = |choice: &Choice| {
        Ok(MemberEndpoints {
            member: choice.member,
            resource: match choice.chooses {
                Chooses::Arn(resource) => resource,
                Chooses::StreamId => "",
                Chooses::Anything => ANYTHING,
            },
            partitions: in_partitions(partitions, |partition, region| resolve(Some(choice), partition, region))?,
        })
    };
    Ok(EndpointTable {
        partitions: in_partitions(partitions, |partition, region| resolve(None, partition, region))?,
        by_member: choices.iter().map(by_member).collect::<Result<_, BuildError>>()?,
    })
}

fn in_partitions(
    partitions: &[Partition],
    resolve: impl Fn(&Partition, &str) -> Result<Option<Endpoint>, BuildError>,
) -> Result<Vec<PartitionEndpoints>, BuildError> {
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
    Ok(entries)
}

fn endpoint(
    resolved: &Resolved,
    choice: Option<&Choice>,
    region: &str,
    global_scope: Option<&str>,
) -> Result<Endpoint, BuildError> {
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
        host: leak(&stand_ins_to_members(&host.replace(region, "{r}"), choice)),
        signing_name: leak(signing_name),
        signing_region: if signing_region == region { "" } else { leak(signing_region) },
        sigv4a: scheme.is_some_and(|scheme| scheme.name == "sigv4a"),
    })
}

/// `x-space-id-xspaceId.` becomes `{spaceId}.`.
fn stand_ins_to_members(host: &str, choice: Option<&Choice>) -> String {
    let label = |label: &str| match IN_HOST.iter().find_map(|(_, stand_in)| label.strip_prefix(stand_in)) {
        Some(member) => format!("{{{member}}}"),
        None => choice.and_then(|choice| choice.named(label)).unwrap_or_else(|| label.to_owned()),
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
pub fn context_key(context: &BTreeMap<String, Value>, choices: &[Choice]) -> Text {
    let context = context.iter().map(|(name, value)| format!("{name}={value};"));
    leak(&context.chain(choices.iter().map(|choice| format!("{choice:?};"))).collect::<String>())
}
