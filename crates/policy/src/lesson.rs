//! What a denial teaches: the nearest thing that would pass, or could be asked for.
//!
//! An agent reads it, so it holds nothing about other agents, groups, persons, accounts or
//! networks, and not by which words of its own an agent would be read otherwise. A rule that
//! cannot be told without these is not told. Looking costs time only where a call is denied.

use cedar_policy::pst::{BinaryOp, EntityOrSlot, Expr, Literal, PatternElem, ResourceConstraint, Var};
use countersign_domain::{Call, Decision, Permission};

use crate::{
    annotation::Kind,
    arn::Arn,
    bundle::Bundle,
    explain::{About, Part},
    rule::{Key, Rule},
    scene::Scene,
    verdict::PermissionVerdict,
    vocabulary::{ContextMembers, EntityKind, UNVERIFIED_TASK},
};

/// How many rules a search for the nearest one looks at.
const LOOKS_AT: usize = 32;
/// The most characters of a denial with its lesson.
const LONGEST: usize = 900;
/// The most characters of one condition.
const LONGEST_CONDITION: usize = 200;

impl Bundle {
    /// The decision, with a lesson added to the reason of a denial. One permission is looked at:
    /// the one that the reason is about.
    pub(crate) fn taught(
        &self,
        scene: &Scene<'_>,
        call: &Call,
        decision: Decision,
        verdicts: &[PermissionVerdict],
    ) -> Decision {
        let Decision::Deny { reason, rules } = decision else { return decision };
        let about = |verdict: &PermissionVerdict| matches!(&verdict.decision, Decision::Deny { reason: of_one, .. } if *of_one == reason);
        let permission = verdicts.iter().position(about).and_then(|place| call.permissions.get(place));
        let lesson = permission.and_then(|permission| {
            if rules.is_empty() {
                return self.nearest_rules(scene, permission);
            }
            // The reason names one rule; it is a forbid if it is not built in and no error.
            let named = rules.iter().find(|hit| reason == format!("{} (rule `{}`)", hit.reason, hit.rule))?;
            let rule = self.rules().iter().find(|rule| rule.id == named.rule && rule.kind == Kind::Forbid)?;
            self.way_around(scene, rule)
        });
        let reason = match lesson {
            Some(lesson) => format!("{reason}. {lesson}"),
            None => reason,
        };
        Decision::Deny { reason: plain(&reason, LONGEST), rules }
    }

    /// For a call that nothing permits: the nearest rule that would let it pass, and the nearest
    /// that would hold it for approval.
    fn nearest_rules(&self, scene: &Scene<'_>, permission: &Permission) -> Option<String> {
        let mut told: Vec<(usize, bool, String)> = Vec::new();
        for rule in self.about(permission, LOOKS_AT) {
            let asked = match rule.kind {
                Kind::Approval(_) => true,
                Kind::Permit(_) => false,
                Kind::Forbid => continue,
            };
            if rule.shadow || !self.may_be_told(scene, rule) {
                continue;
            }
            let Some((changes, condition)) = self.changes(scene, permission, rule) else { continue };
            let reason = rule.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            let would = if asked { "could be asked for" } else { "would pass" };
            told.push((changes, asked, format!("by the rule `{}`{reason} it {would} {condition}", rule.id)));
        }
        told.sort();
        let nearest = |asked: bool| told.iter().find(|one| one.1 == asked);
        let both: Vec<&str> = [nearest(false), nearest(true)].into_iter().flatten().map(|one| one.2.as_str()).collect();
        (!both.is_empty()).then(|| format!("Nearest: {}", both.join("; ")))
    }

    /// What would have to change for a permit to match, and how many things that are; nothing where
    /// it cannot be said, or cannot be changed within a session.
    fn changes(&self, scene: &Scene<'_>, permission: &Permission, rule: &Rule) -> Option<(usize, String)> {
        let stage = scene.stage(permission, ContextMembers::all()).ok()?;
        let unmet = self.unmet(rule, &stage, permission);
        if unmet.is_empty() {
            // Every part may hold, but not for every resource.
            return Some((0, "on a resource that the request names exactly".to_owned()));
        }
        let advice: Vec<String> = unmet.iter().map(|part| self.advice(scene, part)).collect::<Option<_>>()?;
        Some((advice.len(), advice.join(" and ")))
    }

    /// How a call gets past a forbid with an exception or a narrow condition.
    fn way_around(&self, scene: &Scene<'_>, rule: &Rule) -> Option<String> {
        if !self.may_be_told(scene, rule) {
            return None;
        }
        let parts = rule.parsed().ok()?;
        let parts = crate::explain::parts(&parts.body);
        let exception = parts.iter().filter(|part| matches!(part.about, About::HoldsNot(_)));
        let exceptions: Vec<String> =
            exception.filter_map(|part| self.condition(scene, part)).map(|text| format!("where {text}")).collect();
        if !exceptions.is_empty() {
            return Some(format!("The rule does not forbid it {}", exceptions.join(" or ")));
        }
        let conditions: Vec<String> = parts
            .iter()
            .filter(|part| matches!(part.about, About::Holds(_)))
            .map(|part| self.condition(scene, part))
            .collect::<Option<_>>()?;
        (!conditions.is_empty()).then(|| format!("The rule forbids it only where {}", conditions.join(" and ")))
    }

    /// Whether a rule is about this agent, or about everybody.
    fn may_be_told(&self, scene: &Scene<'_>, rule: &Rule) -> bool {
        let own = match &rule.head.principal {
            Key::Any => true,
            Key::Is(EntityKind::Agent, id) => id == scene.facts.agent.as_str(),
            Key::Is(_, id) => scene.groups.iter().any(|group| group.as_str() == id),
        };
        own && !rule.analysis().names_principals
    }

    /// How to meet a part of a permit.
    fn advice(&self, scene: &Scene<'_>, part: &Part) -> Option<String> {
        match &part.about {
            About::Principal => None,
            About::Resource(constraint) => {
                let (ResourceConstraint::Eq(EntityOrSlot::Entity(uid))
                | ResourceConstraint::In(EntityOrSlot::Entity(uid))) = constraint
                else {
                    return None;
                };
                let arn = uid.eid.to_string();
                let own = ["", scene.facts.target.account.as_str()].contains(&Arn::parse(&arn).account);
                // Another account or target is out of this session's reach, and none of its business.
                let told = uid.ty.to_string() == EntityKind::Resource.as_str() && own && !self.is_untold(scene, &arn);
                told.then(|| format!("on `{arn}`"))
            }
            About::Holds(expression) => {
                let text = self.condition(scene, part)?;
                Some(match expression.as_ref() {
                    Expr::Like { expr, .. } if path(expr) == Some(vec!["resource", "name"]) => {
                        format!("on a resource where {text}")
                    }
                    Expr::HasAttr { .. } if text.starts_with("`context.params has ") => {
                        format!("with the parameter {}", text.replacen("context.params has ", "", 1))
                    }
                    Expr::BinaryOp { op: BinaryOp::Eq, left, right }
                        if path(left) == Some(vec!["context", "region"]) =>
                    {
                        let Expr::Literal(Literal::String(region)) = right.as_ref() else { return None };
                        let regions = &scene.facts.target.regions;
                        let reachable = regions.iter().any(|known| known.as_str() == region.as_str());
                        return reachable.then(|| format!("in the region `{region}`"));
                    }
                    _ => format!("where {text}"),
                })
            }
            About::HoldsNot(_) => Some(format!("unless {}", self.condition(scene, part)?)),
        }
    }

    /// The condition of a part as text in backquotes; nothing where an agent may not read it.
    fn condition(&self, scene: &Scene<'_>, part: &Part) -> Option<String> {
        let (About::Holds(expression) | About::HoldsNot(expression)) = &part.about else { return None };
        let text = expression.to_string();
        (self.is_tellable(scene, expression) && text.chars().count() <= LONGEST_CONDITION).then(|| format!("`{text}`"))
    }

    /// Whether an expression holds nothing that is not for this agent.
    fn is_tellable(&self, scene: &Scene<'_>, expression: &Expr) -> bool {
        /// What an agent cannot change within its session, or is not to learn.
        const HIDDEN: [&[&str]; 7] = [
            &["context"],
            &["context", "session"],
            &["context", "session", UNVERIFIED_TASK],
            &["context", "source_ip"],
            &["context", "account"],
            &["context", "target"],
            &["resource", "account"],
        ];
        if let Some(path) = path(expression) {
            // Names of parameters are the bundle's own words, all others the schema's.
            let free = path.strip_prefix(&["context", "params"]).unwrap_or_default();
            return path.first() != Some(&"principal")
                && !HIDDEN.contains(&path.as_slice())
                && !free.iter().any(|name| self.is_untold(scene, name));
        }
        let all = |parts: &[&Expr]| parts.iter().all(|part| self.is_tellable(scene, part));
        match expression {
            Expr::Literal(Literal::String(text)) => !self.is_untold(scene, text),
            Expr::Literal(Literal::EntityUID(uid)) => uid.ty.to_string() == EntityKind::Action.as_str(),
            Expr::Literal(_) => true,
            Expr::Like { expr, pattern } => {
                let letter = |element: &PatternElem| match element {
                    PatternElem::Char(letter) => *letter,
                    PatternElem::Wildcard => '*',
                };
                let text: String = pattern.iter().map(letter).collect();
                !self.is_untold(scene, &text) && all(&[expr])
            }
            Expr::GetAttr { expr, attr } => !self.is_untold(scene, attr) && all(&[expr]),
            Expr::UnaryOp { expr, .. } => all(&[expr]),
            // That something of the address or the session is there tells nothing.
            Expr::HasAttr { expr, attrs } => {
                !attrs.iter().any(|attr| self.is_untold(scene, attr))
                    && (matches!(expr.as_ref(), Expr::Var(Var::Context)) || all(&[expr]))
            }
            Expr::BinaryOp { left, right, .. } => all(&[left, right]),
            Expr::IfThenElse { cond, then_expr, else_expr } => all(&[cond, then_expr, else_expr]),
            Expr::Set(items) => items.iter().all(|item| self.is_tellable(scene, item)),
            Expr::Record(members) => {
                members.iter().all(|(name, member)| !self.is_untold(scene, name) && self.is_tellable(scene, member))
            }
            Expr::Var(Var::Action | Var::Resource) => true,
            _ => false,
        }
    }
}

/// `root.name.name…`.
fn path(expression: &Expr) -> Option<Vec<&str>> {
    match expression {
        Expr::Var(Var::Principal) => Some(vec!["principal"]),
        Expr::Var(Var::Context) => Some(vec!["context"]),
        Expr::Var(Var::Resource) => Some(vec!["resource"]),
        Expr::GetAttr { expr, attr } => {
            let mut names = path(expr)?;
            names.push(attr);
            Some(names)
        }
        _ => None,
    }
}

/// At most so many characters, none of which change how the others are shown.
pub(crate) fn plain(text: &str, most: usize) -> String {
    let misleads = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut plain: String =
        text.chars().take(most).map(|letter| if misleads(letter) { '\u{fffd}' } else { letter }).collect();
    if text.chars().nth(most).is_some() {
        plain.push('…');
    }
    plain
}
