//! KMS: the key that a call is about, with the condition keys that KMS documents.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{Resources, asked::Check, errors::AwsError, text_member};
use crate::iam::Context;

/// The length of the key id at the head of the emulator's ciphertexts, in bytes.
const KEY_ID_LENGTH: usize = 36;

pub(super) fn checks(operation: &str, body: &Value, resources: &Resources) -> Result<Vec<Check>, AwsError> {
    match operation {
        "Decrypt"
        | "DescribeKey"
        | "Encrypt"
        | "GenerateDataKey"
        | "GenerateDataKeyWithoutPlaintext"
        | "GenerateMac"
        | "GetPublicKey"
        | "Sign"
        | "Verify"
        | "VerifyMac" => {}
        other => return Err(AwsError::unread(format!("kms:{other}"))),
    }
    let named = match text_member(body, "KeyId") {
        Some(key) => key.to_owned(),
        None => sealed_with(body).ok_or_else(|| AwsError::unread(format!("kms:{operation} without a key")))?,
    };
    let id = key_id(&named, resources);
    let mut context = Context::default();
    let aliases = resources.key_aliases.iter().filter(|(_, key)| **key == id).map(|(alias, _)| alias.clone());
    context.set_all("kms:ResourceAliases", aliases);
    if let Some(at) = named.find("alias/") {
        context.set("kms:RequestAlias", named.get(at..).unwrap_or_default());
    }
    if let Some(pairs) = body.get("EncryptionContext").and_then(Value::as_object) {
        for (key, value) in pairs {
            context.set(&format!("kms:EncryptionContext:{key}"), value.as_str().unwrap_or_default());
        }
        context.set_all("kms:EncryptionContextKeys", pairs.keys().cloned());
    }
    for member in ["SigningAlgorithm", "MacAlgorithm", "MessageType", "EncryptionAlgorithm"] {
        if let Some(value) = text_member(body, member) {
            context.set(&format!("kms:{member}"), value);
        }
    }
    let arn = format!("arn:aws:kms:{}:{}:key/{id}", resources.region, resources.account);
    Ok(vec![Check { action: format!("kms:{operation}"), resource: arn, context }])
}

/// The id behind an id, an alias, or the ARN of either.
fn key_id(named: &str, resources: &Resources) -> String {
    let name = if named.starts_with("arn:") { named.splitn(6, ':').last().unwrap_or_default() } else { named };
    if name.starts_with("alias/") {
        return resources.key_aliases.get(name).cloned().unwrap_or_else(|| name.to_owned());
    }
    name.strip_prefix("key/").unwrap_or(name).to_owned()
}

/// The key that a ciphertext names itself, as KMS finds it when the caller names none.
fn sealed_with(body: &Value) -> Option<String> {
    let blob = STANDARD.decode(text_member(body, "CiphertextBlob")?).ok()?;
    String::from_utf8(blob.get(..KEY_ID_LENGTH)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_to_name_a_key_leads_to_it() {
        let id = "11111111-2222-3333-4444-555555555555";
        let resources = Resources {
            account: "111122223333".into(),
            region: "eu-central-1".into(),
            key_aliases: BTreeMap::from([("alias/x".to_owned(), id.to_owned())]),
            ..Resources::default()
        };
        let arn = format!("arn:aws:kms:eu-central-1:111122223333:key/{id}");
        let blob = STANDARD.encode(format!("{id}rest"));
        for body in [
            json!({"KeyId": id}),
            json!({"KeyId": arn}),
            json!({"KeyId": "alias/x"}),
            json!({"KeyId": "arn:aws:kms:eu-central-1:111122223333:alias/x"}),
            json!({"CiphertextBlob": blob}),
        ] {
            let checks = checks("Decrypt", &body, &resources).expect("known");
            assert_eq!(checks[0].resource, arn, "{body}");
            assert_eq!(checks[0].context.values("kms:ResourceAliases"), Some(&["alias/x".to_owned()][..]));
        }
        assert!(checks("Decrypt", &json!({}), &resources).is_err());
        assert!(checks("CreateKey", &json!({"KeyId": id}), &resources).is_err());
    }

    #[test]
    fn context_keys_come_from_the_parameters() {
        let body = json!({"KeyId": "k", "EncryptionContext": {"request": "r-1"}, "SigningAlgorithm": "ECDSA_SHA_256"});
        let checks = checks("Sign", &body, &Resources::default()).expect("known");
        let value = |key: &str| checks[0].context.values(key).map(<[String]>::to_vec);
        assert_eq!(value("kms:EncryptionContext:request"), Some(vec!["r-1".to_owned()]));
        assert_eq!(value("kms:EncryptionContextKeys"), Some(vec!["request".to_owned()]));
        assert_eq!(value("kms:SigningAlgorithm"), Some(vec!["ECDSA_SHA_256".to_owned()]));
    }
}
