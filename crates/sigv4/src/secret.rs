//! Keys: the secret, the signing key derived from it, and what it signs.

use std::fmt;

use hmac::{Hmac, Mac, digest::KeyInit};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::{SignatureError, scope::Scope};

/// A secret access key. Wiped when dropped, never shown.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<String>);

impl SecretKey {
    /// Takes the secret over.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// The key for one day, region and service.
    pub(crate) fn signing_key(&self, scope: &Scope) -> SigningKey {
        let mut seed = Zeroizing::new(Vec::with_capacity(self.0.len() + 4));
        seed.extend_from_slice(b"AWS4");
        seed.extend_from_slice(self.0.as_bytes());
        let mut key = SigningKey::from_key(&seed);
        for part in [&scope.date, &scope.region, &scope.service, "aws4_request"] {
            let mut tag = key.sign(&[part.as_bytes()]);
            key = SigningKey::from_key(&tag.0);
            tag.0.zeroize();
        }
        key
    }
}

impl From<Zeroizing<String>> for SecretKey {
    fn from(secret: Zeroizing<String>) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SecretKey(..)")
    }
}

/// A key with its first blocks already hashed, so that each chunk of a body costs less. What is kept is the hash state,
/// from which the key cannot be had back; it is good for one day, region and service.
#[derive(Clone)]
pub(crate) struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    fn from_key(key: &[u8]) -> Self {
        // HMAC pads a key to one block and hashes a longer one first (RFC 2104 §2); done here, because
        // a whole block is the one form of key that cannot be refused
        let mut block = Zeroizing::new([0_u8; 64]);
        if key.len() > block.len() {
            let hash = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(key)));
            block.iter_mut().zip(hash.iter()).for_each(|(to, from)| *to = *from);
        } else {
            block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        }
        Self(<Hmac<Sha256> as KeyInit>::new((&*block).into()))
    }

    /// Signs the concatenation of the parts.
    pub(crate) fn sign(&self, parts: &[&[u8]]) -> Signature {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        Signature(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SigningKey(..)")
    }
}

/// A signature. Not comparable with `==`, so that no comparison leaks where two differ.
#[derive(Clone)]
pub(crate) struct Signature([u8; 32]);

impl Signature {
    /// Reads 64 lower-case hex digits.
    pub(crate) fn parse(text: &str) -> Result<Self, SignatureError> {
        lower_hex_32(text).map(Self).ok_or(SignatureError::MalformedSignature)
    }

    /// As 64 lower-case hex digits.
    pub(crate) fn hex(&self) -> HexDigits {
        hex_digits(&self.0)
    }

    /// Whether both are the same, in constant time.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        bool::from(self.0.ct_eq(&other.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Signature(..)")
    }
}

/// 64 lower-case hex digits.
pub(crate) type HexDigits = [u8; 64];

/// 32 bytes as hex digits, without allocation.
pub(crate) fn hex_digits(bytes: &[u8; 32]) -> HexDigits {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) };
    let mut text = [0; 64];
    for ([high, low], byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *high = digit(byte >> 4);
        *low = digit(byte & 15);
    }
    text
}

/// Reads 64 lower-case hex digits: the one spelling that every signer uses.
pub(crate) fn lower_hex_32(text: &str) -> Option<[u8; 32]> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope { date: "20150830".into(), region: "us-east-1".into(), service: "iam".into() }
    }

    /// The example of "Create a signed AWS API request" in the IAM user guide.
    #[test]
    fn derives_the_documented_signature() {
        let key = SecretKey::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY").signing_key(&scope());
        let to_sign = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n\
                       f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
        let signature = key.sign(&[to_sign.as_bytes()]);
        let expected = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert_eq!(signature.hex().as_slice(), expected.as_bytes());
        assert!(signature.matches(&Signature::parse(expected).unwrap()));
    }

    #[test]
    fn keys_longer_than_a_block_are_hashed_first() {
        for length in [0, 1, 59, 60, 61, 64, 65, 200] {
            let key = vec![b'k'; length];
            let mut reference = <Hmac<Sha256> as Mac>::new_from_slice(&key).unwrap();
            reference.update(b"message");
            let expected: [u8; 32] = reference.finalize().into_bytes().into();
            assert_eq!(SigningKey::from_key(&key).sign(&[b"mess", b"age"]).0, expected, "{length}");
        }
    }

    #[test]
    fn signatures_have_one_spelling() {
        let text = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert!(Signature::parse(text).is_ok());
        for wrong in ["", "5d", &text.to_uppercase(), &text.replace('5', "g"), &format!("{text}00")] {
            assert_eq!(Signature::parse(wrong).unwrap_err(), SignatureError::MalformedSignature);
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let secret = SecretKey::new("hunter2");
        assert_eq!(format!("{secret:?} {:?}", secret.signing_key(&scope())), "SecretKey(..) SigningKey(..)");
    }
}
