//! `[[limits.rate]]` of `countersign.toml`, as types.

use std::{collections::BTreeSet, fmt, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, SeqAccess, Visitor},
};

use crate::{
    ids::{AgentId, GroupName, LimitName, TargetName},
    time::{Timestamp, parse_duration},
};

/// What each count of a limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// Each agent has its own.
    Agent,
    /// Each target has its own, for all agents together.
    Target,
    /// Each rule that lets a call pass or holds it has its own.
    Rule,
}

impl Per {
    /// The name in settings and keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Per::Agent => "agent",
            Per::Target => "target",
            Per::Rule => "rule",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Per::Agent, Per::Target, Per::Rule].into_iter().find(|per| per.as_str() == name)
    }
}

/// `per = "agent"` or `per = ["agent", "rule"]`: one count for each combination that occurs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct LimitedBy(BTreeSet<Per>);

impl LimitedBy {
    /// Whether `per` is a part of it.
    pub fn contains(&self, per: &Per) -> bool {
        self.0.contains(per)
    }

    /// Its parts, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = &Per> {
        self.0.iter()
    }
}

impl FromIterator<Per> for LimitedBy {
    fn from_iter<I: IntoIterator<Item = Per>>(parts: I) -> Self {
        Self(parts.into_iter().collect())
    }
}

impl<'de> Deserialize<'de> for LimitedBy {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Names;

        fn part<E: de::Error>(name: &str) -> Result<Per, E> {
            Per::from_name(name).ok_or_else(|| {
                E::custom(format!("`per` cannot be `{name}`; it is made of `agent`, `target` and `rule`"))
            })
        }

        impl<'de> Visitor<'de> for Names {
            type Value = LimitedBy;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("`agent`, `target` or `rule`, or a list of them")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<LimitedBy, E> {
                Ok([part(name)?].into_iter().collect())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<LimitedBy, A::Error> {
                let mut parts = BTreeSet::new();
                while let Some(name) = names.next_element::<String>()? {
                    parts.insert(part(&name)?);
                }
                if parts.is_empty() {
                    return Err(de::Error::custom("`per` is empty"));
                }
                Ok(LimitedBy(parts))
            }
        }
        from.deserialize_any(Names)
    }
}

/// The length of a limit's windows, at least a second: `30s`, `1h`, `1d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window(Duration);

impl Window {
    /// The window that `now` is in: its first moment, and the first moment of the next one.
    pub fn around(self, now: Timestamp) -> (Timestamp, Timestamp) {
        let length = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX).max(1);
        let from = Timestamp::from_millis(now.as_millis() - now.as_millis() % length);
        (from, from.plus(self.0))
    }

    /// Its length.
    pub fn length(self) -> Duration {
        self.0
    }
}

impl TryFrom<String> for Window {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_duration(&text)
            .filter(|length| !length.is_zero())
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a length of time; write it as in `30s`, `1h` or `1d`"))
    }
}

impl From<Window> for String {
    fn from(window: Window) -> String {
        format!("{}s", window.0.as_secs())
    }
}

/// One `[[limits.rate]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Its name in denials, in the record and in keys.
    pub name: LimitName,
    /// What each count is for.
    pub per: LimitedBy,
    /// Only for these agents, or for names that begin so where one ends in `*`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub agents: BTreeSet<String>,
    /// Only for agents in one of these groups, beside those that `agents` names.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<GroupName>,
    /// Only in these targets.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub targets: BTreeSet<TargetName>,
    /// Only for calls that one of these rules lets pass or holds.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rules: BTreeSet<String>,
    /// The most calls in a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// The most distinct resources in a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct_resources: Option<u32>,
    /// The most requests that wait at once; it has no window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<u32>,
    /// The length of the windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

impl RateLimit {
    /// Whether the limit is about this agent.
    pub(super) fn is_about(&self, agent: &AgentId, groups: &BTreeSet<GroupName>) -> bool {
        let named = |name: &String| match name.strip_suffix('*') {
            Some(prefix) => agent.as_str().starts_with(prefix),
            None => agent.as_str() == name,
        };
        let everybody = self.agents.is_empty() && self.groups.is_empty();
        everybody || self.agents.iter().any(named) || !self.groups.is_disjoint(groups)
    }
}
