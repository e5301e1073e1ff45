//! What authors of rules work with: AWS's actions for the checks of a bundle, and policy tests that
//! make real calls. It decides nothing: the bundle does, by the code that the functions run.

mod actions;
mod case_file;
mod cases;
mod circumstances;
mod coverage;
mod files;
mod placeholders;
mod recorded;
mod request;
mod roles;
mod simulate;
mod suggest;

pub use actions::AwsActions;
pub use case_file::{CaseFile, CaseFileError, Expected, moment};
pub use cases::{CaseResult, run};
pub use circumstances::{Circumstances, CircumstancesError, DEFAULT_MOMENT, target_named};
pub use coverage::{Coverage, RuleCoverage};
pub use files::{BundleFolder, TESTS_FOLDER, find_cases};
pub use placeholders::{Placeholders, PlaceholdersError};
pub use recorded::{AgentMapping, JsonObjects, ObjectError, Reader, Recorded, RecordedCall};
pub use request::{CallError, RawRequest, call_of, operation_named, understand_raw};
pub use roles::{
    Document, MOST_BYTES, MOST_POLICIES, Role, RolesError, Statement, allows, policies, services_of, template_text,
};
pub use simulate::{
    Counts, Difference, HighestIn, LimitSeen, Outcome, Progress, Seen, SimulateError, Simulation, Tally,
};
pub use suggest::{SuggestOptions, Suggestion, suggest, suggest_for};
