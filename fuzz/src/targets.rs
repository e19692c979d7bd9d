//! What each target does with the fuzzer's bytes, and what has to hold.

pub mod differential;
pub mod roundtrip;
pub mod schema;
pub mod segment_open;
pub mod shared;
pub mod xml;
