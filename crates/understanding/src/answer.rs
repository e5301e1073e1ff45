//! AWS's answer as the agent may have it: masked by the model, and by pattern over the texts left.

use std::collections::BTreeSet;

use bytes::Bytes;
use countersign_catalogue::{
    Catalogue,
    model::{MemberTraits, OperationTraits},
    response::{Answered, Leaf, LeafContent, MaskError},
};
use countersign_domain::{Call, mask::mask_token};
use countersign_masking::{Masker, is_revealed};

/// The status of a part of an object (RFC 9110, 15.3.7).
const PARTIAL_CONTENT: u16 = 206;

/// An answer, masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedAnswer {
    /// The headers, names in lower case; without those that vouched for a body that was changed.
    /// Which of them go on is for the door to say.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// How many values were masked.
    pub count: u32,
}

/// Why an answer is not given on. The call was executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WithheldAnswer {
    /// It cannot be read along the model, so nothing can be said of what it holds.
    #[error(transparent)]
    Unreadable(#[from] MaskError),
    /// A part of a text: a secret that begins or ends outside of it would not be recognised.
    #[error("a part of a text is not passed on, since a secret that it cuts would not be recognised; read the whole")]
    PartOfText,
    /// The streamed body as a whole is marked as sensitive.
    #[error("the body of this answer is marked as sensitive")]
    SensitiveStream,
}

/// Masks AWS's answer to `call`; `reveal` names the members that policy leaves readable.
///
/// # Errors
/// [`WithheldAnswer`]: no part of the answer may be given on.
pub fn mask_answer(
    call: &Call,
    status: u16,
    mut headers: Vec<(String, String)>,
    body: &Bytes,
    masker: &Masker,
    reveal: &BTreeSet<String>,
) -> Result<MaskedAnswer, WithheldAnswer> {
    let mut count = 0_u32;
    let mut mask = |leaf: &Leaf<'_>| {
        let replaced = replacement(leaf, masker, reveal);
        count = count.saturating_add(u32::from(replaced.is_some()));
        replaced
    };
    let answered = Answered { service: &call.service, operation: &call.operation, protocol: call.protocol };
    let body = Catalogue::embedded().mask_response(&answered, status, &mut headers, body, &mut mask)?;
    let Some(stream) = Stream::of(call).filter(|_| (200..300).contains(&status)) else {
        return Ok(MaskedAnswer { headers, body, count });
    };
    match stream.masked(status, &body, masker, reveal)? {
        None => Ok(MaskedAnswer { headers, body, count }),
        Some(masked) => {
            headers.retain(|(name, _)| !vouches_for_body(name));
            Ok(MaskedAnswer { headers, body: masked, count: count.saturating_add(1) })
        }
    }
}

fn replacement(leaf: &Leaf<'_>, masker: &Masker, reveal: &BTreeSet<String>) -> Option<String> {
    match leaf.content {
        LeafContent::Text(text) => masker.mask_text(text, leaf.path, leaf.sensitive, reveal),
        LeafContent::Blob(bytes) => masker
            .mask_blob(bytes, leaf.path, leaf.sensitive, reveal)
            // What a mask leaves is text. Were it not, the whole blob gives way.
            .map(|masked| String::from_utf8(masked).unwrap_or_else(|_| mask_token("sensitive"))),
        LeafContent::Plain => masker.masks_scalar(leaf.path, leaf.sensitive, reveal).then(|| mask_token("sensitive")),
    }
}

/// The member of an answer that is a stream of bytes, as the body of S3's GetObject.
struct Stream {
    member: &'static str,
    sensitive: bool,
}

impl Stream {
    fn of(call: &Call) -> Option<Self> {
        let (service, operation) = Catalogue::embedded().operation(&call.service, &call.operation)?;
        if !operation.traits.has(OperationTraits::STREAM_OUTPUT) {
            return None;
        }
        let output = match service.model().shapes.get(operation.output?)? {
            countersign_catalogue::model::Shape::Structure(structure) => structure,
            _ => return None,
        };
        let payload = output.members.get(output.payload?)?;
        Some(Self { member: payload.name, sensitive: payload.traits.has(MemberTraits::SENSITIVE) })
    }

    /// The stream with its texts masked, or nothing where it may stay. Bytes that are no text pass:
    /// no pattern is about them.
    fn masked(
        &self,
        status: u16,
        body: &Bytes,
        masker: &Masker,
        reveal: &BTreeSet<String>,
    ) -> Result<Option<Bytes>, WithheldAnswer> {
        let revealed = is_revealed(self.member, reveal);
        if self.sensitive && !revealed {
            return Err(WithheldAnswer::SensitiveStream);
        }
        if status == PARTIAL_CONTENT && is_part_of_text(body) && !revealed {
            return Err(WithheldAnswer::PartOfText);
        }
        let Ok(text) = std::str::from_utf8(body) else { return Ok(None) };
        if revealed {
            // Lifted, but for credentials, which are never lifted.
            return Ok(masker.mask_text(text, self.member, false, reveal).map(Bytes::from));
        }
        match masker.mask_unmodelled(body) {
            Ok(masked) if masked.changed => Ok(Some(Bytes::from(masked.text))),
            _ => Ok(None),
        }
    }
}

/// Whether bytes are text, as far as can be said where the first and the last character may be cut.
fn is_part_of_text(bytes: &[u8]) -> bool {
    let cut = bytes.iter().take(3).take_while(|byte| **byte & 0b1100_0000 == 0b1000_0000).count();
    let whole = bytes.get(cut..).unwrap_or_default();
    !whole.is_empty() && std::str::from_utf8(whole).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// Whether a header states something about the bytes of the body that was.
fn vouches_for_body(name: &str) -> bool {
    matches!(name, "content-length" | "content-md5" | "digest" | "etag" | "x-amz-crc32")
        || name.starts_with("x-amz-checksum-")
}

#[cfg(test)]
mod tests;
