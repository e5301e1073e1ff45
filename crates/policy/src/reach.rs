//! How far rules can reach at most, whatever a call is: what IAM policies are written from.
//!
//! A bound is what a condition implies. Where a condition implies nothing that can be said of actions or resources, there
//! is no bound: the rule is taken to reach everything. So a bound may be too wide, and is never too narrow.

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, PatternElem, Var};
use countersign_domain::{AccessLevel, Class};

use crate::{
    bundle::Bundle,
    rule::{Key, Rule},
    rule_list::{self, RuleInfo},
    vocabulary::{EntityKind, class_group, level_groups},
};

/// Some actions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActionSelector {
    /// All of them.
    Any,
    /// One action.
    Named(String),
    /// All of a service: the part before the colon.
    Service(String),
    /// All of a level.
    Level(AccessLevel),
    /// All of a class.
    Class(Class),
}

/// Text with parts that may be anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// These characters.
    Text(String),
    /// Any characters, or none.
    Anything,
}

/// Some resources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceBound {
    /// Those whose ARN fits.
    Arn(Vec<Part>),
    /// Those whose name fits: `resource.name`.
    Name(Vec<Part>),
    /// Those in an account.
    Account(String),
}

/// How far a rule reaches at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach<'a> {
    /// The rule.
    pub rule: RuleInfo<'a>,
    /// Whether it is about every agent.
    pub everyone: bool,
    /// Whether it has conditions beyond its head.
    pub conditional: bool,
    /// The target that it is limited to.
    pub target: Option<&'a str>,
    /// The resource of its head, where that is no target.
    pub head_resource: Option<ResourceBound>,
    /// The action has to be one of each of these lists.
    pub actions: Vec<Vec<ActionSelector>>,
    /// The resource has to be one of these; any where there is no list.
    pub resources: Option<Vec<ResourceBound>>,
}

impl Bundle {
    /// How far each rule reaches at most.
    pub fn reach(&self) -> impl Iterator<Item = Reach<'_>> {
        self.rules().iter().map(reach)
    }
}

fn reach(rule: &Rule) -> Reach<'_> {
    let (target, head_resource) = match &rule.head.resource {
        Key::Any => (None, None),
        Key::Is(EntityKind::Target, name) => (Some(name.as_str()), None),
        Key::Is(EntityKind::Account, account) => (None, Some(ResourceBound::Account(account.clone()))),
        Key::Is(_, arn) => (None, Some(ResourceBound::Arn(vec![Part::Text(arn.clone())]))),
    };
    let mut bounds = Bounds { actions: vec![rule.head.actions.iter().map(head_action).collect()], resources: None };
    bounds.resources = head_resource.clone().map(|bound| vec![bound]);
    let mut conditional = true;
    // A rule that cannot be parsed denies whatever it is a candidate for; its head is the bound then.
    if let Ok(parsed) = rule.parsed() {
        let clauses = parsed.body.clauses();
        conditional = !clauses.is_empty();
        for clause in clauses {
            if let Clause::When(condition) = clause {
                bounds = bounds.and(of(condition));
            }
        }
    }
    Reach {
        rule: rule_list::info(rule),
        everyone: rule.head.principal == Key::Any,
        conditional,
        target,
        head_resource,
        actions: bounds.actions,
        resources: bounds.resources,
    }
}

fn head_action(key: &Key) -> ActionSelector {
    match key {
        Key::Any => ActionSelector::Any,
        Key::Is(_, id) => action(id),
    }
}

fn action(id: &str) -> ActionSelector {
    let levels = [
        AccessLevel::List,
        AccessLevel::Read,
        AccessLevel::Tagging,
        AccessLevel::Write,
        AccessLevel::PermissionsManagement,
    ];
    if let Some(level) = levels.into_iter().find(|level| level_groups(*level).contains(&id)) {
        return ActionSelector::Level(level);
    }
    if let Some(class) = Class::ALL.into_iter().find(|class| class_group(*class) == id) {
        return ActionSelector::Class(class);
    }
    match id.strip_suffix(":*") {
        Some(service) => ActionSelector::Service(service.to_owned()),
        None => ActionSelector::Named(id.to_owned()),
    }
}

/// What a condition implies.
#[derive(Clone, Debug, Default)]
struct Bounds {
    actions: Vec<Vec<ActionSelector>>,
    resources: Option<Vec<ResourceBound>>,
}

/// The most lists of actions that an `or` may become.
const MOST_LISTS: usize = 16;

impl Bounds {
    fn and(mut self, other: Bounds) -> Bounds {
        self.actions.extend(other.actions);
        // Either is a bound; IAM has no intersection of resources, so the smaller one stands.
        self.resources = match (self.resources, other.resources) {
            (Some(one), Some(other)) => Some(if other.len() < one.len() { other } else { one }),
            (one, other) => one.or(other),
        };
        self
    }

    fn or(self, other: Bounds) -> Bounds {
        let mut actions = Vec::new();
        if self.actions.len() * other.actions.len() <= MOST_LISTS {
            for one in &self.actions {
                actions.extend(other.actions.iter().map(|other| [one.as_slice(), other].concat()));
            }
        }
        let resources = self.resources.zip(other.resources).map(|(one, other)| [one, other].concat());
        Bounds { actions, resources }
    }

    fn actions(selectors: Option<Vec<ActionSelector>>) -> Bounds {
        Bounds { actions: selectors.into_iter().collect(), resources: None }
    }

    fn resources(bounds: Option<Vec<ResourceBound>>) -> Bounds {
        Bounds { actions: Vec::new(), resources: bounds }
    }
}

fn of(condition: &Expr) -> Bounds {
    match condition {
        Expr::Literal(Literal::Bool(false)) => Bounds { actions: vec![Vec::new()], resources: Some(Vec::new()) },
        Expr::BinaryOp { op: BinaryOp::And, left, right } => of(left).and(of(right)),
        Expr::BinaryOp { op: BinaryOp::Or, left, right } => of(left).or(of(right)),
        Expr::BinaryOp { op: BinaryOp::Eq, left, right } => {
            let one = equal(left, right);
            if one.actions.is_empty() && one.resources.is_none() { equal(right, left) } else { one }
        }
        Expr::BinaryOp { op: BinaryOp::In, left, right } => within(left, right),
        Expr::BinaryOp { op: BinaryOp::Contains, left, right } => match left.as_ref() {
            Expr::Set(items) => items
                .iter()
                .map(|item| equal(right, item))
                .reduce(Bounds::or)
                .unwrap_or(Bounds { actions: vec![Vec::new()], resources: Some(Vec::new()) }),
            _ => Bounds::default(),
        },
        Expr::Like { expr, pattern } => match attribute(expr) {
            Some((Var::Resource, "name")) => Bounds::resources(Some(vec![ResourceBound::Name(parts(pattern))])),
            Some((Var::Resource, "arn")) => Bounds::resources(Some(vec![ResourceBound::Arn(parts(pattern))])),
            _ => Bounds::default(),
        },
        _ => Bounds::default(),
    }
}

/// `place == value`.
fn equal(place: &Expr, value: &Expr) -> Bounds {
    let text = |text: &str| vec![Part::Text(text.to_owned())];
    match (place, value) {
        (Expr::Var(Var::Resource), Expr::Literal(Literal::EntityUID(uid))) => {
            Bounds::resources(Some(vec![ResourceBound::Arn(text(&uid.eid))]))
        }
        (Expr::Var(Var::Action), Expr::Literal(Literal::EntityUID(uid))) => {
            Bounds::actions(Some(vec![action(&uid.eid)]))
        }
        (_, Expr::Literal(Literal::String(value))) => match attribute(place) {
            Some((Var::Resource, "name")) => Bounds::resources(Some(vec![ResourceBound::Name(text(value))])),
            Some((Var::Resource, "arn")) => Bounds::resources(Some(vec![ResourceBound::Arn(text(value))])),
            Some((Var::Context, "level")) => Bounds::actions(level(value).map(|level| vec![level])),
            _ => Bounds::default(),
        },
        _ => Bounds::default(),
    }
}

fn level(name: &str) -> Option<ActionSelector> {
    match action(&format!("level:{name}")) {
        found @ ActionSelector::Level(_) => Some(found),
        _ => None,
    }
}

/// `place in parents`.
fn within(place: &Expr, parents: &Expr) -> Bounds {
    match parents {
        Expr::Set(items) => items.iter().map(|item| within(place, item)).reduce(Bounds::or).unwrap_or_default(),
        Expr::Literal(Literal::EntityUID(uid)) => match (place, EntityKind::from_name(&uid.ty.to_string())) {
            (Expr::Var(Var::Action), Some(EntityKind::Action)) => Bounds::actions(Some(vec![action(&uid.eid)])),
            (Expr::Var(Var::Resource), Some(EntityKind::Account)) => {
                Bounds::resources(Some(vec![ResourceBound::Account(uid.eid.to_string())]))
            }
            _ => Bounds::default(),
        },
        _ => Bounds::default(),
    }
}

/// `resource.name` as the variable and the attribute.
fn attribute(expression: &Expr) -> Option<(&Var, &str)> {
    let Expr::GetAttr { expr, attr } = expression else { return None };
    match expr.as_ref() {
        Expr::Var(var) => Some((var, attr.as_str())),
        _ => None,
    }
}

fn parts(pattern: &[PatternElem]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for element in pattern {
        match (element, parts.last_mut()) {
            (PatternElem::Wildcard, Some(Part::Anything)) => {}
            (PatternElem::Wildcard, _) => parts.push(Part::Anything),
            (PatternElem::Char(letter), Some(Part::Text(text))) => text.push(*letter),
            (PatternElem::Char(letter), _) => parts.push(Part::Text(letter.to_string())),
        }
    }
    parts
}

impl Reach<'_> {
    /// Whether the rule decides every call of every agent that its actions select, on any resource.
    pub fn is_unconditional(&self) -> bool {
        self.everyone && !self.conditional && !self.rule.shadow
    }
}
