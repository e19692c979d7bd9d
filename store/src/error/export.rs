//! What can go wrong with memory that is handed over: one enum, which [`Cause::Export`](crate::Cause::Export) carries.

use std::fmt;

use super::kind::ErrorKind;

/// Why memory could not be handed over, changed or read.
#[derive(thiserror::Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportError {
    /// A memory cannot have that size: EINVAL.
    #[error(fmt = size)]
    Size {
        /// The bytes asked for.
        asked: u64,
    },
    /// Memory of that kind would lose what it is by being converted: EINVAL.
    #[error("the memory at {address:#x} cannot be converted: {what}")]
    NotConvertible {
        /// Where.
        address: usize,
        /// What it is.
        what: &'static str,
    },
    /// The memory's seal refuses holes to everybody: EPERM.
    #[error(
        "no holes can be made in memory that importers only read, as its seal refuses them to the exporter too; zero the bytes, or create it with importers_write(true)"
    )]
    NoHoles,
    /// The other process has nothing mapped there, or nothing that may be read: EFAULT.
    #[error("only {read} of the {length} bytes at {address:#x} could be read; behind them nothing is mapped")]
    NotMapped {
        /// The address asked for.
        address: usize,
        /// The bytes asked for.
        length: usize,
        /// The bytes that were read.
        read: usize,
    },
    /// This process may not read the other's memory: EPERM.
    #[error(fmt = process)]
    Process {
        /// The other process.
        pid: u32,
        /// What Yama allows: its `ptrace_scope`, if the kernel has it.
        ptrace_scope: Option<u32>,
    },
}

impl ExportError {
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            Self::Size { .. } | Self::NotConvertible { .. } => ErrorKind::InvalidArgument,
            Self::NoHoles | Self::Process { .. } => ErrorKind::NotPermitted,
            Self::NotMapped { .. } => ErrorKind::NotMapped,
        }
    }
}

graven_format::debug_as_display!(ExportError);

fn size(asked: &u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match asked {
        0 => f.write_str("a memory needs a size of at least 1 byte"),
        _ => write!(f, "no process can map a memory of {asked} bytes"),
    }
}

fn process(pid: &u32, ptrace_scope: &Option<u32>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "process {pid} may not be read: it is another user's, or not dumpable (PR_SET_DUMPABLE), or of another user namespace"
    )?;
    match ptrace_scope {
        None | Some(0) => Ok(()),
        Some(scope) => write!(f, "; or Yama forbids it: /proc/sys/kernel/yama/ptrace_scope is {scope}"),
    }
}
