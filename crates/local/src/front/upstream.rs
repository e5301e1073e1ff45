//! The upstream.
