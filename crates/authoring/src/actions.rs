//! AWS's actions, as the checks of rules need to know them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::OnceLock,
};

use countersign_catalogue::{
    Catalogue,
    model::{MemberTraits, ServiceModel, Shape, ShapeId},
};
use countersign_domain::{AccessLevel, Classes};
use countersign_permissions::{Permissions, format::OperationRow};
use countersign_policy::{ActionCatalogue, edit_distance, nearest};

/// The actions of the catalogue and the permissions that are compiled in.
#[derive(Debug, Default)]
pub struct AwsActions {
    /// The names of a service's actions, by the part before the colon.
    by_service: OnceLock<BTreeMap<&'static str, Vec<&'static str>>>,
    /// The operations that need an action.
    operations: OnceLock<HashMap<&'static str, Vec<Operation>>>,
}

/// A service of the catalogue and one of its operations with its checks.
type Operation = (&'static str, &'static OperationRow);

impl AwsActions {
    /// The one of this process: it reads its data on first use, once.
    pub fn embedded() -> &'static AwsActions {
        static EMBEDDED: OnceLock<AwsActions> = OnceLock::new();
        EMBEDDED.get_or_init(AwsActions::default)
    }

    /// Every service (the part of an action before the colon) with its actions.
    pub fn by_service(&self) -> &BTreeMap<&'static str, Vec<&'static str>> {
        self.by_service.get_or_init(|| {
            let mut services: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for action in Permissions::embedded().actions() {
                if let Some((service, _)) = action.name.split_once(':') {
                    services.entry(service).or_default().push(action.name);
                }
            }
            services
        })
    }

    /// The operations that can need `action`.
    pub fn operations_of(&self, action: &str) -> &[(&'static str, &'static OperationRow)] {
        let all = self.operations.get_or_init(|| {
            let mut all: HashMap<&str, Vec<Operation>> = HashMap::new();
            for (service, operation) in Permissions::embedded().operations() {
                for check in &operation.checks {
                    let of_action = all.entry(check.action.as_str()).or_default();
                    if of_action.last() != Some(&(service, operation)) {
                        of_action.push((service, operation));
                    }
                }
            }
            all
        });
        all.get(action).map(Vec::as_slice).unwrap_or_default()
    }

    /// The classes that `action` has in every call that needs it.
    pub fn constant_classes(&self, action: &str) -> Classes {
        let operations = self.operations_of(action);
        let checks =
            operations.iter().flat_map(|(_, operation)| &operation.checks).filter(|check| check.action == action);
        let common = |one: Classes, other: Classes| one.iter().filter(|class| other.contains(*class)).collect();
        checks.map(|check| check.classes).reduce(common).unwrap_or_default()
    }
}

/// The longest action that a suggestion is sought for. AWS has none as long, and the search grows with the square.
const LONGEST: usize = 128;

/// The action that `name` was probably meant to be: the nearest under the nearest services, if any is near.
fn nearest_action<'a>(name: &str, services: &BTreeMap<&str, Vec<&'a str>>) -> Option<&'a str> {
    let (service, _) = name.split_once(':').filter(|_| name.len() <= LONGEST)?;
    let service = service.to_ascii_lowercase();
    let near: Vec<_> = services
        .iter()
        .map(|(known, actions)| (edit_distance(&service, known), known, actions))
        .filter(|(distance, known, _)| *distance <= known.len().max(3) / 3)
        .collect();
    let best = near.iter().map(|(distance, ..)| *distance).min()?;
    let actions = near.iter().filter(|(distance, ..)| *distance <= best + 1).flat_map(|(.., actions)| *actions);
    nearest(name, actions.copied())
}

impl ActionCatalogue for AwsActions {
    fn exists(&self, action: &str) -> bool {
        Permissions::embedded().action(action).is_some_and(|known| known.name == action)
    }

    fn suggest(&self, action: &str) -> Option<String> {
        match action.strip_suffix(":*") {
            Some(service) => nearest(service, self.by_service().keys().copied()).map(|near| format!("{near}:*")),
            None => nearest_action(action, self.by_service()).map(str::to_owned),
        }
    }

    fn level(&self, action: &str) -> Option<AccessLevel> {
        Permissions::embedded().action(action).map(|known| known.level)
    }

    fn classes(&self, action: &str) -> Classes {
        Permissions::embedded().action(action).map_or(Classes::NONE, |known| known.classes)
    }

    fn service_exists(&self, service: &str) -> bool {
        self.by_service().contains_key(service)
    }

    fn actions_of(&self, service: &str) -> Vec<String> {
        self.by_service().get(service).into_iter().flatten().map(|action| (*action).to_owned()).collect()
    }

    fn has_parameter(&self, action: &str, path: &str) -> Option<bool> {
        let operations = self.operations_of(action);
        let known = operations.iter().filter_map(|(service, operation)| input_has(service, &operation.name, path));
        known.reduce(|one, other| one || other)
    }

    fn suggest_parameter(&self, action: &str, path: &str) -> Option<String> {
        let parents = path.rsplit_once('.').map_or("", |(parents, _)| parents);
        let name = path.rsplit('.').next()?;
        let names = self
            .operations_of(action)
            .iter()
            .flat_map(|(service, operation)| members(service, &operation.name, parents));
        let near = nearest(name, names.collect::<Vec<_>>())?;
        Some(if parents.is_empty() { near.to_owned() } else { format!("{parents}.{near}") })
    }
}

/// Where a dotted path leads in an input.
enum Place {
    Shape(ShapeId),
    /// A value of a free map or document, or a part of a blob: everything may be below.
    Anything,
}

/// Whether the operation's input has `path`; `None` for an operation that the catalogue does not know.
fn input_has(service: &str, operation: &str, path: &str) -> Option<bool> {
    let (service, operation) = Catalogue::embedded().operation(service, operation)?;
    Some(operation.input.is_some_and(|input| walk(service.model(), input, path).is_some()))
}

/// The names of the members below `path`.
fn members(service: &str, operation: &str, path: &str) -> Vec<&'static str> {
    let Some((service, operation)) = Catalogue::embedded().operation(service, operation) else { return Vec::new() };
    let model = service.model();
    match operation.input.and_then(|input| walk(model, input, path)) {
        Some(Place::Shape(id)) => match model.shapes.get(id) {
            Some(Shape::Structure(structure)) => structure.members.iter().map(|member| member.name).collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn walk(model: &ServiceModel, input: ShapeId, path: &str) -> Option<Place> {
    let mut place = Place::Shape(input);
    for name in path.split('.').filter(|name| !name.is_empty()) {
        let Place::Shape(id) = place else { return Some(Place::Anything) };
        place = match model.shapes.get(id)? {
            Shape::Structure(structure) => {
                let member = structure.member(name)?;
                // A stream stands as `{ length }`, as in the table of docs/policy.md.
                if member.traits.has(MemberTraits::STREAMING) { Place::Anything } else { Place::Shape(member.shape) }
            }
            Shape::Map { value, .. } => Place::Shape(value.shape),
            Shape::Document => Place::Anything,
            Shape::Blob if ["length", "sha256"].contains(&name) => Place::Anything,
            // A list is a set, which has no members; scalars have none either.
            _ => return None,
        };
    }
    Some(place)
}

#[cfg(test)]
mod tests {
    use countersign_domain::Class;

    use super::*;

    #[test]
    fn actions_are_those_of_aws_in_their_own_letter_case() {
        let aws = AwsActions::embedded();
        for (action, exists, suggestion) in [
            ("dynamodb:PutItem", true, None),
            ("dynamodb:putItem", false, Some("dynamodb:PutItem")),
            ("dynamodb:PutItems", false, Some("dynamodb:PutItem")),
            ("dynamo:PutItem", false, Some("dynamodb:PutItem")),
            ("lamda:InvokeFunction", false, Some("lambda:InvokeFunction")),
            ("s3:GetObjects", false, Some("s3:GetObject")),
            ("zzzzzz:Nothing", false, None),
        ] {
            assert_eq!(aws.exists(action), exists, "{action}");
            if let Some(suggestion) = suggestion {
                assert_eq!(aws.suggest(action).as_deref(), Some(suggestion), "{action}");
            }
        }
        assert!(aws.service_exists("states") && !aws.service_exists("stepfunctions"));
        assert_eq!(aws.suggest("dynamodbb:*").as_deref(), Some("dynamodb:*"));
        for far in ["nonsense:Whatever", "s3", &format!("s3:{}", "a".repeat(LONGEST))] {
            assert_eq!(aws.suggest(far), None, "{far}");
        }
        assert!(aws.actions_of("sqs").iter().any(|action| action == "sqs:SendMessage"));
        assert_eq!(aws.level("s3:GetObject"), Some(AccessLevel::Read));
        assert!(aws.classes("secretsmanager:GetSecretValue").contains(Class::SecretReturning));
    }

    #[test]
    fn parameters_are_those_of_some_operation_that_needs_the_action() {
        let aws = AwsActions::embedded();
        for (action, path, expected) in [
            ("dynamodb:PutItem", "TableName", Some(true)),
            ("dynamodb:PutItem", "Tablename", Some(false)),
            ("dynamodb:PutItem", "Item.anything.S", Some(true)),
            ("ec2:RunInstances", "Placement.Tenancy", Some(true)),
            ("ec2:RunInstances", "Placement.Tenant", Some(false)),
            // A list is a set in a rule: what is in it has no name.
            ("ec2:RunInstances", "TagSpecifications", Some(true)),
            ("ec2:RunInstances", "TagSpecifications.Tags", Some(false)),
            ("s3:PutObject", "Body.length", Some(true)),
            ("s3:PutBucketPolicy", "Policy", Some(true)),
            ("nothing:Nothing", "X", None),
        ] {
            assert_eq!(aws.has_parameter(action, path), expected, "{action} {path}");
        }
        assert_eq!(aws.suggest_parameter("dynamodb:PutItem", "Tablename").as_deref(), Some("TableName"));
        assert_eq!(
            aws.suggest_parameter("ec2:RunInstances", "Placement.Tenanci").as_deref(),
            Some("Placement.Tenancy")
        );
    }

    #[test]
    fn constant_classes_are_those_of_every_call() {
        let aws = AwsActions::embedded();
        // Other operations need it too, and return nothing of the secret.
        assert!(aws.constant_classes("secretsmanager:GetSecretValue").is_empty());
        assert!(aws.constant_classes("dynamodb:DeleteTable").contains(Class::Destructive));
        assert!(aws.constant_classes("s3:GetObject").is_empty());
    }
}
