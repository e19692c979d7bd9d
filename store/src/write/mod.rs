//! Writing segments: to a path, or into a run of a file.
//!
//! | module | owns |
//! |---|---|
//! | `writer` | laying out a segment, and its appearance at a path or in a run of a file |
//! | `stream` | one bounded buffer between rkyv and the file, checksums on the way |
//! | `rehearsal` | objects with larger alignments than rkyv can pad to |
//! | `with` | wrappers for fields: maps by their archived keys |

mod rehearsal;
mod stream;
pub mod with;
pub(crate) mod writer;

pub use stream::Serializer;
pub use writer::{Summary, WriteOptions, Writer, encoded_len, write, write_at};
