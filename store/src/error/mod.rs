//! One error type: a cause with its facts, the file and the object it is about, and the errno it stands for.

mod cause;
mod export;
mod kind;
mod region;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;

pub use cause::Cause;
pub use export::ExportError;
pub use kind::ErrorKind;
pub use region::RegionError;

/// A `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, with which file and which object.
///
/// Prints as `FILE: object "NAME" (TYPE): CAUSE`, as far as known. [`kind`](Error::kind) is for programs to branch on,
/// [`errno`](Error::errno) for those that speak C, [`cause`](Error::cause) has the facts. Converts into
/// [`io::Error`] with the matching kind and the same message. Its `Debug` is the message too, so that a `main` that returns
/// one prints it; where layouts differ, all differences, a line each.
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
pub struct Error(Arc<Facts>);

struct Facts {
    cause: Cause,
    file: Option<PathBuf>,
    object: Option<String>,
    type_name: Option<&'static str>,
}

impl Error {
    pub(crate) fn new(cause: impl Into<Cause>) -> Error {
        Error(Arc::new(Facts { cause: cause.into(), file: None, object: None, type_name: None }))
    }

    /// For `map_err` on system calls. An error of ours that came through `io::Error` is itself again.
    pub(crate) fn system<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> Error {
        move |error| {
            let error: io::Error = error.into();
            error.downcast().unwrap_or_else(|error| Error::new(Cause::System { action, error }))
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
        self.0.cause.kind()
    }

    /// The error number that stands for this error; the table in `docs/errors.md` lists them.
    pub fn errno(&self) -> i32 {
        if let Cause::System { error, .. } = &self.0.cause {
            return error.raw_os_error().unwrap_or(Errno::EIO as i32);
        }
        let errno = match self.kind() {
            ErrorKind::InvalidSegment | ErrorKind::LayoutDiffers | ErrorKind::InvalidArgument => {
                Errno::EINVAL
            }
            ErrorKind::NotFound => Errno::ENOENT,
            ErrorKind::AlreadyExists => Errno::EEXIST,
            ErrorKind::NotSealed | ErrorKind::NotPermitted => Errno::EPERM,
            ErrorKind::Denied => Errno::EACCES,
            ErrorKind::Busy => Errno::EBUSY,
            ErrorKind::TimedOut => Errno::ETIMEDOUT,
            ErrorKind::Retired => Errno::ESTALE,
            ErrorKind::WouldBlock => Errno::EAGAIN,
            ErrorKind::Deadlock => Errno::EDEADLK,
            ErrorKind::HolderDied => Errno::EOWNERDEAD,
            ErrorKind::TooLarge => Errno::EFBIG,
            ErrorKind::NotMapped => Errno::EFAULT,
            ErrorKind::System => Errno::EIO,
        };
        errno as i32
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Facts { cause, file, object, type_name } = &*self.0;
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

graven_format::debug_as_display!(Error);

impl std::error::Error for Error {}

impl<C: Into<Cause>> From<C> for Error {
    fn from(cause: C) -> Error {
        Error::new(cause)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = io::Error::from_raw_os_error(error.errno()).kind();
        io::Error::new(kind, error)
    }
}
