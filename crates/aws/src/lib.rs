//! Every adapter to AWS, named by what it is for: the authority table, the record, frozen bodies,
//! roles, keys, the state machine, mail, topics, and the forwarding of calls.
//!
//! All start from one [`Aws`] handle, which is cheap to make: no client exists and nothing is read
//! from the network before an adapter is used. No other crate names an AWS SDK.

pub mod authority;
mod aws;
pub mod documents;
pub mod environment;
mod failure;
pub mod forward;
pub mod frozen;
pub mod keys;
pub mod mail;
mod objects;
pub mod outcomes;
pub mod process;
pub mod record;
pub mod session_policy;
pub mod states;
pub mod sts;
#[cfg(test)]
mod testing;
pub mod topics;

pub use aws::Aws;
pub use aws_credential_types::Credentials;
pub use failure::{FailureKind, ServiceError};
