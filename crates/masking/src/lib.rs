//! Masking: the net under what the models mark as sensitive.
//!
//! By model first: a member that is marked is replaced as a whole. Then by pattern over every
//! string that is left: keys, tokens, card numbers, addresses; also inside base64, percent-encoded
//! text and JSON within a string. The net is not a boundary: what must not come back is not asked
//! for (policy), and what AWS calls sensitive is masked by name.
//!
//! Masking twice gives what masking once gives, and what is masked keeps its type.

mod armour;
mod body;
mod checks;
mod display;
mod nested;
mod patterns;
mod places;

use std::{borrow::Cow, collections::BTreeSet};

use countersign_domain::{mask::mask_token, settings::Masking};

pub use body::{MaskedBody, NotTextError};
pub use display::{MAX_SHOWN_CHARACTERS, MAX_SHOWN_ITEMS, MAX_SHOWN_VALUES, is_shown_whole};

use crate::patterns::{PASSWORD, PATTERNS, Pattern};

/// The name in the token that stands for a run of base64 with something maskable inside.
const ENCODED: &str = "encoded";
/// The name in the token that stands for a member marked as sensitive.
const SENSITIVE: &str = "sensitive";

/// The settings name a pattern that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a masking pattern; there are {known}")]
pub struct UnknownPatternError {
    /// The name.
    pub name: String,
    /// The names that exist.
    pub known: String,
}

/// Masks strings. Patterns are compiled when a text first needs them.
#[derive(Clone, Debug)]
pub struct Masker {
    on: Vec<&'static Pattern>,
}

impl Masker {
    /// A masker with every pattern that `settings` leaves on.
    ///
    /// # Errors
    /// When the settings name a pattern that does not exist: a misspelt name must not pass for a
    /// decision.
    pub fn new(settings: &Masking) -> Result<Self, UnknownPatternError> {
        if let Some(name) = settings.patterns_off.iter().find(|name| PATTERNS.iter().all(|known| known.name != **name))
        {
            return Err(UnknownPatternError {
                name: name.clone(),
                known: pattern_names().collect::<Vec<_>>().join(", "),
            });
        }
        Ok(Self { on: PATTERNS.iter().filter(|pattern| !settings.patterns_off.contains(pattern.name)).collect() })
    }

    /// What stands in the place of `text`, or `None` when it may stay as it is.
    ///
    /// `path` is the member's path in the answer, as in `SecretString` or `Users[].Name`.
    /// `marked_sensitive` says that the model or the supplement marks it. `reveal` holds the
    /// members that the decision lifts, each by its path or its last name: they lose their mark
    /// and are searched for credentials only. Credentials are never lifted.
    pub fn mask_text(
        &self,
        text: &str,
        path: &str,
        marked_sensitive: bool,
        reveal: &BTreeSet<String>,
    ) -> Option<String> {
        let revealed = is_revealed(path, reveal);
        if marked_sensitive && !revealed {
            let token = mask_token(SENSITIVE);
            return (text != token).then_some(token);
        }
        if !revealed && self.is_named_secret(last_name(path), text) {
            return Some(mask_token(PASSWORD));
        }
        changed(self.scan(text, Depth::outermost(revealed)))
    }

    /// What stands in the place of a blob, or `None` when it may stay. A blob stays a blob: a
    /// marked one becomes the bytes of the mask token; one that is text is masked as text.
    pub fn mask_blob(
        &self,
        blob: &[u8],
        path: &str,
        marked_sensitive: bool,
        reveal: &BTreeSet<String>,
    ) -> Option<Vec<u8>> {
        let masked = match std::str::from_utf8(blob) {
            Ok(text) => self.mask_text(text, path, marked_sensitive, reveal),
            Err(_) => (marked_sensitive && !is_revealed(path, reveal)).then(|| mask_token(SENSITIVE)),
        };
        masked.map(String::into_bytes)
    }

    /// Whether a number, boolean or timestamp must be replaced by the zero of its type (`0`,
    /// `false`, the epoch). No pattern looks into them, so only the mark counts.
    pub fn masks_scalar(&self, path: &str, marked_sensitive: bool, reveal: &BTreeSet<String>) -> bool {
        marked_sensitive && !is_revealed(path, reveal)
    }

    /// Whether anything in `text` would be masked by pattern. A ranged read of such data is
    /// denied: the range could cut a secret so that neither half is recognised.
    pub fn would_mask(&self, text: &str) -> bool {
        changed(self.scan(text, Depth::outermost(false))).is_some()
    }

    /// Whether all that is masked in `text` by pattern are credentials, which nobody guesses.
    fn hides_credentials_only(&self, text: &str) -> bool {
        self.scan(text, Depth::outermost(false)) == self.scan(text, Depth::outermost(true))
    }

    fn patterns(&self, credentials_only: bool) -> impl Iterator<Item = &'static Pattern> + '_ {
        self.on.iter().copied().filter(move |pattern| pattern.is_credential || !credentials_only)
    }
}

/// The names that `masking.patterns_off` may hold.
pub fn pattern_names() -> impl Iterator<Item = &'static str> {
    PATTERNS.iter().map(|pattern| pattern.name)
}

/// Whether `reveal` names the member at `path`, by its whole path or by its last name.
pub fn is_revealed(path: &str, reveal: &BTreeSet<String>) -> bool {
    if reveal.is_empty() {
        return false;
    }
    let last = last_name(path);
    !last.is_empty() && (reveal.contains(path) || reveal.contains(last))
}

/// The name of the member that `path` ends in, without the steps into its items.
fn last_name(path: &str) -> &str {
    let member = path.trim_end_matches(['[', ']', '{', '}']);
    member.rsplit('.').next().unwrap_or(member)
}

/// How much deeper a scan may look, and for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depth {
    layers_left: u8,
    credentials_only: bool,
}

impl Depth {
    /// Text within base64 within JSON within percent-encoding, and one more.
    const LAYERS: u8 = 4;

    fn outermost(credentials_only: bool) -> Self {
        Self { layers_left: Self::LAYERS, credentials_only }
    }

    fn below(self) -> Option<Self> {
        self.layers_left.checked_sub(1).map(|layers_left| Self { layers_left, ..self })
    }
}

fn changed(text: Cow<'_, str>) -> Option<String> {
    match text {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Some(text),
    }
}

#[cfg(test)]
mod tests;
