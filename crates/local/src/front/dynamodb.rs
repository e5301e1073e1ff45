//! DynamoDB: which items a call touches, for `dynamodb:LeadingKeys` and `dynamodb:Attributes`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Resources, asked::Check, errors::AwsError, text_member};
use crate::iam::Context;

/// The checks of an operation: one per table, and in transactions one per item.
pub(super) fn checks(operation: &str, body: &Value, resources: &Resources) -> Result<Vec<Check>, AwsError> {
    let one = |action: &str, part: &Value| single(action, part, resources);
    match operation {
        "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" | "Query" | "Scan" | "DescribeTable" => {
            one(operation, body).map(|check| vec![check])
        }
        "BatchGetItem" => per_table(body, resources, "BatchGetItem", |request| {
            request.get("Keys").and_then(Value::as_array).cloned().unwrap_or_default()
        }),
        "BatchWriteItem" => per_table(body, resources, "BatchWriteItem", |requests| {
            let requests = requests.as_array().cloned().unwrap_or_default();
            requests
                .iter()
                .filter_map(|request| {
                    request.pointer("/PutRequest/Item").or_else(|| request.pointer("/DeleteRequest/Key")).cloned()
                })
                .collect()
        }),
        "TransactWriteItems" => transact(body, |kind, part| match kind {
            "Put" => one("PutItem", part),
            "Update" => one("UpdateItem", part),
            "Delete" => one("DeleteItem", part),
            "ConditionCheck" => one("ConditionCheckItem", part),
            other => Err(AwsError::unread(format!("transaction member `{other}`"))),
        }),
        "TransactGetItems" => transact(body, |kind, part| match kind {
            "Get" => one("GetItem", part),
            other => Err(AwsError::unread(format!("transaction member `{other}`"))),
        }),
        "ExecuteStatement" | "BatchExecuteStatement" | "ExecuteTransaction" => {
            // Which statement it is would take a parser; nobody here may run any.
            Ok(["Select", "Insert", "Update", "Delete"]
                .map(|kind| Check::new(format!("dynamodb:PartiQL{kind}"), "*"))
                .to_vec())
        }
        other => Err(AwsError::unread(format!("dynamodb:{other}"))),
    }
}

fn transact(body: &Value, check: impl Fn(&str, &Value) -> Result<Check, AwsError>) -> Result<Vec<Check>, AwsError> {
    let items = body.get("TransactItems").and_then(Value::as_array);
    let items = items.filter(|items| !items.is_empty()).ok_or_else(|| AwsError::unread("an empty transaction"))?;
    items
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|item| item.iter().map(|(kind, part)| check(kind, part)))
        .collect()
}

fn per_table(
    body: &Value,
    resources: &Resources,
    action: &str,
    keys: impl Fn(&Value) -> Vec<Value>,
) -> Result<Vec<Check>, AwsError> {
    let tables = body.get("RequestItems").and_then(Value::as_object);
    let tables = tables.filter(|tables| !tables.is_empty()).ok_or_else(|| AwsError::unread("an empty batch"))?;
    tables
        .iter()
        .map(|(table, request)| {
            let table = Table::named(table, None, resources);
            let keys = keys(request);
            let leading = keys.iter().filter_map(|key| table.leading_key(key)).collect();
            let attributes = keys.iter().flat_map(member_names).chain(expression_names(request)).collect();
            Ok(table.check(action, leading, attributes))
        })
        .collect()
}

fn single(action: &str, part: &Value, resources: &Resources) -> Result<Check, AwsError> {
    let name = text_member(part, "TableName").ok_or_else(|| AwsError::unread("no `TableName`"))?;
    let table = Table::named(name, text_member(part, "IndexName"), resources);
    let key = part.get("Item").or_else(|| part.get("Key"));
    let leading = match action {
        "Query" => table.queried_key(part),
        "Scan" => None,
        _ => key.and_then(|key| table.leading_key(key)),
    };
    let attributes = key.into_iter().flat_map(member_names).chain(expression_names(part)).collect();
    let mut check = table.check(action, leading.into_iter().collect(), attributes);
    for (member, key) in [("Select", "dynamodb:Select"), ("ReturnValues", "dynamodb:ReturnValues")] {
        if let Some(value) = text_member(part, member) {
            check.context.set(key, value);
        }
    }
    Ok(check)
}

struct Table<'a> {
    arn: String,
    /// The attribute of the partition key of the table or index, if it is known.
    partition_key: Option<&'a str>,
}

impl<'a> Table<'a> {
    fn named(name_or_arn: &str, index: Option<&str>, resources: &'a Resources) -> Self {
        let name = name_or_arn.rsplit_once(":table/").map_or(name_or_arn, |(_, name)| name);
        let (region, account) = (&resources.region, &resources.account);
        let table = format!("arn:aws:dynamodb:{region}:{account}:table/{name}");
        let arn = index.map_or_else(|| table.clone(), |index| format!("{table}/index/{index}"));
        let keys = resources.partition_keys.get(name);
        Self { arn, partition_key: keys.and_then(|keys| keys.get(index.unwrap_or_default())).map(String::as_str) }
    }

    fn check(self, action: &str, leading: Vec<String>, attributes: BTreeSet<String>) -> Check {
        let mut context = Context::default();
        context.set_all("dynamodb:LeadingKeys", leading);
        context.set_all("dynamodb:Attributes", attributes);
        Check { action: format!("dynamodb:{action}"), resource: self.arn, context }
    }

    /// The text of the partition key in an item or a key.
    fn leading_key(&self, item: &Value) -> Option<String> {
        attribute_text(item.get(self.partition_key?)?)
    }

    /// The partition key that a query names: `key = :value` in its key condition, or the legacy
    /// form.
    fn queried_key(&self, query: &Value) -> Option<String> {
        let key = self.partition_key?;
        if let Some(condition) = query.get("KeyConditions").and_then(|conditions| conditions.get(key)) {
            return attribute_text(condition.pointer("/AttributeValueList/0")?);
        }
        let expression = text_member(query, "KeyConditionExpression")?;
        let words: Vec<&str> = words(expression).collect();
        let value = words.windows(3).find_map(|window| match window {
            [left, "=", right] if resolved_name(left, query) == key => Some(*right),
            [left, "=", right] if resolved_name(right, query) == key => Some(*left),
            _ => None,
        })?;
        attribute_text(query.get("ExpressionAttributeValues")?.get(value)?)
    }
}

/// The words of an expression; comparison signs and brackets stand alone.
fn words(expression: &str) -> impl Iterator<Item = &str> {
    expression
        .split_inclusive(|sign: char| sign.is_whitespace() || "=<>(),".contains(sign))
        .flat_map(|piece| match piece.char_indices().next_back() {
            Some((at, sign)) if "=<>(),".contains(sign) => [piece.get(..at), piece.get(at..)],
            _ => [Some(piece), None],
        })
        .flatten()
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

/// An attribute name, with its `#placeholder` replaced.
fn resolved_name<'a>(name: &'a str, request: &'a Value) -> &'a str {
    request.get("ExpressionAttributeNames").and_then(|names| text_member(names, name)).unwrap_or(name)
}

/// A scalar attribute value as IAM sees it.
fn attribute_text(value: &Value) -> Option<String> {
    let (_, inner) = value.as_object()?.iter().next()?;
    inner.as_str().map(str::to_owned)
}

fn member_names(item: &Value) -> Vec<String> {
    item.as_object().map(|members| members.keys().cloned().collect()).unwrap_or_default()
}

/// The attributes that expressions name by placeholder, and those of a projection.
fn expression_names(part: &Value) -> Vec<String> {
    let placeholders = part.get("ExpressionAttributeNames").and_then(Value::as_object);
    let placeholders = placeholders.into_iter().flat_map(|names| names.values()).filter_map(Value::as_str);
    let projected = text_member(part, "ProjectionExpression").unwrap_or_default();
    let projected = projected.split(',').map(str::trim).filter(|name| !name.is_empty() && !name.starts_with('#'));
    placeholders.chain(projected).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn resources() -> Resources {
        let keys = BTreeMap::from([(String::new(), "pk".to_owned()), ("by-session".to_owned(), "session".to_owned())]);
        Resources {
            account: "111122223333".into(),
            region: "eu-central-1".into(),
            partition_keys: BTreeMap::from([("t".to_owned(), keys)]),
            ..Resources::default()
        }
    }

    fn keys(check: &Check) -> Vec<String> {
        check.context.values("dynamodb:LeadingKeys").unwrap_or_default().to_vec()
    }

    #[test]
    fn single_item_operations_show_their_partition() {
        for (operation, body, expected) in [
            ("GetItem", json!({"TableName": "t", "Key": {"pk": {"S": "REQ#1"}, "sk": {"S": "x"}}}), &["REQ#1"][..]),
            ("PutItem", json!({"TableName": "t", "Item": {"pk": {"S": "DEC#1"}, "a": {"S": "x"}}}), &["DEC#1"]),
            ("DeleteItem", json!({"TableName": "t", "Key": {"pk": {"N": "7"}}}), &["7"]),
            ("Scan", json!({"TableName": "t"}), &[]),
            (
                "Query",
                json!({
                    "TableName": "t",
                    "KeyConditionExpression": "#p = :p AND begins_with(sk, :s)",
                    "ExpressionAttributeNames": {"#p": "pk"},
                    "ExpressionAttributeValues": {":p": {"S": "REQ#2"}, ":s": {"S": "x"}},
                }),
                &["REQ#2"],
            ),
            (
                "Query",
                json!({
                    "TableName": "t",
                    "KeyConditionExpression": "sk>:s and pk=:p",
                    "ExpressionAttributeValues": {":p": {"S": "REQ#3"}, ":s": {"S": "x"}},
                }),
                &["REQ#3"],
            ),
            (
                "Query",
                json!({
                    "TableName": "t",
                    "IndexName": "by-session",
                    "KeyConditionExpression": "session = :p",
                    "ExpressionAttributeValues": {":p": {"S": "s-1"}},
                }),
                &["s-1"],
            ),
        ] {
            let checks = checks(operation, &body, &resources()).expect("known");
            assert_eq!(checks.len(), 1);
            assert_eq!(keys(&checks[0]), expected, "{operation} {body}");
        }
    }

    #[test]
    fn a_transaction_is_checked_item_by_item() {
        let body = json!({"TransactItems": [
            {"Put": {"TableName": "t", "Item": {"pk": {"S": "CLAIM#1"}}}},
            {"ConditionCheck": {"TableName": "t", "Key": {"pk": {"S": "QUAR#1"}}, "ConditionExpression": "x"}},
        ]});
        let checks = checks("TransactWriteItems", &body, &resources()).expect("known");
        let seen: Vec<_> = checks.iter().map(|check| (check.action.as_str(), keys(check))).collect();
        assert_eq!(
            seen,
            [
                ("dynamodb:PutItem", vec!["CLAIM#1".to_owned()]),
                ("dynamodb:ConditionCheckItem", vec!["QUAR#1".to_owned()]),
            ]
        );
        assert_eq!(checks[0].resource, "arn:aws:dynamodb:eu-central-1:111122223333:table/t");
    }

    #[test]
    fn batches_show_every_partition() {
        let body = json!({"RequestItems": {"t": [
            {"PutRequest": {"Item": {"pk": {"S": "REQ#1"}}}},
            {"DeleteRequest": {"Key": {"pk": {"S": "DEC#1"}}}},
        ]}});
        let write = checks("BatchWriteItem", &body, &resources()).expect("known");
        assert_eq!(keys(&write[0]), ["REQ#1", "DEC#1"]);
        let body = json!({"RequestItems": {"t": {"Keys": [{"pk": {"S": "A"}}, {"pk": {"S": "B"}}]}}});
        let get = checks("BatchGetItem", &body, &resources()).expect("known");
        assert_eq!(keys(&get[0]), ["A", "B"]);
    }

    #[test]
    fn unknown_operations_are_refused() {
        assert!(checks("CreateTable", &json!({}), &resources()).is_err());
        assert!(checks("TransactWriteItems", &json!({"TransactItems": []}), &resources()).is_err());
        assert!(checks("GetItem", &json!({}), &resources()).is_err());
    }
}
