//! The pure core of Countersign: what a call is, what may be decided about it, and what an
//! approval, a certificate and a record are.
//!
//! Nothing here performs input or output: no AWS SDK, no async runtime, no HTTP server, no clock
//! and no environment. Time is passed in as [`Timestamp`].

pub mod approval;
pub mod call;
pub mod certificate;
pub mod decision;
pub mod digest;
pub mod encoding;
pub mod event;
pub mod frozen;
pub mod ids;
pub mod limits;
pub mod mask;
pub mod matching;
pub mod obligations;
pub mod request;
pub mod settings;
pub mod time;
pub mod value;

pub use call::{AccessLevel, Call, Class, Classes, OutgoingRequest, Permission, Protocol, Resource, Upstream};
pub use decision::{Decision, RuleHit};
pub use digest::Digest;
pub use frozen::{Caller, FrozenCall, OpenedCall};
pub use ids::{
    AccountId, AgentId, GroupName, IdError, LimitName, PersonId, RegionName, RequestId, SessionId, TargetName,
};
pub use obligations::Obligations;
pub use time::Timestamp;
pub use value::Value;
