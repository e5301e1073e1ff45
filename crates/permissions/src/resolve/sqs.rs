//! SQS: queues by their URL.

use countersign_domain::Resource;

use crate::arn;
use crate::template::{Place, resource};

/// The queue of a `QueueUrl`: account and name are its path, the region is where the call goes.
///
/// SQS finds a queue by the URL's path alone, so the host may be a VPC endpoint's or our own. A host
/// that names another region's SQS endpoint is not canonical.
pub(crate) fn queue(url: &str, place: &Place<'_>) -> Resource {
    let Place { partition, region, account } = place;
    let parts =
        url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).and_then(|rest| rest.split_once('/'));
    let Some((host, path)) = parts else {
        // A bare name is accepted by some SDKs' servers; its account is then the caller's.
        return Resource::NonCanonical(format!("arn:{partition}:sqs:{region}:{account}:{url}"));
    };
    let Some((owner, name)) = path.split_once('/') else { return Resource::NonCanonical(url.to_owned()) };
    let canonical = arn::is_account(owner) && is_queue_name(name) && host_is_of(host, region);
    resource(format!("arn:{partition}:sqs:{region}:{owner}:{name}"), canonical)
}

/// 1 to 80 of letters, digits, `-` and `_`, with `.fifo` at the end of FIFO queues.
fn is_queue_name(text: &str) -> bool {
    let stem = text.strip_suffix(".fifo").unwrap_or(text);
    !stem.is_empty()
        && text.len() <= 80
        && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn host_is_of(host: &str, region: &str) -> bool {
    let host = host.split_once(':').map_or(host, |(host, _)| host).to_ascii_lowercase();
    let is_aws = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|end| host.ends_with(end));
    // `queue.amazonaws.com` is the old name of us-east-1's endpoint.
    !is_aws || host.split('.').any(|label| label == region) || (host == "queue.amazonaws.com" && region == "us-east-1")
}
