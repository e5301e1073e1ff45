//! Policy documents, read strictly: an element that is not understood is an error, never skipped.

use serde_json::{Map, Value};

use super::{
    conditions::{Condition, Context},
    pattern::Pattern,
    principals::Caller,
};

/// Why a document is not a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed policy document: {0}")]
pub struct PolicyError(pub String);

/// What a statement says of the requests that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Grants.
    Allow,
    /// Refuses, whatever else grants.
    Deny,
}

/// How directly a resource policy's statement names the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Naming {
    /// By its account: hands the question to the caller's own policies.
    Account,
    /// By its role, or as one of everybody.
    Role,
    /// By its very session.
    Session,
}

/// A policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    statements: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    effect: Effect,
    principals: Option<Vec<PrincipalPattern>>,
    actions: Listed,
    /// Absent in trust policies.
    resources: Option<Listed>,
    conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Listed {
    Only(Vec<String>),
    AllBut(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PrincipalPattern {
    Everyone,
    Account(String),
    Arn(String),
    Service(String),
    Federated(String),
}

/// One permission that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The IAM action, as in `dynamodb:PutItem`.
    pub action: &'a str,
    /// The ARN, or `*` where the action has no resource or it is not known.
    pub resource: &'a str,
    /// The condition keys.
    pub context: &'a Context,
}

impl Policy {
    /// Reads a document. `trust_or_resource` policies must name principals, others must not.
    ///
    /// # Errors
    /// [`PolicyError`] names what is missing, unknown or of the wrong type.
    pub fn from_json(document: &Value, names_principals: bool) -> Result<Self, PolicyError> {
        let document = object(document, "the document")?;
        only_keys(document, &["Version", "Id", "Statement"])?;
        match document.get("Version").and_then(Value::as_str) {
            // Without the current version there are no policy variables; nothing here is that old.
            Some("2012-10-17") => {}
            other => return Err(PolicyError(format!("`Version` must be `2012-10-17`, found {other:?}"))),
        }
        let statements = match document.get("Statement") {
            Some(Value::Array(items)) => {
                items.iter().map(|item| Statement::from_json(item, names_principals)).collect()
            }
            Some(item @ Value::Object(_)) => Statement::from_json(item, names_principals).map(|one| vec![one]),
            _ => Err(PolicyError("`Statement` is missing".to_owned())),
        }?;
        Ok(Self { statements })
    }

    /// Reads a document from its JSON text.
    ///
    /// # Errors
    /// [`PolicyError`], also when the text is not JSON.
    pub fn from_text(text: &str, names_principals: bool) -> Result<Self, PolicyError> {
        let document = serde_json::from_str(text).map_err(|error| PolicyError(error.to_string()))?;
        Self::from_json(&document, names_principals)
    }

    /// Whether a statement with this effect matches; principals are not looked at.
    pub fn says(&self, effect: Effect, question: Question<'_>) -> bool {
        self.statements.iter().any(|statement| statement.effect == effect && statement.matches(question))
    }

    /// How directly a statement with this effect names the caller, if one matches.
    pub fn says_of(&self, effect: Effect, question: Question<'_>, caller: &Caller) -> Option<Naming> {
        self.statements
            .iter()
            .filter(|statement| statement.effect == effect && statement.matches(question))
            .filter_map(|statement| statement.naming(caller))
            .max()
    }
}

impl Statement {
    fn from_json(statement: &Value, names_principals: bool) -> Result<Self, PolicyError> {
        let statement = object(statement, "a statement")?;
        only_keys(
            statement,
            &["Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"],
        )?;
        let effect = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            other => return Err(PolicyError(format!("`Effect` must be `Allow` or `Deny`, found {other:?}"))),
        };
        let principals = match (statement.get("Principal"), names_principals) {
            (Some(principal), true) => Some(principals(principal)?),
            (None, false) => None,
            (Some(_), false) => return Err(PolicyError("`Principal` has no place in this policy".to_owned())),
            (None, true) => return Err(PolicyError("`Principal` is missing".to_owned())),
        };
        let actions =
            listed(statement, "Action", "NotAction")?.ok_or_else(|| PolicyError("`Action` is missing".to_owned()))?;
        for action in actions.items() {
            if action != "*" && !action.contains(':') {
                return Err(PolicyError(format!("`{action}` is not an action")));
            }
        }
        let resources = listed(statement, "Resource", "NotResource")?;
        if resources.is_none() && !names_principals {
            return Err(PolicyError("`Resource` is missing".to_owned()));
        }
        if let Some(odd) = resources.iter().flat_map(Listed::items).find(|item| !is_resource(item)) {
            return Err(PolicyError(format!("`{odd}` is not a resource")));
        }
        let conditions = match statement.get("Condition") {
            None => Vec::new(),
            Some(block) => conditions(object(block, "`Condition`")?)?,
        };
        Ok(Self { effect, principals, actions, resources, conditions })
    }

    fn matches(&self, question: Question<'_>) -> bool {
        let action = self.actions.decides(|pattern| {
            Pattern::wildcards(pattern, &Context::default())
                .is_some_and(|pattern| pattern.matches_ignoring_case(question.action))
        });
        let resource = self.resources.as_ref().is_none_or(|resources| {
            resources.decides(|pattern| {
                Pattern::wildcards(pattern, question.context).is_some_and(|pattern| pattern.matches(question.resource))
            })
        });
        action && resource && self.conditions.iter().all(|condition| condition.holds(question.context))
    }

    fn naming(&self, caller: &Caller) -> Option<Naming> {
        self.principals.iter().flatten().filter_map(|principal| principal.naming(caller)).max()
    }
}

impl Listed {
    fn items(&self) -> &[String] {
        match self {
            Listed::Only(items) | Listed::AllBut(items) => items,
        }
    }

    fn decides(&self, matches: impl Fn(&str) -> bool) -> bool {
        match self {
            Listed::Only(items) => items.iter().any(|item| matches(item)),
            Listed::AllBut(items) => !items.iter().any(|item| matches(item)),
        }
    }
}

impl PrincipalPattern {
    fn naming(&self, caller: &Caller) -> Option<Naming> {
        match (self, caller) {
            (PrincipalPattern::Everyone, _) => Some(Naming::Role),
            (PrincipalPattern::Account(account), Caller::Session { account: own, .. }) => {
                (account == own).then_some(Naming::Account)
            }
            (PrincipalPattern::Arn(arn), Caller::Session { role_arn, session_arn, .. }) => {
                if arn == session_arn {
                    Some(Naming::Session)
                } else {
                    (arn == role_arn).then_some(Naming::Role)
                }
            }
            (PrincipalPattern::Service(service), Caller::Service(own)) => (service == own).then_some(Naming::Session),
            _ => None,
        }
    }
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, PolicyError> {
    value.as_object().ok_or_else(|| PolicyError(format!("{what} must be an object")))
}

fn only_keys(object: &Map<String, Value>, known: &[&str]) -> Result<(), PolicyError> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(PolicyError(format!("unknown element `{key}`"))),
        None => Ok(()),
    }
}

fn is_resource(text: &str) -> bool {
    text == "*" || (text.starts_with("arn:") && text.matches(':').count() >= 5) || text.starts_with("arn:*")
}

/// One string or a list of strings; booleans and numbers count as their text, as in conditions.
fn texts(value: &Value, what: &str) -> Result<Vec<String>, PolicyError> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => Err(PolicyError(format!("`{what}` must hold strings"))),
    };
    match value {
        Value::Array(items) if items.is_empty() => Err(PolicyError(format!("`{what}` is empty"))),
        Value::Array(items) => items.iter().map(one).collect(),
        other => one(other).map(|text| vec![text]),
    }
}

fn listed(statement: &Map<String, Value>, plain: &str, negated: &str) -> Result<Option<Listed>, PolicyError> {
    match (statement.get(plain), statement.get(negated)) {
        (Some(items), None) => texts(items, plain).map(Listed::Only).map(Some),
        (None, Some(items)) => texts(items, negated).map(Listed::AllBut).map(Some),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(PolicyError(format!("`{plain}` and `{negated}` exclude each other"))),
    }
}

fn conditions(block: &Map<String, Value>) -> Result<Vec<Condition>, PolicyError> {
    let mut conditions = Vec::new();
    for (operator, lines) in block {
        for (key, values) in object(lines, operator)? {
            let condition = Condition::new(operator, key, texts(values, key)?)
                .ok_or_else(|| PolicyError(format!("unknown condition operator `{operator}`")))?;
            conditions.push(condition);
        }
    }
    Ok(conditions)
}

fn principals(principal: &Value) -> Result<Vec<PrincipalPattern>, PolicyError> {
    if principal.as_str() == Some("*") {
        return Ok(vec![PrincipalPattern::Everyone]);
    }
    let mut patterns = Vec::new();
    for (kind, names) in object(principal, "`Principal`")? {
        for name in texts(names, kind)? {
            patterns.push(match kind.as_str() {
                "AWS" => aws_principal(&name)?,
                "Service" => PrincipalPattern::Service(name),
                "Federated" => PrincipalPattern::Federated(name),
                other => return Err(PolicyError(format!("unknown kind of principal `{other}`"))),
            });
        }
    }
    Ok(patterns)
}

fn aws_principal(name: &str) -> Result<PrincipalPattern, PolicyError> {
    if name == "*" {
        return Ok(PrincipalPattern::Everyone);
    }
    if name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(PrincipalPattern::Account(name.to_owned()));
    }
    let parts: Vec<&str> = name.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", "", account, "root"] => Ok(PrincipalPattern::Account((*account).to_owned())),
        ["arn", _, "iam" | "sts", "", _, rest] if !rest.contains('*') => Ok(PrincipalPattern::Arn(name.to_owned())),
        _ => Err(PolicyError(format!("invalid principal `{name}`"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn identity(statement: &Value) -> Result<Policy, PolicyError> {
        Policy::from_json(&json!({"Version": "2012-10-17", "Statement": statement}), false)
    }

    #[test]
    fn malformed_documents_are_refused() {
        for bad in [
            json!({"Effect": "Allow", "Action": "s3:GetObject"}),
            json!({"Effect": "allow", "Action": "s3:GetObject", "Resource": "*"}),
            json!({"Effect": "Allow", "Action": "GetObject", "Resource": "*"}),
            json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "bucket"}),
            json!({"Effect": "Allow", "Action": [], "Resource": "*"}),
            json!({"Effect": "Allow", "Action": "s3:*", "NotAction": "s3:*", "Resource": "*"}),
            json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": "*"}),
            json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Conditions": {}}),
            json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"Equals": {"a:b": "c"}}}),
        ] {
            assert!(identity(&bad).is_err(), "{bad}");
        }
        assert!(Policy::from_text("{", false).is_err());
        assert!(Policy::from_text(r#"{"Statement":[]}"#, false).is_err());
    }

    #[test]
    fn actions_ignore_case_and_resources_do_not() {
        let policy = identity(&json!({"Effect": "Allow", "Action": "S3:getobject", "Resource": "arn:aws:s3:::b/*"}))
            .expect("policy");
        let context = Context::default();
        let asks = |action, resource| policy.says(Effect::Allow, Question { action, resource, context: &context });
        assert!(asks("s3:GetObject", "arn:aws:s3:::b/k"));
        assert!(!asks("s3:GetObject", "arn:aws:s3:::B/k"));
        assert!(!asks("s3:PutObject", "arn:aws:s3:::b/k"));
    }

    #[test]
    fn not_action_and_not_resource_match_all_the_rest() {
        let policy = identity(&json!({"Effect": "Deny", "NotAction": "sts:*", "NotResource": "arn:aws:s3:::b"}))
            .expect("policy");
        let context = Context::default();
        let asks = |action, resource| policy.says(Effect::Deny, Question { action, resource, context: &context });
        assert!(asks("s3:ListBucket", "arn:aws:s3:::c"));
        assert!(!asks("s3:ListBucket", "arn:aws:s3:::b"));
        assert!(!asks("sts:AssumeRole", "arn:aws:s3:::c"));
    }
}
