//! What loads, but is probably not meant.

use std::{cell::OnceCell, collections::BTreeSet};

use cedar_policy::pst::{Clause, Expr, Literal};
use countersign_domain::{AccessLevel, AgentId, Class, Classes, GroupName, Obligations};

use crate::{
    analysis::Analysis,
    annotation::Kind,
    bundle::Bundle,
    coverage::{self, Unconditional},
    nearest::nearest,
    rule::{Key, Rule},
    settings_file::SETTINGS_FILE,
    vocabulary::{EntityKind, class_group, is_action_group},
};

/// What the checks need to know of AWS's actions.
pub trait ActionCatalogue {
    /// Whether IAM has the action, in exactly this letter case (`dynamodb:PutItem`).
    fn exists(&self, action: &str) -> bool;
    /// The action that a mistyped one was probably meant to be.
    fn suggest(&self, action: &str) -> Option<String>;
    /// The action's access level; `None` for one that does not exist.
    fn level(&self, action: &str) -> Option<AccessLevel>;
    /// Every class that the action can have in some call.
    fn classes(&self, action: &str) -> Classes;
    /// Whether there are actions of this service (the part before the colon).
    fn service_exists(&self, service: &str) -> bool;
    /// Every action of a service.
    fn actions_of(&self, service: &str) -> Vec<String>;
    /// Whether calls with this action have a parameter at the dotted path; `None` when unknown.
    fn has_parameter(&self, _action: &str, _path: &str) -> Option<bool> {
        None
    }
    /// The parameter that a mistyped one was probably meant to be.
    fn suggest_parameter(&self, _action: &str, _path: &str) -> Option<String> {
        None
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The bundle does not do what it says; do not deploy it.
    Error,
    /// Look at it.
    Warning,
}

/// Something that loads, but is probably not meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file.
    pub file: String,
    /// The line, counted from 1; 0 when the file as a whole is meant.
    pub line: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

/// Checks a bundle that has loaded. Findings are sorted, errors first.
pub fn check(bundle: &Bundle, catalogue: &dyn ActionCatalogue) -> Vec<Finding> {
    let mut checker = Checker { bundle, catalogue, findings: BTreeSet::new() };
    let unconditional = coverage::unconditional(bundle);
    for rule in bundle.rules() {
        let analysis = rule.analysis();
        checker.actions(rule, &analysis);
        checker.targets(rule, &analysis);
        checker.parameters(rule, &analysis);
        checker.words(rule, &analysis);
        checker.unknown_resources(rule, &analysis);
        checker.classes(rule, &analysis, &unconditional);
        checker.reach(rule, &unconditional);
        if let Kind::Approval(obligations) = &rule.kind {
            checker.approvers(rule, obligations);
        }
    }
    checker.settings();
    checker.limits();
    checker.findings.into_iter().collect()
}

struct Checker<'a> {
    bundle: &'a Bundle,
    catalogue: &'a dyn ActionCatalogue,
    findings: BTreeSet<Finding>,
}

impl Checker<'_> {
    fn find(&mut self, severity: Severity, rule: &Rule, message: String, fix: impl Into<String>) {
        let (file, line) = (rule.file.clone(), rule.line);
        self.findings.insert(Finding { severity, file, line, message, fix: fix.into() });
    }

    fn find_in_settings(&mut self, message: String, fix: &str) {
        let (severity, file, fix) = (Severity::Warning, SETTINGS_FILE.to_owned(), fix.to_owned());
        self.findings.insert(Finding { severity, file, line: 0, message, fix });
    }

    fn actions(&mut self, rule: &Rule, analysis: &Analysis) {
        let in_head = rule.head.actions.iter().filter_map(|key| match key {
            Key::Is(_, id) => Some(id.as_str()),
            Key::Any => None,
        });
        for action in in_head.chain(analysis.actions.iter().map(String::as_str)) {
            if action.starts_with("level:") || action.starts_with("class:") {
                continue;
            }
            let known = match action.strip_suffix(":*") {
                Some(service) => self.catalogue.service_exists(service),
                None => self.catalogue.exists(action),
            };
            if !known {
                let fix = match self.catalogue.suggest(action) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "see AWS's service authorization reference for the names of actions".to_owned(),
                };
                self.find(Severity::Error, rule, format!("AWS has no action `{action}`"), fix);
            }
        }
    }

    fn targets(&mut self, rule: &Rule, analysis: &Analysis) {
        let in_head = match &rule.head.resource {
            Key::Is(EntityKind::Target, name) => Some(name),
            _ => None,
        };
        let targets = &self.bundle.settings().targets;
        for name in in_head.into_iter().chain(&analysis.targets) {
            if targets.iter().any(|target| target.name.as_str() == name) {
                continue;
            }
            let fix = match nearest(name, targets.iter().map(|target| target.name.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "the targets are in countersign.toml".to_owned(),
            };
            self.find(Severity::Error, rule, format!("there is no target `{name}`"), fix);
        }
    }

    fn parameters(&mut self, rule: &Rule, analysis: &Analysis) {
        if analysis.parameters.is_empty() {
            return;
        }
        let named = |key: &Key| match key {
            Key::Is(_, action) if !is_action_group(action) => Some(vec![action.clone()]),
            Key::Is(_, group) => group.strip_suffix(":*").map(|service| self.catalogue.actions_of(service)),
            Key::Any => None,
        };
        let Some(actions) = rule.head.actions.iter().map(named).collect::<Option<Vec<_>>>() else { return };
        let actions = actions.concat();
        for path in &analysis.parameters {
            let known: Vec<_> =
                actions.iter().filter_map(|action| self.catalogue.has_parameter(action, path)).collect();
            if known.is_empty() || known.contains(&true) {
                continue;
            }
            let fix = match actions.iter().find_map(|action| self.catalogue.suggest_parameter(action, path)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "see the AWS CLI's or boto3's documents for the names of parameters".to_owned(),
            };
            self.find(Severity::Error, rule, format!("no call of this rule has the parameter `{path}`"), fix);
        }
    }

    fn words(&mut self, rule: &Rule, analysis: &Analysis) {
        if analysis.reads_task {
            self.find(
                Severity::Warning,
                rule,
                "an agent can avoid this rule by choosing other words".to_owned(),
                "decide by something that the agent cannot choose, or make sure that what is left is no weaker",
            );
        }
    }

    /// A resource that is not known counts as every resource, so a forbid by resource that is
    /// not limited to actions denies half of what agents do.
    fn unknown_resources(&mut self, rule: &Rule, analysis: &Analysis) {
        let by_resource = analysis.reads_resource
            || matches!(&rule.head.resource, Key::Is(EntityKind::Resource | EntityKind::Account, _));
        let broad = rule.head.actions.iter().any(|key| match key {
            Key::Any => true,
            Key::Is(_, id) => id.starts_with("level:"),
        });
        if matches!(rule.kind, Kind::Forbid) && by_resource && broad {
            self.find(
                Severity::Warning,
                rule,
                "the rule also denies every call whose resource is not known from the request, as of a function given by its alias"
                    .to_owned(),
                "limit it to the actions that it is about",
            );
        }
    }

    fn classes(&mut self, rule: &Rule, analysis: &Analysis, unconditional: &Unconditional<'_>) {
        if !matches!(rule.kind, Kind::Permit(_)) || rule.shadow {
            return;
        }
        for class in [Class::Delegating, Class::SecretReturning] {
            if analysis.actions.contains(class_group(class)) {
                continue;
            }
            let covered = rule.head.actions.iter().find_map(|key| self.unguarded(key, class, unconditional));
            if let Some(example) = covered {
                self.find(
                    Severity::Warning,
                    rule,
                    format!("the rule lets `{}` calls pass without approval, as {example}", class.as_str()),
                    format!("add a rule with `@approval` for `action in Action::\"{}\"`", class_group(class)),
                );
            }
        }
    }

    /// An action of `class` that `key` covers and that no unconditional rule holds or forbids.
    fn unguarded(&self, key: &Key, class: Class, unconditional: &Unconditional<'_>) -> Option<String> {
        if unconditional.stops(&Key::Is(EntityKind::Action, class_group(class).to_owned()), self.catalogue) {
            return None;
        }
        let free = |action: &String| {
            self.catalogue.classes(action).contains(class)
                && !unconditional.stops(&Key::Is(EntityKind::Action, action.clone()), self.catalogue)
        };
        match key {
            Key::Any => Some("any action of the class".to_owned()),
            Key::Is(_, id) if id.starts_with("level:") || id.starts_with("class:") => {
                Some("any action of the class".to_owned())
            }
            Key::Is(_, id) => match id.strip_suffix(":*") {
                Some(service) => self.catalogue.actions_of(service).into_iter().find(free),
                None => Some(id.clone()).filter(free),
            }
            .map(|action| format!("`{action}`")),
        }
    }

    fn reach(&mut self, rule: &Rule, unconditional: &Unconditional<'_>) {
        let never = rule.parsed().is_ok_and(|parsed| {
            parsed.body.clauses().iter().any(|clause| match clause {
                Clause::When(condition) => **condition == Expr::Literal(Literal::Bool(false)),
                Clause::Unless(condition) => **condition == Expr::Literal(Literal::Bool(true)),
            })
        });
        if never {
            self.find(Severity::Warning, rule, "the condition never holds".to_owned(), "remove the rule");
        }
        if let Some(over) = unconditional.over(rule, self.catalogue) {
            let message = match over.kind {
                Kind::Forbid => format!("the rule has no effect: `{}` forbids everything that it covers", over.id),
                _ => format!("the rule lets nothing pass: `{}` holds everything that it covers for approval", over.id),
            };
            self.find(
                Severity::Warning,
                rule,
                message,
                "remove one of them, or except this rule's calls from the other",
            );
        }
    }

    fn approvers(&mut self, rule: &Rule, obligations: &Obligations) {
        let settings = self.bundle.settings();
        for (group, quorum) in &obligations.approvals {
            let members: BTreeSet<_> = settings.members_of(group).map(|person| &person.id).collect();
            let needed = usize::try_from(*quorum).unwrap_or(usize::MAX);
            if members.is_empty() {
                let fix = self.group_fix(group);
                self.find(Severity::Error, rule, format!("nobody is in the group `{group}`"), fix);
            } else if members.len() < needed {
                let message = format!("the quorum of {quorum} is larger than the group `{group}` ({})", members.len());
                self.find(Severity::Error, rule, message, "add persons to the group or lower `@quorum`");
            } else {
                for entry in settings.agents.iter().filter(|entry| !entry.owners.is_empty()) {
                    let left = members.iter().filter(|member| !entry.owners.contains(**member)).count();
                    if left < needed {
                        let message = format!(
                            "for the agent `{}` only {left} of the group `{group}` may approve, because owners may not",
                            entry.agent
                        );
                        self.find(
                            Severity::Warning,
                            rule,
                            message,
                            "add persons to the group who do not own the agent",
                        );
                    }
                }
            }
        }
        for step in &obligations.escalations {
            if settings.members_of(&step.group).next().is_none() {
                let fix = self.group_fix(&step.group);
                let message = format!("nobody is in the group `{}` to escalate to", step.group);
                self.find(Severity::Error, rule, message, fix);
            }
        }
    }

    fn group_fix(&self, group: &GroupName) -> String {
        let groups = self.bundle.settings().persons.iter().flat_map(|person| person.groups.iter());
        match nearest(group.as_str(), groups.map(GroupName::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add the group to persons in countersign.toml".to_owned(),
        }
    }

    /// A limit on a mistyped agent or group limits nobody.
    fn limits(&mut self) {
        let settings = self.bundle.settings();
        for limit in &settings.limits.rate {
            for name in limit.agents.iter().filter(|name| !name.ends_with('*')) {
                let known =
                    AgentId::new(name).is_ok_and(|agent| settings.agents.iter().any(|entry| entry.matches(&agent)));
                if !known && !self.is_named_in_rules(name) {
                    let message = format!(
                        "the limit `{}` is for the agent `{name}`, which nothing else of the bundle names",
                        limit.name
                    );
                    let agents = settings.agents.iter().map(|entry| entry.agent.as_str());
                    self.find_unnamed(message, nearest(name, agents), "add it to `[[agents]]` if tokens name it so");
                }
            }
            for group in &limit.groups {
                let mut groups = settings.agents.iter().flat_map(|entry| &entry.groups).map(GroupName::as_str);
                if !groups.clone().any(|known| known == group.as_str()) && !self.is_named_in_rules(group.as_str()) {
                    let message = format!(
                        "the limit `{}` is for the group `{group}`, which no agent of the bundle is in and no rule names",
                        limit.name
                    );
                    let near = nearest(group.as_str(), &mut groups);
                    self.find_unnamed(message, near, "add it to agents in `[[agents]]` if tokens name it so");
                }
            }
        }
    }

    fn find_unnamed(&mut self, message: String, near: Option<&str>, fix: &str) {
        match near {
            Some(near) => self.find_in_settings(message, &format!("did you mean `{near}`?")),
            None => self.find_in_settings(message, fix),
        }
    }

    /// Whether a rule holds a name, in its head or its conditions.
    fn is_named_in_rules(&self, name: &str) -> bool {
        let quoted = format!("\"{name}\"");
        self.bundle.rules().iter().any(|rule| rule.text.contains(&quoted))
    }

    fn settings(&mut self) {
        let settings = self.bundle.settings();
        let token_names_owners = OnceCell::new();
        for entry in settings.agents.iter().filter(|entry| entry.owners.is_empty()) {
            let by_token = *token_names_owners
                .get_or_init(|| settings.agent_issuers.iter().any(|issuer| issuer.owners_claim.is_some()));
            if !by_token {
                let message = format!("the agent `{}` has no owner, so nothing it asks for is approved", entry.agent);
                self.find_in_settings(message, "name its owners");
            }
        }
        for person in &settings.persons {
            if person.emails.is_empty() && person.subjects.is_empty() {
                let message = format!("the person `{}` can neither sign in nor get mail", person.id);
                self.find_in_settings(message, "add an email address or a subject");
            }
        }
    }
}
