//! A signed request becomes a call: what it does, to what, with which permissions, where it goes.
//!
//! The gateway understands what an agent sent; approvals and executor understand the frozen call
//! again, by the same rules, and refuse it unless it comes out the same.

mod answer;
mod call;
mod endpoint;
mod facts;
mod presigned;
mod queues;
mod record;
mod refusal;
mod region;
mod sensitive;
mod signature;

pub use answer::{MaskedAnswer, WithheldAnswer, mask_answer};
pub use call::{reidentify, understand};
pub use endpoint::UnverifiedEndpoint;
pub use facts::{Shown, facts_hash};
pub use queues::with_queues_at;
pub use record::{call_record, shown_parameters};
pub use refusal::Refusal;
pub use signature::{DoorPath, NotVerified, verify};
