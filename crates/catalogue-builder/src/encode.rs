//! Writes the blob; [`countersign_catalogue::blob`] is the other half.

use std::collections::HashMap;

use countersign_catalogue::blob::MAGIC;
use countersign_catalogue::model::{
    Endpoint, Location, Member, Operation, Partition, PartitionEndpoints, SCALARS, ServiceModel, Shape, ShapeId,
    Signing, Structure, Text, TimeFormat,
};
use countersign_domain::Protocol;

/// Bytes under way.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn number(&mut self, mut number: usize) {
        loop {
            let low = u8::try_from(number & 0x7f).unwrap_or_default();
            number >>= 7;
            if number == 0 {
                self.bytes.push(low);
                return;
            }
            self.bytes.push(low | 0x80);
        }
    }

    fn inline_text(&mut self, text: &str) {
        self.number(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn many<T>(&mut self, all: &[T], mut one: impl FnMut(&mut Self, &T)) {
        self.number(all.len());
        for item in all {
            one(self, item);
        }
    }
}

/// One service on its way into the blob.
pub struct PackedService {
    /// The model.
    pub model: ServiceModel,
    /// The compressed frame.
    pub frame: Vec<u8>,
    /// The length of the frame before compression.
    pub decoded_length: usize,
}

/// Writes and compresses a service's frame.
pub fn pack(model: ServiceModel) -> PackedService {
    /// The most that `miniz_oxide` takes; the blob is built seldom.
    const THOROUGH: u8 = 10;
    let decoded = frame(&model);
    let frame = miniz_oxide::deflate::compress_to_vec(&decoded, THOROUGH);
    PackedService { model, frame, decoded_length: decoded.len() }
}

/// The whole blob. `others` gives further signing names of a service.
pub fn blob(
    version: &str,
    partitions: &[Partition],
    services: &[PackedService],
    others: impl Fn(&ServiceModel) -> Vec<Text>,
) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes.extend_from_slice(MAGIC);
    writer.inline_text(version);
    writer.many(partitions, |writer, partition| {
        writer.inline_text(partition.id);
        writer.many(&partition.region_prefixes, |writer, prefix| writer.inline_text(prefix));
        writer.many(&partition.regions, |writer, region| writer.inline_text(region));
    });
    writer.many(services, |writer, service| {
        writer.inline_text(service.model.id);
        writer.inline_text(service.model.signing_name);
        writer.many(&others(&service.model), |writer, name| writer.inline_text(name));
        writer.inline_text(service.model.full_name);
        writer.number(service.model.operations.len());
        writer.number(service.frame.len());
        writer.number(service.decoded_length);
    });
    for service in services {
        writer.bytes.extend_from_slice(&service.frame);
    }
    writer.bytes
}

/// The frame of a service, not compressed.
pub fn frame(service: &ServiceModel) -> Vec<u8> {
    let mut frame = FrameWriter::default();
    frame.service(service);
    let mut writer = Writer::default();
    writer.many(&frame.texts, |writer, text| writer.number(text.len()));
    for text in &frame.texts {
        writer.bytes.extend_from_slice(text.as_bytes());
    }
    writer.bytes.extend_from_slice(&frame.writer.bytes);
    writer.bytes
}

#[derive(Default)]
struct FrameWriter {
    writer: Writer,
    texts: Vec<Text>,
    places: HashMap<Text, usize>,
    mentioned_shapes: usize,
}

impl FrameWriter {
    fn text(&mut self, text: Text) {
        if let Some(place) = self.places.get(text) {
            self.writer.number(place + 1);
            return;
        }
        self.places.insert(text, self.texts.len());
        self.texts.push(text);
        self.writer.number(0);
    }

    // INVARIANT: the model numbers its shapes in the order in which they are written here.
    fn shape_id(&mut self, id: ShapeId) {
        if id == SCALARS.len() + self.mentioned_shapes {
            self.mentioned_shapes += 1;
            self.writer.number(0);
        } else {
            self.writer.number(id + 1);
        }
    }

    fn optional_shape(&mut self, id: Option<ShapeId>) {
        self.byte(u8::from(id.is_some()));
        if let Some(id) = id {
            self.shape_id(id);
        }
    }

    fn number(&mut self, number: usize) {
        self.writer.number(number);
    }

    fn byte(&mut self, byte: u8) {
        self.writer.bytes.push(byte);
    }

    fn optional(&mut self, place: Option<usize>) {
        self.number(place.map_or(0, |place| place + 1));
    }

    fn many<T>(&mut self, all: &[T], mut one: impl FnMut(&mut Self, &T)) {
        self.number(all.len());
        for item in all {
            one(self, item);
        }
    }

    fn service(&mut self, service: &ServiceModel) {
        for text in [service.id, service.service_id, service.full_name, service.api_version, service.signing_name] {
            self.text(text);
        }
        self.many(&service.protocols, |frame, protocol| frame.byte(protocol_byte(*protocol)));
        self.text(service.target_prefix);
        self.text(service.json_version);
        self.byte(u8::from(service.query_compatible));
        self.byte(match service.signing {
            Signing::SigV4 => 0,
            Signing::SigV2 => 1,
            Signing::Bearer => 2,
        });
        self.text(service.xml_namespace);
        self.text(service.access_denied);
        self.many(&service.namespaces, |frame, namespace| {
            frame.text(namespace.prefix);
            frame.text(namespace.uri);
        });
        self.many(&service.endpoints, |frame, table| {
            frame.partition_endpoints(&table.partitions);
            frame.many(&table.by_member, |frame, choice| {
                frame.text(choice.member);
                frame.text(choice.resource);
                frame.partition_endpoints(&choice.partitions);
            });
        });
        self.many(&service.operations, Self::operation);
        self.many(&service.errors, |frame, error| {
            frame.text(error.code);
            frame.shape_id(error.shape);
        });
        let shapes: Vec<_> = service.shapes.own().collect();
        self.many(&shapes, |frame, shape| frame.shape(shape));
    }

    fn partition_endpoints(&mut self, partitions: &[PartitionEndpoints]) {
        self.many(partitions, |frame, partition| {
            frame.number(partition.partition);
            frame.byte(u8::from(partition.default.is_some()));
            if let Some(endpoint) = &partition.default {
                frame.endpoint(endpoint);
            }
            frame.many(&partition.exceptions, |frame, (region, endpoint)| {
                frame.text(region);
                frame.endpoint(endpoint);
            });
        });
    }

    fn endpoint(&mut self, endpoint: &Endpoint) {
        self.text(endpoint.host);
        self.text(endpoint.signing_name);
        self.text(endpoint.signing_region);
        self.byte(u8::from(endpoint.sigv4a));
    }

    fn shape(&mut self, shape: &Shape) {
        match shape {
            Shape::Structure(structure) => {
                self.byte(0);
                self.structure(structure);
            }
            Shape::List(item) => {
                self.byte(1);
                self.member(item);
            }
            Shape::Map { key, value } => {
                self.byte(2);
                self.member(key);
                self.member(value);
            }
            // Scalars are never written: the reader puts them first.
            _ => {}
        }
    }

    fn structure(&mut self, structure: &Structure) {
        self.byte(u8::from(structure.event_stream) | u8::from(structure.union) << 1);
        self.optional(structure.payload);
        self.many(&structure.members, Self::member);
    }

    fn member(&mut self, member: &Member) {
        let rare = [
            !member.location_name.is_empty(),
            member.location != Location::Body,
            member.time != TimeFormat::Default,
            member.traits.0 != 0,
            !member.query_name.is_empty(),
            member.namespace.is_some(),
        ];
        let parts = rare.iter().enumerate().fold(0_u8, |bits, (place, there)| bits | u8::from(*there) << place);
        self.shape_id(member.shape);
        self.text(member.name);
        self.byte(parts);
        if !member.location_name.is_empty() {
            self.text(member.location_name);
        }
        if member.location != Location::Body {
            self.byte(match member.location {
                Location::Body => 0,
                Location::Label => 1,
                Location::Query => 2,
                Location::Header => 3,
                Location::Headers => 4,
                Location::Status => 5,
            });
        }
        if member.time != TimeFormat::Default {
            self.byte(match member.time {
                TimeFormat::Default => 0,
                TimeFormat::Iso8601 => 1,
                TimeFormat::Rfc822 => 2,
                TimeFormat::Unix => 3,
            });
        }
        if member.traits.0 != 0 {
            self.number(usize::from(member.traits.0));
        }
        if !member.query_name.is_empty() {
            self.text(member.query_name);
        }
        if let Some(place) = member.namespace {
            self.number(usize::from(place));
        }
    }

    fn operation(&mut self, operation: &Operation) {
        self.text(operation.name);
        self.text(operation.method);
        self.text(operation.uri);
        self.optional_shape(operation.input);
        self.optional_shape(operation.output);
        self.text(operation.input_root);
        self.optional(operation.input_namespace);
        self.text(operation.result_wrapper);
        self.text(operation.host_prefix);
        self.number(usize::from(operation.status));
        self.number(operation.endpoint);
        self.text(operation.checksum_member);
        self.number(usize::from(operation.traits.0));
    }
}

fn protocol_byte(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Json => 0,
        Protocol::Query => 1,
        Protocol::Ec2 => 2,
        Protocol::RestJson => 3,
        Protocol::RestXml => 4,
        Protocol::RpcV2Cbor => 5,
    }
}
