//! What no text that an agent reads may hold: accounts, networks, and names of others.
//!
//! It may be a part of a longer text or of a pattern. Where a text only looks like one of these,
//! not telling it costs a lesson; telling one costs a secret.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::{bundle::Bundle, rule::Key, scene::Scene, vocabulary::EntityKind};

/// The longest run of digits that may be told: a date. Longer ones are accounts, or most of one
/// before a wildcard.
const MOST_DIGITS: usize = 8;

impl Bundle {
    /// Whether a text, or a pattern with `*` for its wildcards, holds something that is not for
    /// this agent.
    pub(crate) fn is_untold(&self, scene: &Scene<'_>, text: &str) -> bool {
        let own = scene.facts.target.account.as_str();
        let account = text
            .split(|letter: char| !letter.is_ascii_digit())
            .any(|digits| digits.len() > MOST_DIGITS && digits != own);
        account || text.contains('@') || holds_address(text) || self.holds_name(scene, text)
    }

    /// Whether a text holds the name of another agent, of a group or of a person, as far as the
    /// bundle names them.
    fn holds_name(&self, scene: &Scene<'_>, text: &str) -> bool {
        let text = text.to_lowercase();
        let holds = |name: &str| !name.is_empty() && text.contains(&name.to_lowercase());
        let agent = |name: &str| name != scene.facts.agent.as_str() && holds(name.strip_suffix('*').unwrap_or(name));
        let settings = self.settings();
        let of_person = settings.persons.iter().any(|person| {
            holds(person.id.as_str())
                || person.emails.iter().any(|email| holds(email))
                || person.subjects.iter().any(|subject| holds(subject))
                || person.groups.iter().any(|group| holds(group.as_str()))
        });
        let of_agent = settings
            .agents
            .iter()
            .any(|entry| agent(&entry.agent) || entry.groups.iter().any(|group| holds(group.as_str())));
        let of_limit = settings.limits.rate.iter().any(|limit| {
            limit.agents.iter().any(|name| agent(name)) || limit.groups.iter().any(|group| holds(group.as_str()))
        });
        let of_rule = self.rules().iter().any(|rule| match &rule.head.principal {
            Key::Any => false,
            Key::Is(EntityKind::Agent, name) => agent(name),
            Key::Is(_, name) => holds(name),
        });
        of_person || of_agent || of_limit || of_rule
    }
}

/// Whether a text holds an IP address, a network or the beginning of one.
fn holds_address(text: &str) -> bool {
    let v4 = |part: &str| {
        let dots = part.matches('.').count();
        part.parse::<Ipv4Addr>().is_ok() || dots >= 3 || (dots == 2 && part.ends_with('.'))
    };
    let v6 = |part: &str| {
        let groups = part.trim_end_matches(':');
        let begins = part.ends_with(':')
            && groups.contains(':')
            && groups.split(':').all(|group| group.len() <= 4 && group.chars().all(|digit| digit.is_ascii_hexdigit()));
        part.parse::<Ipv6Addr>().is_ok() || begins
    };
    text.split(|letter: char| !letter.is_ascii_digit() && letter != '.').any(v4)
        || text.split(|letter: char| !letter.is_ascii_alphanumeric() && !".:".contains(letter)).any(v6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_seen_within_a_text_and_versions_are_not_taken_for_them() {
        for held in [
            "10.1.2.3",
            "a 10.20.0.0/16",
            "ip-10.20.30.*",
            "10.20.*",
            "2001:db8::/32",
            "[fd00::1]",
            "2001:db8:*",
            "::1",
        ] {
            assert!(holds_address(held), "{held}");
        }
        for free in ["8.0.35", "t3.micro", "arn:aws:iam::aws:policy/x", "ec2:*", "agent-scratch-*", "a:b"] {
            assert!(!holds_address(free), "{free}");
        }
    }
}
