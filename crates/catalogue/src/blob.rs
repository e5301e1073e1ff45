//! The binary form of the catalogue: a directory, then one compressed frame for each service.
//!
//! Numbers are LEB128 varints. Optional places are stored plus one, so that 0 means none.

use crate::model::{Partition, ServiceEntry, Text};

/// The first bytes of a blob; the last one is the version of the format.
pub const MAGIC: &[u8; 5] = b"CSCT\x02";

/// The blob is not what the builder writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("damaged catalogue: {0}")]
pub struct BlobError(pub &'static str);

/// The directory of a blob.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Where the models come from, as in `botocore-1.44.5`.
    pub version: Text,
    /// The partitions of AWS.
    pub partitions: Vec<Partition>,
    /// The services, sorted by id.
    pub services: Vec<ServiceEntry>,
}

/// Reads from a byte slice; every read is checked.
pub(crate) struct Reader {
    pub(crate) rest: &'static [u8],
}

impl Reader {
    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'static [u8], BlobError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(BlobError("cut short"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, BlobError> {
        let (first, rest) = self.rest.split_first().ok_or(BlobError("cut short"))?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn number(&mut self) -> Result<usize, BlobError> {
        let mut number = 0_usize;
        for shift in [0_u32, 7, 14, 21] {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(BlobError("a number is too long"))
    }

    pub(crate) fn small(&mut self) -> Result<u16, BlobError> {
        u16::try_from(self.number()?).map_err(|_| BlobError("a number is too large"))
    }

    /// A count of things that each take at least one byte, so that damage cannot ask for memory.
    pub(crate) fn count(&mut self) -> Result<usize, BlobError> {
        let count = self.number()?;
        if count > self.rest.len() { Err(BlobError("a count is too large")) } else { Ok(count) }
    }

    pub(crate) fn optional(&mut self) -> Result<Option<usize>, BlobError> {
        Ok(self.number()?.checked_sub(1))
    }

    fn inline_text(&mut self) -> Result<Text, BlobError> {
        let length = self.number()?;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| BlobError("text is not UTF-8"))
    }

    pub(crate) fn many<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, BlobError>,
    ) -> Result<Vec<T>, BlobError> {
        let count = self.count()?;
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(one(self)?);
        }
        Ok(all)
    }
}

/// Reads the directory of a blob and gives the rest, in which the frames lie.
///
/// # Errors
/// [`BlobError`] when the bytes are not a blob of this format.
pub fn read_directory(blob: &'static [u8]) -> Result<(Directory, &'static [u8]), BlobError> {
    let rest = blob.strip_prefix(MAGIC).ok_or(BlobError("not a catalogue of this format"))?;
    let mut reader = Reader { rest };
    let version = reader.inline_text()?;
    let partitions = reader.many(|reader| {
        Ok(Partition {
            id: reader.inline_text()?,
            region_prefixes: reader.many(Reader::inline_text)?,
            regions: reader.many(Reader::inline_text)?,
        })
    })?;
    let mut frame_start = 0;
    let services = reader.many(|reader| {
        let entry = ServiceEntry {
            id: reader.inline_text()?,
            signing_name: reader.inline_text()?,
            other_signing_names: reader.many(Reader::inline_text)?,
            full_name: reader.inline_text()?,
            operations: reader.number()?,
            frame_start,
            frame_length: reader.number()?,
            decoded_length: reader.number()?,
        };
        frame_start += entry.frame_length;
        Ok(entry)
    })?;
    if reader.rest.len() != frame_start {
        return Err(BlobError("the frames are not as long as the directory says"));
    }
    Ok((Directory { version, partitions, services }, reader.rest))
}
