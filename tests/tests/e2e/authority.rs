//! The authority split: what each role may not do, and that what the gateway writes is not believed.

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_tests::{
    agent::Agent,
    approver::{Approver, await_message},
    stack::Stack,
};
use serde_json::{Value as Json, json};

use super::{
    Test,
    stage::{TRUST, approve, as_function, await_state, fresh, held, must_be_refused, sent, setting},
};

pub(crate) const TESTS: &[Test] = &[
    ("the gateway's role is refused what it must not do", gateway_role),
    ("the executor's role is refused writing decisions, and the notifier's deciding", other_roles),
    ("items forged with the gateway's credentials change neither the page nor what runs", forged_items),
    ("a swapped frozen body is not opened", swapped_body),
];

fn item(pk: &str, attributes: &[(&str, Json)]) -> Json {
    let mut item = json!({"pk": {"S": pk}, "sk": {"S": "-"}});
    if let Some(fields) = item.as_object_mut() {
        fields.extend(attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }
    item
}

fn gateway_role(stack: &Stack) -> Result<()> {
    let table = setting(stack, "COUNTERSIGN_AUTHORITY_TABLE")?;
    let id = "r-aaaaaaaaaaaaaaaaaaaaaaaaaa";
    let gateway = |service: &str, operation: &str, parameters: Json| {
        as_function(stack, "gateway", service, operation, parameters)
    };
    let approved = setting(stack, "COUNTERSIGN_TARGET_APPROVED_ROLE")?;
    must_be_refused(
        &gateway("sts", "assume_role", json!({"RoleArn": approved, "RoleSessionName": "steal"}))?,
        "the approved role",
    )?;
    must_be_refused(
        &gateway("stepfunctions", "send_task_success", json!({"taskToken": "x", "output": "{}"}))?,
        "SendTaskSuccess",
    )?;
    must_be_refused(&gateway("stepfunctions", "send_task_failure", json!({"taskToken": "x"}))?, "SendTaskFailure")?;
    let message = STANDARD.encode([7_u8; 32]);
    must_be_refused(
        &gateway(
            "kms",
            "sign",
            json!({
                "KeyId": setting(stack, "COUNTERSIGN_CERTIFICATE_KEY")?, "Message": {"base64": message},
                "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256",
            }),
        )?,
        "kms:Sign",
    )?;
    must_be_refused(
        &gateway(
            "kms",
            "decrypt",
            json!({
                "KeyId": setting(stack, "COUNTERSIGN_FROZEN_KEY")?, "CiphertextBlob": {"base64": message},
                "EncryptionContext": {"request": id},
            }),
        )?,
        "decrypting frozen bodies",
    )?;
    for prefix in ["DEC#", "CERT#", "TOK#", "LNK#", "UNASKED#", "CLAIM#", "OUT#", "SEEN#", "CODE#", "QUAR#"] {
        let forged = item(&format!("{prefix}{id}"), &[]);
        must_be_refused(&gateway("dynamodb", "put_item", json!({"TableName": table, "Item": forged}))?, prefix)?;
        let transaction =
            json!({"TransactItems": [{"Put": {"TableName": table, "Item": item(&format!("{prefix}{id}"), &[])}}]});
        must_be_refused(&gateway("dynamodb", "transact_write_items", transaction)?, prefix)?;
    }
    for secret in ["TOK#", "LNK#", "CODE#"] {
        let key = json!({"pk": {"S": format!("{secret}{id}")}, "sk": {"S": "-"}});
        must_be_refused(&gateway("dynamodb", "get_item", json!({"TableName": table, "Key": key}))?, secret)?;
    }
    must_be_refused(&gateway("dynamodb", "scan", json!({"TableName": table}))?, "Scan")?;
    must_be_refused(
        &gateway("dynamodb", "execute_statement", json!({"Statement": format!("SELECT * FROM \"{table}\"")}))?,
        "PartiQL",
    )?;
    let record = setting(stack, "COUNTERSIGN_RECORD_TABLE")?;
    let event = json!({"pk": {"S": "EX#x#y"}, "sk": {"N": "0"}});
    must_be_refused(
        &gateway("dynamodb", "put_item", json!({"TableName": record, "Item": event}))?,
        "the executor's record",
    )?;
    let own = json!({"pk": {"S": "GW#x#y"}, "sk": {"N": "0"}});
    must_be_refused(
        &gateway("dynamodb", "delete_item", json!({"TableName": record, "Key": own}))?,
        "deleting from the record",
    )?;
    Ok(())
}

fn other_roles(stack: &Stack) -> Result<()> {
    let table = setting(stack, "COUNTERSIGN_AUTHORITY_TABLE")?;
    for (function, prefixes) in [
        ("executor", ["DEC#", "CERT#", "REQ#", "SEEN#"]),
        ("notifier", ["DEC#", "CERT#", "CLAIM#", "OUT#"]),
        ("approvals", ["REQ#", "CLAIM#", "OUT#", "TOK#"]),
    ] {
        for prefix in prefixes {
            let forged = item(&format!("{prefix}r-aaaaaaaaaaaaaaaaaaaaaaaaaa"), &[]);
            let put =
                as_function(stack, function, "dynamodb", "put_item", json!({"TableName": table, "Item": forged}))?;
            must_be_refused(&put, &format!("{function} writing {prefix}"))?;
        }
    }
    let sign = json!({
        "KeyId": setting(stack, "COUNTERSIGN_CERTIFICATE_KEY")?, "Message": {"base64": STANDARD.encode([7_u8; 32])},
        "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256",
    });
    must_be_refused(&as_function(stack, "executor", "kms", "sign", sign.clone())?, "the executor signing")?;
    must_be_refused(&as_function(stack, "notifier", "kms", "sign", sign)?, "the notifier signing")?;
    for function in ["approvals", "notifier"] {
        for role in ["COUNTERSIGN_TARGET_APPROVED_ROLE", "COUNTERSIGN_TARGET_AUTO_ROLE"] {
            let order = json!({"RoleArn": setting(stack, role)?, "RoleSessionName": "steal"});
            must_be_refused(
                &as_function(stack, function, "sts", "assume_role", order)?,
                &format!("{function} assuming {role}"),
            )?;
        }
    }
    Ok(())
}

/// The item of a request, read with the gateway's own role.
fn request_item(stack: &Stack, request: &str) -> Result<Json> {
    let table = setting(stack, "COUNTERSIGN_AUTHORITY_TABLE")?;
    let key = json!({"pk": {"S": format!("REQ#{request}")}, "sk": {"S": "-"}});
    let answer = as_function(stack, "gateway", "dynamodb", "get_item", json!({"TableName": table, "Key": key}))?;
    answer.pointer("/ok/Item").cloned().with_context(|| format!("no item: {answer}"))
}

fn put_as_gateway(stack: &Stack, item: &Json) -> Result<()> {
    let table = setting(stack, "COUNTERSIGN_AUTHORITY_TABLE")?;
    let put = as_function(stack, "gateway", "dynamodb", "put_item", json!({"TableName": table, "Item": item}))?;
    ensure!(put.get("ok").is_some(), "the gateway cannot write its own items: {put}");
    Ok(())
}

fn forged_items(stack: &Stack) -> Result<()> {
    let name = fresh("forged-role");
    let mut agent = Agent::new(stack, "deployer", "is-forged")?;
    let parameters = json!({"RoleName": name, "AssumeRolePolicyDocument": TRUST});
    let (request, _) = held(&mut agent, "iam", "create_role", &parameters)?;
    await_message(stack, "ann@example.com", |message| message.text.contains(&request))?;
    let ann = Approver::new(stack, "ann")?;
    let honest: Json = serde_json::from_str(&ann.look(stack, &request)?.body)?;
    let mut forged = request_item(stack, &request)?;
    if let Some(fields) = forged.as_object_mut() {
        fields.insert("operation".into(), json!({"S": "sts:GetCallerIdentity"}));
        fields.insert("groups".into(), json!({"SS": ["everybody"]}));
        fields.insert("quorum".into(), json!({"N": "1"}));
        fields.insert("obligations".into(), json!({"S": "{\"approvals\":{}}"}));
        fields.insert("host".into(), json!({"S": "evil.example"}));
        fields.insert("decoded".into(), json!({"S": "{\"RoleName\":\"harmless\"}"}));
        fields.insert("expires_at".into(), json!({"N": "99999999999999"}));
        fields.insert("target".into(), json!({"S": "elsewhere"}));
    }
    put_as_gateway(stack, &forged)?;
    let shown: Json = serde_json::from_str(&ann.look(stack, &request)?.body)?;
    for same in [
        "operation",
        "host",
        "parameters",
        "permissions",
        "obligations",
        "frozen_digest",
        "facts_hash",
        "expires_at",
        "target",
        "command_line",
    ] {
        ensure!(
            shown.get(same) == honest.get(same),
            "`{same}` changed from {:?} to {:?}",
            honest.get(same),
            shown.get(same)
        );
    }
    if let Some(fields) = forged.as_object_mut() {
        fields.insert("target".into(), json!({"S": "main"}));
    }
    put_as_gateway(stack, &forged)?;
    approve(stack, "ann", &request)?;
    await_state(&mut agent, stack, &request, &["answered"], 30)?;
    ensure!(sent(stack, "CreateRole", &name)? == 1, "not sent exactly once");
    Ok(())
}

fn swapped_body(stack: &Stack) -> Result<()> {
    let mut agent = Agent::new(stack, "deployer", "is-swapped")?;
    let [one, other] = [fresh("swap-role"), fresh("swap-role")];
    let (first, _) =
        held(&mut agent, "iam", "create_role", &json!({"RoleName": one, "AssumeRolePolicyDocument": TRUST}))?;
    let (second, _) =
        held(&mut agent, "iam", "create_role", &json!({"RoleName": other, "AssumeRolePolicyDocument": TRUST}))?;
    let ann = Approver::new(stack, "ann")?;
    let seen: Json = serde_json::from_str(&ann.look(stack, &first)?.body)?;
    // The other request's sealed bytes and key, under this request's id.
    let theirs = request_item(stack, &second)?;
    let mut swapped = request_item(stack, &first)?;
    if let Some(fields) = swapped.as_object_mut() {
        for name in ["frozen", "data_key", "frozen_digest"] {
            fields.insert(name.into(), theirs.get(name).cloned().context("no such attribute")?);
        }
    }
    put_as_gateway(stack, &swapped)?;
    let refused = ann.look(stack, &first)?;
    ensure!(refused.status == 409, "swapped bytes were shown: {} {}", refused.status, refused.body);
    let order = json!({"verdict": "approve", "reason": "x", "frozen_digest": seen.get("frozen_digest")});
    let url = stack.url("approvals", &format!("/requests/{first}/decision"));
    let bearer = format!("Bearer {}", stack.token(&["--person", "ann"])?);
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("accept", "application/json")];
    let refused = countersign_tests::approver::fetch("POST", &url, &headers, Some(&order.to_string()))?;
    ensure!(refused.status == 409, "swapped bytes were approved: {} {}", refused.status, refused.body);
    for name in [one, other] {
        ensure!(sent(stack, "CreateRole", &name)? == 0, "{name} was created");
    }
    Ok(())
}
