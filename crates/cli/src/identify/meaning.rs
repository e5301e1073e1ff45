//! From a captured request to what it is.

use std::collections::BTreeSet;

use countersign_catalogue::{Catalogue, Endpoint, Identified, Place, Refusal, WireRequest};
use countersign_permissions::{Permissions, Question};
use countersign_understanding::{Refusal as UnderstandingRefusal, UnverifiedEndpoint};

use crate::cli::IdentifyOptions;

use super::{
    answer::{Answer, protocol_name},
    host,
    request::Captured,
    scope::{self, Claim, UnverifiedScope},
    unframe::{self, Unframed},
};

/// The region where neither scope nor host names one.
const USUAL_REGION: &str = "us-east-1";

/// A captured request on its way to being identified.
struct Sought<'a> {
    captured: &'a Captured,
    options: &'a IdentifyOptions,
    query: String,
    headers: Vec<(String, String)>,
    unframed: Unframed,
}

/// What was found for one credential scope.
struct Found {
    identified: Vec<Identified>,
    scope: UnverifiedScope,
    place: Place,
}

/// What `captured` is, with every reason for which the gateway would refuse it.
pub(crate) fn of(captured: &Captured, options: &IdentifyOptions) -> Answer {
    let unframed = match unframe::body(captured) {
        Ok(unframed) => unframed,
        Err(problem) => return Answer::unread(format!("ChunkFraming: {problem}")),
    };
    let mut headers = captured.headers.clone();
    headers.extend(unframed.trailers.iter().cloned());
    let sought = Sought { captured, options, query: scope::without_signature(&captured.query), headers, unframed };
    match scope::of(captured) {
        Claim::SigV4(scope) => match sought.identify(scope) {
            Ok(found) => answer(sought.chosen(found), Vec::new(), options),
            Err(refusal) => Answer::unread(said(&refusal)),
        },
        Claim::Other { signing_name, region, problem } => {
            let region = region.unwrap_or_else(|| sought.region_of_host());
            sought.without_scope(signing_name.as_deref(), &region, problem)
        }
    }
}

impl Sought<'_> {
    fn identify(&self, scope: UnverifiedScope) -> Result<Found, Refusal> {
        let catalogue = Catalogue::embedded();
        let partition = match &self.options.partition {
            Some(partition) => partition.clone(),
            None => catalogue.partition_of(&scope.signing_region).map_or("aws", |found| found.id).to_owned(),
        };
        let place = Place { partition };
        let host_prefix = host::prefix(&self.captured.host, &self.options.base_hosts, &scope);
        let endpoint = self.unverified_endpoint(&host_prefix);
        let request = WireRequest {
            method: &self.captured.method,
            path: &endpoint.map_or_else(|| self.captured.path.clone(), |own| own.own_path(&self.captured.path)),
            query: &self.query,
            headers: &self.headers,
            body: self.unframed.body.clone(),
            signing_name: &scope.signing_name,
            signing_region: &scope.signing_region,
            host_prefix: &host_prefix,
            from_chunked: self.unframed.was_chunked,
            body_is_signed: self.states_signed_body(&scope),
            endpoint: endpoint.map_or(Endpoint::Any, |own| Endpoint::OfService(own.service)),
        };
        let identified = catalogue.identify(&request, &place)?;
        Ok(Found { identified, scope, place })
    }

    /// The endpoint of a service that a gateway was asked by. AWS has none, and behind a bucket's name it is a key.
    fn unverified_endpoint(&self, host_prefix: &str) -> Option<UnverifiedEndpoint<'_>> {
        let is_base = host_prefix.is_empty() && !host::is_aws(&self.captured.host);
        is_base.then(|| UnverifiedEndpoint::of(&self.captured.path)).flatten()
    }

    /// Whether the request says that its signature covers the body; nobody verifies that here.
    fn states_signed_body(&self, scope: &UnverifiedScope) -> bool {
        let stated = self.captured.header("x-amz-content-sha256");
        let is_unsigned = stated.is_some_and(|hash| hash.contains("UNSIGNED-PAYLOAD"));
        let is_presigned = self.captured.query.contains("X-Amz-Signature=") && scope.signing_name.starts_with("s3");
        !is_unsigned && !is_presigned
    }

    /// Where several operations are possible, the host that was asked tells which was meant; the gateway, which is
    /// asked by its own name, cannot know.
    fn chosen(&self, mut found: Found) -> Found {
        found.identified.sort_by_key(|one| !self.went_to(one));
        found
    }

    /// Whether the host that was asked is the operation's own at AWS, with a bucket in front or without a region where AWS
    /// takes both.
    fn went_to(&self, identified: &Identified) -> bool {
        let host = self.captured.host.as_str();
        identified.upstream.as_ref().is_some_and(|upstream| {
            let without_region = upstream.host.replace(&format!(".{}", upstream.signing_region), "");
            [upstream.host.as_str(), &without_region]
                .into_iter()
                .any(|own| host.strip_suffix(own).is_some_and(|front| front.is_empty() || front.ends_with('.')))
        })
    }

    fn region_of_host(&self) -> String {
        let catalogue = Catalogue::embedded();
        let is_region = |label: &str| catalogue.partition_of(label).is_some();
        host::region(&self.captured.host, is_region).unwrap_or(USUAL_REGION).to_owned()
    }

    /// Tries every name that clients sign with: all that are left is what the request looks like, and its host.
    fn without_scope(&self, signing_name: Option<&str>, region: &str, problem: String) -> Answer {
        let entries = Catalogue::embedded().services();
        let names: BTreeSet<&str> = match signing_name {
            Some(name) => BTreeSet::from([name]),
            None => entries.iter().map(|entry| entry.signing_name).collect(),
        };
        let scope = |name: &str| UnverifiedScope { signing_name: name.to_owned(), signing_region: region.to_owned() };
        let mut found: Vec<Found> = names.into_iter().filter_map(|name| self.identify(scope(name)).ok()).collect();
        if let Some(own) = self.unverified_endpoint("") {
            narrow(&mut found, |one| one.service == own.service);
        }
        narrow(&mut found, |one| self.went_to(one));
        narrow(&mut found, |one| one.parameters.is_some());
        narrow(&mut found, |one| one.refusal.is_none());
        // What nobody signs is more likely one of those that need no signature.
        narrow(&mut found, |one| one.unsigned);
        // A service may be found by several of the names that it signs with.
        let mut met = BTreeSet::new();
        found.retain(|one| one.identified.first().is_some_and(|first| met.insert(name(first))));
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (Some(only), None) => answer(self.chosen(only), vec![problem], self.options),
            (None, _) => {
                Answer::unread(format!("{problem}; UnknownOperation: it is none of the catalogue's operations"))
            }
            (Some(first), Some(second)) => {
                let all = [first, second].into_iter().chain(found);
                let names: Vec<String> = all.flat_map(|one| one.identified).map(|one| name(&one)).take(8).collect();
                Answer::unread(format!("{problem}; Ambiguous: the request may be any of {}", names.join(", ")))
            }
        }
    }
}

/// Keeps those that `fits`, if there are any.
fn narrow(found: &mut Vec<Found>, fits: impl Fn(&Identified) -> bool) {
    if found.iter().any(|one| one.identified.iter().any(&fits)) {
        found.retain(|one| one.identified.iter().any(&fits));
    }
}

fn name(identified: &Identified) -> String {
    format!("{}:{}", identified.service, identified.operation)
}

fn said(refusal: &Refusal) -> String {
    format!("{}: {refusal}", refusal.reason())
}

fn answer(found: Found, mut problems: Vec<String>, options: &IdentifyOptions) -> Answer {
    let mut identified = found.identified.into_iter();
    let Some(first) = identified.next() else { return Answer::unread(problems.join("; ")) };
    problems.extend(first.refusal.as_ref().map(said));
    let operation = name(&first);
    if first.unsigned {
        let refusal = UnderstandingRefusal::UnsignedOperation { operation: operation.clone() };
        problems.push(format!("{}: {refusal}", refusal.reason()));
    }
    if first.event_stream_output {
        let refusal = UnderstandingRefusal::EventStreamAnswer { operation };
        problems.push(format!("{}: {refusal}", refusal.reason()));
    }
    let mut actions = Vec::new();
    if let Some(parameters) = &first.parameters {
        let question = Question {
            service: &first.service,
            operation: &first.operation,
            parameters,
            partition: &found.place.partition,
            account: &options.account,
            region: &found.scope.signing_region,
            http_method_path: None,
        };
        match Permissions::embedded().of(&question) {
            Ok(permissions) => actions = permissions,
            Err(error) => {
                let refusal = UnderstandingRefusal::from(error);
                problems.push(format!("{}: {refusal}", refusal.reason()));
            }
        }
    }
    let mut aliases: Vec<String> =
        first.aliases.iter().map(|(service, operation)| format!("{service}:{operation}")).collect();
    for other in identified {
        let more = other.aliases.iter().map(|(service, operation)| format!("{service}:{operation}"));
        aliases.extend(std::iter::once(name(&other)).chain(more));
    }
    Answer {
        sensitive_output: Catalogue::embedded().sensitive_output(&first.service, &first.operation),
        aliases,
        service: Some(first.service),
        operation: Some(first.operation),
        protocol: Some(protocol_name(first.protocol)),
        actions,
        parameters: first.parameters,
        stream: first.stream,
        upstream: first.upstream,
        idempotency_token: first.idempotency_member,
        problems,
    }
}
