//! Countersign's own events: the `decided` ones, which hold every call that policy was asked about.

use countersign_catalogue::Catalogue;
use countersign_domain::{
    AccessLevel, AccountId, Class, Permission, Resource,
    event::{CallRecord, Event, Happening, PermissionRecord},
    settings::Target,
};
use countersign_permissions::{Permissions, Question};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{Reader, Recorded, RecordedCall, Region, call, input::Input, region_of, unmapped};
use crate::circumstances::Circumstances;

/// An event, or an item of the record table that holds one as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Event(Box<Event>),
    Item { body: String },
}

/// The event in `object`, if it is one of ours.
pub(super) fn read(object: &[u8]) -> Option<Event> {
    match serde_json::from_slice(object).ok()? {
        Stored::Event(event) => Some(*event),
        Stored::Item { body } => serde_json::from_str(&body).ok(),
    }
}

impl Reader<'_> {
    pub(super) fn own_event(&self, event: Event) -> Recorded {
        let Happening::Decided { call: record, .. } = event.happening else {
            return Recorded::Skipped("an event of Countersign that is no decision");
        };
        let what = record.operation.clone();
        let Some(agent) = self.agents.everyone.clone().or(event.subject.agent) else {
            return unmapped("the event names no agent", what);
        };
        let target = event.subject.target.and_then(|name| self.settings.target(&name));
        let Some(target) = target else { return unmapped("the bundle has no target of this name", what) };
        let mut circumstances = Circumstances::new(agent, target.clone());
        circumstances.at = event.at;
        circumstances.source_ip = record.source_ip.parse().ok();
        circumstances.unverified_task = event.subject.unverified_task;
        recorded(record, circumstances)
    }
}

fn recorded(record: CallRecord, circumstances: Circumstances) -> Recorded {
    let found = record
        .operation
        .split_once(':')
        .and_then(|(service, operation)| Catalogue::embedded().operation(service, operation));
    let Some((service, operation)) = found else {
        return unmapped("the catalogue has no such operation", record.operation);
    };
    let mut input = Input::new(service.model());
    let parameters = input.parameters(operation.input, &record.parameters);
    let left_out = record.parameters.get("left_out").is_some_and(Json::is_object);
    let target = &circumstances.target;
    let region = match region_of(service, operation, &parameters, target, &record.region) {
        Region::In(region) => region,
        Region::Refused(reason) => {
            return Recorded::Refused { circumstances: Box::new(circumstances), operation: record.operation, reason };
        }
    };
    let again = Permissions::embedded().of(&Question {
        service: service.model().id,
        operation: operation.name,
        parameters: &parameters,
        partition: &target.partition,
        account: &account(&record, target),
        region: &region,
        http_method_path: None,
    });
    let permissions = permissions(&record.permissions, &again.unwrap_or_default());
    let in_part = input.in_part || left_out;
    let call = call(service, operation, region, parameters, permissions);
    Recorded::Call(Box::new(RecordedCall { call, circumstances, in_part }))
}

fn account(record: &CallRecord, target: &Target) -> AccountId {
    AccountId::new(record.account.as_str()).unwrap_or_else(|_| target.account.clone())
}

/// The permissions as they were recorded. Whether a resource was known exactly is not on record: it counts as exact
/// only where the parameters give the same again.
fn permissions(recorded: &[PermissionRecord], again: &[Permission]) -> Vec<Permission> {
    let kind = |one: &PermissionRecord| {
        let same = again.iter().find(|known| known.action == one.action && known.resource.as_str() == one.resource);
        match same {
            Some(known) => known.resource.clone(),
            None if one.resource == "*" => Resource::Unresolved,
            None => Resource::NonCanonical(one.resource.clone()),
        }
    };
    let levels = [AccessLevel::List, AccessLevel::Read, AccessLevel::Tagging, AccessLevel::Write];
    recorded
        .iter()
        .map(|one| Permission {
            action: one.action.clone(),
            resource: kind(one),
            // A level that is not known is the strictest.
            level: levels
                .into_iter()
                .find(|level| level.as_str() == one.level)
                .unwrap_or(AccessLevel::PermissionsManagement),
            classes: Class::ALL
                .into_iter()
                .filter(|class| one.classes.iter().any(|name| name == class.as_str()))
                .collect(),
        })
        .collect()
}
