//! The program, as people run it.

#[cfg(test)]
mod documents;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod replay;
