//! What can go wrong with a region: one enum, which [`Cause::Region`](crate::Cause::Region) carries.

use std::fmt;

use graven_format::HeaderError;

use super::kind::ErrorKind;

/// Why a region could not be had, locked, read or written.
#[derive(thiserror::Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegionError {
    /// The file is not a region that this build attaches to: EINVAL.
    #[error("{0}; or remove the file, and create the region again")]
    Header(HeaderError),
    /// There is none of that key: ENOENT.
    #[error("no such region; create it, or wait for it")]
    Absent,
    /// There is one of that key: EEXIST.
    #[error("the region exists; attach to it, or unlink it")]
    Exists,
    /// None appeared in the time given: ETIMEDOUT.
    #[error("no such region appeared in the time given")]
    NotCreated,
    /// A region cannot have that size: EINVAL.
    #[error(fmt = size)]
    Size {
        /// The bytes asked for.
        asked: u64,
    },
    /// The region there is smaller than asked for: EINVAL.
    #[error("the region has {existing} bytes, {asked} were asked for; ask for 0 to take it as it is")]
    Smaller {
        /// The bytes asked for.
        asked: u64,
        /// The bytes it has.
        existing: u64,
    },
    /// The region's pages are smaller than this machine's: EINVAL.
    #[error("the region has pages of {region} bytes, this machine of {machine}; create it on this machine")]
    Pages {
        /// The region's.
        region: u32,
        /// This machine's.
        machine: u64,
    },
    /// The handle is attached read-only, or may not write to the file: EPERM.
    #[error("the handle is attached read-only; attach for writing")]
    ReadOnly,
    /// The region holds an archived value, which is edited as such: EPERM.
    #[error("the region holds an archived value; attach with its type to edit it")]
    Typed,
    /// The region holds bytes, no archived value: EINVAL.
    #[error("the region holds bytes, no archived value; attach without a type")]
    Untyped,
    /// The region keeps invariants of types that the type it is attached with lacks, or the other way round: EINVAL.
    #[error(fmt = other_invariants)]
    OtherInvariants {
        /// The type in the region that has some, if it is one.
        kept: Option<String>,
        /// The type at the same place that has some and was asked for, if it is one.
        asked: Option<String>,
    },
    /// Somebody has the lock, or a part of it, or waits for it and comes first: EAGAIN.
    #[error("somebody has the lock, or comes first; try later, or wait for it")]
    Locked,
    /// Others had the lock, or a part of it, or came first, all the time given: ETIMEDOUT.
    #[error("others had the lock, or came first, all the time given")]
    StillLocked,
    /// This thread has the lock, or a part of it: EDEADLK.
    #[error("this thread has the lock already; drop its guard first")]
    Deadlock,
    /// A holder of the lock died: EOWNERDEAD.
    #[error("a holder of the lock died; check the contents before relying on them")]
    HolderDied,
    /// Nobody notified in the time given: ETIMEDOUT.
    #[error("no notification came in the time given")]
    NotNotified,
    /// The process that created the region was killed: ESTALE.
    #[error("the region's owner was killed; nobody may be left to notify")]
    OwnerDied,
    /// The region has no name any more: ENOENT.
    #[error("the region has no name any more, or its name is another's by now")]
    Unlinked,
    /// Somebody has a lock that is had for a moment to remove the name, and keeps it: EBUSY.
    #[error(
        "for 2 s somebody has kept the lock to remove the region's name; end whoever has the file open (fuser, lsof), or remove the file"
    )]
    Kept,
    /// The saved region is of another size: EINVAL.
    #[error("the file holds a region of {saved} bytes, this one has {size}")]
    SavedSize {
        /// The bytes saved.
        saved: u64,
        /// The bytes of the region.
        size: u64,
    },
    /// The saved region has its value elsewhere than this one: EINVAL.
    #[error("the file has its value at another place than this region; it was not saved from it")]
    SavedElsewhere,
}

impl RegionError {
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            Self::Header(_) => ErrorKind::InvalidSegment,
            Self::Absent | Self::Unlinked => ErrorKind::NotFound,
            Self::Exists => ErrorKind::AlreadyExists,
            Self::NotCreated | Self::StillLocked | Self::NotNotified => ErrorKind::TimedOut,
            Self::Size { .. }
            | Self::Smaller { .. }
            | Self::Pages { .. }
            | Self::Untyped
            | Self::OtherInvariants { .. }
            | Self::SavedSize { .. }
            | Self::SavedElsewhere => ErrorKind::InvalidArgument,
            Self::Kept => ErrorKind::Busy,
            Self::ReadOnly | Self::Typed => ErrorKind::NotPermitted,
            Self::Locked => ErrorKind::WouldBlock,
            Self::Deadlock => ErrorKind::Deadlock,
            Self::HolderDied => ErrorKind::HolderDied,
            Self::OwnerDied => ErrorKind::Retired,
        }
    }
}

graven_format::debug_as_display!(RegionError);

fn size(asked: &u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match asked {
        0 => f.write_str("a region needs a size of at least 1 byte"),
        _ => write!(f, "no file can hold a region of {asked} bytes"),
    }
}

fn other_invariants(
    kept: &Option<String>,
    asked: &Option<String>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let of = |name: &Option<String>| name.as_ref().map_or("none".into(), |name| format!("those of {name}"));
    write!(
        f,
        "the region keeps invariants of its own, {}, where the type asked for has {}; attach with the type it was created with",
        of(kept),
        of(asked)
    )
}
