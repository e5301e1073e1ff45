//! The policy engine from outside: bundles in, decisions out.

mod built_in;
mod harness;
mod lattice;
mod parameters;
mod resources;
