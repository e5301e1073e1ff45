//! The compiled form of a bundle: its rules checked and taken apart at build or deploy time, so
//! that a cold start parses no text. A rule is parsed when it is first a candidate.
//!
//! The form is one field of payload and its SHA-256, in the encoding of
//! [`countersign_domain::encoding`]. The digest finds damage, not malice: who can write the layer
//! can write rules.

use std::{path::Path, sync::OnceLock};

use countersign_domain::{
    Digest,
    encoding::{DecodeError, Reader, Writer},
};

use crate::{
    annotation::{self, Kind},
    bundle::{self, SourceDigest},
    error::{BundleError, Problems},
    rule::{Head, Key, Rule},
    vocabulary::{ContextMembers, EntityKind},
};

/// The name of the compiled form within a bundle's folder.
pub const COMPILED_FILE: &str = "bundle.compiled";

const FILE_TAG: &str = "countersign/compiled-bundle/v1";
const PAYLOAD_TAG: &str = "countersign/compiled-rules/v1";

/// Checks the rules in `dir` and compiles them; write the bytes to [`COMPILED_FILE`] beside, or
/// instead of, the `.cedar` files. `countersign.toml` stays as it is: its placeholders are
/// resolved where the bundle is loaded.
///
/// # Errors
/// Everything that is wrong with the rules.
pub fn compile(dir: &Path) -> Result<Vec<u8>, BundleError> {
    let mut problems = Problems::default();
    let (files, _) = bundle::read_dir(dir, &mut problems);
    let rules = bundle::read_rules(&files, &mut problems);
    problems.or_else(Some(()))?;
    Ok(encode(&rules, &bundle::digests(&files)))
}

fn encode(rules: &[Rule], sources: &[SourceDigest]) -> Vec<u8> {
    let mut payload = Writer::new(PAYLOAD_TAG);
    payload.number(sources.len() as u64);
    for (name, digest) in sources {
        payload.text(name).bytes(digest.as_bytes());
    }
    payload.number(rules.len() as u64);
    for rule in rules {
        encode_rule(rule, &mut payload);
    }
    let payload = payload.finish();
    let mut file = Writer::new(FILE_TAG);
    file.bytes(Digest::of(&payload).as_bytes()).bytes(&payload);
    file.finish()
}

fn encode_rule(rule: &Rule, to: &mut Writer) {
    to.text(&rule.id).text(&rule.file).number(u64::from(rule.line)).number(rule.members.bits());
    to.number(u64::from(matches!(rule.kind, Kind::Forbid)));
    let annotations = rule.parsed().map(|parsed| parsed.body.annotations.clone()).unwrap_or_default();
    to.number(annotations.len() as u64);
    for (name, value) in &annotations {
        to.text(name).text(value);
    }
    encode_key(&rule.head.principal, to);
    encode_key(&rule.head.resource, to);
    to.number(rule.head.actions.len() as u64);
    rule.head.actions.iter().for_each(|action| encode_key(action, to));
    to.text(&rule.text);
}

fn encode_key(key: &Key, to: &mut Writer) {
    match key {
        Key::Any => to.text("").text(""),
        Key::Is(kind, id) => to.text(kind.as_str()).text(id),
    };
}

/// The rules of the compiled form, and the digests of their texts. `files` are the files beside it:
/// the settings, and the texts where they are there too, which must then be those that were compiled.
pub(crate) fn read(
    compiled: &[u8],
    files: &[(String, String)],
    problems: &mut Problems,
) -> (Vec<Rule>, Vec<SourceDigest>) {
    let decoded = decode(compiled).map_err(|error| {
        problems.add(COMPILED_FILE, 0, format!("the compiled bundle is damaged: {error}"), "compile it again");
    });
    let (rules, sources) = decoded.unwrap_or_default();
    let beside = bundle::digests(files);
    if !beside.is_empty() && beside != sources {
        problems.add(COMPILED_FILE, 0, "the compiled bundle is not of these rules", "compile it again");
    }
    (rules, sources)
}

fn decode(file: &[u8]) -> Result<(Vec<Rule>, Vec<SourceDigest>), DecodeError> {
    let mut reader = Reader::new(file, FILE_TAG)?;
    let digest = reader.bytes()?;
    let payload = reader.bytes()?;
    reader.finish()?;
    if Digest::of(payload).as_bytes() != digest {
        return Err(DecodeError::Field("digest"));
    }
    let mut reader = Reader::new(payload, PAYLOAD_TAG)?;
    let mut sources = Vec::new();
    for _ in 0..reader.number()? {
        let name = reader.text()?.to_owned();
        let digest = Digest::from_hex(&hex::encode(reader.bytes()?)).ok_or(DecodeError::Field("source digest"))?;
        sources.push((name, digest));
    }
    let mut rules = Vec::new();
    for _ in 0..reader.number()? {
        rules.push(decode_rule(&mut reader)?);
    }
    reader.finish()?;
    Ok((rules, sources))
}

fn decode_rule(from: &mut Reader<'_>) -> Result<Rule, DecodeError> {
    let id = from.text()?.to_owned();
    let file = from.text()?.to_owned();
    let line = u32::try_from(from.number()?).map_err(|_| DecodeError::Field("line"))?;
    let members = ContextMembers::from_bits(from.number()?).ok_or(DecodeError::Field("members"))?;
    let forbid = from.number()? == 1;
    let annotations =
        (0..from.number()?).map(|_| Ok((from.text()?, from.text()?))).collect::<Result<Vec<_>, DecodeError>>()?;
    // The same reading as from text, so that the two forms cannot disagree.
    let annotations =
        annotation::read(forbid, annotations.into_iter()).map_err(|_| DecodeError::Field("annotations"))?;
    let principal = decode_key(from)?;
    let resource = decode_key(from)?;
    let actions = (0..from.number()?).map(|_| decode_key(from)).collect::<Result<_, _>>()?;
    Ok(Rule {
        id,
        file,
        line,
        kind: annotations.kind,
        reason: annotations.reason,
        shadow: annotations.shadow,
        head: Head { principal, actions, resource },
        members,
        text: from.text()?.to_owned(),
        parsed: OnceLock::new(),
    })
}

fn decode_key(from: &mut Reader<'_>) -> Result<Key, DecodeError> {
    let (kind, id) = (from.text()?, from.text()?);
    if kind.is_empty() {
        return Ok(Key::Any);
    }
    let kind = EntityKind::from_name(kind).ok_or(DecodeError::Field("head"))?;
    Ok(Key::Is(kind, id.to_owned()))
}
