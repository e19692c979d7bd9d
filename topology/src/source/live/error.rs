//! Why the machine's topology could not be read.

use core::fmt;
use std::io;
use std::path::PathBuf;

use crate::model::error::BuildError;

/// Why this machine's topology could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum DetectError {
    /// A file without which nothing can be said: is /sys mounted?
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Such a file does not hold what the kernel documents.
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u32,
        /// What is there.
        value: String,
    },
    /// The kernel counts more processors than this reader is prepared to list.
    TooManyCpus {
        /// The file that says so.
        path: PathBuf,
        /// How many; `u64::MAX` if without end.
        count: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// What the files say is not a topology.
    Build(BuildError),
}

impl fmt::Display for DetectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, .. } => write!(f, "cannot detect the topology: {}", path.display()),
            Self::Malformed { path, line, value } => {
                write!(f, "cannot detect the topology: {}:{line}: unexpected `{value}`", path.display())
            }
            Self::TooManyCpus { path, count, limit } => {
                write!(f, "cannot detect the topology: {}: {count} cpus, limit {limit}", path.display())
            }
            Self::Build(_) => {
                write!(f, "cannot detect the topology: the kernel's description is inconsistent")
            }
        }
    }
}

impl core::error::Error for DetectError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::Build(error) => Some(error),
            _ => None,
        }
    }
}

impl From<BuildError> for DetectError {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}
