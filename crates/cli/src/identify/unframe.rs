//! aws-chunked framing, taken off without looking at its signatures.
//!
//! `countersign-sigv4` does this for the gateway and verifies each chunk; without the secret nobody can.

use bytes::Bytes;

use super::request::Captured;

/// Names in lower case, and values.
type Trailers = Vec<(String, String)>;

/// A body out of its framing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unframed {
    /// The content.
    pub(crate) body: Bytes,
    /// What came behind it.
    pub(crate) trailers: Trailers,
    /// Whether there was framing.
    pub(crate) was_chunked: bool,
}

/// The body of a request out of its framing, if it says that it has any.
///
/// # Errors
/// What is wrong with the framing.
pub(crate) fn body(captured: &Captured) -> Result<Unframed, &'static str> {
    let is_streaming = captured.headers.iter().any(|(name, value)| {
        name == "x-amz-content-sha256" && value.starts_with("STREAMING-") && !value.ends_with("-EVENTS")
    });
    let is_coded = captured.headers.iter().any(|(name, value)| {
        name == "content-encoding" && value.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("aws-chunked"))
    });
    if !is_streaming && !is_coded {
        return Ok(Unframed { body: captured.body.clone(), trailers: Vec::new(), was_chunked: false });
    }
    let (body, trailers) = unframe(&captured.body)?;
    Ok(Unframed { body, trailers, was_chunked: true })
}

fn unframe(framed: &[u8]) -> Result<(Bytes, Trailers), &'static str> {
    let mut content = Vec::with_capacity(framed.len());
    let mut rest = framed;
    loop {
        let (line, after) = line(rest)?;
        let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let size = std::str::from_utf8(size).ok().and_then(|digits| usize::from_str_radix(digits.trim(), 16).ok());
        let size = size.ok_or("an aws-chunked chunk has no size")?;
        rest = after;
        if size == 0 {
            break;
        }
        let (data, after) = rest.split_at_checked(size).ok_or("an aws-chunked chunk is cut short")?;
        content.extend_from_slice(data);
        rest = after.strip_prefix(b"\r\n").ok_or("an aws-chunked chunk is longer than it says")?;
    }
    let mut trailers = Vec::new();
    while !rest.is_empty() {
        let (line, after) = line(rest)?;
        rest = after;
        if let Some((name, value)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(':')) {
            let name = name.trim().to_ascii_lowercase();
            // The signature of the trailers is no trailer.
            if name != "x-amz-trailer-signature" {
                trailers.push((name, value.trim().to_owned()));
            }
        }
    }
    Ok((Bytes::from(content), trailers))
}

fn line(bytes: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n").ok_or("an aws-chunked line has no end")?;
    Ok((bytes.get(..end).unwrap_or_default(), bytes.get(end + 2..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_comes_off_with_its_trailers() {
        for (framed, content, trailers) in [
            ("3\r\nabc\r\n0\r\n\r\n", "abc", &[][..]),
            ("3;chunk-signature=00\r\na\r\n\r\n2\r\nde\r\n0;chunk-signature=00\r\n\r\n", "a\r\nde", &[]),
            (
                "A\r\n0123456789\r\n0\r\nX-Amz-Checksum-CRC32: abc=\r\nx-amz-trailer-signature:00\r\n\r\n",
                "0123456789",
                &[("x-amz-checksum-crc32", "abc=")],
            ),
            ("0\r\n\r\n", "", &[]),
        ] {
            let (body, found) = unframe(framed.as_bytes()).unwrap();
            assert_eq!(body, content.as_bytes(), "{framed}");
            let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(found, trailers, "{framed}");
        }
    }

    #[test]
    fn broken_framing_is_said_to_be_broken() {
        for framed in
            ["", "abc", "x\r\n", "5\r\nabc\r\n0\r\n\r\n", "2\r\nabc\r\n0\r\n\r\n", "3\r\nabc\r\n", "-1\r\n", "0\r\na"]
        {
            assert!(unframe(framed.as_bytes()).is_err(), "{framed}");
        }
    }
}
