//! Requests whose bytes mean the same under several names.
//!
//! Services that share a signing name repeat each other's operations. Where they share the host
//! too, one name is as good as another and the canonical one is taken. Where they do not, the
//! signing name or the ARN in the request tells the host; if neither does, the endpoint that the
//! request was sent to; else the request is refused.

use countersign_domain::Value;

use crate::catalogue::Catalogue;
use crate::identify::Candidate;
use crate::model::{Location, MemberTraits, OperationTraits};
use crate::understand::Reading;
use crate::{Endpoint, Refusal, WireRequest};

/// Which of the services with the same operations owns a resource: the beginnings of the resource
/// part of its ARNs. Source: the resource tables of AWS's service authorization reference.
const OWNERS: &[(&str, &[&str])] = &[
    ("lex-models", &["bot:", "bot-alias:", "bot-channel:", "intent:", "slottype:"]),
    ("lexv2-models", &["bot/", "bot-alias/", "test-set/"]),
    ("ivs", &["channel/", "playback-key/", "stream-key/", "recording-configuration/", "playback-restriction-policy/"]),
    (
        "ivs-realtime",
        &[
            "stage/",
            "composition/",
            "encoder-configuration/",
            "storage-configuration/",
            "public-key/",
            "ingest-configuration/",
        ],
    ),
    ("bedrock-agent", &["agent/", "agent-alias/", "knowledge-base/", "flow/", "prompt/"]),
    ("bedrock-agent-runtime", &["session/"]),
    ("bedrock-data-automation", &["data-automation-project/", "data-automation-profile/", "blueprint/"]),
    (
        "bedrock",
        &[
            "application-inference-profile/",
            "automated-reasoning-policy/",
            "custom-model/",
            "custom-model-deployment/",
            "evaluation-job/",
            "guardrail/",
            "imported-model/",
            "inference-profile/",
            "model-copy-job/",
            "model-customization-job/",
            "model-import-job/",
            "model-invocation-job/",
            "prompt-router/",
            "provisioned-model/",
        ],
    ),
    ("timestream-query", &["scheduled-query/"]),
    ("timestream-write", &["database/"]),
    ("chime-sdk-meetings", &["meeting/"]),
    (
        "chime-sdk-media-pipelines",
        &["media-pipeline/", "media-insights-pipeline-configuration/", "media-pipeline-kinesis-video-stream-pool/"],
    ),
    ("chime-sdk-voice", &["vc/", "sma/", "voice-profile/", "voice-profile-domain/"]),
];

/// ARNs below an app instance belong to messaging if they name a channel, else to identity.
fn owner_of_app_instance(resource: &str) -> Option<&'static str> {
    let inner = resource.strip_prefix("app-instance/")?;
    let is_messaging = inner.contains("/channel/") || inner.contains("/channel-flow/");
    Some(if is_messaging { "chime-sdk-messaging" } else { "chime-sdk-identity" })
}

/// The service that owns the resource of an ARN, among those of [`OWNERS`].
fn owner(arn: &str, services: &[&str]) -> Option<&'static str> {
    let resource = arn.strip_prefix("arn:")?.splitn(5, ':').nth(4)?;
    if let Some(service) = owner_of_app_instance(resource) {
        return Some(service);
    }
    let owns = |(service, starts): &&(&'static str, &[&str])| {
        services.contains(service) && starts.iter().any(|start| resource.starts_with(start))
    };
    OWNERS.iter().find(owns).map(|(service, _)| *service)
}

/// Services that go before those that repeat their operations on the same host.
const CANONICAL: &[&str] = &["rds", "ses", "elb", "greengrassv2"];

/// Smaller is more canonical: what is not deprecated, then the services of [`CANONICAL`], then
/// the service that is named like its signing name.
pub(crate) fn order(candidate: &Candidate<'_>) -> (bool, usize, bool) {
    let model = candidate.service.model();
    let named = CANONICAL.iter().position(|id| *id == model.id).unwrap_or(CANONICAL.len());
    (candidate.operation.traits.has(OperationTraits::DEPRECATED), named, model.id != model.signing_name)
}

/// The canonical one of several readings, with the names of the others.
///
/// # Errors
/// [`Refusal::Ambiguous`] when they do not go to the same host; [`Refusal::UnknownEndpoint`] or
/// [`Refusal::OtherEndpoint`] when the endpoint is of no service, or of one that it cannot be for.
pub(crate) fn choose<'c>(
    catalogue: &Catalogue,
    mut readings: Vec<Reading<'c>>,
    request: &WireRequest<'_>,
) -> Result<(Reading<'c>, Vec<(String, String)>), Refusal> {
    if readings.len() > 1 {
        // ListBuckets and ListDirectoryBuckets are the same bytes, signed for two names.
        keep_if_any(&mut readings, |one| one.upstream.signing_name == request.signing_name);
        keep_if_any(&mut readings, |one| has_required_members(&one.candidate, &one.parameters));
        keep_owner(&mut readings);
    }
    match request.endpoint {
        Endpoint::Any => {}
        Endpoint::OfService(id) => keep_host_of(catalogue, id, &mut readings)?,
        Endpoint::Host(host) => keep_if_any(&mut readings, |one| one.upstream.host == host),
    }
    let first_upstream = readings.first().map(|reading| reading.upstream.clone());
    if readings.iter().any(|reading| Some(&reading.upstream) != first_upstream.as_ref()) {
        return Err(Refusal::Ambiguous { candidates: readings.iter().map(|one| one.candidate.name()).collect() });
    }
    readings.sort_by_key(|reading| order(&reading.candidate));
    let name = |reading: &Reading<'_>| {
        (reading.candidate.service.model().id.to_owned(), reading.candidate.operation.name.to_owned())
    };
    let aliases = readings.iter().skip(1).map(name).collect();
    let first = readings.into_iter().next().ok_or(Refusal::DamagedCatalogue { what: "no reading" })?;
    Ok((first, aliases))
}

/// Keeps the readings that go where the one of service `id` goes. Not that reading alone: among names
/// for the same host the canonical one is taken, whatever the caller calls it.
fn keep_host_of(catalogue: &Catalogue, id: &str, readings: &mut Vec<Reading<'_>>) -> Result<(), Refusal> {
    let service = catalogue.service(id).ok_or_else(|| Refusal::UnknownEndpoint {
        endpoint: id.chars().take(64).collect(),
        version: catalogue.version().to_owned(),
    })?;
    let id = service.model().id;
    let found = readings.iter().find(|one| one.candidate.service.model().id == id).map(|one| one.upstream.clone());
    let upstream = found.ok_or_else(|| Refusal::OtherEndpoint {
        endpoint: id.to_owned(),
        candidates: readings.iter().map(|one| one.candidate.name()).collect(),
    })?;
    readings.retain(|one| one.upstream == upstream);
    Ok(())
}

fn keep_if_any<'c>(readings: &mut Vec<Reading<'c>>, keep: impl Fn(&Reading<'c>) -> bool) {
    if readings.iter().any(&keep) {
        readings.retain(keep);
    }
}

/// Whether the body has every member that the operation requires there.
pub(crate) fn has_required_members(candidate: &Candidate<'_>, parameters: &Value) -> bool {
    candidate
        .service
        .input_members(candidate.operation, Location::Body)
        .filter(|member| member.traits.has(MemberTraits::REQUIRED))
        .all(|member| parameters.get(member.name).is_some())
}

/// Keeps the readings of the service that owns the resource whose ARN is in the path.
fn keep_owner(readings: &mut Vec<Reading<'_>>) {
    let services: Vec<&str> = readings.iter().map(|reading| reading.candidate.service.model().id).collect();
    let arns = readings.iter().flat_map(|reading| reading.parameters.as_record().unwrap_or_default());
    let arns = arns.filter_map(|(_, value)| Value::as_text(value)).filter(|text| text.starts_with("arn:"));
    let Some(owner) = arns.filter_map(|arn| owner(arn, &services)).next() else { return };
    keep_if_any(readings, |reading| reading.candidate.service.model().id == owner);
}
