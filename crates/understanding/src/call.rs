//! From bytes to a call, the first time and again.

use countersign_catalogue::{Catalogue, Endpoint, Place, Understood, WireRequest};
use countersign_domain::{Call, FrozenCall, settings::Target};
use countersign_permissions::{Permissions, Question};

use crate::{
    Refusal, presigned,
    region::{self, Settled},
};

/// The call that a verified request is, on `target`.
///
/// # Errors
/// [`Refusal`] names the one thing that is not understood, not unambiguous or not allowed there.
pub fn understand(request: &WireRequest<'_>, target: &Target) -> Result<Call, Refusal> {
    let place = Place { partition: target.partition.clone() };
    let Settled { understood, region } = region::settle(request.signing_region, &target.regions, |region| {
        let request = WireRequest { signing_region: region, ..request.clone() };
        Ok(Catalogue::embedded().understand(&request, &place)?)
    })?;
    let operation = || format!("{}:{}", understood.service, understood.operation);
    if understood.unsigned {
        return Err(Refusal::UnsignedOperation { operation: operation() });
    }
    if understood.event_stream_output {
        return Err(Refusal::EventStreamAnswer { operation: operation() });
    }
    let understood = presigned::without_url(understood, &target.partition)?;
    let permissions = Permissions::embedded().of(&Question {
        service: &understood.service,
        operation: &understood.operation,
        parameters: &understood.parameters,
        partition: &target.partition,
        account: &target.account,
        region: &region,
        http_method_path: Some((&understood.outgoing.method, &understood.outgoing.path)),
    })?;
    Ok(call(understood, region, permissions))
}

fn call(understood: Understood, region: String, permissions: Vec<countersign_domain::Permission>) -> Call {
    Call {
        service: understood.service,
        operation: understood.operation,
        protocol: understood.protocol,
        region,
        parameters: understood.parameters,
        permissions,
        upstream: understood.upstream,
        outgoing: understood.outgoing,
        idempotency_token: understood.idempotency_token,
        idempotency_member: understood.idempotency_member,
        idempotent: understood.idempotent || understood.read_only,
    }
}

/// Understands the bytes of a frozen call again, as if they had just come in. Only what the bytes
/// say is used; that they were understood before means nothing here.
///
/// The gateway may ask this of a call that it is about to freeze: one that could not be understood
/// again would be approved in vain.
///
/// # Errors
/// [`Refusal`] when the bytes are not understood now, or when host, region, service or any byte of
/// the request written anew is not exactly what was frozen.
pub fn reidentify(frozen: &FrozenCall, target: &Target) -> Result<Call, Refusal> {
    if frozen.target != target.name {
        return Err(Refusal::OtherTarget { what: "name" });
    }
    if frozen.account != target.account {
        return Err(Refusal::OtherTarget { what: "account" });
    }
    let call = understand(&wire(frozen), target)?;
    let differs = |what| Err(Refusal::ComesOutDifferently { what });
    if call.region != frozen.region.as_str() {
        return differs("region");
    }
    if call.upstream.host != frozen.host {
        return differs("host");
    }
    if call.upstream.signing_name != frozen.signing_name {
        return differs("signing name");
    }
    if call.outgoing.body != frozen.outgoing.body {
        return differs("body");
    }
    if call.outgoing != frozen.outgoing {
        return differs("method, path, query or headers");
    }
    Ok(call)
}

fn wire(frozen: &FrozenCall) -> WireRequest<'_> {
    WireRequest {
        method: &frozen.outgoing.method,
        path: &frozen.outgoing.path,
        query: &frozen.outgoing.query,
        headers: &frozen.outgoing.headers,
        body: frozen.outgoing.body.clone(),
        signing_name: &frozen.signing_name,
        signing_region: frozen.region.as_str(),
        // What stood in front of the base host was a member of the input; written anew, it is in
        // the path, or comes from the host rules.
        host_prefix: "",
        from_chunked: false,
        body_is_signed: true,
        endpoint: Endpoint::Host(&frozen.host),
    }
}

#[cfg(test)]
mod tests;
