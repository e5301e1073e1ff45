//! What KMS keys do for us: MACs that master keys are derived from, and the certificate's
//! signature.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_kms::{
    primitives::Blob,
    types::{KeySpec, MacAlgorithmSpec, MessageType, SigningAlgorithmSpec},
};
use countersign_domain::Digest;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use zeroize::Zeroizing;

use crate::{Aws, ServiceError};

/// The header of a `SubjectPublicKeyInfo` of an uncompressed P-256 point (RFC 5480): the sequence,
/// `id-ecPublicKey`, `prime256v1` and the bit string's head. The 65 bytes of the point follow.
const P256_HEADER: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const P256_POINT: usize = 65;

/// Why a key could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// KMS failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The certificate key is not one of P-256.
    #[error("the key is not an ecc_nist_p256 key")]
    NotP256,
    /// The signature is not one of this key over these bytes.
    #[error("the signature is not one of this key over these bytes")]
    BadSignature,
}

impl KeyError {
    /// Whether the same call may succeed a little later.
    pub fn retryable(&self) -> bool {
        match self {
            KeyError::Service(error) => error.retryable(),
            KeyError::NotP256 | KeyError::BadSignature => false,
        }
    }
}

/// MACs, signatures and their verification.
#[derive(Clone, Debug)]
pub struct Keys {
    aws: Aws,
    points: Arc<Mutex<HashMap<String, Vec<u8>>>>,
}

impl Keys {
    pub(crate) fn new(aws: Aws) -> Self {
        Self { aws, points: Arc::default() }
    }

    /// 32 bytes that only holders of `kms:GenerateMac` on `key_arn` can derive: the key's HMAC over
    /// `label`, which names the purpose. The key is one of `HMAC_256`.
    ///
    /// # Errors
    /// [`KeyError`] when KMS fails.
    pub async fn derive(&self, key_arn: &str, label: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        const OPERATION: &str = "kms:GenerateMac";
        let answer = self
            .aws
            .kms()
            .generate_mac()
            .key_id(key_arn)
            .mac_algorithm(MacAlgorithmSpec::HmacSha256)
            .message(Blob::new(label.as_bytes()))
            .send()
            .await
            .map_err(|error| ServiceError::from_sdk(OPERATION, &error))?;
        let mac = Zeroizing::new(answer.mac.map(Blob::into_inner).unwrap_or_default());
        let mut derived = Zeroizing::new([0; 32]);
        if mac.len() != derived.len() {
            return Err(ServiceError::unreadable(OPERATION).into());
        }
        derived.copy_from_slice(&mac);
        Ok(derived)
    }

    /// The ECDSA P-256 signature of `key_arn` over the SHA-256 of `message`, ASN.1 DER.
    ///
    /// # Errors
    /// [`KeyError`] when KMS fails.
    pub async fn sign(&self, key_arn: &str, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        const OPERATION: &str = "kms:Sign";
        let answer = self
            .aws
            .kms()
            .sign()
            .key_id(key_arn)
            .message_type(MessageType::Digest)
            .message(Blob::new(Digest::of(message).as_bytes()))
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .send()
            .await
            .map_err(|error| ServiceError::from_sdk(OPERATION, &error))?;
        match answer.signature {
            Some(signature) => Ok(signature.into_inner()),
            None => Err(ServiceError::unreadable(OPERATION).into()),
        }
    }

    /// Verifies a signature over `message` against the public key of `key_arn`, which is asked for
    /// once in the life of this handle.
    ///
    /// # Errors
    /// [`KeyError::BadSignature`] when it is not one, others when the key cannot be had.
    pub async fn verify(&self, key_arn: &str, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        let known = self.points.lock().unwrap_or_else(PoisonError::into_inner).get(key_arn).cloned();
        let point = match known {
            Some(point) => point,
            None => {
                let point = self.public_point(key_arn).await?;
                self.points.lock().unwrap_or_else(PoisonError::into_inner).insert(key_arn.to_owned(), point.clone());
                point
            }
        };
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            .verify(message, signature)
            .map_err(|_| KeyError::BadSignature)
    }

    async fn public_point(&self, key_arn: &str) -> Result<Vec<u8>, KeyError> {
        const OPERATION: &str = "kms:GetPublicKey";
        let answer = self
            .aws
            .kms()
            .get_public_key()
            .key_id(key_arn)
            .send()
            .await
            .map_err(|error| ServiceError::from_sdk(OPERATION, &error))?;
        if answer.key_spec().is_some_and(|spec| *spec != KeySpec::EccNistP256) {
            return Err(KeyError::NotP256);
        }
        let spki = answer.public_key.map(Blob::into_inner).unwrap_or_default();
        point_of(&spki).map(<[u8]>::to_vec).ok_or(KeyError::NotP256)
    }
}

/// The uncompressed point of a P-256 `SubjectPublicKeyInfo`.
fn point_of(spki: &[u8]) -> Option<&[u8]> {
    spki.strip_prefix(&P256_HEADER).filter(|point| point.len() == P256_POINT && point.first() == Some(&4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_uncompressed_p256_point_is_taken() {
        let point = [[4].as_slice(), &[7; 64]].concat();
        let spki = [P256_HEADER.as_slice(), &point].concat();
        assert_eq!(point_of(&spki), Some(point.as_slice()));
        for bad in [
            &spki[..90],
            &spki[1..],
            &[spki.as_slice(), &[0]].concat(),
            &[P256_HEADER.as_slice(), &[2; 65]].concat(),
            &[],
        ] {
            assert_eq!(point_of(bad), None);
        }
    }
}
