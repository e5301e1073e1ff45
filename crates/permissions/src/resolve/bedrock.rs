//! Bedrock: models by id, by inference profile, or by ARN.

use countersign_domain::Resource;

use crate::arn::{self, Arn};
use crate::template::{Place, resource};

/// What AWS checks for a `modelId` (Bedrock User Guide, "Prerequisites for inference profiles" and
/// "Identity-based policy examples").
///
/// A foundation model's id with its version and the ARNs of what holds a model are canonical. Behind an
/// inference profile or a prompt router stand models of several regions, each of which is checked besides
/// and which the request does not name.
pub(crate) fn model(value: &str, place: &Place<'_>) -> Vec<Resource> {
    let Place { partition, region, account } = place;
    if arn::is_meant_as_arn(value) {
        return by_arn(value, place);
    }
    if let Some((_, model)) = value.split_once('.').filter(|(head, _)| is_geography(head)) {
        let profile = format!("arn:{partition}:bedrock:{region}:{account}:inference-profile/{value}");
        return vec![resource(profile, is_versioned(value)), any_region(model, place)];
    }
    vec![resource(format!("arn:{partition}:bedrock:{region}::foundation-model/{value}"), is_versioned(value))]
}

fn by_arn(value: &str, place: &Place<'_>) -> Vec<Resource> {
    let other = || vec![Resource::NonCanonical(value.to_owned())];
    let Some(arn) = Arn::parse(value) else { return other() };
    let Some((kind, id)) = arn.resource.split_once('/') else { return other() };
    let is_own = arn.partition == place.partition && arn.service == "bedrock" && arn::is_region(arn.region);
    let is_id = id.starts_with(|first: char| first.is_ascii_alphanumeric())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte));
    match kind {
        "foundation-model" => vec![resource(value.to_owned(), is_own && arn.account.is_empty() && is_versioned(id))],
        "provisioned-model" | "imported-model" | "custom-model-deployment" => {
            vec![resource(value.to_owned(), is_own && arn::is_account(arn.account) && is_id)]
        }
        "inference-profile" | "application-inference-profile" | "prompt-router" | "default-prompt-router" => {
            let model = id.split_once('.').map_or("*", |(_, model)| model);
            let named = resource(value.to_owned(), is_own && arn::is_account(arn.account) && is_id);
            vec![named, any_region(model, place)]
        }
        // Prompts, marketplace endpoints: another resource is checked than the one that is named.
        _ => other(),
    }
}

/// The models behind a profile, in whatever regions.
fn any_region(model: &str, place: &Place<'_>) -> Resource {
    Resource::NonCanonical(format!("arn:{}:bedrock:*::foundation-model/{model}", place.partition))
}

/// Whether the first part of an id is that of a cross-region profile and not a model's provider.
fn is_geography(head: &str) -> bool {
    matches!(head, "us" | "us-gov" | "eu" | "apac" | "jp" | "au" | "ca" | "global")
}

/// `provider.name:version`. An id without its version may stand for several.
fn is_versioned(id: &str) -> bool {
    let Some((name, version)) = id.split_once(':') else { return false };
    let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte));
    let is_provided =
        name.split_once('.').is_some_and(|(provider, model)| !provider.is_empty() && !model.starts_with('.'));
    is_provided && is_name && !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit())
}
