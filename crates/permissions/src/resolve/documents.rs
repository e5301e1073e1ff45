//! Systems Manager: documents, and the automations that they define.

use countersign_domain::Resource;

use crate::arn;
use crate::template::{Place, Template, resource};

/// The document of a name or an ARN.
///
/// What AWS owns is called `AWS-…` and belongs to no account in its ARN; no customer can use that name.
/// Other names that begin with `AWS` or `Amazon` are of AWS or of an account: the name does not tell.
pub(crate) fn document(value: &str, place: &Place<'_>) -> Resource {
    let Place { partition, region, .. } = place;
    if arn::is_meant_as_arn(value) {
        return shared(value, "document", place);
    }
    let (account, canonical) = owner(value, place);
    resource(format!("arn:{partition}:ssm:{region}:{account}:document/{value}"), canonical)
}

/// The automation that a document defines in a version, without which the default one is meant; which
/// number that is, the name does not tell.
pub(crate) fn automation(value: &str, version: Option<&str>, place: &Place<'_>) -> Resource {
    let Place { partition, region, .. } = place;
    let version = version.unwrap_or("$DEFAULT");
    let is_number = version.bytes().all(|byte| byte.is_ascii_digit());
    if arn::is_meant_as_arn(value) {
        return Resource::NonCanonical(value.to_owned());
    }
    let (account, canonical) = owner(value, place);
    let text = format!("arn:{partition}:ssm:{region}:{account}:automation-definition/{value}:{version}");
    resource(text, canonical && is_number)
}

/// The account in the ARN of what is called `name`, and whether that is certain.
fn owner<'p>(name: &str, place: &Place<'p>) -> (&'p str, bool) {
    let is_name = !name.bytes().all(|byte| byte == b'.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if name.starts_with("AWS-") {
        return ("", is_name);
    }
    let lower = name.to_ascii_lowercase();
    let is_reserved = ["aws", "amazon", "amzn"].iter().any(|start| lower.starts_with(start));
    (place.account, is_name && !is_reserved)
}

fn shared(value: &str, kind: &str, place: &Place<'_>) -> Resource {
    let owned = format!("arn:$P:ssm:$R:$A:{kind}/{{-}}");
    let public = format!("arn:$P:ssm:$R::{kind}/{{-}}");
    let fits =
        [owned, public].iter().any(|text| Template::parse(text).is_some_and(|shape| shape.has_shape(value, place)));
    resource(value.to_owned(), fits)
}
