//! What goes wrong while a value is read, before it is known of which operation.

use countersign_domain::Value;
use countersign_domain::value::MAX_DEPTH;

use crate::Refusal;
use crate::model::Structure;

/// A problem at a place in the parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    kind: FaultKind,
    /// The steps from the place outwards.
    steps: Vec<String>,
}

/// More of a path is not shown.
const MOST_SHOWN: usize = 300;

/// The kinds of problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    UnknownMember,
    DuplicateKey(&'static str),
    WrongType(&'static str),
    Missing,
    Malformed { format: &'static str, problem: &'static str, offset: usize },
    TooDeep,
    TooLarge { what: &'static str, limit: usize },
    BadText(&'static str),
    UnexpectedBody,
    Damaged(&'static str),
}

/// The result of reading or writing.
pub(crate) type Read<T> = Result<T, Box<Fault>>;

impl Fault {
    pub(crate) fn new(kind: FaultKind) -> Box<Self> {
        Box::new(Self { kind, steps: Vec::new() })
    }

    pub(crate) fn wrong_type(expected: &'static str) -> Box<Self> {
        Self::new(FaultKind::WrongType(expected))
    }

    pub(crate) fn unknown_member(name: &str) -> Box<Self> {
        Self::new(FaultKind::UnknownMember).within(name)
    }

    pub(crate) fn duplicate_key(name: &str, place: &'static str) -> Box<Self> {
        Self::new(FaultKind::DuplicateKey(place)).within(name)
    }

    pub(crate) fn missing(name: &str) -> Box<Self> {
        Self::new(FaultKind::Missing).within(name)
    }

    pub(crate) fn malformed(format: &'static str, problem: &'static str, offset: usize) -> Box<Self> {
        Self::new(FaultKind::Malformed { format, problem, offset })
    }

    /// Refuses a union of which several members are given: readers differ in which of them counts.
    pub(crate) fn check_union(structure: &Structure, members: &[(String, Value)]) -> Read<()> {
        let given = members.iter().filter(|(_, value)| *value != Value::Null).count();
        if structure.union && given > 1 { Err(Self::wrong_type("one member of a union")) } else { Ok(()) }
    }

    /// The same problem, seen from one step further out.
    pub(crate) fn within(mut self: Box<Self>, step: &str) -> Box<Self> {
        // Keys come from the caller: keep what is shown of them short.
        self.steps.push(step.chars().take(128).collect());
        self
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            if !path.is_empty() && !step.starts_with('[') {
                path.push('.');
            }
            path.push_str(step);
        }
        path.chars().take(MOST_SHOWN).collect()
    }

    /// The refusal for `operation` of the catalogue `version`.
    pub(crate) fn refusal(&self, operation: &str, version: &str) -> Refusal {
        let path = self.path();
        match &self.kind {
            FaultKind::UnknownMember => {
                Refusal::UnknownMember { path, operation: operation.to_owned(), version: version.to_owned() }
            }
            FaultKind::DuplicateKey(place) => Refusal::DuplicateKey { key: path, place },
            FaultKind::WrongType(expected) => Refusal::WrongType { path, expected },
            FaultKind::Missing => Refusal::MissingMember { path },
            FaultKind::Malformed { format, problem, offset } => Refusal::Malformed { format, problem, offset: *offset },
            FaultKind::TooDeep => Refusal::TooDeep { limit: MAX_DEPTH },
            FaultKind::TooLarge { what, limit } => Refusal::TooLarge { what, limit: *limit },
            FaultKind::BadText(place) => Refusal::BadText { place },
            FaultKind::UnexpectedBody => Refusal::UnexpectedBody { operation: operation.to_owned() },
            FaultKind::Damaged(what) => Refusal::DamagedCatalogue { what },
        }
    }
}

/// More values than any real request has: vectors of 4,096 numbers fill a request with some hundred thousand. In memory
/// a value takes twenty times the two bytes that it can be written with.
const MOST_VALUES: usize = 1_000_000;

/// Counts the values of one body.
#[derive(Debug, Default)]
pub(crate) struct ValueCount(usize);

impl ValueCount {
    /// One more.
    pub(crate) fn add(&mut self) -> Read<()> {
        self.0 += 1;
        let too_many = self.0 > MOST_VALUES;
        if too_many { Err(Fault::new(FaultKind::TooLarge { what: "values", limit: MOST_VALUES })) } else { Ok(()) }
    }
}

/// The depth one level further in.
pub(crate) fn deeper(depth: usize) -> Read<usize> {
    if depth >= MAX_DEPTH { Err(Fault::new(FaultKind::TooDeep)) } else { Ok(depth + 1) }
}
