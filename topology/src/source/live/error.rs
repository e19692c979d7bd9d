//! Why the machine's topology could not be read.

use std::io;
use std::path::PathBuf;

use crate::model::debug::debug_as_display;
use crate::model::error::BuildError;

/// Why this machine's topology could not be read.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum DetectError {
    /// A file without which nothing can be said: is /sys mounted?
    #[error("cannot detect the topology: {}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Such a file does not hold what the kernel documents.
    #[error("cannot detect the topology: {}:{line}: unexpected `{value}`", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u32,
        /// What is there.
        value: String,
    },
    /// The kernel counts more processors than this reader is prepared to list.
    #[error("cannot detect the topology: {}: {count} cpus, limit {limit}", .path.display())]
    TooManyCpus {
        /// The file that says so.
        path: PathBuf,
        /// How many; `u64::MAX` if without end.
        count: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// What the files say is not a topology.
    #[error("cannot detect the topology: the kernel's description is inconsistent")]
    Build(#[from] BuildError),
}

debug_as_display!(DetectError);
