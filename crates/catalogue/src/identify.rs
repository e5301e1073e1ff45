//! Which operation a request is, by ordered rules.
//!
//! The order is: the services that sign with the name of the scope, then rpc-v2-cbor paths, then
//! `X-Amz-Target`, then the form's `Action` and `Version`, then method and path, query literals,
//! required query and header members, and last what the query and headers leave undeclared.

use countersign_domain::Protocol;

use crate::catalogue::Catalogue;
use crate::model::{Location, Member, MemberTraits, Operation, Shape, Text};
use crate::refusal::cut;
use crate::service::Service;
use crate::template::{PathSegment, Template, check_segments, segments};
use crate::{Refusal, WireRequest, form, headers};

/// More headers than fit into the 10,240 bytes that API Gateway takes of them.
const MOST_HEADERS: usize = 2_000;

/// An operation that the request may be, with what was read on the way.
#[derive(Clone, Debug)]
pub(crate) struct Candidate<'c> {
    pub(crate) service: &'c Service,
    pub(crate) operation: &'c Operation,
    pub(crate) protocol: Protocol,
    pub(crate) labels: Vec<(Text, String)>,
    /// The query, decoded, without the literals of the template.
    pub(crate) query: Vec<(String, String)>,
    /// The form without `Action` and `Version`.
    pub(crate) form: Vec<(String, String)>,
    /// Whether the body is the query, as a form.
    pub(crate) body_is_query: bool,
}

impl Candidate<'_> {
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.service.model().id, self.operation.name)
    }
}

/// A request on its way to being identified.
struct Sought<'c, 'r> {
    catalogue: &'c Catalogue,
    request: &'r WireRequest<'r>,
    services: Vec<&'c Service>,
    query: Vec<(String, String)>,
}

/// Every operation that the request may be, in the order of the services' ids; at least one.
pub(crate) fn identify<'c>(catalogue: &'c Catalogue, request: &WireRequest<'_>) -> Result<Vec<Candidate<'c>>, Refusal> {
    let services = catalogue.services_signing_as(request.signing_name)?;
    if request.headers.len() > MOST_HEADERS {
        return Err(Refusal::TooLarge { what: "headers", limit: MOST_HEADERS });
    }
    check_query(request.query)?;
    let query = form::pairs(request.query, "the query").map_err(|fault| fault.refusal("", catalogue.version()))?;
    let sought = Sought { catalogue, request, services, query };
    let target = headers::single(request.headers, "x-amz-target")?;
    let smithy = headers::single(request.headers, "smithy-protocol")?;
    let content_type = headers::single(request.headers, "content-type")?.unwrap_or_default();
    match (smithy, target) {
        (Some(_), Some(_)) => {
            Err(Refusal::Contradiction { what: "`smithy-protocol` and `x-amz-target` are both set".to_owned() })
        }
        (Some(protocol), None) => {
            check_content_type(content_type, &["application/cbor"], smithy.unwrap_or_default())?;
            sought.by_cbor_path(protocol)
        }
        (None, Some(target)) => {
            check_content_type(content_type, &["application/x-amz-json-1.0", "application/x-amz-json-1.1"], target)?;
            sought.by_target(target)
        }
        (None, None) if sought.speaks_forms() && sought.is_form(content_type) => sought.by_action(),
        (None, None) => sought.by_path(),
    }
}

/// A target over a form, or the like, is one request to some servers and another to others.
fn check_content_type(content_type: &str, allowed: &[&str], operation: &str) -> Result<(), Refusal> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if media_type.is_empty() || allowed.iter().any(|allowed| media_type.eq_ignore_ascii_case(allowed)) {
        return Ok(());
    }
    Err(Refusal::WrongContentType { content_type: cut(content_type), operation: cut(operation) })
}

/// A `+` means a space to some servers and a plus to others: refused before anyone has to guess.
fn check_query(query: &str) -> Result<(), Refusal> {
    if query.contains('+') {
        return Err(Refusal::BadTarget { problem: "a `+` in the query; write %20 or %2B" });
    }
    if query.bytes().any(|byte| byte <= b' ' || byte == b'#' || byte >= 0x7f) {
        return Err(Refusal::BadTarget { problem: "the query is not percent-encoded" });
    }
    Ok(())
}

impl<'c> Sought<'c, '_> {
    fn unknown(&self, what: &str) -> Refusal {
        Refusal::UnknownOperation {
            signing_name: self.request.signing_name.to_owned(),
            what: what.chars().take(200).collect(),
            version: self.catalogue.version().to_owned(),
        }
    }

    fn speaking(&self, protocol: Protocol) -> impl Iterator<Item = &'c Service> {
        self.services.iter().copied().filter(move |service| service.model().protocols.contains(&protocol))
    }

    fn candidate(&self, service: &'c Service, operation: &'c Operation, protocol: Protocol) -> Candidate<'c> {
        Candidate {
            service,
            operation,
            protocol,
            labels: Vec::new(),
            query: Vec::new(),
            form: Vec::new(),
            body_is_query: false,
        }
    }

    /// Refuses whatever an RPC protocol has no use for.
    fn check_rpc(&self, path: &str) -> Result<(), Refusal> {
        if self.request.method != "POST" {
            return Err(self.unknown(&format!("the method {}", self.request.method)));
        }
        if self.request.path != path {
            return Err(self.unknown(&format!("the path {}", self.request.path)));
        }
        match self.query.first() {
            None => Ok(()),
            Some((name, _)) => Err(Refusal::UndeclaredQueryKey {
                name: cut(name),
                operation: self.request.signing_name.to_owned(),
                version: self.catalogue.version().to_owned(),
            }),
        }
    }

    fn found(
        &self,
        candidates: Vec<Candidate<'c>>,
        what: impl FnOnce() -> String,
    ) -> Result<Vec<Candidate<'c>>, Refusal> {
        if candidates.is_empty() { Err(self.unknown(&what())) } else { Ok(candidates) }
    }

    fn by_cbor_path(&self, protocol: &str) -> Result<Vec<Candidate<'c>>, Refusal> {
        if protocol != "rpc-v2-cbor" {
            return Err(self.unknown(&format!("the protocol {protocol}")));
        }
        self.check_rpc(self.request.path)?;
        let names = self.request.path.strip_prefix("/service/").and_then(|rest| rest.split_once("/operation/"));
        let (service_name, operation_name) =
            names.ok_or_else(|| self.unknown(&format!("the path {}", self.request.path)))?;
        let candidates = self
            .speaking(Protocol::RpcV2Cbor)
            .filter(|service| service.model().target_prefix == service_name)
            .filter_map(|service| Some((service, service.model().operation(operation_name)?)))
            .map(|(service, operation)| self.candidate(service, operation, Protocol::RpcV2Cbor))
            .collect();
        self.found(candidates, || format!("the path {}", self.request.path))
    }

    fn by_target(&self, target: &str) -> Result<Vec<Candidate<'c>>, Refusal> {
        // Names of services have dots, those of operations do not.
        let (prefix, name) = target.rsplit_once('.').ok_or_else(|| self.unknown(&format!("the target {target}")))?;
        let candidates: Vec<_> = self
            .speaking(Protocol::Json)
            .filter(|service| is_prefix(service.model().target_prefix, prefix))
            .filter_map(|service| Some((service, service.model().operation(name)?)))
            .map(|(service, operation)| self.candidate(service, operation, Protocol::Json))
            .collect();
        let candidates = self.found(candidates, || format!("the target {target}"))?;
        self.check_rpc("/")?;
        Ok(candidates)
    }

    fn speaks_forms(&self) -> bool {
        self.speaking(Protocol::Query).next().is_some() || self.speaking(Protocol::Ec2).next().is_some()
    }

    /// botocore and the CLI send one operation of the model, a GET, as a POST with the query as a
    /// form: searches are longer than a URL may be.
    fn is_posted_search(&self) -> bool {
        let is_domain = |service: &&Service| service.model().id == "cloudsearchdomain";
        self.request.method == "POST"
            && self.request.path == "/2013-01-01/search"
            && self.services.iter().any(is_domain)
    }

    /// Whether the request is a form, or a GET with `Action` in the query.
    fn is_form(&self, content_type: &str) -> bool {
        if self.is_posted_search() {
            return false;
        }
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
            || self.query.iter().any(|(name, _)| name == "Action")
    }

    fn by_action(&self) -> Result<Vec<Candidate<'c>>, Refusal> {
        let version = self.catalogue.version();
        let text = std::str::from_utf8(&self.request.body).map_err(|_| Refusal::BadText { place: "the form" })?;
        let body = form::pairs(text, "the form").map_err(|fault| fault.refusal("", version))?;
        let has_action = |pairs: &[(String, String)]| pairs.iter().any(|(name, _)| name == "Action");
        let pairs = match (has_action(&self.query), has_action(&body)) {
            (true, true) => {
                return Err(Refusal::Contradiction { what: "`Action` is in the query and in the form".to_owned() });
            }
            (true, false) if body.is_empty() && matches!(self.request.method, "GET" | "POST") => &self.query,
            (false, true) => {
                self.check_rpc(self.request.path)?;
                &body
            }
            _ => return Err(self.unknown("a form without `Action`")),
        };
        let single = |key: &str| {
            let mut found = pairs.iter().filter(|(name, _)| name == key);
            match (found.next(), found.next()) {
                (_, Some(_)) => Err(Refusal::DuplicateKey { key: key.to_owned(), place: "the form" }),
                (first, None) => Ok(first.map(|(_, value)| value.as_str()).unwrap_or_default()),
            }
        };
        let (action, api_version) = (single("Action")?, single("Version")?);
        let form: Vec<_> = pairs.iter().filter(|(name, _)| name != "Action" && name != "Version").cloned().collect();
        let mut candidates = Vec::new();
        for protocol in [Protocol::Query, Protocol::Ec2] {
            for service in self.speaking(protocol) {
                let model = service.model();
                let Some(operation) = model.operation(action).filter(|_| model.api_version == api_version) else {
                    continue;
                };
                candidates.push(Candidate { form: form.clone(), ..self.candidate(service, operation, protocol) });
            }
        }
        let candidates = self.found(candidates, || format!("the action `{action}` of version `{api_version}`"))?;
        // Old SQS clients send to the path of the queue, which names it once more.
        let is_queue_path = |candidate: &Candidate<'_>| candidate.service.model().id == "sqs";
        if self.request.path != "/" && !candidates.iter().all(is_queue_path) {
            return Err(self.unknown(&format!("the path {}", self.request.path)));
        }
        Ok(candidates)
    }

    fn by_path(&self) -> Result<Vec<Candidate<'c>>, Refusal> {
        let not_text = Refusal::BadTarget { problem: "the path is not percent-encoded UTF-8" };
        let with_bucket = self.path_with_bucket();
        let plain_parts = segments(self.request.path).ok_or_else(|| not_text.clone())?;
        let bucket_parts = segments(&with_bucket).ok_or(not_text)?;
        let query = if self.is_posted_search() { self.query_in_body()? } else { self.query.clone() };
        let mut candidates = self.at_path(&plain_parts, Some(&bucket_parts), &query);
        if candidates.is_empty()
            && let Some(parts) = with_other_end(&plain_parts)
        {
            candidates = self.at_path(&parts, None, &query);
        }
        if candidates.is_empty() {
            return Err(self.unknown(&format!("{} {}", self.request.method, self.request.path)));
        }
        if candidates.iter().any(|(_, _, candidate)| candidate.service.model().id == "s3") {
            check_segments(&bucket_parts, true)?;
        } else {
            check_segments(&plain_parts, false)?;
        }
        self.narrow(&candidates)
    }

    /// The operations whose templates match. Without parts for S3 these are not the request's own parts but those with
    /// the other end: then only templates count that end in fixed text, which cannot be read as the end of a label.
    fn at_path(
        &self,
        plain_parts: &[PathSegment<'_>],
        bucket_parts: Option<&[PathSegment<'_>]>,
        query: &[(String, String)],
    ) -> Vec<(Vec<u8>, usize, Candidate<'c>)> {
        let mut candidates = Vec::new();
        for protocol in [Protocol::RestJson, Protocol::RestXml] {
            for service in self.speaking(protocol) {
                for (operation, template) in service.operations() {
                    if !self.method_fits(service, operation) {
                        continue;
                    }
                    let parts = match bucket_parts {
                        Some(parts) if service.model().id == "s3" => without_last_slash(template, parts),
                        None if service.model().id == "s3" || !template.ends_fixed() => continue,
                        _ => plain_parts,
                    };
                    let Some(labels) = template.matches(parts) else { continue };
                    let Some(query) = without_literals(query, template) else { continue };
                    let body_is_query = self.is_posted_search();
                    let plain = self.candidate(service, operation, protocol);
                    let candidate = Candidate { labels, query, body_is_query, ..plain };
                    candidates.push((template.rank(), template.literals.len(), candidate));
                }
            }
        }
        candidates
    }

    /// The path with the bucket of a virtual host in front.
    fn path_with_bucket(&self) -> String {
        let bucket = self.request.host_prefix;
        // Object Lambda has its route in front of the host, not a bucket.
        if bucket.is_empty() || self.request.signing_name == "s3-object-lambda" {
            return self.request.path.to_owned();
        }
        let rest = if self.request.path == "/" { "" } else { self.request.path };
        format!("/{}{rest}", crate::percent::encoded(bucket))
    }

    fn method_fits(&self, service: &Service, operation: &Operation) -> bool {
        if self.is_posted_search() {
            return service.model().id == "cloudsearchdomain" && operation.name == "Search";
        }
        operation.method == self.request.method
    }

    fn query_in_body(&self) -> Result<Vec<(String, String)>, Refusal> {
        if !self.query.is_empty() {
            return Err(Refusal::Contradiction { what: "the query is in the URL and in the form".to_owned() });
        }
        let text = std::str::from_utf8(&self.request.body).map_err(|_| Refusal::BadText { place: "the form" })?;
        form::pairs(text, "the form").map_err(|fault| fault.refusal("", self.catalogue.version()))
    }

    /// The candidates that the query and the headers leave, the most specific only.
    fn narrow(&self, candidates: &[(Vec<u8>, usize, Candidate<'c>)]) -> Result<Vec<Candidate<'c>>, Refusal> {
        let fallback = candidates.first().map(|(_, _, candidate)| candidate.name()).unwrap_or_default();
        let undeclared = |candidate: &Candidate<'c>| self.undeclared_query_key(candidate);
        let declared: Vec<_> =
            candidates.iter().filter(|(_, _, candidate)| undeclared(candidate).is_none()).cloned().collect();
        if declared.is_empty() {
            let name = candidates.first().and_then(|(_, _, candidate)| undeclared(candidate)).unwrap_or_default();
            return Err(Refusal::UndeclaredQueryKey {
                name: cut(&name),
                operation: fallback,
                version: self.catalogue.version().to_owned(),
            });
        }
        let complete: Vec<_> =
            declared.iter().filter(|(_, _, candidate)| self.missing_member(candidate).is_none()).cloned().collect();
        if complete.is_empty() {
            let missing = declared.first().and_then(|(_, _, candidate)| self.missing_member(candidate));
            return Err(Refusal::MissingMember { path: missing.unwrap_or_default().to_owned() });
        }
        // What declares a header that makes another operation of it wins: UploadPartCopy, CopyObject.
        let clean: Vec<_> =
            complete.iter().filter(|(_, _, candidate)| self.check_headers(candidate).is_ok()).cloned().collect();
        let kept = if clean.is_empty() { complete } else { clean };
        let specificity = |(rank, literals, candidate): &(Vec<u8>, usize, Candidate<'c>)| {
            (rank.clone(), usize::MAX - literals, usize::MAX - required_members(candidate).count())
        };
        let Some(best) = kept.iter().map(specificity).min() else { return Err(self.unknown("")) };
        Ok(kept.into_iter().filter(|entry| specificity(entry) == best).map(|(_, _, candidate)| candidate).collect())
    }

    fn check_headers(&self, candidate: &Candidate<'_>) -> Result<(), Refusal> {
        let input = candidate.service.input(candidate.operation).ok().flatten();
        let (model, version) = (candidate.service.model(), self.catalogue.version());
        headers::check(model, candidate.operation, input, self.request.headers, self.request.from_chunked, version)
    }

    fn undeclared_query_key(&self, candidate: &Candidate<'_>) -> Option<String> {
        let model = candidate.service.model();
        let declared: Vec<&Member> = candidate.service.input_members(candidate.operation, Location::Query).collect();
        let takes_any = declared.iter().any(|member| matches!(model.shape(member.shape), Ok(Shape::Map { .. })));
        let is_declared = |key: &str| takes_any || declared.iter().any(|member| member.wire_name() == key);
        candidate
            .query
            .iter()
            .find(|(key, value)| {
                let names_itself = key == "x-id" && value == candidate.operation.name;
                !names_itself && !is_declared(key)
            })
            .map(|(key, _)| key.clone())
    }

    /// A required member of query or headers that is not there.
    fn missing_member(&self, candidate: &Candidate<'_>) -> Option<Text> {
        required_members(candidate)
            .find(|member| match member.location {
                Location::Query => {
                    let is_map = matches!(candidate.service.model().shape(member.shape), Ok(Shape::Map { .. }));
                    let is_list = matches!(candidate.service.model().shape(member.shape), Ok(Shape::List(_)));
                    !is_map && !is_list && !candidate.query.iter().any(|(key, _)| key == member.wire_name())
                }
                _ => !self.request.headers.iter().any(|(name, _)| headers::declares(member, name)),
            })
            .map(|member| member.name)
    }
}

/// The query without the literals of the template, if all are there, once.
fn without_literals(query: &[(String, String)], template: &Template) -> Option<Vec<(String, String)>> {
    let mut rest = query.to_vec();
    for (name, value) in &template.literals {
        let place = rest.iter().position(|(key, text)| key == name && text == value)?;
        rest.remove(place);
        if rest.iter().any(|(key, _)| key == name) {
            return None;
        }
    }
    Some(rest)
}

fn required_members<'a>(candidate: &'a Candidate<'_>) -> impl Iterator<Item = &'a Member> {
    let of = |location| candidate.service.input_members(candidate.operation, location);
    of(Location::Query).chain(of(Location::Header)).filter(|member| member.traits.has(MemberTraits::REQUIRED))
}

/// The path with a slash at its end where it has none, and without one where it has one; `None` for the root.
///
/// The models of botocore and those of the other SDKs differ in this for some operations, and over the years (Route 53
/// ChangeResourceRecordSets, all of Backup, Lambda's lists). What is sent on is written anew and ends as in the model here;
/// a path that some operation has as it stands is never read as another's.
fn with_other_end<'a>(parts: &[PathSegment<'a>]) -> Option<Vec<PathSegment<'a>>> {
    let (last, rest) = parts.split_last()?;
    match last.raw {
        "" if rest.is_empty() => None,
        "" => Some(rest.to_vec()),
        _ => Some(parts.iter().cloned().chain([PathSegment { raw: "", decoded: String::new() }]).collect()),
    }
}

/// Whether a target begins with the service's prefix: whole, as botocore writes it, or without the namespace in front, as
/// the SDKs do that are made from Smithy models (`CloudTrail_20131101`).
fn is_prefix(whole: &str, sent: &str) -> bool {
    whole == sent || whole.rsplit_once('.').is_some_and(|(_, name)| name == sent)
}

/// S3 takes a bucket with a slash at its end for the bucket.
fn without_last_slash<'p, 'a>(template: &Template, parts: &'p [PathSegment<'a>]) -> &'p [PathSegment<'a>] {
    match parts.split_last() {
        Some((last, rest)) if rest.len() == 1 && last.raw.is_empty() && template.segments.len() == 1 => rest,
        _ => parts,
    }
}
