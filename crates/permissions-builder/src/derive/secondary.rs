//! Actions that AWS checks besides, only when the request has what triggers them: roles passed, tags
//! set at creation, keys named, and changes of permissions.
//!
//! The service reference lists them without conditions. One that changes permissions or passes
//! something on is never left out unless a reviewed row says what triggers it. The rest is what AWS
//! does on the caller's behalf; the coverage document lists it.

use countersign_domain::AccessLevel;
use countersign_permissions::format::Check;

use super::{Case, Deriver};
use crate::members::{Member, plain};

impl Deriver<'_> {
    /// The mechanical secondary checks besides `primary`.
    pub(super) fn secondary(&self, case: &Case<'_>, primary: &[Check]) -> Vec<Check> {
        let mut actions = case.authorized.clone();
        for check in primary {
            if let Some(known) = self.reference.actions.get(&check.action.to_ascii_lowercase()) {
                actions.extend(known.dependent.iter().cloned());
            }
        }
        actions.sort();
        actions.dedup();
        let mut checks: Vec<Check> = Vec::new();
        for action in &actions {
            let is_primary = primary.iter().any(|check| check.action.eq_ignore_ascii_case(action));
            let is_pass_role = action.eq_ignore_ascii_case("iam:PassRole");
            if !is_primary && !is_pass_role && !self.is_untriggered(case, action) {
                checks.extend(self.by_trigger(case, primary, action));
            }
        }
        let passes = actions.iter().any(|action| action.eq_ignore_ascii_case("iam:PassRole"));
        checks.extend(self.passed_roles(case, primary, passes));
        checks
    }

    /// Whether an action's name says that it sets tags.
    pub(super) fn is_tagging(&self, action: &str) -> bool {
        let name = action.split_once(':').map_or(action, |(_, name)| name);
        name.contains("Tag") && !name.starts_with("Untag") && self.classifier.level(action) == AccessLevel::Tagging
    }

    /// Whether a reviewed row says that no request triggers the action.
    pub(super) fn is_untriggered(&self, case: &Case<'_>, action: &str) -> bool {
        self.tables.untriggered.iter().any(|row| {
            row == action || row.split_once('@').is_some_and(|(row, service)| row == action && service == case.service)
        })
    }

    fn by_trigger(&self, case: &Case<'_>, primary: &[Check], action: &str) -> Option<Check> {
        let check = self.check(action);
        if self.is_tagging(action) {
            let path = case.binder.inputs.iter().find_map(tag_member)?;
            let resources = match primary {
                // The new resource is told by its name; EC2 gives ids that nobody knows yet.
                [only] if case.prefix != "ec2" => only.resources.clone(),
                _ => Vec::new(),
            };
            return Some(Check { when: path.to_owned(), resources, ..check });
        }
        if action.starts_with("kms:") {
            let keys: Vec<_> = case.binder.inputs.iter().filter(|member| is_kms_key(member)).collect();
            let resources = keys.iter().map(|member| format!("@kms-key({})", member.path)).collect();
            let when = keys.iter().map(|member| member.path.clone()).collect::<Vec<_>>().join("|");
            let changes = check.level >= AccessLevel::Write;
            return (changes && !keys.is_empty()).then_some(Check { when, resources, ..check });
        }
        let name = action.split_once(':').map_or(action, |(_, name)| name);
        let passes_on =
            name.strip_prefix("Pass").is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_uppercase()));
        (passes_on || (self.is_known(action) && check.level == AccessLevel::PermissionsManagement)).then_some(check)
    }

    /// `iam:PassRole` on each role that the request names.
    fn passed_roles(&self, case: &Case<'_>, primary: &[Check], passes: bool) -> Vec<Check> {
        let base = self.check("iam:PassRole");
        let changes = primary.iter().any(|check| check.level >= AccessLevel::Write);
        // Where the reference is silent about an operation, a role's ARN among its members is taken as
        // passed. STS assumes roles and IAM manages them: neither passes them.
        let infers = case.authorized.is_empty() && changes && !matches!(case.service, "iam" | "sts");
        if !passes && !infers {
            return Vec::new();
        }
        let roles = case.binder.inputs.iter().filter(|member| is_role(member) && (passes || is_role_arn(member)));
        let mut checks: Vec<Check> = roles
            .map(|member| Check {
                when: member.path.clone(),
                resources: vec![format!("arn:$P:iam::$A:role/{{{}:arn-path}}", member.path)],
                ..base.clone()
            })
            .collect();
        let profiles = case.binder.inputs.iter().filter(|member| passes && is_instance_profile(member));
        checks.extend(profiles.map(|member| Check { when: member.path.clone(), ..base.clone() }));
        if passes && changes && checks.is_empty() {
            // A role that the request does not name: stored with the resource, or in a document.
            checks.push(base);
        }
        checks
    }
}

/// The top-level member that sets tags, if this is in it.
fn tag_member(member: &Member) -> Option<&str> {
    let top = member.path.split(['.', '[', '{']).next()?;
    let name = plain(top);
    let is_tags = matches!(name.as_str(), "taglist" | "tagset" | "tagging" | "tagspecifications" | "tagspecification")
        || (name.ends_with("tags") && !["remove", "un", "copy", "include"].iter().any(|word| name.starts_with(word)));
    is_tags.then_some(top)
}

fn is_kms_key(member: &Member) -> bool {
    let name = member.plain.as_str();
    let is_about_keys = name.contains("kms") && !["type", "status", "context"].iter().any(|word| name.contains(word));
    member.kind == "string" && (is_about_keys || matches!(name, "encryptionkeyarn" | "encryptionkey"))
}

/// Whether a member names a role by its ARN.
fn is_role_arn(member: &Member) -> bool {
    let shape = plain(&member.shape);
    is_role(member)
        && (member.plain.ends_with("rolearn") || shape.contains("rolearn") || member.pattern.contains(":role/"))
}

/// Whether a member names a role, by ARN or by name.
fn is_role(member: &Member) -> bool {
    const OTHER: [&str; 9] =
        ["session", "type", "description", "status", "mapping", "policy", "externalid", "alias", "rolevalue"];
    // API Gateway calls the role of an integration or an authorizer its credentials.
    const ENDS: [&str; 7] = ["role", "rolearn", "rolearns", "roleid", "rolename", "roles", "credentialsarn"];
    let name = member.plain.as_str();
    member.kind == "string"
        && !OTHER.iter().any(|word| name.contains(word))
        && (ENDS.iter().any(|end| name.ends_with(end))
            || name.contains("iamrole")
            || (name == "credentials" && member.depth == 0)
            || plain(&member.shape).contains("rolearn")
            || member.pattern.contains(":role/"))
}

fn is_instance_profile(member: &Member) -> bool {
    member.kind == "string" && member.path.to_ascii_lowercase().contains("instanceprofile")
}
