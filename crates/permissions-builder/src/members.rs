//! The members of an operation's input and output, flattened to paths.

use crate::botocore::{Model, Operation, ShapeRef};

/// A scalar member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The path, as in `Items[].Key`.
    pub path: String,
    /// The member's own name, or its list's.
    pub name: String,
    /// The name with letters and digits only, in small letters.
    pub plain: String,
    /// The shape's name.
    pub shape: String,
    /// The shape's type.
    pub kind: String,
    /// The shape's pattern.
    pub pattern: String,
    /// Whether the model marks it, or what it is in, as sensitive.
    pub sensitive: bool,
    /// How many structures, lists and maps it is in.
    pub depth: usize,
    /// Whether it is a text that the caller chooses and AWS reads: no fixed value, no idempotency token.
    pub is_free_text: bool,
    /// What AWS says of a member that stands at the top, or in a list there; empty elsewhere.
    pub documentation: String,
}

/// Letters and digits only, in small letters.
pub fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|char| char.to_ascii_lowercase()).collect()
}

/// Deeper members are generated documents (dashboards, forms) that hold neither roles nor names.
const DEEPEST: usize = 8;

/// Down to here documentation is kept: the members of the input, and the items of their lists.
const DEEPEST_DOCUMENTED: usize = 3;

/// Every scalar of the operation's input.
pub fn inputs(model: &Model, operation: &Operation) -> Vec<Member> {
    scalars(model, operation.input.as_ref())
}

/// Every scalar of the operation's output.
pub fn outputs(model: &Model, operation: &Operation) -> Vec<Member> {
    scalars(model, operation.output.as_ref())
}

fn scalars(model: &Model, root: Option<&ShapeRef>) -> Vec<Member> {
    let mut walk = Walk { model, open: Vec::new(), found: Vec::new() };
    if let Some(root) = root {
        walk.visit(root, "", "", false, "");
    }
    walk.found
}

struct Walk<'m> {
    model: &'m Model,
    open: Vec<&'m str>,
    found: Vec<Member>,
}

impl<'m> Walk<'m> {
    fn visit(&mut self, used: &'m ShapeRef, path: &str, name: &str, sensitive: bool, said: &str) {
        let shape_name = used.shape.as_str();
        let Some(shape) = self.model.shape(shape_name) else { return };
        if self.open.contains(&shape_name) || self.open.len() > DEEPEST {
            return;
        }
        let sensitive = sensitive || shape.sensitive;
        let said = match (said.is_empty(), self.open.len() < DEEPEST_DOCUMENTED) {
            (_, false) => String::new(),
            (true, true) => format!("{} {}", used.documentation, shape.documentation),
            (false, true) => format!("{said} {} {}", used.documentation, shape.documentation),
        };
        self.open.push(shape_name);
        match shape.kind.as_str() {
            "structure" => {
                for (member, target) in &shape.members {
                    let path = if path.is_empty() { member.clone() } else { format!("{path}.{member}") };
                    self.visit(target, &path, member, sensitive, "");
                }
            }
            "list" => {
                if let Some(target) = &shape.member {
                    self.visit(target, &format!("{path}[]"), name, sensitive, &said);
                }
            }
            "map" => {
                if let Some(target) = &shape.value {
                    self.visit(target, &format!("{path}{{}}"), name, sensitive, "");
                }
            }
            kind => self.found.push(Member {
                path: path.to_owned(),
                name: name.to_owned(),
                plain: plain(name),
                shape: shape_name.to_owned(),
                kind: kind.to_owned(),
                pattern: shape.pattern.clone().unwrap_or_default(),
                sensitive,
                depth: self.open.len().saturating_sub(2),
                is_free_text: matches!(kind, "string" | "blob") && shape.values.is_empty() && !used.idempotency_token,
                documentation: said,
            }),
        }
        self.open.pop();
    }
}

/// The shape that a path leads to; `None` if the input has no such member.
pub fn shape_at<'m>(model: &'m Model, root: &'m str, path: &str) -> Option<&'m str> {
    let mut shape_name = root;
    for step in countersign_domain::value::path_steps(path) {
        use countersign_domain::value::PathStep;
        let shape = model.shape(shape_name)?;
        let next = match step {
            PathStep::Member(name) => shape.members.get(name)?,
            PathStep::EachItem => shape.member.as_ref()?,
            PathStep::EachEntry => shape.value.as_ref()?,
        };
        shape_name = &next.shape;
    }
    Some(shape_name)
}

/// Whether `path`, as a table writes it, exists in an input whose entries are at `each`.
pub fn exists(model: &Model, operation: &Operation, each: &str, path: &str) -> bool {
    if path == "@key" {
        return each.ends_with("{}");
    }
    let Some(root) = operation.input.as_ref().map(|input| input.shape.as_str()) else { return false };
    if let Some(path) = path.strip_prefix('^') {
        return shape_at(model, root, path).is_some();
    }
    let start = if each.is_empty() { Some(root) } else { shape_at(model, root, each) };
    path == "." || start.is_some_and(|start| shape_at(model, start, path).is_some())
}

#[cfg(test)]
impl Member {
    /// A text at the top of an input.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            path: name.to_owned(),
            name: name.to_owned(),
            plain: plain(name),
            shape: "String".to_owned(),
            kind: "string".to_owned(),
            pattern: String::new(),
            sensitive: false,
            depth: 0,
            is_free_text: true,
            documentation: String::new(),
        }
    }
}
