//! One rule: its head, its annotations, and its text, which is parsed on first use.

use std::{collections::BTreeMap, sync::OnceLock};

use cedar_policy::{
    Policy, PolicyId,
    pst::{
        self, ActionConstraint, Effect, EntityOrSlot, EntityUID, PrincipalConstraint, ResourceConstraint, StaticPolicy,
        Template, error_body::ContainsSlotError,
    },
};
use miette::Diagnostic as _;

use crate::{
    analysis::{self, Analysis},
    annotation::{self, Kind, Wrong},
    open,
    source::{self, MAX_NESTING, MAX_OPERATORS, Piece},
    vocabulary::{ContextMember, ContextMembers, EntityKind, is_action_group},
};

/// One place of a head.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// No constraint.
    Any,
    /// The entity, or something in it.
    Is(EntityKind, String),
}

/// The head of a rule, in the form that the index uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) principal: Key,
    pub(crate) actions: Vec<Key>,
    pub(crate) resource: Key,
}

/// One rule of a bundle.
#[derive(Debug)]
pub(crate) struct Rule {
    /// `file/name`, as it stands in decisions and in the record.
    pub(crate) id: String,
    pub(crate) file: String,
    /// The line of the rule's first character, counted from 1.
    pub(crate) line: u32,
    pub(crate) kind: Kind,
    pub(crate) reason: Option<String>,
    pub(crate) shadow: bool,
    pub(crate) head: Head,
    /// What of `context` the rule reads.
    pub(crate) members: ContextMembers,
    pub(crate) text: String,
    /// Boxed: most rules of a large bundle are never candidates.
    pub(crate) parsed: OnceLock<Box<Result<Parsed, String>>>,
}

/// A rule as Cedar evaluates it.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// For a resource that is known.
    pub(crate) exact: Policy,
    /// For a resource that may be any; only where it differs.
    open: Option<Policy>,
    /// The syntax tree, for explanations and checks.
    pub(crate) body: Template,
}

impl Parsed {
    pub(crate) fn open(&self) -> &Policy {
        self.open.as_ref().unwrap_or(&self.exact)
    }
}

impl Rule {
    /// The parsed rule; parses on first use.
    ///
    /// # Errors
    /// When the text is not a rule: impossible after [`read`], and a denial where it happens.
    pub(crate) fn parsed(&self) -> Result<&Parsed, &str> {
        let parsed = self.parsed.get_or_init(|| {
            let operators = source::pieces(&self.text).first().map_or(0, |piece| piece.operators);
            with_room(operators, || {
                let body = parse(&self.text).map_err(|(_, (message, _))| message)?;
                let names_target = analysis::analyse(&body).names_target || open::head_names_target(&body);
                prepare(&self.id, body, names_target)
            })
            .unwrap_or_else(|| Err(NO_ROOM.to_owned()))
            .into()
        });
        parsed.as_ref().as_ref().map_err(String::as_str)
    }

    /// What the rule's condition looks at; empty when it does not parse.
    pub(crate) fn analysis(&self) -> Analysis {
        self.parsed().map(|parsed| analysis::analyse(&parsed.body)).unwrap_or_default()
    }
}

const NO_ROOM: &str = "there is no room for a thread to parse the rule in";

/// Runs `work` with a stack that is large enough for a rule of so many operators. Cedar's parser
/// needs some 20 KB for each level of `a && b && …` in a debug build.
fn with_room<T: Send>(operators: usize, work: impl FnOnce() -> T + Send) -> Option<T> {
    const FIT_ON_ANY_STACK: usize = 24;
    const LARGE_STACK: usize = 64 << 20;
    if operators <= FIT_ON_ANY_STACK {
        return Some(work());
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(LARGE_STACK).spawn_scoped(scope, work).ok()?;
        thread.join().ok()
    })
}

/// Reads one piece of `file` in full.
///
/// # Errors
/// Everything that is wrong with it, each with its line.
pub(crate) fn read(file: &str, number: usize, piece: &Piece<'_>) -> Result<Rule, Vec<(u32, Wrong)>> {
    let no_room = || Err(vec![(piece.line, (NO_ROOM.to_owned(), "free memory".to_owned()))]);
    with_room(piece.operators, || read_piece(file, number, piece)).unwrap_or_else(no_room)
}

fn read_piece(file: &str, number: usize, piece: &Piece<'_>) -> Result<Rule, Vec<(u32, Wrong)>> {
    let here = |wrong: Wrong| (piece.line, wrong);
    if piece.nesting > MAX_NESTING || piece.operators > MAX_OPERATORS {
        let message = format!("the rule nests deeper than {MAX_NESTING} or has more than {MAX_OPERATORS} operators");
        return Err(vec![here((message, "split it into several rules".to_owned()))]);
    }
    let body = parse(piece.text).map_err(|(line, wrong)| vec![(piece.line + line, wrong)])?;
    let forbid = body.effect == Effect::Forbid;
    let mut wrong = Vec::new();
    let annotations = body.annotations.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let annotations = annotation::read(forbid, annotations).map_err(|more| wrong.extend(more)).ok();
    let head = read_head(&body).map_err(|more| wrong.extend(more)).ok();
    let analysis = analysis::analyse(&body);
    wrong.extend(analysis.wrong.iter().cloned());
    let (Some(annotations), Some(head), true) = (annotations, head, wrong.is_empty()) else {
        return Err(wrong.into_iter().map(here).collect());
    };
    if matches!(annotations.kind, Kind::Permit(_)) && analysis.reads_task {
        return Err(vec![here((
            "the agent's own words (`context.session.unverified_task`) would let a call pass unapproved".to_owned(),
            "add `@approval(\"group\")`, or decide by something that the agent cannot choose".to_owned(),
        ))]);
    }
    let stem = file.strip_suffix(".cedar").unwrap_or(file);
    let id = match annotations.id {
        Some(name) => format!("{stem}/{name}"),
        None => format!("{stem}/rule{number}"),
    };
    let names_target = analysis.names_target || open::head_names_target(&body);
    // The reading for an unknown resource asks the context for the target.
    let members = if names_target { analysis.members.with(ContextMember::Target) } else { analysis.members };
    let parsed =
        prepare(&id, body, names_target).map_err(|message| vec![here((message, "write it differently".to_owned()))])?;
    Ok(Rule {
        id,
        file: file.to_owned(),
        line: piece.line,
        kind: annotations.kind,
        reason: annotations.reason,
        shadow: annotations.shadow,
        head,
        members,
        text: piece.text.to_owned(),
        parsed: OnceLock::from(Box::new(Ok(parsed))),
    })
}

/// Parses `text` as one rule. The error's line is counted from 0 at the start of `text`.
fn parse(text: &str) -> Result<Template, (u32, Wrong)> {
    let policy = Policy::parse(None, text).map_err(|errors| {
        let first = errors.iter().next();
        let offset = first
            .and_then(|error| error.labels().and_then(|mut labels| labels.next()))
            .map_or(0, |label| label.offset());
        let lines = text.get(..offset).unwrap_or_default().matches('\n').count();
        let help = first
            .and_then(|error| error.help())
            .map_or_else(|| "see the syntax of rules in docs/policy.md".to_owned(), |help| help.to_string());
        (u32::try_from(lines).unwrap_or_default(), (format!("the rule does not parse: {errors}"), help))
    })?;
    let tree = policy.try_into_pst().map_err(|error| (0, (error.to_string(), "write it differently".to_owned())))?;
    Ok(tree.body().clone())
}

/// Makes what Cedar evaluates.
fn prepare(id: &str, body: Template, names_target: bool) -> Result<Parsed, String> {
    let open = if names_target { Some(permit(id, open::for_unknown_resource(&body)?)?) } else { None };
    Ok(Parsed { exact: permit(id, body.clone())?, open, body })
}

/// The rule as a permit, whatever its effect: what it does when it matches is not Cedar's affair.
pub(crate) fn permit(id: &str, body: Template) -> Result<Policy, String> {
    let mut body = body.with_annotations(BTreeMap::new());
    body.effect = Effect::Permit;
    let fixed: StaticPolicy = body.try_into().map_err(|error: ContainsSlotError| error.to_string())?;
    let policy = Policy::from_pst(pst::Policy::Static(fixed)).map_err(|error| error.to_string())?;
    Ok(policy.new_id(PolicyId::new(id)))
}

fn read_head(body: &Template) -> Result<Head, Vec<Wrong>> {
    let mut wrong = Vec::new();
    let mut note = |result: Result<Key, Wrong>| result.map_err(|problem| wrong.push(problem)).ok();
    let principal = note(principal_key(&body.principal));
    let resource = note(resource_key(&body.resource));
    let actions: Vec<Key> = match &body.action {
        ActionConstraint::Any => vec![Key::Any],
        ActionConstraint::Eq(uid) => note(action_key(uid, true)).into_iter().collect(),
        ActionConstraint::In(uids) => uids.iter().filter_map(|uid| note(action_key(uid, false))).collect(),
    };
    if wrong.is_empty() && actions.is_empty() {
        wrong.push(("the rule covers no action".to_owned(), "name at least one action".to_owned()));
    }
    match (principal, resource) {
        (Some(principal), Some(resource)) if wrong.is_empty() => Ok(Head { principal, actions, resource }),
        _ => Err(wrong),
    }
}

fn principal_key(constraint: &PrincipalConstraint) -> Result<Key, Wrong> {
    let allowed = |equals: bool| -> &'static [EntityKind] {
        if equals { &[EntityKind::Agent] } else { &[EntityKind::Agent, EntityKind::Group] }
    };
    match constraint {
        PrincipalConstraint::Any => Ok(Key::Any),
        PrincipalConstraint::Is(kind) => {
            only_type("principal", &kind.to_string(), EntityKind::Agent).map(|()| Key::Any)
        }
        PrincipalConstraint::Eq(entity) => entity_key("principal", entity, allowed(true)),
        PrincipalConstraint::In(entity) => entity_key("principal", entity, allowed(false)),
        PrincipalConstraint::IsIn(kind, entity) => {
            only_type("principal", &kind.to_string(), EntityKind::Agent)?;
            entity_key("principal", entity, allowed(false))
        }
    }
}

fn resource_key(constraint: &ResourceConstraint) -> Result<Key, Wrong> {
    let allowed = |equals: bool| -> &'static [EntityKind] {
        if equals { &[EntityKind::Resource] } else { &[EntityKind::Resource, EntityKind::Account, EntityKind::Target] }
    };
    match constraint {
        ResourceConstraint::Any => Ok(Key::Any),
        ResourceConstraint::Is(kind) => {
            only_type("resource", &kind.to_string(), EntityKind::Resource).map(|()| Key::Any)
        }
        ResourceConstraint::Eq(entity) => entity_key("resource", entity, allowed(true)),
        ResourceConstraint::In(entity) => entity_key("resource", entity, allowed(false)),
        ResourceConstraint::IsIn(kind, entity) => {
            only_type("resource", &kind.to_string(), EntityKind::Resource)?;
            entity_key("resource", entity, allowed(false))
        }
    }
}

fn only_type(place: &str, name: &str, kind: EntityKind) -> Result<(), Wrong> {
    if name == kind.as_str() {
        return Ok(());
    }
    Err((format!("`{place} is {name}` never holds"), format!("every {place} is `{}`", kind.as_str())))
}

fn entity_key(place: &str, entity: &EntityOrSlot, allowed: &[EntityKind]) -> Result<Key, Wrong> {
    let EntityOrSlot::Entity(uid) = entity else {
        return Err(("templates are not supported".to_owned(), "write the entity instead of the slot".to_owned()));
    };
    let name = uid.ty.to_string();
    match EntityKind::from_name(&name).filter(|kind| allowed.contains(kind)) {
        Some(kind) => Ok(Key::Is(kind, uid.eid.to_string())),
        None => {
            let names: Vec<_> = allowed.iter().map(|kind| format!("`{}`", kind.as_str())).collect();
            Err((
                format!("the {place} of the head names a `{name}`, so the rule never matches"),
                format!("here it may be {}; a `Group`, `Account` or `Target` goes with `in`", names.join(" or ")),
            ))
        }
    }
}

fn action_key(uid: &EntityUID, equals: bool) -> Result<Key, Wrong> {
    let name = uid.ty.to_string();
    if name != EntityKind::Action.as_str() {
        return Err((format!("`{name}` is no action"), "write `Action::\"service:Name\"`".to_owned()));
    }
    if let Some(wrong) = analysis::action_wrong(&uid.eid) {
        return Err(wrong);
    }
    if equals && is_action_group(&uid.eid) {
        return Err((
            format!("`action == Action::\"{}\"` never holds: it is a group", uid.eid),
            "write `action in …`".to_owned(),
        ));
    }
    Ok(Key::Is(EntityKind::Action, uid.eid.to_string()))
}
