//! The compact serialisation of a signed token (RFC 7515 §3.1), before anything in it is believed.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_domain::{Digest, settings::Algorithm};
use serde_json::{Map, Value};

use crate::{
    error::{IdentityError, MAX_TOKEN_BYTES, shortened},
    jwk::Jwk,
    strict_json,
};

/// The longest key id that is looked up, in bytes.
const MAX_KEY_ID_BYTES: usize = 512;

/// A token taken apart. Nothing in it is verified.
pub(crate) struct UnverifiedToken<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) unverified_key_id: Option<String>,
    pub(crate) unverified_claims: Map<String, Value>,
    signing_input: &'a str,
    signature: Vec<u8>,
}

/// What the `typ` header may say. Another kind of token by the same issuer (a logout token, a
/// security event) must not stand for a login: RFC 8725 §3.11.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// An ID token, or an issuer's own workload token.
    Id,
    /// As [`Kind::Id`], or an access token after RFC 9068.
    IdOrAccess,
}

impl Kind {
    fn admits(self, typ: &str) -> bool {
        let typ = typ.to_ascii_lowercase();
        let typ = typ.strip_prefix("application/").unwrap_or(&typ);
        match self {
            Kind::Id => typ == "jwt",
            Kind::IdOrAccess => typ == "jwt" || typ == "at+jwt",
        }
    }
}

impl<'a> UnverifiedToken<'a> {
    /// Takes `unverified_jwt` apart.
    ///
    /// `jku`, `x5u`, `x5c` and `jwk` are ignored: keys come from the issuer's own document only.
    /// `crit` is refused, since no extension is understood.
    pub(crate) fn parse(unverified_jwt: &'a str, kind: Kind) -> Result<Self, IdentityError> {
        if unverified_jwt.len() > MAX_TOKEN_BYTES {
            return Err(IdentityError::TooLong(unverified_jwt.len()));
        }
        let (signing_input, signature) =
            unverified_jwt.rsplit_once('.').ok_or(IdentityError::Malformed("it has no signature"))?;
        let (header, payload) = signing_input
            .split_once('.')
            .filter(|(_, payload)| !payload.contains('.'))
            .ok_or(IdentityError::Malformed("it does not have three parts"))?;
        let header = strict_json::object(&decode(header)?).map_err(IdentityError::Malformed)?;
        let unverified_claims = strict_json::object(&decode(payload)?).map_err(IdentityError::Malformed)?;

        if header.contains_key("crit") {
            return Err(IdentityError::Malformed("it asks for an extension by `crit`"));
        }
        match header.get("typ") {
            None => {}
            Some(Value::String(typ)) if kind.admits(typ) => {}
            Some(typ) => return Err(IdentityError::Type(shortened(typ.as_str().unwrap_or("?")))),
        }
        let algorithm = match header.get("alg") {
            Some(Value::String(name)) => algorithm(name).ok_or_else(|| IdentityError::Algorithm(shortened(name)))?,
            _ => return Err(IdentityError::Malformed("it names no algorithm")),
        };
        let unverified_key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) if id.len() <= MAX_KEY_ID_BYTES => Some(id.clone()),
            Some(_) => return Err(IdentityError::Malformed("its key id is not a short text")),
        };
        Ok(Self { algorithm, unverified_key_id, unverified_claims, signing_input, signature: decode(signature)? })
    }

    /// The claims, once `key` has verified the signature.
    pub(crate) fn verify(self, key: &Jwk) -> Result<Map<String, Value>, IdentityError> {
        key.verify(self.algorithm, self.signing_input.as_bytes(), &self.signature)?;
        Ok(self.unverified_claims)
    }

    /// The digest of what is signed. The signature is left out, because an ECDSA signature can be
    /// changed into another valid one by anybody.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.signing_input.as_bytes())
    }
}

fn decode(part: &str) -> Result<Vec<u8>, IdentityError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| IdentityError::Malformed("a part is not base64url without padding"))
}

/// The algorithm of this JWA name (RFC 7518 §3.1); symmetric ones and `none` do not exist here.
pub(crate) fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        // RFC 9864 renames `EdDSA` with Ed25519 to `Ed25519`.
        "EdDSA" | "Ed25519" => Algorithm::EdDSA,
        _ => return None,
    })
}

/// The JWA name.
pub(crate) fn algorithm_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::RS256 => "RS256",
        Algorithm::RS384 => "RS384",
        Algorithm::RS512 => "RS512",
        Algorithm::PS256 => "PS256",
        Algorithm::ES256 => "ES256",
        Algorithm::ES384 => "ES384",
        Algorithm::EdDSA => "EdDSA",
    }
}
