//! The decision: candidates by the index, evaluation by Cedar, and the lattice over what matched.

use countersign_domain::{Call, Decision, Obligations, Permission, RuleHit, obligations::MAX_APPROVAL_GROUPS};

use crate::{
    annotation::Kind,
    builtin,
    bundle::Bundle,
    facts::Facts,
    index::Lookup,
    lesson,
    panel::Outcome,
    rule::Rule,
    scene::Scene,
    verdict::{PermissionVerdict, Verdict},
    vocabulary::EntityKind,
};

/// What the rules said about one permission.
#[derive(Clone, Default)]
struct Tally<'a> {
    forbids: Vec<RuleHit>,
    errors: Vec<RuleHit>,
    approvals: Vec<(RuleHit, &'a Obligations)>,
    permits: Vec<(RuleHit, &'a Obligations)>,
}

impl Bundle {
    /// Decides `call` under `facts`.
    ///
    /// For each permission of the call, in this order: a forbid that no bundle lifts, or any
    /// forbid that matches, or **any rule that cannot be evaluated**: `Deny`. Else any `permit`
    /// with `@approval` that matches: `NeedsApproval`. Else any `permit` that matches: `Allow`.
    /// Else `Deny`. The strictest of all permissions wins.
    ///
    /// An action without resources at AWS is on `*`, in its account and target, and on no ARN.
    /// Where the resource is not known exactly, a forbid or an approval matches if for any
    /// resource it does so or cannot be evaluated, and a permit only if it does so for every
    /// resource.
    pub fn decide(&self, call: &Call, facts: &Facts<'_>) -> Verdict {
        let scene = self.scene(call, facts);
        let whole = builtin::forbids_call(call);
        let mut verdict = Verdict {
            decision: not_understood(),
            per_permission: Vec::with_capacity(call.permissions.len()),
            shadow: Vec::new(),
            shadow_decision: None,
            errors: Vec::new(),
        };
        let mut would_be = Vec::with_capacity(call.permissions.len());
        for permission in &call.permissions {
            let builtin = whole.clone().or_else(|| builtin::forbids(self.protected(), call, permission, facts));
            let (live, shadow) = self.tally(&scene, permission);
            verdict.errors.extend(live.errors.iter().cloned());
            let with_shadow = shadow.join(&live);
            would_be.push(self.settle(&scene, permission, builtin.clone(), with_shadow));
            verdict.shadow.extend(shadow.hits());
            verdict.per_permission.push(PermissionVerdict {
                action: permission.action.clone(),
                resource: permission.resource.clone(),
                decision: self.settle(&scene, permission, builtin, live),
            });
        }
        let live = verdict.per_permission.iter().map(|one| one.decision.clone());
        let decision = live.reduce(Decision::join).map_or_else(not_understood, within_group_limit);
        verdict.decision = self.taught(&scene, call, decision, &verdict.per_permission);
        sort(&mut verdict.shadow);
        sort(&mut verdict.errors);
        if !verdict.shadow.is_empty() {
            verdict.shadow_decision = would_be.into_iter().reduce(Decision::join).map(within_group_limit);
        }
        verdict
    }

    pub(crate) fn scene<'a>(&'a self, call: &'a Call, facts: &'a Facts<'a>) -> Scene<'a> {
        let groups = self.settings().all_groups_of(facts.agent, facts.agent_groups);
        let mut owners = self.settings().owners_of(facts.agent);
        owners.extend(facts.owners.iter().cloned());
        Scene { names: self.names(), call, facts, groups, owners }
    }

    /// What live rules say, and what shadow rules say. The two are evaluated apart, so that nothing
    /// that goes wrong with a shadow rule touches the decision.
    fn tally<'a>(&'a self, scene: &Scene<'_>, permission: &Permission) -> (Tally<'a>, Tally<'a>) {
        let actions = Scene::action_names(permission);
        let actions = actions.iter().map(|name| (EntityKind::Action, name.as_str())).collect();
        let candidates = self.index().candidates(&Lookup { actions, ..scene.lookup(permission) });
        let shadows = |place: &u32| self.rule(*place).is_some_and(|rule| rule.shadow);
        let (shadow, live) = candidates.into_iter().partition(shadows);
        (self.tally_of(live, scene, permission), self.tally_of(shadow, scene, permission))
    }

    /// What the rules at `places` say.
    fn tally_of<'a>(&'a self, places: Vec<u32>, scene: &Scene<'_>, permission: &Permission) -> Tally<'a> {
        let mut tally = Tally::default();
        if places.is_empty() {
            return tally;
        }
        let known = permission.resource.known().is_some();
        let outcomes = self.panels().get(places, known, |place| self.rule(place)).and_then(|panel| {
            let stage = scene.stage(permission, panel.members)?;
            let outcomes = panel.evaluate(self.authorizer(), &stage);
            Ok((panel, outcomes))
        });
        match outcomes {
            Ok((panel, outcomes)) => {
                let rules = panel.places().iter().map(|place| self.rule(*place));
                for (rule, outcome) in rules.flatten().zip(outcomes) {
                    tally.count(rule, outcome);
                }
            }
            Err(error) => tally.errors.push(RuleHit { rule: "built-in/evaluation".to_owned(), reason: error }),
        }
        tally
    }

    /// The lattice for one permission.
    fn settle(
        &self,
        scene: &Scene<'_>,
        permission: &Permission,
        builtin: Option<RuleHit>,
        tally: Tally<'_>,
    ) -> Decision {
        let Tally { forbids, errors, approvals, permits } = tally;
        let denials: Vec<_> = builtin.into_iter().chain(forbids).chain(errors).collect();
        if !denials.is_empty() {
            return deny(denials);
        }
        if let Some((obligations, rules)) = merged(approvals) {
            if scene.owners.is_empty() {
                return deny(vec![builtin::no_owner()]);
            }
            return Decision::NeedsApproval { obligations, rules };
        }
        match merged(permits) {
            Some((obligations, rules)) => Decision::Allow { obligations, rules },
            None => Decision::Deny {
                reason: format!(
                    "no rule permits `{}` on `{}`",
                    permission.action,
                    lesson::plain(permission.resource.as_str(), LONGEST_RESOURCE)
                ),
                rules: Vec::new(),
            },
        }
    }
}

/// How the reason of a rule begins that could not be evaluated.
pub(crate) const NOT_EVALUATED: &str = "the rule could not be evaluated";

/// The most characters of a resource in a reason: the rest of the reason matters more.
const LONGEST_RESOURCE: usize = 300;

/// A call without permissions: nothing says what it does.
fn not_understood() -> Decision {
    Decision::Deny { reason: "the call has no permissions to decide on".to_owned(), rules: Vec::new() }
}

/// The first reason in the order of the sources: built-in, forbids, errors.
fn deny(mut rules: Vec<RuleHit>) -> Decision {
    let reason = rules.first().map(|first| format!("{} (rule `{}`)", first.reason, first.rule)).unwrap_or_default();
    sort(&mut rules);
    Decision::Deny { reason, rules }
}

fn sort(hits: &mut Vec<RuleHit>) {
    hits.sort();
    hits.dedup();
}

fn merged(hits: Vec<(RuleHit, &Obligations)>) -> Option<(Obligations, Vec<RuleHit>)> {
    let obligations = hits.iter().map(|(_, obligations)| (*obligations).clone()).reduce(|all, one| all.merge(&one))?;
    let mut rules: Vec<_> = hits.into_iter().map(|(hit, _)| hit).collect();
    sort(&mut rules);
    Some((obligations, rules))
}

/// More groups than a quorum is ever computed for would wait for ever.
fn within_group_limit(decision: Decision) -> Decision {
    match decision {
        Decision::NeedsApproval { obligations, rules } if obligations.approvals.len() > MAX_APPROVAL_GROUPS => {
            Decision::Deny {
                reason: format!(
                    "the call would need the approval of {} groups, and at most {MAX_APPROVAL_GROUPS} can be asked at once",
                    obligations.approvals.len()
                ),
                rules,
            }
        }
        other => other,
    }
}

impl<'a> Tally<'a> {
    fn count(&mut self, rule: &'a Rule, outcome: Outcome) {
        let hit = |reason: String| RuleHit { rule: rule.id.clone(), reason };
        let stated = |default: &str| rule.reason.clone().unwrap_or_else(|| default.to_owned());
        let unknown = "; the resource is not known from the request, so it counts as every resource";
        match (outcome, &rule.kind) {
            (Outcome::Fails, _) | (Outcome::MayMatch, Kind::Permit(_)) => {}
            (Outcome::Errs(error), _) => self.errors.push(hit(format!("{NOT_EVALUATED}: {error}"))),
            (Outcome::Matches, Kind::Forbid) => self.forbids.push(hit(stated("a rule forbids it"))),
            (Outcome::MayMatch, Kind::Forbid) => {
                self.forbids.push(hit(format!("{}{unknown}", stated("a rule forbids it"))));
            }
            (Outcome::Matches, Kind::Approval(obligations)) => {
                self.approvals.push((hit(stated("a rule asks for approval")), obligations));
            }
            (Outcome::MayMatch, Kind::Approval(obligations)) => {
                let reason = format!("{}{unknown}", stated("a rule asks for approval"));
                self.approvals.push((hit(reason), obligations));
            }
            (Outcome::Matches, Kind::Permit(obligations)) => {
                self.permits.push((hit(stated("a rule permits it")), obligations));
            }
        }
    }

    fn join(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.forbids.extend(other.forbids.iter().cloned());
        both.errors.extend(other.errors.iter().cloned());
        both.approvals.extend(other.approvals.iter().cloned());
        both.permits.extend(other.permits.iter().cloned());
        both
    }

    fn hits(self) -> impl Iterator<Item = RuleHit> {
        let plain = self.forbids.into_iter().chain(self.errors);
        plain.chain(self.approvals.into_iter().chain(self.permits).map(|(hit, _)| hit))
    }
}
