//! What settings must hold beyond their types.

use std::collections::{BTreeSet, HashMap};

use countersign_domain::{
    AgentId,
    settings::{Settings, Target},
};

use crate::{
    error::Problems,
    settings_file::{Places, SETTINGS_FILE},
};

/// Checks `settings`; what is wrong goes to `problems`.
pub(crate) fn check(settings: &Settings, places: &Places, problems: &mut Problems) {
    let mut checker = Checker { settings, places, problems };
    checker.limits();
    checker.agent_issuers();
    checker.person_issuers();
    checker.targets();
    checker.agents();
    checker.persons();
    checker.channels();
}

struct Checker<'a> {
    settings: &'a Settings,
    places: &'a Places,
    problems: &'a mut Problems,
}

impl Checker<'_> {
    fn wrong(&mut self, path: &str, message: impl Into<String>, fix: impl Into<String>) {
        self.problems.add(SETTINGS_FILE, self.places.line(path), message, fix);
    }

    fn limits(&mut self) {
        let limits = &self.settings.limits;
        let ranges = [
            ("limits.session_seconds", limits.session_seconds, 1800, 43_200),
            ("limits.pending_per_agent", limits.pending_per_agent, 1, 1000),
            ("limits.cooldown_seconds", limits.cooldown_seconds, 0, 86_400),
            ("limits.collect_seconds", limits.collect_seconds, 60, 7 * 86_400),
        ];
        for (path, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                self.wrong(path, format!("{value} is out of range"), format!("use {least} to {most}"));
            }
        }
    }

    fn agent_issuers(&mut self) {
        let issuers = &self.settings.agent_issuers;
        if issuers.is_empty() {
            self.wrong("agent_issuers", "no agent can log in", "add an `[[agent_issuers]]`");
        }
        for (place, issuer) in issuers.iter().enumerate() {
            let path = format!("agent_issuers[{place}]");
            self.url(&format!("{path}.issuer"), &issuer.issuer);
            if issuer.audience.trim().is_empty() {
                self.wrong(&format!("{path}.audience"), "the audience is empty", "name an audience that is ours alone");
            }
            if issuer.algorithms.is_empty() {
                self.wrong(
                    &format!("{path}.algorithms"),
                    "no algorithm is accepted",
                    "name at least one, as in `RS256`",
                );
            }
            if issuer.agent_claim.trim().is_empty() {
                self.wrong(&format!("{path}.agent_claim"), "no claim names the agent", "name one, as in `sub`");
            }
            if !issuer.agent_prefix.is_empty() && AgentId::new(issuer.agent_prefix.as_str()).is_err() {
                self.wrong(
                    &format!("{path}.agent_prefix"),
                    "the prefix has characters that an agent's name may not have",
                    "use A-Z a-z 0-9 _ + = , . @ : / | ~ -",
                );
            }
            let overlaps =
                |other: &str| other.starts_with(&issuer.agent_prefix) || issuer.agent_prefix.starts_with(other);
            let others = issuers.iter().take(place);
            if others.clone().any(|other| overlaps(&other.agent_prefix)) {
                self.wrong(
                    &format!("{path}.agent_prefix"),
                    "two issuers could name the same agent",
                    "give each issuer an `agent_prefix` that is no beginning of another's",
                );
            }
            let same_audience = |person: &&countersign_domain::settings::PersonIssuer| {
                person.issuer == issuer.issuer && person.client_id == issuer.audience
            };
            if self.settings.person_issuers.iter().find(same_audience).is_some() {
                self.wrong(
                    &format!("{path}.audience"),
                    "a person's token would pass as an agent's",
                    "use an audience that is not the persons' `client_id`",
                );
            }
        }
    }

    fn person_issuers(&mut self) {
        let mut seen = BTreeSet::new();
        for (place, issuer) in self.settings.person_issuers.iter().enumerate() {
            let path = format!("person_issuers[{place}]");
            self.url(&format!("{path}.issuer"), &issuer.issuer);
            if !seen.insert(issuer.issuer.as_str()) {
                self.wrong(&format!("{path}.issuer"), format!("`{}` stands twice", issuer.issuer), "remove one");
            }
            if issuer.client_id.trim().is_empty() {
                self.wrong(&format!("{path}.client_id"), "the client id is empty", "write ours at this issuer");
            }
            if issuer.subject_claim.trim().is_empty() {
                self.wrong(&format!("{path}.subject_claim"), "no claim names the person", "use `sub` or `email`");
            }
            if issuer.algorithms.is_empty() {
                self.wrong(
                    &format!("{path}.algorithms"),
                    "no algorithm is accepted",
                    "name at least one, as in `RS256`",
                );
            }
        }
        if self.settings.person_issuers.is_empty() && !self.settings.channels.email_codes {
            self.wrong(
                "person_issuers",
                "nobody can approve: there is no issuer to sign in at, and codes by email are off",
                "add a `[[person_issuers]]`",
            );
        }
    }

    fn url(&mut self, path: &str, url: &str) {
        let https = url.strip_prefix("https://");
        let loopback = ["http://127.0.0.1", "http://localhost", "http://[::1]"]
            .iter()
            .find_map(|prefix| url.strip_prefix(prefix))
            .filter(|rest| rest.is_empty() || rest.starts_with([':', '/']));
        let clean = !url.contains(|character: char| {
            character.is_whitespace() || character.is_control() || "?#@".contains(character)
        });
        if (https.is_none_or(str::is_empty) && loopback.is_none()) || !clean {
            self.wrong(
                path,
                format!("`{url}` is not the URL of an issuer"),
                "use https, without user, query or fragment; http is allowed on loopback only",
            );
        }
    }

    fn targets(&mut self) {
        let targets = &self.settings.targets;
        if targets.is_empty() {
            self.wrong("targets", "there is nowhere to act", "add a `[[targets]]`");
        }
        let mut names = BTreeSet::new();
        let mut roles: HashMap<&str, &str> = HashMap::new();
        for (place, target) in targets.iter().enumerate() {
            let path = format!("targets[{place}]");
            if !names.insert(&target.name) {
                self.wrong(&format!("{path}.name"), format!("the target `{}` stands twice", target.name), "rename one");
            }
            if !["aws", "aws-cn", "aws-us-gov"].contains(&target.partition.as_str()) {
                let message = format!("unknown partition `{}`", target.partition);
                self.wrong(&format!("{path}.partition"), message, "use `aws`, `aws-cn` or `aws-us-gov`");
            }
            if target.regions.is_empty() {
                self.wrong(&format!("{path}.regions"), "the target has no region", "name at least one");
            }
            for (kind, role) in [("auto_role", &target.auto_role), ("approved_role", &target.approved_role)] {
                self.role(&format!("{path}.{kind}"), target, role);
                // One role in two places would mix authorities, or name two targets at once.
                if roles.insert(role, kind).is_some() {
                    let message = format!("the role `{role}` stands twice");
                    self.wrong(&format!("{path}.{kind}"), message, "every target needs its own two roles");
                }
            }
        }
    }

    fn role(&mut self, path: &str, target: &Target, role: &str) {
        let prefix = format!("arn:{}:iam::{}:role/", target.partition, target.account);
        let name = role.strip_prefix(prefix.as_str());
        let valid = name.is_some_and(|name| {
            !name.is_empty()
                && name.len() <= 512
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@/-".contains(&byte))
        });
        if !valid {
            let message = format!("`{role}` is no role of account {}", target.account);
            self.wrong(path, message, format!("write `{prefix}…`"));
        }
    }

    fn agents(&mut self) {
        let mut seen = BTreeSet::new();
        for (place, entry) in self.settings.agents.iter().enumerate() {
            let path = format!("agents[{place}]");
            if !seen.insert(entry.agent.as_str()) {
                self.wrong(&format!("{path}.agent"), format!("the agent `{}` stands twice", entry.agent), "merge them");
            }
            let name = entry.agent.strip_suffix('*').unwrap_or(&entry.agent);
            let valid = AgentId::new(name).is_ok() || (name.is_empty() && entry.agent == "*");
            if !valid {
                let message = format!("`{}` is not an agent's name", entry.agent);
                self.wrong(&format!("{path}.agent"), message, "write the name, or a beginning followed by `*`");
            }
            for owner in &entry.owners {
                if self.settings.person(owner).is_none() {
                    let message = format!("the owner `{owner}` is no person of this bundle");
                    self.wrong(&format!("{path}.owners"), message, "add a `[[persons]]` with this id");
                }
            }
        }
    }

    fn persons(&mut self) {
        let mut ids = BTreeSet::new();
        let mut aliases = BTreeSet::new();
        let issuers: BTreeSet<_> = self.settings.person_issuers.iter().map(|issuer| issuer.issuer.as_str()).collect();
        for (place, person) in self.settings.persons.iter().enumerate() {
            let path = format!("persons[{place}]");
            if !ids.insert(&person.id) {
                self.wrong(&format!("{path}.id"), format!("the person `{}` stands twice", person.id), "merge them");
            }
            for (number, email) in person.emails.iter().enumerate() {
                let path = format!("{path}.emails[{number}]");
                self.email(&path, email);
                if !aliases.insert(email.to_ascii_lowercase()) {
                    self.wrong(&path, format!("`{email}` belongs to two persons"), "an alias names one person");
                }
            }
            for (number, subject) in person.subjects.iter().enumerate() {
                let path = format!("{path}.subjects[{number}]");
                let known =
                    subject.split_once('|').is_some_and(|(issuer, name)| issuers.contains(issuer) && !name.is_empty());
                if !known {
                    let message = format!("`{subject}` names no subject at a person issuer");
                    self.wrong(&path, message, "write `issuer|subject` with the issuer of a `[[person_issuers]]`");
                }
                if !aliases.insert(subject.clone()) {
                    self.wrong(&path, format!("`{subject}` belongs to two persons"), "an alias names one person");
                }
            }
        }
    }

    /// The part of RFC 5321 that mail systems accept unquoted; it goes into headers as it is.
    fn email(&mut self, path: &str, email: &str) {
        let valid = email.split_once('@').is_some_and(|(local, domain)| {
            let local_valid = !local.is_empty()
                && local.len() <= 64
                && local.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~.-".contains(&byte));
            let label_valid = |label: &str| {
                !label.is_empty()
                    && label.len() <= 63
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            };
            local_valid && domain.len() <= 253 && domain.contains('.') && domain.split('.').all(label_valid)
        });
        if !valid {
            self.wrong(path, format!("`{email}` is not an email address"), "write it as in `ann@example.com`");
        }
    }

    fn channels(&mut self) {
        let channels = &self.settings.channels;
        self.email("channels.email_from", &channels.email_from);
        let Some(topic) = &channels.sns_topic else { return };
        let parts: Vec<_> = topic.split(':').collect();
        let valid = matches!(parts.as_slice(), ["arn", partition, "sns", region, account, name]
            if partition.starts_with("aws") && !region.is_empty() && account.len() == 12 && !name.is_empty());
        if !valid {
            let message = format!("`{topic}` is not the ARN of a topic");
            self.wrong("channels.sns_topic", message, "write `arn:aws:sns:region:account:name`");
        }
    }
}
