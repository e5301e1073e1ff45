//! The roles that a template declares.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{resolve::Resolver, stack_resources::Declared};
use crate::{
    error::StackError,
    iam::{Policy, principals::Role},
};

/// Reads every role, with its policies and its boundary.
///
/// # Errors
/// [`StackError::Template`] when a policy is malformed or not declared in the template.
pub fn read(resources: &[Declared], resolver: &Resolver) -> Result<Vec<Role>, StackError> {
    let managed = managed_policies(resources, resolver)?;
    let mut roles = Vec::new();
    for resource in resources.iter().filter(|resource| resource.kind == "AWS::IAM::Role") {
        let role = role(resource, resolver, &managed);
        roles.push(role.map_err(|error| StackError::Template(format!("{}: {error}", resource.logical_id)))?);
    }
    for resource in resources.iter().filter(|resource| resource.kind == "AWS::IAM::Policy") {
        attach(resource, &mut roles)?;
    }
    Ok(roles)
}

fn managed_policies(
    resources: &[Declared],
    resolver: &Resolver,
) -> Result<BTreeMap<String, (Policy, Vec<String>)>, StackError> {
    let mut managed = BTreeMap::new();
    for resource in resources.iter().filter(|resource| resource.kind == "AWS::IAM::ManagedPolicy") {
        let policy = document(resource.properties.get("PolicyDocument"), false)
            .map_err(|error| StackError::Template(format!("{}: {error}", resource.logical_id)))?;
        let arn = resolver.physical(&resource.logical_id).map(|physical| physical.reference.clone());
        managed.insert(arn.unwrap_or_default(), (policy, texts(resource.properties.get("Roles"))));
    }
    Ok(managed)
}

fn role(
    resource: &Declared,
    resolver: &Resolver,
    managed: &BTreeMap<String, (Policy, Vec<String>)>,
) -> Result<Role, StackError> {
    let physical = resolver.physical(&resource.logical_id);
    let physical = physical.ok_or_else(|| StackError::Template("has no name yet".to_owned()))?;
    let arn = physical.attributes.get("Arn").cloned().unwrap_or_default();
    let properties = &resource.properties;
    let find = |arn: &str| {
        let found = managed.get(arn).map(|(policy, _)| policy.clone());
        found.ok_or_else(|| StackError::Template(format!("the managed policy `{arn}` is not declared here")))
    };
    let mut identity = Vec::new();
    for policy in properties.get("Policies").and_then(Value::as_array).into_iter().flatten() {
        identity.push(document(policy.get("PolicyDocument"), false)?);
    }
    for arn in texts(properties.get("ManagedPolicyArns")) {
        identity.push(find(&arn)?);
    }
    let attached = managed.values().filter(|(_, roles)| roles.contains(&physical.reference));
    identity.extend(attached.map(|(policy, _)| policy.clone()));
    let boundary = properties.get("PermissionsBoundary").and_then(Value::as_str).map(find).transpose()?;
    let tags = properties.get("Tags").and_then(Value::as_array).into_iter().flatten();
    let tags =
        tags.filter_map(|tag| Some((tag.get("Key")?.as_str()?.to_owned(), tag.get("Value")?.as_str()?.to_owned())));
    let longest = properties.get("MaxSessionDuration").and_then(Value::as_u64).unwrap_or(3600);
    Ok(Role {
        name: physical.reference.clone(),
        account: arn.split(':').nth(4).unwrap_or_default().to_owned(),
        arn,
        id: crate::random::aws_id("AROA", 17),
        trust: document(properties.get("AssumeRolePolicyDocument"), true)?,
        identity,
        boundary,
        max_session_seconds: u32::try_from(longest).unwrap_or(u32::MAX),
        tags: tags.collect(),
    })
}

fn attach(resource: &Declared, roles: &mut [Role]) -> Result<(), StackError> {
    let policy = document(resource.properties.get("PolicyDocument"), false)?;
    for name in texts(resource.properties.get("Roles")) {
        let role = roles.iter_mut().find(|role| role.name == name);
        let role = role.ok_or_else(|| {
            StackError::Template(format!("{} is attached to `{name}`, which is not declared", resource.logical_id))
        })?;
        role.identity.push(policy.clone());
    }
    Ok(())
}

/// A policy document of the template.
///
/// # Errors
/// [`StackError::Template`] when it is missing or malformed.
pub fn document(document: Option<&Value>, names_principals: bool) -> Result<Policy, StackError> {
    let document = document.ok_or_else(|| StackError::Template("a policy document is missing".to_owned()))?;
    Policy::from_json(document, names_principals).map_err(|error| StackError::Template(error.to_string()))
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}
