//! Random ids and secrets.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};

/// Random bytes from the operating system.
///
/// # Panics
/// Never: if the operating system has no randomness, the process aborts, since nothing that it
/// would hand out could be told from another's.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut random = [0; N];
    if SystemRandom::new().fill(&mut random).is_err() {
        std::process::abort();
    }
    random
}

/// A version 4 UUID.
pub fn uuid() -> String {
    let number = u128::from_be_bytes(bytes());
    let versioned = (number & !(0xf << 76) & !(0b11 << 62)) | (0x4 << 76) | (0b10 << 62);
    let digits = format!("{versioned:032x}");
    [digits.get(..8), digits.get(8..12), digits.get(12..16), digits.get(16..20), digits.get(20..)]
        .map(Option::unwrap_or_default)
        .join("-")
}

/// An X-Ray trace header, not sampled.
pub fn trace_id() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    format!("Root=1-{seconds:08x}-{};Sampled=0", hex::encode(bytes::<12>()))
}

/// 256 bits of text without padding that fits in URLs and headers.
pub fn secret() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<32>())
}

/// `length` characters of AWS's alphabet for unique ids, A to Z and 2 to 7.
pub fn aws_id(prefix: &str, length: usize) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut id = prefix.to_owned();
    id.extend(
        bytes::<32>()
            .iter()
            .take(length)
            .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)))
            .map(|letter| char::from(*letter)),
    );
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_shapes() {
        let id = uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        assert_eq!(aws_id("ASIA", 16).len(), 20);
        assert_ne!(secret(), secret());
    }
}
