//! Compares what is understood of requests with what the real clients that made them were told to send.
//!
//! Each request is verified as the gateway does, identified, read, resolved to its host, and written anew; then it is
//! sent through a door that changes paths, and tampered with.

mod door;
pub mod expected;
pub mod figures;
mod recorded;
pub mod rewritten;
mod tampering;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::BufRead;

use countersign_catalogue::{Catalogue, Endpoint, Place, Refusal, Understood, WireRequest};
use countersign_sigv4::Verified;
use countersign_understanding::{DoorPath, NotVerified};

pub(crate) use door::as_http_api_gives_it;
pub use expected::ExpectedDifferences;
pub use figures::Figures;
pub use recorded::Recorded;
pub use tampering::Reach;

use crate::seeded::Seeded;
use crate::{BuildError, written};
use door::Recovery;
use values::{first_difference, normal};

/// A seeded sample of the oracle's requests, compressed with gzip: one JSON object in each line.
pub const SAMPLE: &[u8] = include_bytes!("../oracle/sample.jsonl.gz");

/// A difference between what was meant and what was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What differs: `wrong`, `parameters`, `refused:Reason`, …
    pub what: String,
    /// As the client was told.
    pub service: String,
    /// As the client was told.
    pub operation: String,
    /// `minimal`, `full` or `hostile`, with the protocol and the address style.
    pub variant: String,
    /// `minimal`, `full` or `hostile`.
    pub kind: String,
    /// The two sides.
    pub detail: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, service, operation, variant, detail, .. } = self;
        write!(out, "{what} {service}:{operation} {variant}: {detail}")
    }
}

/// The outcome of a run.
#[derive(Debug)]
pub struct Report {
    /// Figures by protocol.
    pub by_protocol: BTreeMap<String, Figures>,
    /// Figures by what the client was given as its endpoint, or by the address style of S3.
    pub by_style: BTreeMap<String, Figures>,
    /// The operations that were met, with their services.
    pub operations: BTreeSet<(String, String)>,
    /// How many requests of an operation had paths that an HTTP API loses, by service and operation.
    pub other_door: BTreeMap<(String, String), usize>,
    /// The differences that nobody expects, in the order of the requests.
    pub unexpected: Vec<Difference>,
    /// The list of those that are right, with how often each was met.
    pub expected: ExpectedDifferences,
}

/// How a run goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Which bytes are changed of each request.
    pub reach: Reach,
    /// Of one request in this many every byte is changed; 0 for none.
    pub every_byte_of_one_in: usize,
    /// Chooses bytes.
    pub seed: u64,
}

/// Reads requests, one JSON object in each line, and checks them all. `progress` is told their number after each.
///
/// # Errors
/// [`BuildError`] when a line is not what `oracle/generate.py` writes, or the list of expected differences is not in
/// form.
pub fn check(
    catalogue: &Catalogue,
    lines: impl BufRead,
    settings: Settings,
    mut progress: impl FnMut(usize),
) -> Result<Report, BuildError> {
    let mut report = Report {
        by_protocol: BTreeMap::new(),
        by_style: BTreeMap::new(),
        operations: BTreeSet::new(),
        other_door: BTreeMap::new(),
        unexpected: Vec::new(),
        expected: ExpectedDifferences::committed()?,
    };
    let (mut left_open, mut closed) = (BTreeMap::new(), BTreeSet::new());
    for (number, line) in lines.lines().enumerate() {
        let malformed = |what: &str| BuildError::Source(format!("line {}: {what}", number + 1));
        let line = line.map_err(|error| malformed(&error.to_string()))?;
        let request = Recorded::read(&line).ok_or_else(|| malformed("not a recorded request"))?;
        let every = settings.every_byte_of_one_in;
        let all_bytes = every > 0 && number.is_multiple_of(every);
        let seed = settings.seed ^ u64::try_from(number).unwrap_or_default();
        let mut checked = Checked {
            catalogue,
            request: &request,
            figures: Figures::default(),
            differences: Vec::new(),
            reach: if all_bytes { Reach::Every } else { settings.reach },
            seeded: Seeded::new(seed),
        };
        checked.run();
        let Checked { figures, differences, .. } = checked;
        *report.by_protocol.entry(request.expected.protocol.clone()).or_default() += &figures;
        *report.by_style.entry(request.expected.style.clone()).or_default() += &figures;
        let operation = (request.expected.service.clone(), request.expected.operation.clone());
        if figures.paths_to_other_door > 0 {
            *report.other_door.entry(operation.clone()).or_default() += figures.paths_to_other_door;
        }
        report.operations.insert(operation);
        if figures.left_open > 0 {
            left_open.insert(request.expected.call(), differences.first().cloned());
        } else if figures.identified > 0 && request.unverified_endpoint().is_some() {
            closed.insert(request.expected.call());
        }
        report.unexpected.extend(differences.into_iter().filter(|one| !report.expected.covers(one)));
        progress(number + 1);
    }
    // What the one endpoint leaves open the service's own must close.
    let never_closed =
        left_open.into_iter().filter(|(call, _)| !closed.contains(call)).filter_map(|(_, refused)| refused);
    report.unexpected.extend(never_closed.map(|refused| Difference { what: "never-closed".to_owned(), ..refused }));
    Ok(report)
}

/// A request while it is checked.
struct Checked<'r> {
    catalogue: &'r Catalogue,
    request: &'r Recorded,
    figures: Figures,
    differences: Vec<Difference>,
    reach: Reach,
    seeded: Seeded,
}

impl Checked<'_> {
    fn differs(&mut self, what: impl Into<String>, detail: impl Into<String>) {
        let expected = &self.request.expected;
        self.differences.push(Difference {
            what: what.into(),
            service: expected.service.clone(),
            operation: expected.operation.clone(),
            variant: format!("{} {} {}", expected.protocol, expected.kind, expected.style).trim_end().to_owned(),
            kind: expected.kind.clone(),
            detail: detail.into(),
        });
    }

    fn run(&mut self) {
        self.figures.requests += 1;
        let request = self.request;
        let verified = if request.is_signed() {
            match request.verify(DoorPath::AsSent(&request.path)) {
                Ok((verified, _)) => Some(verified),
                Err(error) => return self.not_verified(&error),
            }
        } else {
            self.figures.unsigned += 1;
            None
        };
        if let Some(verified) = &verified {
            self.figures.verified += 1;
            self.tamper(verified);
        }
        let is_signed = verified.is_some();
        let opened = request.opened(self.catalogue, verified, request.path.clone());
        match self.catalogue.understand(&opened.wire(), &Place::aws()) {
            Err(refusal) => self.refused(&refusal),
            Ok(found) => {
                self.compare(&opened.wire(), &found);
                if is_signed && matches!(request.expected.protocol.as_str(), "rest-json" | "rest-xml") {
                    self.through_the_door(&found);
                }
            }
        }
    }

    fn not_verified(&mut self, error: &NotVerified) {
        let reason = match error {
            NotVerified::Signature(error) => error.aws_code(),
            NotVerified::PathLost => "PathLost",
        };
        self.differs(format!("not-verified:{reason}"), error.to_string());
        self.figures.not_verified += 1;
    }

    fn tamper(&mut self, verified: &Verified) {
        let outcome = tampering::tamper(self.request, verified, self.reach, &mut self.seeded);
        self.figures.bytes_changed += outcome.refused + outcome.verified.len();
        outcome.verified.into_iter().for_each(|what| self.differs("tampered", what));
    }

    /// Refused: not understood, or understood and of a kind that is not forwarded.
    fn refused(&mut self, refusal: &Refusal) {
        let wanted = format!("{}:{}", self.request.expected.service, self.request.expected.operation);
        let is_known = match refusal {
            Refusal::EventStreamInput { operation } | Refusal::UnsupportedSigning { operation, .. } => {
                *operation == wanted
            }
            _ => false,
        };
        let is_left_open = match refusal {
            Refusal::Ambiguous { candidates } => {
                candidates.contains(&wanted) && self.request.unverified_endpoint().is_none()
            }
            _ => false,
        };
        let (figure, what) = match (is_known, is_left_open) {
            (true, _) => (&mut self.figures.not_forwarded, "not-forwarded"),
            (false, true) => (&mut self.figures.left_open, "left-open"),
            (false, false) => (&mut self.figures.unidentified, "refused"),
        };
        *figure += 1;
        self.differs(format!("{what}:{}", refusal.reason()), refusal.to_string());
    }

    fn compare(&mut self, request: &WireRequest<'_>, found: &Understood) {
        let expected = &self.request.expected;
        let wanted = (expected.service.clone(), expected.operation.clone());
        let is_wanted = (found.service.clone(), found.operation.clone()) == wanted;
        if !is_wanted && !found.aliases.contains(&wanted) {
            self.figures.wrong += 1;
            return self.differs("wrong", format!("{}:{}", found.service, found.operation));
        }
        self.figures.identified += 1;
        self.figures.aliases += usize::from(!found.aliases.is_empty());
        // Forms and flat XML lists do not tell an empty collection from none.
        let prune = matches!(expected.protocol.as_str(), "query" | "ec2" | "rest-xml");
        let (given, read) = (normal(&expected.parameters, prune), normal(&found.parameters, prune));
        // Under another name the members may be written in another case: greengrass, greengrassv2.
        if is_wanted && given != read {
            self.differs("parameters", first_difference(&given, &read));
        }
        self.compare_upstream(found);
        let theirs = (expected.path.as_str(), request.query, &request.body[..]);
        // A search that was posted is sent as the GET that the model has.
        let is_comparable = is_wanted && found.outgoing.method == request.method;
        if is_comparable && let Some(difference) = written::difference(found.protocol, &found.outgoing, theirs) {
            self.differs("written", difference);
        }
        if let Some(difference) = round_trip(self.catalogue, request, found) {
            self.differs("round-trip", difference);
        }
    }

    fn compare_upstream(&mut self, found: &Understood) {
        let expected = &self.request.expected;
        let upstream = &found.upstream;
        let ours = format!("{} as {} in {}", upstream.host, upstream.signing_name, upstream.signing_region);
        let scope = expected.scope.as_ref();
        let name = scope.map_or(&upstream.signing_name, |(name, _)| name);
        let region = scope.map_or(&upstream.signing_region, |(_, region)| region);
        let theirs = format!("{} as {name} in {region}", expected.host);
        if ours != theirs {
            self.differs("upstream", format!("{ours}, expected {theirs}"));
        }
    }

    fn through_the_door(&mut self, plain: &Understood) {
        self.figures.paths += 1;
        match door::recover(self.catalogue, self.request, plain) {
            Recovery::Same => self.figures.paths_recovered += 1,
            Recovery::OtherDoor => self.figures.paths_to_other_door += 1,
            Recovery::Wrong(what) => self.differs("path", what),
        }
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
        body_is_signed: true,
        // As a frozen call is understood again.
        endpoint: match request.endpoint {
            Endpoint::Any => Endpoint::Any,
            Endpoint::OfService(_) | Endpoint::Host(_) => Endpoint::Host(&found.upstream.host),
        },
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
