//! The bundle that is only tried out: what it would decide goes on record, and nowhere else.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use countersign_domain::{Call, event::ShadowBundle};
use countersign_policy::{Bundle, Facts, SHADOW_DIR};

/// The shadow bundle of a function instance.
#[derive(Debug)]
pub(crate) enum Shadow {
    /// There is none.
    Absent,
    /// It decides on the record.
    Loaded(Bundle),
    /// It is there and does not load. The gateway serves all the same; each decision says so.
    Broken(String),
}

impl Shadow {
    /// Loads the shadow bundle of the bundle in `dir`. What goes wrong is logged, and recorded with
    /// each decision.
    pub(crate) fn load(dir: &Path, protected: &[String]) -> Self {
        let loaded = guarded(|| Bundle::load_shadow(dir, |name| std::env::var(name).ok(), protected));
        match loaded {
            Ok(Ok(None)) => Self::Absent,
            Ok(Ok(Some(bundle))) => Self::Loaded(bundle),
            Ok(Err(error)) => {
                tracing::error!(%error, "the shadow bundle does not load");
                let first = error.problems.first().map(|problem| format!("{SHADOW_DIR}/{problem}"));
                Self::Broken(cut(&first.unwrap_or_else(|| "the shadow bundle does not load".to_owned())))
            }
            Err(error) => Self::Broken(error),
        }
    }

    /// What it would decide; nothing where there is none. Never fails, whatever the bundle does.
    pub(crate) fn decide(&self, call: &Call, facts: &Facts<'_>) -> Option<ShadowBundle> {
        match self {
            Shadow::Absent => None,
            Shadow::Broken(error) => Some(ShadowBundle::Failed { error: error.clone() }),
            Shadow::Loaded(bundle) => Some(match guarded(|| bundle.decide(call, facts)) {
                Ok(verdict) => ShadowBundle::Decided {
                    decision: verdict.decision.as_str().to_owned(),
                    rules: verdict.decision.rules().to_vec(),
                    bundle: *bundle.hash(),
                },
                Err(error) => ShadowBundle::Failed { error },
            }),
        }
    }
}

/// What `work` gives, or that it panicked: a defect in what is only tried out stops nothing.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
        tracing::error!("a defect: the shadow bundle made the gateway panic");
        "a defect: the shadow bundle made the gateway panic".to_owned()
    })
}

/// An error stands in every event; the log has the whole.
fn cut(error: &str) -> String {
    error.chars().take(300).collect()
}

#[cfg(test)]
mod tests;
