//! In which region a call acts, and whether its target allows that.
//!
//! Clients sign for the region that they are set to, also where the service has one place for all
//! regions (IAM, Route 53). And an ARN in a request can send it elsewhere than it was signed for
//! (S3 access points). So what counts is where the catalogue would send it.

use countersign_catalogue::Understood;
use countersign_domain::{RegionName, Value};

use crate::Refusal;

/// A request that was understood for a region that the target allows.
pub(crate) struct Settled {
    pub(crate) understood: Understood,
    /// The region that the call acts in; for a service without regions the target's first.
    pub(crate) region: String,
}

/// Understands a request that was signed for `requested`; `identify` does so for a given region.
pub(crate) fn settle(
    requested: &str,
    allowed: &[RegionName],
    identify: impl Fn(&str) -> Result<Understood, Refusal>,
) -> Result<Settled, Refusal> {
    let is_allowed = |region: &str| allowed.iter().any(|one| one.as_str() == region);
    let refuse = |region: &str| Refusal::Region {
        region: region.to_owned(),
        allowed: allowed.iter().map(RegionName::as_str).collect::<Vec<_>>().join(", "),
    };
    let Some(first) = allowed.first().map(RegionName::as_str) else { return Err(refuse(requested)) };
    if !is_allowed(requested) {
        let understood = identify(first)?;
        return match has_no_regions(&understood, first, &identify) {
            true => Ok(Settled { understood, region: first.to_owned() }),
            false => Err(refuse(requested)),
        };
    }
    let understood = identify(requested)?;
    let acts_in = understood.upstream.signing_region.clone();
    if acts_in == requested && names_region(&understood.upstream.host, requested) {
        return Ok(Settled { understood, region: acts_in });
    }
    if has_no_regions(&understood, requested, &identify) {
        return Ok(Settled { understood, region: first.to_owned() });
    }
    match is_allowed(&acts_in) {
        true => Ok(Settled { understood, region: acts_in }),
        false => Err(refuse(&acts_in)),
    }
}

/// Whether the request goes to one place from every region of the partition, and no ARN in it is
/// the cause.
fn has_no_regions(
    understood: &Understood,
    region: &str,
    identify: impl Fn(&str) -> Result<Understood, Refusal>,
) -> bool {
    !mentions_region(&understood.parameters, &understood.upstream.signing_region)
        && another_region(region)
            .and_then(|other| identify(other).ok())
            .is_some_and(|other| other.upstream == understood.upstream)
}

/// Another region of the same partition, one of its oldest, where every service can be found.
fn another_region(region: &str) -> Option<&'static str> {
    let [one, other] = match region {
        _ if region.starts_with("cn-") => ["cn-north-1", "cn-northwest-1"],
        _ if region.starts_with("us-gov-") => ["us-gov-west-1", "us-gov-east-1"],
        // The isolated partitions: where their services are is not asked here.
        _ if region.contains("-iso") || region.starts_with("eusc-") => return None,
        _ => ["us-west-2", "eu-west-1"],
    };
    Some(if region == one { other } else { one })
}

/// Whether a label of the host is the region.
fn names_region(host: &str, region: &str) -> bool {
    host.split('.').any(|label| label == region)
}

/// Whether some text among the parameters is an ARN of this region.
fn mentions_region(parameters: &Value, region: &str) -> bool {
    match parameters {
        Value::Text(text) => text.starts_with("arn:") && text.split(':').nth(3) == Some(region),
        Value::List(items) => items.iter().any(|item| mentions_region(item, region)),
        Value::Record(members) => members.iter().any(|(_, member)| mentions_region(member, region)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use countersign_domain::{OutgoingRequest, Protocol, Upstream};

    use super::*;

    fn understood(host: &str, signing_region: &str, arn: &str) -> Understood {
        Understood {
            service: "any".into(),
            operation: "Any".into(),
            protocol: Protocol::Json,
            aliases: Vec::new(),
            parameters: Value::Record(vec![("Arn".into(), Value::Text(arn.into()))]),
            outgoing: OutgoingRequest {
                method: "POST".into(),
                path: "/".into(),
                query: String::new(),
                headers: Vec::new(),
                body: Bytes::new(),
            },
            upstream: Upstream { host: host.into(), signing_name: "any".into(), signing_region: signing_region.into() },
            idempotency_member: None,
            idempotency_token: None,
            unsigned: false,
            read_only: false,
            idempotent: false,
            streaming_output: false,
            event_stream_output: false,
        }
    }

    fn regional(region: &str) -> Result<Understood, Refusal> {
        Ok(understood(&format!("any.{region}.amazonaws.com"), region, ""))
    }

    fn global(_: &str) -> Result<Understood, Refusal> {
        Ok(understood("any.amazonaws.com", "us-east-1", "arn:aws:any::1:x"))
    }

    /// As S3 does with the ARN of an access point.
    fn by_arn(_: &str) -> Result<Understood, Refusal> {
        Ok(understood("any.us-east-1.amazonaws.com", "us-east-1", "arn:aws:any:us-east-1:1:x"))
    }

    fn region_of(
        requested: &str,
        allowed: &[&str],
        identify: fn(&str) -> Result<Understood, Refusal>,
    ) -> Result<String, Refusal> {
        let allowed: Vec<_> = allowed.iter().map(|name| RegionName::new(*name).unwrap()).collect();
        settle(requested, &allowed, identify).map(|settled| settled.region)
    }

    #[test]
    fn a_regional_call_stays_in_the_regions_of_its_target() {
        assert_eq!(region_of("eu-central-1", &["eu-central-1", "eu-west-1"], regional).unwrap(), "eu-central-1");
        assert!(region_of("us-east-1", &["eu-central-1", "eu-west-1"], regional).is_err());
        assert!(region_of("eu-central-1", &[], regional).is_err());
    }

    #[test]
    fn a_call_without_regions_counts_as_the_first_whatever_it_was_signed_for() {
        for requested in ["eu-central-1", "us-east-1", "aws-global", "eu-west-1"] {
            assert_eq!(region_of(requested, &["eu-central-1", "eu-west-1"], global).unwrap(), "eu-central-1");
        }
        assert_eq!(region_of("us-east-1", &["eu-central-1", "us-east-1"], global).unwrap(), "eu-central-1");
    }

    #[test]
    fn an_arn_cannot_lead_out_of_the_regions_of_the_target() {
        assert!(region_of("eu-central-1", &["eu-central-1"], by_arn).is_err());
        assert!(region_of("us-east-1", &["eu-central-1"], by_arn).is_err());
        assert_eq!(region_of("eu-central-1", &["eu-central-1", "us-east-1"], by_arn).unwrap(), "us-east-1");
    }
}
