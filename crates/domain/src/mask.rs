//! How masked text looks, so that a request which sends it back can be told.

/// How every mask token starts; it goes on with `:name›`, the name of what masked it.
///
/// A request that contains it is denied: an infrastructure tool that read a masked secret would
/// otherwise write the mask over the secret.
pub const MASK_PREFIX: &str = "‹masked";

/// The token that stands where `name` (a pattern, or `sensitive` for a member that the model
/// marks) masked something.
pub fn mask_token(name: &str) -> String {
    format!("{MASK_PREFIX}:{name}›")
}

/// Whether `text` contains a mask token, or what begins like one.
pub fn contains_mask(text: &str) -> bool {
    text.contains(MASK_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_recognised_wherever_it_stands() {
        assert!(contains_mask(&format!("a{}b", mask_token("jwt"))));
        assert!(!contains_mask("masked: no"));
    }
}
