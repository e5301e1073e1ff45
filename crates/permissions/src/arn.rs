//! ARNs taken apart (AWS General Reference, "Amazon Resource Names").

/// The five parts of an ARN after `arn:`; the resource part is everything after the fifth colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    pub(crate) partition: &'a str,
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    pub(crate) resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes `text` apart. `None` if it has too few parts or an empty resource.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
        let (partition, service) = (parts.next()?, parts.next()?);
        let (region, account) = (parts.next()?, parts.next()?);
        let resource = parts.next().filter(|resource| !resource.is_empty())?;
        Some(Self { partition, service, region, account, resource })
    }
}

/// Whether `text` is meant as an ARN, in whatever letter case. What is meant as one but does not
/// fit is never taken for a plain name.
pub(crate) fn is_meant_as_arn(text: &str) -> bool {
    text.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("arn:"))
}

/// Whether an account part names an account: twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a region part has the form of a region: small letters, digits and hyphens.
pub(crate) fn is_region(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The longest ARN that IAM takes, in bytes.
pub(crate) const LONGEST: usize = 2048;

/// Whether `text` can be an exact ARN: no wildcard of IAM policies (`*`, `?`), no policy variable
/// (`${`), no control character, and no more than [`LONGEST`].
pub(crate) fn is_literal(text: &str) -> bool {
    text.len() <= LONGEST
        && !text.contains(['*', '?'])
        && !text.contains("${")
        && !text.chars().any(|char| char.is_control() || is_invisible(char))
}

/// Zero-width and bidirectional characters: two texts that differ only in them look alike.
fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_taken_apart() {
        let arn = Arn::parse("arn:aws:sns:eu-west-1:111122223333:a:b").unwrap();
        assert_eq!((arn.partition, arn.service, arn.resource), ("aws", "sns", "a:b"));
        for bad in ["", "arn:aws:sns", "arn:aws:sns:r:a:", "ARN:aws:sns:r:a:x", "aws:sns:r:a:x"] {
            assert_eq!(Arn::parse(bad), None, "{bad}");
        }
        assert!(is_meant_as_arn("ARN:x") && !is_meant_as_arn("barn:x"));
    }

    #[test]
    fn wildcards_and_lookalikes_are_not_literal() {
        for bad in ["a*", "a?", "${aws:username}", "a\n", "a\u{202e}b", "a\u{200b}"] {
            assert!(!is_literal(bad), "{bad:?}");
        }
        assert!(is_literal("arn:aws:s3:::b/ä$ {x}"));
    }
}
