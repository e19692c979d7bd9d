//! What went wrong, with the facts: one variant per task that failed.

use std::fmt;
use std::io;

use graven_format::{
    DirectoryError, HeaderError, LayoutMismatch, NameError, ObjectError, RegionHeaderError, SchemaError,
    UnsoundSchema, ValueError, VerifyError,
};

use super::kind::ErrorKind;
use super::region::RegionError;

/// Why: one variant per task that failed, with the facts.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The header is not one that this build accepts.
    Header(HeaderError),
    /// The directory is damaged.
    Directory(DirectoryError),
    /// A schema table is damaged.
    Schema(SchemaError),
    /// A schema can be read, but not followed into an object.
    Unsound(UnsoundSchema),
    /// A value without types did not give what it was asked for: for programs that let these errors through as ours.
    Value(ValueError),
    /// [`crate::Segment::verify`] found damage.
    Verify(VerifyError),
    /// The object's layout is not that of the type.
    Layout(LayoutMismatch),
    /// The object's bytes are not a valid value of the type.
    Contents(ObjectError),
    /// The segment has no object of that name.
    NoObject {
        /// Some of the names there are.
        present: Vec<String>,
        /// How many objects there are.
        count: u64,
    },
    /// The segment being written has an object of that name already.
    ObjectExists,
    /// The name may not be an object's.
    Name(NameError),
    /// Checking readers would refuse the type's layout, so that it is not written.
    Unwritable(UnsoundSchema),
    /// A type needs a larger alignment than the segment's pages give.
    Overaligned {
        /// The largest alignment in the object's schema.
        align: u32,
        /// The segment's page size.
        page_size: u32,
    },
    /// A name cannot count to that generation: the last one is 2^63 - 1.
    Exhausted {
        /// The generation that the name has, or would have next.
        generation: u64,
    },
    /// A number has to be a multiple of a page size.
    Unaligned {
        /// Which number.
        what: &'static str,
        /// Its value.
        got: u64,
        /// What it has to be a multiple of.
        align: u64,
    },
    /// A page size that segments cannot have.
    PageSize {
        /// Its value.
        got: u32,
    },
    /// File offset and length together pass the end of all files.
    RunOverflows {
        /// The file offset.
        file_offset: u64,
        /// The length.
        length: u64,
    },
    /// The run of the file is too short for the value.
    RunTooShort {
        /// The bytes that the value needs.
        needed: u64,
        /// The bytes that the run has.
        given: u64,
    },
    /// The descriptor is open for appending, and pwrite(2) then ignores the offset.
    Appending,
    /// A position in the object passes what relative offsets of this build reach.
    TooLarge {
        /// The largest position.
        limit: u64,
    },
    /// rkyv could not serialize the value.
    Serialize {
        /// rkyv's words.
        message: String,
    },
    /// Lookups in a map of the value would not find all its keys: they hash or compare otherwise than what they are
    /// archived as.
    Keys(ObjectError),
    /// rkyv could not deserialize the value.
    Deserialize {
        /// rkyv's words.
        message: String,
    },
    /// The object to be copied is not what its checksum says.
    Checksum {
        /// As recorded in the directory.
        recorded: u64,
        /// Of the bytes there are.
        computed: u64,
    },
    /// The file is a directory, a device, a pipe or a socket.
    NotRegular,
    /// The memory file lacks seals that [`crate::Segment::map_sealed`] relies on.
    NotSealed {
        /// The missing ones.
        missing: &'static str,
    },
    /// The handle was made before a fork, in the parent of this process.
    Forked,
    /// Store names are 1 to 200 bytes of `[A-Za-z0-9._-]`, without a leading dot.
    StoreName {
        /// The name that is none.
        name: String,
    },
    /// The store has no such name, or nothing has been published under it.
    NoName,
    /// The control page of a name is not one that this build reads.
    Control {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A live owner has the name.
    Owned,
    /// It did not happen in the time given.
    TimedOut,
    /// The name has been retired.
    Retired,
    /// Something else than graven has removed the name's lock, page or FIFO, or put others in their place.
    Removed,
    /// The owner of a name that lives as long as its process is gone.
    OwnerGone,
    /// The directory for the user's own store is not the user's alone.
    NotPrivate {
        /// In what way.
        what: &'static str,
    },
    /// A region could not be had, locked, read or written.
    Region(RegionError),
    /// A system call failed.
    System {
        /// What was being done.
        action: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl Cause {
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            Cause::Header(_)
            | Cause::Directory(_)
            | Cause::Schema(_)
            | Cause::Unsound(_)
            | Cause::Verify(_)
            | Cause::Contents(_)
            | Cause::Deserialize { .. }
            | Cause::Checksum { .. } => ErrorKind::InvalidSegment,
            Cause::Value(error) if error.is_damage() => ErrorKind::InvalidSegment,
            Cause::Value(_) => ErrorKind::InvalidArgument,
            Cause::Layout(_) => ErrorKind::LayoutDiffers,
            Cause::NoObject { .. } => ErrorKind::NotFound,
            Cause::ObjectExists => ErrorKind::AlreadyExists,
            Cause::Name(_)
            | Cause::Unwritable(_)
            | Cause::Overaligned { .. }
            | Cause::Exhausted { .. }
            | Cause::Unaligned { .. }
            | Cause::PageSize { .. }
            | Cause::RunOverflows { .. }
            | Cause::RunTooShort { .. }
            | Cause::Appending
            | Cause::Serialize { .. }
            | Cause::Keys(_)
            | Cause::NotRegular => ErrorKind::InvalidArgument,
            Cause::TooLarge { .. } => ErrorKind::TooLarge,
            Cause::NotSealed { .. } => ErrorKind::NotSealed,
            Cause::Forked | Cause::NotPrivate { .. } => ErrorKind::NotPermitted,
            Cause::StoreName { .. } => ErrorKind::InvalidArgument,
            Cause::NoName => ErrorKind::NotFound,
            Cause::Control { .. } => ErrorKind::InvalidSegment,
            Cause::Owned => ErrorKind::Busy,
            Cause::TimedOut => ErrorKind::TimedOut,
            Cause::Retired | Cause::OwnerGone | Cause::Removed => ErrorKind::Retired,
            Cause::Region(error) => error.kind(),
            Cause::System { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
                _ => ErrorKind::System,
            },
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Header(error) => error.fmt(f),
            Cause::Directory(error) => error.fmt(f),
            Cause::Schema(error) => error.fmt(f),
            Cause::Unsound(error) => error.fmt(f),
            Cause::Value(error) => error.fmt(f),
            Cause::Verify(error) => error.fmt(f),
            Cause::Layout(error) => error.fmt(f),
            Cause::Name(error) => error.fmt(f),
            Cause::Contents(error) => write!(f, "contents are not valid: {error}"),
            Cause::NoObject { present, count } => {
                write!(f, "no such object; the segment has ")?;
                for (i, name) in present.iter().enumerate() {
                    write!(f, "{}{name:?}", if i == 0 { "" } else { ", " })?;
                }
                match *count - present.len() as u64 {
                    0 if present.is_empty() => write!(f, "none"),
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Cause::ObjectExists => write!(f, "the segment has an object of this name already"),
            Cause::Unwritable(error) => write!(f, "not written, as readers would refuse it: {error}"),
            Cause::Overaligned { align, page_size } => {
                write!(f, "needs alignment {align}, above the page size {page_size}; write with larger pages")
            }
            Cause::Exhausted { generation } => write!(
                f,
                "generation {generation} is above 2^63 - 1, the last that a name counts to; save it under another name, \
                 which starts anew, and remove this one"
            ),
            Cause::Unaligned { what, got, align } => write!(f, "{what} {got} is no multiple of {align}"),
            Cause::PageSize { got } => {
                write!(f, "page size {got} is not a power of two from 4096 to 65536")
            }
            Cause::RunOverflows { file_offset, length } => {
                write!(f, "a run of {length} bytes at file offset {file_offset} passes the end of any file")
            }
            Cause::RunTooShort { needed, given } => write!(
                f,
                "the value needs {needed} bytes, the run has {given}; ask encoded_len again if the value has changed"
            ),
            Cause::Appending => {
                write!(f, "the descriptor is open for appending (O_APPEND); open the file without")
            }
            Cause::TooLarge { limit } => write!(
                f,
                "the archived object passes {limit} bytes, the reach of {}-bit relative offsets{}",
                8 * u32::from(graven_format::Payload::NATIVE.offset_width),
                match graven_format::Payload::NATIVE.offset_width {
                    8 => "",
                    _ => "; split it into several objects, or build with the feature pointer_width_64",
                }
            ),
            Cause::Serialize { message } => write!(f, "cannot be serialized: {message}"),
            Cause::Keys(error) => write!(
                f,
                "lookups would not find every key of a map once it is archived: {error}. Write it by its archived keys: \
                 `#[graven::object]` on the struct that has the map as a field, or \
                 `#[rkyv(with = graven::with::ArchivedKeys)]` on the field"
            ),
            Cause::Deserialize { message } => write!(f, "cannot be deserialized: {message}"),
            Cause::Checksum { recorded, computed } => {
                write!(f, "damaged: its checksum is {computed:016x}, the directory says {recorded:016x}")
            }
            Cause::NotRegular => write!(f, "not a regular file"),
            Cause::NotSealed { missing } => write!(
                f,
                "the memory file lacks {missing}; seal it, or use the unsafe map if nobody changes it"
            ),
            Cause::Forked => write!(f, "the handle belongs to the parent of this process; attach again"),
            Cause::StoreName { name } => {
                write!(f, "{name:?} cannot name a segment: 1 to 200 bytes of A-Z a-z 0-9 . _ -, no dot first")
            }
            Cause::NoName => write!(f, "no such name, or nothing published under it yet"),
            Cause::Control { what } => write!(f, "not a name's control page: {what}; remove the name"),
            Cause::Owned => write!(f, "a live owner has the name"),
            Cause::TimedOut => write!(f, "nothing published in the time given"),
            Cause::Retired => write!(f, "the name has been retired; attach again to what follows it"),
            Cause::Removed => write!(
                f,
                "the name's files were removed; own the name, or attach, again, and keep cleaners of old files away from it"
            ),
            Cause::OwnerGone => {
                write!(
                    f,
                    "the owner is gone and the name lives as long as its owner; attach again to the next"
                )
            }
            Cause::NotPrivate { what } => write!(f, "{what}; name a directory of your own with Store::open"),
            Cause::Region(error) => error.fmt(f),
            Cause::System { action, source } => write!(f, "cannot {action}: {source}"),
        }
    }
}

macro_rules! from {
    ($($ty:ident => $variant:ident),*) => {$(
        impl From<$ty> for Cause {
            fn from(error: $ty) -> Cause {
                Cause::$variant(error)
            }
        }
    )*};
}
from!(HeaderError => Header, DirectoryError => Directory, SchemaError => Schema, VerifyError => Verify,
    LayoutMismatch => Layout, NameError => Name, UnsoundSchema => Unsound, ValueError => Value, RegionError => Region,
    ObjectError => Contents);

impl From<RegionHeaderError> for Cause {
    fn from(error: RegionHeaderError) -> Cause {
        Cause::Region(RegionError::Header(error))
    }
}
