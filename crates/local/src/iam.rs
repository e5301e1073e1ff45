//! IAM as AWS documents it: policy documents, conditions, and the evaluation of identity
//! policies, permissions boundaries, session policies and resource policies.
//!
//! Written apart from the crates that the functions use, on purpose: a mistake in the code under
//! test must not be repeated by the judge.

pub mod conditions;
pub mod evaluate;
pub mod pattern;
pub mod policy;
pub mod principals;

pub use conditions::Context;
pub use evaluate::{Authority, Verdict, evaluate};
pub use policy::{Policy, PolicyError};
