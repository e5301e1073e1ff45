//! Where a call goes: host and credential scope, from the catalogue alone.

use countersign_domain::{Upstream, Value};

use crate::catalogue::Catalogue;
use crate::model::{ANYTHING, Endpoint, MemberTraits, Operation, Partition, PartitionEndpoints, ServiceModel};
use crate::service::Service;
use crate::{Place, Refusal, host_choice};

const DAMAGED: Refusal = Refusal::DamagedCatalogue { what: "an operation without hosts" };

impl Catalogue {
    /// The upstream of a call with these parameters.
    ///
    /// # Errors
    /// [`Refusal::UnknownRegion`], [`Refusal::UnresolvedHost`], [`Refusal::BadHostLabel`] or
    /// [`Refusal::UnsupportedSigning`].
    pub fn upstream(
        &self,
        service: &Service,
        operation: &Operation,
        parameters: &Value,
        place: &Place,
        region: &str,
    ) -> Result<Upstream, Refusal> {
        let model = service.model();
        refuse_elsewhere(model, parameters)?;
        let table = model.endpoints.get(operation.endpoint).ok_or(DAMAGED)?;
        let chosen = host_choice::choose(table, parameters, place)?;
        let partitions = chosen.as_ref().map_or(&table.partitions, |chosen| &chosen.endpoints.partitions);
        let endpoint = self.endpoint(model, partitions, place, region)?;
        let name = || format!("{}:{}", model.id, operation.name);
        if endpoint.sigv4a {
            return Err(Refusal::UnsupportedSigning { operation: name(), scheme: "SigV4a" });
        }
        let host = filled(&endpoint.host.replace("{r}", region), |name| {
            if let Some((_, part)) = name.split_once('#') {
                return chosen.as_ref().and_then(|chosen| chosen.part(part));
            }
            parameters.get(name).and_then(Value::as_text).map(str::to_owned)
        })?;
        let host = if model.id == "machinelearning" && operation.name == "Predict" {
            prediction_host(&host, parameters)?
        } else {
            host
        };
        // The one host for Outposts has no account in front.
        let is_on_outposts = chosen.as_ref().is_some_and(|chosen| chosen.endpoints.resource == ANYTHING);
        let prefix = if is_on_outposts { String::new() } else { host_prefix(service, operation, parameters)? };
        let or = |given: &str, usual: &str| if given.is_empty() { usual.to_owned() } else { given.to_owned() };
        Ok(Upstream {
            host: format!("{prefix}{host}"),
            signing_name: or(endpoint.signing_name, model.signing_name),
            signing_region: or(endpoint.signing_region, region),
        })
    }

    fn endpoint<'m>(
        &self,
        model: &ServiceModel,
        partitions: &'m [PartitionEndpoints],
        place: &Place,
        region: &str,
    ) -> Result<&'m Endpoint, Refusal> {
        let unknown = || Refusal::UnknownRegion {
            region: region.chars().take(64).collect(),
            partition: place.partition.clone(),
            service: model.id.to_owned(),
        };
        let number = self.partitions().iter().position(|partition| partition.id == place.partition);
        let number = number.ok_or_else(unknown)?;
        if !self.partitions().get(number).is_some_and(|partition| has_region(partition, region)) {
            return Err(unknown());
        }
        let entry = partitions.iter().find(|entry| entry.partition == number).ok_or_else(unknown)?;
        let exception = entry.exceptions.iter().find(|(name, _)| *name == region).map(|(_, endpoint)| endpoint);
        exception.or(entry.default.as_ref()).ok_or_else(unknown)
    }
}

/// Whether the partition has the region, or would have it by the form of its name.
///
/// Source: `regionRegex` in botocore's `partitions.json`, narrowed to lower-case letters.
pub(crate) fn has_region(partition: &Partition, region: &str) -> bool {
    let fits = |prefix: &&str| {
        region.strip_prefix(*prefix).and_then(|rest| rest.split_once('-')).is_some_and(|(word, number)| {
            let is_word = !word.is_empty() && word.len() <= 20 && word.bytes().all(|byte| byte.is_ascii_lowercase());
            is_word && (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    partition.regions.contains(&region) || partition.region_prefixes.iter().any(fits)
}

/// The host prefix of the operation with the parameters filled in, with its final dot if it has one.
pub(crate) fn host_prefix(service: &Service, operation: &Operation, parameters: &Value) -> Result<String, Refusal> {
    let input = service.input(operation).ok().flatten();
    filled(operation.host_prefix, |name| {
        let member = input.and_then(|input| input.member(name)).filter(|m| m.traits.has(MemberTraits::HOST_LABEL))?;
        parameters.get(member.name).and_then(Value::as_text).map(str::to_owned)
    })
}

/// A part of a host with `{Member}` filled in, each value one DNS label.
fn filled(template: &str, value_of: impl Fn(&str) -> Option<String>) -> Result<String, Refusal> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (name, after) = after.split_once('}').ok_or(Refusal::DamagedCatalogue { what: "an open host template" })?;
        let value = value_of(name).ok_or_else(|| Refusal::MissingMember { path: name.to_owned() })?;
        if !is_host_label(&value) {
            return Err(Refusal::BadHostLabel { path: name.to_owned() });
        }
        out.push_str(&value);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// One DNS label (RFC 1123): no dot, so that a value can never reach into another domain.
pub(crate) fn is_host_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Predictions have a host beside the service's, which clients take from a member: it must be that of the region.
fn prediction_host(host: &str, parameters: &Value) -> Result<String, Refusal> {
    let given = parameters.get("PredictEndpoint").and_then(Value::as_text).unwrap_or_default();
    let expected = format!("realtime.{host}");
    if given.strip_prefix("https://").map(|rest| rest.trim_end_matches('/')) == Some(expected.as_str()) {
        return Ok(expected);
    }
    Err(Refusal::UnresolvedHost { why: "`PredictEndpoint` is not the region's endpoint of real-time predictions" })
}

/// Members whose value sends the request to a host that the tables do not have.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("events", "EndpointId", "a global EventBridge endpoint has a host of its own and needs SigV4a"),
    ("sesv2", "EndpointId", "a multi-region SES endpoint has a host of its own and needs SigV4a"),
];

fn refuse_elsewhere(model: &ServiceModel, parameters: &Value) -> Result<(), Refusal> {
    for (service, member, why) in ELSEWHERE {
        if model.id == *service && parameters.get(member).is_some_and(|value| *value != Value::Null) {
            return Err(Refusal::UnresolvedHost { why });
        }
    }
    let bucket = parameters.get("Bucket").and_then(Value::as_text).unwrap_or_default();
    // Nothing else was ever a bucket's name, not even before DNS rules held for them.
    let is_name = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if model.id == "s3" && !bucket.starts_with("arn:") && !is_name(bucket) {
        return Err(Refusal::WrongType { path: "Bucket".to_owned(), expected: "a bucket's name" });
    }
    let is_arn_of = |service: &str| {
        bucket.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(1)).is_some_and(|named| named == service)
    };
    let why = match model.id {
        "s3" if is_arn_of("s3") && bucket.ends_with(".mrap") => {
            "a multi-region access point takes SigV4a, which the gateway does not make"
        }
        "s3" if is_arn_of("s3-object-lambda") => "an Object Lambda access point has a host of its own; use its alias",
        "s3" if is_arn_of("s3-outposts") => "buckets on Outposts have hosts of their own",
        "s3" if bucket.starts_with("arn:") => "the bucket is an access point's ARN; use its alias",
        "s3" if bucket.ends_with("--x-s3") => {
            "a directory bucket takes sessions of S3 Express, which the gateway neither hands out nor uses"
        }
        "s3" if bucket.ends_with("--op-s3") => "buckets on Outposts have hosts of their own",
        "s3control" if bucket.starts_with("arn:") => "buckets on Outposts have hosts of their own",
        _ => return Ok(()),
    };
    Err(Refusal::UnresolvedHost { why })
}
