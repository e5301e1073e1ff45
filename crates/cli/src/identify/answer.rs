//! What is said of a request.

use bytes::Bytes;
use countersign_domain::{Permission, Protocol, Resource, Upstream, Value};

use super::json::{write_text, write_value};

/// The answer to one line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// The catalogue's service id.
    pub(crate) service: Option<String>,
    /// The operation.
    pub(crate) operation: Option<String>,
    /// The protocol's name.
    pub(crate) protocol: Option<&'static str>,
    /// `service:Operation` of what the very same bytes mean besides.
    pub(crate) aliases: Vec<String>,
    /// What AWS will check; empty where that is not known.
    pub(crate) actions: Vec<Permission>,
    /// The typed parameters.
    pub(crate) parameters: Option<Value>,
    /// The body, for a streaming parameter.
    pub(crate) stream: Bytes,
    /// Where the gateway would send it.
    pub(crate) upstream: Option<Upstream>,
    /// Paths of the answer's members that are sensitive.
    pub(crate) sensitive_output: Vec<String>,
    /// The operation's idempotency-token member.
    pub(crate) idempotency_token: Option<String>,
    /// Why the gateway would refuse it, or what could not be read: a name, a colon and words.
    pub(crate) problems: Vec<String>,
}

impl Answer {
    /// The answer to a line of which nothing is known.
    pub(crate) fn unread(problem: String) -> Self {
        Self { problems: vec![problem], ..Self::default() }
    }

    /// One line of JSON, without a line end.
    pub(crate) fn to_json(&self) -> String {
        let mut out = String::with_capacity(512);
        member(&mut out, "{", "service", |out| write_optional(out, self.service.as_deref()));
        member(&mut out, ",", "operation", |out| write_optional(out, self.operation.as_deref()));
        member(&mut out, ",", "protocol", |out| write_optional(out, self.protocol));
        member(&mut out, ",", "aliases", |out| write_texts(out, self.aliases.iter().map(String::as_str)));
        member(&mut out, ",", "actions", |out| write_list(out, &self.actions, write_permission));
        member(&mut out, ",", "params", |out| match &self.parameters {
            Some(parameters) => write_value(out, parameters, &self.stream),
            None => out.push_str("null"),
        });
        member(&mut out, ",", "upstream", |out| match &self.upstream {
            Some(upstream) => write_upstream(out, upstream),
            None => out.push_str("null"),
        });
        member(&mut out, ",", "sensitive_output", |out| {
            write_texts(out, self.sensitive_output.iter().map(String::as_str));
        });
        member(&mut out, ",", "idempotency_token", |out| write_optional(out, self.idempotency_token.as_deref()));
        member(&mut out, ",", "problem", |out| write_optional(out, self.problem().as_deref()));
        out.push('}');
        out
    }

    /// All problems as one text; `None` if there is none.
    pub(crate) fn problem(&self) -> Option<String> {
        (!self.problems.is_empty()).then(|| self.problems.join("; "))
    }
}

/// The protocol's name, as AWS's models have it.
pub(crate) fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Json => "json",
        Protocol::Query => "query",
        Protocol::Ec2 => "ec2",
        Protocol::RestJson => "rest-json",
        Protocol::RestXml => "rest-xml",
        Protocol::RpcV2Cbor => "rpc-v2-cbor",
    }
}

/// How far a resource is known, by the word in the output.
pub(crate) fn known_as(resource: &Resource) -> &'static str {
    match resource {
        Resource::Exact(_) => "exact",
        Resource::NonCanonical(_) => "non-canonical",
        Resource::Unresolved => "unresolved",
        Resource::AccountLevel => "account-level",
    }
}

fn member(out: &mut String, before: &str, name: &str, write: impl FnOnce(&mut String)) {
    out.push_str(before);
    write_text(out, name);
    out.push(':');
    write(out);
}

fn write_optional(out: &mut String, text: Option<&str>) {
    match text {
        Some(text) => write_text(out, text),
        None => out.push_str("null"),
    }
}

fn write_list<T>(out: &mut String, items: impl IntoIterator<Item = T>, write: impl Fn(&mut String, T)) {
    out.push('[');
    for (place, item) in items.into_iter().enumerate() {
        out.push_str(if place == 0 { "" } else { "," });
        write(out, item);
    }
    out.push(']');
}

fn write_texts<'a>(out: &mut String, texts: impl IntoIterator<Item = &'a str>) {
    write_list(out, texts, write_text);
}

fn write_permission(out: &mut String, permission: &Permission) {
    member(out, "{", "action", |out| write_text(out, &permission.action));
    member(out, ",", "resource", |out| write_text(out, permission.resource.as_str()));
    member(out, ",", "resource_known", |out| write_text(out, known_as(&permission.resource)));
    member(out, ",", "access_level", |out| write_text(out, permission.level.as_str()));
    member(out, ",", "classes", |out| write_texts(out, permission.classes.iter().map(|class| class.as_str())));
    out.push('}');
}

fn write_upstream(out: &mut String, upstream: &Upstream) {
    member(out, "{", "host", |out| write_text(out, &upstream.host));
    member(out, ",", "signing_name", |out| write_text(out, &upstream.signing_name));
    member(out, ",", "signing_region", |out| write_text(out, &upstream.signing_region));
    out.push('}');
}
