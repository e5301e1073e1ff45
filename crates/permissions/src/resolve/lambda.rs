//! Lambda: functions by name, qualified name, partial ARN or ARN.

use countersign_domain::Resource;

use crate::arn::{self, Arn};
use crate::template::{Place, resource};

/// The function of a `FunctionName` and, where the operation has one, a `Qualifier`.
///
/// Canonical are a plain name or a full ARN, each with the qualifier in `Qualifier` or in the ARN.
/// A qualifier inside a name (`name:qualifier`), a partial ARN (`account:function:name`) and
/// `$LATEST`, which is another name of the unqualified function, are not.
pub(crate) fn function(value: &str, qualifier: Option<&str>, place: &Place<'_>) -> Resource {
    let Place { partition, region, account } = place;
    let own = format!("arn:{partition}:lambda:{region}:{account}:function:");
    if arn::is_meant_as_arn(value) {
        return by_arn(value, qualifier, place);
    }
    if is_name(value) {
        let canonical = qualifier.is_none_or(is_name);
        let suffix = qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
        return resource(format!("{own}{value}{suffix}"), canonical);
    }
    match value.split_once(":function:") {
        Some((owner, rest)) if arn::is_account(owner) => {
            Resource::NonCanonical(format!("arn:{partition}:lambda:{region}:{owner}:function:{rest}"))
        }
        _ => Resource::NonCanonical(format!("{own}{value}")),
    }
}

fn by_arn(value: &str, qualifier: Option<&str>, place: &Place<'_>) -> Resource {
    let other = || Resource::NonCanonical(value.to_owned());
    let Some(arn) = Arn::parse(value) else { return other() };
    let Some(name) = arn.resource.strip_prefix("function:") else { return other() };
    let is_own_kind = arn.partition == place.partition
        && arn.service == "lambda"
        && arn::is_region(arn.region)
        && arn::is_account(arn.account);
    let (name, inside) = name.split_once(':').map_or((name, None), |(name, inside)| (name, Some(inside)));
    let agreed = match (inside, qualifier) {
        (Some(inside), Some(qualifier)) => inside == qualifier,
        _ => true,
    };
    let canonical =
        is_own_kind && agreed && is_name(name) && inside.is_none_or(is_name) && qualifier.is_none_or(is_name);
    match (inside, qualifier) {
        (None, Some(qualifier)) => resource(format!("{value}:{qualifier}"), canonical),
        _ => resource(value.to_owned(), canonical),
    }
}

/// 1 to 128 of letters, digits, `-` and `_`: a function, version or alias.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
