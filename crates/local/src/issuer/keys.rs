//! An issuer's key: ECDSA P-256, made at start.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};

use crate::error::StackError;

pub(super) struct SigningKey {
    id: String,
    pair: EcdsaKeyPair,
}

impl SigningKey {
    pub(super) fn generate(name: &str) -> Result<Self, StackError> {
        let failed = |what: String| StackError::Usage(format!("making the key of the issuer: {what}"));
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(|error| failed(error.to_string()))?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self { id: format!("{name}-{}", crate::random::aws_id("", 8)), pair })
    }

    /// The public half as a JWK set (RFC 7517).
    pub(super) fn jwks(&self) -> Value {
        // An uncompressed point: 0x04, then x and y of 32 bytes each.
        let point = self.pair.public_key().as_ref();
        let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(point.get(from..from + 32).unwrap_or_default());
        json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id,
            "x": coordinate(1), "y": coordinate(33),
        }]})
    }

    /// The claims as a signed JWT (RFC 7515, ES256).
    pub(super) fn sign(&self, claims: &Value) -> Result<String, String> {
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": self.id });
        let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encoded(&header), encoded(claims));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).map_err(|error| error.to_string())?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    #[test]
    fn tokens_verify_with_the_published_key_and_no_other() {
        let (key, other) = (SigningKey::generate("a").expect("key"), SigningKey::generate("b").expect("key"));
        let token = key.sign(&json!({ "aud": "x", "exp": 9_999_999_999_u64, "sub": "ann" })).expect("signed");
        let (message, signature) = token.rsplit_once('.').expect("three parts");
        let (header, claims) = message.split_once('.').expect("three parts");
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
        let verify = |key: &SigningKey| {
            let set = key.jwks();
            let coordinate = |name: &str| decoded(set["keys"][0][name].as_str().expect("text"));
            let point = [vec![4], coordinate("x"), coordinate("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message.as_bytes(), &decoded(signature))
        };
        assert!(verify(&key).is_ok());
        assert!(verify(&other).is_err());
        let read = |part: &str| serde_json::from_slice::<Value>(&decoded(part)).expect("json");
        assert_eq!(read(claims)["sub"], "ann");
        assert_eq!(read(header), json!({ "alg": "ES256", "typ": "JWT", "kid": key.jwks()["keys"][0]["kid"] }));
    }
}
