//! The policy engine from outside: bundles in, decisions out.

mod built_in;
mod checks;
mod default_bundle;
mod harness;
mod lattice;
mod loading;
mod parameters;
mod properties;
mod resources;
