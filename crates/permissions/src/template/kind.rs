//! Kinds of template variables: which texts are a resource's own name.

use crate::arn;

/// Which values of a variable are canonical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One segment of visible ASCII without `/`, `:`, `\` and quotes. The default.
    Segment,
    /// A segment without capitals, for services that fold letter case.
    Lower,
    /// Segments joined by single `/`; no `.` or `..` segment.
    Path,
    /// Any text that an ARN can hold literally and that has no empty, `.` or `..` segment.
    Any,
    /// A generated id: small letters, digits, `-` and `_` only.
    Id,
    /// A lower-case UUID, or a KMS multi-Region key id.
    Uuid,
    /// An account id.
    Account,
    /// A region.
    Region,
    /// A path that may start with `/`, as log groups and parameters do.
    Slashed,
    /// `family:revision` with a number.
    Revision,
    /// An IAM path: `/`, or segments between slashes with one at each end.
    IamPath,
    /// `alias/` and a path.
    Alias,
    /// Only a whole ARN is canonical; a name alone does not tell the ARN.
    Arn,
    /// The same where this part of the ARN is a [`Kind::Path`], as in the ARNs of roles.
    ArnPath,
}

impl Kind {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "" => Kind::Segment,
            "lower" => Kind::Lower,
            "path" => Kind::Path,
            "any" => Kind::Any,
            "id" => Kind::Id,
            "uuid" => Kind::Uuid,
            "account" => Kind::Account,
            "region" => Kind::Region,
            "slashed" => Kind::Slashed,
            "revision" => Kind::Revision,
            "iam-path" => Kind::IamPath,
            "alias" => Kind::Alias,
            "arn" => Kind::Arn,
            "arn-path" => Kind::ArnPath,
            _ => return None,
        })
    }

    /// Whether `text` is canonical as a plain value.
    pub(super) fn takes(self, text: &str) -> bool {
        !matches!(self, Kind::Arn | Kind::ArnPath) && self.fits(text)
    }

    /// Whether `text` can stand at this place of an ARN.
    pub(super) fn fits(self, text: &str) -> bool {
        match self {
            Kind::Segment | Kind::Arn => is_segment(text),
            Kind::Lower => is_segment(text) && !text.bytes().any(|byte| byte.is_ascii_uppercase()),
            Kind::Path | Kind::ArnPath => text.split('/').all(is_segment),
            Kind::Slashed => text.strip_prefix('/').unwrap_or(text).split('/').all(is_segment),
            Kind::Revision => text.split_once(':').is_some_and(|(family, revision)| {
                is_segment(family) && !revision.is_empty() && revision.bytes().all(|byte| byte.is_ascii_digit())
            }),
            Kind::IamPath => {
                let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
                text == "/" || inner.is_some_and(|inner| inner.split('/').all(is_segment))
            }
            Kind::Alias => text.strip_prefix("alias/").is_some_and(|rest| rest.split('/').all(is_segment)),
            Kind::Any => is_any(text),
            Kind::Id => is_segment(text) && text.bytes().all(is_id_byte),
            Kind::Uuid => is_uuid(text.strip_prefix("mrk-").unwrap_or(text)),
            Kind::Account => arn::is_account(text),
            Kind::Region => arn::is_region(text),
        }
    }
}

fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
}

fn is_segment(text: &str) -> bool {
    !text.is_empty()
        && text != "."
        && text != ".."
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"/:\\*?\"'`<>{}$%".contains(&byte))
}

fn is_any(text: &str) -> bool {
    !text.is_empty() && arn::is_literal(text) && text.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

/// A UUID in small letters, with or without hyphens (multi-Region keys have none).
fn is_uuid(text: &str) -> bool {
    let hyphens = [8, 13, 18, 23];
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    match text.len() {
        32 => text.bytes().all(is_hex),
        36 => {
            text.bytes().enumerate().all(|(at, byte)| if hyphens.contains(&at) { byte == b'-' } else { is_hex(byte) })
        }
        _ => false,
    }
}
