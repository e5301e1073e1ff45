//! What a call to the upstream asks for: any operation of any service, by the catalogue.

use countersign_catalogue::{Catalogue, Endpoint, Place, WireRequest};
use countersign_domain::{AccountId, Protocol};
use countersign_permissions::{Permissions, Question};

use super::{
    asked::{Asked, Check, Style},
    errors::AwsError,
    signature::Sender,
};
use crate::web::Request;

/// Reads a verified request: its permissions, and the style of its errors.
///
/// # Errors
/// A denial when the call is not understood.
pub(super) fn read(request: &Request, sender: &Sender) -> Result<(Asked, Style), AwsError> {
    let wire = WireRequest {
        method: request.method.as_str(),
        path: request.uri.path(),
        query: request.query(),
        headers: &sender.headers,
        body: sender.body.clone(),
        signing_name: &sender.service,
        signing_region: &sender.region,
        host_prefix: "",
        from_chunked: sender.from_chunked,
        body_is_signed: sender.body_is_signed,
        endpoint: Endpoint::Any,
    };
    let understood = Catalogue::embedded().understand(&wire, &Place::aws()).map_err(AwsError::unread)?;
    let account = AccountId::new(sender.session.role.account.as_str()).map_err(AwsError::unread)?;
    let permissions = Permissions::embedded().of(&Question {
        service: &understood.service,
        operation: &understood.operation,
        parameters: &understood.parameters,
        partition: "aws",
        account: &account,
        region: &sender.region,
        http_method_path: Some((request.method.as_str(), request.uri.path())),
    });
    let permissions = permissions.map_err(AwsError::unread)?;
    let checks = permissions.iter().map(|one| Check::new(one.action.as_str(), one.resource.as_str())).collect();
    let style = match understood.protocol {
        Protocol::Json | Protocol::RpcV2Cbor => Style::Json,
        Protocol::Query | Protocol::Ec2 => Style::Query,
        Protocol::RestJson => Style::RestJson,
        Protocol::RestXml => Style::S3,
    };
    let asked = Asked {
        service: sender.service.clone(),
        signing_name: sender.service.clone(),
        operation: understood.operation,
        checks,
        function: None,
    };
    Ok((asked, style))
}
