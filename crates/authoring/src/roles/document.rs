//! Policies as IAM takes them, within its limits, and the template that makes them.

use std::collections::BTreeSet;

use countersign_policy::{Part, ResourceBound};
use serde_json::{Map, Value as Json, json};

use super::{EVERY_ACTION, Role, wildcards};

/// The most characters of a managed policy, white space aside.
/// Source: IAM User Guide, "IAM and AWS STS quotas".
pub const MOST_BYTES: usize = 6144;
/// The most managed policies of a role, by default.
pub const MOST_POLICIES: usize = 10;

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Whether it allows; else it denies.
    pub allow: bool,
    /// Actions and prefixes of actions with `*`.
    pub actions: Vec<String>,
    /// Patterns of ARNs.
    pub resources: Vec<String>,
}

impl Statement {
    pub(super) fn allow(actions: &BTreeSet<String>, resources: Vec<String>) -> Self {
        Self { allow: true, actions: wildcards::compressed(actions), resources }
    }

    pub(super) fn deny(actions: &BTreeSet<String>, resources: Vec<String>) -> Self {
        let every = actions.contains(EVERY_ACTION).then(|| vec![EVERY_ACTION.to_owned()]);
        Self { allow: false, actions: every.unwrap_or_else(|| wildcards::compressed(actions)), resources }
    }

    fn to_json(&self) -> Json {
        let effect = if self.allow { "Allow" } else { "Deny" };
        json!({ "Effect": effect, "Action": self.actions, "Resource": self.resources })
    }

    fn size(&self) -> usize {
        self.to_json().to_string().len() + 1
    }
}

/// One policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Its statements.
    pub statements: Vec<Statement>,
}

impl Document {
    /// As IAM takes it.
    pub fn to_json(&self) -> Json {
        json!({ "Version": "2012-10-17", "Statement": self.statements.iter().map(Statement::to_json).collect::<Vec<_>>() })
    }

    /// Its characters as IAM counts them.
    pub fn size(&self) -> usize {
        self.to_json().to_string().len()
    }
}

/// The statements in policies one after the other, each as full as it gets; a statement that is too large is split by its
/// actions. `None` where the resources of a single statement are too many.
pub(super) fn pack(statements: Vec<Statement>) -> Option<Vec<Document>> {
    let empty = Document::default().size();
    let mut documents: Vec<Document> = Vec::new();
    let mut room = 0;
    for statement in statements {
        let frame = Statement { actions: Vec::new(), ..statement.clone() };
        let around = frame.size();
        let mut rest = statement.actions.as_slice();
        while !rest.is_empty() {
            // A few actions at the end of a policy are worth less than a policy that is easy to read.
            let mut count = fitting(rest, around, room);
            if count != rest.len() && count <= FEW {
                documents.push(Document::default());
                room = MOST_BYTES - empty;
                count = fitting(rest, around, room);
            }
            let (taken, after) = rest.split_at_checked(count).filter(|(taken, _)| !taken.is_empty())?;
            let taken = Statement { actions: taken.to_vec(), ..frame.clone() };
            room -= taken.size();
            documents.last_mut()?.statements.push(taken);
            rest = after;
        }
    }
    Some(documents)
}

const FEW: usize = 8;

/// How many of `actions` fit beside a statement's frame into `room`.
fn fitting(actions: &[String], around: usize, room: usize) -> usize {
    // Two quotation marks and a comma; names of actions hold nothing that JSON escapes.
    let sizes = actions.iter().scan(around, |size, action| {
        *size += action.len() + 3;
        Some(*size)
    });
    sizes.take_while(|size| *size <= room).count()
}

/// Whether the bound leaves an action to which AWS gives no resource: it is in its account, its ARN is `*`, its name empty.
pub(super) fn fits_nothing(bound: &ResourceBound) -> bool {
    let may_be = |parts: &[Part], text: &str| {
        parts.iter().all(|part| matches!(part, Part::Anything) || matches!(part, Part::Text(known) if known == text))
    };
    match bound {
        ResourceBound::Account(_) => true,
        ResourceBound::Arn(parts) => may_be(parts, "*"),
        ResourceBound::Name(parts) => may_be(parts, ""),
    }
}

/// The ARNs of a service that a bound leaves.
pub(super) fn arns(bound: &ResourceBound, service: &str) -> Vec<String> {
    match bound {
        ResourceBound::Arn(parts) => vec![escaped(parts)],
        // Buckets and objects name no account; whose they are is not in their ARN.
        ResourceBound::Account(_) if service == "s3" => vec!["*".to_owned()],
        ResourceBound::Account(account) => vec![format!("arn:*:*:*:{account}:*")],
        ResourceBound::Name(parts) => named(&escaped(parts), service),
    }
}

/// `resource.name` is the bucket, and elsewhere what follows the first `/` or `:` of the resource part, or all of it.
fn named(name: &str, service: &str) -> Vec<String> {
    // An account of its own tells other ARNs of S3 from objects, whose keys hold anything.
    let place = if service == "s3" { "arn:*:s3:*:????????????".to_owned() } else { format!("arn:*:{service}:*:*") };
    let mut arns = vec![format!("{place}:{name}"), format!("{place}:*/{name}"), format!("{place}:*:{name}")];
    if service == "s3" {
        arns.push(format!("arn:*:s3:::{name}"));
        if !name.ends_with('*') {
            arns.push(format!("arn:*:s3:::{name}/*"));
        }
    }
    arns
}

/// Text as IAM takes it: what stands for itself is escaped.
pub(super) fn escaped(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Anything => out.push('*'),
            Part::Text(text) => {
                for letter in text.chars() {
                    match letter {
                        '*' | '?' | '$' => out.extend(['$', '{', letter, '}']),
                        _ => out.push(letter),
                    }
                }
            }
        }
    }
    out
}

/// Where a template keeps what it was written for.
const METADATA: &str = "countersign";

/// The services that a template was written for; none where it is for all, or is none of ours.
pub fn services_of(template: &str) -> BTreeSet<String> {
    let template: Json = serde_json::from_str(template).unwrap_or_default();
    let services = template.pointer(&format!("/Metadata/{METADATA}/services")).and_then(Json::as_array);
    services.into_iter().flatten().filter_map(|service| service.as_str().map(str::to_owned)).collect()
}

/// The text of a template, indented little: CloudFormation takes 51,200 bytes of a template that lies in no bucket.
pub fn template_text(target: &str, services: &BTreeSet<String>, auto: &[Document], approved: &[Document]) -> String {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    // Writing JSON to memory does not fail; were it to, the text would not be a template, and CloudFormation says so.
    let _ = serde::Serialize::serialize(&template(target, services, auto, approved), &mut serializer);
    text.push(b'\n');
    String::from_utf8(text).unwrap_or_default()
}

/// A CloudFormation template that makes the policies of both roles and puts out their ARNs, as the template of a target's
/// account takes them. `services` are those that the policies were limited to.
fn template(target: &str, services: &BTreeSet<String>, auto: &[Document], approved: &[Document]) -> Json {
    let mut resources = Map::new();
    let mut outputs = Map::new();
    for (role, name, documents) in [(Role::Auto, "Auto", auto), (Role::Approved, "Approved", approved)] {
        let mut references = Vec::new();
        for (number, document) in documents.iter().enumerate() {
            let number = number + 1;
            let resource = format!("{name}Policy{number}");
            references.push(json!({ "Ref": resource }));
            resources.insert(
                resource,
                json!({
                    "Type": "AWS::IAM::ManagedPolicy",
                    "Properties": {
                        "ManagedPolicyName": { "Fn::Sub": format!("${{RolePrefix}}-{role}-{number}") },
                        "Description": format!("What the {role} role of the target {target} may do by the rules."),
                        "PolicyDocument": document.to_json(),
                    },
                }),
            );
        }
        let description = format!("Parameter {name}PolicyArns of the template of the target's account.");
        outputs.insert(
            format!("{name}PolicyArns"),
            json!({ "Description": description, "Value": { "Fn::Join": [",", references] } }),
        );
    }
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!("IAM policies for the roles of the target {target}. Written by `countersign policy roles`."),
        "Metadata": { METADATA: { "services": services } },
        "Parameters": {
            "RolePrefix": {
                "Type": "String",
                "Description": "As RolePrefix of the template of the target's account.",
                "Default": "countersign-target",
                "AllowedPattern": "[A-Za-z0-9+=,.@_-]{1,40}",
            },
        },
        "Resources": resources,
        "Outputs": outputs,
    })
}
