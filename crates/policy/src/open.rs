//! The reading of a rule for a resource that may be any.
//!
//! Cedar evaluates a rule partially when the resource is unknown. One thing about it is known
//! even then: the target in which the session acts, because every resource is in it. So
//! `resource in Target::"x"` becomes `context.target == "x"` before the rule is evaluated.

use std::sync::Arc;

use cedar_policy::pst::{BinaryOp, Clause, EntityOrSlot, EntityUID, Expr, Literal, ResourceConstraint, Template, Var};

use crate::vocabulary::{ContextMember, EntityKind};

/// Whether the head is `resource in Target::"…"`.
pub(crate) fn head_names_target(body: &Template) -> bool {
    head_target(&body.resource).is_some()
}

fn head_target(constraint: &ResourceConstraint) -> Option<&EntityUID> {
    match constraint {
        ResourceConstraint::In(EntityOrSlot::Entity(uid)) | ResourceConstraint::IsIn(_, EntityOrSlot::Entity(uid)) => {
            is_target(uid).then_some(uid)
        }
        _ => None,
    }
}

fn is_target(uid: &EntityUID) -> bool {
    uid.ty.to_string() == EntityKind::Target.as_str()
}

/// The rule with what is known about an unknown resource written as conditions on the context.
///
/// # Errors
/// When the rewritten rule is not one, which no rule that was read can cause.
pub(crate) fn for_unknown_resource(body: &Template) -> Result<Template, String> {
    let head = head_target(&body.resource);
    let resource = if head.is_some() { ResourceConstraint::Any } else { body.resource.clone() };
    let from_head = head.map(|uid| Clause::When(target_is(uid)));
    let rewritten = body.clauses().iter().map(|clause| match clause {
        Clause::When(condition) => Clause::When(rewrite(condition)),
        Clause::Unless(condition) => Clause::Unless(rewrite(condition)),
    });
    Template::new(body.id.clone(), body.effect, body.principal.clone(), body.action.clone(), resource)
        .try_with_clauses(from_head.into_iter().chain(rewritten))
        .map_err(|error| error.to_string())
}

fn target_is(uid: &EntityUID) -> Arc<Expr> {
    Arc::new(Expr::BinaryOp {
        op: BinaryOp::Eq,
        left: Arc::new(Expr::GetAttr {
            expr: Arc::new(Expr::Var(Var::Context)),
            attr: ContextMember::Target.as_str().into(),
        }),
        right: Arc::new(Expr::Literal(Literal::String(uid.eid.clone()))),
    })
}

/// `context.target == "a" || context.target == "b"` when `parents` is only targets.
fn targets_are(parents: &Expr) -> Option<Arc<Expr>> {
    match parents {
        Expr::Literal(Literal::EntityUID(uid)) => is_target(uid).then(|| target_is(uid)),
        Expr::Set(items) => {
            let each: Option<Vec<_>> = items.iter().map(|item| targets_are(item)).collect();
            each?.into_iter().reduce(|left, right| Arc::new(Expr::BinaryOp { op: BinaryOp::Or, left, right }))
        }
        _ => None,
    }
}

fn rewrite(expression: &Arc<Expr>) -> Arc<Expr> {
    let is_resource = |part: &Expr| matches!(part, Expr::Var(Var::Resource));
    let same = |part: &Arc<Expr>| rewrite(part);
    match expression.as_ref() {
        Expr::BinaryOp { op: BinaryOp::In, left, right } if is_resource(left) => {
            targets_are(right).unwrap_or_else(|| Arc::clone(expression))
        }
        Expr::Is { expr, entity_type, in_expr: Some(parents) } if is_resource(expr) => match targets_are(parents) {
            Some(right) => {
                let left =
                    Arc::new(Expr::Is { expr: Arc::clone(expr), entity_type: entity_type.clone(), in_expr: None });
                Arc::new(Expr::BinaryOp { op: BinaryOp::And, left, right })
            }
            None => Arc::clone(expression),
        },
        Expr::UnaryOp { op, expr } => Arc::new(Expr::UnaryOp { op: *op, expr: same(expr) }),
        Expr::BinaryOp { op, left, right } => {
            Arc::new(Expr::BinaryOp { op: *op, left: same(left), right: same(right) })
        }
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            Arc::new(Expr::IfThenElse { cond: same(cond), then_expr: same(then_expr), else_expr: same(else_expr) })
        }
        Expr::Set(items) => Arc::new(Expr::Set(items.iter().map(same).collect())),
        Expr::Record(members) => {
            Arc::new(Expr::Record(members.iter().map(|(name, member)| (name.clone(), same(member))).collect()))
        }
        // Elsewhere a test of the resource stays as it is: the unknown is read strictly.
        _ => Arc::clone(expression),
    }
}
