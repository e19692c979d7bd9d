//! One error type: a cause with its facts, the file and the object it is about, and the errno it stands for.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use graven_format::{
    DirectoryError, HeaderError, LayoutMismatch, NameError, ObjectError, RegionHeaderError, SchemaError,
    UnsoundSchema, ValueError, VerifyError,
};
use nix::errno::Errno;

use crate::region::RegionError;

/// What went wrong, with which file and which object.
///
/// Prints as `FILE: object "NAME" (TYPE): CAUSE`, as far as known. [`kind`](Error::kind) is for programs to branch on,
/// [`errno`](Error::errno) for those that speak C, [`cause`](Error::cause) has the facts. Converts into
/// [`io::Error`] with the matching kind and the same message.
///
/// # Examples
/// ```
/// use graven_store::{ErrorKind, Segment};
/// let error = Segment::from_bytes(b"no segment").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidSegment);
/// assert_eq!(error.errno(), 22); // EINVAL
/// assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::InvalidInput);
/// ```
/// Cloning is cheap: a generation found bad is refused with the same error each time.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cause: Cause,
    file: Option<PathBuf>,
    object: Option<String>,
    type_name: Option<&'static str>,
}

/// What a program may want to do about an [`Error`]; each stands for one errno, but for `System`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are no segment that this build accepts, or a damaged one: EINVAL.
    InvalidSegment,
    /// The object is of another layout than the type it was adopted as: EINVAL.
    LayoutDiffers,
    /// An argument is unaligned, too small, or otherwise not acceptable: EINVAL.
    InvalidArgument,
    /// There is no such object: ENOENT.
    NotFound,
    /// There is an object or a file of that name already: EEXIST.
    AlreadyExists,
    /// The memory file may still be changed: EPERM.
    NotSealed,
    /// This process or this handle may not do that: EPERM.
    NotPermitted,
    /// A live owner has the name: EBUSY.
    Busy,
    /// It did not happen in the time given: ETIMEDOUT.
    TimedOut,
    /// The name has been retired, or its process-lifetime owner is gone: ESTALE.
    Retired,
    /// Somebody has the lock: EAGAIN.
    WouldBlock,
    /// This thread has the lock already: EDEADLK.
    Deadlock,
    /// The lock's holder died: EOWNERDEAD.
    HolderDied,
    /// The object is larger than relative offsets can span: EFBIG.
    TooLarge,
    /// The kernel refused; [`Error::errno`] is its answer.
    System,
}

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

impl Error {
    pub(crate) fn new(cause: impl Into<Cause>) -> Error {
        Error(Arc::new(Inner { cause: cause.into(), file: None, object: None, type_name: None }))
    }

    /// For `map_err` on system calls. An error of ours that came through `io::Error` is itself again.
    pub(crate) fn system<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> Error {
        move |source| {
            let source: io::Error = source.into();
            source.downcast().unwrap_or_else(|source| Error::new(Cause::System { action, source }))
        }
    }

    pub(crate) fn of_file(mut self, path: &Path) -> Error {
        if let Some(error) = Arc::get_mut(&mut self.0) {
            error.file.get_or_insert_with(|| path.to_owned());
        }
        self
    }

    pub(crate) fn of_object(mut self, name: &str) -> Error {
        if let Some(error) = Arc::get_mut(&mut self.0) {
            error.object.get_or_insert_with(|| name.to_owned());
        }
        self
    }

    pub(crate) fn of_type<T>(mut self) -> Error {
        if let Some(error) = Arc::get_mut(&mut self.0) {
            error.type_name.get_or_insert(std::any::type_name::<T>());
        }
        self
    }

    /// The cause, with its facts.
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// The file it is about, if there is one.
    pub fn file(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// The object it is about, if there is one. The root's name is empty.
    pub fn object(&self) -> Option<&str> {
        self.0.object.as_deref()
    }

    /// What a program may want to do about it.
    pub fn kind(&self) -> ErrorKind {
        match &self.0.cause {
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

    /// The error number that stands for this error; the table in `docs/errors.md` lists them.
    pub fn errno(&self) -> i32 {
        if let Cause::System { source, .. } = &self.0.cause {
            return source.raw_os_error().unwrap_or(Errno::EIO as i32);
        }
        let errno = match self.kind() {
            ErrorKind::InvalidSegment | ErrorKind::LayoutDiffers | ErrorKind::InvalidArgument => {
                Errno::EINVAL
            }
            ErrorKind::NotFound => Errno::ENOENT,
            ErrorKind::AlreadyExists => Errno::EEXIST,
            ErrorKind::NotSealed | ErrorKind::NotPermitted => Errno::EPERM,
            ErrorKind::Busy => Errno::EBUSY,
            ErrorKind::TimedOut => Errno::ETIMEDOUT,
            ErrorKind::Retired => Errno::ESTALE,
            ErrorKind::WouldBlock => Errno::EAGAIN,
            ErrorKind::Deadlock => Errno::EDEADLK,
            ErrorKind::HolderDied => Errno::EOWNERDEAD,
            ErrorKind::TooLarge => Errno::EFBIG,
            ErrorKind::System => Errno::EIO,
        };
        errno as i32
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { cause, file, object, type_name } = &*self.0;
        if let Some(file) = file {
            write!(f, "{}: ", file.display())?;
        }
        match object.as_deref() {
            Some("") => write!(f, "root")?,
            Some(name) => write!(f, "object {name:?}")?,
            None => {}
        }
        match (object, type_name) {
            (Some(_), Some(name)) => write!(f, " ({name}): ")?,
            (Some(_), None) => write!(f, ": ")?,
            (None, Some(name)) => write!(f, "{name}: ")?,
            (None, None) => {}
        }
        cause.fmt(f)
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

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("message", &self.to_string()).field("cause", self.cause()).finish()
    }
}

impl std::error::Error for Error {}

macro_rules! from {
    ($($ty:ident => $variant:ident),*) => {$(
        impl From<$ty> for Cause {
            fn from(error: $ty) -> Cause {
                Cause::$variant(error)
            }
        }
        impl From<$ty> for Error {
            fn from(error: $ty) -> Error {
                Error::new(error)
            }
        }
    )*};
}
from!(HeaderError => Header, DirectoryError => Directory, SchemaError => Schema, VerifyError => Verify,
    LayoutMismatch => Layout, NameError => Name, UnsoundSchema => Unsound, ValueError => Value, RegionError => Region,
    ObjectError => Contents);

impl From<RegionHeaderError> for Error {
    fn from(error: RegionHeaderError) -> Error {
        Error::new(RegionError::Header(error))
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = io::Error::from_raw_os_error(error.errno()).kind();
        io::Error::new(kind, error)
    }
}
