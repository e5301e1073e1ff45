//! What the two templates amount to on this machine: functions, doors, roles, resources.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Map, Value};

use crate::{
    doors::Route,
    error::StackError,
    front::Resources,
    iam::principals::Roles,
    lambda_host::FunctionConfig,
    template::{
        Template,
        resolve::{Pseudo, Resolver},
        roles,
        stack_resources::{self, Declared, Outside},
    },
};

/// Lambda's default time limit.
const DEFAULT_TIMEOUT: u64 = 3;

/// Lambda's default memory, in MB.
const DEFAULT_MEMORY: u64 = 128;

/// The stack's own template, resolved.
pub struct Plan {
    /// The resources.
    pub declared: Vec<Declared>,
    /// Knows what each is called.
    pub resolver: Resolver,
    /// The roles that it declares.
    pub roles: Roles,
}

/// A state machine of the template.
pub struct Machine {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its role.
    pub role_arn: String,
    /// What replaces the placeholders of its definition.
    pub substitutions: Map<String, Value>,
}

impl Plan {
    /// Resolves the template.
    ///
    /// # Errors
    /// [`StackError::Template`] for whatever is not understood.
    pub fn read(
        template: &Template,
        parameters: &BTreeMap<String, String>,
        pseudo: &Pseudo,
        outside: &Outside,
    ) -> Result<Self, StackError> {
        let mut resolver = Resolver::new(template, parameters, pseudo)?;
        let declared = stack_resources::declared(template, &mut resolver, pseudo, outside)?;
        let mut roles = Roles::default();
        for role in roles::read(&declared, &resolver)? {
            roles.add(role);
        }
        Ok(Self { declared, resolver, roles })
    }

    /// The resources of a type.
    pub fn of_type(&self, kind: &'static str) -> impl Iterator<Item = &Declared> {
        self.declared.iter().filter(move |resource| resource.kind == kind)
    }

    /// The functions, without what only the local stack adds to their environment.
    ///
    /// # Errors
    /// [`StackError`] when a function has no binary in `binaries` or a property is missing.
    pub fn functions(&self, binaries: &Path) -> Result<Vec<FunctionConfig>, StackError> {
        self.of_type("AWS::Serverless::Function").map(|function| self.function(function, binaries)).collect()
    }

    fn function(&self, function: &Declared, binaries: &Path) -> Result<FunctionConfig, StackError> {
        let wrong = |what: &str| StackError::Template(format!("{}: {what}", function.logical_id));
        let binary = function.metadata.pointer("/BuildProperties/Binary").and_then(Value::as_str);
        let short_name = binary.ok_or_else(|| wrong("no `BuildProperties.Binary`"))?.to_owned();
        let path: PathBuf = binaries.join(&short_name);
        if !path.is_file() {
            return Err(StackError::Usage(format!("`{}` does not exist; build the functions first", path.display())));
        }
        let physical = self.resolver.physical(&function.logical_id).ok_or_else(|| wrong("no name"))?;
        let properties = &function.properties;
        let number = |name: &str, default: u64| match properties.get(name) {
            None => Ok(default),
            Some(value) => {
                let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
                number.ok_or_else(|| wrong(&format!("`{name}` is not a number")))
            }
        };
        let variables = properties.get("Environment").and_then(|environment| environment.get("Variables"));
        let variables = variables.and_then(Value::as_object).into_iter().flatten();
        let environment = variables
            .map(|(name, value)| match value {
                Value::String(text) => Ok((name.clone(), text.clone())),
                Value::Number(_) | Value::Bool(_) => Ok((name.clone(), value.to_string())),
                _ => Err(wrong(&format!("the variable `{name}` is not text"))),
            })
            .collect::<Result<_, _>>()?;
        let role_arn = properties.get("Role").and_then(Value::as_str).ok_or_else(|| wrong("no `Role` of its own"))?;
        Ok(FunctionConfig {
            short_name,
            name: physical.reference.clone(),
            arn: physical.attributes.get("Arn").cloned().unwrap_or_default(),
            binary: path,
            handler: properties.get("Handler").and_then(Value::as_str).unwrap_or("bootstrap").to_owned(),
            memory_mb: u32::try_from(number("MemorySize", DEFAULT_MEMORY)?).unwrap_or(u32::MAX),
            timeout: Duration::from_secs(number("Timeout", DEFAULT_TIMEOUT)?),
            environment,
            role_arn: role_arn.to_owned(),
        })
    }

    /// The routes of every HTTP API, by the API's logical id.
    ///
    /// # Errors
    /// [`StackError::Template`] when a route leads nowhere.
    pub fn routes(&self, functions: &[FunctionConfig]) -> Result<BTreeMap<String, Vec<Route>>, StackError> {
        let text = |resource: &Declared, name: &str| {
            let text = resource.properties.get(name).and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| StackError::Template(format!("{}: no `{name}`", resource.logical_id)))
        };
        let mut integrations = BTreeMap::new();
        for integration in self.of_type("AWS::ApiGatewayV2::Integration") {
            if text(integration, "PayloadFormatVersion")? != "2.0" {
                return Err(StackError::Template(format!("{}: only payload format 2.0", integration.logical_id)));
            }
            let uri = text(integration, "IntegrationUri")?;
            let function = functions.iter().find(|function| uri.starts_with(&function.arn));
            let function = function.ok_or_else(|| StackError::Template(format!("no function `{uri}`")))?;
            integrations.insert(format!("integrations/{}", integration.logical_id), function.short_name.clone());
        }
        let mut apis: BTreeMap<String, Vec<Route>> = BTreeMap::new();
        for route in self.of_type("AWS::ApiGatewayV2::Route") {
            let function = integrations.get(&text(route, "Target")?).cloned();
            let function =
                function.ok_or_else(|| StackError::Template(format!("{} leads nowhere", route.logical_id)))?;
            let api = text(route, "ApiId")?;
            let api = self.of_type("AWS::ApiGatewayV2::Api").find(|one| one.logical_id.to_lowercase() == api);
            let api = api.ok_or_else(|| StackError::Template(format!("{} has no API", route.logical_id)))?;
            apis.entry(api.logical_id.clone()).or_default().push(Route { key: text(route, "RouteKey")?, function });
        }
        Ok(apis)
    }

    /// The state machines.
    ///
    /// # Errors
    /// [`StackError::Template`] when one has no role.
    pub fn machines(&self) -> Result<Vec<Machine>, StackError> {
        self.of_type("AWS::Serverless::StateMachine")
            .map(|machine| {
                let wrong = || StackError::Template(format!("{}: no name or no role", machine.logical_id));
                let physical = self.resolver.physical(&machine.logical_id).ok_or_else(wrong)?;
                let role_arn = machine.properties.get("Role").and_then(Value::as_str).ok_or_else(wrong)?;
                let substitutions = machine.properties.get("DefinitionSubstitutions").and_then(Value::as_object);
                Ok(Machine {
                    name: physical.attributes.get("Name").cloned().ok_or_else(wrong)?,
                    arn: physical.reference.clone(),
                    role_arn: role_arn.to_owned(),
                    substitutions: substitutions.cloned().unwrap_or_default(),
                })
            })
            .collect()
    }

    /// What the front must know of the resources.
    ///
    /// # Errors
    /// [`StackError::Template`] when a resource's policy is malformed.
    pub fn resources(&self, pseudo: &Pseudo) -> Result<Resources, StackError> {
        let mut resources =
            Resources { account: pseudo.account.clone(), region: pseudo.region.clone(), ..Resources::default() };
        for resource in &self.declared {
            let name = self.resolver.physical(&resource.logical_id);
            let name = name.map(|physical| physical.reference.clone()).unwrap_or_default();
            let properties = &resource.properties;
            let policy = |member: &str| {
                roles::document(properties.get(member), true)
                    .map_err(|error| StackError::Template(format!("{}: {error}", resource.logical_id)))
            };
            match resource.kind.as_str() {
                "AWS::DynamoDB::Table" => {
                    resources.partition_keys.insert(name, partition_keys(properties));
                }
                "AWS::KMS::Key" => {
                    resources.key_policies.insert(name, policy("KeyPolicy")?);
                }
                "AWS::KMS::Alias" => {
                    let text = |member: &str| properties.get(member).and_then(Value::as_str).map(str::to_owned);
                    resources.key_aliases.extend(text("AliasName").zip(text("TargetKeyId")));
                }
                "AWS::S3::BucketPolicy" => {
                    let bucket = properties.get("Bucket").and_then(Value::as_str).unwrap_or_default();
                    resources.resource_policies.insert(format!("arn:aws:s3:::{bucket}"), policy("PolicyDocument")?);
                }
                "AWS::SNS::TopicPolicy" => {
                    for topic in properties.get("Topics").and_then(Value::as_array).into_iter().flatten() {
                        let topic = topic.as_str().unwrap_or_default().to_owned();
                        resources.resource_policies.insert(topic, policy("PolicyDocument")?);
                    }
                }
                _ => {}
            }
        }
        Ok(resources)
    }
}

/// The attribute of the partition key of a table, under the empty name, and of its indexes.
fn partition_keys(properties: &Map<String, Value>) -> BTreeMap<String, String> {
    let key = |schema: Option<&Value>| {
        let keys = schema.and_then(Value::as_array)?;
        let hash = keys.iter().find(|key| key.get("KeyType").and_then(Value::as_str) == Some("HASH"))?;
        hash.get("AttributeName").and_then(Value::as_str).map(str::to_owned)
    };
    let mut keys = BTreeMap::new();
    keys.extend(key(properties.get("KeySchema")).map(|key| (String::new(), key)));
    for kind in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        for index in properties.get(kind).and_then(Value::as_array).into_iter().flatten() {
            let name = index.get("IndexName").and_then(Value::as_str).map(str::to_owned);
            keys.extend(name.zip(key(index.get("KeySchema"))));
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    fn pseudo(account: &str) -> Pseudo {
        Pseudo { account: account.into(), region: "eu-central-1".into(), stack_name: "countersign".into() }
    }

    /// Every parameter without a default, with a value that its pattern takes.
    fn parameters(template: &Template) -> BTreeMap<String, String> {
        let role = |name: &str| format!("arn:aws:iam::123456789012:role/{name}");
        let value = |name: &str| match name {
            name if name.ends_with("Role") || name.ends_with("RoleArn") => role(&name.to_lowercase()),
            "TargetAccount" => "123456789012".to_owned(),
            "TargetRegion" => "eu-central-1".to_owned(),
            other => other.to_lowercase(),
        };
        template.required_parameters().into_iter().map(|name| (name.clone(), value(&name))).collect()
    }

    #[test]
    fn the_templates_of_the_project_are_understood() {
        let template = Template::read(&repository().join("infra/template.yaml")).expect("template");
        let mut outside = Outside::default();
        for (number, key) in
            ["FrozenKey", "CertificateKey", "SessionKeyA", "SessionKeyB", "CookieKey"].iter().enumerate()
        {
            outside.keys.insert((*key).to_owned(), format!("0000000{number}-0000-0000-0000-000000000000"));
        }
        let plan = Plan::read(&template, &parameters(&template), &pseudo("111122223333"), &outside).expect("plan");
        let names: Vec<_> = plan.roles.iter().map(|role| role.name.as_str()).collect();
        for function in ["gateway", "notifier", "approvals", "executor"] {
            assert!(names.contains(&format!("countersign-{function}").as_str()), "{names:?}");
        }
        assert!(
            plan.roles.iter().filter(|role| role.name != "countersign-machine").all(|role| role.boundary.is_some())
        );
        let resources = plan.resources(&pseudo("111122223333")).expect("resources");
        assert_eq!(resources.key_policies.len(), 5);
        assert_eq!(plan.machines().expect("machines").len(), 1);
        let target = Template::read(&repository().join("infra/target-account.yaml")).expect("template");
        let plan =
            Plan::read(&target, &parameters(&target), &pseudo("123456789012"), &Outside::default()).expect("plan");
        assert_eq!(plan.roles.iter().count(), 2);
    }
}
