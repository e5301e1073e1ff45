//! Decompression of a service's frame: raw deflate (RFC 1951).

use crate::blob::BlobError;

/// The most that one service takes: far above the largest, far below what would hurt.
const MOST: usize = 4 << 20;

/// The decoded frame, which must have exactly the length that the directory says.
pub(crate) fn decompress(frame: &[u8], decoded_length: usize) -> Result<Vec<u8>, BlobError> {
    if decoded_length > MOST {
        return Err(BlobError("a frame is too large"));
    }
    // Written into memory of the right size: growing would touch, and copy, twice as much.
    let mut decoded = vec![0; decoded_length];
    let length =
        miniz_oxide::inflate::decompress_slice_iter_to_slice(&mut decoded, std::iter::once(frame), false, false)
            .map_err(|_| BlobError("a frame cannot be decompressed"))?;
    if length == decoded_length { Ok(decoded) } else { Err(BlobError("a frame has the wrong length")) }
}
