//! Changes to requests: bytes, and what has a meaning in one of the formats.

use bytes::Bytes;

use crate::oracle::Recorded;
use crate::seeded::Seeded;

/// What means something to one of the parsers.
const TOKENS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"null",
    b"\\u0000",
    b"\\ud800",
    b"1e999",
    b"-0",
    b"18446744073709551616",
    b"\"\":{}",
    b"<",
    b"</",
    b"/>",
    b"<a>",
    b"<![CDATA[",
    b"<!DOCTYPE a>",
    b"<!--",
    b"&#x0;",
    b"&amp;",
    b"&a;",
    b"xmlns=\"\"",
    b"<?xml?>",
    b"&",
    b"=",
    b"%",
    b"%00",
    b"%2F",
    b"%252F",
    b"+",
    b".1",
    b".member.1",
    b".4294967296",
    b"Action=",
    b"Version=",
    b";",
    b"/",
    b"//",
    b"/../",
    b"/./",
    b"%2e%2e",
    b"?",
    b"#",
    b"*",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xc0\xaf",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x98\x80",
    b"\x9f",
    b"\xbf",
    b"\x7f",
    b"\x5f",
    b"\xa1",
    b"\x81",
    b"\xf6",
    b"\xf9\x7e\0",
    b"\xfb\x7f\xf0\0\0\0\0\0\0",
    b"\xc1",
    b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x5b\0\0\0\x01\0\0\0\0",
    b"ffffffffffffffff\r\n",
    b"0\r\n\r\n",
    b";chunk-signature=",
    b"arn:aws:kinesis:eu-central-1:1:stream/s",
    b"arn:aws:s3:::b",
    b"aws-chunked",
    b"x-amz-checksum-crc32:AAAAAA==\r\n",
];

/// Nothing longer is made: doors take 6 MiB, and what breaks at that size breaks at this.
const LONGEST: usize = 256 << 10;

/// How deep a body may be nested on purpose.
const DEEPEST: usize = 20_000;

/// A request of `corpus` with one to six changes, in the parts that `parts` allows.
pub fn request(corpus: &[Recorded], seeded: &mut Seeded, parts: &[Part]) -> Option<(Recorded, Recorded)> {
    let original = seeded.of(corpus)?.clone();
    let mut changed = original.clone();
    for _ in 0..=seeded.below(6) {
        let other = seeded.of(corpus)?;
        change(&mut changed, *seeded.of(parts)?, other, seeded);
    }
    Some((original, changed))
}

/// A part of a request that may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The method.
    Method,
    /// The path.
    Path,
    /// The query.
    Query,
    /// One of the headers.
    Header,
    /// The body.
    Body,
}

fn change(request: &mut Recorded, part: Part, other: &Recorded, seeded: &mut Seeded) {
    match part {
        Part::Method => match seeded.below(3) {
            0 => request.method = text(&request.method, &other.method, seeded),
            _ => request.method.clone_from(&other.method),
        },
        Part::Path => request.path = text(&request.path, &other.path, seeded),
        Part::Query => request.query = text(&request.query, &other.query, seeded),
        Part::Header => header(&mut request.headers, &other.headers, seeded),
        Part::Body => request.body = Bytes::from(bytes(&request.body, &other.body, seeded)),
    }
}

fn header(headers: &mut Vec<(String, String)>, others: &[(String, String)], seeded: &mut Seeded) {
    let place = seeded.below(headers.len());
    match seeded.below(5) {
        0 => drop((place < headers.len()).then(|| headers.remove(place))),
        1 => headers.extend(headers.get(place).cloned()),
        2 => headers.extend(seeded.of(others).cloned()),
        3 => {
            if let Some((name, _)) = headers.get_mut(place) {
                *name = text(name, "x-amz-target", seeded).to_ascii_lowercase();
            }
        }
        _ => {
            if let Some((_, value)) = headers.get_mut(place) {
                *value = text(value, "UNSIGNED-PAYLOAD", seeded);
            }
        }
    }
}

fn text(one: &str, other: &str, seeded: &mut Seeded) -> String {
    String::from_utf8_lossy(&bytes(one.as_bytes(), other.as_bytes(), seeded)).into_owned()
}

/// The bytes with one change.
fn bytes(one: &[u8], other: &[u8], seeded: &mut Seeded) -> Vec<u8> {
    let place = seeded.below(one.len() + 1);
    let (before, after) = one.split_at_checked(place).unwrap_or((one, &[]));
    let length = seeded.below(after.len().min(64) + 1);
    let (taken, rest) = after.split_at_checked(length).unwrap_or((after, &[]));
    let mut changed = match seeded.below(9) {
        // One bit.
        0 => match after.split_first() {
            Some((byte, rest)) => [before, &[byte ^ (1 << seeded.below(8))], rest].concat(),
            None => one.to_vec(),
        },
        // A part is gone, or there twice.
        1 => [before, rest].concat(),
        2 => [before, taken, taken, rest].concat(),
        // Something that means something, in between or instead.
        3 | 4 => [before, seeded.of(TOKENS).copied().unwrap_or_default(), after].concat(),
        5 => [before, seeded.of(TOKENS).copied().unwrap_or_default(), rest].concat(),
        // The end of another request.
        6 => {
            let (_, tail) = other.split_at_checked(seeded.below(other.len() + 1)).unwrap_or_default();
            [before, tail].concat()
        }
        // A member twice: from one separator to the next.
        7 => {
            let end = after.iter().position(|byte| b",&>}".contains(byte)).map_or(after.len(), |end| end + 1);
            let (member, _) = after.split_at_checked(end).unwrap_or_default();
            [before, member, after].concat()
        }
        // Depth.
        _ => {
            let (open, close) = *seeded.of(NESTING).unwrap_or(&(b"[", b"]"));
            let deepest = if seeded.below(20) == 0 { DEEPEST } else { 80 };
            let depth = seeded.below(deepest);
            [before, &open.repeat(depth), taken, &close.repeat(depth), rest].concat()
        }
    };
    changed.truncate(LONGEST);
    changed
}

/// What nests in each format.
const NESTING: &[(&[u8], &[u8])] = &[
    (b"[", b"]"),
    (b"{\"a\":", b"}"),
    (b"{\"M\":{\"k\":", b"}}"),
    (b"<a>", b"</a>"),
    (b"\x81", b""),
    (b"\xa1\x61a", b""),
    (b"\x9f", b"\xff"),
    (b".a", b""),
    (b"%25", b""),
];
