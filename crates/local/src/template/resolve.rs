//! The intrinsic functions.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Template;
use crate::error::StackError;

/// What `Ref` and `Fn::GetAtt` give for a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Physical {
    /// `Ref`.
    pub reference: String,
    /// `Fn::GetAtt`, by attribute.
    pub attributes: BTreeMap<String, String>,
}

/// Everything that values can refer to.
#[derive(Clone, Debug)]
pub struct Resolver {
    parameters: BTreeMap<String, Value>,
    conditions: Map<String, Value>,
    mappings: Map<String, Value>,
    resources: BTreeMap<String, Physical>,
}

/// The pseudo parameters.
#[derive(Clone, Debug)]
pub struct Pseudo {
    /// `AWS::AccountId`
    pub account: String,
    /// `AWS::Region`
    pub region: String,
    /// `AWS::StackName`
    pub stack_name: String,
}

impl Resolver {
    /// A resolver for `template` with these parameters; it knows no resources yet.
    ///
    /// # Errors
    /// As [`Template::parameters`].
    pub fn new(template: &Template, given: &BTreeMap<String, String>, pseudo: &Pseudo) -> Result<Self, StackError> {
        let mut parameters = template.parameters(given)?;
        let stack_id =
            format!("arn:aws:cloudformation:{}:{}:stack/{}/local", pseudo.region, pseudo.account, pseudo.stack_name);
        for (name, value) in [
            ("AWS::AccountId", pseudo.account.as_str()),
            ("AWS::Partition", "aws"),
            ("AWS::Region", pseudo.region.as_str()),
            ("AWS::StackId", stack_id.as_str()),
            ("AWS::StackName", pseudo.stack_name.as_str()),
            ("AWS::URLSuffix", "amazonaws.com"),
        ] {
            parameters.insert(name.to_owned(), Value::String(value.to_owned()));
        }
        Ok(Self {
            parameters,
            conditions: template.section("Conditions"),
            mappings: template.section("Mappings"),
            resources: BTreeMap::new(),
        })
    }

    /// Makes a resource known.
    pub fn add(&mut self, logical_id: &str, physical: Physical) {
        self.resources.insert(logical_id.to_owned(), physical);
    }

    /// What is known of a resource.
    pub fn physical(&self, logical_id: &str) -> Option<&Physical> {
        self.resources.get(logical_id)
    }

    /// The resolved value; `None` where it is `AWS::NoValue`.
    ///
    /// # Errors
    /// [`StackError::Template`] names what is not understood or not known.
    pub fn resolve(&self, value: &Value) -> Result<Option<Value>, StackError> {
        match value {
            Value::Array(items) => {
                let items: Result<Vec<_>, _> = items.iter().map(|item| self.resolve(item)).collect();
                Ok(Some(Value::Array(items?.into_iter().flatten().collect())))
            }
            Value::Object(members) => match function(members) {
                Some((name, argument)) => self.call(name, argument),
                None => {
                    let mut object = Map::new();
                    for (key, member) in members {
                        if let Some(member) = self.resolve(member)? {
                            object.insert(key.clone(), member);
                        }
                    }
                    Ok(Some(Value::Object(object)))
                }
            },
            other => Ok(Some(other.clone())),
        }
    }

    /// The resolved text.
    ///
    /// # Errors
    /// [`StackError::Template`] also when it is not text.
    pub fn text(&self, value: &Value) -> Result<String, StackError> {
        match self.resolve(value)? {
            Some(Value::String(text)) => Ok(text),
            Some(scalar @ (Value::Number(_) | Value::Bool(_))) => Ok(scalar.to_string()),
            other => Err(StackError::Template(format!("`{value}` is {other:?}, not text"))),
        }
    }

    /// Whether a condition holds.
    ///
    /// # Errors
    /// [`StackError::Template`] when there is no such condition or it is not understood.
    pub fn condition(&self, name: &str) -> Result<bool, StackError> {
        let body = self.conditions.get(name).ok_or_else(|| StackError::Template(format!("no condition `{name}`")))?;
        self.holds(body)
    }

    fn call(&self, name: &str, argument: &Value) -> Result<Option<Value>, StackError> {
        match name {
            "Ref" => self.reference(text_of(argument)?),
            "Fn::GetAtt" => match argument.as_array().map(Vec::as_slice) {
                Some([Value::String(resource), Value::String(attribute)]) => {
                    self.attribute(resource, attribute).map(|text| Some(Value::String(text)))
                }
                _ => Err(malformed(name, argument)),
            },
            "Fn::Sub" => self.substitute(argument).map(|text| Some(Value::String(text))),
            "Fn::If" => match argument.as_array().map(Vec::as_slice) {
                Some([Value::String(condition), yes, no]) => {
                    self.resolve(if self.condition(condition)? { yes } else { no })
                }
                _ => Err(malformed(name, argument)),
            },
            "Fn::Join" => match argument.as_array().map(Vec::as_slice) {
                Some([Value::String(separator), items]) => {
                    let items = self.texts(items)?;
                    Ok(Some(Value::String(items.join(separator))))
                }
                _ => Err(malformed(name, argument)),
            },
            "Fn::Split" => match argument.as_array().map(Vec::as_slice) {
                Some([Value::String(separator), text]) => {
                    let text = self.text(text)?;
                    Ok(Some(text.split(separator.as_str()).map(|part| Value::String(part.to_owned())).collect()))
                }
                _ => Err(malformed(name, argument)),
            },
            "Fn::Select" => match argument.as_array().map(Vec::as_slice) {
                Some([index, items]) => {
                    let index: usize = self.text(index)?.parse().map_err(|_| malformed(name, argument))?;
                    let item = self.texts(items)?.into_iter().nth(index);
                    item.map(|item| Some(Value::String(item))).ok_or_else(|| malformed(name, argument))
                }
                _ => Err(malformed(name, argument)),
            },
            "Fn::FindInMap" => self.find_in_map(argument).map(Some),
            "Fn::And" | "Fn::Or" | "Fn::Not" | "Fn::Equals" => self
                .holds(&Value::Object(Map::from_iter([(name.to_owned(), argument.clone())])))
                .map(|is| Some(Value::Bool(is))),
            other => Err(StackError::Template(format!("the function `{other}` is not known to the local stack"))),
        }
    }

    fn reference(&self, name: &str) -> Result<Option<Value>, StackError> {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(value) = self.parameters.get(name) {
            return Ok(Some(value.clone()));
        }
        if let Some(physical) = self.resources.get(name) {
            return Ok(Some(Value::String(physical.reference.clone())));
        }
        // SAM's `!Ref Function.Alias`.
        match name.split_once('.') {
            Some((resource, attribute)) => self.attribute(resource, attribute).map(|text| Some(Value::String(text))),
            None => Err(StackError::Template(format!("`{name}` refers to nothing that is known"))),
        }
    }

    fn attribute(&self, resource: &str, attribute: &str) -> Result<String, StackError> {
        let physical = self.resources.get(resource);
        let found = physical.and_then(|physical| physical.attributes.get(attribute));
        found.cloned().ok_or_else(|| StackError::Template(format!("`{resource}.{attribute}` is not known")))
    }

    fn substitute(&self, argument: &Value) -> Result<String, StackError> {
        let (template, local) = match argument {
            Value::String(template) => (template, None),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(template), Value::Object(local)] => (template, Some(local)),
                _ => return Err(malformed("Fn::Sub", argument)),
            },
            _ => return Err(malformed("Fn::Sub", argument)),
        };
        let mut text = String::new();
        let mut rest = template.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            let (name, tail) = after.split_once('}').ok_or_else(|| malformed("Fn::Sub", argument))?;
            text.push_str(before);
            match (name.strip_prefix('!'), local.and_then(|local| local.get(name))) {
                (Some(literal), _) => text.push_str(&format!("${{{literal}}}")),
                (None, Some(value)) => text.push_str(&self.text(value)?),
                (None, None) => match self.reference(name)? {
                    Some(Value::String(value)) => text.push_str(&value),
                    _ => return Err(StackError::Template(format!("`${{{name}}}` is not text"))),
                },
            }
            rest = tail;
        }
        text.push_str(rest);
        Ok(text)
    }

    fn texts(&self, items: &Value) -> Result<Vec<String>, StackError> {
        match self.resolve(items)? {
            Some(Value::Array(items)) => items.iter().map(|item| self.text(item)).collect(),
            _ => Err(StackError::Template(format!("`{items}` is not a list"))),
        }
    }

    fn find_in_map(&self, argument: &Value) -> Result<Value, StackError> {
        let keys = self.texts(argument)?;
        let mut found = Some(&Value::Null);
        if let [map, first, second] = keys.as_slice() {
            found = self.mappings.get(map).and_then(|map| map.get(first)).and_then(|first| first.get(second));
        }
        found.filter(|value| !value.is_null()).cloned().ok_or_else(|| malformed("Fn::FindInMap", argument))
    }

    fn holds(&self, body: &Value) -> Result<bool, StackError> {
        let members = body.as_object().ok_or_else(|| malformed("condition", body))?;
        let (name, argument) = function(members).ok_or_else(|| malformed("condition", body))?;
        let parts = || argument.as_array().ok_or_else(|| malformed(name, argument));
        match name {
            "Condition" => self.condition(text_of(argument)?),
            "Fn::Equals" => match parts()?.as_slice() {
                [left, right] => Ok(self.text(left)? == self.text(right)?),
                _ => Err(malformed(name, argument)),
            },
            "Fn::Not" => match parts()?.as_slice() {
                [inner] => self.holds(inner).map(|holds| !holds),
                _ => Err(malformed(name, argument)),
            },
            "Fn::And" => parts()?.iter().try_fold(true, |all, part| Ok(self.holds(part)? && all)),
            "Fn::Or" => parts()?.iter().try_fold(false, |any, part| Ok(self.holds(part)? || any)),
            other => Err(StackError::Template(format!("the condition function `{other}` is not known"))),
        }
    }
}

/// The function that an object with one member calls. `Condition` is one only with a string, and
/// is else a member of a policy statement.
fn function(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut members = members.iter();
    let (name, argument) = members.next().filter(|_| members.next().is_none())?;
    let is_function = name == "Ref" || name.starts_with("Fn::") || (name == "Condition" && argument.is_string());
    is_function.then_some((name.as_str(), argument))
}

fn text_of(value: &Value) -> Result<&str, StackError> {
    value.as_str().ok_or_else(|| StackError::Template(format!("`{value}` is not a name")))
}

fn malformed(name: &str, argument: &Value) -> StackError {
    StackError::Template(format!("malformed `{name}`: {argument}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resolver() -> Resolver {
        let template = Template::from_text(
            "Parameters:\n  A: {Type: String, Default: a}\n  L: {Type: CommaDelimitedList, Default: 'x, y'}\n  E: {Type: String}\n\
             Conditions:\n  HasE: !Not [!Equals [!Ref E, '']]\n  Both: !And [!Condition HasE, !Equals [!Ref A, a]]\n\
             Resources: {}\n",
        )
        .expect("template");
        let pseudo = Pseudo { account: "111122223333".into(), region: "eu-central-1".into(), stack_name: "s".into() };
        let given = BTreeMap::from([("E".to_owned(), "e".to_owned())]);
        let mut resolver = Resolver::new(&template, &given, &pseudo).expect("parameters");
        let attributes =
            BTreeMap::from([("Arn".to_owned(), "arn:t".to_owned()), ("Alias".to_owned(), "arn:a".to_owned())]);
        resolver.add("T", Physical { reference: "table".into(), attributes });
        resolver
    }

    #[test]
    fn functions_resolve_as_in_cloudformation() {
        for (value, expected) in [
            (json!({"Ref": "A"}), Some(json!("a"))),
            (json!({"Ref": "L"}), Some(json!(["x", "y"]))),
            (json!({"Ref": "T"}), Some(json!("table"))),
            (json!({"Ref": "T.Alias"}), Some(json!("arn:a"))),
            (json!({"Fn::GetAtt": ["T", "Arn"]}), Some(json!("arn:t"))),
            (json!({"Fn::Sub": "${AWS::Region}/${T}/${T.Arn}/${!x}"}), Some(json!("eu-central-1/table/arn:t/${x}"))),
            (json!({"Fn::If": ["Both", 1, 2]}), Some(json!(1))),
            (json!({"Fn::Join": [",", ["a", {"Ref": "AWS::NoValue"}, {"Ref": "T"}]]}), Some(json!("a,table"))),
            (json!({"Fn::Join": ["", {"Ref": "L"}]}), Some(json!("xy"))),
            (json!({"Fn::Select": [1, {"Fn::Split": ["-", "a-b"]}]}), Some(json!("b"))),
            (json!({"a": {"Ref": "AWS::NoValue"}, "b": 1}), Some(json!({"b": 1}))),
            (json!({"Ref": "AWS::NoValue"}), None),
        ] {
            assert_eq!(resolver().resolve(&value).expect("resolves"), expected, "{value}");
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for value in [
            json!({"Ref": "Missing"}),
            json!({"Fn::GetAtt": ["T", "StreamArn"]}),
            json!({"Fn::Sub": "${Missing}"}),
            json!({"Fn::If": ["Missing", 1, 2]}),
            json!({"Fn::Base64": "x"}),
            json!({"Fn::ImportValue": "x"}),
        ] {
            assert!(resolver().resolve(&value).is_err(), "{value}");
        }
    }
}
