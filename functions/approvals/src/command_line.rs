//! A call as the AWS CLI line that would make it: the form that most people read fastest.

use countersign_domain::{Call, Value};
use serde_json::Value as Json;

/// CLI commands that are not named as the service's directory in botocore.
/// Source: the AWS CLI's customizations (`s3api`, `deploy`, `configservice`).
const RENAMED: &[(&str, &str)] = &[("s3", "s3api"), ("codedeploy", "deploy"), ("config", "configservice")];

/// The line; `parameters` are the masked parameters to show, in the call's own order.
pub(crate) fn command_line(call: &Call, parameters: &Json) -> String {
    let service = RENAMED.iter().find(|(id, _)| *id == call.service).map_or(call.service.as_str(), |(_, name)| name);
    let mut line = format!("aws {service} {} --region {}", kebab(&call.operation), call.region);
    for (name, value) in call.parameters.as_record().unwrap_or_default() {
        let option = kebab(name);
        let shown = parameters.get(name).unwrap_or(&Json::Null);
        match (value, shown) {
            (Value::Bool(true), _) => line.push_str(&format!(" --{option}")),
            (Value::Bool(false), _) => line.push_str(&format!(" --no-{option}")),
            (Value::Stream { length }, _) => line.push_str(&format!(" --{option} '<{length} bytes>'")),
            (_, Json::String(text)) => line.push_str(&format!(" --{option} {}", quoted(text))),
            (_, Json::Array(items)) if items.iter().all(Json::is_string) => {
                line.push_str(&format!(" --{option}"));
                for item in items.iter().filter_map(Json::as_str) {
                    line.push(' ');
                    line.push_str(&quoted(item));
                }
            }
            (_, other) => line.push_str(&format!(" --{option} {}", quoted(&other.to_string()))),
        }
    }
    line
}

/// A word as a POSIX shell reads it back.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@,+".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// `CreateDBInstance` as `create-db-instance`: botocore's `xform_name` with a hyphen.
fn kebab(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let at = |place: usize| letters.get(place).copied().unwrap_or('\0');
    let plural_from = plural_acronym(&letters);
    let mut out = String::with_capacity(name.len() + 6);
    for (place, letter) in letters.iter().enumerate() {
        let starts_word = if plural_from.is_some_and(|from| place >= from) {
            plural_from == Some(place)
        } else {
            letter.is_ascii_uppercase()
                && (at(place.wrapping_sub(1)).is_ascii_lowercase()
                    || at(place.wrapping_sub(1)).is_ascii_digit()
                    || at(place + 1).is_ascii_lowercase())
        };
        if starts_word && place > 0 && !out.ends_with('-') {
            out.push('-');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// Where a final plural acronym such as the `ARNs` of `LoadBalancerARNs` begins, which is one word.
fn plural_acronym(letters: &[char]) -> Option<usize> {
    let (last, front) = letters.split_last()?;
    let capitals = front.iter().rev().take_while(|letter| letter.is_ascii_uppercase()).count();
    (*last == 's' && capitals >= 2).then_some(front.len() - capitals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_cli() {
        let table = [
            ("CreateRole", "create-role"),
            ("AssumeRolePolicyDocument", "assume-role-policy-document"),
            ("CreateDBInstance", "create-db-instance"),
            ("DescribeVpcs", "describe-vpcs"),
            ("LoadBalancerARNs", "load-balancer-arns"),
            ("GetEC2Instances", "get-ec2-instances"),
            ("ListObjectsV2", "list-objects-v2"),
            ("MaxKeys", "max-keys"),
            ("DBInstanceIdentifier", "db-instance-identifier"),
            ("ACL", "acl"),
        ];
        for (name, shown) in table {
            assert_eq!(kebab(name), shown);
        }
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for text in ["plain", "", "a b", "it's", "$(rm -rf /)", "`x`", "a\nb", "\\", "\"", "*"] {
            let output = std::process::Command::new("sh").arg("-c").arg(format!("printf %s {}", quoted(text))).output();
            assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), text);
        }
    }
}
