//! The host in an SQS queue's URL.
//!
//! The gateway writes its own address into the queue URLs that it gives out, because SDKs send where
//! the URL says. On the way back SQS's own host takes its place, so that AWS reads a URL that it
//! could have given out itself.

use countersign_domain::Value;

use crate::service::Service;

/// The member of SQS's inputs that holds a queue's URL.
const MEMBER: &str = "QueueUrl";
/// The domains of AWS's endpoints: a URL with such a host names the queue that it names.
const AWS_DOMAINS: [&str; 4] = [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws"];

/// `parameters` of an operation of `service` that goes to `upstream_host`, with that host in its
/// queue's URL if there was one that is not AWS's.
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

/// `account/name`, where that is all of the path and the host is not AWS's.
fn path_of_foreign_host(url: &str) -> Option<&str> {
    let (host, path) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?.split_once('/')?;
    let (account, name) = path.split_once('/')?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_queue = is_account && !name.is_empty() && name.bytes().all(fits);
    let host = host.split_once(':').map_or(host, |(host, _)| host).to_ascii_lowercase();
    (is_queue && !AWS_DOMAINS.iter().any(|domain| host.ends_with(domain))).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_that_is_not_awss_gives_way() {
        for (url, path) in [
            ("https://gw.example.com/123456789012/jobs", Some("123456789012/jobs")),
            ("http://127.0.0.1:4566/123456789012/jobs.fifo", Some("123456789012/jobs.fifo")),
            ("https://sqs.eu-central-1.amazonaws.com/123456789012/jobs", None),
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
