//! The catalogue of every AWS service: which operation a request is, what its parameters are,
//! how it is written anew, where it goes, and what of its answer is sensitive.
//!
//! Built from botocore's service models by `countersign-catalogue-builder` into one binary blob
//! that is compiled in; a service's part is decoded when it is first used.

mod alias;
pub mod blob;
mod candidate_paths;
mod catalogue;
mod cbor;
mod cbor_write;
pub mod changes;
mod errors;
mod fault;
mod form;
mod frame;
mod headers;
mod host_choice;
mod identified;
mod identify;
mod inflate;
mod json;
mod json_write;
pub mod model;
mod moment;
mod percent;
mod queue_url;
mod refusal;
mod request;
pub mod response;
mod rest_read;
mod rest_write;
mod scalar;
mod serialise;
mod service;
mod shapes;
mod template;
mod understand;
mod upstream;
mod xml;
mod xml_values;

pub use catalogue::Catalogue;
pub use errors::{ApiError, ErrorReply};
pub use identified::Identified;
pub use refusal::Refusal;
pub use request::{Endpoint, Place, Understood, WireRequest};
pub use service::Service;
