//! The host in an SQS queue's URL.
//!
//! The gateway writes its own address into the queue URLs that it gives out, because SDKs send where
//! the URL says. On the way back SQS's own host takes its place, so that AWS reads a URL that it
//! could have given out itself.

use countersign_domain::Value;

use crate::service::Service;

/// The member of SQS's inputs that holds a queue's URL.
const MEMBER: &str = "QueueUrl";
/// The domains of AWS's endpoints. A gateway without a domain of its own has a host in them, too.
const AWS_DOMAINS: [&str; 4] = [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws"];

/// `parameters` of an operation of `service` that goes to `upstream_host`, with that host in its
/// queue's URL if there was one that is not SQS's own.
pub(crate) fn with_own_host(service: &Service, mut parameters: Value, upstream_host: &str) -> Value {
    if service.model().id != "sqs" {
        return parameters;
    }
    if let Value::Record(members) = &mut parameters {
        for (_, value) in members.iter_mut().filter(|(name, _)| name == MEMBER) {
            if let Value::Text(url) = value
                && let Some(path) = path_of_foreign_host(url)
            {
                *url = format!("https://{upstream_host}/{path}");
            }
        }
    }
    parameters
}

/// `account/name`, where that is all of the path and the host is not SQS's own.
fn path_of_foreign_host(url: &str) -> Option<&str> {
    let (host, path) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?.split_once('/')?;
    let (account, name) = path.split_once('/')?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_queue = is_account && !name.is_empty() && name.bytes().all(fits);
    let host = host.split_once(':').map_or(host, |(host, _)| host).to_ascii_lowercase();
    (is_queue && !is_sqss_own(&host)).then_some(path)
}

/// Whether a URL with this host names the queue that it names: endpoints as they are now, the legacy
/// ones (`queue.amazonaws.com`, `<region>.queue.amazonaws.com`), and those of VPCs.
/// Source: AWS General Reference, "Amazon SQS endpoints and quotas".
fn is_sqss_own(host: &str) -> bool {
    let Some(labels) = AWS_DOMAINS.iter().find_map(|domain| host.strip_suffix(domain)) else { return false };
    let labels: Vec<_> = labels.split('.').collect();
    match labels.as_slice() {
        ["queue"] | ["sqs" | "sqs-fips", _] | [_, "queue"] => true,
        [endpoint, "sqs" | "sqs-fips", _, "vpce"] => endpoint.starts_with("vpce-"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_but_sqss_own_gives_way_also_the_gateways_in_awss_domain() {
        for (url, path) in [
            ("https://gw.example.com/123456789012/jobs", Some("123456789012/jobs")),
            ("http://127.0.0.1:4566/123456789012/jobs.fifo", Some("123456789012/jobs.fifo")),
            // Without a domain of its own, the gateway's door is API Gateway's.
            ("https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/123456789012/jobs", Some("123456789012/jobs")),
            ("https://a1b2c3d4e5.execute-api.cn-north-1.amazonaws.com.cn/123456789012/jobs", Some("123456789012/jobs")),
            ("https://vpce-1.execute-api.eu-central-1.vpce.amazonaws.com/123456789012/jobs", Some("123456789012/jobs")),
            ("https://sqs.eu-central-1.amazonaws.com/123456789012/jobs", None),
            ("https://sqs-fips.us-east-1.amazonaws.com/123456789012/jobs", None),
            ("https://sqs.eu-central-1.api.aws/123456789012/jobs", None),
            ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/jobs", None),
            ("https://queue.amazonaws.com/123456789012/jobs", None),
            ("https://EU-West-1.queue.amazonaws.com/123456789012/jobs", None),
            ("https://sqs.us-east-1.amazonaws.com/123456789012/jobs", None),
            ("https://vpce-1.sqs.eu-central-1.vpce.amazonaws.com/123456789012/jobs", None),
            ("https://gw.example.com/123456789012/jobs/more", None),
            ("https://gw.example.com/123456789012/", None),
            ("https://gw.example.com/jobs", None),
            ("jobs", None),
        ] {
            assert_eq!(path_of_foreign_host(url), path, "{url}");
        }
    }
}
