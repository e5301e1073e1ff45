//! What stands in front of the host that a request was made for: a bucket, or the prefix of an operation.

use super::scope::UnverifiedScope;

/// The ends of AWS's own host names.
///
/// Source: `dnsSuffix` and `dualStackDnsSuffix` in botocore's `partitions.json`; `aws.amazon.com` from the endpoint rules of
/// `signin`.
const AWS_SUFFIXES: [&str; 14] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "api.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "api.aws",
    "api.aws.hci.ic.gov",
    "api.aws.ic.gov",
    "aws.amazon.com",
    "c2s.ic.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
    "on.aws",
    "sc2s.sgov.gov",
];

/// The labels in front of the host proper, without the final dot: a bucket, or for the ARN-addressed kinds of S3 the ARN.
/// Empty where there is nothing, or where the host says no more than the request does anyway.
pub(crate) fn prefix(host: &str, base_hosts: &[String], scope: &UnverifiedScope) -> String {
    let below = |base: &str| host.strip_suffix(base)?.strip_suffix('.').map(str::to_owned);
    if let Some(found) = base_hosts.iter().find_map(|base| below(&base.to_ascii_lowercase())) {
        return found;
    }
    // At AWS only buckets are named by the host alone.
    if !scope.signing_name.starts_with("s3") {
        return String::new();
    }
    AWS_SUFFIXES.iter().find_map(|suffix| below(suffix)).map(|labels| of_s3(&labels, scope)).unwrap_or_default()
}

/// Whether the name is one of AWS's own.
pub(crate) fn is_aws(host: &str) -> bool {
    AWS_SUFFIXES.iter().any(|suffix| host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')))
}

/// The region among the labels of a host of AWS, as `is_region` knows regions.
pub(crate) fn region<'h>(host: &'h str, is_region: impl Fn(&str) -> bool) -> Option<&'h str> {
    if !is_aws(host) {
        return None;
    }
    // `s3-eu-west-1` and `eu-central-1` alike; the last label that is one, as a bucket may be named like a region.
    let named = |label: &'h str| std::iter::once(label).chain(label.split_once('-').map(|(_, rest)| rest));
    host.rsplit('.').flat_map(named).find(|label| is_region(label))
}

/// Source: "Virtual hosting of buckets", "Accessing access points", "Regional and Zonal endpoints for directory buckets"
/// in the Amazon S3 user guide.
fn of_s3(labels: &str, scope: &UnverifiedScope) -> String {
    let parts: Vec<&str> = labels.split('.').collect();
    // A bucket may have a label `s3` as well: the last one is the service's.
    let Some(at) =
        parts.iter().rposition(|label| *label == "s3" || label.starts_with("s3-") || label.starts_with("s3express-"))
    else {
        return String::new();
    };
    let front = parts.get(..at).unwrap_or_default();
    let (region, partition) = (&scope.signing_region, partition(&scope.signing_region));
    match (parts.get(at).copied().unwrap_or_default(), front) {
        ("s3-accesspoint" | "s3-accesspoint-fips", [point]) => match point.rsplit_once('-') {
            Some((name, account)) => format!("arn:{partition}:s3:{region}:{account}:accesspoint/{name}"),
            None => (*point).to_owned(),
        },
        ("s3-outposts", [point, outpost]) => match point.rsplit_once('-') {
            Some((name, account)) => {
                format!("arn:{partition}:s3-outposts:{region}:{account}:outpost/{outpost}/accesspoint/{name}")
            }
            None => front.join("."),
        },
        _ => front.join("."),
    }
}

fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_found_in_front_of_known_hosts() {
        let bases = ["localhost".to_owned(), "Gateway.Example.com".to_owned()];
        for (host, signing_name, expected) in [
            ("my-bucket.s3.eu-central-1.amazonaws.com", "s3", "my-bucket"),
            ("a.b.s3.s3.dualstack.eu-central-1.amazonaws.com", "s3", "a.b.s3"),
            ("b.s3.amazonaws.com", "s3", "b"),
            ("b.s3-accelerate.amazonaws.com", "s3", "b"),
            ("b.s3-eu-west-1.amazonaws.com", "s3", "b"),
            ("b.s3.cn-north-1.amazonaws.com.cn", "s3", "b"),
            ("s3.eu-central-1.amazonaws.com", "s3", ""),
            ("b--euc1-az1--x-s3.s3express-euc1-az1.eu-central-1.amazonaws.com", "s3express", "b--euc1-az1--x-s3"),
            ("123456789012.s3-control.eu-central-1.amazonaws.com", "s3", "123456789012"),
            (
                "my-point-123456789012.s3-accesspoint.eu-central-1.amazonaws.com",
                "s3",
                "arn:aws:s3:eu-central-1:123456789012:accesspoint/my-point",
            ),
            (
                "pt-123456789012.op-01.s3-outposts.eu-central-1.amazonaws.com",
                "s3-outposts",
                "arn:aws:s3-outposts:eu-central-1:123456789012:outpost/op-01/accesspoint/pt",
            ),
            ("dynamodb.eu-central-1.amazonaws.com", "dynamodb", ""),
            ("data.iotevents.eu-central-1.amazonaws.com", "ioteventsdata", ""),
            ("b.localhost", "s3", "b"),
            ("data.gateway.example.com", "servicediscovery", "data"),
            ("gateway.example.com", "s3", ""),
            ("evilgateway.example.com", "s3", ""),
            ("127.0.0.1", "s3", ""),
        ] {
            let scope =
                UnverifiedScope { signing_name: signing_name.to_owned(), signing_region: "eu-central-1".to_owned() };
            assert_eq!(prefix(host, &bases, &scope), expected, "{host}");
        }
    }

    #[test]
    fn regions_are_read_from_hosts_of_aws_alone() {
        let is_region = |label: &str| ["eu-west-1", "us-east-1"].contains(&label);
        for (host, expected) in [
            ("sqs.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("us-east-1.s3-eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("iam.amazonaws.com", None),
            ("eu-west-1.signin.aws.amazon.com", Some("eu-west-1")),
            ("sqs.eu-west-1.example.com", None),
        ] {
            assert_eq!(region(host, is_region), expected, "{host}");
        }
    }
}
