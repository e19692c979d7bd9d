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
    /// A permit has nine bits: EINVAL.
    #[error("mode {mode:#o} is above 0777, the nine bits of a permit")]
    Mode {
        /// The mode asked for.
        mode: u32,
    },
    /// The exporter has something of that name: EEXIST.
    #[error("something is exported as {name:?} already; remove it first, or rebind it")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The exporter has nothing of that name: ENOENT.
    #[error("nothing is exported as {name:?}")]
    NoName {
        /// The name.
        name: String,
    },
    /// The permit does not let this user, or not for that: EACCES.
    #[error("the permit does not let this user import it, or not for writing")]
    Denied,
    /// It may be read only: EPERM.
    #[error("it may be read only: imported for reading, or exported without importers_write(true)")]
    ReadOnly,
    /// The permit does not let the name lead to something else: EPERM.
    #[error("{name:?} leads to the same for good; make it with Permit::rebind(true)")]
    Bound {
        /// The name.
        name: String,
    },
    /// Not of the same kind and length, or not for the same access: EINVAL.
    #[error(fmt = unlike)]
    Unlike {
        /// The bytes there were.
        had: u64,
        /// The bytes there would be.
        has: u64,
    },
    /// The import is memory: EINVAL.
    #[error("it is memory and no segment; attach to it, or read_at")]
    NoSegment,
    /// The import is a segment: EINVAL.
    #[error("it is a segment, and mapped already: segment()")]
    NoMemory,
    /// The other side is no exporter of ours, or hands over what it should not: EINVAL.
    #[error("what came from the exporter is refused: {what}")]
    Protocol {
        /// What is wrong with it.
        what: &'static str,
    },
    /// It was removed, or the exporter is gone: ESTALE.
    #[error("the export was removed, or its exporter is gone; what was imported stays readable")]
    Ended,
    /// The exporter did not answer in the time given: ETIMEDOUT.
    #[error("the exporter has not answered in the time given; is it serving?")]
    Unanswered,
    /// Nothing changed in the time given: ETIMEDOUT.
    #[error("nothing has changed in the time given")]
    Unchanged,
}

impl ExportError {
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            Self::Mode { .. }
            | Self::Unlike { .. }
            | Self::NoSegment
            | Self::NoMemory
            | Self::Protocol { .. } => ErrorKind::InvalidArgument,
            Self::ReadOnly | Self::Bound { .. } => ErrorKind::NotPermitted,
            Self::NameTaken { .. } => ErrorKind::AlreadyExists,
            Self::NoName { .. } => ErrorKind::NotFound,
            Self::Denied => ErrorKind::Denied,
            Self::Ended => ErrorKind::Retired,
            Self::Unanswered | Self::Unchanged => ErrorKind::TimedOut,
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

fn unlike(had: &u64, has: &u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match had == has {
        true => f.write_str("it is of another kind, or may be written otherwise, than what there was"),
        false => write!(f, "it has {has} bytes, what there was {had}"),
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
