//! The harness of the end-to-end tests and of the demo.

#![expect(
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a harness ends a test that cannot go on, and takes JSON literals as they are written"
)]

pub mod agent;
pub mod approver;
pub mod browser;
pub mod markdown;
pub mod runtime;
pub mod stack;
