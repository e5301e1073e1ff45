//! Frozen calls at rest: sealed under a data key of KMS, so that the gateway, which may only make
//! data keys, cannot read back what it stored.

use aws_sdk_kms::{primitives::Blob, types::DataKeySpec};
use bytes::Bytes;
use countersign_domain::{Digest, FrozenCall, OpenedCall, RequestId, encoding::DecodeError};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use zeroize::Zeroizing;

use crate::{
    Aws, ServiceError,
    authority::{SealedBody, SealedFrozen},
    objects::Objects,
};

/// Larger ones go to the bucket: an item has at most 400 KB.
const INLINE_LIMIT: usize = 300 * 1024;
/// No frozen call is larger: an event of API Gateway has at most 10 MB.
const STORED_LIMIT: usize = 12 * 1024 * 1024;
/// The encryption context names the request, so a data key opens no other one's call.
const CONTEXT_KEY: &str = "request";
const FORMAT: u8 = 1;

/// Why a frozen call could not be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrozenError {
    /// KMS or S3 failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The system gave no random bytes.
    #[error("no random bytes")]
    Random,
    /// The data key is not one of 256 bits.
    #[error("the data key is not one of 256 bits")]
    DataKey,
    /// The sealed bytes were changed, or belong to another request.
    #[error("the sealed call was changed or belongs to another request")]
    Broken,
    /// The stored place is not where calls of this request are put.
    #[error("the sealed call is not stored where it should be")]
    Misplaced,
    /// Larger than any call that could have come in.
    #[error("the sealed call is larger than any call can be")]
    TooLarge,
    /// What was sealed is not a frozen call.
    #[error("what was sealed is not a frozen call: {0}")]
    Encoding(#[from] DecodeError),
    /// What was sealed is another request's call.
    #[error("what was sealed is the call of another request")]
    AnotherRequest,
}

impl FrozenError {
    /// Whether the same call may succeed a little later.
    pub fn retryable(&self) -> bool {
        match self {
            FrozenError::Service(error) => error.retryable(),
            FrozenError::Random
            | FrozenError::DataKey
            | FrozenError::Broken
            | FrozenError::Misplaced
            | FrozenError::TooLarge
            | FrozenError::Encoding(_)
            | FrozenError::AnotherRequest => false,
        }
    }
}

/// Seals and opens frozen calls.
#[derive(Clone, Debug)]
pub struct FrozenStore {
    aws: Aws,
    key_arn: String,
    objects: Objects,
}

impl FrozenStore {
    pub(crate) fn new(aws: Aws, key_arn: String, bucket: String) -> Self {
        Self { objects: Objects::new(aws.clone(), bucket), aws, key_arn }
    }

    /// Seals `frozen` and, if it is large, stores it in the bucket. Gives what goes into the `REQ#`
    /// item, and the digest of the call.
    ///
    /// # Errors
    /// [`FrozenError`] when KMS or S3 fails.
    pub async fn seal(&self, frozen: &FrozenCall) -> Result<(SealedFrozen, Digest), FrozenError> {
        let encoded = frozen.encode();
        let request = &frozen.request_id;
        let (key, encrypted_key) = self.new_data_key(request).await?;
        let sealed = seal_bytes(&key, request, &encoded)?;
        let body = if sealed.len() <= INLINE_LIMIT {
            SealedBody::Inline(sealed)
        } else {
            let place = stored_key(request);
            self.objects.put(&place, Bytes::from(sealed)).await?;
            SealedBody::Stored(place)
        };
        Ok((SealedFrozen { data_key: encrypted_key, body }, FrozenCall::digest_of(&encoded)))
    }

    /// Opens what was sealed for `request`.
    ///
    /// # Errors
    /// [`FrozenError`] when KMS or S3 fails, and when the bytes are not a call that was sealed for
    /// this very request.
    pub async fn open(&self, request: &RequestId, sealed: &SealedFrozen) -> Result<OpenedCall, FrozenError> {
        let (key, bytes) = tokio::try_join!(self.old_data_key(request, &sealed.data_key), self.fetch(request, sealed))?;
        let encoded = open_bytes(&key, request, &bytes)?;
        let call = FrozenCall::decode(&encoded)?;
        if call.request_id != *request {
            return Err(FrozenError::AnotherRequest);
        }
        Ok(OpenedCall { call, digest: FrozenCall::digest_of(&encoded) })
    }

    async fn fetch(&self, request: &RequestId, sealed: &SealedFrozen) -> Result<Vec<u8>, FrozenError> {
        let place = match &sealed.body {
            SealedBody::Inline(bytes) => return Ok(bytes.clone()),
            SealedBody::Stored(place) => place,
        };
        if *place != stored_key(request) {
            return Err(FrozenError::Misplaced);
        }
        let body = self.objects.get(place, STORED_LIMIT).await?.ok_or(FrozenError::TooLarge)?;
        Ok(body.to_vec())
    }

    async fn new_data_key(&self, request: &RequestId) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), FrozenError> {
        const OPERATION: &str = "kms:GenerateDataKey";
        let answer = self
            .aws
            .kms()
            .generate_data_key()
            .key_id(&self.key_arn)
            .key_spec(DataKeySpec::Aes256)
            .encryption_context(CONTEXT_KEY, request.as_str())
            .send()
            .await
            .map_err(|error| ServiceError::from_sdk(OPERATION, &error))?;
        match (answer.plaintext, answer.ciphertext_blob) {
            (Some(plain), Some(encrypted)) => Ok((Zeroizing::new(plain.into_inner()), encrypted.into_inner())),
            _ => Err(ServiceError::unreadable(OPERATION).into()),
        }
    }

    async fn old_data_key(&self, request: &RequestId, encrypted: &[u8]) -> Result<Zeroizing<Vec<u8>>, FrozenError> {
        const OPERATION: &str = "kms:Decrypt";
        let answer = self
            .aws
            .kms()
            .decrypt()
            // Named, so that a data key made under any other key is refused.
            .key_id(&self.key_arn)
            .ciphertext_blob(Blob::new(encrypted))
            .encryption_context(CONTEXT_KEY, request.as_str())
            .send()
            .await
            .map_err(|error| ServiceError::from_sdk(OPERATION, &error))?;
        let plain = answer.plaintext.ok_or_else(|| ServiceError::unreadable(OPERATION))?;
        Ok(Zeroizing::new(plain.into_inner()))
    }
}

/// Where the sealed call of `request` is stored, if it is large.
fn stored_key(request: &RequestId) -> String {
    format!("frozen/{request}")
}

fn aead_key(key: &[u8]) -> Result<LessSafeKey, FrozenError> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| FrozenError::DataKey)
}

fn associated(request: &RequestId) -> Aad<String> {
    Aad::from(format!("countersign/sealed-frozen-call/v{FORMAT}/{request}"))
}

/// Format byte, nonce, ciphertext and tag. A data key seals once, so a random nonce never repeats.
fn seal_bytes(key: &[u8], request: &RequestId, plain: &[u8]) -> Result<Vec<u8>, FrozenError> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).map_err(|_| FrozenError::Random)?;
    let mut sealed = Vec::with_capacity(1 + NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
    sealed.extend_from_slice(plain);
    aead_key(key)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), associated(request), &mut sealed)
        .map_err(|_| FrozenError::TooLarge)?;
    sealed.splice(0..0, std::iter::once(FORMAT).chain(nonce));
    Ok(sealed)
}

fn open_bytes(key: &[u8], request: &RequestId, sealed: &[u8]) -> Result<Vec<u8>, FrozenError> {
    let (format, rest) = sealed.split_first().ok_or(FrozenError::Broken)?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>().ok_or(FrozenError::Broken)?;
    if *format != FORMAT {
        return Err(FrozenError::Broken);
    }
    let mut opened = ciphertext.to_vec();
    let length = aead_key(key)?
        .open_in_place(Nonce::assume_unique_for_key(*nonce), associated(request), &mut opened)
        .map_err(|_| FrozenError::Broken)?
        .len();
    opened.truncate(length);
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [9; 32];

    fn request(byte: u8) -> RequestId {
        RequestId::from_random([byte; 16])
    }

    #[test]
    fn what_is_sealed_opens_again_and_hides_its_text() {
        let plain = b"Action=CreateRole&RoleName=visible".repeat(10);
        let sealed = seal_bytes(&KEY, &request(1), &plain).unwrap();
        assert_eq!(open_bytes(&KEY, &request(1), &sealed).unwrap(), plain);
        assert!(!sealed.windows(7).any(|window| window == b"visible"));
        assert_ne!(seal_bytes(&KEY, &request(1), &plain).unwrap(), sealed, "a nonce of its own each time");
    }

    #[test]
    fn a_sealed_call_opens_for_its_own_request_and_key_only() {
        let sealed = seal_bytes(&KEY, &request(1), b"plain").unwrap();
        assert_eq!(open_bytes(&KEY, &request(2), &sealed), Err(FrozenError::Broken));
        assert_eq!(open_bytes(&[8; 32], &request(1), &sealed), Err(FrozenError::Broken));
        assert_eq!(open_bytes(&[8; 16], &request(1), &sealed), Err(FrozenError::DataKey));
    }

    #[test]
    fn any_flipped_byte_and_any_cut_breaks_it() {
        let sealed = seal_bytes(&KEY, &request(1), b"plain").unwrap();
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(open_bytes(&KEY, &request(1), &changed), Err(FrozenError::Broken), "byte {place}");
            assert_eq!(open_bytes(&KEY, &request(1), &sealed[..place]), Err(FrozenError::Broken), "cut {place}");
        }
    }
}
