//! Compressed request bodies, which few operations take.

use bytes::Bytes;

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
    let inflated = miniz_oxide::inflate::decompress_to_vec_with_limit(deflated, MOST).map_err(|error| {
        if error.status == miniz_oxide::inflate::TINFLStatus::HasMoreOutput {
            Refusal::TooLarge { what: "bytes after decompression", limit: MOST }
        } else {
            malformed("the deflate stream is damaged")
        }
    })?;
    let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&inflated).to_le_bytes();
    let length = u32::try_from(inflated.len()).unwrap_or_default().to_le_bytes();
    if trailer != [checksum, length].concat() {
        return Err(malformed("the checksum or length does not fit"));
    }
    Ok(Bytes::from(inflated))
}
