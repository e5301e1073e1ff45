//! Why a call got its decision, and what would change it.

use std::sync::Arc;

use cedar_policy::{
    PolicySet,
    pst::{ActionConstraint, BinaryOp, Clause, Effect, Expr, PrincipalConstraint, ResourceConstraint, Template},
};
use countersign_domain::{Call, Permission};

use crate::{
    annotation::Kind,
    bundle::Bundle,
    facts::Facts,
    open,
    panel::{self, Outcome, Panel},
    rule::{Rule, permit},
    scene::{Scene, Stage},
    verdict::Verdict,
    vocabulary::{ContextMembers, EntityKind},
};

/// What a rule does when it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleEffect {
    /// Denies.
    Forbid,
    /// Holds the call for approval.
    Approval,
    /// Lets the call pass.
    Permit,
}

/// How a rule turned out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleOutcome {
    /// It matches.
    Matches,
    /// The resource is not known, and for some resources it matches.
    MayMatch,
    /// It does not match.
    Fails,
    /// It could not be evaluated, so the call is denied.
    Errs(String),
}

/// One rule and one permission of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    /// The IAM action.
    pub action: String,
    /// The resource's text.
    pub resource: String,
    /// The rule's id.
    pub rule: String,
    /// The rule's file.
    pub file: String,
    /// The line of its first character, counted from 1.
    pub line: u32,
    /// What it does.
    pub effect: RuleEffect,
    /// Whether it only shadows.
    pub shadow: bool,
    /// How it turned out.
    pub outcome: RuleOutcome,
    /// The parts of its head and conditions that do not hold, as rules write them.
    pub unmet: Vec<String>,
    /// Its `@reason`.
    pub reason: Option<String>,
}

/// Why a call got its decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The decision.
    pub verdict: Verdict,
    /// The rules about the call's actions, by permission; those that matched first, then the
    /// nearest ones (fewest unmet parts). For those who write rules: it may name other agents.
    pub considered: Vec<Considered>,
}

impl Bundle {
    /// Explains the decision on `call` under `facts`.
    pub fn explain(&self, call: &Call, facts: &Facts<'_>) -> Explanation {
        let scene = self.scene(call, facts);
        let mut considered = Vec::new();
        for permission in &call.permissions {
            let rules = self.about(permission, usize::MAX);
            let mut of_permission = self.consider(&scene, permission, &rules);
            of_permission.sort_by_key(|one| (one.outcome == RuleOutcome::Fails, one.unmet.len(), one.effect));
            considered.extend(of_permission);
        }
        Explanation { verdict: self.decide(call, facts), considered }
    }

    /// At most `most` rules about the permission's action.
    pub(crate) fn about(&self, permission: &Permission, most: usize) -> Vec<&Rule> {
        let names = Scene::action_names(permission);
        let names: Vec<_> = names.iter().map(|name| (EntityKind::Action, name.as_str())).collect();
        self.index().about(&names, most).into_iter().filter_map(|place| self.rule(place)).collect()
    }

    fn consider(&self, scene: &Scene<'_>, permission: &Permission, rules: &[&Rule]) -> Vec<Considered> {
        let Ok(stage) = scene.stage(permission, ContextMembers::all()) else { return Vec::new() };
        let known = permission.resource.known().is_some();
        let consider = |rule: &&Rule| {
            let outcome = Panel::new(&[(0, rule)], known).map_or_else(Outcome::Errs, |panel| {
                panel.evaluate(self.authorizer(), &stage).pop().unwrap_or(Outcome::Fails)
            });
            let unmet = if outcome == Outcome::Fails { self.unmet(rule, &stage, permission) } else { Vec::new() };
            let unmet = unmet.into_iter().map(|part| part.text).collect();
            Considered {
                action: permission.action.clone(),
                resource: permission.resource.as_str().to_owned(),
                rule: rule.id.clone(),
                file: rule.file.clone(),
                line: rule.line,
                effect: match rule.kind {
                    Kind::Forbid => RuleEffect::Forbid,
                    Kind::Approval(_) => RuleEffect::Approval,
                    Kind::Permit(_) => RuleEffect::Permit,
                },
                shadow: rule.shadow,
                outcome: match outcome {
                    Outcome::Matches => RuleOutcome::Matches,
                    Outcome::MayMatch => RuleOutcome::MayMatch,
                    Outcome::Fails => RuleOutcome::Fails,
                    Outcome::Errs(error) => RuleOutcome::Errs(error),
                },
                unmet,
                reason: rule.reason.clone(),
            }
        };
        rules.iter().map(consider).collect()
    }

    /// The parts of a rule that do not hold.
    pub(crate) fn unmet(&self, rule: &Rule, stage: &Stage, permission: &Permission) -> Vec<Part> {
        let Ok(parsed) = rule.parsed() else { return Vec::new() };
        let known = permission.resource.known().is_some();
        let holds = |part: &Template| {
            let part = if known { Ok(part.clone()) } else { open::for_unknown_resource(part) };
            let set = part
                .and_then(|part| permit("part", part))
                .and_then(|part| PolicySet::from_policies([part]).map_err(|error| error.to_string()));
            let mut holds = false;
            if let Ok(set) = set {
                panel::evaluate(self.authorizer(), &set, stage, known, |_, outcome| {
                    // What cannot be evaluated, as where a parameter is missing, does not hold.
                    holds = !matches!(outcome, Outcome::Errs(_));
                });
            }
            holds
        };
        parts(&parsed.body).into_iter().filter(|part| !holds(&part.rule)).collect()
    }
}

/// What a part of a rule asks for.
pub(crate) enum About {
    /// Who calls.
    Principal,
    /// The resource, by the head.
    Resource(ResourceConstraint),
    /// A part of a `when` holds.
    Holds(Arc<Expr>),
    /// An `unless` does not.
    HoldsNot(Arc<Expr>),
}

/// A part of a rule, as a rule of its own.
pub(crate) struct Part {
    /// As rules write it.
    pub(crate) text: String,
    /// What it asks for.
    pub(crate) about: About,
    rule: Template,
}

/// The parts of a rule, each as a rule of its own.
pub(crate) fn parts(body: &Template) -> Vec<Part> {
    let with = |principal: PrincipalConstraint, resource: ResourceConstraint| {
        Template::new("part", Effect::Permit, principal, ActionConstraint::Any, resource)
    };
    let mut parts = Vec::new();
    if body.principal != PrincipalConstraint::Any {
        let rule = with(body.principal.clone(), ResourceConstraint::Any);
        parts.push(Part { text: format!("`principal {}`", body.principal), about: About::Principal, rule });
    }
    if body.resource != ResourceConstraint::Any {
        let rule = with(PrincipalConstraint::Any, body.resource.clone());
        let about = About::Resource(body.resource.clone());
        parts.push(Part { text: format!("`resource {}`", body.resource), about, rule });
    }
    for clause in body.clauses() {
        for (text, about, clause) in conjuncts(clause) {
            let rule = with(PrincipalConstraint::Any, ResourceConstraint::Any).try_with_clauses([clause]);
            parts.extend(rule.ok().map(|rule| Part { text, about, rule }));
        }
    }
    parts
}

/// A `when` cut at its top-level `&&`; an `unless` whole.
fn conjuncts(clause: &Clause) -> Vec<(String, About, Clause)> {
    fn cut<'a>(expression: &'a Arc<Expr>, into: &mut Vec<&'a Arc<Expr>>) {
        match expression.as_ref() {
            Expr::BinaryOp { op: BinaryOp::And, left, right } => {
                cut(left, into);
                cut(right, into);
            }
            _ => into.push(expression),
        }
    }
    match clause {
        Clause::When(expression) => {
            let mut found = Vec::new();
            cut(expression, &mut found);
            let part = |part: &Arc<Expr>| {
                (format!("`{part}`"), About::Holds(Arc::clone(part)), Clause::When(Arc::clone(part)))
            };
            found.into_iter().map(part).collect()
        }
        Clause::Unless(expression) => {
            vec![(format!("not `{expression}`"), About::HoldsNot(Arc::clone(expression)), clause.clone())]
        }
    }
}
