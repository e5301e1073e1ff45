//! The harness of the end-to-end tests and of the demo.

#![expect(clippy::panic, clippy::print_stdout, reason = "a harness ends a test that cannot go on, and the demo tells a story")]

pub mod agent;
pub mod approver;
pub mod browser;
pub mod stack;
