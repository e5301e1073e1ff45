//! Replays recorded calls against a bundle: what would pass, wait or be denied.

mod limits;
mod tally;
mod work;

pub use limits::{HighestIn, LimitSeen};
pub use tally::{Counts, Difference, Outcome, Seen, Tally};
pub(crate) use work::fold;
pub use work::{Progress, SimulateError, Simulation};
