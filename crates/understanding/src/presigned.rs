//! URLs that SDKs sign and put into a request, for AWS to call another region with.
//!
//! An SDK that copies a snapshot from another region signs the same request for that region and sends
//! it along as a URL. Behind the gateway it is signed with the session's credentials, which AWS does
//! not know. EC2 has deprecated the member, and RDS ignores it except in the partitions of
//! [`NEEDED_IN`] (API references, `CopySnapshot` and `CopyDBSnapshot`, `PresignedUrl`): so it is left out
//! before the call is decided, shown and written anew. Where RDS needs it the call is refused.

use countersign_catalogue::{Catalogue, Understood};
use countersign_domain::Value;

use crate::Refusal;

/// Services of the operations that take such a URL.
const SERVICES: [&str; 4] = ["ec2", "rds", "docdb", "neptune"];

/// What the member is called.
const NAMES: [&str; 2] = ["PresignedUrl", "PreSignedUrl"];

/// Partitions in which RDS copies between regions only with such a URL.
const NEEDED_IN: [&str; 2] = ["aws-us-gov", "aws-cn"];

/// `understood` without such a URL.
///
/// # Errors
/// [`Refusal::PresignedUrl`] where AWS would need it.
pub(crate) fn without_url(mut understood: Understood, partition: &str) -> Result<Understood, Refusal> {
    let Value::Record(members) = &mut understood.parameters else { return Ok(understood) };
    let before = members.len();
    if SERVICES.contains(&understood.service.as_str()) {
        members.retain(|(name, _)| !NAMES.contains(&name.as_str()));
    }
    if members.len() == before {
        return Ok(understood);
    }
    if understood.service != "ec2" && NEEDED_IN.contains(&partition) {
        return Err(Refusal::PresignedUrl { operation: format!("{}:{}", understood.service, understood.operation) });
    }
    understood.outgoing = Catalogue::embedded().serialise(
        &understood.service,
        &understood.operation,
        Some(understood.protocol),
        &understood.parameters,
        None,
    )?;
    Ok(understood)
}
