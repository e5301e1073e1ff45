//! Whether a policy allows something: as much of IAM as the policies here use.
//!
//! Source: IAM User Guide, "Policy evaluation logic" and "IAM JSON policy elements: Resource".

use super::document::{Document, Statement};

/// Whether the documents together allow `action` on `resource` (`*` for a call that names none).
pub fn allows(documents: &[Document], action: &str, resource: &str) -> bool {
    let matching = |statement: &&Statement| {
        statement.actions.iter().any(|pattern| fits(pattern, action))
            && statement
                .resources
                .iter()
                .any(|pattern| pattern == "*" || (resource != "*" && fits_arn(pattern, resource)))
    };
    let mut allowed = false;
    for statement in documents.iter().flat_map(|document| &document.statements).filter(matching) {
        if !statement.allow {
            return false;
        }
        allowed = true;
    }
    allowed
}

/// Actions match without regard to letter case; `*` stands for any text.
pub(super) fn fits(pattern: &str, action: &str) -> bool {
    match_from(pattern.to_ascii_lowercase().as_bytes(), action.to_ascii_lowercase().as_bytes())
}

fn fits_arn(pattern: &str, arn: &str) -> bool {
    // Escaped characters stand for themselves.
    let literal = pattern.replace("${*}", "\u{1}").replace("${?}", "\u{2}").replace("${$}", "$");
    let arn = arn.replace('*', "\u{1}").replace('?', "\u{2}");
    match_from(literal.as_bytes(), arn.as_bytes())
}

fn match_from(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut in_text) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_text));
                at += 1;
            }
            Some(b'?') => (at, in_text) = (at + 1, in_text + 1),
            Some(byte) if text.get(in_text) == Some(byte) => (at, in_text) = (at + 1, in_text + 1),
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (at, in_text) = (after + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_in_iam() {
        for (pattern, text, expected) in [
            ("s3:*", "s3:GetObject", true),
            ("s3:get*", "s3:GetObject", true),
            ("s3:Get*", "s3:PutObject", false),
            ("s3:GetObject", "s3:GetObjectAcl", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
        for (pattern, arn, expected) in [
            ("arn:*:s3:::agent-*", "arn:aws:s3:::agent-x/y", true),
            ("arn:*:s3:*:????????????:*/agent-*", "arn:aws:s3:::other/agent-x", false),
            ("arn:aws:s3:::b/a${*}", "arn:aws:s3:::b/a*", true),
            ("arn:aws:s3:::b/a${*}", "arn:aws:s3:::b/ab", false),
        ] {
            assert_eq!(fits_arn(pattern, arn), expected, "{pattern} {arn}");
        }
    }
}
