//! Conditions on the parameters, as the reviewed tables write them.
//!
//! ```text
//! condition = term *( "|" term )          any term
//! term      = factor *( "&" factor )      all factors
//! factor    = ["!"] path [ ("=" | "~" | "^=") text ]
//! ```
//! A path alone asks whether the member is given; `=` compares any value at the path, `~` asks
//! whether it contains the text and `^=` whether it starts with it. `!` negates. The empty
//! condition always holds.

use crate::scope::Scope;

/// Whether `condition` holds in `scope`.
pub(crate) fn holds(condition: &str, scope: &Scope<'_>) -> bool {
    condition.is_empty()
        || condition.split('|').any(|term| term.split('&').all(|factor| factor_holds(factor.trim(), scope)))
}

fn factor_holds(factor: &str, scope: &Scope<'_>) -> bool {
    if let Some(negated) = factor.strip_prefix('!') {
        return !factor_holds(negated, scope);
    }
    let (path, operator, wanted) = split(factor);
    match operator {
        Operator::Given => !scope.values(path).is_empty() || (path == "@key" && !scope.texts(path).is_empty()),
        Operator::Is => scope.texts(path).iter().any(|text| text == wanted),
        Operator::Contains => scope.texts(path).iter().any(|text| text.contains(wanted)),
        Operator::StartsWith => scope.texts(path).iter().any(|text| text.starts_with(wanted)),
    }
}

enum Operator {
    Given,
    Is,
    Contains,
    StartsWith,
}

/// Path, operator and text of a factor; the first operator counts, the text may hold any sign.
fn split(factor: &str) -> (&str, Operator, &str) {
    let Some((path, rest)) = factor.find(['=', '~']).and_then(|at| factor.split_at_checked(at)) else {
        return (factor, Operator::Given, "");
    };
    if let Some(text) = rest.strip_prefix('~') {
        return (path, Operator::Contains, text);
    }
    let text = rest.strip_prefix('=').unwrap_or(rest);
    match path.strip_suffix('^') {
        Some(path) => (path, Operator::StartsWith, text),
        None => (path, Operator::Is, text),
    }
}

/// The member paths that a condition names, for checking tables against the service models.
pub fn paths(condition: &str) -> Vec<&str> {
    condition
        .split(['|', '&'])
        .filter(|factor| !factor.is_empty())
        .map(|factor| split(factor.trim().trim_start_matches('!')).0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_domain::Value;

    #[test]
    fn conditions_read_presence_and_values() {
        let root = Value::Record(vec![
            ("A".into(), Value::Text("one".into())),
            ("B".into(), Value::List(vec![Value::Text("x".into()), Value::Text("y".into())])),
            ("Q".into(), Value::Text("k?x=1".into())),
            ("Empty".into(), Value::List(vec![])),
            ("Null".into(), Value::Null),
            ("Flag".into(), Value::Bool(false)),
        ]);
        let scope = Scope::whole(&root);
        for (condition, expected) in [
            ("", true),
            ("A", true),
            ("!A", false),
            ("Empty", false),
            ("Null", false),
            ("Flag", true),
            ("Flag=true", false),
            ("Flag=false", true),
            ("A=one&B[]=y", true),
            ("A=two|B[]=y", true),
            ("A=two|B[]=z", false),
            ("A~n&!C", true),
            ("A^=on", true),
            ("A^=ne", false),
            ("!Flag=true", true),
            ("A~?x=", false),
            ("Q~?x=", true),
        ] {
            assert_eq!(holds(condition, &scope), expected, "{condition}");
        }
        assert_eq!(paths("A=two|!B[]~z&C^=q"), ["A", "B[]", "C"]);
    }
}
