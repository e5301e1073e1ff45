//! Rules about the workspace itself: who may depend on whom, what files look like, and whether the templates say what
//! ARCHITECTURE.md says.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "what cannot be read fails the test")]

#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/features.rs"]
mod features;
#[path = "tidy/files.rs"]
mod files;
#[path = "tidy/licences.rs"]
mod licences;
#[path = "tidy/machine.rs"]
mod machine;
#[path = "tidy/metadata.rs"]
mod metadata;
#[path = "tidy/templates.rs"]
mod templates;
