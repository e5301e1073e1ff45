//! Evaluates the endpoint rules of a service model, so that the catalogue can hold plain tables.
//!
//! The language is that of Smithy's endpoint rule sets, version 1.0. Only what a host without
//! FIPS, dual-stack and custom endpoints needs is evaluated with values; the rest is false or
//! unset. A function that is not known here is an error, never a guess.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::BuildError;

/// What the rules give for one set of parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The URL.
    pub url: String,
    /// The first authentication scheme, if the rules name any.
    pub scheme: Option<Scheme>,
}

/// An authentication scheme of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// `sigv4`, `sigv4a` or `sigv4-s3express`.
    pub name: String,
    /// The signing name, if the rules give one.
    pub signing_name: Option<String>,
    /// The signing region, if the rules give one.
    pub signing_region: Option<String>,
}

/// Variables in scope.
type Scope = BTreeMap<String, Value>;

/// The rules of one service, with the partitions that they refer to.
pub struct Rules<'a> {
    rules: &'a Value,
    partitions: &'a Value,
}

impl<'a> Rules<'a> {
    /// The rules of `rule_set` (`endpoint-rule-set-1.json`) over `partitions.json`.
    pub fn new(rule_set: &'a Value, partitions: &'a Value) -> Self {
        Self { rules: rule_set, partitions }
    }

    /// The endpoint for `given` parameters; `None` where the rules give an error or nothing.
    ///
    /// # Errors
    /// [`BuildError`] when the rules use something that is not known here.
    pub fn resolve(&self, given: &Scope) -> Result<Option<Resolved>, BuildError> {
        let mut scope = Scope::new();
        for (name, parameter) in self.rules["parameters"].as_object().into_iter().flatten() {
            if let Some(value) = given.get(name).or_else(|| parameter.get("default")) {
                scope.insert(name.clone(), value.clone());
            }
        }
        match self.any(&self.rules["rules"], &scope)? {
            Outcome::Endpoint(resolved) => Ok(Some(resolved)),
            Outcome::Refused | Outcome::NoMatch => Ok(None),
        }
    }

    fn any(&self, rules: &Value, scope: &Scope) -> Result<Outcome, BuildError> {
        for rule in rules.as_array().into_iter().flatten() {
            match self.one(rule, scope.clone())? {
                Outcome::NoMatch => {}
                found => return Ok(found),
            }
        }
        Ok(Outcome::NoMatch)
    }

    fn one(&self, rule: &Value, mut scope: Scope) -> Result<Outcome, BuildError> {
        for condition in rule["conditions"].as_array().into_iter().flatten() {
            let result = self.call(condition, &mut scope)?;
            if result.is_null() || result == Value::Bool(false) {
                return Ok(Outcome::NoMatch);
            }
        }
        match rule["type"].as_str() {
            Some("tree") => self.any(&rule["rules"], &scope),
            Some("error") => Ok(Outcome::Refused),
            Some("endpoint") => self.endpoint(&rule["endpoint"], &mut scope),
            _ => Err(BuildError::rules("unknown type of rule")),
        }
    }

    fn endpoint(&self, endpoint: &Value, scope: &mut Scope) -> Result<Outcome, BuildError> {
        let url = self.value(&endpoint["url"], scope)?;
        let url = url.as_str().ok_or_else(|| BuildError::rules("an URL is no text"))?.to_owned();
        let mut text = |value: &Value| -> Result<Option<String>, BuildError> {
            if value.is_null() { Ok(None) } else { Ok(self.value(value, scope)?.as_str().map(str::to_owned)) }
        };
        // SigV4 wherever the service takes it: it is what the gateway signs with.
        let schemes = endpoint["properties"]["authSchemes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let preferred = schemes.iter().find(|scheme| scheme["name"] == "sigv4").or_else(|| schemes.first());
        let scheme = match preferred {
            None => None,
            Some(scheme) => Some(Scheme {
                name: text(&scheme["name"])?.unwrap_or_default(),
                signing_name: text(&scheme["signingName"])?,
                signing_region: text(&scheme["signingRegion"])?,
            }),
        };
        Ok(Outcome::Endpoint(Resolved { url, scheme }))
    }

    fn value(&self, value: &Value, scope: &mut Scope) -> Result<Value, BuildError> {
        match value {
            Value::Object(object) if object.contains_key("fn") => self.call(value, scope),
            Value::Object(object) => match object.get("ref").and_then(Value::as_str) {
                Some(name) => Ok(scope.get(name).cloned().unwrap_or(Value::Null)),
                None => Err(BuildError::rules("an object that is neither call nor reference")),
            },
            Value::String(template) => fill(template, scope).map(Value::String),
            plain => Ok(plain.clone()),
        }
    }

    fn call(&self, call: &Value, scope: &mut Scope) -> Result<Value, BuildError> {
        let name = call["fn"].as_str().unwrap_or_default();
        let mut arguments = Vec::new();
        for argument in call["argv"].as_array().into_iter().flatten() {
            arguments.push(self.value(argument, scope)?);
        }
        let null = Value::Null;
        let first = arguments.first().unwrap_or(&null);
        let second = arguments.get(1).unwrap_or(&null);
        let result = match name {
            "isSet" => Value::Bool(!first.is_null()),
            "not" => Value::Bool(matches!(first, Value::Null | Value::Bool(false))),
            "booleanEquals" | "stringEquals" => Value::Bool(first == second),
            "getAttr" => attribute(first, second.as_str().unwrap_or_default()),
            "aws.partition" => self.partition(first.as_str().unwrap_or_default()),
            "isValidHostLabel" => {
                Value::Bool(first.as_str().is_some_and(|text| is_host_label(text, second == &Value::Bool(true))))
            }
            "substring" => substring(&arguments),
            "aws.parseArn" => first.as_str().and_then(parse_arn).unwrap_or(Value::Null),
            "aws.isVirtualHostableS3Bucket" | "parseURL" | "uriEncode" if first.is_null() => Value::Null,
            other => return Err(BuildError::rules(&format!("the function `{other}` is not known"))),
        };
        if let Some(variable) = call["assign"].as_str() {
            scope.insert(variable.to_owned(), result.clone());
        }
        Ok(result)
    }

    fn partition(&self, region: &str) -> Value {
        let all = self.partitions["partitions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let matches = |partition: &&Value| {
            partition["regions"].get(region).is_some()
                || region_prefixes(partition).iter().any(|prefix| is_region_of(region, prefix))
        };
        let Some(partition) = all.iter().find(matches).or_else(|| all.first()) else { return Value::Null };
        let mut outputs = partition["outputs"].as_object().cloned().unwrap_or_default();
        outputs.insert("name".to_owned(), partition["id"].clone());
        Value::Object(outputs)
    }
}

enum Outcome {
    Endpoint(Resolved),
    Refused,
    NoMatch,
}

/// The literal prefixes of a partition's `regionRegex`, as in `^(us|eu)\-\w+\-\d+$`.
pub fn region_prefixes(partition: &Value) -> Vec<String> {
    let pattern = partition["regionRegex"].as_str().unwrap_or_default();
    let head = pattern.trim_start_matches('^').trim_end_matches(r"\w+\-\d+$").replace(r"\-", "-");
    match (head.find('('), head.find(')')) {
        (Some(open), Some(close)) => {
            let (before, rest) = head.split_at(open);
            let (choices, after) = rest.split_at(close - open);
            choices
                .trim_start_matches('(')
                .split('|')
                .map(|one| format!("{before}{one}{}", &after.replace(')', "")))
                .collect()
        }
        _ => vec![head],
    }
}

/// Whether `region` is `prefix`, a word, `-` and a number.
fn is_region_of(region: &str, prefix: &str) -> bool {
    region.strip_prefix(prefix).and_then(|rest| rest.split_once('-')).is_some_and(|(word, number)| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn fill(template: &str, scope: &Scope) -> Result<String, BuildError> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let (reference, after) = after.split_once('}').ok_or_else(|| BuildError::rules("an open template"))?;
        let mut names = reference.split('#');
        let mut value = names.next().and_then(|name| scope.get(name)).cloned().unwrap_or(Value::Null);
        for name in names {
            value = attribute(&value, name);
        }
        filled.push_str(value.as_str().ok_or_else(|| BuildError::rules(&format!("`{reference}` has no text")))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn attribute(value: &Value, path: &str) -> Value {
    path.split('.').fold(value.clone(), |value, step| {
        let (name, index) = match step.split_once('[') {
            Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
            None => (step, None),
        };
        let named = if name.is_empty() { value } else { value.get(name).cloned().unwrap_or(Value::Null) };
        index.map_or(named.clone(), |index| named.get(index).cloned().unwrap_or(Value::Null))
    })
}

fn is_host_label(text: &str, allow_dots: bool) -> bool {
    if allow_dots {
        return text.split('.').all(|label| is_host_label(label, false));
    }
    !text.is_empty()
        && text.len() <= 63
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn substring(arguments: &[Value]) -> Value {
    let number =
        |place: usize| arguments.get(place).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
    let (Some(text), Some(start), Some(stop)) = (arguments.first().and_then(Value::as_str), number(1), number(2))
    else {
        return Value::Null;
    };
    if start >= stop || text.len() < stop || !text.is_ascii() {
        return Value::Null;
    }
    let reverse = arguments.get(3) == Some(&Value::Bool(true));
    let range = if reverse { text.len() - stop..text.len() - start } else { start..stop };
    text.get(range).map_or(Value::Null, |part| Value::String(part.to_owned()))
}

fn parse_arn(text: &str) -> Option<Value> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [scheme, partition, service, region, account, resource] = parts.as_slice() else { return None };
    if *scheme != "arn" || partition.is_empty() || service.is_empty() || resource.is_empty() {
        return None;
    }
    let mut arn = Map::new();
    for (name, value) in [("partition", partition), ("service", service), ("region", region), ("accountId", account)] {
        arn.insert(name.to_owned(), Value::String((*value).to_owned()));
    }
    let ids = resource.split([':', '/']).map(|id| Value::String(id.to_owned())).collect();
    arn.insert("resourceId".to_owned(), Value::Array(ids));
    Some(Value::Object(arn))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn prefixes_come_from_the_pattern() {
        let prefixes = |pattern: &str| region_prefixes(&json!({ "regionRegex": pattern }));
        assert_eq!(prefixes(r"^(us|eu)\-\w+\-\d+$"), ["us-", "eu-"]);
        assert_eq!(prefixes(r"^us\-gov\-\w+\-\d+$"), ["us-gov-"]);
        assert_eq!(prefixes(r"^eusc\-(de)\-\w+\-\d+$"), ["eusc-de-"]);
        assert!(is_region_of("us-east-1", "us-"));
        assert!(!is_region_of("us-gov-west-1", "us-"));
    }
}
