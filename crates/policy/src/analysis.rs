//! What the condition of a rule looks at, found in its syntax tree when the bundle loads.

use std::{collections::BTreeSet, sync::Arc};

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, Template, Var};

use crate::{
    annotation::Wrong,
    nearest::nearest,
    vocabulary::{
        ContextMember, ContextMembers, EntityKind, PRINCIPAL_ATTRIBUTES, RESOURCE_ATTRIBUTES, SESSION_MEMBERS,
        UNVERIFIED_TASK,
    },
};

/// What a condition looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Analysis {
    /// Members of `context`.
    pub(crate) members: ContextMembers,
    /// Whether the agent's own words can change the outcome.
    pub(crate) reads_task: bool,
    /// Whether the condition mentions `resource`.
    pub(crate) reads_resource: bool,
    /// Whether it names a target as an entity, so that the reading for an unknown resource differs.
    pub(crate) names_target: bool,
    /// Parameters it reads: the dotted names behind `context.params`.
    pub(crate) parameters: BTreeSet<String>,
    /// Agents and groups it names.
    pub(crate) names_principals: bool,
    /// Actions and groups of actions it names.
    pub(crate) actions: BTreeSet<String>,
    /// Targets it names.
    pub(crate) targets: BTreeSet<String>,
    /// What is wrong.
    pub(crate) wrong: Vec<Wrong>,
}

/// Looks at every condition of `body`.
pub(crate) fn analyse(body: &Template) -> Analysis {
    let mut analysis = Analysis::default();
    for clause in body.clauses() {
        analysis.expression(condition(clause));
    }
    analysis
}

/// The expression of a `when` or `unless`.
pub(crate) fn condition(clause: &Clause) -> &Arc<Expr> {
    match clause {
        Clause::When(expression) | Clause::Unless(expression) => expression,
    }
}

impl Analysis {
    fn wrong(&mut self, message: String, fix: impl Into<String>) {
        self.wrong.push((message, fix.into()));
    }

    fn expression(&mut self, expression: &Expr) {
        if let Some(path) = Path::of(expression) {
            self.path(&path);
            return;
        }
        match expression {
            Expr::Literal(Literal::EntityUID(uid)) => self.entity(&uid.ty.to_string(), &uid.eid),
            Expr::Literal(_) => {}
            Expr::UnaryOp { expr, .. } | Expr::Like { expr, .. } => self.expression(expr),
            Expr::BinaryOp { op, left, right } => self.binary(*op, left, right),
            Expr::GetAttr { expr, .. } | Expr::HasAttr { expr, .. } => self.expression(expr),
            Expr::Is { expr, entity_type, in_expr } => {
                self.entity_type(&entity_type.to_string());
                self.expression(expr);
                in_expr.iter().for_each(|parent| self.expression(parent));
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                [cond, then_expr, else_expr].into_iter().for_each(|part| self.expression(part));
            }
            Expr::Set(items) => items.iter().for_each(|item| self.expression(item)),
            Expr::Record(members) => members.values().for_each(|member| self.expression(member)),
            Expr::Unknown { .. } => self.wrong(
                "`unknown` is not allowed in a rule".to_owned(),
                "write the condition with what `context` and `resource` hold",
            ),
            _ => self.wrong(
                "the condition uses a part of the language that is not supported".to_owned(),
                "write it without templates and slots",
            ),
        }
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) {
        if matches!(op, BinaryOp::HasTag | BinaryOp::GetTag) {
            self.wrong("no entity has tags".to_owned(), "use attributes, as in `resource.name`");
        }
        self.expression(left);
        self.expression(right);
    }

    fn entity_type(&mut self, name: &str) -> Option<EntityKind> {
        let kind = EntityKind::from_name(name);
        if kind.is_none() {
            let names = EntityKind::ALL.map(EntityKind::as_str);
            let fix = match nearest(name, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the types are {}", names.join(", ")),
            };
            self.wrong(format!("unknown entity type `{name}`"), fix);
        }
        kind
    }

    fn entity(&mut self, type_name: &str, id: &str) {
        match self.entity_type(type_name) {
            Some(EntityKind::Target) => {
                self.names_target = true;
                self.targets.insert(id.to_owned());
            }
            Some(EntityKind::Agent | EntityKind::Group) => self.names_principals = true,
            Some(EntityKind::Action) => {
                self.wrong.extend(action_wrong(id));
                self.actions.insert(id.to_owned());
            }
            Some(EntityKind::Resource | EntityKind::Account) | None => {}
        }
    }

    fn path(&mut self, path: &Path<'_>) {
        match path.root {
            Var::Context => self.context(path),
            Var::Resource => {
                self.reads_resource = true;
                self.attribute("resource", path, &RESOURCE_ATTRIBUTES);
            }
            Var::Principal => self.attribute("principal", path, &PRINCIPAL_ATTRIBUTES),
            Var::Action => self.attribute("action", path, &[]),
        }
    }

    fn attribute(&mut self, of: &str, path: &Path<'_>, known: &[&'static str]) {
        let Some(name) = path.names.first() else { return };
        if !known.contains(name) {
            self.unknown_name(of, name, known);
        }
    }

    fn unknown_name(&mut self, of: &str, name: &str, known: &[&'static str]) {
        let fix = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{of}.{near}`?"),
            None if known.is_empty() => "use `action == …` or `action in …`".to_owned(),
            None => format!("it has {}", known.join(", ")),
        };
        self.wrong(format!("`{of}` has no `{name}`"), fix);
    }

    fn context(&mut self, path: &Path<'_>) {
        let mut names = path.names.iter();
        let Some(first) = names.next() else {
            // The record as a whole: everything in it counts as read.
            self.members = ContextMembers::all();
            self.reads_task = true;
            return;
        };
        let Some(member) = ContextMember::from_name(first) else {
            self.unknown_name("context", first, &ContextMember::ALL.map(ContextMember::as_str));
            return;
        };
        self.members = self.members.with(member);
        match (member, names.next()) {
            (ContextMember::Params, Some(_)) => {
                let below = path.names.get(1..).unwrap_or_default();
                self.parameters.insert(below.join("."));
            }
            // Whether the member is there says nothing: it always is.
            (ContextMember::Session, None) => self.reads_task |= !path.only_asks,
            (ContextMember::Session, Some(name)) if !SESSION_MEMBERS.contains(name) => {
                self.unknown_name("context.session", name, &SESSION_MEMBERS);
            }
            (ContextMember::Session, Some(name)) => self.reads_task |= *name == UNVERIFIED_TASK && !path.only_asks,
            _ => {}
        }
    }
}

/// `root.name.name…`, read or asked for with `has`.
struct Path<'a> {
    root: &'a Var,
    names: Vec<&'a str>,
    only_asks: bool,
}

impl<'a> Path<'a> {
    fn of(expression: &'a Expr) -> Option<Self> {
        match expression {
            Expr::Var(root) => Some(Self { root, names: Vec::new(), only_asks: false }),
            Expr::GetAttr { expr, attr } => {
                let mut path = Self::of(expr)?;
                path.names.push(attr);
                Some(path)
            }
            Expr::HasAttr { expr, attrs } => {
                let mut path = Self::of(expr)?;
                path.names.extend(attrs.iter().map(|name| name.as_str()));
                path.only_asks = true;
                Some(path)
            }
            _ => None,
        }
    }
}

/// What is wrong with the form of an action's name. Whether AWS has it, the checks tell.
pub(crate) fn action_wrong(id: &str) -> Option<Wrong> {
    use crate::vocabulary::LEVEL_GROUPS;
    let suggest = |message: String, known: Vec<String>| {
        let fix = match nearest(id, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        Some((message, fix))
    };
    if id.starts_with("level:") {
        let known = LEVEL_GROUPS.map(str::to_owned).to_vec();
        return if LEVEL_GROUPS.contains(&id) { None } else { suggest(format!("unknown access level `{id}`"), known) };
    }
    if let Some(class) = id.strip_prefix("class:") {
        let classes = countersign_domain::Class::ALL;
        let known = classes.map(|class| format!("class:{}", class.as_str())).to_vec();
        let found = classes.iter().any(|known| known.as_str() == class);
        return if found { None } else { suggest(format!("unknown class `{id}`"), known) };
    }
    let valid = id.split_once(':').is_some_and(|(service, name)| {
        let service_valid =
            service.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let name_valid = name == "*" || (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        !service.is_empty() && service_valid && name_valid
    });
    (!valid).then(|| {
        (
            format!("`{id}` is not the name of an action"),
            "write `service:Action` as in IAM, `service:*`, `level:Read` or `class:delegating`; \
             there are no wildcards within names"
                .to_owned(),
        )
    })
}
