//! Changes one byte of a signed request and expects it to be refused.

use bytes::Bytes;
use countersign_sigv4::{PayloadKind, Verified};
use countersign_understanding::DoorPath;

use super::recorded::Recorded;
use crate::seeded::Seeded;

/// Which bytes are changed, one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This many in each part, chosen by the seed.
    Some(usize),
    /// Every one.
    Every,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tampered {
    /// Changes that were refused.
    pub(crate) refused: usize,
    /// Changes that verified, which must not be.
    pub(crate) verified: Vec<String>,
}

/// A part of a request that the signature covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Method,
    Path,
    Query,
    /// The value of the header at this place.
    Header(usize),
    Body,
}

/// Changes bytes of `request`, which verifies, and counts what is refused.
pub(crate) fn tamper(request: &Recorded, verified: &Verified, reach: Reach, seeded: &mut Seeded) -> Tampered {
    let mut outcome = Tampered::default();
    for part in parts(request, verified) {
        let length = bytes_of(request, part).len();
        let places: Vec<usize> = match reach {
            Reach::Every => (0..length).collect(),
            Reach::Some(_) if length == 0 => Vec::new(),
            Reach::Some(count) => (0..count).map(|_| seeded.below(length)).collect(),
        };
        for place in places {
            let Some((changed, what)) = changed(request, part, place, seeded) else { continue };
            match changed.verify(DoorPath::AsSent(&changed.path)) {
                Err(_) => outcome.refused += 1,
                Ok(_) => outcome.verified.push(format!("{part:?} at byte {place}: {what}")),
            }
        }
    }
    outcome
}

/// The parts that are covered: a body that is not signed and has no checksum is not.
fn parts(request: &Recorded, verified: &Verified) -> Vec<Part> {
    let mut parts = vec![Part::Method, Part::Path, Part::Query];
    let headers = request.headers.iter().enumerate();
    let signed = headers.filter(|(_, (name, _))| verified.signed_headers.contains(name));
    parts.extend(signed.map(|(place, _)| Part::Header(place)));
    if verified.payload != PayloadKind::Unsigned {
        parts.push(Part::Body);
    }
    parts
}

fn bytes_of(request: &Recorded, part: Part) -> &[u8] {
    match part {
        Part::Method => request.method.as_bytes(),
        Part::Path => request.path.as_bytes(),
        Part::Query => request.query.as_bytes(),
        Part::Header(place) => request.headers.get(place).map(|(_, value)| value.as_bytes()).unwrap_or_default(),
        Part::Body => &request.body,
    }
}

/// The request with another byte at `place`; `None` in the midst of a character of text, and where nothing else would
/// be said.
fn changed(request: &Recorded, part: Part, place: usize, seeded: &mut Seeded) -> Option<(Recorded, String)> {
    let mut bytes = bytes_of(request, part).to_vec();
    let byte = bytes.get_mut(place)?;
    let was = *byte;
    // Letters in another case are the same digits in escapes and in sizes of chunks.
    let bits: &[u8] = if was.is_ascii_alphabetic() { &[1, 2, 4, 8, 16] } else { &[1, 2, 4, 8, 16, 32, 64] };
    *byte ^= bits.get(seeded.below(bits.len())).copied().unwrap_or(1);
    let what = format!("{:?} became {:?}", char::from(was), char::from(*byte));
    let mut changed = request.clone();
    if part == Part::Body {
        changed.body = Bytes::from(bytes);
        return Some((changed, what));
    }
    let text = String::from_utf8(bytes).ok()?;
    match part {
        Part::Method => changed.method = text,
        Part::Path => changed.path = text,
        Part::Query => changed.query = text,
        Part::Header(place) => changed.headers.get_mut(place)?.1 = text,
        Part::Body => return None,
    }
    Some((changed, what))
}
