//! The local stack.

pub mod iam;
