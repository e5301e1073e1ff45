//! Replays recorded calls against a bundle: what would pass, wait or be denied.

mod tally;
mod work;

pub use tally::{Counts, Difference, Outcome, Seen, Tally};
pub(crate) use work::fold;
pub use work::{Progress, SimulateError, Simulation};
