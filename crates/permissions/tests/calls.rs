//! Calls of the most used services against the pairs that AWS's documents say are checked.

use countersign_domain::{AccountId, Class, Permission, Resource, Value};
use countersign_permissions::{Permissions, PermissionsError, Question};

const CALLS: &str = include_str!("calls.txt");

fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(bool) => Value::Bool(*bool),
        serde_json::Value::Number(number) => {
            number.as_i64().map_or_else(|| Value::Decimal(number.to_string()), Value::Integer)
        }
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(value).collect()),
        serde_json::Value::Object(members) => {
            Value::Record(members.iter().map(|(name, member)| (name.clone(), value(member))).collect())
        }
    }
}

#[expect(clippy::unwrap_used, reason = "the rows of the table are well-formed")]
fn ask(service: &str, operation: &str, json: &str) -> Result<Vec<Permission>, PermissionsError> {
    let parameters = value(&serde_json::from_str(json).unwrap());
    Permissions::embedded().of(&Question {
        service,
        operation,
        parameters: &parameters,
        partition: "aws",
        account: &AccountId::new("111122223333").unwrap(),
        region: "eu-west-1",
        http_method_path: None,
    })
}

fn line(permission: &Permission) -> String {
    let resource = match &permission.resource {
        Resource::Exact(arn) => format!("= {arn}"),
        Resource::NonCanonical(text) => format!("~ {text}"),
        Resource::Unresolved => "*".to_owned(),
        Resource::AccountLevel => "account".to_owned(),
    };
    let classes: Vec<_> = permission.classes.iter().map(Class::as_str).collect();
    format!("{} | {resource} | {} | {}", permission.action, permission.level.as_str(), classes.join(","))
        .trim_end()
        .to_owned()
}

#[test]
fn calls_have_the_permissions_that_aws_documents() {
    let mut wrong = Vec::new();
    let mut calls = 0;
    let mut lines = CALLS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).peekable();
    while let Some(call) = lines.next() {
        let mut expected = Vec::new();
        while let Some(pair) = lines.next_if(|line| line.starts_with(' ')) {
            expected.push(pair.trim().to_owned());
        }
        let mut parts = call.splitn(3, ' ');
        let (service, operation, json) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let found: Vec<_> = ask(service, operation, json).unwrap().iter().map(line).collect();
        if found != expected {
            wrong.push(format!("{call}\n  expected {expected:#?}\n  found {found:#?}"));
        }
        calls += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(calls >= 200, "{calls} calls");
}

#[test]
fn what_is_not_known_is_an_error() {
    assert_eq!(ask("nosuch", "X", "{}"), Err(PermissionsError::UnknownService { service: "nosuch".into() }));
    assert_eq!(
        ask("s3", "getObject", "{}"),
        Err(PermissionsError::UnknownOperation { service: "s3".into(), operation: "getObject".into() })
    );
}

#[test]
fn more_resources_than_aws_takes_are_refused() {
    let delete = |keys: usize| {
        let objects: Vec<_> = (0..keys).map(|key| format!("{{\"Key\":\"{key}\"}}")).collect();
        ask(
            "s3",
            "DeleteObjects",
            &format!("{{\"Bucket\":\"b-1\",\"Delete\":{{\"Objects\":[{}]}}}}", objects.join(",")),
        )
    };
    assert_eq!(delete(5_000).unwrap().len(), 5_000);
    assert_eq!(delete(5_001), Err(PermissionsError::TooMany { count: 5_001, limit: 5_000 }));
}

#[test]
fn a_method_that_is_not_the_operations_is_refused() {
    let parameters = Value::Record(vec![("restApiId".into(), Value::Text("r".into()))]);
    let account = AccountId::new("111122223333").unwrap();
    let ask = |method| {
        Permissions::embedded().of(&Question {
            service: "apigateway",
            operation: "GetRestApi",
            parameters: &parameters,
            partition: "aws",
            account: &account,
            region: "eu-west-1",
            http_method_path: Some((method, "/restapis/r")),
        })
    };
    assert!(ask("GET").is_ok());
    assert!(matches!(ask("DELETE"), Err(PermissionsError::OtherMethod { .. })));
}

#[test]
fn actions_are_found_in_any_letter_case() {
    let data = Permissions::embedded();
    let action = data.action("s3:getobject").unwrap();
    assert_eq!((action.name, action.documented), ("s3:GetObject", true));
    assert!(data.action("sts:AssumeRole").unwrap().classes.contains(Class::CredentialReturning));
    assert!(data.action("s3:GetObjects").is_none());
    assert!(data.actions().count() > 20_000);
}

#[test]
fn other_partitions_have_their_own_arns() {
    let parameters = Value::Record(vec![("Bucket".into(), Value::Text("my-bucket".into()))]);
    let account = AccountId::new("111122223333").unwrap();
    let found = Permissions::embedded()
        .of(&Question {
            service: "s3",
            operation: "ListObjectsV2",
            parameters: &parameters,
            partition: "aws-cn",
            account: &account,
            region: "cn-north-1",
            http_method_path: None,
        })
        .unwrap();
    assert_eq!(found[0].resource, Resource::Exact("arn:aws-cn:s3:::my-bucket".into()));
}
