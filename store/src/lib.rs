//! Files, mappings and handles: how graven segments are written and adopted on Linux.
//!
//! | module | owns |
//! |---|---|
//! | `writer` | laying out a segment, and its appearance at a path or in a run of a file |
//! | `stream` | one bounded buffer between rkyv and the file, checksums on the way |
//! | `rehearsal` | objects with larger alignments than rkyv can pad to |
//! | `segment` | mapping, reading, looking into and adopting a segment |
//! | `part` | handles on archived values that keep the mapping alive |
//! | `schemas` | the schemas of a segment's objects, decoded for values without types |
//! | `known` | the layout of each adopted or written type, computed once per process |
//! | `valid` | which of a segment's objects were found valid |
//! | `threads` | validating one object with several threads |
//! | `memory` | mappings and seals: where this crate calls the kernel by address |
//! | `store` | a directory of named segments |
//! | `owner` | publishing under a name |
//! | `reader` | following what is published |
//! | `descriptor` | a descriptor that says that a name may have something new |
//! | `watch` | descriptors that tell of a file, or of the time |
//! | `control` | the page that a name's owner and readers share |
//! | `protocol` | the order of steps when a name changes while somebody waits for it |
//! | `lifecycle` | who may change a name's files, and how it ends |
//! | `life` | whether a name's owner lives |
//! | `region` | named memory that processes change together, under locks |
//! | `dir` | an open directory |
//! | `temp` | files that appear in a directory complete or not at all |
//! | `sys` | calls that nix lacks |
//! | `sync` | counters in shared memory, to be read at any time and slept on |
//! | `timeout` | how long to wait |
//! | `name` | names of a store, and of their files |
//! | `held` | descriptors that carry locks, closed in forked children |
//! | `ofd` | byte-range locks of the kernel |
//! | `attach` | attachments: locks that live with a mapping, and how many there are |
//! | `with` | wrappers for fields: maps by their archived keys |
//! | `error` | what can go wrong, with the errno of each cause |
//! | `fuzz` | damaged objects for fuzzing (feature `fuzz`) |
//!
//! Programs use this crate through `graven`, which re-exports all of it.
#![deny(unsafe_code)]

mod adopt;
mod attach;
mod control;
mod descriptor;
mod dir;
mod error;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod held;
mod known;
mod life;
mod lifecycle;
mod memory;
mod name;
mod ofd;
mod open;
mod owner;
mod page;
mod part;
mod protocol;
mod reader;
mod region;
mod rehearsal;
mod schemas;
mod segment;
mod store;
mod stream;
mod sync;
mod sys;
mod temp;
mod threads;
mod timeout;
mod valid;
mod watch;
pub mod with;
mod writer;

pub use error::{Cause, Error, ErrorKind, RegionError, Result};
pub use owner::{Draft, Lifetime, Owner, OwnerOptions};
pub use page::At;
pub use part::{Adopted, Part};
pub use reader::{Reader, Segments};
pub use region::{Guard, Number, Region, RegionOptions, SharedGuard};
pub use segment::Segment;
pub use store::{Stat, Store};
pub use stream::Serializer;
pub use threads::validate;
pub use timeout::Timeout;
pub use writer::{Summary, WriteOptions, Writer, encoded_len, write, write_at};
