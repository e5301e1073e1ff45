//! What the checks find in bundles that load.

use countersign_domain::{AccessLevel, Class, Classes};
use countersign_policy::{ActionCatalogue, Bundle, Severity, check};

use crate::{default_bundle, harness::*};

/// A few of AWS's actions.
struct Few;

const ACTIONS: [(&str, AccessLevel, Option<Class>); 7] = [
    ("dynamodb:PutItem", AccessLevel::Write, None),
    ("dynamodb:GetItem", AccessLevel::Read, None),
    ("iam:PassRole", AccessLevel::Write, Some(Class::Delegating)),
    ("iam:GetRole", AccessLevel::Read, None),
    ("secretsmanager:GetSecretValue", AccessLevel::Read, Some(Class::SecretReturning)),
    ("s3:GetObject", AccessLevel::Read, None),
    ("s3:PutObject", AccessLevel::Write, None),
];

impl ActionCatalogue for Few {
    fn exists(&self, action: &str) -> bool {
        self.level(action).is_some()
    }
    fn suggest(&self, action: &str) -> Option<String> {
        let found = ACTIONS.iter().find(|(name, ..)| name.eq_ignore_ascii_case(action));
        found.map(|(name, ..)| (*name).to_owned())
    }
    fn level(&self, action: &str) -> Option<AccessLevel> {
        ACTIONS.iter().find(|(name, ..)| *name == action).map(|(_, level, _)| *level)
    }
    fn classes(&self, action: &str) -> Classes {
        ACTIONS.iter().filter(|(name, ..)| *name == action).filter_map(|(.., class)| *class).collect()
    }
    fn service_exists(&self, service: &str) -> bool {
        !self.actions_of(service).is_empty()
    }
    fn actions_of(&self, service: &str) -> Vec<String> {
        let of = |name: &&str| name.split(':').next() == Some(service);
        ACTIONS.iter().map(|(name, ..)| *name).filter(of).map(str::to_owned).collect()
    }
    fn has_parameter(&self, action: &str, path: &str) -> Option<bool> {
        (action == "dynamodb:PutItem")
            .then(|| ["TableName", "Item"].contains(&path.split('.').next().unwrap_or_default()))
    }
}

fn findings(rules: &str) -> Vec<(Severity, String)> {
    let found = check(&bundle(rules), &Few);
    found
        .into_iter()
        .map(|one| (one.severity, format!("{}:{}: {}; {}", one.file, one.line, one.message, one.fix)))
        .collect()
}

#[test]
fn what_is_probably_not_meant_is_found() {
    use Severity::{Error, Warning};
    for (severity, expected, rules) in [
        (
            Error,
            "rules.cedar:1: AWS has no action `dynamodb:putItem`; did you mean `dynamodb:PutItem`?",
            "permit(principal, action == Action::\"dynamodb:putItem\", resource);",
        ),
        (Error, "AWS has no action `dinamo:*`", "permit(principal, action in Action::\"dinamo:*\", resource);"),
        (
            Error,
            "AWS has no action `s3:X`",
            "@approval(\"dba\") permit(principal, action, resource) unless { action == Action::\"s3:X\" };",
        ),
        (
            Error,
            "rules.cedar:2: nobody is in the group `dbas`; did you mean `dba`?",
            "\n@approval(\"dbas\") permit(principal, action, resource);",
        ),
        (
            Error,
            "the quorum of 3 is larger than the group `dba` (2)",
            "@approval(\"dba\") @quorum(\"3\") permit(principal, action, resource);",
        ),
        (
            Error,
            "nobody is in the group `bosses` to escalate to",
            "@approval(\"dba\") @escalate(\"bosses after 5m\") permit(principal, action, resource);",
        ),
        (
            Error,
            "there is no target `pro`; did you mean `prod`?",
            "forbid(principal, action, resource in Target::\"pro\");",
        ),
        (
            Error,
            "there is no target `test`",
            "forbid(principal, action, resource) when { resource in Target::\"test\" };",
        ),
        (
            Error,
            "no call of this rule has the parameter `Table`",
            "@approval(\"dba\") permit(principal, action == Action::\"dynamodb:PutItem\", resource) when { context.params.Table == \"x\" };",
        ),
        (
            Warning,
            "for the agent `deployer` only 0 of the group `leads` may approve",
            "@approval(\"leads\") permit(principal, action, resource);",
        ),
        (
            Warning,
            "lets `delegating` calls pass without approval, as `iam:PassRole`",
            "permit(principal, action in Action::\"iam:*\", resource);",
        ),
        (
            Warning,
            "lets `secret-returning` calls pass without approval",
            "permit(principal, action in Action::\"level:Read\", resource);",
        ),
        (
            Warning,
            "avoid this rule by choosing other words",
            "forbid(principal, action, resource) when { context.session.unverified_task like \"*x*\" };",
        ),
        (
            Warning,
            "also denies every call whose resource is not known",
            "forbid(principal, action, resource in Account::\"999988887777\");",
        ),
        (
            Warning,
            "the condition never holds",
            "permit(principal, action == Action::\"s3:PutObject\", resource) when { false };",
        ),
        (
            Warning,
            "`rules/all` forbids everything that it covers",
            "@id(\"all\") forbid(principal, action in Action::\"s3:*\", resource); permit(principal, action == Action::\"s3:GetObject\", resource);",
        ),
        (
            Warning,
            "`rules/all` holds everything that it covers",
            "@id(\"all\") @approval(\"dba\") permit(principal, action in Action::\"level:Write\", resource); permit(principal, action == Action::\"s3:PutObject\", resource);",
        ),
    ] {
        let found = findings(rules);
        assert!(found.iter().any(|(of, text)| *of == severity && text.contains(expected)), "{rules}\n{found:#?}");
    }
}

#[test]
fn what_is_meant_is_not_found() {
    for rules in [
        "permit(principal, action == Action::\"dynamodb:PutItem\", resource) when { context.params.Item.id == \"x\" };",
        "permit(principal, action in Action::\"level:Read\", resource);
         @approval(\"dba\") permit(principal, action in [Action::\"class:secret-returning\", Action::\"class:delegating\"], resource);",
        "permit(principal, action in Action::\"iam:*\", resource); forbid(principal, action == Action::\"iam:PassRole\", resource);",
        "permit(principal, action in Action::\"iam:*\", resource) unless { action in Action::\"class:delegating\" };",
        "forbid(principal, action, resource in Target::\"prod\");",
        "forbid(principal, action in Action::\"s3:*\", resource) when { resource.name == \"x\" };",
        "@approval(\"dba\") @quorum(\"2\") @escalate(\"leads after 5m\") permit(principal, action, resource);",
    ] {
        assert_eq!(findings(rules), [], "{rules}");
    }
}

#[test]
fn an_agent_without_owners_and_a_person_without_means_are_found() {
    let settings = SETTINGS.replace("owners = [\"carol\"]\n", "").replace("emails = [\"ben@example.com\"]\n", "");
    let files = vec![("countersign.toml".to_owned(), settings)];
    let found = check(&Bundle::from_sources(files, |_| None, &[]).unwrap(), &Few);
    let messages: Vec<_> = found.iter().map(|one| one.message.as_str()).collect();
    assert!(
        messages[0].contains("`deployer` has no owner") && messages[1].contains("`ben` can neither"),
        "{messages:?}"
    );
}

/// Knows every action; what the catalogue has, its own tests show.
struct Every;

impl ActionCatalogue for Every {
    fn exists(&self, _: &str) -> bool {
        true
    }
    fn suggest(&self, _: &str) -> Option<String> {
        None
    }
    fn level(&self, _: &str) -> Option<AccessLevel> {
        None
    }
    fn classes(&self, _: &str) -> Classes {
        Class::ALL.into_iter().collect()
    }
    fn service_exists(&self, _: &str) -> bool {
        true
    }
    fn actions_of(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

#[test]
fn the_shipped_bundle_has_no_findings() {
    let bundle = Bundle::load(&default_bundle::folder(), default_bundle::environment, &[]).unwrap();
    let found = check(&bundle, &Every);
    // The net against public policies reads parameters only; every rule there names its actions.
    assert_eq!(found, []);
}

#[test]
fn a_limit_on_an_agent_or_a_group_that_nothing_else_names_is_found() {
    let rules = "@id(\"ci\") @reason(\"r\") permit(principal in Group::\"builders\", action == Action::\"s3:GetObject\", resource);";
    let found = |subjects: &str| {
        let limit = format!("[[limits.rate]]\nname = \"x\"\nper = \"agent\"\npending = 1\n{subjects}\n");
        let files = vec![
            ("rules.cedar".to_owned(), rules.to_owned()),
            ("countersign.toml".to_owned(), format!("{SETTINGS}{limit}")),
        ];
        let bundle = Bundle::from_sources(files, |_| None, &[]).unwrap();
        let findings = check(&bundle, &Few).into_iter().filter(|finding| finding.message.contains("the limit `x`"));
        findings.map(|finding| (finding.severity, finding.message, finding.fix)).collect::<Vec<_>>()
    };
    for named in ["agents = [\"deployer\", \"ci/*\"]", "groups = [\"deployers\", \"builders\"]", ""] {
        assert_eq!(found(named), [], "{named}");
    }
    let [(severity, message, fix)] = &found("agents = [\"deploier\"]")[..] else { panic!("not one finding") };
    assert_eq!((*severity, fix.as_str()), (Severity::Warning, "did you mean `deployer`?"));
    assert!(message.contains("the agent `deploier`"), "{message}");
    let [(_, message, fix)] = &found("groups = [\"deployer\"]")[..] else { panic!("not one finding") };
    assert_eq!(fix, "did you mean `deployers`?");
    assert!(message.contains("the group `deployer`"), "{message}");
    // A group of persons is no agent's.
    assert_eq!(found("groups = [\"leads\"]").len(), 1);
}
