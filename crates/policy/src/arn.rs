//! The parts of an ARN that rules can ask for.

/// An ARN, cut. A part that is not there is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    pub(crate) partition: &'a str,
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    /// What stands before the first `/` or `:` of the resource part; for S3 `bucket` or `object`.
    pub(crate) kind: &'a str,
    /// What stands behind it, or the whole resource part; for S3 the bucket's name.
    pub(crate) name: &'a str,
    /// The resource part as a whole.
    pub(crate) resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Cuts `text`; every part is empty when it does not begin like an ARN.
    pub(crate) fn parse(text: &'a str) -> Self {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default();
        if next() != "arn" {
            return Self::default();
        }
        let (partition, service, region, account, resource) = (next(), next(), next(), next(), next());
        let (kind, name) = if service == "s3" && account.is_empty() && region.is_empty() {
            match resource.split_once('/') {
                Some((bucket, _)) => ("object", bucket),
                None => ("bucket", resource),
            }
        } else {
            resource.split_once(['/', ':']).unwrap_or(("", resource))
        };
        Self { partition, service, region, account, kind, name, resource }
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any text; ASCII letter case does not
/// matter.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = strip_prefix(text, first) else { return false };
    let Some(last) = pattern.contains('*').then(|| parts.next_back()).flatten() else { return rest.is_empty() };
    for part in parts {
        match find(rest, part) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.get(rest.len() - last.len()..).is_some_and(|end| end.eq_ignore_ascii_case(last))
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// What follows the first occurrence of `part` in `text`, letter case aside.
pub(crate) fn find<'a>(text: &'a str, part: &str) -> Option<&'a str> {
    (0..=text.len().checked_sub(part.len())?).find_map(|at| strip_prefix(text.get(at..)?, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts() {
        let cut = |text| {
            let arn = Arn::parse(text);
            (arn.service, arn.account, arn.kind, arn.name)
        };
        for (text, expected) in [
            ("arn:aws:dynamodb:eu-central-1:111122223333:table/a", ("dynamodb", "111122223333", "table", "a")),
            ("arn:aws:dynamodb:eu-central-1:1:table/a/index/b", ("dynamodb", "1", "table", "a/index/b")),
            ("arn:aws:lambda:eu-central-1:1:function:f:live", ("lambda", "1", "function", "f:live")),
            ("arn:aws:sqs:eu-central-1:1:queue", ("sqs", "1", "", "queue")),
            ("arn:aws:s3:::bucket", ("s3", "", "bucket", "bucket")),
            ("arn:aws:s3:::bucket/a:b/c", ("s3", "", "object", "bucket")),
            ("arn:aws:s3:eu-central-1:1:accesspoint/x/object/y", ("s3", "1", "accesspoint", "x/object/y")),
            ("arn:aws:iam::1:role/path/name", ("iam", "1", "role", "path/name")),
            ("bucket", ("", "", "", "")),
            ("arn:aws", ("", "", "", "")),
        ] {
            assert_eq!(cut(text), expected, "{text}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("abc", "ABC", true),
            ("abc", "abcd", false),
            ("a*c", "abbc", true),
            ("a*c", "ac", true),
            ("a*c", "acd", false),
            ("*", "", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("a*a", "a", false),
            ("*x*", "éxé", true),
            ("a**", "ab", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
