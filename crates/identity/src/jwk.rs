//! Public keys as issuers publish them (RFC 7517), and verifying with them.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_domain::settings::Algorithm;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};
use serde_json::{Map, Value};

use crate::{error::IdentityError, jws, strict_json};

/// The most keys that are read of one set.
const MAX_KEYS: usize = 100;

/// The key itself, by kind. The kind decides which algorithms can be used, never the token.
#[derive(Debug, PartialEq, Eq)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256 { point: Vec<u8> },
    P384 { point: Vec<u8> },
    Ed25519 { key: Vec<u8> },
}

/// A public signing key of an issuer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Jwk {
    pub(crate) key_id: Option<String>,
    algorithm: Option<Algorithm>,
    material: Material,
}

impl Jwk {
    /// The key in this member of a set; `None` for keys that are not for verifying signatures
    /// or of a kind that is not understood, which RFC 7517 §5 says to ignore.
    fn parse(members: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        if members.get("use").is_some_and(|usage| usage != "sig") {
            return None;
        }
        if let Some(operations) = members.get("key_ops") {
            operations.as_array()?.iter().find(|operation| *operation == "verify")?;
        }
        let algorithm = match members.get("alg") {
            None => None,
            Some(name) => Some(jws::algorithm(name.as_str()?)?),
        };
        let key_id = match members.get("kid") {
            None => None,
            Some(id) => Some(id.as_str()?.to_owned()),
        };
        let material = match (text("kty")?, text("crv")) {
            ("RSA", None) => Material::Rsa { modulus: number(text("n")?)?, exponent: number(text("e")?)? },
            ("EC", Some("P-256")) => Material::P256 { point: point(text("x")?, text("y")?, 32)? },
            ("EC", Some("P-384")) => Material::P384 { point: point(text("x")?, text("y")?, 48)? },
            ("OKP", Some("Ed25519")) => Material::Ed25519 { key: octets(text("x")?, 32)? },
            _ => return None,
        };
        Some(Self { key_id, algorithm, material })
    }

    /// Whether this key may verify tokens of `algorithm`: by its kind and by its own `alg`.
    pub(crate) fn serves(&self, algorithm: Algorithm) -> bool {
        let fits = match self.material {
            Material::Rsa { .. } => {
                matches!(algorithm, Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 | Algorithm::PS256)
            }
            Material::P256 { .. } => algorithm == Algorithm::ES256,
            Material::P384 { .. } => algorithm == Algorithm::ES384,
            Material::Ed25519 { .. } => algorithm == Algorithm::EdDSA,
        };
        fits && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Verifies `signature` over `message`.
    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), IdentityError> {
        if !self.serves(algorithm) {
            return Err(IdentityError::Algorithm(jws::algorithm_name(algorithm).to_owned()));
        }
        let plain = |scheme: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(scheme, key).verify(message, signature)
        };
        let verified = match &self.material {
            Material::Rsa { modulus, exponent } => match rsa_scheme(algorithm) {
                Some(scheme) => RsaPublicKeyComponents { n: modulus, e: exponent }.verify(scheme, message, signature),
                None => Err(ring::error::Unspecified),
            },
            Material::P256 { point } => plain(&ECDSA_P256_SHA256_FIXED, point),
            Material::P384 { point } => plain(&ECDSA_P384_SHA384_FIXED, point),
            Material::Ed25519 { key } => plain(&ED25519, key),
        };
        verified.map_err(|_| IdentityError::Signature)
    }
}

/// RSA with keys of 2,048 to 8,192 bits; ring refuses shorter ones.
fn rsa_scheme(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA => None,
    }
}

/// A big-endian number without leading zeros, which some issuers add although RFC 7518 §6.3.1.1
/// forbids it and ring insists.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    bytes.get(start..).map(<[u8]>::to_vec)
}

fn octets(text: &str, length: usize) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == length)
}

/// An uncompressed point (SEC 1 §2.3.3).
fn point(x: &str, y: &str, length: usize) -> Option<Vec<u8>> {
    let mut point = vec![4];
    point.extend(octets(x, length)?);
    point.extend(octets(y, length)?);
    Some(point)
}

/// The signing keys of a set.
///
/// # Errors
/// A fixed text, when the document is not a JWK set or has no usable key.
pub(crate) fn parse_set(untrusted_document: &[u8]) -> Result<Vec<Jwk>, &'static str> {
    let document = strict_json::object(untrusted_document).map_err(|_| "the key set is not strict json")?;
    let keys = document.get("keys").and_then(Value::as_array).ok_or("the key set has no `keys`")?;
    if keys.len() > MAX_KEYS {
        return Err("the key set has too many keys");
    }
    let keys: Vec<Jwk> = keys.iter().filter_map(Value::as_object).filter_map(Jwk::parse).collect();
    if keys.is_empty() { Err("the key set has no signing key of a known kind") } else { Ok(keys) }
}

/// The one key that a token with this `kid` and algorithm is signed with.
///
/// Without `kid` there must be exactly one key for the algorithm, and two keys under one id serve
/// nobody: trying several keys would let whoever adds a key choose.
pub(crate) fn select<'a>(
    keys: &'a [Arc<Jwk>],
    unverified_key_id: Option<&str>,
    algorithm: Algorithm,
) -> Result<&'a Arc<Jwk>, IdentityError> {
    let mut fitting = keys
        .iter()
        .filter(|key| unverified_key_id.is_none_or(|id| key.key_id.as_deref() == Some(id)))
        .filter(|key| key.serves(algorithm));
    match (fitting.next(), fitting.next()) {
        (Some(key), None) => Ok(key),
        _ => Err(IdentityError::UnknownKey),
    }
}
