//! Bundles of rules and settings, and what they decide about a call.
//!
//! Rules are written in [Cedar](https://www.cedarpolicy.com). A [`Bundle`] holds them with the
//! settings of a deployment; [`Bundle::decide`] says what they make of a call.

mod analysis;
mod annotation;
mod arn;
mod builtin;
mod bundle;
mod check;
mod compiled;
mod coverage;
mod decide;
mod error;
mod explain;
mod facts;
mod index;
mod lesson;
mod limits_check;
mod nearest;
mod open;
mod panel;
mod reach;
mod rule;
mod rule_list;
mod scene;
mod settings_check;
mod settings_file;
mod shadow_report;
mod source;
mod untold;
mod values;
mod verdict;
mod vocabulary;

pub use builtin::MASK_TOKEN_PREFIX;
pub use bundle::{Bundle, SHADOW_DIR};
pub use check::{ActionCatalogue, Finding, Severity, check};
pub use compiled::{COMPILED_FILE, compile};
pub use countersign_domain::time::parse_duration;
pub use error::{BundleError, Problem};
pub use explain::{Considered, Explanation, RuleEffect, RuleOutcome};
pub use facts::Facts;
pub use nearest::{edit_distance, nearest};
pub use reach::{ActionSelector, Part, Reach, ResourceBound};
pub use rule_list::RuleInfo;
pub use shadow_report::{NO_RULE, ShadowCount, ShadowReport};
pub use verdict::{PermissionVerdict, Verdict};
