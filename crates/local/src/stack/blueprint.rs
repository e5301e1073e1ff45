//! The templates with the parameters that this machine gives them.

use std::{collections::BTreeMap, path::Path};

use super::{
    StackConfig,
    listeners::Listeners,
    names::{ACCOUNT, AGENT_AUDIENCE, EMAIL_FROM, PERSON_CLIENT_ID, REGION, STACK_NAME, TARGET_ACCOUNT},
};
use crate::{
    bootstrap::Admin,
    doors::DoorKind,
    error::StackError,
    iam::principals::Roles,
    issuer::Issuer,
    plan::Plan,
    template::{
        Template,
        resolve::{Pseudo, Resolver},
        stack_resources::{self, Outside},
    },
};

/// The templates and what they need to be resolved.
pub(super) struct Templates {
    pub(super) own: Template,
    pub(super) target: Template,
    pub(super) pseudo: Pseudo,
}

impl Templates {
    pub(super) fn read(path: &Path) -> Result<Self, StackError> {
        Ok(Self {
            own: Template::read(path)?,
            target: Template::read(&path.with_file_name("target-account.yaml"))?,
            pseudo: Pseudo {
                account: ACCOUNT.to_owned(),
                region: REGION.to_owned(),
                stack_name: STACK_NAME.to_owned(),
            },
        })
    }

    /// Makes the keys and resolves the template of the stack. The doors' URLs depend on which API
    /// leads to the gateway, which is known only after resolving once.
    pub(super) async fn plan(
        &self,
        config: &StackConfig,
        listeners: &Listeners,
        store: &Admin<'_>,
    ) -> Result<Plan, StackError> {
        let parameters = parameters(config, listeners);
        let resolver = Resolver::new(&self.own, &parameters, &self.pseudo)?;
        let keys = stack_resources::of_type(&self.own, &resolver, "AWS::KMS::Key")?;
        let mut outside = Outside { keys: store.keys(&self.own, &keys, &resolver).await?, urls: BTreeMap::new() };
        outside.urls.extend(listeners.apis.iter().map(|(api, port)| (api.clone(), port.url())));
        for url in stack_resources::of_type(&self.own, &resolver, "AWS::Lambda::Url")? {
            outside.urls.insert(url, format!("{}/", listeners.function_url.url()));
        }
        let plan = Plan::read(&self.own, &parameters, &self.pseudo, &outside)?;
        if config.door == DoorKind::HttpApi {
            return Ok(plan);
        }
        let functions = plan.functions(&config.functions_dir)?;
        for (api, routes) in plan.routes(&functions)? {
            if routes.iter().any(|route| route.function == "gateway") {
                outside.urls.insert(api, listeners.function_url.url());
            }
        }
        Plan::read(&self.own, &parameters, &self.pseudo, &outside)
    }
}

impl Template {
    pub(super) fn logical_ids(&self, kind: &str) -> Vec<String> {
        let resources = self.section("Resources");
        resources.keys().filter(|id| self.resource_type(id) == Some(kind)).cloned().collect()
    }
}

pub(super) fn target_role(kind: &str) -> String {
    format!("arn:aws:iam::{TARGET_ACCOUNT}:role/countersign-target-{kind}")
}

/// The parameters of the stack's template.
pub(super) fn parameters(config: &StackConfig, listeners: &Listeners) -> BTreeMap<String, String> {
    let issuer = listeners.issuer.url();
    let mut parameters = vec![
        ("AgentIssuer", Issuer::agent_issuer(&issuer)),
        ("AgentAudience", AGENT_AUDIENCE.to_owned()),
        ("PersonIssuer", Issuer::person_issuer(&issuer)),
        ("PersonClientId", PERSON_CLIENT_ID.to_owned()),
        ("TargetAccount", TARGET_ACCOUNT.to_owned()),
        ("TargetRegion", REGION.to_owned()),
        ("TargetAutoRole", target_role("auto")),
        ("TargetApprovedRole", target_role("approved")),
        ("EmailFrom", EMAIL_FROM.to_owned()),
        ("FunctionUrlDoor", "true".to_owned()),
    ];
    if config.door == DoorKind::HttpApi {
        parameters.push(("OtherDoorUrl", listeners.function_url.url()));
    }
    parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The roles of the stack and of the target account.
///
/// With a bundle of its own, which may let more pass than the template's default foresees, the auto
/// role may do everything that its boundary leaves: the bundle and the session policies decide.
pub(super) fn all_roles(plan: &Plan, templates: &Templates, own_bundle: bool) -> Result<Roles, StackError> {
    let role = |name: &str| {
        let wanted = format!("{STACK_NAME}-{name}");
        let role = plan.roles.iter().find(|role| role.name == wanted).map(|role| role.arn.clone());
        role.ok_or_else(|| StackError::Template(format!("the template declares no role `{wanted}`")))
    };
    let mut parameters = BTreeMap::from([
        ("GatewayRoleArn".to_owned(), role("gateway")?),
        ("ExecutorRoleArn".to_owned(), role("executor")?),
    ]);
    if own_bundle {
        parameters.insert("AutoActions".to_owned(), "*".to_owned());
    }
    let pseudo = Pseudo {
        account: TARGET_ACCOUNT.to_owned(),
        stack_name: "countersign-target".to_owned(),
        ..templates.pseudo.clone()
    };
    let target = Plan::read(&templates.target, &parameters, &pseudo, &Outside::default())?;
    let mut roles = plan.roles.clone();
    for wanted in [target_role("auto"), target_role("approved")] {
        let role = target.roles.get(&wanted);
        let role = role.ok_or_else(|| StackError::Template(format!("the target's template declares no `{wanted}`")))?;
        roles.add((*role).clone());
    }
    Ok(roles)
}
