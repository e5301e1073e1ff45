//! Resource expressions that a template cannot say: `@name(path, path)` in the tables.
//!
//! Each follows one service's documented rule for what a name in a request stands for.

mod bedrock;
mod builds;
mod documents;
mod ec2;
mod keys;
mod lambda;
mod s3;
mod sqs;

use std::borrow::Cow;

use countersign_domain::Resource;

use crate::scope::Scope;
use crate::template::Place;

/// The names that may follow `@` in a resource expression, with their number of arguments.
pub const NAMES: [(&str, usize); 14] = [
    ("s3-bucket", 1),
    ("s3-object", 2),
    ("copy-source", 1),
    ("queue", 1),
    ("function", 2),
    ("ec2-id", 1),
    ("hosted-zone", 2),
    ("parameter", 1),
    ("secret", 1),
    ("kms-key", 1),
    ("bedrock-model", 1),
    ("build-project", 1),
    ("document", 1),
    ("automation", 2),
];

/// The name and the arguments of an expression after its `@`; `None` if it is malformed.
pub fn parse(expression: &str) -> Option<(&str, Vec<&str>)> {
    let (name, arguments) = expression.strip_suffix(')')?.split_once('(')?;
    let arguments: Vec<_> = arguments.split(',').map(str::trim).collect();
    NAMES.contains(&(name, arguments.len())).then_some((name, arguments))
}

/// The resources of an expression; empty if the request does not hold what it reads.
pub(crate) fn call(expression: &str, scope: &Scope<'_>, place: &Place<'_>) -> Vec<Resource> {
    let Some((name, arguments)) = parse(expression) else { return vec![Resource::Unresolved] };
    let texts = |at: usize| arguments.get(at).map(|path| scope.texts(path)).unwrap_or_default();
    let first = texts(0);
    let second = texts(1);
    let second: Option<&str> = second.first().map(Cow::as_ref);
    if name == "bedrock-model" {
        return first.iter().flat_map(|value| bedrock::model(value, place)).collect();
    }
    first
        .iter()
        .filter_map(|value| match name {
            "s3-bucket" => Some(s3::bucket(value, place)),
            "s3-object" => second.map(|key| s3::object(value, key, place)),
            "copy-source" => Some(s3::copy_source(value, place)),
            "queue" => Some(sqs::queue(value, place)),
            "function" => Some(lambda::function(value, second, place)),
            "ec2-id" => Some(ec2::by_id(value, place)),
            "hosted-zone" => Some(keys::route53(value, arguments.get(1).copied().unwrap_or_default(), place)),
            "parameter" => Some(keys::parameter(value, place)),
            "secret" => Some(keys::secret(value, place)),
            "build-project" => Some(builds::project(value, place)),
            "document" => Some(documents::document(value, place)),
            "automation" => Some(documents::automation(value, second, place)),
            "kms-key" => Some(keys::kms_key(value, place)),
            _ => Some(Resource::Unresolved),
        })
        .collect()
}

/// The pairs that one checked action on one resource really is: S3's actions go by another prefix
/// on directory buckets, Object Lambda and Outposts.
pub(crate) fn final_pairs(action: &str, resource: Resource, place: &Place<'_>) -> Vec<(String, Resource)> {
    s3::final_pairs(action, resource, place)
}
