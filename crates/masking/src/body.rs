//! Bodies that no model describes: errors, and answers of another shape than expected.

use std::{borrow::Cow, collections::BTreeSet};

use serde_json::Value;

use crate::{Depth, Masker};

/// A body, masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedBody {
    /// What may go on.
    pub text: String,
    /// Whether anything was masked, so that checksums of the body no longer hold.
    pub changed: bool,
}

/// The body is not text, so nothing can be said of what it holds; it must not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not utf-8 text")]
pub struct NotTextError;

impl Masker {
    /// Masks a body of JSON, XML or plain text by pattern. JSON stays JSON with the types it has;
    /// mask tokens hold no character that XML would have to escape.
    ///
    /// # Errors
    /// When the body is not UTF-8: it is not passed on.
    pub fn mask_unmodelled(&self, body: &[u8]) -> Result<MaskedBody, NotTextError> {
        let text = std::str::from_utf8(body).map_err(|_| NotTextError)?;
        let depth = Depth::outermost(false);
        let masked = match serde_json::from_str::<Value>(text) {
            Ok(mut document) => self.scan_json(&mut document, depth).then(|| document.to_string()),
            Err(_) => match self.scan(text, depth) {
                Cow::Borrowed(_) => None,
                Cow::Owned(masked) => Some(masked),
            },
        };
        let changed = masked.is_some();
        Ok(MaskedBody { text: masked.unwrap_or_else(|| text.to_owned()), changed })
    }

    /// Masks one text by every pattern: a message, a header, a line for the record.
    pub fn mask_plain<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.mask_text(text, "", false, &BTreeSet::new()) {
            Some(masked) => Cow::Owned(masked),
            None => Cow::Borrowed(text),
        }
    }
}
