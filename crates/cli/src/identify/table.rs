//! An answer for people: one block of aligned lines.

use crate::visible::visible;

use super::{
    answer::{Answer, known_as},
    json::write_value,
};

/// The most characters of one value.
const MOST: usize = 400;

/// The block for the request at `number`, counted from 1, with an empty line after it.
pub(crate) fn block(number: usize, answer: &Answer) -> String {
    let mut out = format!("{number}  {}", heading(answer));
    out.push('\n');
    if !answer.aliases.is_empty() {
        line(&mut out, "also", &answer.aliases.join(", "));
    }
    for (name, value) in answer.parameters.iter().filter_map(|value| value.as_record()).flatten() {
        let mut text = String::new();
        write_value(&mut text, value, &answer.stream);
        // A member is one of the model's, but the keys of maps are not.
        line(&mut out, "parameter", &format!("{name} = {text}"));
    }
    for permission in &answer.actions {
        let mut text = format!("{} ({})", permission.action, permission.level.as_str());
        for class in permission.classes.iter() {
            text.push_str(&format!(" [{}]", class.as_str()));
        }
        text.push_str(&format!(" on {}", permission.resource.as_str()));
        if permission.resource.exact().is_none() {
            text.push_str(&format!(" ({})", known_as(&permission.resource)));
        }
        line(&mut out, "action", &text);
    }
    if let Some(upstream) = &answer.upstream {
        let text = format!("{}, signed as {} in {}", upstream.host, upstream.signing_name, upstream.signing_region);
        line(&mut out, "upstream", &text);
    }
    if !answer.sensitive_output.is_empty() {
        line(&mut out, "sensitive", &answer.sensitive_output.join(", "));
    }
    if let Some(token) = &answer.idempotency_token {
        line(&mut out, "token", token);
    }
    for problem in &answer.problems {
        line(&mut out, "PROBLEM", problem);
    }
    out.push('\n');
    out
}

fn heading(answer: &Answer) -> String {
    match (&answer.service, &answer.operation, answer.protocol) {
        (Some(service), Some(operation), Some(protocol)) => format!("{service}:{operation}  {protocol}"),
        _ => "not identified".to_owned(),
    }
}

fn line(out: &mut String, label: &str, text: &str) {
    out.push_str(&format!("   {label:<10} {}\n", visible(text, MOST)));
}
