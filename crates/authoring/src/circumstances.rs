//! Who calls, where, when: what a decision looks at beside the call.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use countersign_domain::{
    AgentId, GroupName, PersonId, TargetName, Timestamp,
    settings::{Settings, Target},
};
use countersign_policy::{Facts, nearest};

/// When a call is made of which nothing is said: Thursday, 15 January 2026, noon in UTC. Fixed, so that the same test
/// has the same outcome every day.
pub const DEFAULT_MOMENT: Timestamp = Timestamp::from_secs(1_768_478_400);

/// The circumstances of one call.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// Who calls.
    pub agent: AgentId,
    /// The agent's groups by its token.
    pub groups: BTreeSet<GroupName>,
    /// The agent's owners by its token.
    pub owners: BTreeSet<PersonId>,
    /// The target that it acts in.
    pub target: Target,
    /// How old its session is.
    pub session_age: Duration,
    /// The agent's own words.
    pub unverified_task: String,
    /// Where it calls from.
    pub source_ip: Option<IpAddr>,
    /// When.
    pub at: Timestamp,
}

/// A target that cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CircumstancesError {
    /// There is none of this name.
    #[error("there is no target `{name}`; {fix}")]
    UnknownTarget {
        /// As given.
        name: String,
        /// What to do.
        fix: String,
    },
    /// None is named, and there are several.
    #[error("the bundle has several targets; say which one: {0}")]
    SeveralTargets(String),
}

impl Circumstances {
    /// `agent` in `target` at [`DEFAULT_MOMENT`], with nothing else known.
    pub fn new(agent: AgentId, target: Target) -> Self {
        Self {
            agent,
            groups: BTreeSet::new(),
            owners: BTreeSet::new(),
            target,
            session_age: Duration::from_secs(60),
            unverified_task: String::new(),
            source_ip: None,
            at: DEFAULT_MOMENT,
        }
    }

    /// As the bundle takes them.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            agent: &self.agent,
            agent_groups: &self.groups,
            owners: &self.owners,
            target: &self.target,
            session_age: self.session_age,
            unverified_task: &self.unverified_task,
            source_ip: self.source_ip,
            now: self.at,
        }
    }
}

/// The target called `name`, or the only one.
///
/// # Errors
/// [`CircumstancesError`].
pub fn target_named<'s>(settings: &'s Settings, name: Option<&str>) -> Result<&'s Target, CircumstancesError> {
    let names = || settings.targets.iter().map(|target| target.name.as_str());
    let Some(name) = name else {
        return match settings.targets.as_slice() {
            [only] => Ok(only),
            _ => Err(CircumstancesError::SeveralTargets(names().collect::<Vec<_>>().join(", "))),
        };
    };
    let found = TargetName::new(name).ok().and_then(|name| settings.target(&name));
    found.ok_or_else(|| CircumstancesError::UnknownTarget {
        name: name.to_owned(),
        fix: match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the targets are {}", names().collect::<Vec<_>>().join(", ")),
        },
    })
}
