//! aws-chunked bodies, read to the last byte.
//!
//! ```text
//! body    = *(size [";chunk-signature=" 64hex] CRLF data CRLF)      ; size over 0
//!           "0" [";chunk-signature=" 64hex] CRLF
//!           *(name ":" value CRLF)                                  ; as `x-amz-trailer` declares
//!           ["x-amz-trailer-signature:" 64hex CRLF]                 ; if trailers are signed
//!           CRLF
//! ```
//!
//! Source: "Signature calculations for the authorization header: transferring payload in multiple chunks"
//! and "… including trailing headers" in the Amazon S3 API reference.

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use crate::{
    SignatureError,
    checksum::Checksum,
    secret::{HexDigits, Signature, SigningKey, hex_digits},
};

/// SHA-256 of nothing: a line of each chunk's string to sign.
const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// The longest line besides data: a trailer with a SHA-512.
const MAX_LINE: usize = 512;
/// More trailers than there are checksums.
const MAX_TRAILERS: usize = 8;

/// What the headers say about the framing.
#[derive(Debug)]
pub(crate) struct Framing<'a> {
    /// `x-amz-decoded-content-length`.
    pub(crate) decoded_length: usize,
    /// Verifies chunks, where they are signed.
    pub(crate) signer: Option<ChunkSigner>,
    /// The trailers that must come, each once; `None` where none may come and no trailer signature.
    pub(crate) trailers: Option<Vec<&'a str>>,
}

/// A body out of its framing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    pub(crate) data: Bytes,
    /// Names in lower case, in the order in which they came.
    pub(crate) trailers: Vec<(String, String)>,
}

/// Reads the value of `x-amz-trailer`.
///
/// # Errors
/// When a name is not that of a supported checksum, or is there twice.
pub(crate) fn declared_trailers(value: Option<&str>) -> Result<Vec<&str>, SignatureError> {
    let mut names = Vec::new();
    for name in value.into_iter().flat_map(|list| list.split(',')).map(str::trim) {
        if Checksum::of_trailer(name).is_none() || names.len() == MAX_TRAILERS {
            return Err(SignatureError::UnknownTrailer);
        }
        if names.contains(&name) {
            return Err(SignatureError::DuplicateTrailer);
        }
        names.push(name);
    }
    Ok(names)
}

/// Takes a body out of its framing. Uses no more memory than the body itself: one chunk is not copied, several
/// are copied once.
///
/// # Errors
/// When anything is not as the grammar, the headers or the signatures say.
pub(crate) fn decode(body: &Bytes, framing: Framing<'_>) -> Result<Decoded, SignatureError> {
    let Framing { decoded_length, mut signer, trailers } = framing;
    // framing only adds, so a decoded length over the body's is a lie
    if decoded_length > body.len() {
        return Err(SignatureError::DecodedLength);
    }
    let mut input = Input(body);
    let data = read_chunks(body, &mut input, decoded_length, &mut signer)?;
    let trailers = match trailers {
        Some(declared) => read_trailers(&mut input, &declared, signer, &data)?,
        None if input.line(SignatureError::ChunkFraming)?.is_empty() => Vec::new(),
        None => return Err(SignatureError::UndeclaredTrailer),
    };
    if input.0.is_empty() { Ok(Decoded { data, trailers }) } else { Err(SignatureError::BytesAfterEnd) }
}

fn read_chunks(
    body: &Bytes,
    input: &mut Input<'_>,
    decoded_length: usize,
    signer: &mut Option<ChunkSigner>,
) -> Result<Bytes, SignatureError> {
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    let mut length = 0_usize;
    loop {
        let line = input.line(SignatureError::ChunkFraming)?;
        let (size, signature) = parse_chunk_line(line, signer.is_some())?;
        // checked before the data is looked at: no sum can overflow, as each is at most the body's length
        if size > decoded_length.saturating_sub(length) {
            return Err(SignatureError::DecodedLength);
        }
        let data = input.take(size).ok_or(SignatureError::ChunkFraming)?;
        if let Some(signer) = signer {
            signer.check_chunk(data, signature.as_ref())?;
        }
        if size == 0 {
            break;
        }
        input.line_end()?;
        if length == 0 {
            first = body.slice_ref(data);
        } else {
            if joined.is_empty() {
                joined.reserve(decoded_length);
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(data);
        }
        length = length.saturating_add(size);
    }
    if length != decoded_length {
        return Err(SignatureError::DecodedLength);
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}

/// Reads `size` or `size;chunk-signature=…`, whichever is expected.
fn parse_chunk_line(line: &str, is_signed: bool) -> Result<(usize, Option<Signature>), SignatureError> {
    let (size, signature) = match (line.split_once(';'), is_signed) {
        (None, false) => (line, None),
        (Some((size, extension)), true) => {
            let signature = extension.strip_prefix("chunk-signature=").ok_or(SignatureError::ChunkSignature)?;
            (size, Some(Signature::parse(signature).map_err(|_| SignatureError::ChunkSignature)?))
        }
        (None, true) => return Err(SignatureError::ChunkSignature),
        (Some(_), false) => return Err(SignatureError::ChunkFraming),
    };
    // `from_str_radix` would take a sign; 16 digits fit a 64-bit size
    if size.is_empty() || size.len() > 16 || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(SignatureError::ChunkFraming);
    }
    let size = usize::from_str_radix(size, 16).map_err(|_| SignatureError::ChunkFraming)?;
    Ok((size, signature))
}

fn read_trailers(
    input: &mut Input<'_>,
    declared: &[&str],
    signer: Option<ChunkSigner>,
    data: &[u8],
) -> Result<Vec<(String, String)>, SignatureError> {
    let mut trailers: Vec<(String, String)> = Vec::new();
    let mut signature = None;
    loop {
        let line = input.line(SignatureError::MalformedTrailer)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(SignatureError::MalformedTrailer)?;
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        // nothing may follow the signature, or it would not be covered
        if signature.is_some() {
            return Err(SignatureError::TrailerSignature);
        }
        if name == "x-amz-trailer-signature" && signer.is_some() {
            signature = Some(Signature::parse(value).map_err(|_| SignatureError::TrailerSignature)?);
        } else if !declared.contains(&name.as_str()) {
            return Err(SignatureError::UndeclaredTrailer);
        } else if trailers.iter().any(|(earlier, _)| *earlier == name) {
            return Err(SignatureError::DuplicateTrailer);
        } else {
            trailers.push((name, value.to_owned()));
        }
    }
    if trailers.len() != declared.len() {
        return Err(SignatureError::MissingTrailer);
    }
    if let Some(signer) = signer {
        signer.check_trailers(&trailers, signature.as_ref())?;
    }
    let is_right =
        |(name, value): &(String, String)| Checksum::of_trailer(name).is_some_and(|it| it.of(data) == *value);
    if trailers.iter().all(is_right) { Ok(trailers) } else { Err(SignatureError::TrailerChecksum) }
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// A line without its CRLF, of printable ASCII.
    fn line(&mut self, broken: SignatureError) -> Result<&'a str, SignatureError> {
        let end = self.0.iter().take(MAX_LINE).position(|byte| *byte == b'\r').ok_or_else(|| broken.clone())?;
        let line = self.take(end).ok_or_else(|| broken.clone())?;
        self.line_end().map_err(|_| broken.clone())?;
        let is_text = line.iter().all(|byte| matches!(byte, b' '..=b'~'));
        std::str::from_utf8(line).ok().filter(|_| is_text).ok_or(broken)
    }

    /// The CRLF that must come now.
    fn line_end(&mut self) -> Result<(), SignatureError> {
        if self.take(2) == Some(b"\r\n") { Ok(()) } else { Err(SignatureError::ChunkFraming) }
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

/// Verifies signatures that are chained from the request's own.
#[derive(Debug)]
pub(crate) struct ChunkSigner {
    key: SigningKey,
    /// The lines between the algorithm and the previous signature: time and scope.
    context: String,
    previous: HexDigits,
}

impl ChunkSigner {
    /// Starts behind the verified signature of the request.
    pub(crate) fn new(key: SigningKey, time: &str, scope: &impl std::fmt::Display, seed: &Signature) -> Self {
        Self { key, context: format!("\n{time}\n{scope}\n"), previous: seed.hex() }
    }

    fn check_chunk(&mut self, data: &[u8], signature: Option<&Signature>) -> Result<(), SignatureError> {
        let hash = hex_digits(&Sha256::digest(data).into());
        let expected = self.key.sign(&[
            b"AWS4-HMAC-SHA256-PAYLOAD",
            self.context.as_bytes(),
            &self.previous,
            b"\n",
            EMPTY_HASH.as_bytes(),
            b"\n",
            &hash,
        ]);
        self.previous = expected.hex();
        if signature.is_some_and(|it| it.matches(&expected)) { Ok(()) } else { Err(SignatureError::ChunkSignature) }
    }

    fn check_trailers(
        &self,
        trailers: &[(String, String)],
        signature: Option<&Signature>,
    ) -> Result<(), SignatureError> {
        let mut sorted: Vec<_> = trailers.iter().collect();
        sorted.sort();
        let lines: String = sorted.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let hash = hex_digits(&Sha256::digest(&lines).into());
        let expected =
            self.key.sign(&[b"AWS4-HMAC-SHA256-TRAILER", self.context.as_bytes(), &self.previous, b"\n", &hash]);
        if signature.is_some_and(|it| it.matches(&expected)) { Ok(()) } else { Err(SignatureError::TrailerSignature) }
    }
}

#[cfg(test)]
mod tests;
