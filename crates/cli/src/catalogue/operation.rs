//! One operation: how it is sent, what it takes and gives, what IAM checks.

use countersign_catalogue::{
    Catalogue, Service,
    model::{Endpoint, Operation, OperationTraits},
};
use countersign_permissions::{Permissions, format::OperationRow};
use serde_json::{Value as Json, json};

use crate::ending::{CliError, Ending};

use super::{columns, members, nearest::nearest, print, print_json, service};

/// Prints one operation.
///
/// # Errors
/// When there is none of this name, or the output cannot be written.
pub(super) fn show(service_id: &str, name: &str, as_json: bool) -> Result<Ending, CliError> {
    let service = service::find(service_id)?;
    let model = service.model();
    let operation = model.operation(name).ok_or_else(|| {
        let suggestion = match nearest(name, model.operations.iter().map(|operation| operation.name)) {
            Some(near) => format!("; did you mean `{service_id}:{near}`?"),
            None => format!(": see `countersign catalogue show {service_id}`"),
        };
        CliError::Usage(format!("`{service_id}` has no operation `{name}`{suggestion}"))
    })?;
    let row = Permissions::embedded().operation_row(model.id, operation.name);
    if as_json {
        print_json(&about(service, operation, row))?
    } else {
        print(&text(service, operation, row))?
    }
    Ok(Ending::Well)
}

/// The traits that a reader may want to know, as words.
fn traits(operation: &Operation) -> Vec<&'static str> {
    [
        (OperationTraits::READ_ONLY, "read-only"),
        (OperationTraits::IDEMPOTENT, "idempotent"),
        (OperationTraits::UNSIGNED, "unsigned"),
        (OperationTraits::EVENT_INPUT, "takes an event stream"),
        (OperationTraits::EVENT_OUTPUT, "answers with an event stream"),
        (OperationTraits::STREAM_OUTPUT, "answers with a stream of bytes"),
        (OperationTraits::DEPRECATED, "deprecated"),
    ]
    .into_iter()
    .filter(|(bit, _)| operation.traits.has(*bit))
    .map(|(_, word)| word)
    .collect()
}

fn text(service: &Service, operation: &Operation, row: Option<&OperationRow>) -> String {
    let model = service.model();
    let mut out = format!("{}:{}\n", model.id, operation.name);
    let mut head = vec![
        vec!["  protocols".to_owned(), service::protocols(service).join(", ")],
        vec!["  request".to_owned(), format!("{} {}", operation.method, operation.uri)],
        vec![
            "  endpoint".to_owned(),
            format!("{}{}", operation.host_prefix, endpoint_text(service, operation.endpoint)),
        ],
        vec!["  signs as".to_owned(), model.signing_name.to_owned()],
    ];
    let traits = traits(operation);
    if !traits.is_empty() {
        head.push(vec!["  traits".to_owned(), traits.join(", ")]);
    }
    out.push_str(&columns(&head));
    out.push_str("\nIAM actions\n");
    for check in row.map(|row| row.checks.as_slice()).unwrap_or_default() {
        out.push_str(&format!("  {} ({})", check.action, check.level.as_str()));
        for class in check.classes.iter() {
            out.push_str(&format!(" [{}]", class.as_str()));
        }
        if !check.when.is_empty() {
            out.push_str(&format!(" if {}", check.when));
        }
        if !check.each.is_empty() {
            out.push_str(&format!(" for each {}", check.each));
        }
        out.push('\n');
        let known = check.resources.iter().map(String::as_str);
        for resource in known.chain(check.resources.is_empty().then_some("*")) {
            out.push_str(&format!("      on {resource}\n"));
        }
    }
    for (when, classes) in row.map(|row| row.classes.as_slice()).unwrap_or_default() {
        let names: Vec<&str> = classes.iter().map(|class| class.as_str()).collect();
        out.push_str(&format!("  [{}] if {when}\n", names.join("] [")));
    }
    for (title, shape) in [("Input", operation.input), ("Output", operation.output)] {
        let rows = members::rows(model, shape);
        if rows.is_empty() {
            out.push_str(&format!("\n{title}: nothing\n"));
        } else {
            out.push_str(&format!("\n{title}\n"));
            out.push_str(&columns(&rows.iter().map(members::Row::cells).collect::<Vec<_>>()));
        }
    }
    out
}

fn about(service: &Service, operation: &Operation, row: Option<&OperationRow>) -> Json {
    let model = service.model();
    let member_list = |shape| Json::Array(members::rows(model, shape).iter().map(members::Row::to_json).collect());
    let checks = row.map(|row| row.checks.as_slice()).unwrap_or_default().iter();
    let actions: Vec<Json> = checks
        .map(|check| {
            let classes: Vec<&str> = check.classes.iter().map(|class| class.as_str()).collect();
            json!({
                "action": check.action,
                "access_level": check.level.as_str(),
                "classes": classes,
                "when": check.when,
                "for_each": check.each,
                "resources": check.resources,
            })
        })
        .collect();
    let conditional = row.map(|row| row.classes.as_slice()).unwrap_or_default().iter();
    let conditional: Vec<Json> = conditional
        .map(|(when, classes)| {
            json!({ "when": when, "classes": classes.iter().map(|class| class.as_str()).collect::<Vec<_>>() })
        })
        .collect();
    json!({
        "service": model.id,
        "operation": operation.name,
        "protocols": service::protocols(service),
        "method": operation.method,
        "uri": operation.uri,
        "host_prefix": operation.host_prefix,
        "signing_name": model.signing_name,
        "endpoints": endpoints(service, Some(operation.endpoint)),
        "traits": traits(operation),
        "actions": actions,
        "conditional_classes": conditional,
        "input": member_list(operation.input),
        "output": member_list(operation.output),
        "sensitive_output": Catalogue::embedded().sensitive_output(model.id, operation.name),
    })
}

/// The usual host of the commercial partition, `{r}` standing for the region.
pub(super) fn endpoint_text(service: &Service, table: usize) -> String {
    let table = service.model().endpoints.get(table);
    let entry = table.and_then(|table| table.partitions.first());
    let Some(entry) = entry else { return "none".to_owned() };
    match (&entry.default, entry.exceptions.as_slice()) {
        (Some(usual), []) => usual.host.to_owned(),
        (Some(usual), others) => format!("{} ({} regions with hosts of their own)", usual.host, others.len()),
        (None, others) => others.iter().map(|(_, one)| one.host).collect::<Vec<_>>().join(" "),
    }
}

/// The endpoint tables: one, or all that the service's operations use.
pub(super) fn endpoints(service: &Service, table: Option<usize>) -> Json {
    let partitions = Catalogue::embedded().partitions();
    let tables = service.model().endpoints.iter().enumerate();
    let of_endpoint = |endpoint: &Endpoint| {
        json!({
            "host": endpoint.host,
            "signing_name": endpoint.signing_name,
            "signing_region": endpoint.signing_region,
            "sigv4a": endpoint.sigv4a,
        })
    };
    let entries = tables.filter(|(place, _)| table.is_none_or(|wanted| wanted == *place)).flat_map(|(_, table)| {
        table.partitions.iter().map(|entry| {
            let regions: serde_json::Map<String, Json> = entry
                .exceptions
                .iter()
                .map(|(region, endpoint)| ((*region).to_owned(), of_endpoint(endpoint)))
                .collect();
            json!({
                "partition": partitions.get(entry.partition).map(|partition| partition.id),
                "default": entry.default.as_ref().map(of_endpoint),
                "regions": regions,
            })
        })
    });
    Json::Array(entries.collect())
}
