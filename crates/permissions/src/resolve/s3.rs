//! S3: buckets, objects, access points, directory buckets, and the source of a copy.

use countersign_domain::Resource;

use crate::arn::{self, Arn};
use crate::template::{Place, resource};

/// The resource of a `Bucket` member: a bucket, a directory bucket or an access point.
pub(crate) fn bucket(value: &str, place: &Place<'_>) -> Resource {
    match Container::of(value, place) {
        Container::Exact { arn, .. } => resource(arn, true),
        Container::NonCanonical(text) => Resource::NonCanonical(text),
    }
}

/// The resource of a `Bucket` and a `Key` member.
///
/// A key is taken literally, so `a//b` is a key like any other; `.` and `..` segments are not
/// canonical because parts of the way (HTTP clients, proxies) resolve them.
pub(crate) fn object(bucket: &str, key: &str, place: &Place<'_>) -> Resource {
    match Container::of(bucket, place) {
        Container::Exact { arn, before_key } => {
            let canonical = !key.split('/').any(|segment| matches!(segment, "." | ".."));
            if before_key.is_empty() {
                // A directory bucket: access is decided for the bucket, not for the object.
                return resource(arn, true);
            }
            resource(format!("{arn}{before_key}{key}"), canonical && !key.is_empty())
        }
        Container::NonCanonical(text) => Resource::NonCanonical(format!("{text}/{key}")),
    }
}

enum Container {
    /// The container's ARN, and what stands between it and a key; empty where no key follows.
    Exact {
        arn: String,
        before_key: &'static str,
    },
    NonCanonical(String),
}

impl Container {
    fn of(value: &str, place: &Place<'_>) -> Self {
        if arn::is_meant_as_arn(value) {
            return match Arn::parse(value) {
                Some(arn) if is_access_point(&arn, place) => {
                    Container::Exact { arn: value.to_owned(), before_key: "/object/" }
                }
                _ => Container::NonCanonical(value.to_owned()),
            };
        }
        let plain = format!("arn:{}:s3:::{value}", place.partition);
        // Aliases of access points stand where a bucket name does (S3 User Guide, "Bucket naming rules").
        let is_alias = ["-s3alias", "--ol-s3", "--op-s3", "--xa-s3", ".mrap"].iter().any(|end| value.ends_with(end));
        if is_alias || !is_bucket_name(value) {
            return Container::NonCanonical(plain);
        }
        if value.ends_with("--x-s3") {
            let Place { partition, region, account } = place;
            let arn = format!("arn:{partition}:s3express:{region}:{account}:bucket/{value}");
            return Container::Exact { arn, before_key: "" };
        }
        Container::Exact { arn: plain, before_key: "/" }
    }
}

/// 3 to 63 of `a-z 0-9 . -`, beginning and ending with a letter or digit. Names of before 2018 in
/// us-east-1 may hold capitals and underscores: not canonical.
fn is_bucket_name(text: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = text.bytes().next().is_some_and(is_alphanumeric) && text.bytes().last().is_some_and(is_alphanumeric);
    (3..=63).contains(&text.len())
        && ends
        && text.bytes().all(|byte| is_alphanumeric(byte) || byte == b'.' || byte == b'-')
        && !text.contains("..")
}

fn is_access_point(arn: &Arn<'_>, place: &Place<'_>) -> bool {
    let Some(name) = arn.resource.strip_prefix("accesspoint/") else { return false };
    let in_place = if name.ends_with(".mrap") { arn.region.is_empty() } else { arn::is_region(arn.region) };
    arn.partition == place.partition
        && matches!(arn.service, "s3" | "s3-object-lambda")
        && in_place
        && arn::is_account(arn.account)
        && is_bucket_name(name)
}

/// The object that a copy reads: `bucket/key` or `access-point-arn/object/key`, percent-encoded,
/// with an optional leading `/` and `?versionId=` (S3 API, CopyObject, `x-amz-copy-source`).
pub(crate) fn copy_source(value: &str, place: &Place<'_>) -> Resource {
    let (path, query) = value.split_once('?').map_or((value, None), |(path, query)| (path, Some(query)));
    let version_is_plain = query.is_none_or(|query| {
        query.strip_prefix("versionId=").is_some_and(|version| {
            !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        })
    });
    let source = decoded(path).and_then(|path| source_object(&path, place));
    match source {
        Some(Resource::Exact(arn)) if version_is_plain => Resource::Exact(arn),
        Some(found) => Resource::NonCanonical(found.as_str().to_owned()),
        None => Resource::NonCanonical(value.to_owned()),
    }
}

fn source_object(path: &str, place: &Place<'_>) -> Option<Resource> {
    if arn::is_meant_as_arn(path) {
        let (access_point, key) = path.split_once("/object/")?;
        return Some(object(access_point, key, place));
    }
    let (bucket, key) = path.strip_prefix('/').unwrap_or(path).split_once('/')?;
    Some(object(bucket, key, place))
}

/// Percent-decoded text; `None` for a broken escape, for text that is not UTF-8, and for `+`, which
/// one decoder reads as itself and another as a space.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => return None,
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Directory buckets check `s3express:` actions: the bucket-level ones of the same name, and
/// `s3express:CreateSession` for everything done to objects. Object Lambda and Outposts check under
/// their own prefix and, for Object Lambda, the standard action at an access point that the request
/// does not name.
pub(crate) fn final_pairs(action: &str, found: Resource, place: &Place<'_>) -> Vec<(String, Resource)> {
    let Some(name) = action.strip_prefix("s3:") else { return vec![(action.to_owned(), found)] };
    let of_service = |service: &str| {
        found.as_str().strip_prefix("arn:").and_then(|rest| rest.strip_prefix(place.partition)).is_some_and(|rest| {
            rest.strip_prefix(':').and_then(|rest| rest.strip_prefix(service)).is_some_and(|rest| rest.starts_with(':'))
        })
    };
    if of_service("s3express") {
        let name = if EXPRESS_BUCKET_ACTIONS.contains(&name) { name } else { "CreateSession" };
        return vec![(format!("s3express:{name}"), found)];
    }
    if of_service("s3-object-lambda") {
        return vec![(format!("s3-object-lambda:{name}"), found), (action.to_owned(), Resource::Unresolved)];
    }
    if of_service("s3-outposts") {
        return vec![(format!("s3-outposts:{name}"), found)];
    }
    vec![(action.to_owned(), found)]
}

/// The bucket-level actions of S3 Express (service authorization reference, "Amazon S3 Express").
const EXPRESS_BUCKET_ACTIONS: [&str; 16] = [
    "CreateBucket",
    "CreateSession",
    "DeleteBucket",
    "DeleteBucketPolicy",
    "GetBucketPolicy",
    "GetEncryptionConfiguration",
    "GetInventoryConfiguration",
    "GetLifecycleConfiguration",
    "GetMetricsConfiguration",
    "PutBucketPolicy",
    "PutEncryptionConfiguration",
    "PutInventoryConfiguration",
    "PutLifecycleConfiguration",
    "PutMetricsConfiguration",
    "ListTagsForResource",
    "TagResource",
];
