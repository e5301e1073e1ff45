//! Secrets, parameters, KMS keys and hosted zones.

use countersign_domain::Resource;

use crate::arn;
use crate::template::{Place, Template, resource};

/// The secret of a `SecretId`.
///
/// A secret's ARN ends in `-` and six random characters, so a name does not tell it. A partial ARN
/// whose name ends in a hyphen and six characters looks like a full one; a suffix counts as the
/// random one only if it mixes letter cases or digits as names rarely do: a capital after its first
/// character, and a small letter or a digit. Seven in a hundred real suffixes do not, and are then
/// not canonical.
pub(crate) fn secret(value: &str, place: &Place<'_>) -> Resource {
    let Place { partition, region, account } = place;
    if !arn::is_meant_as_arn(value) {
        return Resource::NonCanonical(format!(
            "arn:{partition}:secretsmanager:{region}:{account}:secret:{value}-??????"
        ));
    }
    let has_shape = Template::parse("arn:$P:secretsmanager:$R:$A:secret:{-:path}")
        .is_some_and(|template| template.has_shape(value, place));
    let has_suffix = value.rsplit_once('-').is_some_and(|(_, suffix)| is_random_suffix(suffix));
    resource(value.to_owned(), has_shape && has_suffix)
}

fn is_random_suffix(text: &str) -> bool {
    text.len() == 6
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().skip(1).any(|byte| byte.is_ascii_uppercase())
        && text.bytes().any(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// The parameter of a Systems Manager `Name`.
///
/// `name` and `/a/b` are canonical, a version or label after `:` selects within the parameter and
/// belongs to no ARN. A hierarchy without its leading `/` is not canonical, nor are references to
/// secrets, which are read from Secrets Manager. Public parameters belong to no account.
pub(crate) fn parameter(value: &str, place: &Place<'_>) -> Resource {
    let Place { partition, region, account } = place;
    if arn::is_meant_as_arn(value) {
        let has_shape = Template::parse("arn:$P:ssm:$R:$A:parameter/{-:path}")
            .is_some_and(|template| template.has_shape(value, place));
        return resource(value.to_owned(), has_shape);
    }
    let (name, selector) = value.split_once(':').map_or((value, None), |(name, selector)| (name, Some(selector)));
    let path = name.strip_prefix('/');
    let is_public =
        ["aws/service/", "aws/debian/", "aws/canonical/"].iter().any(|start| path.unwrap_or(name).starts_with(start));
    let account = if is_public { "" } else { account };
    let is_plain = |text: &str| {
        !text.is_empty()
            && !text.bytes().all(|byte| byte == b'.')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    let canonical = match path {
        Some(path) => path.split('/').all(is_plain) && !path.starts_with("aws/reference/"),
        None => is_plain(name),
    } && selector.is_none_or(is_plain);
    resource(format!("arn:{partition}:ssm:{region}:{account}:parameter/{}", path.unwrap_or(name)), canonical)
}

/// The key of a KMS `KeyId`: a key id or a key's ARN. An alias can be moved to another key.
pub(crate) fn kms_key(value: &str, place: &Place<'_>) -> Resource {
    let Place { partition, region, account } = place;
    if value.starts_with("alias/") {
        return Resource::NonCanonical(format!("arn:{partition}:kms:{region}:{account}:{value}"));
    }
    let root = countersign_domain::Value::Record(vec![("KeyId".into(), countersign_domain::Value::Text(value.into()))]);
    let scope = crate::scope::Scope::whole(&root);
    let filled = Template::parse("arn:$P:kms:$R:$A:key/{KeyId:uuid}").map(|template| template.fill(&scope, place));
    filled.and_then(|resources| resources.into_iter().next()).unwrap_or(Resource::Unresolved)
}

/// A Route 53 resource by id, which may carry its kind as in `/hostedzone/Z123`.
pub(crate) fn route53(value: &str, kind: &str, place: &Place<'_>) -> Resource {
    let id = value.strip_prefix('/').unwrap_or(value);
    let id = id.strip_prefix(kind).and_then(|id| id.strip_prefix('/')).unwrap_or(value);
    let canonical = !id.is_empty()
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && (kind != "hostedzone" || !id.bytes().any(|byte| byte.is_ascii_lowercase()));
    resource(format!("arn:{}:route53:::{kind}/{id}", place.partition), canonical)
}
