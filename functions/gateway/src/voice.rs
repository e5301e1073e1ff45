//! Which protocol an error is told in: the caller's own, guessed until the call is understood.

use countersign_catalogue::Catalogue;
use countersign_domain::{Call, Protocol};

use crate::{denial::Denial, door::Incoming, reply::Reply};

/// How the caller is spoken to. A wrong guess makes an error message hard to read, nothing more.
#[derive(Debug)]
pub(crate) struct Voice {
    protocol: Protocol,
    service: Option<String>,
}

/// Services that speak XML over REST, by signing name; the others that use paths speak JSON.
const REST_XML: [&str; 6] = ["s3", "s3express", "s3-object-lambda", "s3-outposts", "route53", "cloudfront"];

impl Voice {
    /// From what the request looks like, all of it unverified.
    pub(crate) fn guessed(incoming: &Incoming) -> Self {
        let signing_name = unverified_signing_name(incoming);
        let has = |name: &str| incoming.headers.iter().any(|(key, _)| key == name);
        let is_form = incoming
            .header("content-type")
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded"));
        let protocol = if has("smithy-protocol") {
            Protocol::RpcV2Cbor
        } else if has("x-amz-target") {
            Protocol::Json
        } else if is_form {
            if signing_name == Some("ec2") { Protocol::Ec2 } else { Protocol::Query }
        } else if signing_name.is_none_or(|name| REST_XML.contains(&name)) {
            Protocol::RestXml
        } else {
            Protocol::RestJson
        };
        Self { protocol, service: signing_name.map(str::to_owned) }
    }

    /// The signature holds: its scope names the service.
    pub(crate) fn speaks_as(&mut self, signing_name: &str) {
        self.service = Some(signing_name.to_owned());
    }

    /// The call is understood.
    pub(crate) fn speaks_for(&mut self, call: &Call) {
        self.protocol = call.protocol;
        self.service = Some(call.service.clone());
    }

    /// The denial as an answer.
    pub(crate) fn say(&self, denial: &Denial, incoming: &Incoming) -> Reply {
        let catalogue = Catalogue::embedded();
        let service = self.service.as_deref();
        let code = catalogue.access_denied_code(service.unwrap_or_default());
        let error = denial.to_api_error(code, &incoming.request_id);
        let reply = catalogue.error_reply(self.protocol, service, &error, incoming.method == "HEAD");
        Reply { status: reply.status, headers: reply.headers, body: reply.body }
    }
}

/// The service of the credential scope, as the request claims it, in header or query.
fn unverified_signing_name(incoming: &Incoming) -> Option<&str> {
    let scope = match incoming.header("authorization") {
        Some(header) => header.split("Credential=").nth(1)?.split([',', ' ']).next()?.split('/').nth(3),
        None => {
            let credential = incoming.query.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
            // Slashes are escaped in a query.
            credential.split("%2F").nth(3)
        }
    };
    scope.filter(|name| name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::door::UnverifiedPath;

    fn incoming(headers: &[(&str, &str)], query: &str) -> Incoming {
        Incoming {
            method: "POST".into(),
            path: UnverifiedPath::Raw("/".into()),
            query: query.into(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: Bytes::new(),
            source_ip: String::new(),
            domain_name: String::new(),
            deadline: countersign_domain::Timestamp::from_secs(0),
            request_id: "id".into(),
            departed: crate::door::Departed::default(),
        }
    }

    #[test]
    fn the_protocol_is_guessed_from_headers_and_scope() {
        let scope = |service: &str| {
            format!(
                "AWS4-HMAC-SHA256 Credential=CSGNX/20260101/eu-central-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
            )
        };
        let form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        type Row<'a> = (Vec<(&'a str, &'a str)>, &'a str, Protocol);
        let table: Vec<Row<'_>> = vec![
            (vec![("x-amz-target", "DynamoDB_20120810.GetItem")], "dynamodb", Protocol::Json),
            (vec![("smithy-protocol", "rpc-v2-cbor")], "monitoring", Protocol::RpcV2Cbor),
            (vec![form], "iam", Protocol::Query),
            (vec![form], "ec2", Protocol::Ec2),
            (vec![], "s3", Protocol::RestXml),
            (vec![], "lambda", Protocol::RestJson),
        ];
        for (mut headers, service, protocol) in table {
            let authorization = scope(service);
            headers.push(("authorization", &authorization));
            let voice = Voice::guessed(&incoming(&headers, ""));
            assert_eq!(voice.protocol, protocol, "{service}");
            assert_eq!(voice.service.as_deref(), Some(service));
        }
        let presigned = incoming(&[], "a=1&X-Amz-Credential=CSGNX%2F20260101%2Fx%2Fs3%2Faws4_request");
        assert_eq!(Voice::guessed(&presigned).service.as_deref(), Some("s3"));
    }
}
