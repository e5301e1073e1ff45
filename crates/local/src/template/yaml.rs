//! YAML with CloudFormation's short forms, as JSON with the long forms.

use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;

use crate::error::StackError;

/// Reads a template's text.
pub(super) fn to_json(text: &str) -> Result<Value, StackError> {
    let yaml: Yaml = serde_yaml_ng::from_str(text).map_err(|error| StackError::Template(error.to_string()))?;
    convert(&yaml)
}

fn convert(yaml: &Yaml) -> Result<Value, StackError> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(*value),
        Yaml::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => json!(number),
            (None, number) => json!(number),
        },
        Yaml::String(text) => Value::String(text.clone()),
        Yaml::Sequence(items) => Value::Array(items.iter().map(convert).collect::<Result<_, _>>()?),
        Yaml::Mapping(members) => {
            let mut object = Map::new();
            for (key, value) in members {
                object.insert(key_text(key)?, convert(value)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = tag.strip_prefix('!').unwrap_or(&tag);
            let mut inner = convert(&tagged.value)?;
            let long = match name {
                "Ref" | "Condition" => name.to_owned(),
                "GetAtt" => {
                    if let Some((resource, attribute)) = inner.as_str().and_then(|text| text.split_once('.')) {
                        inner = json!([resource, attribute]);
                    }
                    "Fn::GetAtt".to_owned()
                }
                "And" | "Equals" | "FindInMap" | "If" | "Join" | "Not" | "Or" | "Select" | "Split" | "Sub" => {
                    format!("Fn::{name}")
                }
                other => return Err(StackError::Template(format!("unknown tag `!{other}`"))),
            };
            json!({ long: inner })
        }
    })
}

fn key_text(key: &Yaml) -> Result<String, StackError> {
    match key {
        Yaml::String(text) => Ok(text.clone()),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(value) => Ok(value.to_string()),
        // `Null` is also the name of a condition operator; unquoted it is YAML's null.
        Yaml::Null => Err(StackError::Template("a key is null; quote it".to_owned())),
        _ => Err(StackError::Template("a key is not a string".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_become_long_ones_and_anchors_are_replaced() {
        let text = "A: !Ref X\nB: !GetAtt Y.Arn\nC: !Sub 'a-${X}'\nD: &d [1, !If [c, 2, !Ref AWS::NoValue]]\nE: *d\n";
        let json = to_json(text).expect("template");
        assert_eq!(
            json,
            json!({
                "A": {"Ref": "X"},
                "B": {"Fn::GetAtt": ["Y", "Arn"]},
                "C": {"Fn::Sub": "a-${X}"},
                "D": [1, {"Fn::If": ["c", 2, {"Ref": "AWS::NoValue"}]}],
                "E": [1, {"Fn::If": ["c", 2, {"Ref": "AWS::NoValue"}]}],
            })
        );
        assert!(to_json("A: !Transform x").is_err());
        assert!(to_json("~: 1").is_err());
    }
}
