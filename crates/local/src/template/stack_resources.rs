//! The resources of a template: what each is called, and what each says.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Template,
    resolve::{Physical, Pseudo, Resolver},
};
use crate::error::StackError;

/// A resource whose condition holds, with its properties resolved.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Its logical id.
    pub logical_id: String,
    /// Its type.
    pub kind: String,
    /// Its properties.
    pub properties: Map<String, Value>,
    /// Its metadata, not resolved.
    pub metadata: Value,
}

/// What cannot be derived from the template: it exists only once the stack runs.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// KMS key ids by logical id.
    pub keys: BTreeMap<String, String>,
    /// URLs of HTTP APIs and function URLs by logical id.
    pub urls: BTreeMap<String, String>,
}

/// Types that only exist at AWS: they watch, log, name or publish, and nothing local depends on
/// what they are.
const WITHOUT_LOCAL_MEANING: [&str; 9] = [
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CloudWatch::Alarm",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::Serverless::LayerVersion",
];

/// Types whose resources are policies of other resources, or attach them.
const POLICIES: [&str; 4] = ["AWS::IAM::Policy", "AWS::KMS::Alias", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy"];

/// The logical ids of a type, of resources whose condition holds.
///
/// # Errors
/// [`StackError::Template`] when a condition is not understood.
pub fn of_type(template: &Template, resolver: &Resolver, kind: &str) -> Result<Vec<String>, StackError> {
    let all = existing(template, resolver)?;
    Ok(all
        .into_iter()
        .filter(|(_, body)| body.get("Type").and_then(Value::as_str) == Some(kind))
        .map(|(id, _)| id)
        .collect())
}

/// Names every resource and then resolves the properties of each.
///
/// # Errors
/// [`StackError::Template`] for a type that the local stack does not know, or a value that it does
/// not understand.
pub fn declared(
    template: &Template,
    resolver: &mut Resolver,
    pseudo: &Pseudo,
    outside: &Outside,
) -> Result<Vec<Declared>, StackError> {
    let existing = existing(template, resolver)?;
    for (logical_id, body) in &existing {
        let physical = physical(logical_id, body, resolver, pseudo, outside)
            .map_err(|error| StackError::Template(format!("{logical_id}: {error}")))?;
        resolver.add(logical_id, physical);
    }
    let globals = template.section("Globals");
    existing
        .into_iter()
        .map(|(logical_id, body)| {
            let kind = body.get("Type").and_then(Value::as_str).unwrap_or_default().to_owned();
            let mut properties = body.get("Properties").and_then(Value::as_object).cloned().unwrap_or_default();
            if kind == "AWS::Serverless::Function"
                && let Some(shared) = globals.get("Function").and_then(Value::as_object)
            {
                properties = merged(shared, &properties);
            }
            let properties = if WITHOUT_LOCAL_MEANING.contains(&kind.as_str()) && !kind.starts_with("AWS::ApiGatewayV2")
            {
                Map::new()
            } else {
                resolved(&logical_id, &properties, resolver)?
            };
            let metadata = body.get("Metadata").cloned().unwrap_or_default();
            Ok(Declared { logical_id, kind, properties, metadata })
        })
        .collect()
}

fn resolved(
    logical_id: &str,
    properties: &Map<String, Value>,
    resolver: &Resolver,
) -> Result<Map<String, Value>, StackError> {
    match resolver.resolve(&Value::Object(properties.clone())) {
        Ok(Some(Value::Object(properties))) => Ok(properties),
        Ok(_) => Err(StackError::Template(format!("{logical_id}: no properties"))),
        Err(error) => Err(StackError::Template(format!("{logical_id}: {error}"))),
    }
}

fn existing(template: &Template, resolver: &Resolver) -> Result<Vec<(String, Value)>, StackError> {
    let mut existing = Vec::new();
    for (logical_id, body) in template.section("Resources") {
        let exists = match body.get("Condition").and_then(Value::as_str) {
            Some(condition) => resolver.condition(condition)?,
            None => true,
        };
        if exists {
            existing.push((logical_id, body));
        }
    }
    Ok(existing)
}

/// SAM's rule for `Globals`: objects are merged, everything else is replaced.
fn merged(shared: &Map<String, Value>, own: &Map<String, Value>) -> Map<String, Value> {
    let mut all = shared.clone();
    for (key, value) in own {
        let value = match (all.get(key), value) {
            (Some(Value::Object(shared)), Value::Object(own)) => Value::Object(merged(shared, own)),
            _ => value.clone(),
        };
        all.insert(key.clone(), value);
    }
    all
}

/// What `Ref` and `Fn::GetAtt` give, from the resource's name or, without one, from its id.
fn physical(
    logical_id: &str,
    body: &Value,
    resolver: &Resolver,
    pseudo: &Pseudo,
    outside: &Outside,
) -> Result<Physical, StackError> {
    let kind = body.get("Type").and_then(Value::as_str).unwrap_or_default();
    let (region, account, stack) = (&pseudo.region, &pseudo.account, &pseudo.stack_name);
    let named = |property: &str| match body.get("Properties").and_then(|properties| properties.get(property)) {
        Some(name) => resolver.text(name),
        None => Ok(format!("{stack}-{logical_id}")),
    };
    let with_arn =
        |reference: String, arn: String| Physical { reference, attributes: BTreeMap::from([("Arn".to_owned(), arn)]) };
    let regional = |service: &str, rest: String| format!("arn:aws:{service}:{region}:{account}:{rest}");
    let url = || outside.urls.get(logical_id).cloned().unwrap_or_default();
    Ok(match kind {
        "AWS::DynamoDB::Table" => {
            let name = named("TableName")?;
            let arn = regional("dynamodb", format!("table/{name}"));
            let stream = format!("{arn}/stream/local");
            let mut physical = with_arn(name, arn);
            physical.attributes.insert("StreamArn".to_owned(), stream);
            physical
        }
        "AWS::S3::Bucket" => {
            let name = match body.get("Properties").and_then(|properties| properties.get("BucketName")) {
                Some(name) => resolver.text(name)?,
                None => format!("{stack}-{}-{account}", logical_id.to_lowercase()),
            };
            let arn = format!("arn:aws:s3:::{name}");
            with_arn(name, arn)
        }
        "AWS::KMS::Key" => {
            let id = outside.keys.get(logical_id);
            let id = id.ok_or_else(|| StackError::Template("the key was not made".to_owned()))?;
            let mut physical = with_arn(id.clone(), regional("kms", format!("key/{id}")));
            physical.attributes.insert("KeyId".to_owned(), id.clone());
            physical
        }
        "AWS::SNS::Topic" => {
            let name = named("TopicName")?;
            let arn = regional("sns", name.clone());
            let mut physical = Physical { reference: arn.clone(), ..Physical::default() };
            physical.attributes.extend([("TopicName".to_owned(), name), ("TopicArn".to_owned(), arn)]);
            physical
        }
        "AWS::IAM::Role" => {
            let name = named("RoleName")?;
            let arn = format!("arn:aws:iam::{account}:role/{name}");
            with_arn(name, arn)
        }
        "AWS::IAM::ManagedPolicy" => {
            let arn = format!("arn:aws:iam::{account}:policy/{}", named("ManagedPolicyName")?);
            Physical { reference: arn.clone(), attributes: BTreeMap::from([("PolicyArn".to_owned(), arn)]) }
        }
        "AWS::Serverless::Function" => {
            let name = named("FunctionName")?;
            let arn = regional("lambda", format!("function:{name}"));
            let alias = format!("{arn}:live");
            let mut physical = with_arn(name, arn);
            physical.attributes.extend([("Alias".to_owned(), alias.clone()), ("Version".to_owned(), alias)]);
            physical
        }
        "AWS::Serverless::StateMachine" => {
            let name = named("Name")?;
            let arn = regional("states", format!("stateMachine:{name}"));
            let mut physical = with_arn(arn.clone(), arn);
            physical.attributes.insert("Name".to_owned(), name);
            physical
        }
        "AWS::Logs::LogGroup" => {
            let name = named("LogGroupName")?;
            let arn = regional("logs", format!("log-group:{name}:*"));
            with_arn(name, arn)
        }
        "AWS::ApiGatewayV2::Api" => {
            let attributes =
                BTreeMap::from([("ApiEndpoint".to_owned(), url()), ("ApiId".to_owned(), logical_id.to_lowercase())]);
            Physical { reference: logical_id.to_lowercase(), attributes }
        }
        "AWS::Lambda::Url" => {
            Physical { reference: url(), attributes: BTreeMap::from([("FunctionUrl".to_owned(), url())]) }
        }
        "AWS::SES::EmailIdentity" => Physical { reference: named("EmailIdentity")?, ..Physical::default() },
        other if WITHOUT_LOCAL_MEANING.contains(&other) || POLICIES.contains(&other) => {
            Physical { reference: logical_id.to_owned(), ..Physical::default() }
        }
        other => return Err(StackError::Template(format!("the type `{other}` is not known to the local stack"))),
    })
}
