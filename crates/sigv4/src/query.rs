//! The canonical query.

use std::borrow::Cow;

use crate::{SignatureError, percent};

/// The parameter that holds the signature, never part of what is signed.
pub(crate) const SIGNATURE: &str = "X-Amz-Signature";
/// The parameter that holds the session token.
pub(crate) const SECURITY_TOKEN: &str = "X-Amz-Security-Token";

/// A query, read once: names and values in their canonical spelling, sorted.
#[derive(Debug)]
pub(crate) struct CanonicalQuery<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> CanonicalQuery<'a> {
    /// Reads a raw query. Empty members (`a&&b`) have no meaning and are dropped; a name without `=`
    /// has an empty value.
    ///
    /// # Errors
    /// When an escape is broken, or a character is there that HTTP does not allow.
    pub(crate) fn parse(raw: &'a str) -> Result<Self, SignatureError> {
        if raw.bytes().any(|byte| byte < 0x20 || matches!(byte, 0x7f | b'#')) {
            return Err(SignatureError::MalformedQuery);
        }
        let mut members = members(raw)
            .map(|(name, value)| Ok((percent::normalise_query(name)?, percent::normalise_query(value)?)))
            .collect::<Result<Vec<_>, percent::BrokenEscape>>()
            .map_err(|_| SignatureError::MalformedQuery)?;
        members.sort_unstable();
        Ok(Self(members))
    }

    /// Whether there is a member of this name, which must be one that needs no escapes.
    pub(crate) fn has(&self, wanted: &str) -> bool {
        self.0.iter().any(|(name, _)| name == wanted)
    }

    /// Writes the canonical query without the members that `skip` names.
    pub(crate) fn write(&self, out: &mut String, skip: &[&str]) {
        let mut separator = "";
        for (name, value) in self.0.iter().filter(|(name, _)| !skip.contains(&name.as_ref())) {
            out.push_str(separator);
            out.push_str(name);
            out.push('=');
            out.push_str(value);
            separator = "&";
        }
    }
}

/// The names of what a presigned request has in its query.
const PRESIGNED: [&str; 8] = [
    "X-Amz-Algorithm",
    "X-Amz-Content-Sha256",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    SECURITY_TOKEN,
    SIGNATURE,
    "X-Amz-SignedHeaders",
];

/// The query of a presigned request, as it came, without the members that are about its signature: what is left is the
/// call's. Names are matched as the verifier reads them, letter case and all; one that it does not read stays.
pub fn without_signature(raw: &str) -> String {
    let is_kept = |member: &&str| {
        let name = member.split_once('=').map_or(*member, |(name, _)| name);
        percent::normalise_query(name).map_or(true, |name| !PRESIGNED.contains(&name.as_ref()))
    };
    raw.split('&').filter(is_kept).collect::<Vec<_>>().join("&")
}

/// The raw names and values.
pub(crate) fn members(raw: &str) -> impl Iterator<Item = (&str, &str)> {
    raw.split('&').filter(|member| !member.is_empty()).map(|member| member.split_once('=').unwrap_or((member, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(raw: &str, skip: &[&str]) -> Result<String, SignatureError> {
        let mut out = String::new();
        CanonicalQuery::parse(raw)?.write(&mut out, skip);
        Ok(out)
    }

    #[test]
    fn sorts_and_encodes() {
        for (raw, expected) in [
            ("", ""),
            ("a", "a="),
            ("a=", "a="),
            ("=a", "=a"),
            ("a==b", "a=%3Db"),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1&a", "a=&a=1&a=2"),
            ("a=1&&b=2&", "a=1&b=2"),
            ("A=1&a=1&_=1&-=1", "-=1&A=1&_=1&a=1"),
            ("a=%7e+%2b/", "a=~%20%2B%2F"),
            ("\u{1234}=x", "%E1%88%B4=x"),
            // sorted as encoded: a percent sign comes before any letter
            ("a=z&a=%C3", "a=%C3&a=z"),
            ("a-=1&a=2", "a=2&a-=1"),
        ] {
            assert_eq!(canonical(raw, &[]).unwrap(), expected, "{raw}");
        }
    }

    #[test]
    fn skips_whole_names_only() {
        let raw = "X-Amz-Signature=1&x-amz-signature=2&X-Amz-Signature2=3&X%2DAmz%2DSignature=4";
        assert_eq!(canonical(raw, &[SIGNATURE]).unwrap(), "X-Amz-Signature2=3&x-amz-signature=2");
    }

    #[test]
    fn what_is_about_the_signature_is_taken_off_and_nothing_else() {
        for (raw, left) in [
            ("", ""),
            ("a=1&X-Amz-Signature=s&b", "a=1&b"),
            ("X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&x-id=GetObject", "x-id=GetObject"),
            ("X%2DAmz%2DDate=d&a=%20", "a=%20"),
            (
                "x-amz-date=d&X-Amz-Acl=public-read&X-Amz-Signature2=s",
                "x-amz-date=d&X-Amz-Acl=public-read&X-Amz-Signature2=s",
            ),
            ("a=X-Amz-Date&%zz", "a=X-Amz-Date&%zz"),
        ] {
            assert_eq!(without_signature(raw), left, "{raw}");
        }
    }

    #[test]
    fn malformed_queries_are_refused() {
        for raw in ["%", "a=%4", "a#b", "a\nb", "a=\u{7f}"] {
            assert_eq!(canonical(raw, &[]), Err(SignatureError::MalformedQuery), "{raw}");
        }
    }
}
