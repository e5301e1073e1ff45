//! The catalogue of every AWS service: which operation a request is, what its parameters are,
//! how it is written anew, where it goes, and what of its answer is sensitive.
//!
//! Built from botocore's service models by `countersign-catalogue-builder` into one binary blob
//! that is compiled in; a service's part is decoded when it is first used.

mod errors;
mod refusal;
mod request;

pub use errors::{ApiError, ErrorReply};
pub use refusal::Refusal;
pub use request::{Place, Understood, WireRequest};
