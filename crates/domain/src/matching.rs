//! The digest that finds a request again when the agent repeats the call. It only finds: what is
//! approved and replayed is the frozen call.

use crate::{
    call::Call,
    digest::Digest,
    encoding::Writer,
    ids::{AgentId, TargetName},
    value::Value,
};

const DOMAIN_TAG: &str = "countersign/match/v1";

/// The match digest of `call` by `agent` on `target`.
///
/// Typed parameters without regard to the order of members; the idempotency token that an SDK
/// makes anew on every attempt carries no meaning and is left out; a streamed body counts by its
/// bytes.
pub fn match_digest(agent: &AgentId, target: &TargetName, call: &Call) -> Digest {
    let mut out = Writer::new(DOMAIN_TAG);
    out.text(agent.as_str()).text(target.as_str()).text(&call.region).text(&call.service).text(&call.operation);
    value(&mut out, &call.parameters, call, call.idempotency_member.as_deref());
    Digest::of(&out.finish())
}

/// Writes `parameter` with a tag for its type; `left_out` is a member of the outermost record.
fn value(out: &mut Writer, parameter: &Value, call: &Call, left_out: Option<&str>) {
    match parameter {
        Value::List(items) => {
            out.text("list").number(items.len() as u64);
            for item in items {
                value(out, item, call, None);
            }
        }
        Value::Record(members) => {
            let mut members: Vec<_> = members.iter().filter(|(name, _)| left_out != Some(name.as_str())).collect();
            members.sort_by(|one, other| one.0.cmp(&other.0));
            out.text("record").number(members.len() as u64);
            for (name, member) in members {
                out.text(name);
                value(out, member, call, None);
            }
        }
        scalar => write_scalar(out, scalar, call),
    }
}

fn write_scalar(out: &mut Writer, scalar: &Value, call: &Call) {
    match scalar {
        Value::Null => out.text("null"),
        Value::Bool(flag) => out.text("bool").number(u64::from(*flag)),
        Value::Integer(number) => out.text("integer").bytes(&number.to_be_bytes()),
        Value::Float(number) => out.text("float").number(number.to_bits()),
        Value::Decimal(text) => out.text("decimal").text(text),
        Value::Text(text) => out.text("text").text(text),
        Value::Blob(bytes) => out.text("blob").bytes(bytes),
        Value::Stream { .. } => out.text("stream").bytes(Digest::of(&call.outgoing.body).as_bytes()),
        Value::Timestamp { seconds, nanoseconds } => {
            out.text("timestamp").bytes(&seconds.to_be_bytes()).number(u64::from(*nanoseconds))
        }
        Value::List(_) | Value::Record(_) => out,
    };
}

#[cfg(test)]
pub(crate) mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::call::{OutgoingRequest, Protocol, Upstream};

    pub(crate) fn call(parameters: Vec<(&str, Value)>, body: &'static [u8]) -> Call {
        Call {
            service: "s3".into(),
            operation: "PutObject".into(),
            protocol: Protocol::RestXml,
            region: "eu-central-1".into(),
            parameters: Value::Record(parameters.into_iter().map(|(name, value)| (name.into(), value)).collect()),
            permissions: Vec::new(),
            upstream: Upstream { host: String::new(), signing_name: "s3".into(), signing_region: String::new() },
            outgoing: OutgoingRequest {
                method: "PUT".into(),
                path: "/".into(),
                query: String::new(),
                headers: Vec::new(),
                body: Bytes::from_static(body),
            },
            idempotency_token: None,
            idempotency_member: Some("ClientToken".into()),
            idempotent: false,
        }
    }

    #[test]
    fn order_and_idempotency_tokens_do_not_matter_and_everything_else_does() {
        let agent = AgentId::new("deployer").unwrap();
        let target = TargetName::new("sandbox").unwrap();
        let text = |text: &str| Value::Text(text.into());
        let stream = || ("Body", Value::Stream { length: 1 });
        let digest = |call: &Call| match_digest(&agent, &target, call);
        let base = call(vec![("Bucket", text("b")), ("ClientToken", text("1")), stream()], b"x");
        let same = call(vec![stream(), ("ClientToken", text("2")), ("Bucket", text("b"))], b"x");
        assert_eq!(digest(&base), digest(&same));
        for other in [
            call(vec![("Bucket", text("c")), stream()], b"x"),
            call(vec![("Bucket", text("b")), stream()], b"y"),
            call(vec![("Bucket", Value::Null), stream()], b"x"),
            call(vec![("Bucket", text("b")), ("Key", text("")), stream()], b"x"),
        ] {
            assert_ne!(digest(&base), digest(&other));
        }
        assert_ne!(digest(&base), match_digest(&AgentId::new("other").unwrap(), &target, &base));
    }
}
