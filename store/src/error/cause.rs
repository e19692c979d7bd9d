//! What went wrong, with the facts: one variant per task that failed.

use std::fmt;
use std::io;

use graven_format::{
    DirectoryError, HeaderError, LayoutMismatch, NameError, ObjectError, Payload, SchemaError, UnsoundSchema,
    ValueError, VerifyError,
};

use super::export::ExportError;
use super::kind::ErrorKind;
use super::region::RegionError;

/// Why: one variant per task that failed, with the facts.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The header is not one that this build accepts.
    #[error(transparent)]
    Header(HeaderError),
    /// The directory is damaged.
    #[error(transparent)]
    Directory(DirectoryError),
    /// A schema table is damaged.
    #[error(transparent)]
    Schema(SchemaError),
    /// A schema can be read, but not followed into an object.
    #[error(transparent)]
    Unsound(UnsoundSchema),
    /// A value without types did not give what it was asked for: for programs that let these errors through as ours.
    #[error(transparent)]
    Value(ValueError),
    /// [`crate::Segment::verify`] found damage.
    #[error(transparent)]
    Verify(VerifyError),
    /// The object's layout is not that of the type.
    #[error(transparent)]
    Layout(LayoutMismatch),
    /// The object's bytes are not a valid value of the type.
    #[error("contents are not valid: {0}")]
    Contents(ObjectError),
    /// The segment has no object of that name.
    #[error(fmt = no_object)]
    NoObject {
        /// Some of the names there are.
        present: Vec<String>,
        /// How many objects there are.
        count: u64,
    },
    /// The segment being written has an object of that name already.
    #[error("the segment has an object of this name already")]
    ObjectExists,
    /// The name may not be an object's.
    #[error(transparent)]
    Name(NameError),
    /// Checking readers would refuse the type's layout, so that it is not written.
    #[error("not written, as readers would refuse it: {0}")]
    Unwritable(UnsoundSchema),
    /// A type needs a larger alignment than the segment's pages give.
    #[error("needs alignment {align}, above the page size {page_size}; write with larger pages")]
    Overaligned {
        /// The largest alignment in the object's schema.
        align: u32,
        /// The segment's page size.
        page_size: u32,
    },
    /// A name cannot count to that generation: the last one is 2^63 - 1.
    #[error(
        "generation {generation} is above 2^63 - 1, the last that a name counts to; save it under another name, which starts anew, and remove this one"
    )]
    Exhausted {
        /// The generation that the name has, or would have next.
        generation: u64,
    },
    /// A number has to be a multiple of a page size.
    #[error("{what} {got} is no multiple of {align}")]
    Unaligned {
        /// Which number.
        what: &'static str,
        /// Its value.
        got: u64,
        /// What it has to be a multiple of.
        align: u64,
    },
    /// A page size that segments cannot have.
    #[error("page size {got} is not a power of two from 4096 to 65536")]
    PageSize {
        /// Its value.
        got: u32,
    },
    /// File offset and length together pass the end of all files.
    #[error("a run of {length} bytes at file offset {file_offset} passes the end of any file")]
    RunOverflows {
        /// The file offset.
        file_offset: u64,
        /// The length.
        length: u64,
    },
    /// Not all of the range is in the region or memory, or it is empty where it may not be.
    #[error(fmt = bounds)]
    Bounds {
        /// The first byte.
        offset: u64,
        /// How many.
        length: u64,
        /// The bytes that there are.
        size: u64,
    },
    /// Something else is mapped at that address, or may not be.
    #[error("address {address:#x} is taken, or one of the {length} bytes from there; choose another, or any")]
    AddressTaken {
        /// The address asked for.
        address: usize,
        /// The bytes that have to be free from there.
        length: u64,
    },
    /// The run of the file is too short for the value.
    #[error(
        "the value needs {needed} bytes, the run has {given}; ask encoded_len again if the value has changed"
    )]
    RunTooShort {
        /// The bytes that the value needs.
        needed: u64,
        /// The bytes that the run has.
        given: u64,
    },
    /// The descriptor is open for appending, and pwrite(2) then ignores the offset.
    #[error("the descriptor is open for appending (O_APPEND); open the file without")]
    Appending,
    /// A position in the object passes what relative offsets of this build reach.
    #[error(fmt = too_large)]
    TooLarge {
        /// The largest position.
        limit: u64,
    },
    /// rkyv could not serialize the value.
    #[error("cannot be serialized: {message}")]
    Serialize {
        /// rkyv's words.
        message: String,
    },
    /// Lookups in a map of the value would not find all its keys: they hash or compare otherwise than what they are
    /// archived as.
    #[error(
        "lookups would not find every key of a map once it is archived: {0}. Write it by its archived keys: `#[graven::object]` on the struct that has the map as a field, or `#[rkyv(with = graven::with::ArchivedKeys)]` on the field"
    )]
    Keys(ObjectError),
    /// rkyv could not deserialize the value.
    #[error("cannot be deserialized: {message}")]
    Deserialize {
        /// rkyv's words.
        message: String,
    },
    /// The file is a directory, a device, a pipe or a socket.
    #[error("not a regular file")]
    NotRegular,
    /// The memory file lacks seals that [`crate::Segment::map_sealed`] relies on.
    #[error("the memory file lacks {missing}; seal it, or use the unsafe map if nobody changes it")]
    NotSealed {
        /// The missing ones.
        missing: &'static str,
    },
    /// The handle was made before a fork, in the parent of this process.
    #[error("the handle belongs to the parent of this process; attach again")]
    Forked,
    /// Store names are 1 to 200 bytes of `[A-Za-z0-9._-]`, without a leading dot.
    #[error("{name:?} cannot name a segment: 1 to 200 bytes of A-Z a-z 0-9 . _ -, no dot first")]
    StoreName {
        /// The name that is none.
        name: String,
    },
    /// The store has no such name, or nothing has been published under it.
    #[error("no such name, or nothing published under it yet")]
    NoName,
    /// The control page of a name is not one that this build reads.
    #[error("not a name's control page: {what}; remove the name")]
    Control {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A live owner has the name.
    #[error("a live owner has the name")]
    Owned,
    /// It did not happen in the time given.
    #[error("nothing published in the time given")]
    TimedOut,
    /// The name has been retired.
    #[error("the name has been retired; attach again to what follows it")]
    Retired,
    /// Something else than graven has removed the name's lock, page or FIFO, or put others in their place.
    #[error(
        "the name's files were removed; own the name, or attach, again, and keep cleaners of old files away from it"
    )]
    Removed,
    /// The owner of a name that lives as long as its process is gone.
    #[error("the owner is gone and the name lives as long as its owner; attach again to the next")]
    OwnerGone,
    /// The directory for the user's own store is not the user's alone.
    #[error("{what}; name a directory of your own with Store::open")]
    NotPrivate {
        /// In what way.
        what: &'static str,
    },
    /// A region could not be had, locked, read or written.
    #[error(transparent)]
    Region(RegionError),
    /// Memory could not be handed over, changed or read.
    #[error(transparent)]
    Export(ExportError),
    /// A system call failed.
    #[error("cannot {action}: {error}")]
    System {
        /// What was being done.
        action: &'static str,
        /// The kernel's answer.
        error: io::Error,
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
            | Cause::Deserialize { .. } => ErrorKind::InvalidSegment,
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
            | Cause::Bounds { .. }
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
            Cause::Owned | Cause::AddressTaken { .. } => ErrorKind::Busy,
            Cause::TimedOut => ErrorKind::TimedOut,
            Cause::Retired | Cause::OwnerGone | Cause::Removed => ErrorKind::Retired,
            Cause::Region(error) => error.kind(),
            Cause::Export(error) => error.kind(),
            Cause::System { error, .. } => match error.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
                _ => ErrorKind::System,
            },
        }
    }
}

graven_format::debug_as_display!(Cause);

fn no_object(present: &[String], count: &u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("no such object; the segment has ")?;
    for (i, name) in present.iter().enumerate() {
        write!(f, "{}{name:?}", if i == 0 { "" } else { ", " })?;
    }
    match count - present.len() as u64 {
        0 if present.is_empty() => f.write_str("none"),
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

fn bounds(offset: &u64, length: &u64, size: &u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match length {
        0 => write!(f, "an empty range at offset {offset} of {size} bytes is none"),
        _ => write!(f, "{length} bytes at offset {offset} are not in the {size} that there are"),
    }
}

fn too_large(limit: &u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let width = Payload::NATIVE.offset_width;
    let remedy = match width {
        8 => "",
        _ => "; split it into several objects, or build with the feature pointer_width_64",
    };
    let bits = 8 * u32::from(width);
    write!(f, "the archived object passes {limit} bytes, the reach of {bits}-bit relative offsets{remedy}")
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
    LayoutMismatch => Layout, NameError => Name, UnsoundSchema => Unsound, ValueError => Value, RegionError => Region, ExportError => Export,
    ObjectError => Contents);
