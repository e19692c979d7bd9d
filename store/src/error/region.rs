//! What can go wrong with a region: one enum, which [`Cause::Region`](crate::Cause::Region) carries.

use std::fmt;

use graven_format::RegionHeaderError;

use super::kind::ErrorKind;

/// Why a region could not be had, locked, read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegionError {
    /// The file is not a region that this build attaches to: EINVAL.
    Header(RegionHeaderError),
    /// There is none of that key: ENOENT.
    Absent,
    /// There is one of that key: EEXIST.
    Exists,
    /// None appeared in the time given: ETIMEDOUT.
    NotCreated,
    /// A region cannot have that size: EINVAL.
    Size {
        /// The bytes asked for.
        asked: u64,
    },
    /// The region there is smaller than asked for: EINVAL.
    Smaller {
        /// The bytes asked for.
        asked: u64,
        /// The bytes it has.
        existing: u64,
    },
    /// Something else is mapped at that address, or may not be: EBUSY.
    AddressTaken {
        /// The address asked for.
        address: usize,
        /// The bytes that have to be free from there.
        length: u64,
    },
    /// The region's pages are smaller than this machine's: EINVAL.
    Pages {
        /// The region's.
        region: u32,
        /// This machine's.
        machine: u64,
    },
    /// The handle is attached read-only, or may not write to the file: EPERM.
    ReadOnly,
    /// The region holds an archived value, which is edited as such: EPERM.
    Typed,
    /// The region holds bytes, no archived value: EINVAL.
    Untyped,
    /// The region keeps invariants of types that the type it is attached with lacks, or the other way round: EINVAL.
    OtherInvariants {
        /// The type in the region that has some, if it is one.
        kept: Option<String>,
        /// The type at the same place that has some and was asked for, if it is one.
        asked: Option<String>,
    },
    /// Not all of the range is in the region, or it is empty where it may not be: EINVAL.
    Bounds {
        /// The first byte.
        offset: u64,
        /// How many.
        length: u64,
        /// The bytes of the region.
        size: u64,
    },
    /// Somebody has the lock, or a part of it, or waits for it and comes first: EAGAIN.
    Locked,
    /// Others had the lock, or a part of it, all the time given: ETIMEDOUT.
    StillLocked,
    /// This thread has the lock, or a part of it: EDEADLK.
    Deadlock,
    /// A holder of the lock died: EOWNERDEAD.
    HolderDied,
    /// Nobody notified in the time given: ETIMEDOUT.
    NotNotified,
    /// The process that created the region was killed: ESTALE.
    OwnerDied,
    /// The region has no name any more: ENOENT.
    Unlinked,
    /// Somebody has a lock that is had for a moment to remove the name, and keeps it: EBUSY.
    Kept,
    /// The saved region is of another size: EINVAL.
    SavedSize {
        /// The bytes saved.
        saved: u64,
        /// The bytes of the region.
        size: u64,
    },
    /// The saved region has its value elsewhere than this one: EINVAL.
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
            | Self::Bounds { .. }
            | Self::SavedSize { .. }
            | Self::SavedElsewhere => ErrorKind::InvalidArgument,
            Self::AddressTaken { .. } | Self::Kept => ErrorKind::Busy,
            Self::ReadOnly | Self::Typed => ErrorKind::NotPermitted,
            Self::Locked => ErrorKind::WouldBlock,
            Self::Deadlock => ErrorKind::Deadlock,
            Self::HolderDied => ErrorKind::HolderDied,
            Self::OwnerDied => ErrorKind::Retired,
        }
    }
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(error) => error.fmt(f),
            Self::Absent => write!(f, "no such region; create it, or wait for it"),
            Self::Exists => write!(f, "the region exists; attach to it, or unlink it"),
            Self::NotCreated => write!(f, "no such region appeared in the time given"),
            Self::Size { asked: 0 } => write!(f, "a region needs a size of at least 1 byte"),
            Self::Size { asked } => write!(f, "no file can hold a region of {asked} bytes"),
            Self::Smaller { asked, existing } => {
                write!(
                    f,
                    "the region has {existing} bytes, {asked} were asked for; ask for 0 to take it as it is"
                )
            }
            Self::AddressTaken { address, length } => write!(
                f,
                "address {address:#x} is taken, or one of the {length} bytes from there; choose another, or any"
            ),
            Self::Pages { region, machine } => write!(
                f,
                "the region has pages of {region} bytes, this machine of {machine}; create it on this machine"
            ),
            Self::ReadOnly => write!(f, "the handle is attached read-only; attach for writing"),
            Self::Typed => write!(f, "the region holds an archived value; attach with its type to edit it"),
            Self::Untyped => write!(f, "the region holds bytes, no archived value; attach without a type"),
            Self::OtherInvariants { kept, asked } => {
                let of = |name: &Option<String>| match name {
                    Some(name) => format!("those of {name}"),
                    None => "none".into(),
                };
                write!(
                    f,
                    "the region keeps invariants of its own, {}, where the type asked for has {}; attach with the type it was created with",
                    of(kept),
                    of(asked)
                )
            }
            Self::Bounds { offset, length: 0, size } => {
                write!(f, "an empty range at offset {offset} of {size} bytes cannot be locked")
            }
            Self::Bounds { offset, length, size } => {
                write!(f, "{length} bytes at offset {offset} are not in the region's {size}")
            }
            Self::Locked => write!(f, "somebody has the lock, or comes first; try later, or wait for it"),
            Self::StillLocked => write!(f, "somebody had the lock all the time given"),
            Self::Deadlock => write!(f, "this thread has the lock already; drop its guard first"),
            Self::HolderDied => {
                write!(f, "a holder of the lock died; check the contents before relying on them")
            }
            Self::NotNotified => write!(f, "no notification came in the time given"),
            Self::OwnerDied => write!(f, "the region's owner was killed; nobody may be left to notify"),
            Self::Unlinked => write!(f, "the region has no name any more, or its name is another's by now"),
            Self::Kept => {
                write!(
                    f,
                    "for 2 s somebody has kept the lock to remove the region's name; end whoever has the file open (fuser, lsof), or remove the file"
                )
            }
            Self::SavedSize { saved, size } => {
                write!(f, "the file holds a region of {saved} bytes, this one has {size}")
            }
            Self::SavedElsewhere => {
                write!(
                    f,
                    "the file has its value at another place than this region; it was not saved from it"
                )
            }
        }
    }
}

impl std::error::Error for RegionError {}
