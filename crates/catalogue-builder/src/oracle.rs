//! Compares what the catalogue understands with what botocore's clients were told to send.

use std::collections::BTreeMap;
use std::io::BufRead;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use countersign_catalogue::{Catalogue, Place, Understood, WireRequest};
use countersign_domain::Value;
use serde_json::Value as Json;

use crate::{BuildError, written};

/// What became of the requests of one protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// All of them.
    pub requests: usize,
    /// Identified as they should be, or as an alias that goes to the same host.
    pub identified: usize,
    /// Of these, those that are known under several names.
    pub aliases: usize,
    /// Refused.
    pub refused: usize,
    /// Identified as something else.
    pub wrong: usize,
    /// Parameters other than those given to the client.
    pub parameters_differ: usize,
    /// Another host or scope than the client's own.
    pub upstream_differs: usize,
    /// Written otherwise than by the client, beyond order and encoding.
    pub written_differs: usize,
    /// Not understood the same after being written anew.
    pub round_trip_differs: usize,
}

/// The outcome of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// Figures by protocol.
    pub by_protocol: BTreeMap<String, Figures>,
    /// One line for each difference, in the order of the requests.
    pub differences: Vec<String>,
}

/// Reads requests, one JSON object in each line, and checks them all.
///
/// # Errors
/// [`BuildError::Source`] when a line is not what `oracle/generate.py` writes.
pub fn check(catalogue: &Catalogue, lines: impl BufRead) -> Result<Report, BuildError> {
    let mut report = Report::default();
    for (number, line) in lines.lines().enumerate() {
        let malformed = |what: &str| BuildError::Source(format!("line {}: {what}", number + 1));
        let line = line.map_err(|error| malformed(&error.to_string()))?;
        let entry: Json = serde_json::from_str(&line).map_err(|error| malformed(&error.to_string()))?;
        let request = Recorded::read(&entry).ok_or_else(|| malformed("not a recorded request"))?;
        request.check(catalogue, &mut report);
    }
    Ok(report)
}

/// A request of the oracle with what is expected of it.
struct Recorded<'a> {
    entry: &'a Json,
    headers: Vec<(String, String)>,
    body: Bytes,
    parameters: Value,
}

impl<'a> Recorded<'a> {
    fn read(entry: &'a Json) -> Option<Self> {
        let header = |pair: &Json| Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.as_str()?.to_owned()));
        Some(Self {
            entry,
            headers: entry["headers"].as_array()?.iter().map(header).collect::<Option<_>>()?,
            body: Bytes::from(STANDARD.decode(entry["body"].as_str()?).ok()?),
            parameters: value(&entry["expect"]["parameters"])?,
        })
    }

    fn text(&self, name: &str) -> &str {
        self.entry[name].as_str().unwrap_or_default()
    }

    fn expected(&self, name: &str) -> &str {
        self.entry["expect"][name].as_str().unwrap_or_default()
    }

    /// The scope as signed, or the service's own for operations that are not signed.
    fn scope(&self, catalogue: &Catalogue) -> (String, String) {
        let part = |place: usize| self.entry["scope"][place].as_str().map(str::to_owned);
        let usual = || {
            let service = catalogue.service(self.expected("service"));
            service.map(|service| service.model().signing_name.to_owned()).unwrap_or_default()
        };
        (part(0).unwrap_or_else(usual), part(1).unwrap_or_else(|| "eu-central-1".to_owned()))
    }

    fn check(&self, catalogue: &Catalogue, report: &mut Report) {
        let name = format!(
            "{} {}:{} {} {}",
            self.expected("protocol"),
            self.expected("service"),
            self.expected("operation"),
            self.expected("kind"),
            self.expected("style")
        );
        let mut figures = report.by_protocol.remove(self.expected("protocol")).unwrap_or_default();
        figures.requests += 1;
        let (signing_name, signing_region) = self.scope(catalogue);
        let request = WireRequest {
            method: self.text("method"),
            path: self.text("path"),
            query: self.text("query"),
            headers: &self.headers,
            body: self.body.clone(),
            signing_name: &signing_name,
            signing_region: &signing_region,
            host_prefix: self.text("host_prefix"),
            from_chunked: self.entry["chunked"].as_bool().unwrap_or_default(),
        };
        match catalogue.understand(&request, &Place::aws()) {
            Err(refusal) => {
                figures.refused += 1;
                report.differences.push(format!("{name}: refused: {}: {refusal}", refusal.reason()));
            }
            Ok(understood) => {
                for difference in self.compare(catalogue, &request, &understood, &mut figures) {
                    report.differences.push(format!("{name}: {difference}"));
                }
            }
        }
        report.by_protocol.insert(self.expected("protocol").to_owned(), figures);
    }

    fn compare(
        &self,
        catalogue: &Catalogue,
        request: &WireRequest<'_>,
        found: &Understood,
        figures: &mut Figures,
    ) -> Vec<String> {
        let mut differences = Vec::new();
        let wanted = (self.expected("service").to_owned(), self.expected("operation").to_owned());
        let is_wanted = (found.service.clone(), found.operation.clone()) == wanted;
        if is_wanted || found.aliases.contains(&wanted) {
            figures.identified += 1;
            figures.aliases += usize::from(!found.aliases.is_empty());
        } else {
            figures.wrong += 1;
            return vec![format!("wrong: {}:{}", found.service, found.operation)];
        }
        // Forms and flat XML lists do not tell an empty collection from none.
        let prune = matches!(self.expected("protocol"), "query" | "ec2" | "rest-xml");
        let (given, read) = (normal(&self.parameters, prune), normal(&found.parameters, prune));
        // Under another name the members may be written in another case: greengrass, greengrassv2.
        if is_wanted && given != read {
            figures.parameters_differ += 1;
            differences.push(format!("parameters: {}", first_difference(&given, &read)));
        }
        let host =
            format!("{} as {} in {}", found.upstream.host, found.upstream.signing_name, found.upstream.signing_region);
        let scope = |place: usize| self.entry["expect"]["scope"][place].as_str();
        let name = scope(0).unwrap_or(&found.upstream.signing_name);
        let region = scope(1).unwrap_or(&found.upstream.signing_region);
        let expected_host = format!("{} as {name} in {region}", self.expected("host"));
        if host != expected_host {
            figures.upstream_differs += 1;
            differences.push(format!("upstream: {host}, expected {expected_host}"));
        }
        let theirs = (self.expected("path"), request.query, &request.body[..]);
        // A search that was posted is sent as the GET that the model has.
        let is_comparable = is_wanted && found.outgoing.method == request.method;
        if is_comparable && let Some(difference) = written::difference(found.protocol, &found.outgoing, theirs) {
            figures.written_differs += 1;
            differences.push(format!("written: {difference}"));
        }
        if let Some(difference) = round_trip(catalogue, request, found) {
            figures.round_trip_differs += 1;
            differences.push(format!("round trip: {difference}"));
        }
        differences
    }
}

/// Understands once more what was written anew.
fn round_trip(catalogue: &Catalogue, request: &WireRequest<'_>, found: &Understood) -> Option<String> {
    let again = WireRequest {
        method: &found.outgoing.method,
        path: &found.outgoing.path,
        query: &found.outgoing.query,
        headers: &found.outgoing.headers,
        body: found.outgoing.body.clone(),
        signing_name: request.signing_name,
        signing_region: request.signing_region,
        host_prefix: "",
        from_chunked: false,
    };
    match catalogue.understand(&again, &Place::aws()) {
        Err(refusal) => Some(format!("refused: {}: {refusal}", refusal.reason())),
        Ok(second) if (&second.service, &second.operation) != (&found.service, &found.operation) => {
            Some(format!("became {}:{}", second.service, second.operation))
        }
        Ok(second) => {
            let (first, second_value) = (normal(&found.parameters, false), normal(&second.parameters, false));
            if first != second_value {
                return Some(first_difference(&first, &second_value));
            }
            (second.outgoing != found.outgoing).then(|| "not a fixed point".to_owned())
        }
    }
}

/// The value with records in the order of their names and, where `prune`, without empty collections.
fn normal(value: &Value, prune: bool) -> Value {
    match value {
        Value::List(items) => Value::List(items.iter().map(|item| normal(item, prune)).collect()),
        Value::Record(members) => {
            let mut members: Vec<_> =
                members.iter().map(|(name, value)| (name.clone(), normal(value, prune))).collect();
            members.retain(|(_, value)| !(prune && is_empty(value)));
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Record(members)
        }
        Value::Integer(number) => Value::Integer(*number),
        other => other.clone(),
    }
}

/// Whether a form has nothing to say of the value.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::List(items) => items.iter().all(is_empty),
        Value::Record(members) => members.is_empty(),
        _ => false,
    }
}

fn first_difference(given: &Value, read: &Value) -> String {
    let shown = |value: Option<&Value>| format!("{value:?}").chars().take(160).collect::<String>();
    match (given, read) {
        (Value::Record(one), Value::Record(other)) => {
            let names = one.iter().chain(other).map(|(name, _)| name);
            for name in names {
                let (left, right) = (given.get(name), read.get(name));
                match (left, right) {
                    (Some(left), Some(right)) if left != right => {
                        return format!("{name}.{}", first_difference(left, right));
                    }
                    (Some(_), Some(_)) => {}
                    _ => return format!("{name}: given {}, read {}", shown(left), shown(right)),
                }
            }
            "order".to_owned()
        }
        (Value::List(one), Value::List(other)) => {
            let pair = one.iter().zip(other).find(|(left, right)| left != right);
            pair.map_or_else(|| "length".to_owned(), |(left, right)| format!("[]{}", first_difference(left, right)))
        }
        _ => format!("given {}, read {}", shown(Some(given)), shown(Some(read))),
    }
}

/// A value in the oracle's tagged form.
fn value(tagged: &Json) -> Option<Value> {
    let content = tagged.get(1);
    Some(match tagged.get(0)?.as_str()? {
        "n" => Value::Null,
        "b" => Value::Bool(content?.as_bool()?),
        "i" => Value::Integer(content?.as_i64()?),
        "f" => Value::Float(content?.as_f64()?),
        "t" => Value::Text(content?.as_str()?.to_owned()),
        "blob" => Value::Blob(Bytes::from(STANDARD.decode(content?.as_str()?).ok()?)),
        "stream" => Value::Stream { length: content?.as_u64()? },
        "ts" => {
            Value::Timestamp { seconds: content?.as_i64()?, nanoseconds: u32::try_from(tagged.get(2)?.as_u64()?).ok()? }
        }
        "l" => Value::List(content?.as_array()?.iter().map(value).collect::<Option<_>>()?),
        "r" => {
            let entry = |pair: &Json| Some((pair.get(0)?.as_str()?.to_owned(), value(pair.get(1)?)?));
            Value::Record(content?.as_array()?.iter().map(entry).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}
