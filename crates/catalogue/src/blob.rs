//! The binary form of the catalogue: a directory, then one compressed frame for each service.
//!
//! Numbers are LEB128 varints. Optional places are stored plus one, so that 0 means none. Inside a
//! frame, text is a place in the frame's table of texts and a shape is a place in its list of
//! shapes. Both lists are in the order of first mention, so a first mention is stored as 0 and
//! every other as the place plus one: most mentions are first, and zeros compress well.

use crate::model::{
    Endpoint, EndpointTable, Location, Member, MemberEndpoints, MemberTraits, ModelledError, Namespace, Operation,
    OperationTraits, Partition, PartitionEndpoints, SCALARS, ServiceEntry, ServiceModel, Shape, ShapeId, Signing,
    Structure, Text, TimeFormat,
};
use countersign_domain::Protocol;

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
struct Reader {
    rest: &'static [u8],
}

impl Reader {
    fn bytes(&mut self, length: usize) -> Result<&'static [u8], BlobError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(BlobError("cut short"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, BlobError> {
        let (first, rest) = self.rest.split_first().ok_or(BlobError("cut short"))?;
        self.rest = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<usize, BlobError> {
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

    fn small(&mut self) -> Result<u16, BlobError> {
        u16::try_from(self.number()?).map_err(|_| BlobError("a number is too large"))
    }

    /// A count of things that each take at least one byte, so that damage cannot ask for memory.
    fn count(&mut self) -> Result<usize, BlobError> {
        let count = self.number()?;
        if count > self.rest.len() { Err(BlobError("a count is too large")) } else { Ok(count) }
    }

    fn optional(&mut self) -> Result<Option<usize>, BlobError> {
        Ok(self.number()?.checked_sub(1))
    }

    fn inline_text(&mut self) -> Result<Text, BlobError> {
        let length = self.number()?;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| BlobError("text is not UTF-8"))
    }

    fn many<T>(&mut self, mut one: impl FnMut(&mut Self) -> Result<T, BlobError>) -> Result<Vec<T>, BlobError> {
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

/// Reads a service from its decoded frame.
///
/// # Errors
/// [`BlobError`] when the bytes are not a frame of this format.
pub fn read_service(frame: &'static [u8]) -> Result<ServiceModel, BlobError> {
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
    FrameReader { reader, texts, mentioned_texts: 0, mentioned_shapes: SCALARS.len() }.service()
}

/// The place that a stored mention means.
fn mention(stored: usize, mentioned: &mut usize) -> usize {
    stored.checked_sub(1).unwrap_or_else(|| {
        *mentioned += 1;
        *mentioned - 1
    })
}

struct FrameReader {
    reader: Reader,
    texts: Vec<Text>,
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

    fn service(mut self) -> Result<ServiceModel, BlobError> {
        let service = ServiceModel {
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
            shapes: self.shapes()?,
        };
        if self.reader.rest.is_empty() { check(service) } else { Err(BlobError("a frame is too long")) }
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

    fn shapes(&mut self) -> Result<Vec<Shape>, BlobError> {
        let count = self.reader.count()?;
        let mut shapes = Vec::with_capacity(SCALARS.len() + count);
        shapes.extend(SCALARS);
        for _ in 0..count {
            shapes.push(self.shape()?);
        }
        Ok(shapes)
    }

    fn shape(&mut self) -> Result<Shape, BlobError> {
        Ok(match self.reader.byte()? {
            0 => Shape::Structure(self.structure()?),
            1 => Shape::List(Box::new(self.member()?)),
            2 => Shape::Map { key: Box::new(self.member()?), value: Box::new(self.member()?) },
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

/// Every place in a service is checked once here, so that readers may treat a miss as damage.
fn check(service: ServiceModel) -> Result<ServiceModel, BlobError> {
    let shape_exists = |id: usize| id < service.shapes.len();
    let is_structure = |id: usize| matches!(service.shapes.get(id), Some(Shape::Structure(_)));
    let member_is_sound = |member: &Member| {
        shape_exists(member.shape) && member.namespace.is_none_or(|place| usize::from(place) < service.namespaces.len())
    };
    let shapes_are_sound = service.shapes.iter().all(|shape| match shape {
        Shape::Structure(structure) => {
            structure.members.iter().all(member_is_sound)
                && structure.payload.is_none_or(|place| place < structure.members.len())
        }
        Shape::List(item) => member_is_sound(item),
        Shape::Map { key, value } => member_is_sound(key) && member_is_sound(value),
        _ => true,
    });
    let operations_are_sound = service.operations.iter().all(|operation| {
        operation.input.is_none_or(is_structure)
            && operation.output.is_none_or(is_structure)
            && operation.endpoint < service.endpoints.len()
            && operation.input_namespace.is_none_or(|place| place < service.namespaces.len())
    });
    let errors_are_sound = service.errors.iter().all(|error| is_structure(error.shape));
    if errors_are_sound && shapes_are_sound && operations_are_sound {
        Ok(service)
    } else {
        Err(BlobError("a place points nowhere"))
    }
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
