//! What holds for every operation of every service.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what the helpers of these tests take apart was made by the builder"
)]

use std::collections::HashSet;

use countersign_domain::{AccountId, Class, Resource, Value};
use countersign_permissions::format::OperationRow;
use countersign_permissions::template::{Template, split_variable};
use countersign_permissions::{PARTIQL_ACTION, Permissions, Question, condition, resolve};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn paths(row: &OperationRow) -> HashSet<(String, String)> {
    let mut paths = HashSet::new();
    for check in &row.checks {
        let mut add = |path: &str| match path.strip_prefix('^') {
            Some(path) => paths.insert((String::new(), path.to_owned())),
            None => paths.insert((check.each.clone(), path.to_owned())),
        };
        condition::paths(&check.when).into_iter().for_each(|path| {
            add(path);
        });
        for expression in &check.resources {
            if let Some(call) = expression.strip_prefix('@') {
                resolve::parse(call).unwrap().1.into_iter().for_each(|path| {
                    add(path);
                });
            } else if check.action == PARTIQL_ACTION {
                add(expression);
            } else {
                for template in expression.split("||") {
                    Template::parse(template).unwrap().paths().into_iter().for_each(|path| {
                        add(path);
                    });
                }
            }
        }
    }
    paths
}

/// Puts `text` at a path such as `A.B[].C{}`, making what is missing; map keys are `text` too.
fn put(value: &mut Value, path: &str, text: &str) {
    if path.is_empty() || path == "." {
        *value = Value::Text(text.to_owned());
        return;
    }
    if let Some(rest) = path.strip_prefix("[]") {
        if !matches!(value, Value::List(_)) {
            *value = Value::List(vec![Value::Null]);
        }
        if let Value::List(items) = value {
            put(&mut items[0], rest.trim_start_matches('.'), text);
        }
        return;
    }
    let (name, rest) = match path.strip_prefix("{}") {
        Some(rest) => (text, rest),
        None => path.split_at(path.find(['.', '[', '{']).unwrap_or(path.len())),
    };
    assert!(rest.len() < path.len(), "`{path}` is no path");
    if !matches!(value, Value::Record(_)) {
        *value = Value::Record(Vec::new());
    }
    if let Value::Record(members) = value {
        let at = members.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            members.push((name.to_owned(), Value::Null));
            members.len() - 1
        });
        put(&mut members[at].1, rest.trim_start_matches('.'), text);
    }
}

/// Every path that an operation's checks read, from the call as a whole.
fn whole_paths(row: &OperationRow) -> Vec<String> {
    let read = paths(row).into_iter().filter(|(_, path)| path != "@key");
    let mut whole: Vec<_> =
        read.map(|(each, path)| if each.is_empty() { path } else { format!("{each}.{path}") }).collect();
    whole.sort();
    whole
}

fn parameters(paths: &[String], text: &str) -> Value {
    let mut value = Value::Record(Vec::new());
    paths.iter().for_each(|path| put(&mut value, path, text));
    value
}

fn ask(service: &str, row: &OperationRow, parameters: &Value) -> Vec<countersign_domain::Permission> {
    let account = AccountId::new("111122223333").unwrap();
    Permissions::embedded()
        .of(&Question {
            service,
            operation: &row.name,
            parameters,
            partition: "aws",
            account: &account,
            region: "eu-west-1",
            http_method_path: None,
        })
        .unwrap()
}

#[test]
fn the_embedded_data_is_whole() {
    let data = Permissions::embedded();
    let services: HashSet<_> = data.operations().map(|(service, _)| service).collect();
    assert!(services.len() >= 430, "{}", services.len());
    assert!(data.operations().count() >= 19_000);
    let names: HashSet<_> = data.actions().map(|action| action.name.to_ascii_lowercase()).collect();
    for (service, row) in data.operations() {
        assert!(!row.checks.is_empty(), "{service}:{}", row.name);
        for check in row.checks.iter().filter(|check| check.action != PARTIQL_ACTION) {
            let info = data.action(&check.action).unwrap_or_else(|| panic!("{service}:{} {}", row.name, check.action));
            assert!(check.level >= info.level, "{service}:{} {}", row.name, check.action);
            assert!(check.classes.iter().all(|class| info.classes.contains(class)), "{service}:{}", row.name);
            for expression in &check.resources {
                assert!(expression.starts_with("arn:") || expression.starts_with('@'), "{expression}");
            }
            paths(row);
        }
        // An action of the operation's own name is never replaced by a weaker one of another name.
        let same = row.checks.iter().any(|check| check.action.ends_with(&format!(":{}", row.name)));
        let reviewed = ["s3", "s3control", "apigateway", "apigatewayv2", "dynamodb"].contains(&service);
        let prefix = row.checks.first().and_then(|check| check.action.split_once(':')).map_or("", |(prefix, _)| prefix);
        let own = names.contains(&format!("{prefix}:{}", row.name).to_ascii_lowercase());
        let same = same
            || row.checks.iter().any(|check| {
                check.action.split_once(':').is_some_and(|(_, name)| name.eq_ignore_ascii_case(&row.name))
            });
        assert!(same || reviewed || !own, "{service}:{}", row.name);
    }
}

#[test]
fn the_embedded_data_is_the_one_whose_hash_is_committed() {
    let hash = Sha256::digest(include_bytes!("../data/permissions.bin"));
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, include_str!("../data/permissions.bin.sha256").trim());
    assert!(Permissions::embedded().version().starts_with("botocore "));
}

#[test]
fn no_call_is_without_permissions() {
    for (service, row) in Permissions::embedded().operations() {
        assert!(!ask(service, row, &Value::Record(Vec::new())).is_empty(), "{service}:{}", row.name);
        assert!(!ask(service, row, &Value::Null).is_empty(), "{service}:{}", row.name);
        assert!(!ask(service, row, &parameters(&whole_paths(row), "x")).is_empty(), "{service}:{}", row.name);
    }
}

#[test]
fn no_member_stands_for_two_parts_of_an_arn() {
    for (service, row) in Permissions::embedded().operations() {
        for expression in row.checks.iter().flat_map(|check| &check.resources) {
            for template in expression.split("||").filter(|template| template.starts_with("arn:")) {
                let mut met = HashSet::new();
                let mut rest = template;
                while let Some((_, after)) = rest.split_once('{') {
                    let (variable, after) = split_variable(after).unwrap();
                    let sources = variable.rsplit_once(':').map_or(variable, |(sources, _)| sources);
                    assert!(sources == "-" || met.insert(sources), "{service}:{} {template}", row.name);
                    rest = after;
                }
            }
        }
    }
}

/// A value that no row expects (AWS may take `NETWORK` for `network`) must not leave an operation with only what comes
/// beside it, such as its tags.
#[test]
fn an_unknown_value_does_not_take_the_main_action_away() {
    let mut tried = 0;
    for (service, row) in Permissions::embedded().operations() {
        let main = &row.checks[0].action;
        let of_main = |check: &&countersign_permissions::format::Check| check.action == *main;
        let compared: Vec<_> =
            row.checks.iter().filter(of_main).map(|check| (check.when.as_str(), &check.each)).collect();
        let is_compared = |(when, each): &(&str, &String)| when.contains(['=', '~']) && each.is_empty();
        if !compared.iter().all(is_compared) {
            continue;
        }
        let own: Vec<String> =
            compared.iter().flat_map(|(when, _)| condition::paths(when)).map(str::to_owned).collect();
        let beside = row.checks.iter().filter(|check| check.action != *main && check.each.is_empty());
        let beside = beside.flat_map(|check| condition::paths(&check.when)).map(str::to_owned);
        let all: Vec<String> = own.iter().cloned().chain(beside).collect();
        let found = ask(service, row, &parameters(&all, "ZZ"));
        assert!(found.iter().any(|pair| pair.action == *main), "{service}:{} {found:?}", row.name);
        tried += 1;
    }
    assert!(tried >= 2, "{tried}");
}

#[test]
fn operations_that_hand_out_credentials_are_marked() {
    for (service, operation) in [
        ("sts", "AssumeRole"),
        ("sts", "AssumeRoleWithSAML"),
        ("sts", "AssumeRoleWithWebIdentity"),
        ("sts", "AssumeRoot"),
        ("sts", "GetSessionToken"),
        ("sts", "GetFederationToken"),
        ("iam", "CreateAccessKey"),
        ("iam", "CreateServiceSpecificCredential"),
        ("s3", "CreateSession"),
        ("s3control", "GetDataAccess"),
        ("cognito-identity", "GetCredentialsForIdentity"),
        ("sso", "GetRoleCredentials"),
        ("lakeformation", "GetTemporaryGlueTableCredentials"),
        ("redshift", "GetClusterCredentials"),
        ("eks-auth", "AssumeRoleForPodIdentity"),
    ] {
        let row =
            Permissions::embedded().operations().find(|(s, row)| *s == service && row.name == operation).unwrap().1;
        let found = ask(service, row, &Value::Record(Vec::new()));
        assert!(found.iter().any(|pair| pair.classes.contains(Class::CredentialReturning)), "{service}:{operation}");
    }
}

/// The resource type that stands first in the resource part of an ARN or a template.
fn kind(resource_part: &str) -> &str {
    resource_part.split(['/', ':', '{', '$']).next().unwrap_or_default()
}

/// A template with `{` for each of its variables, so that only its own signs are left.
fn without_variables(template: &str) -> String {
    let mut plain = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        plain.push_str(before);
        plain.push('{');
        rest = split_variable(after).unwrap().1;
    }
    plain + rest
}

/// The variables of a template: what stands before each, and the members that it reads.
fn variables(template: &str) -> Vec<(&str, Vec<&str>)> {
    let mut found = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (variable, after) = split_variable(after).unwrap();
        let sources = variable.rsplit_once(':').map_or(variable, |(sources, _)| sources);
        let is_member = |source: &&str| !source.starts_with(['=', '$', '@']) && !["-", "."].contains(source);
        found.push((before, sources.split('|').filter(is_member).collect()));
        rest = after;
    }
    found
}

/// The templates of every operation, with a text that says where they are.
fn templates() -> impl Iterator<Item = (String, &'static str)> {
    Permissions::embedded().operations().flat_map(|(service, row)| {
        let expressions = row.checks.iter().flat_map(|check| &check.resources);
        let templates = expressions.filter(|expression| expression.starts_with("arn:")).flat_map(|one| one.split("||"));
        templates.map(move |template| (format!("{service}:{} {template}", row.name), template))
    })
}

#[test]
fn accounts_and_regions_stand_where_arns_have_them() {
    // Types whose own id is that of an account, or of an account and a region.
    const OF_ACCOUNTS: [&str; 3] = ["account/", "aggregation-authorization/", "program-management-account/"];
    for (place, template) in templates() {
        let mut read = String::new();
        for (before, sources) in variables(template) {
            read.push_str(before);
            let fields = read.matches(':').count();
            for source in sources {
                let name = source.rsplit('.').next().unwrap_or(source).to_ascii_lowercase();
                let is_account = name.ends_with("accountid") || name.ends_with("account") || name == "catalogid";
                let is_region = name.ends_with("region");
                let is_in_place = (is_account && fields == 4) || (is_region && fields == 3);
                let is_of_one = OF_ACCOUNTS.iter().any(|kind| read.contains(kind));
                assert!(!(is_account || is_region) || is_in_place || is_of_one, "{place}: {source}");
                assert!(
                    fields >= 5 || is_account || is_region || ACCOUNT_MEMBERS.contains(&source),
                    "{place}: {source}"
                );
            }
            // The colons of a filled variable are not read.
            read.push('{');
        }
    }
}

/// Members that hold an account under another name.
const ACCOUNT_MEMBERS: [&str; 8] = [
    "registryId",
    "domainOwner",
    "meshOwner",
    "workflowOwnerId",
    "ResourceOwner",
    "TargetPrincipal",
    "profileOwner",
    "jobOwner",
];

/// What an operation's exact ARNs may be of.
struct Probe {
    service: &'static str,
    row: &'static OperationRow,
    paths: Vec<String>,
    kinds: HashSet<(String, String)>,
    is_special: bool,
}

fn probe(service: &'static str, row: &'static OperationRow) -> Probe {
    let kinds: HashSet<(String, String)> = row
        .checks
        .iter()
        .flat_map(|check| &check.resources)
        .filter(|expression| !expression.starts_with('@'))
        .flat_map(|expression| expression.split("||"))
        .filter_map(|template| {
            let plain = without_variables(template);
            let mut parts = plain.splitn(6, ':');
            let service = parts.nth(2)?;
            Some((service.to_owned(), kind(parts.nth(2)?).to_owned()))
        })
        .collect();
    let is_special = row.checks.iter().flat_map(|check| &check.resources).any(|expression| expression.starts_with('@'))
        || row.checks.iter().any(|check| check.action == PARTIQL_ACTION);
    Probe { service, row, paths: whole_paths(row), kinds, is_special }
}

fn check_hostile(probe: &Probe, text: &str) -> Result<(), TestCaseError> {
    let Probe { service, row, paths, kinds, is_special } = probe;
    for pair in ask(service, row, &parameters(paths, text)) {
        let Resource::Exact(arn) = &pair.resource else { continue };
        prop_assert!(!arn.contains(['*', '?']) && !arn.contains("${"), "{service}:{} {arn}", row.name);
        prop_assert!(!arn.chars().any(char::is_control), "{service}:{} {arn:?}", row.name);
        let mut parts = arn.splitn(6, ':');
        prop_assert_eq!(parts.next(), Some("arn"));
        prop_assert_eq!(parts.next(), Some("aws"), "{}", arn);
        let arn_service = parts.next().unwrap();
        let resource_part = parts.nth(2).unwrap_or_default();
        prop_assert!(!resource_part.is_empty());
        prop_assert!(!resource_part.split(['/', ':']).any(|part| part == ".."), "{arn}");
        let fits = kinds
            .iter()
            .any(|(service, kind_of)| service == arn_service && (kind_of.is_empty() || kind_of == kind(resource_part)));
        prop_assert!(fits || *is_special, "{service}:{} {arn} is none of {kinds:?}", row.name);
    }
    Ok(())
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a"),
        Just("Z9"),
        Just("*"),
        Just("?"),
        Just("/"),
        Just(".."),
        Just("."),
        Just(":"),
        Just("${aws:username}"),
        Just("arn:aws:iam::111122223333:role/x"),
        Just("arn:aws:s3:::bucket/key"),
        Just("arn:"),
        Just("arn:aws:"),
        Just("%2f"),
        Just("\u{202e}"),
        Just("\n"),
        Just("\0"),
        Just(" "),
        Just("ä"),
        Just("\\"),
        Just("\""),
        Just("'"),
        Just("table/x"),
        Just("111122223333"),
        Just("eu-west-1"),
        Just("$LATEST"),
        Just("alias/"),
        Just("//"),
        Just("https://sqs.eu-west-1.amazonaws.com/111122223333/"),
        Just("SELECT * FROM \"t\""),
        Just("?versionId="),
    ];
    proptest::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

#[test]
fn a_hostile_name_never_becomes_another_resource() {
    const TEXTS: [&str; 14] = [
        "*",
        "x*",
        "a/../b",
        "..",
        "a:b",
        "a/b/c",
        "${aws:username}",
        "arn:aws:iam::111122223333:role/*",
        "arn:aws:iam::111122223333:role/admin",
        "arn:aws:s3:::other/key",
        "?",
        "\u{202e}x",
        "x\ny",
        "arn:aws:dynamodb:eu-west-1:111122223333:table/x/../y",
    ];
    for (service, row) in Permissions::embedded().operations() {
        let probe = probe(service, row);
        TEXTS.iter().for_each(|text| check_hostile(&probe, text).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn no_hostile_name_becomes_another_resource(text in hostile(), at in any::<proptest::sample::Index>()) {
        let start = at.index(19_000);
        for (service, row) in Permissions::embedded().operations().skip(start).take(120) {
            check_hostile(&probe(service, row), &text)?;
        }
    }

    #[test]
    fn any_text_as_a_statement_or_a_copy_source_is_answered(text in "\\PC{0,60}") {
        for (service, name) in [("dynamodb", "ExecuteStatement"), ("s3", "CopyObject"), ("sqs", "SendMessage"),
            ("lambda", "Invoke"), ("ssm", "GetParameter"), ("kms", "Decrypt"), ("secretsmanager", "GetSecretValue")] {
            let row = Permissions::embedded().operations().find(|(s, row)| *s == service && row.name == name).unwrap().1;
            check_hostile(&probe(service, row), &text)?;
        }
    }
}
