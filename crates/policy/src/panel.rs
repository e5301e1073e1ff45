//! Rules that are candidates together, evaluated together.
//!
//! Cedar has a price per request and a smaller one per rule, so the candidates of a permission
//! form one set. Calls repeat: a bundle keeps the sets that it made.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use cedar_policy::{Authorizer, PolicyId, PolicySet};

use crate::{rule::Rule, scene::Stage, vocabulary::ContextMembers};

/// How a rule turned out for one permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It matches.
    Matches,
    /// It does not, whatever the resource is.
    Fails,
    /// The resource may be any, and for some it matches or cannot be evaluated.
    MayMatch,
    /// It could not be evaluated.
    Errs(String),
}

/// The rules at some places of a bundle, as one set.
#[derive(Debug)]
pub(crate) struct Panel {
    places: Vec<u32>,
    /// Every rule as a permit, whatever its effect: so Cedar reports each one that matches, and
    /// not only those that would settle its own decision. The id is the place.
    set: PolicySet,
    /// Rules that did not parse: impossible in a bundle that loaded, unless it was compiled.
    broken: Vec<(usize, String)>,
    known: bool,
    /// What of `context` the rules read.
    pub(crate) members: ContextMembers,
}

impl Panel {
    /// Makes the panel of `rules` for a resource that is known, or may be any.
    ///
    /// # Errors
    /// When Cedar refuses the set, which distinct places exclude.
    pub(crate) fn new(rules: &[(u32, &Rule)], known: bool) -> Result<Self, String> {
        let mut broken = Vec::new();
        let mut policies = Vec::with_capacity(rules.len());
        for (number, (place, rule)) in rules.iter().enumerate() {
            match rule.parsed() {
                Ok(parsed) => {
                    let policy = if known { &parsed.exact } else { parsed.open() };
                    policies.push(policy.new_id(PolicyId::new(place.to_string())));
                }
                Err(error) => broken.push((number, error.to_owned())),
            }
        }
        Ok(Self {
            places: rules.iter().map(|(place, _)| *place).collect(),
            set: PolicySet::from_policies(policies).map_err(|error| error.to_string())?,
            broken,
            known,
            members: rules.iter().fold(ContextMembers::default(), |all, (_, rule)| all.union(rule.members)),
        })
    }

    /// The places of the rules, sorted.
    pub(crate) fn places(&self) -> &[u32] {
        &self.places
    }

    /// How each rule turns out, in the order of [`Panel::places`].
    pub(crate) fn evaluate(&self, authorizer: &Authorizer, stage: &Stage) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Fails; self.places.len()];
        evaluate(authorizer, &self.set, stage, self.known, |id, outcome| {
            let text: &str = id.as_ref();
            let number = text.parse().ok().and_then(|place| self.places.binary_search(&place).ok());
            if let Some(slot) = number.and_then(|number| outcomes.get_mut(number)) {
                *slot = outcome;
            }
        });
        for (number, error) in &self.broken {
            if let Some(slot) = outcomes.get_mut(*number) {
                *slot = Outcome::Errs(error.clone());
            }
        }
        outcomes
    }
}

/// Evaluates a set of permits; `found` gets every rule that does not simply fail.
pub(crate) fn evaluate(
    authorizer: &Authorizer,
    set: &PolicySet,
    stage: &Stage,
    known: bool,
    mut found: impl FnMut(&PolicyId, Outcome),
) {
    if known {
        let response = authorizer.is_authorized(&stage.request, set, &stage.entities);
        let diagnostics = response.diagnostics();
        diagnostics.reason().for_each(|id| found(id, Outcome::Matches));
        diagnostics.errors().for_each(|error| report(error, &mut found));
        return;
    }
    let partial = authorizer.is_authorized_partial(&stage.request, set, &stage.entities);
    partial.definitely_satisfied().for_each(|rule| found(rule.id(), Outcome::Matches));
    partial.nontrivial_residuals().for_each(|rule| found(rule.id(), Outcome::MayMatch));
    let errored: Vec<PolicyId> = partial.definitely_errored().cloned().collect();
    if errored.is_empty() {
        return;
    }
    errored.iter().for_each(|id| found(id, Outcome::Errs("it could not be evaluated".to_owned())));
    // Here residuals count as errors too, so only those that erred before are taken.
    let response = partial.concretize();
    for error in response.diagnostics().errors() {
        report(error, &mut |id, outcome| {
            if errored.contains(id) {
                found(id, outcome);
            }
        });
    }
}

/// Cedar's message without its prefix, which repeats the rule's id.
fn report(error: &cedar_policy::AuthorizationError, found: &mut impl FnMut(&PolicyId, Outcome)) {
    match error {
        cedar_policy::AuthorizationError::PolicyEvaluationError(error) => {
            found(error.policy_id(), Outcome::Errs(error.inner().to_string()));
        }
    }
}

/// The panels that a bundle has made.
#[derive(Debug, Default)]
pub(crate) struct Panels(Mutex<HashMap<PanelKey, Arc<Panel>>>);

/// Whether the resource is known, and the places of the rules.
type PanelKey = (bool, Vec<u32>);

/// How many panels are kept. An agent's calls need a few dozen.
const MOST_PANELS: usize = 512;

impl Panels {
    /// The panel of these places, made if it is not there.
    ///
    /// # Errors
    /// As [`Panel::new`].
    pub(crate) fn get<'a>(
        &self,
        places: Vec<u32>,
        known: bool,
        rule: impl Fn(u32) -> Option<&'a Rule>,
    ) -> Result<Arc<Panel>, String> {
        let key = (known, places);
        if let Some(panel) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(panel));
        }
        let rules: Vec<_> = key.1.iter().filter_map(|place| Some((*place, rule(*place)?))).collect();
        let panel = Arc::new(Panel::new(&rules, known)?);
        let mut panels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if panels.len() >= MOST_PANELS {
            panels.clear();
        }
        panels.insert(key, Arc::clone(&panel));
        Ok(panel)
    }
}
