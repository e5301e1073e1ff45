//! Bundles that do not load, and what their messages say.

use countersign_policy::{Bundle, BundleError, COMPILED_FILE};

use crate::harness::*;

fn problems(result: Result<Bundle, BundleError>) -> Vec<String> {
    result.expect_err("it loaded").problems.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn refused(rules: &str, expected: &str) {
    let found = problems(load(rules));
    assert!(found.iter().any(|problem| problem.contains(expected)), "{found:#?}\nlacks {expected}");
}

#[test]
fn rules_with_mistakes_are_refused_with_their_line() {
    for (rules, expected) in [
        ("\npermit(principal, action);", "rules.cedar:2: the rule does not parse"),
        ("permit(principal, action, resource)\nwhen { 1 + };", "rules.cedar:2: the rule does not parse"),
        ("permit(principal, action, resource)", "rules.cedar:1: the rule does not parse"),
        (
            "\n\n@aproval(\"dba\") permit(principal, action, resource);",
            "rules.cedar:3: unknown annotation `@aproval`; did you mean `@approval`?",
        ),
        ("@quorum(\"2\") permit(principal, action, resource);", "`@quorum` has no meaning without `@approval`"),
        ("@approval(\"dba\") forbid(principal, action, resource);", "`@approval` has no meaning on a forbid"),
        ("@mode(\"try\") permit(principal, action, resource);", "unknown mode `try`"),
        ("permit(principal, action == Action::\"s3:*\", resource);", "it is a group; write `action in …`"),
        ("permit(principal, action in Action::\"level:Reed\", resource);", "did you mean `level:Read`?"),
        ("permit(principal, action in Action::\"class:destructiv\", resource);", "did you mean `class:destructive`?"),
        ("permit(principal, action == Action::\"GetObject\", resource);", "`GetObject` is not the name of an action"),
        ("permit(principal, action == Action::\"s3:Get*\", resource);", "no wildcards within names"),
        ("permit(principal == User::\"a\", action, resource);", "the principal of the head names a `User`"),
        ("permit(principal == Group::\"a\", action, resource);", "goes with `in`"),
        ("permit(principal, action, resource == Target::\"a\");", "goes with `in`"),
        ("permit(principal is Group, action, resource);", "`principal is Group` never holds"),
        ("permit(principal == ?principal, action, resource);", "the rule does not parse"),
        (
            "permit(principal, action, resource) when { context.sesion.age_seconds > 1 };",
            "did you mean `context.session`?",
        ),
        ("permit(principal, action, resource) when { context.session.age > 1 };", "`context.session` has no `age`"),
        ("permit(principal, action, resource) when { resource.nam == \"x\" };", "did you mean `resource.name`?"),
        ("permit(principal, action, resource) when { principal.team == \"x\" };", "`principal` has no `team`"),
        ("permit(principal, action, resource) when { principal in Grop::\"x\" };", "did you mean `Group`?"),
        ("permit(principal, action, resource) when { resource.hasTag(\"x\") };", "no entity has tags"),
        ("permit(principal, action, resource) when { unknown(\"x\") };", "`Unknown`"),
        (
            "@id(\"a\") permit(principal, action, resource);\n@id(\"a\") permit(principal, action, resource);",
            "rules.cedar:2: `rules/a` stands twice, first on line 1",
        ),
    ] {
        refused(rules, expected);
    }
}

#[test]
fn every_problem_is_named_at_once() {
    let found = problems(load(
        "permit(;\n@x permit(principal, action, resource);\n@y(\"\") permit(principal, action, resource);",
    ));
    assert_eq!(found.len(), 3, "{found:#?}");
}

#[test]
fn the_agents_own_words_let_nothing_pass() {
    for condition in [
        "context.session.unverified_task like \"*deploy*\"",
        "context[\"session\"][\"unverified_task\"] == \"deploy\"",
        "context.session == { \"age_seconds\": 60, \"unverified_task\": \"deploy\" }",
        "[context].contains(context)",
        "(if context has session then context.session else context.session).unverified_task == \"deploy\"",
    ] {
        refused(&format!("permit(principal, action, resource) when {{ {condition} }};"), "the agent's own words");
        refused(&format!("permit(principal, action, resource) unless {{ {condition} }};"), "the agent's own words");
        let held = format!("@approval(\"dba\") permit(principal, action, resource) when {{ {condition} }};");
        assert!(load(&held).is_ok(), "{held}");
    }
    assert!(load("permit(principal, action, resource) when { context.session.age_seconds < 900 };").is_ok());
    assert!(load("permit(principal, action, resource) when { context.session has unverified_task };").is_ok());
}

#[test]
fn nesting_that_would_overflow_the_stack_is_refused() {
    let deep = format!("permit(principal, action, resource) when {{ {}true{} }};", "(".repeat(5000), ")".repeat(5000));
    refused(&deep, "nests deeper");
    let long = format!("permit(principal, action, resource) when {{ true{} }};", " && true".repeat(5000));
    refused(&long, "more than");
    let many: Vec<_> = (0..900).map(|number| format!("\"name{number}\"")).collect();
    let list = format!("permit(principal, action, resource) when {{ [{}].contains(resource.name) }};", many.join(","));
    assert!(load(&list).is_ok());
    let longest = format!("permit(principal, action, resource) when {{ true{} }};", " && true".repeat(250));
    assert_eq!(outcome(&longest, &put_item()), "allow");
}

fn with_settings(change: impl FnOnce(String) -> String) -> Result<Bundle, BundleError> {
    let files = vec![("countersign.toml".to_owned(), change(SETTINGS.to_owned()))];
    let lookup = |name: &str| (name == "COUNTERSIGN_REGIONS").then(|| "eu-west-1, eu-west-2".to_owned());
    Bundle::from_sources(files, lookup, &[])
}

#[test]
fn settings_with_mistakes_are_refused_with_their_line() {
    for (from, to, expected) in [
        ("audience = \"countersign\"", "audience = ", "countersign.toml:4: "),
        ("audience = \"countersign\"", "audienc = \"countersign\"", "countersign.toml:4: unknown field `audienc`"),
        (
            "audience = \"countersign\"",
            "audience = \"countersign-approvals\"\nagent_prefix = \"a b\"",
            "countersign.toml:5: the prefix",
        ),
        (
            "audience = \"countersign\"",
            "audience = \"${COUNTERSIGN_X}\"",
            "countersign.toml:4: `${COUNTERSIGN_X}` is not set",
        ),
        ("audience = \"countersign\"", "audience = \"${HOME}\"", "countersign.toml:4: `${HOME}` is no placeholder"),
        ("audience = \"countersign\"", "audience = \"${COUNTERSIGN_X\"", "is not closed"),
        (
            "https://issuer.example.com",
            "http://issuer.example.com",
            "countersign.toml:3: `http://issuer.example.com` is not the URL",
        ),
        ("https://issuer.example.com", "http://127.0.0.1.evil.example", "is not the URL of an issuer"),
        ("https://issuer.example.com", "https://people.example.com", ""),
        (
            "role/countersign-auto\"\napproved_role = \"arn:aws:iam::111122223333",
            "role/countersign-auto\"\napproved_role = \"arn:aws:iam::999988887777",
            "is no role of account 111122223333",
        ),
        ("111122223333:role/countersign-auto", "111122223333:role/countersign-approved", "stands twice"),
        ("name = \"prod\"", "name = \"dev\"", "the target `dev` stands twice"),
        ("account = \"999988887777\"", "account = \"99\"", "`99` is not a valid account id"),
        ("owners = [\"carol\"]", "owners = [\"dave\"]", "the owner `dave` is no person"),
        ("id = \"ben\"", "id = \"ann\"", "the person `ann` stands twice"),
        ("ben@example.com", "ANN@example.com", "`ANN@example.com` belongs to two persons"),
        ("ben@example.com", "ben@localhost", "`ben@localhost` is not an email address"),
        ("countersign@example.com", "a\\r\\nBcc: x@example.com", "is not an email address"),
        ("[channels]", "[limits]\nsession_seconds = 60\n[channels]", "60 is out of range; use 1800 to 43200"),
        ("[channels]", "[chanels]", "unknown field `chanels`"),
        (
            "id = \"ben\"",
            "id = \"ben\"\nsubjects = [\"https://elsewhere.example.com|x\"]",
            "names no subject at a person issuer",
        ),
        (
            "email_from = \"countersign@example.com\"",
            "email_from = \"countersign@example.com\"\nsns_topic = \"topic\"",
            "is not the ARN of a topic",
        ),
    ] {
        assert!(SETTINGS.contains(from), "{from}");
        if expected.is_empty() {
            assert!(with_settings(|text| text.replace(from, to)).is_ok());
            continue;
        }
        let found = problems(with_settings(|text| text.replace(from, to)));
        assert!(found.iter().any(|problem| problem.contains(expected)), "{to}: {found:#?}");
    }
}

#[test]
fn a_persons_token_never_passes_as_an_agents() {
    let found = problems(with_settings(|text| {
        text.replace("https://issuer.example.com", "https://people.example.com")
            .replace("audience = \"countersign\"", "audience = \"countersign-approvals\"")
    }));
    assert!(found[0].contains("a person's token would pass as an agent's"), "{found:?}");
}

#[test]
fn issuers_cannot_name_each_others_agents() {
    let second = |prefix: &str| {
        format!(
            "{SETTINGS}\n[[agent_issuers]]\nissuer = \"https://ci.example.com\"\naudience = \"a\"\nagent_claim = \"sub\"\nagent_prefix = \"{prefix}\"\n"
        )
    };
    let found = problems(with_settings(|_| second("ci/")));
    assert!(found[0].contains("two issuers could name the same agent"), "{found:?}");
    assert!(
        with_settings(|_| second("ci/").replacen(
            "agent_claim = \"sub\"",
            "agent_claim = \"sub\"\nagent_prefix = \"k8s/\"",
            1
        ))
        .is_ok()
    );
}

#[test]
fn a_placeholder_in_a_list_becomes_several_items() {
    let bundle =
        with_settings(|text| text.replacen("[\"eu-central-1\"]", "[\"${COUNTERSIGN_REGIONS}\", \"us-east-1\"]", 1))
            .unwrap();
    let regions: Vec<_> =
        bundle.settings().targets[0].regions.iter().map(|region| region.as_str().to_owned()).collect();
    assert_eq!(regions, ["eu-west-1", "eu-west-2", "us-east-1"]);
}

#[test]
fn the_hash_covers_rules_settings_and_protected_arns() {
    let load = |rules: &str, region: &str, protected: &[String]| {
        let settings = SETTINGS.replacen("[\"eu-central-1\"]", "[\"${COUNTERSIGN_REGION}\"]", 1);
        let files = vec![("r.cedar".to_owned(), rules.to_owned()), ("countersign.toml".to_owned(), settings)];
        *Bundle::from_sources(files, |_| Some(region.to_owned()), protected).unwrap().hash()
    };
    let rules = "permit(principal, action, resource);";
    let first = load(rules, "eu-west-1", &[]);
    assert_eq!(first, load(rules, "eu-west-1", &[]));
    assert_ne!(first, load(&format!("{rules} "), "eu-west-1", &[]));
    assert_ne!(first, load(rules, "eu-west-2", &[]));
    assert_ne!(first, load(rules, "eu-west-1", &["arn:aws:s3:::x".to_owned()]));
}

#[test]
fn a_damaged_or_stale_compiled_form_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("countersign.toml", SETTINGS.as_bytes());
    write("r.cedar", b"permit(principal, action, resource);");
    let compiled = countersign_policy::compile(dir.path()).unwrap();
    let load = || Bundle::load(dir.path(), |_| None, &[]);
    write(COMPILED_FILE, &compiled);
    assert!(load().is_ok());
    for place in 0..compiled.len() {
        let mut damaged = compiled.clone();
        damaged[place] ^= 1;
        write(COMPILED_FILE, &damaged);
        assert!(load().is_err(), "a flipped bit at {place}");
    }
    write(COMPILED_FILE, &compiled[..compiled.len() - 1]);
    assert!(load().is_err());
    write(COMPILED_FILE, &compiled);
    write("r.cedar", b"forbid(principal, action, resource);");
    assert!(problems(load())[0].contains("is not of these rules"));
}

#[test]
fn a_folder_without_settings_or_none_at_all_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(problems(Bundle::load(dir.path(), |_| None, &[]))[0].contains("countersign.toml: the file is missing"));
    assert!(problems(Bundle::load(&dir.path().join("none"), |_| None, &[]))[0].contains("cannot be read"));
}
