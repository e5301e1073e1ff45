//! What `[[limits.rate]]` must hold beyond its types.

use std::{collections::BTreeSet, ops::RangeInclusive, time::Duration};

use countersign_domain::{AgentId, ids::LimitName, limits::RateLimit, settings::Settings};

use crate::{
    annotation::Kind,
    error::Problems,
    nearest::nearest,
    rule::Rule,
    settings_file::{Places, SETTINGS_FILE},
};

/// The most limits of a bundle: all that could be about one call must fit into one transaction.
const MOST_LIMITS: usize = 40;
/// Counters keep what they have seen, 16 bytes each, and each call rewrites its counter: this bounds
/// an item to 4 KB, which is four write units.
const DISTINCT_RESOURCES: RangeInclusive<u32> = 1..=200;
const PENDING: RangeInclusive<u32> = 1..=1000;
const CALLS: RangeInclusive<u32> = 1..=1_000_000_000;
const LONGEST_WINDOW: Duration = Duration::from_secs(31 * 86_400);

/// Checks the limits of `settings` against each other and against the bundle's `rules`.
pub(crate) fn check(settings: &Settings, rules: &[Rule], places: &Places, problems: &mut Problems) {
    let limits = &settings.limits.rate;
    let mut checker = Checker { settings, rules, places, problems };
    if limits.len() > MOST_LIMITS {
        checker.wrong(
            "limits.rate",
            format!("there are {} limits", limits.len()),
            format!("at most {MOST_LIMITS} fit"),
        );
    }
    let mut names = BTreeSet::new();
    let taken = LimitName::pending_per_agent();
    for (place, limit) in limits.iter().enumerate() {
        let path = format!("limits.rate[{place}]");
        if !names.insert(&limit.name) {
            let message = format!("the limit `{}` stands twice", limit.name);
            checker.wrong(&format!("{path}.name"), message, "rename one: a count goes by the limit's name");
        }
        if limit.name == taken {
            let message = format!("`{taken}` is the name of the limit that every agent has");
            checker.wrong(&format!("{path}.name"), message, "take another: the record goes by the limit's name");
        }
        checker.amounts(&path, limit);
        checker.window(&path, limit);
        checker.subjects(&path, limit);
        checker.rules(&path, limit);
    }
}

struct Checker<'a> {
    settings: &'a Settings,
    rules: &'a [Rule],
    places: &'a Places,
    problems: &'a mut Problems,
}

impl Checker<'_> {
    fn wrong(&mut self, path: &str, message: impl Into<String>, fix: impl Into<String>) {
        self.problems.add(SETTINGS_FILE, self.places.line(path), message, fix);
    }

    fn amounts(&mut self, path: &str, limit: &RateLimit) {
        let amounts = [
            ("calls", limit.calls, CALLS),
            ("distinct_resources", limit.distinct_resources, DISTINCT_RESOURCES),
            ("pending", limit.pending, PENDING),
        ];
        if amounts.iter().all(|(_, amount, _)| amount.is_none()) {
            let message = format!("the limit `{}` limits nothing", limit.name);
            self.wrong(path, message, "set `calls`, `distinct_resources` or `pending`");
        }
        for (name, amount, range) in amounts {
            if let Some(amount) = amount.filter(|amount| !range.contains(amount)) {
                let fix = format!("use {} to {}", range.start(), range.end());
                self.wrong(&format!("{path}.{name}"), format!("{amount} is out of range"), fix);
            }
        }
    }

    fn window(&mut self, path: &str, limit: &RateLimit) {
        let needed = limit.calls.is_some() || limit.distinct_resources.is_some();
        match limit.window {
            None if needed => {
                let message = format!("the limit `{}` has no window", limit.name);
                self.wrong(path, message, "say in which time, as in `window = \"1h\"`");
            }
            Some(_) if !needed => {
                let message = "`window` has no meaning for requests that wait: they are counted as they wait";
                self.wrong(&format!("{path}.window"), message, "remove it, or limit `calls` or `distinct_resources`");
            }
            Some(window) if window.length() > LONGEST_WINDOW => {
                self.wrong(&format!("{path}.window"), "the window is longer than 31 days", "use `31d` or less");
            }
            _ => {}
        }
    }

    fn subjects(&mut self, path: &str, limit: &RateLimit) {
        for agent in &limit.agents {
            let name = agent.strip_suffix('*').unwrap_or(agent);
            if AgentId::new(name).is_err() && agent != "*" {
                let message = format!("`{agent}` is not an agent's name");
                self.wrong(&format!("{path}.agents"), message, "write the name, or a beginning followed by `*`");
            }
        }
        for target in limit.targets.iter().filter(|target| self.settings.target(target).is_none()).collect::<Vec<_>>() {
            let known: Vec<_> = self.settings.targets.iter().map(|target| target.name.as_str().to_owned()).collect();
            let fix = suggestion(target.as_str(), &known, "the targets are");
            self.wrong(&format!("{path}.targets"), format!("there is no target `{target}`"), fix);
        }
    }

    fn rules(&mut self, path: &str, limit: &RateLimit) {
        let path = format!("{path}.rules");
        for name in &limit.rules {
            match self.rules.iter().find(|rule| rule.id == *name) {
                None => {
                    let known: Vec<_> = self.rules.iter().map(|rule| rule.id.clone()).collect();
                    let fix = suggestion(name, &known, "write `file/name` as denials do; there are");
                    self.wrong(&path, format!("there is no rule `{name}`"), fix);
                }
                Some(rule) if rule.shadow => {
                    let message = format!("the rule `{name}` only shadows, so no call is let pass or held by it");
                    self.wrong(&path, message, "remove it, or its `@mode`");
                }
                Some(rule) if rule.kind == Kind::Forbid => {
                    let message = format!("the rule `{name}` forbids, and what is denied is not counted");
                    self.wrong(&path, message, "name rules that permit");
                }
                Some(_) => {}
            }
        }
    }
}

fn suggestion(name: &str, known: &[String], list: &str) -> String {
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{list} {}", known.iter().take(12).map(String::as_str).collect::<Vec<_>>().join(", ")),
    }
}
