//! Decompression of a service's frame: raw deflate (RFC 1951).

use crate::blob::BlobError;

/// The most that one service takes: far above the largest, far below what would hurt.
const MOST: usize = 4 << 20;

/// The decoded frame, which must have exactly the length that the directory says.
pub(crate) fn decompress(frame: &[u8], decoded_length: usize) -> Result<Vec<u8>, BlobError> {
    if decoded_length > MOST {
        return Err(BlobError("a frame is too large"));
    }
    let decoded = miniz_oxide::inflate::decompress_to_vec_with_limit(frame, decoded_length)
        .map_err(|_| BlobError("a frame cannot be decompressed"))?;
    if decoded.len() == decoded_length { Ok(decoded) } else { Err(BlobError("a frame has the wrong length")) }
}
