//! Compressed request bodies, which few operations take.

use bytes::Bytes;
use miniz_oxide::inflate::stream::{self, InflateState};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};

use crate::Refusal;

/// The most that a body may grow to: what Lambda could have received without compression.
const MOST: usize = 6 << 20;

/// The content of a gzip member (RFC 1952), which must be the whole body.
pub(crate) fn gzip(body: &Bytes) -> Result<Bytes, Refusal> {
    let malformed = |problem| Refusal::Malformed { format: "gzip", problem, offset: 0 };
    let header = body.get(..10).ok_or_else(|| malformed("cut short"))?;
    let [0x1f, 0x8b, 8, flags, ..] = header else { return Err(malformed("not a gzip member")) };
    if *flags != 0 {
        return Err(malformed("optional header fields are not taken"));
    }
    let (deflated, trailer) = body
        .get(10..)
        .and_then(|rest| rest.split_at_checked(rest.len().checked_sub(8)?))
        .ok_or_else(|| malformed("cut short"))?;
    let inflated = inflate(deflated)?;
    let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&inflated).to_le_bytes();
    let length = u32::try_from(inflated.len()).unwrap_or_default().to_le_bytes();
    if trailer != [checksum, length].concat() {
        return Err(malformed("the checksum or length does not fit"));
    }
    Ok(Bytes::from(inflated))
}

/// The content of a deflate stream that takes up all of `deflated`: what follows it would be read by some and not by
/// others.
fn inflate(deflated: &[u8]) -> Result<Vec<u8>, Refusal> {
    let malformed = |problem| Refusal::Malformed { format: "gzip", problem, offset: 0 };
    let mut state = InflateState::new_boxed(DataFormat::Raw);
    let (mut rest, mut inflated, mut buffer) = (deflated, Vec::new(), vec![0; 64 << 10]);
    loop {
        let result = stream::inflate(&mut state, rest, &mut buffer, MZFlush::None);
        let status = result.status.map_err(|_| malformed("the deflate stream is damaged"))?;
        inflated.extend_from_slice(buffer.get(..result.bytes_written).unwrap_or_default());
        if inflated.len() > MOST {
            return Err(Refusal::TooLarge { what: "bytes after decompression", limit: MOST });
        }
        rest = rest.get(result.bytes_consumed..).unwrap_or_default();
        match status {
            MZStatus::StreamEnd if rest.is_empty() => return Ok(inflated),
            MZStatus::StreamEnd => return Err(malformed("bytes after the deflate stream")),
            _ if result.bytes_consumed == 0 && result.bytes_written == 0 => return Err(malformed("cut short")),
            _ => {}
        }
    }
}
