//! Writing segments: at a path, or in a run of a file.
//!
//! A segment appears at once or not at all: it is laid out as it streams into the file, and its header comes last.
//!
//! | module | owns |
//! |---|---|
//! | `writer` | segments that appear at a path |
//! | `run` | segments in a run of the caller's file |
//! | `build` | laying out a segment |
//! | `serialize` | one value as the bytes of an object, and what is asked of them |
//! | `stream` | one bounded buffer between rkyv and the file, checksums on the way |
//! | `rehearsal` | objects with larger alignments than rkyv can pad to |
//! | `with` | wrappers for fields: maps by their archived keys |

pub(crate) mod build;
mod rehearsal;
mod run;
mod serialize;
pub(crate) mod stream;
pub mod with;
pub(crate) mod writer;

pub use build::Summary;
pub use run::{encoded_len, write_at};
pub use stream::Serializer;
pub use writer::{WriteOptions, Writer, write};
