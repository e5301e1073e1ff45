//! The local stack.

pub mod doors;
pub mod emulators;
pub mod error;
pub mod faults;
pub mod front;
pub mod iam;
pub mod inbox;
pub mod issuer;
pub mod lambda_host;
pub mod random;
pub mod supervise;
pub mod template;
pub mod web;
