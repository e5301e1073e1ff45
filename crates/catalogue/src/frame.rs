//! The frame of a service: raw deflate (RFC 1951), and within it the model.
//!
//! Text is a place in the frame's table of texts and a shape is a place in its list of shapes. Both
//! lists are in the order of first mention, so a first mention is stored as 0 and every other as the
//! place plus one: most mentions are first, and zeros compress well.

use std::sync::OnceLock;

use countersign_domain::Protocol;

use crate::blob::{BlobError, Reader};
use crate::model::{
    Endpoint, EndpointTable, Location, Member, MemberEndpoints, MemberTraits, ModelledError, Namespace, Operation,
    OperationTraits, PartitionEndpoints, SCALARS, ServiceModel, Shape, ShapeId, Signing, Structure, Text, TimeFormat,
};
use crate::shapes::{FrameShapes, Shapes};

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

/// Reads a service from its decoded frame.
///
/// # Errors
/// [`BlobError`] when the bytes are not a frame of this format.
pub(crate) fn read_service(frame: &'static [u8]) -> Result<ServiceModel, BlobError> {
    let mut reader = Reader { rest: frame };
    let lengths = reader.many(Reader::number)?;
    let mut texts = Vec::with_capacity(lengths.len());
    let all = reader.bytes(lengths.iter().sum())?;
    let mut rest = std::str::from_utf8(all).map_err(|_| BlobError("text is not UTF-8"))?;
    for length in lengths {
        let (text, after) = rest.split_at_checked(length).ok_or(BlobError("text is cut within a character"))?;
        texts.push(text);
        rest = after;
    }
    // Like the frame itself they stay until the process ends.
    let texts = Box::leak(texts.into_boxed_slice());
    FrameReader { reader, texts, mentioned_texts: 0, mentioned_shapes: SCALARS.len() }.service(frame)
}

/// Where a shape begins in a frame, and what had been mentioned before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameStart {
    offset: u32,
    mentioned_texts: u32,
    mentioned_shapes: u32,
}

/// Reads one shape of a frame that [`read_service`] has read.
pub(crate) fn read_shape(frame: &'static [u8], texts: &'static [Text], start: FrameStart) -> Result<Shape, BlobError> {
    let place = |number: u32| usize::try_from(number).map_err(|_| BlobError("a number is too large"));
    let rest = frame.get(place(start.offset)?..).ok_or(BlobError("cut short"))?;
    let mentioned_texts = place(start.mentioned_texts)?;
    let mentioned_shapes = place(start.mentioned_shapes)?;
    FrameReader { reader: Reader { rest }, texts, mentioned_texts, mentioned_shapes }.shape()
}

/// The kinds of shapes.
const STRUCTURE: u8 = 0;
const LIST: u8 = 1;
const MAP: u8 = 2;

/// The place that a stored mention means.
fn mention(stored: usize, mentioned: &mut usize) -> usize {
    stored.checked_sub(1).unwrap_or_else(|| {
        *mentioned += 1;
        *mentioned - 1
    })
}

struct FrameReader {
    reader: Reader,
    texts: &'static [Text],
    mentioned_texts: usize,
    mentioned_shapes: usize,
}

impl FrameReader {
    fn text(&mut self) -> Result<Text, BlobError> {
        let place = mention(self.reader.number()?, &mut self.mentioned_texts);
        self.texts.get(place).copied().ok_or(BlobError("no such text"))
    }

    fn shape_id(&mut self) -> Result<ShapeId, BlobError> {
        Ok(mention(self.reader.number()?, &mut self.mentioned_shapes))
    }

    fn optional_shape(&mut self) -> Result<Option<ShapeId>, BlobError> {
        if self.reader.byte()? == 0 { Ok(None) } else { self.shape_id().map(Some) }
    }

    fn many<T>(&mut self, mut one: impl FnMut(&mut Self) -> Result<T, BlobError>) -> Result<Vec<T>, BlobError> {
        let count = self.reader.count()?;
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(one(self)?);
        }
        Ok(all)
    }

    fn service(mut self, frame: &'static [u8]) -> Result<ServiceModel, BlobError> {
        let mut service = ServiceModel {
            id: self.text()?,
            service_id: self.text()?,
            full_name: self.text()?,
            api_version: self.text()?,
            signing_name: self.text()?,
            protocols: self.many(|frame| protocol(frame.reader.byte()?))?,
            target_prefix: self.text()?,
            json_version: self.text()?,
            query_compatible: self.reader.byte()? != 0,
            signing: match self.reader.byte()? {
                0 => Signing::SigV4,
                1 => Signing::SigV2,
                2 => Signing::Bearer,
                _ => return Err(BlobError("no such kind of signature")),
            },
            xml_namespace: self.text()?,
            access_denied: self.text()?,
            namespaces: self.many(|frame| Ok(Namespace { prefix: frame.text()?, uri: frame.text()? }))?,
            endpoints: self.many(Self::endpoint_table)?,
            operations: self.many(Self::operation)?,
            errors: self.many(|frame| Ok(ModelledError { code: frame.text()?, shape: frame.shape_id()? }))?,
            shapes: Shapes::of(Vec::new()),
        };
        let starts = self.shapes(frame, service.namespaces.len())?;
        if !self.reader.rest.is_empty() {
            return Err(BlobError("a frame is too long"));
        }
        check(&service, |id| {
            let start = id.checked_sub(SCALARS.len()).and_then(|place| starts.get(place));
            let first = start.and_then(|start| frame.get(usize::try_from(start.offset).ok()?));
            first == Some(&STRUCTURE)
        })?;
        let read = starts.iter().map(|_| OnceLock::new()).collect();
        service.shapes = Shapes::in_frame(FrameShapes { frame, texts: self.texts, starts, read });
        Ok(service)
    }

    fn endpoint_table(&mut self) -> Result<EndpointTable, BlobError> {
        Ok(EndpointTable {
            partitions: self.partition_endpoints()?,
            by_member: self.many(|frame| {
                Ok(MemberEndpoints {
                    member: frame.text()?,
                    resource: frame.text()?,
                    partitions: frame.partition_endpoints()?,
                })
            })?,
        })
    }

    fn partition_endpoints(&mut self) -> Result<Vec<PartitionEndpoints>, BlobError> {
        self.many(|frame| {
            Ok(PartitionEndpoints {
                partition: frame.reader.number()?,
                default: if frame.reader.byte()? == 0 { None } else { Some(frame.endpoint()?) },
                exceptions: frame.many(|frame| Ok((frame.text()?, frame.endpoint()?)))?,
            })
        })
    }

    fn endpoint(&mut self) -> Result<Endpoint, BlobError> {
        Ok(Endpoint {
            host: self.text()?,
            signing_name: self.text()?,
            signing_region: self.text()?,
            sigv4a: self.reader.byte()? != 0,
        })
    }

    /// Passes over the shapes, and gives where each begins. Every place in them is checked here, so that readers may
    /// treat a miss as damage.
    fn shapes(&mut self, frame: &'static [u8], namespaces: usize) -> Result<Vec<FrameStart>, BlobError> {
        let count = self.reader.count()?;
        let small = |number: usize| u32::try_from(number).map_err(|_| BlobError("a number is too large"));
        let mut starts = Vec::with_capacity(count);
        for _ in 0..count {
            starts.push(FrameStart {
                offset: small(frame.len() - self.reader.rest.len())?,
                mentioned_texts: small(self.mentioned_texts)?,
                mentioned_shapes: small(self.mentioned_shapes)?,
            });
            self.pass_shape(&|member| {
                member.shape < SCALARS.len() + count
                    && member.namespace.is_none_or(|place| usize::from(place) < namespaces)
            })?;
        }
        Ok(starts)
    }

    fn pass_shape(&mut self, is_sound: &impl Fn(&Member) -> bool) -> Result<(), BlobError> {
        let (members, payload) = match self.reader.byte()? {
            STRUCTURE => {
                self.reader.byte()?;
                let payload = self.reader.optional()?;
                (self.reader.count()?, payload)
            }
            LIST => (1, None),
            MAP => (2, None),
            _ => return Err(BlobError("no such kind of shape")),
        };
        for _ in 0..members {
            if !is_sound(&self.member()?) {
                return Err(BlobError("a place points nowhere"));
            }
        }
        if payload.is_some_and(|place| place >= members) {
            return Err(BlobError("a place points nowhere"));
        }
        Ok(())
    }

    fn shape(&mut self) -> Result<Shape, BlobError> {
        Ok(match self.reader.byte()? {
            STRUCTURE => Shape::Structure(self.structure()?),
            LIST => Shape::List(Box::new(self.member()?)),
            MAP => Shape::Map { key: Box::new(self.member()?), value: Box::new(self.member()?) },
            _ => return Err(BlobError("no such kind of shape")),
        })
    }

    fn structure(&mut self) -> Result<Structure, BlobError> {
        let marks = self.reader.byte()?;
        Ok(Structure {
            payload: self.reader.optional()?,
            event_stream: marks & 1 != 0,
            union: marks & 2 != 0,
            members: self.many(Self::member)?,
        })
    }

    /// A member is its shape and a byte that says which of the rarer parts follow.
    fn member(&mut self) -> Result<Member, BlobError> {
        let shape = self.shape_id()?;
        let name = self.text()?;
        let parts = self.reader.byte()?;
        let has = |bit: u8| parts & bit != 0;
        Ok(Member {
            name,
            shape,
            location_name: if has(1) { self.text()? } else { "" },
            location: if has(2) { location(self.reader.byte()?)? } else { Location::Body },
            time: if has(4) { time_format(self.reader.byte()?)? } else { TimeFormat::Default },
            traits: MemberTraits(if has(8) { self.reader.small()? } else { 0 }),
            query_name: if has(16) { self.text()? } else { "" },
            namespace: if has(32) { Some(self.reader.small()?) } else { None },
        })
    }

    fn operation(&mut self) -> Result<Operation, BlobError> {
        Ok(Operation {
            name: self.text()?,
            method: self.text()?,
            uri: self.text()?,
            input: self.optional_shape()?,
            output: self.optional_shape()?,
            input_root: self.text()?,
            input_namespace: self.reader.optional()?,
            result_wrapper: self.text()?,
            host_prefix: self.text()?,
            status: self.reader.small()?,
            endpoint: self.reader.number()?,
            checksum_member: self.text()?,
            traits: OperationTraits(self.reader.small()?),
        })
    }
}

/// Every place outside the shapes is checked once here, so that readers may treat a miss as damage.
fn check(service: &ServiceModel, is_structure: impl Fn(ShapeId) -> bool) -> Result<(), BlobError> {
    let operations_are_sound = service.operations.iter().all(|operation| {
        operation.input.is_none_or(&is_structure)
            && operation.output.is_none_or(&is_structure)
            && operation.endpoint < service.endpoints.len()
            && operation.input_namespace.is_none_or(|place| place < service.namespaces.len())
    });
    let errors_are_sound = service.errors.iter().all(|error| is_structure(error.shape));
    if errors_are_sound && operations_are_sound { Ok(()) } else { Err(BlobError("a place points nowhere")) }
}

fn protocol(byte: u8) -> Result<Protocol, BlobError> {
    Ok(match byte {
        0 => Protocol::Json,
        1 => Protocol::Query,
        2 => Protocol::Ec2,
        3 => Protocol::RestJson,
        4 => Protocol::RestXml,
        5 => Protocol::RpcV2Cbor,
        _ => return Err(BlobError("no such protocol")),
    })
}

fn location(byte: u8) -> Result<Location, BlobError> {
    Ok(match byte {
        0 => Location::Body,
        1 => Location::Label,
        2 => Location::Query,
        3 => Location::Header,
        4 => Location::Headers,
        5 => Location::Status,
        _ => return Err(BlobError("no such location")),
    })
}

fn time_format(byte: u8) -> Result<TimeFormat, BlobError> {
    Ok(match byte {
        0 => TimeFormat::Default,
        1 => TimeFormat::Iso8601,
        2 => TimeFormat::Rfc822,
        3 => TimeFormat::Unix,
        _ => return Err(BlobError("no such timestamp format")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    static BLOB: &[u8] = include_bytes!("../data/catalogue.bin");

    fn frame_of(id: &str) -> Vec<u8> {
        let (directory, frames) = crate::blob::read_directory(BLOB).unwrap();
        let entry = directory.services.iter().find(|entry| entry.id == id).unwrap();
        decompress(&frames[entry.frame_start..][..entry.frame_length], entry.decoded_length).unwrap()
    }

    #[test]
    fn every_shape_of_every_service_can_be_read() {
        let (directory, _) = crate::blob::read_directory(BLOB).unwrap();
        for entry in directory.services {
            let model = read_service(frame_of(entry.id).leak()).unwrap();
            assert!(model.shapes.all_can_be_read(), "{}", entry.id);
        }
    }

    #[test]
    fn what_is_read_of_a_damaged_frame_can_be_read_whole() {
        let frame = frame_of("sts");
        let (mut read, mut refused) = (0, 0);
        for place in (0..frame.len()).step_by(3) {
            for change in [0x01, 0x80, 0xff] {
                let mut damaged = frame.clone();
                damaged[place] ^= change;
                match read_service(damaged.leak()) {
                    Ok(model) => {
                        assert!(model.shapes.all_can_be_read(), "byte {place} by {change:#x}");
                        read += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
    }
}
