//! The local stack: the real function binaries, the very state machine and templates, on one
//! machine, against emulators, with IAM enforced.
//!
//! Where an emulator lacks something, a small piece of our own stands in and says so:
//!
//! * [`front`]: the one endpoint that functions see as AWS. It verifies signatures, answers STS,
//!   and enforces the roles, boundaries, session policies and resource policies of the templates.
//! * [`lambda_host`]: Lambda, with a process per instance behind the Runtime API.
//! * [`doors`]: what API Gateway and function URLs do to requests and responses.
//! * [`issuer`] and [`inbox`]: an identity provider and a mailbox.
//! * [`faults`]: makes things fail, and shows what was called.
//!
//! For development only: nothing here runs at AWS.

pub mod bootstrap;
pub mod cli;
pub mod control_desk;
pub mod doors;
pub mod emulators;
pub mod error;
pub mod faults;
pub mod front;
pub mod iam;
pub mod inbox;
pub mod issuer;
pub mod lambda_host;
pub mod plan;
pub mod random;
pub mod stack;
pub mod supervise;
pub mod template;
pub mod web;
