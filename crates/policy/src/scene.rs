//! A call and its circumstances as the entities and the context that rules look at.

use std::collections::{BTreeSet, HashMap, HashSet};

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression};
use countersign_domain::{Call, GroupName, Permission, PersonId, Resource};

use crate::{
    arn::Arn,
    facts::Facts,
    index::Lookup,
    values,
    vocabulary::{ContextMember, ContextMembers, EntityKind, EntityNames, UNVERIFIED_TASK, class_group, level_groups},
};

/// Everything of a decision that does not depend on the permission.
pub(crate) struct Scene<'a> {
    pub(crate) names: &'a EntityNames,
    pub(crate) call: &'a Call,
    pub(crate) facts: &'a Facts<'a>,
    /// Groups by the token and by the bundle.
    pub(crate) groups: BTreeSet<GroupName>,
    /// Owners by the token and by the bundle.
    pub(crate) owners: BTreeSet<PersonId>,
}

/// What Cedar evaluates rules against.
pub(crate) struct Stage {
    pub(crate) request: Request,
    pub(crate) entities: Entities,
}

impl<'a> Scene<'a> {
    /// The keys to look rules up by. An ARN without an account (S3), and `*` for an action without
    /// resources, count as in the target's: AWS is asked with that account's credentials.
    pub(crate) fn lookup<'b>(&'b self, permission: &'b Permission) -> Lookup<'b> {
        let groups = self.groups.iter().map(|group| (EntityKind::Group, group.as_str()));
        let agent = (EntityKind::Agent, self.facts.agent.as_str());
        let resources = permission.resource.known().map(|arn| {
            vec![
                (EntityKind::Resource, arn),
                (EntityKind::Account, self.account_of(arn)),
                (EntityKind::Target, self.facts.target.name.as_str()),
            ]
        });
        Lookup { principals: std::iter::once(agent).chain(groups).collect(), actions: Vec::new(), resources }
    }

    /// The action and the groups it is in.
    pub(crate) fn action_names(permission: &Permission) -> Vec<String> {
        let service = permission.action.split(':').next().unwrap_or_default();
        let levels = level_groups(permission.level).iter().map(|level| (*level).to_owned());
        let classes = permission.classes.iter().map(|class| class_group(class).to_owned());
        [permission.action.clone(), format!("{service}:*")].into_iter().chain(levels).chain(classes).collect()
    }

    fn account_of<'b>(&'b self, arn: &'b str) -> &'b str {
        match Arn::parse(arn).account {
            "" => self.facts.target.account.as_str(),
            account => account,
        }
    }

    /// Builds what Cedar needs for `permission`, with only those members of the context.
    ///
    /// # Errors
    /// When a part cannot be built; the decision is then a denial.
    pub(crate) fn stage(&self, permission: &Permission, members: ContextMembers) -> Result<Stage, String> {
        let principal = self.names.uid(EntityKind::Agent, self.facts.agent.as_str());
        let action = self.names.uid(EntityKind::Action, &permission.action);
        let mut entities = vec![self.principal(&principal)?, self.action(&action, permission)];
        let context = self.context(permission, members)?;
        let request = match permission.resource.known() {
            Some(arn) => {
                let resource = self.names.uid(EntityKind::Resource, arn);
                entities.push(self.resource(&resource, arn, permission)?);
                Request::new(principal, action, resource, context, None).map_err(|error| error.to_string())?
            }
            None => Request::builder()
                .principal(principal)
                .action(action)
                .unknown_resource_with_type(self.names.type_name(EntityKind::Resource).clone())
                .context(context)
                .build(),
        };
        let entities = Entities::from_entities(entities, None).map_err(|error| error.to_string())?;
        Ok(Stage { request, entities })
    }

    fn principal(&self, uid: &EntityUid) -> Result<Entity, String> {
        let parents = self.groups.iter().map(|group| self.names.uid(EntityKind::Group, group.as_str())).collect();
        let owners = self.owners.iter().map(|owner| text(owner.as_str()));
        let attributes = HashMap::from([
            ("name".to_owned(), text(self.facts.agent.as_str())),
            ("owners".to_owned(), RestrictedExpression::new_set(owners)),
        ]);
        Entity::new(uid.clone(), attributes, parents).map_err(|error| error.to_string())
    }

    fn action(&self, uid: &EntityUid, permission: &Permission) -> Entity {
        let groups = Self::action_names(permission);
        let parents: HashSet<_> =
            groups.iter().skip(1).map(|group| self.names.uid(EntityKind::Action, group)).collect();
        Entity::new_no_attrs(uid.clone(), parents)
    }

    fn resource(&self, uid: &EntityUid, arn: &str, permission: &Permission) -> Result<Entity, String> {
        let account = self.account_of(arn);
        let parts = match permission.resource {
            // It has no type and no name, but it is somewhere.
            Resource::AccountLevel => Arn {
                partition: &self.facts.target.partition,
                service: permission.action.split(':').next().unwrap_or_default(),
                region: &self.call.region,
                ..Arn::default()
            },
            _ => Arn::parse(arn),
        };
        let attributes = [
            ("arn", arn),
            ("partition", parts.partition),
            ("service", parts.service),
            ("region", parts.region),
            ("account", account),
            ("type", parts.kind),
            ("name", parts.name),
        ];
        let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect();
        let parents = HashSet::from([
            self.names.uid(EntityKind::Account, account),
            self.names.uid(EntityKind::Target, self.facts.target.name.as_str()),
        ]);
        Entity::new(uid.clone(), attributes, parents).map_err(|error| error.to_string())
    }

    fn context(&self, permission: &Permission, members: ContextMembers) -> Result<Context, String> {
        let mut pairs = Vec::new();
        for member in ContextMember::ALL.into_iter().filter(|member| members.contains(*member)) {
            let value = self
                .member(member, permission)
                .map_err(|values::DuplicateName| "the parameters have a name twice in one structure".to_owned())?;
            pairs.extend(value.map(|value| (member.as_str().to_owned(), value)));
        }
        Context::from_pairs(pairs).map_err(|error| error.to_string())
    }

    fn member(
        &self,
        member: ContextMember,
        permission: &Permission,
    ) -> Result<Option<RestrictedExpression>, values::DuplicateName> {
        Ok(Some(match member {
            ContextMember::Operation => text(&self.call.operation),
            ContextMember::Service => text(&self.call.service),
            ContextMember::Level => text(permission.level.as_str()),
            ContextMember::Classes => {
                RestrictedExpression::new_set(permission.classes.iter().map(|class| text(class.as_str())))
            }
            ContextMember::Region => text(&self.call.region),
            ContextMember::Account => text(self.facts.target.account.as_str()),
            ContextMember::Target => text(self.facts.target.name.as_str()),
            ContextMember::Params => return values::convert(&self.call.parameters),
            ContextMember::Session => {
                let age = i64::try_from(self.facts.session_age.as_secs()).unwrap_or(i64::MAX);
                values::record([
                    ("age_seconds".to_owned(), RestrictedExpression::new_long(age)),
                    (UNVERIFIED_TASK.to_owned(), text(self.facts.unverified_task)),
                ])?
            }
            ContextMember::SourceIp => match self.facts.source_ip {
                // An IPv4 address within IPv6 is the IPv4 address, or rules on ranges would miss it.
                Some(address) => RestrictedExpression::new_ip(address.to_canonical().to_string()),
                None => return Ok(None),
            },
            ContextMember::Time => values::moment(self.facts.now),
        }))
    }
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}
