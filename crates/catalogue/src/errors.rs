//! Our own errors, in the shape that the caller's SDK expects of each protocol.

use bytes::Bytes;
use countersign_domain::{Protocol, Value};

use crate::catalogue::Catalogue;
use crate::model::ServiceModel;
use crate::service::Service;
use crate::xml::{self, Element};
use crate::{cbor_write, json_write};

/// An error to be told to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status; 400 or 403, which SDKs do not retry with an unknown code.
    pub status: u16,
    /// The error code, as in `AccessDenied`.
    pub code: String,
    /// What is said to the caller.
    pub message: String,
    /// The id under which the call is on record.
    pub request_id: String,
    /// Whether the caller is at fault (`Sender`) rather than the service (`Receiver`).
    pub sender_fault: bool,
}

/// An error as an HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReply {
    /// The HTTP status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; empty for HEAD.
    pub body: Bytes,
}

impl Catalogue {
    /// The error as the service's own would look in `protocol`. `service` is a service id or a
    /// signing name, if either is known; `is_head` leaves the body out, as HEAD wants it.
    ///
    /// Sources: the error sections of Smithy's AWS protocol documents, and botocore's parsers.
    pub fn error_reply(
        &self,
        protocol: Protocol,
        service: Option<&str>,
        error: &ApiError,
        is_head: bool,
    ) -> ErrorReply {
        let model = service.and_then(|name| self.named_or_signing(name)).map(Service::model);
        let mut headers = Vec::new();
        let mut header = |name: &str, value: &str| headers.push((name.to_owned(), header_safe(value)));
        header("x-amzn-requestid", &error.request_id);
        let body = match protocol {
            Protocol::Json => {
                let version = model.map(|model| model.json_version).filter(|version| !version.is_empty());
                header("content-type", &format!("application/x-amz-json-{}", version.unwrap_or("1.1")));
                header("x-amzn-errortype", &error.code);
                Bytes::from(json_error(error))
            }
            Protocol::RestJson => {
                header("content-type", "application/json");
                header("x-amzn-errortype", &error.code);
                Bytes::from(json_error(error))
            }
            Protocol::RpcV2Cbor => {
                header("content-type", "application/cbor");
                header("smithy-protocol", "rpc-v2-cbor");
                Bytes::from(cbor_write::write_document(&error_document(error)).unwrap_or_default())
            }
            Protocol::Query | Protocol::Ec2 | Protocol::RestXml => {
                header("content-type", "text/xml");
                header("x-amz-request-id", &error.request_id);
                Bytes::from(xml_error(protocol, service, model, error))
            }
        };
        if model.is_some_and(|model| model.query_compatible) {
            let fault = if error.sender_fault { "Sender" } else { "Receiver" };
            header("x-amzn-query-error", &format!("{};{fault}", error.code));
        }
        ErrorReply { status: error.status, headers, body: if is_head { Bytes::new() } else { body } }
    }

    /// The code with which the service itself denies, so that callers' handlers recognise it.
    /// `service` is a service id or a signing name.
    pub fn access_denied_code(&self, service: &str) -> &'static str {
        let Some(model) = self.named_or_signing(service).map(Service::model) else { return "AccessDenied" };
        if !model.access_denied.is_empty() {
            return model.access_denied;
        }
        match model.protocols.first() {
            Some(Protocol::Ec2) => "UnauthorizedOperation",
            Some(Protocol::Query | Protocol::RestXml) | None => "AccessDenied",
            Some(Protocol::Json | Protocol::RestJson | Protocol::RpcV2Cbor) => "AccessDeniedException",
        }
    }
}

/// Nothing that could end a header or break an old parser.
fn header_safe(value: &str) -> String {
    value.chars().map(|character| if (' '..='~').contains(&character) { character } else { '?' }).take(512).collect()
}

fn error_document(error: &ApiError) -> Value {
    Value::Record(vec![
        ("__type".to_owned(), Value::Text(error.code.clone())),
        ("message".to_owned(), Value::Text(error.message.clone())),
    ])
}

fn json_error(error: &ApiError) -> String {
    json_write::write_document(&error_document(error)).unwrap_or_default()
}

fn leaf(name: &str, text: &str) -> Element {
    // XML 1.0 cannot say control characters at all.
    let text = text.chars().map(|character| if character.is_control() && character != '\n' { '?' } else { character });
    Element { name: name.to_owned(), text: text.collect(), ..Element::default() }
}

fn parent(name: &str, children: Vec<Element>) -> Element {
    Element { name: name.to_owned(), children, ..Element::default() }
}

fn xml_error(protocol: Protocol, service: Option<&str>, model: Option<&ServiceModel>, error: &ApiError) -> String {
    let (code, message) = (leaf("Code", &error.code), leaf("Message", &error.message));
    let is_s3 = service.is_some_and(|name| name == "s3" || name.starts_with("s3-") || name == "s3express");
    let root = match protocol {
        Protocol::Ec2 => parent(
            "Response",
            vec![parent("Errors", vec![parent("Error", vec![code, message])]), leaf("RequestID", &error.request_id)],
        ),
        Protocol::RestXml if is_s3 => {
            parent("Error", vec![code, message, leaf("RequestId", &error.request_id), leaf("HostId", "countersign")])
        }
        _ => {
            let fault = leaf("Type", if error.sender_fault { "Sender" } else { "Receiver" });
            let inner = parent("Error", vec![fault, code, message]);
            let mut root = parent("ErrorResponse", vec![inner, leaf("RequestId", &error.request_id)]);
            if let Some(namespace) = model.map(|model| model.xml_namespace).filter(|namespace| !namespace.is_empty()) {
                root.attributes.push(("xmlns".to_owned(), namespace.to_owned()));
            }
            root
        }
    };
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    xml::write(&root, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_has_its_own_form() {
        let catalogue = Catalogue::embedded();
        let error = ApiError {
            status: 403,
            code: "AccessDenied".to_owned(),
            message: "no <way>\r\nx: y".to_owned(),
            request_id: "r-1".to_owned(),
            sender_fault: true,
        };
        for (protocol, service, holds) in [
            (Protocol::Json, "dynamodb", "{\"__type\":\"AccessDenied\",\"message\":\"no <way>"),
            (Protocol::RestJson, "lambda", "\"message\":\"no <way>"),
            (
                Protocol::Query,
                "iam",
                "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>",
            ),
            (Protocol::Ec2, "ec2", "<Response><Errors><Error><Code>AccessDenied</Code>"),
            (Protocol::RestXml, "s3", "<Error><Code>AccessDenied</Code><Message>no &lt;way&gt;"),
            (Protocol::RestXml, "route53", "<ErrorResponse"),
        ] {
            let reply = catalogue.error_reply(protocol, Some(service), &error, false);
            let body = String::from_utf8_lossy(&reply.body).into_owned();
            assert!(body.contains(holds), "{protocol:?} {body}");
            assert!(reply.headers.iter().all(|(_, value)| !value.contains(['\r', '\n'])));
            assert!(catalogue.error_reply(protocol, Some(service), &error, true).body.is_empty());
        }
        let sqs = catalogue.error_reply(Protocol::Json, Some("sqs"), &error, false);
        assert!(sqs.headers.contains(&("x-amzn-query-error".to_owned(), "AccessDenied;Sender".to_owned())));
    }

    #[test]
    fn denials_have_the_code_of_the_service() {
        let catalogue = Catalogue::embedded();
        for (service, code) in [
            ("s3", "AccessDenied"),
            ("iam", "AccessDenied"),
            ("ec2", "UnauthorizedOperation"),
            ("dynamodb", "AccessDeniedException"),
            ("lambda", "AccessDeniedException"),
            ("nonesuch", "AccessDenied"),
        ] {
            assert_eq!(catalogue.access_denied_code(service), code, "{service}");
        }
    }
}
