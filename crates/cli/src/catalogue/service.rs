//! Services: all of them, and one with its operations.

use countersign_catalogue::{Catalogue, Service};
use countersign_permissions::Permissions;
use serde_json::{Value as Json, json};

use crate::{
    ending::{CliError, Ending},
    identify::protocol_name,
};

use super::{columns, nearest::nearest, operation, print, print_json};

/// The service with this id.
///
/// # Errors
/// When there is none; a likely one is named.
pub(super) fn find(id: &str) -> Result<&'static Service, CliError> {
    let catalogue = Catalogue::embedded();
    catalogue.service(id).ok_or_else(|| {
        let suggestion = match nearest(id, catalogue.services().iter().map(|entry| entry.id)) {
            Some(near) => format!("; did you mean `{near}`?"),
            None => ": see `countersign catalogue services`".to_owned(),
        };
        CliError::Usage(format!("the catalogue {} has no service `{id}`{suggestion}", catalogue.version()))
    })
}

/// Prints every service.
///
/// # Errors
/// When the output cannot be written.
pub(super) fn list(as_json: bool) -> Result<Ending, CliError> {
    let catalogue = Catalogue::embedded();
    let services: Vec<&Service> = catalogue.services().iter().filter_map(|entry| catalogue.service(entry.id)).collect();
    if as_json {
        let all: Vec<Json> = services.iter().map(|service| summary(service)).collect();
        print_json(&json!({ "version": catalogue.version(), "services": all }))?;
        return Ok(Ending::Well);
    }
    let mut rows = vec![["SERVICE", "OPERATIONS", "SIGNS AS", "PROTOCOLS", "NAME"].map(str::to_owned).to_vec()];
    for service in &services {
        let model = service.model();
        rows.push(vec![
            model.id.to_owned(),
            model.operations.len().to_string(),
            model.signing_name.to_owned(),
            protocols(service).join(" "),
            model.full_name.to_owned(),
        ]);
    }
    let operations: usize = services.iter().map(|service| service.model().operations.len()).sum();
    print(&columns(&rows))?;
    print(&format!("{} services, {operations} operations, from {}\n", services.len(), catalogue.version()))?;
    Ok(Ending::Well)
}

/// Prints one service with its operations.
///
/// # Errors
/// When there is none of this name, or the output cannot be written.
pub(super) fn show(id: &str, as_json: bool) -> Result<Ending, CliError> {
    let service = find(id)?;
    let model = service.model();
    let operations = || {
        model.operations.iter().map(|one| {
            let checks = Permissions::embedded().operation_row(model.id, one.name).map(|row| row.checks.as_slice());
            let mut actions: Vec<&str> = checks.unwrap_or_default().iter().map(|check| check.action.as_str()).collect();
            actions.dedup();
            (one, actions)
        })
    };
    if as_json {
        let mut about = summary(service);
        if let Json::Object(members) = &mut about {
            let all: Vec<Json> = operations()
                .map(|(one, actions)| {
                    json!({ "operation": one.name, "method": one.method, "uri": one.uri, "actions": actions })
                })
                .collect();
            members.insert("endpoints".to_owned(), operation::endpoints(service, None));
            members.insert("operations".to_owned(), Json::Array(all));
        }
        print_json(&about)?;
        return Ok(Ending::Well);
    }
    print(&format!("{}: {}, API version {}\n", model.id, model.full_name, model.api_version))?;
    print(&columns(&[
        vec!["  signs as".to_owned(), model.signing_name.to_owned()],
        vec!["  protocols".to_owned(), protocols(service).join(", ")],
        vec!["  endpoint".to_owned(), operation::endpoint_text(service, 0)],
    ]))?;
    print(&format!("\n{} operations\n", model.operations.len()))?;
    let rows: Vec<Vec<String>> = operations()
        .map(|(one, actions)| vec![format!("  {}", one.name), format!("{} {}", one.method, one.uri), actions.join(" ")])
        .collect();
    print(&columns(&rows))?;
    Ok(Ending::Well)
}

/// The protocols of a service, the one that clients prefer first.
pub(super) fn protocols(service: &Service) -> Vec<&'static str> {
    service.model().protocols.iter().map(|protocol| protocol_name(*protocol)).collect()
}

fn summary(service: &Service) -> Json {
    let model = service.model();
    json!({
        "service": model.id,
        "name": model.full_name,
        "api_version": model.api_version,
        "signing_name": model.signing_name,
        "protocols": protocols(service),
        "operation_count": model.operations.len(),
    })
}
