//! Sealing: authenticated encryption and keyed hashes under one master key, apart by purpose.
//!
//! Every purpose has its own key, derived from the master with HKDF-SHA256 (RFC 5869), so that
//! what was sealed for one purpose opens for no other. Sealed text is
//! `<key id>.<base64url of nonce and ciphertext>`: the key id allows rotation, and no character of
//! it needs escaping in a header, a cookie or a URL.
//!
//! The cipher is ChaCha20-Poly1305 with random 96-bit nonces, which is safe for 2³² seals per key;
//! at a hundred sessions a second that is over a year. Rotate yearly.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Prk, Salt},
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use zeroize::Zeroizing;

/// The fewest and the most bytes of a master key.
const MASTER_BYTES: std::ops::RangeInclusive<usize> = 32..=64;
/// The most characters of a key id.
const MAX_KEY_ID: usize = 8;

/// Why sealing or opening failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A key id is not 1 to 8 characters of A-Z a-z 0-9.
    #[error("a sealing key's id must be 1 to 8 characters of A-Z a-z 0-9")]
    KeyId,
    /// Two keys share an id.
    #[error("two sealing keys share an id")]
    DuplicateKeyId,
    /// A master key is too short or too long.
    #[error("a sealing key must have 32 to 64 bytes")]
    KeyLength,
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Randomness,
    /// Sealed under a key that is not here (any more), for another purpose, with other associated
    /// data, or changed. These are one error, so that nothing can be learned by trying.
    #[error("what was sealed cannot be opened")]
    Open,
}

/// A master key and its id.
pub struct SealingKey {
    id: String,
    prk: Prk,
}

impl SealingKey {
    /// The key `master` (32 to 64 random bytes) under `id` (1 to 8 characters of A-Z a-z 0-9).
    ///
    /// # Errors
    /// When one of them is out of bounds.
    pub fn new(id: &str, master: &Zeroizing<Vec<u8>>) -> Result<Self, SealError> {
        if id.is_empty() || id.len() > MAX_KEY_ID || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(SealError::KeyId);
        }
        if !MASTER_BYTES.contains(&master.len()) {
            return Err(SealError::KeyLength);
        }
        Ok(Self { id: id.to_owned(), prk: Salt::new(HKDF_SHA256, b"countersign/sealing/v1").extract(master) })
    }

    fn aead(&self, purpose: Purpose) -> Result<LessSafeKey, SealError> {
        let info = [purpose.as_bytes()];
        let okm = self.prk.expand(&info, &CHACHA20_POLY1305).map_err(|_| SealError::KeyLength)?;
        Ok(LessSafeKey::new(UnboundKey::from(okm)))
    }

    /// The HMAC-SHA256 of `message` under the key of `purpose`.
    pub(crate) fn tag(&self, purpose: Purpose, message: &[u8]) -> Result<Tag, SealError> {
        let info = [purpose.as_bytes()];
        let mut key = Zeroizing::new([0; 32]);
        let okm = self.prk.expand(&info, HmacKeyLength).map_err(|_| SealError::KeyLength)?;
        okm.fill(key.as_mut_slice()).map_err(|_| SealError::KeyLength)?;
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()), message);
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        Ok(bytes)
    }
}

/// Shows the id only.
impl fmt::Debug for SealingKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SealingKey").field("id", &self.id).finish_non_exhaustive()
    }
}

struct HmacKeyLength;

impl KeyType for HmacKeyLength {
    fn len(&self) -> usize {
        32
    }
}

/// 32 bytes that only the holder of the key can compute.
pub(crate) type Tag = Zeroizing<[u8; 32]>;

/// What a key is derived for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Purpose(&'static str);

impl Purpose {
    pub(crate) const SESSION_TOKEN: Purpose = Purpose("session-token");
    pub(crate) const SESSION_ID: Purpose = Purpose("session-id");
    pub(crate) const ACCESS_KEY_ID: Purpose = Purpose("access-key-id");
    pub(crate) const SECRET_ACCESS_KEY: Purpose = Purpose("secret-access-key");
    pub(crate) const LOGIN_STATE: Purpose = Purpose("login-state");
    pub(crate) const PERSON_SESSION: Purpose = Purpose("person-session");
    pub(crate) const FORM_TOKEN: Purpose = Purpose("form-token");

    fn as_bytes(self) -> &'static [u8] {
        self.0.as_bytes()
    }
}

/// A ring of keys: the newest seals, all of them open.
#[derive(Debug)]
pub struct Sealer {
    newest: SealingKey,
    older: Vec<SealingKey>,
    random: SystemRandom,
}

impl Sealer {
    /// A ring of one key.
    pub fn new(key: SealingKey) -> Self {
        Self { newest: key, older: Vec::new(), random: SystemRandom::new() }
    }

    /// A ring after rotation.
    ///
    /// # Errors
    /// When two keys share an id.
    pub fn with_older(newest: SealingKey, older: Vec<SealingKey>) -> Result<Self, SealError> {
        let mut ids: Vec<&str> = older.iter().map(|key| key.id.as_str()).chain([newest.id.as_str()]).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| matches!(pair, [one, two] if one == two)) {
            return Err(SealError::DuplicateKeyId);
        }
        Ok(Self { newest, older, random: SystemRandom::new() })
    }

    pub(crate) fn newest(&self) -> &SealingKey {
        &self.newest
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &SealingKey> {
        [&self.newest].into_iter().chain(&self.older)
    }

    /// The key that sealed `sealed`, by the id in front of it.
    pub(crate) fn key_of(&self, sealed: &str) -> Option<&SealingKey> {
        let (id, _) = sealed.split_once('.')?;
        self.keys().find(|key| key.id == id)
    }

    /// Fills `N` bytes with randomness.
    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N], SealError> {
        random(&self.random)
    }

    /// Seals `plain`, bound to the key id, `purpose` and `associated`.
    pub(crate) fn seal(&self, purpose: Purpose, associated: &[u8], plain: &[u8]) -> Result<String, SealError> {
        let nonce: [u8; NONCE_LEN] = self.random()?;
        let mut sealed = Zeroizing::new(plain.to_vec());
        let tag = self
            .newest
            .aead(purpose)?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated_data(&self.newest.id, associated)),
                &mut sealed,
            )
            .map_err(|_| SealError::Open)?;
        let bytes = [nonce.as_slice(), sealed.as_slice(), tag.as_ref()].concat();
        Ok(format!("{}.{}", self.newest.id, URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Opens what [`Sealer::seal`] made with any key of the ring.
    pub(crate) fn open(
        &self,
        purpose: Purpose,
        associated: &[u8],
        unverified_sealed: &str,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let key = self.key_of(unverified_sealed).ok_or(SealError::Open)?;
        let (id, text) = unverified_sealed.split_once('.').ok_or(SealError::Open)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| SealError::Open)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or(SealError::Open)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Open)?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let length = key
            .aead(purpose)?
            .open_in_place(nonce, Aad::from(associated_data(id, associated)), &mut sealed)
            .map_err(|_| SealError::Open)?
            .len();
        sealed.truncate(length);
        Ok(sealed)
    }
}

/// Ids have no NUL, so the two parts cannot be shifted against each other.
fn associated_data(key_id: &str, associated: &[u8]) -> Vec<u8> {
    [key_id.as_bytes(), b"\0", associated].concat()
}

/// `N` random bytes of the system.
pub(crate) fn random<const N: usize>(source: &SystemRandom) -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    source.fill(&mut bytes).map_err(|_| SealError::Randomness)?;
    Ok(bytes)
}
