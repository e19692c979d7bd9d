//! Files, mappings and handles: how graven segments are written and adopted on Linux.
//!
//! | module | owns |
//! |---|---|
//! | `writer` | laying out a segment, and its appearance at a path or in a run of a file |
//! | `stream` | one bounded buffer between rkyv and the file, checksums on the way |
//! | `segment` | mapping, reading, looking into and adopting a segment |
//! | `part` | handles on archived values that keep the mapping alive |
//! | `schemas` | the schemas of a segment's objects, decoded for values without types |
//! | `known` | the layout of each adopted or written type, computed once per process |
//! | `threads` | validating one object with several threads |
//! | `memory` | mappings and seals: where this crate calls the kernel by address |
//! | `with` | wrappers for fields: reproducible maps |
//! | `error` | what can go wrong, with the errno of each cause |
//! | `fuzz` | damaged objects for fuzzing (feature `fuzz`) |
//!
//! Programs use this crate through `graven`, which re-exports all of it.
#![deny(unsafe_code)]

mod error;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod known;
mod memory;
mod part;
mod schemas;
mod segment;
mod stream;
mod threads;
pub mod with;
mod writer;

pub use error::{Cause, Error, ErrorKind};
pub use part::{Adopted, Part};
pub use segment::Segment;
pub use stream::Serializer;
pub use threads::validate;
pub use writer::{Summary, WriteOptions, Writer, encoded_len, write, write_at};

/// A `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
