//! Checking every byte of a segment.
//!
//! [`View::verify`](crate::View::verify) reads each once. Every byte of a segment is covered by a checksum or has to be zero, so that no change
//! passes it.
//!
//! Source: SPEC 7, 8.

mod error;
mod segment;

pub use error::VerifyError;
pub use segment::{CheckedContents, CheckedTable, Verified, check_entry};
