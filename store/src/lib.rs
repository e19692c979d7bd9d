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
//! | `memory` | mappings and seals: where this crate calls the kernel by address |
//! | `dir` | an open directory, and files that appear in it complete or not at all |
//! | `sys` | calls that nix lacks |
//! | `sync` | counters in shared memory, to be read at any time and slept on |
//! | `timeout` | how long to wait |
//! | `name` | names of a store, and of their files |
//! | `held` | descriptors that carry locks, closed in forked children |
//! | `ofd` | byte-range locks of the kernel |
//! | `attach` | attachments: locks that live with a mapping, and how many there are |
//! | `with` | wrappers for fields: reproducible maps |
//! | `error` | what can go wrong, with the errno of each cause |
//!
//! Programs use this crate through `graven`, which re-exports all of it.
#![deny(unsafe_code)]

#[allow(dead_code)] // until all its users are there
mod attach;
#[allow(dead_code)] // until the store is there
mod dir;
mod error;
#[allow(dead_code)] // until all its users are there
mod held;
mod known;
mod memory;
#[allow(dead_code)] // until the store is there
mod name;
#[allow(dead_code)] // until all its users are there
mod ofd;
mod part;
mod schemas;
mod segment;
mod stream;
#[allow(dead_code)] // until all its users are there
mod sync;
mod sys;
#[allow(dead_code)] // until all its users are there
mod timeout;
pub mod with;
mod writer;

pub use error::{Cause, Error, ErrorKind};
pub use part::{Adopted, Part};
pub use segment::{Segment, Validator};
pub use stream::Serializer;
pub use timeout::Timeout;
pub use writer::{Summary, WriteOptions, Writer, encoded_len, write, write_at};

/// A `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
