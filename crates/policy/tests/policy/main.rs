//! The policy engine from outside: bundles in, decisions out.

#[cfg(test)]
mod built_in;
#[cfg(test)]
mod checks;
#[cfg(test)]
mod default_bundle;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod lattice;
#[cfg(test)]
mod lessons;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod loading;
#[cfg(test)]
mod parameters;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod resources;
#[cfg(test)]
mod shadows;
