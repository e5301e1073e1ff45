//! The catalogue as a whole: which services there are, each decoded on first use.

use std::sync::OnceLock;

use crate::Refusal;
use crate::blob::{BlobError, Directory, read_directory};
use crate::model::{Operation, Partition, ServiceEntry};
use crate::service::Service;

static EMBEDDED_BLOB: &[u8] = include_bytes!("../data/catalogue.bin");
static EMBEDDED: OnceLock<Catalogue> = OnceLock::new();

/// Names that older clients sign with, and the service: what is sent on is signed with the name of today.
///
/// Source: `signingName` in the models of botocore 1.29 and before.
const FORMER_SIGNING_NAMES: [(&str, &str); 1] = [("execute-api", "iot")];

/// Every service of AWS.
#[derive(Debug)]
pub struct Catalogue {
    directory: Directory,
    frames: &'static [u8],
    /// One for each service of the directory; filled on first use.
    services: Vec<OnceLock<Result<Service, BlobError>>>,
    /// Places of services by the names that clients sign with, in the order of the names.
    by_signing_name: Vec<(&'static str, usize)>,
}

impl Catalogue {
    /// The catalogue that is compiled in.
    ///
    /// Were the blob damaged, the catalogue would be empty and every request refused.
    pub fn embedded() -> &'static Catalogue {
        EMBEDDED.get_or_init(|| {
            Catalogue::from_blob(EMBEDDED_BLOB).unwrap_or_else(|_| {
                let directory = Directory { version: "damaged", partitions: Vec::new(), services: Vec::new() };
                Catalogue::new(directory, &[])
            })
        })
    }

    /// The catalogue in `blob`, as `countersign-catalogue-builder` writes it.
    ///
    /// # Errors
    /// [`BlobError`] when the directory cannot be read; frames are read on first use.
    pub fn from_blob(blob: &'static [u8]) -> Result<Catalogue, BlobError> {
        let (directory, frames) = read_directory(blob)?;
        Ok(Self::new(directory, frames))
    }

    fn new(directory: Directory, frames: &'static [u8]) -> Catalogue {
        let mut by_signing_name = Vec::with_capacity(directory.services.len() * 2);
        for (place, entry) in directory.services.iter().enumerate() {
            let names = [entry.signing_name].into_iter().chain(entry.other_signing_names.iter().copied());
            by_signing_name.extend(names.map(|name| (name, place)));
        }
        for (name, id) in FORMER_SIGNING_NAMES {
            let place = directory.services.binary_search_by(|entry| entry.id.cmp(id));
            by_signing_name.extend(place.ok().map(|place| (name, place)));
        }
        // Stable: services of one name stay in the order of their ids, former users of the name last.
        by_signing_name.sort_by_key(|(name, _)| *name);
        let services = directory.services.iter().map(|_| OnceLock::new()).collect();
        Catalogue { directory, frames, services, by_signing_name }
    }

    /// Where the models come from, as in `botocore-1.44.5`.
    pub fn version(&self) -> &str {
        self.directory.version
    }

    /// The services, sorted by id, without decoding any.
    pub fn services(&self) -> &[ServiceEntry] {
        &self.directory.services
    }

    /// The partitions of AWS.
    pub fn partitions(&self) -> &[Partition] {
        &self.directory.partitions
    }

    /// The service with this id, decoded on first use; `None` when there is none or it is damaged.
    pub fn service(&self, id: &str) -> Option<&Service> {
        let place = self.directory.services.binary_search_by(|entry| entry.id.cmp(id)).ok()?;
        self.service_at(place).ok()
    }

    /// The service and the operation with these names.
    pub fn operation(&self, service: &str, operation: &str) -> Option<(&Service, &Operation)> {
        let service = self.service(service)?;
        Some((service, service.model().operation(operation)?))
    }

    /// The service with this id, or else the first that signs with this name.
    pub(crate) fn named_or_signing(&self, name: &str) -> Option<&Service> {
        self.service(name).or_else(|| self.services_signing_as(name).ok()?.first().copied())
    }

    /// The services that clients sign for with this name.
    ///
    /// # Errors
    /// [`Refusal::UnknownService`] when there is none, [`Refusal::DamagedCatalogue`].
    pub(crate) fn services_signing_as(&self, signing_name: &str) -> Result<Vec<&Service>, Refusal> {
        let from = self.by_signing_name.partition_point(|(name, _)| *name < signing_name);
        let after = self.by_signing_name.get(from..).unwrap_or_default();
        let named = after.iter().take_while(|(name, _)| *name == signing_name);
        let services = named.map(|(_, place)| self.service_at(*place)).collect::<Result<Vec<_>, _>>()?;
        if services.is_empty() {
            return Err(Refusal::UnknownService {
                signing_name: signing_name.chars().take(64).collect(),
                version: self.version().to_owned(),
            });
        }
        Ok(services)
    }

    fn service_at(&self, place: usize) -> Result<&Service, Refusal> {
        let damaged = Refusal::DamagedCatalogue { what: "a service cannot be read" };
        let (Some(entry), Some(cell)) = (self.directory.services.get(place), self.services.get(place)) else {
            return Err(damaged);
        };
        let decode = || {
            let end = entry.frame_start.saturating_add(entry.frame_length);
            let frame = self.frames.get(entry.frame_start..end).ok_or(BlobError("a frame is cut short"))?;
            Service::decode(frame, entry.decoded_length)
        };
        cell.get_or_init(decode).as_ref().map_err(|_| damaged)
    }
}
