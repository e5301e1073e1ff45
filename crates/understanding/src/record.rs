//! A call as the record keeps it.

use countersign_domain::{
    AccountId, Call, Digest,
    event::{CallRecord, PermissionRecord},
};
use countersign_masking::Masker;
use serde_json::{Value as Json, json};

use crate::sensitive::sensitive_paths;

/// The most bytes of parameters that the record keeps, as JSON: an item has at most 400 KB.
const MOST_RECORDED: usize = 200 * 1024;

/// The parameters as a person is shown them who decides on the call: masked by the model's marks and
/// by pattern, long texts and lists cut, each saying so and how much is hidden.
pub fn shown_parameters(call: &Call, masker: &Masker) -> Json {
    let sensitive = sensitive_paths(call);
    let sensitive: Vec<_> = sensitive.iter().map(String::as_str).collect();
    masker.mask_value_measured(&call.parameters, &sensitive)
}

/// The same as the record keeps them, for longer and for more readers: without digests of what is
/// hidden.
fn recorded_parameters(call: &Call, masker: &Masker) -> Json {
    let sensitive = sensitive_paths(call);
    let sensitive: Vec<_> = sensitive.iter().map(String::as_str).collect();
    masker.mask_value(&call.parameters, &sensitive)
}

/// What the record keeps of `call`: its parameters as they are shown, or, where those are too large
/// for an item, their size and digest.
pub fn call_record(call: &Call, account: &AccountId, masker: &Masker, source_ip: &str) -> CallRecord {
    CallRecord {
        operation: call.name(),
        account: account.as_str().to_owned(),
        region: call.region.clone(),
        host: call.upstream.host.clone(),
        permissions: call
            .permissions
            .iter()
            .map(|permission| PermissionRecord {
                action: permission.action.clone(),
                resource: masker.mask_plain(permission.resource.as_str()).into_owned(),
                level: permission.level.as_str().to_owned(),
                classes: permission.classes.iter().map(|class| class.as_str().to_owned()).collect(),
            })
            .collect(),
        parameters: recorded(recorded_parameters(call, masker)),
        source_ip: source_ip.to_owned(),
    }
}

fn recorded(parameters: Json) -> Json {
    let text = parameters.to_string();
    if text.len() <= MOST_RECORDED {
        return parameters;
    }
    json!({ "left_out": { "bytes": text.len(), "sha256": Digest::of(text.as_bytes()).to_string() } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_holds_any_call() {
        let small = json!({ "RoleName": "app" });
        assert_eq!(recorded(small.clone()), small);
        let large = json!({ "Items": vec!["x".repeat(2_000); 200] });
        let kept = recorded(large.clone());
        assert_eq!(kept["left_out"]["bytes"], large.to_string().len());
        assert!(kept.to_string().len() < 200);
    }
}
