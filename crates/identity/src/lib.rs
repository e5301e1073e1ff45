//! Who is calling.
//!
//! * [`TokenVerifier`]: agents' and persons' OIDC tokens, with keys found by discovery.
//! * [`session`]: the credentials that an agent gets for its token; worthless at AWS.
//! * [`web_identity`]: the STS form that every AWS SDK logs in with, and STS's answers to it.
//! * [`pkce`]: the approvers' sign-in by the authorization code flow, and their cookies.
//!
//! Nothing here opens a connection or reads a clock: documents come through [`FetchDocument`],
//! time comes as a [`countersign_domain::Timestamp`].

mod claims;
mod error;
mod jwk;
mod jws;
mod keys;
pub mod pkce;
pub mod sealing;
pub mod session;
mod strict_json;
mod token;
pub mod web_identity;

pub use error::IdentityError;
pub use keys::{Endpoints, FetchDocument, FetchError};
pub use token::{AgentIdentity, PersonIdentity, TokenVerifier};

#[cfg(test)]
mod tests;
