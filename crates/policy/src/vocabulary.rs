//! The words rules may use: entity types, attributes, action groups.

use cedar_policy::{EntityId, EntityTypeName, EntityUid};
use countersign_domain::{AccessLevel, Class};

/// An entity type of our model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum EntityKind {
    Agent,
    Group,
    Action,
    Resource,
    Account,
    Target,
}

impl EntityKind {
    pub(crate) const ALL: [EntityKind; 6] = [
        EntityKind::Agent,
        EntityKind::Group,
        EntityKind::Action,
        EntityKind::Resource,
        EntityKind::Account,
        EntityKind::Target,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            EntityKind::Agent => "Agent",
            EntityKind::Group => "Group",
            EntityKind::Action => "Action",
            EntityKind::Resource => "Resource",
            EntityKind::Account => "Account",
            EntityKind::Target => "Target",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The members of `context`. Each has a bit, so that only what the candidates mention is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContextMember {
    Operation,
    Service,
    Level,
    Classes,
    Region,
    Account,
    Target,
    Params,
    Session,
    SourceIp,
    Time,
}

impl ContextMember {
    pub(crate) const ALL: [ContextMember; 11] = [
        ContextMember::Operation,
        ContextMember::Service,
        ContextMember::Level,
        ContextMember::Classes,
        ContextMember::Region,
        ContextMember::Account,
        ContextMember::Target,
        ContextMember::Params,
        ContextMember::Session,
        ContextMember::SourceIp,
        ContextMember::Time,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            ContextMember::Operation => "operation",
            ContextMember::Service => "service",
            ContextMember::Level => "level",
            ContextMember::Classes => "classes",
            ContextMember::Region => "region",
            ContextMember::Account => "account",
            ContextMember::Target => "target",
            ContextMember::Params => "params",
            ContextMember::Session => "session",
            ContextMember::SourceIp => "source_ip",
            ContextMember::Time => "time",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|member| member.as_str() == name)
    }
}

/// A set of [`ContextMember`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ContextMembers(u16);

impl ContextMembers {
    /// From the number that [`ContextMembers::bits`] gave; `None` if it has other bits.
    pub(crate) fn from_bits(bits: u64) -> Option<Self> {
        let bits = u16::try_from(bits).ok()?;
        (bits & !Self::all().0 == 0).then_some(Self(bits))
    }

    pub(crate) fn bits(self) -> u64 {
        u64::from(self.0)
    }

    pub(crate) fn all() -> Self {
        ContextMember::ALL.into_iter().fold(Self::default(), Self::with)
    }

    #[must_use]
    pub(crate) fn with(self, member: ContextMember) -> Self {
        Self(self.0 | 1 << member as u16)
    }

    #[must_use]
    pub(crate) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn contains(self, member: ContextMember) -> bool {
        self.0 & 1 << member as u16 != 0
    }
}

/// The members of `context.session`.
pub(crate) const SESSION_MEMBERS: [&str; 2] = ["age_seconds", UNVERIFIED_TASK];
/// The agent's own words.
pub(crate) const UNVERIFIED_TASK: &str = "unverified_task";
/// The attributes of `resource`.
pub(crate) const RESOURCE_ATTRIBUTES: [&str; 7] = ["arn", "partition", "service", "region", "account", "type", "name"];
/// The attributes of `principal`.
pub(crate) const PRINCIPAL_ATTRIBUTES: [&str; 2] = ["name", "owners"];

/// The levels as action groups: AWS's own names; the last one also without its space.
pub(crate) const LEVEL_GROUPS: [&str; 6] = [
    "level:List",
    "level:Read",
    "level:Tagging",
    "level:Write",
    "level:Permissions management",
    "level:PermissionsManagement",
];

/// The groups that an action of this level is in.
pub(crate) fn level_groups(level: AccessLevel) -> &'static [&'static str] {
    match level {
        AccessLevel::List => &["level:List"],
        AccessLevel::Read => &["level:Read"],
        AccessLevel::Tagging => &["level:Tagging"],
        AccessLevel::Write => &["level:Write"],
        AccessLevel::PermissionsManagement => &["level:Permissions management", "level:PermissionsManagement"],
    }
}

/// The group of a class.
pub(crate) fn class_group(class: Class) -> &'static str {
    match class {
        Class::SecretReturning => "class:secret-returning",
        Class::Delegating => "class:delegating",
        Class::Destructive => "class:destructive",
        Class::CredentialReturning => "class:credential-returning",
    }
}

/// Whether `id` names a group of actions (`dynamodb:*`, `level:Read`, `class:delegating`), not one.
pub(crate) fn is_action_group(id: &str) -> bool {
    id.ends_with(":*") || id.starts_with("level:") || id.starts_with("class:")
}

/// The names of entity types as Cedar holds them, parsed once per bundle.
#[derive(Clone, Debug)]
pub(crate) struct EntityNames {
    agent: EntityTypeName,
    group: EntityTypeName,
    action: EntityTypeName,
    resource: EntityTypeName,
    account: EntityTypeName,
    target: EntityTypeName,
}

impl EntityNames {
    /// `None` never happens: every name is an identifier, which a test shows.
    pub(crate) fn new() -> Option<Self> {
        let name = |kind: EntityKind| kind.as_str().parse::<EntityTypeName>().ok();
        Some(Self {
            agent: name(EntityKind::Agent)?,
            group: name(EntityKind::Group)?,
            action: name(EntityKind::Action)?,
            resource: name(EntityKind::Resource)?,
            account: name(EntityKind::Account)?,
            target: name(EntityKind::Target)?,
        })
    }

    /// The name of a type.
    pub(crate) fn type_name(&self, kind: EntityKind) -> &EntityTypeName {
        match kind {
            EntityKind::Agent => &self.agent,
            EntityKind::Group => &self.group,
            EntityKind::Action => &self.action,
            EntityKind::Resource => &self.resource,
            EntityKind::Account => &self.account,
            EntityKind::Target => &self.target,
        }
    }

    /// The entity `kind::"id"`. Built from parts: text that an agent chose is never parsed.
    pub(crate) fn uid(&self, kind: EntityKind, id: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(self.type_name(kind).clone(), EntityId::new(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_sets_of_members_hold() {
        assert!(EntityNames::new().is_some());
        let all = ContextMembers::all();
        assert!(ContextMember::ALL.into_iter().all(|member| all.contains(member)));
        assert_eq!(ContextMembers::from_bits(all.bits()), Some(all));
        assert_eq!(ContextMembers::from_bits(all.bits() + 1), None);
        assert!(!ContextMembers::default().with(ContextMember::Time).contains(ContextMember::Params));
    }
}
