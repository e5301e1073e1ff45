//! A service that has been decoded, ready to match requests.

use crate::blob::BlobError;
use crate::fault::Read;
use crate::model::{Location, Member, Operation, ServiceModel, Structure};
use crate::template::Template;

/// A decoded service.
#[derive(Debug)]
pub struct Service {
    model: ServiceModel,
    /// One for each operation, in their order.
    templates: Vec<Template>,
}

impl Service {
    pub(crate) fn decode(frame: &[u8], decoded_length: usize) -> Result<Service, BlobError> {
        let decoded = crate::frame::decompress(frame, decoded_length)?;
        // A frame is decoded once and then used until the process ends.
        let model = crate::frame::read_service(Box::leak(decoded.into_boxed_slice()))?;
        let templates = model.operations.iter().map(|operation| Template::parse(operation.uri)).collect();
        Ok(Service { model, templates })
    }

    /// The service's model.
    pub fn model(&self) -> &ServiceModel {
        &self.model
    }

    /// The operations with their URI templates.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (&Operation, &Template)> {
        self.model.operations.iter().zip(&self.templates)
    }

    /// The input structure of an operation, if it takes any input.
    pub(crate) fn input(&self, operation: &Operation) -> Read<Option<&Structure>> {
        operation.input.map(|id| self.model.structure(id)).transpose()
    }

    /// The members of an operation's input that go to `location`.
    pub(crate) fn input_members(&self, operation: &Operation, location: Location) -> impl Iterator<Item = &Member> {
        let input = self.input(operation).ok().flatten();
        input.into_iter().flat_map(|input| &input.members).filter(move |member| member.location == location)
    }
}
