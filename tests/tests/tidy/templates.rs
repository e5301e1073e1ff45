//! The templates say what ARCHITECTURE.md says: who reads and writes which partition, which function gets which
//! setting, which routes the approvers' door has.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use countersign_tests::stack::root;
use serde_json::{Map, Value as Json, json};
use serde_yaml_ng::Value as Yaml;

const FUNCTIONS: [&str; 4] = ["gateway", "notifier", "approvals", "executor"];

/// Settings that only the local stack sets.
const LOCAL_SETTINGS: [&str; 2] = ["COUNTERSIGN_UPSTREAM_ENDPOINT", "AWS_ENDPOINT_URL"];

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A template as JSON; `!Sub x` becomes `{"Sub": x}`.
fn template(path: &str) -> Json {
    to_json(serde_yaml_ng::from_str(&read(path)).expect("a template is YAML"))
}

fn to_json(yaml: Yaml) -> Json {
    match yaml {
        Yaml::Sequence(items) => items.into_iter().map(to_json).collect(),
        Yaml::Mapping(members) => {
            let member = |(key, value)| (serde_yaml_ng::from_value(key).expect("keys are strings"), to_json(value));
            Json::Object(members.into_iter().map(member).collect::<Map<String, Json>>())
        }
        Yaml::Tagged(tagged) => json!({ tagged.tag.to_string().trim_start_matches('!'): to_json(tagged.value) }),
        plain => serde_yaml_ng::from_value(plain).expect("a scalar"),
    }
}

/// The rows of the table below a heading of ARCHITECTURE.md, as cells.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let text = read("ARCHITECTURE.md");
    let (_, section) = text.split_once(&format!("## {heading}\n")).unwrap_or_else(|| panic!("no heading {heading}"));
    let section = section.split("\n## ").next().unwrap_or_default();
    let table = section.lines().filter(|line| line.starts_with('|')).skip(2);
    table.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// What is in backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// One string or a list of them; objects (references) are left out.
fn strings(json: &Json) -> Vec<&str> {
    match json {
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    }
}

fn title(function: &str) -> String {
    let mut letters = function.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// The statements of a function's role; those under a condition count too.
fn statements(template: &Json, function: &str) -> Vec<Json> {
    let policies = &template["Resources"][format!("{}Role", title(function))]["Properties"]["Policies"];
    let policies = policies.as_array().unwrap_or_else(|| panic!("{function} has no role of its own"));
    let all = policies
        .iter()
        .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().cloned().unwrap_or_default());
    all.map(|statement| if statement["If"].is_array() { statement["If"][1].clone() } else { statement }).collect()
}

fn leading_keys(statement: &Json) -> BTreeSet<String> {
    let keys = strings(&statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]);
    keys.into_iter().map(str::to_owned).collect()
}

/// The partitions of the authority table that `function` may touch with one of `actions`.
fn partitions(template: &Json, function: &str, actions: &[&str]) -> BTreeSet<String> {
    let about = statements(template, function).into_iter().filter(|statement| {
        statement["Resource"]["GetAtt"] == "AuthorityTable.Arn"
            && strings(&statement["Action"]).iter().any(|one| actions.contains(one))
    });
    about.flat_map(|statement| leading_keys(&statement)).collect()
}

#[test]
fn roles_read_and_write_the_partitions_of_the_authority_table() {
    let template = template("infra/template.yaml");
    let mut readers: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut writers = readers.clone();
    let rows = rows("Authority table");
    assert!(rows.len() > 10, "the table cannot be read");
    for row in &rows {
        for prefix in
            quoted(&row[0]).iter().filter_map(|pk| pk.split_once('#')).map(|(prefix, _)| format!("{prefix}#*"))
        {
            for function in FUNCTIONS {
                if row[2] == function {
                    writers.entry(function).or_default().insert(prefix.clone());
                }
                if row[3] == "all" || row[3].split(", ").any(|reader| reader == function) {
                    readers.entry(function).or_default().insert(prefix.clone());
                }
            }
        }
    }
    for function in FUNCTIONS {
        let writes =
            partitions(&template, function, &["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]);
        assert_eq!(Some(&writes), writers.get(function), "what {function} writes");
        let reads = partitions(&template, function, &["dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem"]);
        assert_eq!(Some(&reads), readers.get(function), "what {function} reads");
    }
}

#[test]
fn tables_are_reached_by_key_only() {
    let template = template("infra/template.yaml");
    for function in FUNCTIONS {
        for statement in statements(&template, function) {
            let actions = strings(&statement["Action"]);
            if !actions.iter().any(|action| action.starts_with("dynamodb:")) {
                continue;
            }
            assert!(!leading_keys(&statement).is_empty(), "{function}: {statement}");
            // `ForAllValues` holds where the key is absent.
            assert_eq!(statement["Condition"]["Null"]["dynamodb:LeadingKeys"], "false", "{function}: {statement}");
            for action in actions {
                let odd = ["Scan", "PartiQL", "Batch", "*"].iter().any(|part| action.contains(part));
                assert!(!odd || action == "dynamodb:BatchGetItem", "{function} may {action}");
            }
        }
    }
}

#[test]
fn each_authority_is_one_functions_alone() {
    let template = template("infra/template.yaml");
    for (action, holders) in [
        ("kms:Sign", &["approvals"][..]),
        ("kms:Decrypt", &["approvals", "executor"]),
        ("kms:GenerateDataKey", &["gateway"]),
        ("kms:GetPublicKey", &["executor"]),
        ("states:SendTaskSuccess", &["approvals"]),
        ("states:SendTaskFailure", &["approvals"]),
        ("states:StartExecution", &["gateway"]),
        ("sts:AssumeRole", &["gateway", "executor"]),
        ("sns:Publish", &["notifier"]),
    ] {
        for function in FUNCTIONS {
            let may = statements(&template, function).iter().any(|one| strings(&one["Action"]).contains(&action));
            assert_eq!(may, holders.contains(&function), "{function}: {action}");
        }
    }
    for (function, own, other) in [("gateway", "Auto", "Approved"), ("executor", "Approved", "Auto")] {
        for statement in statements(&template, function) {
            if strings(&statement["Action"]).contains(&"sts:AssumeRole") {
                let resource = statement["Resource"].to_string();
                assert!(resource.contains(own) && !resource.contains(other), "{function} may assume {resource}");
            }
        }
    }
}

/// Wildcards in actions would grant what AWS invents tomorrow.
#[test]
fn roles_name_their_actions() {
    let template = template("infra/template.yaml");
    for function in FUNCTIONS {
        for statement in statements(&template, function) {
            assert_eq!(statement["Effect"], "Allow", "{function}: {statement}");
            for action in strings(&statement["Action"]) {
                assert!(!action.contains('*'), "{function} may {action}");
            }
            let wide = strings(&statement["Resource"]).contains(&"*");
            let sends = strings(&statement["Action"]) == ["states:SendTaskSuccess", "states:SendTaskFailure"];
            assert!(!wide || sends, "{function} is not held to a resource: {statement}");
        }
        let role = &template["Resources"][format!("{}Role", title(function))]["Properties"];
        assert_eq!(role["PermissionsBoundary"]["Ref"], format!("{}Boundary", title(function)));
    }
}

#[test]
fn functions_get_the_settings_that_are_written_down() {
    let template = template("infra/template.yaml");
    let mut wanted: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let rows = rows("Settings of the functions");
    for row in &rows {
        let names = quoted(&row[0]).into_iter().map(|name| name.replace('…', "COUNTERSIGN"));
        for name in names.filter(|name| !LOCAL_SETTINGS.contains(&name.as_str())) {
            for function in FUNCTIONS {
                if row[1] == "all" || row[1].split(", ").any(|one| one == function) {
                    wanted.entry(function).or_default().insert(name.clone());
                }
            }
        }
    }
    let names = |environment: &Json| -> Vec<String> {
        environment["Variables"].as_object().map(|names| names.keys().cloned().collect()).unwrap_or_default()
    };
    for function in FUNCTIONS {
        let own = &template["Resources"][format!("{}Function", title(function))]["Properties"]["Environment"];
        let mut given: BTreeSet<String> = names(&template["Globals"]["Function"]["Environment"]).into_iter().collect();
        given.extend(names(own));
        assert_eq!(Some(&given), wanted.get(function), "settings of {function}");
    }
}

#[test]
fn the_approvers_door_has_the_routes_that_are_written_down() {
    let template = template("infra/template.yaml");
    let text = read("ARCHITECTURE.md");
    let (_, written) = text.split_once("Approvers' door: ").expect("the approvers' door");
    let written = written.split("\n\n").next().unwrap_or_default();
    let is_route = |text: &&str| ["GET ", "HEAD ", "POST "].iter().any(|method| text.starts_with(method));
    let wanted: BTreeSet<String> = quoted(written).into_iter().filter(is_route).map(without_names).collect();
    let resources = template["Resources"].as_object().expect("resources");
    let routes = resources.values().filter(|resource| {
        resource["Type"] == "AWS::ApiGatewayV2::Route" && resource["Properties"]["ApiId"]["Ref"] == "ApproversDoor"
    });
    let given: BTreeSet<String> =
        routes.filter_map(|route| route["Properties"]["RouteKey"].as_str()).map(without_names).collect();
    assert_eq!(given, wanted);
}

/// `GET /r/{link token}?x=…` as `GET /r/{}`.
fn without_names(route: &str) -> String {
    let path = route.split('?').next().unwrap_or_default();
    path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect::<Vec<_>>().join("/")
}

/// How many seconds a retrier of the state machine goes on for, on average: full jitter halves each pause.
fn patience(retrier: &Json) -> f64 {
    let number = |name: &str, otherwise: f64| retrier[name].as_f64().unwrap_or(otherwise);
    let (mut pause, growth) = (number("IntervalSeconds", 1.0), number("BackoffRate", 2.0));
    let (most, jitter) = (number("MaxDelaySeconds", 1e9), retrier["JitterStrategy"] == "FULL");
    let attempts = retrier["MaxAttempts"].as_u64().unwrap_or(3);
    let mut seconds = 0.0;
    for _ in 0..attempts {
        seconds += if jitter { pause / 2.0 } else { pause };
        pause = (pause * growth).min(most);
    }
    seconds
}

#[test]
fn asking_outlasts_an_outage_of_mail_and_ends_at_once_where_no_retry_helps() {
    let machine: Json = serde_json::from_str(&read("statemachines/approval.asl.json")).expect("JSON");
    let ask = &machine["States"]["Ask"];
    let retry = ask["Retry"].as_array().expect("retriers");
    let [answers, others] = retry.as_slice() else { panic!("two retriers are expected: {retry:?}") };
    assert_eq!(answers["MaxAttempts"], 0);
    for name in ["Denied", "States.Timeout", "RequestExpired", "NobodyToAsk", "NoRequest"] {
        assert!(strings(&answers["ErrorEquals"]).contains(&name), "{name} is retried");
    }
    assert!(patience(others) > 12.0 * 3600.0, "asking is given up after {} s", patience(others));
    // Four events for each attempt, of the 25,000 that an execution has (Step Functions quotas).
    assert!(others["MaxAttempts"].as_u64().expect("a number") * 4 < 20_000);
    let given_up = ask["Catch"].as_array().and_then(|all| all.last()).expect("a catcher");
    assert_eq!(given_up["Next"], "NotAsked");
    assert_eq!(machine["States"]["NotAsked"]["Parameters"]["Payload"]["action"], "not-asked");
}

#[test]
fn target_roles_are_trusted_to_one_principal_that_names_the_agent() {
    let template = template("infra/target-account.yaml");
    for (role, principal) in [("AutoRole", "GatewayRoleArn"), ("ApprovedRole", "ExecutorRoleArn")] {
        let trust = &template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"];
        let trust = trust.as_array().expect("statements");
        assert!(trust.iter().all(|statement| statement["Principal"]["AWS"]["Ref"] == principal), "{role}: {trust:?}");
        for action in ["sts:AssumeRole", "sts:SetSourceIdentity"] {
            let of = |statement: &&Json| strings(&statement["Action"]).contains(&action);
            let statement = trust.iter().find(of).unwrap_or_else(|| panic!("{role} does not trust to {action}"));
            assert_eq!(statement["Condition"]["StringLike"]["sts:SourceIdentity"], "??*", "{role}: {action}");
        }
        let boundary = &template["Resources"][role]["Properties"]["PermissionsBoundary"]["Ref"];
        assert!(template["Resources"][boundary.as_str().unwrap_or_default()].is_object(), "{role} has no boundary");
    }
}
