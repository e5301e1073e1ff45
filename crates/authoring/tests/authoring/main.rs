//! What authors of rules work with, from outside.

#[cfg(test)]
mod documents;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod shipped_bundles;
#[cfg(test)]
mod simulate;
#[cfg(test)]
mod suggest;
