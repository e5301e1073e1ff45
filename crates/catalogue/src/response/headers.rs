//! The headers of an answer that carry members.

use super::{Leaf, LeafContent, Mask, MaskError};
use crate::headers::declares;
use crate::model::{Location, MemberTraits, ServiceModel, Shape, Structure};

/// Offers every header that carries a member to the mask.
pub(super) fn mask(
    service: &ServiceModel,
    structure: &Structure,
    headers: &mut [(String, String)],
    mask: &mut Mask<'_>,
) -> Result<(), MaskError> {
    for (name, value) in headers {
        // A family of headers with an empty prefix takes what no other member does.
        let Some(member) = structure
            .members
            .iter()
            .find(|member| member.location == Location::Header && declares(member, name))
            .or_else(|| structure.members.iter().find(|member| declares(member, name)))
        else {
            continue;
        };
        let sensitive = member.traits.has(MemberTraits::SENSITIVE);
        let path =
            if member.location == Location::Headers { format!("{}{{}}", member.name) } else { member.name.to_owned() };
        let replacement = mask(&Leaf { path: &path, content: LeafContent::Text(value), sensitive });
        if let Some(replacement) = replacement {
            *value = match service.shape(member.shape)? {
                Shape::Boolean => "false".to_owned(),
                Shape::Integer | Shape::Long | Shape::Float | Shape::Double => "0".to_owned(),
                Shape::Timestamp => "Thu, 01 Jan 1970 00:00:00 GMT".to_owned(),
                _ => ascii(&replacement),
            };
        }
    }
    Ok(())
}

/// Header values go over the wire in ASCII.
fn ascii(text: &str) -> String {
    text.chars().map(|character| if (' '..='~').contains(&character) { character } else { '*' }).collect()
}

/// Drops the headers that vouch for the body as it was, and states its new length.
pub(super) fn fit_to(headers: &mut Vec<(String, String)>, length: usize) {
    headers.retain(|(name, _)| {
        !matches!(name.as_str(), "x-amz-crc32" | "content-md5" | "digest") && !name.starts_with("x-amz-checksum-")
    });
    for (name, value) in headers {
        if name == "content-length" {
            *value = length.to_string();
        }
    }
}
