//! The local stack.

pub mod doors;
pub mod emulators;
pub mod error;
pub mod iam;
pub mod inbox;
pub mod lambda_host;
pub mod random;
pub mod supervise;
pub mod web;
