//! Verification against published vectors, real signers, attacks and noise.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod botocore;
#[cfg(test)]
mod robustness;
#[cfg(test)]
mod roundtrip;
#[cfg(test)]
mod signer;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod tampering;
