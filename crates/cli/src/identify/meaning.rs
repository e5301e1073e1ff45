//! From a captured request to what it is.

use countersign_catalogue::{Catalogue, Place, Understood, WireRequest};
use countersign_permissions::{Permissions, Question};

use crate::cli::IdentifyOptions;

use super::{answer::Answer, host, request::Captured, scope, unframe};

/// What `captured` is, with every reason for which the gateway would refuse it.
pub(crate) fn of(captured: &Captured, options: &IdentifyOptions) -> Answer {
    let unframed = match unframe::body(captured) {
        Ok(unframed) => unframed,
        Err(problem) => return Answer::unread(format!("ChunkFraming: {problem}")),
    };
    let Some(scope) = scope::of(captured) else {
        return Answer::unread("Unsigned: the request names no credential scope".to_owned());
    };
    let query = scope::without_signature(&captured.query);
    let mut headers = captured.headers.clone();
    headers.extend(unframed.trailers);
    let request = WireRequest {
        method: &captured.method,
        path: &captured.path,
        query: &query,
        headers: &headers,
        body: unframed.body,
        signing_name: &scope.signing_name,
        signing_region: &scope.signing_region,
        host_prefix: &host::prefix(&captured.host, &options.base_hosts, &scope),
        from_chunked: unframed.was_chunked,
        // Signatures are not looked at here.
        body_is_signed: true,
    };
    let place = Place { partition: options.partition.clone().unwrap_or_else(|| "aws".to_owned()) };
    match Catalogue::embedded().understand(&request, &place) {
        Ok(understood) => understood_answer(understood, &place, &scope.signing_region, options),
        Err(refusal) => Answer::unread(format!("{}: {refusal}", refusal.reason())),
    }
}

fn understood_answer(understood: Understood, place: &Place, region: &str, options: &IdentifyOptions) -> Answer {
    let mut problems = Vec::new();
    let actions = Permissions::embedded().of(&Question {
        service: &understood.service,
        operation: &understood.operation,
        parameters: &understood.parameters,
        partition: &place.partition,
        account: &options.account,
        region,
        http_method_path: Some((&understood.outgoing.method, &understood.outgoing.path)),
    });
    let actions = actions.unwrap_or_else(|error| {
        problems.push(format!("UnknownPermissions: {error}"));
        Vec::new()
    });
    Answer {
        sensitive_output: Catalogue::embedded().sensitive_output(&understood.service, &understood.operation),
        service: Some(understood.service),
        operation: Some(understood.operation),
        protocol: serde_json::to_value(understood.protocol).ok().and_then(|name| name.as_str().map(str::to_owned)),
        aliases: understood.aliases.iter().map(|(service, operation)| format!("{service}:{operation}")).collect(),
        actions,
        parameters: Some(understood.parameters),
        stream: understood.outgoing.body,
        upstream: Some(understood.upstream),
        idempotency_token: understood.idempotency_member,
        problems,
    }
}
