//! Files, mappings and handles: how graven segments are written and adopted on Linux.
//!
//! Floors; each imports only from those above it in this table.
//!
//! | module | owns |
//! |---|---|
//! | `error` | what can go wrong, with the errno of each cause |
//! | `os` | the kernel, one file per concern: directories, files, locks, memory, time |
//! | `segment` | opening a segment, looking into it, and adopting what is in it |
//! | `write` | writing a segment, to a path or into a run of a file; wrappers for fields |
//! | `names` | a directory of named segments: publishing under a name, and following it |
//! | `region` | named memory that processes change together, under locks |
//! | `export` | memory handed over by descriptor rather than by name |
//! | `fuzz` | damaged objects for fuzzing (feature `fuzz`) |
//!
//! Programs use this crate through `graven`, which re-exports all of it.
#![deny(unsafe_code)]

mod error;
mod export;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod names;
mod os;
mod region;
mod segment;
mod write;

pub use error::{Cause, Error, ErrorKind, ExportError, RegionError, Result};
pub use export::{
    Access, AttachOptions, Attachment, Export, ExportMemory, ExportMemoryOptions, Exporter, Import,
    MemoryStat, Permit, read_process,
};
pub use names::{Draft, Lifetime, Owner, OwnerOptions, Reader, Segments, Stat, Store};
pub use os::page::At;
pub use os::timeout::Timeout;
pub use region::{Guard, Number, Region, RegionOptions, SharedGuard};
pub use segment::{Adopted, Part, Segment, validate};
pub use write::{Serializer, Summary, WriteOptions, Writer, encoded_len, with, write, write_at};
