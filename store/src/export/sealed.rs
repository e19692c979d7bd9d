//! Values that nobody can change any more: the kernel says so, to everybody who gets the descriptor.
//!
//! ```text
//! make the memory, which nobody executes; mode 0400, before anything of it leaves
//! write the segment with pwrite(2): no room is an error, and no mapping is in the seal's way
//! seal it: no shorter, no longer, never written, no further seals
//! open it again for reading, and close the descriptor that could write
//! ```
//! The last step is for the mode's sake, and for kernels before 6.7, which refuse to map a descriptor shared that could write
//! where writing is sealed.

use std::fmt;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use graven_format::Header;
use graven_format::layout::Layout;
use nix::fcntl::SealFlag;
use nix::sys::stat::Mode;
use rkyv::{Archive, Serialize};

use super::handed::{Exported, Handed};
use super::protocol::Kind;
use crate::names::Draft;
use crate::os::held::Process;
use crate::os::{memfd, room};
use crate::write::build::Build;
use crate::write::stream::{Serializer, Stream};
#[cfg(doc)]
use crate::{Cause, Owner, Writer};
use crate::{Error, Result, Segment};

/// A segment in memory that nobody can change any more, not even this process, to be handed to others by descriptor.
///
/// A handle: cloning shares descriptor and mapping. The descriptor is open for reading only; whoever gets it, as a child's
/// standard input or over a socket, adopts the segment with [`Segment::map_sealed`], which is safe and copies nothing.
/// Other processes of the same user open [`path`](Export::path). The memory lives until the last descriptor and the last
/// mapping of it are gone.
///
/// In a forked child it stays what it is.
///
/// # Examples
/// ```
/// use graven_store::{Export, Segment};
/// let export = Export::new(&vec![2u32, 3, 5, 7])?;
///
/// // Another process, which has the descriptor:
/// let segment = Segment::map_sealed(&export)?;
/// assert_eq!(segment.root::<Vec<u32>>()?[3], 7);
/// # Ok::<(), graven_store::Error>(())
/// ```
/// A program that starts another with the segment as its standard input, and no `unsafe` on either side:
/// ```no_run
/// # use graven_store::{Export, Segment};
/// # use std::{os::fd::AsFd, process::{Command, Stdio}};
/// let export = Export::new(&vec![2u32, 3, 5, 7])?;
/// let stdin = Stdio::from(export.as_fd().try_clone_to_owned()?);
/// Command::new("worker").stdin(stdin).spawn()?;
///
/// // The worker:
/// let primes = Segment::map_sealed(std::io::stdin())?.root::<Vec<u32>>()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// Source: SPEC 8; memfd_create(2), fcntl(2), "File sealing".
#[derive(Clone)]
pub struct Export(Arc<Sealed>);

struct Sealed {
    /// Open for reading.
    fd: OwnedFd,
    segment: Segment,
}

impl Export {
    /// A segment with one value as its root.
    ///
    /// Cost: one serialization, streamed into fresh memory, and some 12 system calls. See [`Writer`] for the memory it takes.
    ///
    /// # Errors
    /// - As [`Writer::put`].
    /// - [`Cause::System`]: no memory (ENOSPC), which the system's estimate and the limits of control groups say before any
    ///   is touched; a segment above the process's limit of file sizes (EFBIG), without its signal; EMFILE; ENOMEM; and
    ///   EOPNOTSUPP where /proc is not mounted, or the kernel has no such memory.
    ///
    /// # Examples
    /// See [`Export`].
    pub fn new<T>(value: &T) -> Result<Export>
    where
        T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
    {
        Export::with(|draft| draft.put("", value))
    }

    /// A segment of several objects, written or copied by `make`, as with [`Owner::publish_with`].
    ///
    /// # Errors
    /// Those of `make`, and as [`new`](Export::new). A child that `make` forks has [`Cause::Forked`] (EPERM).
    ///
    /// # Examples
    /// ```
    /// use graven_store::Export;
    /// let users = Export::with(|draft| draft.put("users", &vec!["ann".to_string()]))?;
    /// let both = Export::with(|draft| {
    ///     draft.copy(users.segment(), "users")?;
    ///     draft.put("routes", &vec![1u32, 2])
    /// })?;
    /// assert_eq!(both.segment().get::<Vec<u32>>("routes")?.len(), 2);
    /// # Ok::<(), graven_store::Error>(())
    /// ```
    pub fn with(make: impl FnOnce(&mut Draft<'_>) -> Result<()>) -> Result<Export> {
        let process = Process::current().map_err(Error::system("watch for forks"))?;
        Export::seal(|file, limits| {
            let handle = file.try_clone().map_err(Error::system("duplicate the descriptor"))?;
            // What passes the limits is counted, not written.
            let stream = Stream::to_file(handle, 0, limits.longest.min(limits.room), process);
            let mut build = Build::new(stream, Header::MIN_PAGE_SIZE, 0)?;
            make(&mut Draft::new((&mut build, None), None))?;
            let (summary, header, stream) = build.finish(0)?;
            limits.check(summary.length)?;
            // An object that failed may have left bytes behind the end.
            file.set_len(summary.length).map_err(Error::system("set the memory's length"))?;
            stream.write_at(0, &header.encode()).map_err(Error::new)
        })
    }

    /// The bytes of an open segment: to give a file to a process that may not open it, or to keep it as it is now.
    ///
    /// Nothing is checked but the header, which was when it was opened: who adopts checks what is adopted. Cost: O(bytes).
    ///
    /// # Errors
    /// [`Cause::System`], as [`new`](Export::new).
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("seven.grv");
    /// graven_store::write(&path, &7u64)?;
    /// let export = graven_store::Export::of(&graven_store::Segment::read(&path)?)?;
    /// std::fs::remove_file(&path)?;
    /// assert_eq!(*export.segment().root::<u64>()?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(segment: &Segment) -> Result<Export> {
        Export::seal(|file, limits| {
            let bytes = segment.as_bytes();
            limits.check(bytes.len() as u64)?;
            file.write_all_at(bytes, 0).map_err(Error::system("write the memory"))
        })
    }

    fn seal(write: impl FnOnce(&File, &Limits) -> Result<()>) -> Result<Export> {
        let file = memfd::create(c"graven-export", Mode::S_IRUSR)?;
        write(&file, &Limits { longest: memfd::size_limit(), room: room::available() })?;
        memfd::seal(&file, SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE)?;
        let fd = memfd::reopen(&file, false)?;
        drop(file);
        let segment = Segment::map_sealed(&fd)?;
        Ok(Export(Arc::new(Sealed { fd, segment })))
    }

    /// The segment, as those have it who import it. O(1).
    pub fn segment(&self) -> &Segment {
        &self.0.segment
    }

    /// A path that processes of the same user open for reading as long as this process has the export:
    /// `/proc/PID/fd/N`, of the process that asks. They see it in the same pid namespace only.
    ///
    /// # Examples
    /// ```
    /// use graven_store::{Export, Segment};
    /// let export = Export::new(&7u64)?;
    /// let file = std::fs::File::open(export.path())?;
    /// assert_eq!(*Segment::map_sealed(file)?.root::<u64>()?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    /// Source: proc_pid_fd(5); ptrace(2), "Ptrace access mode checking".
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.fd.as_raw_fd()).into()
    }
}

/// How much memory a file may have.
struct Limits {
    /// The process's limit.
    longest: u64,
    /// What there is.
    room: u64,
}

impl Limits {
    fn check(&self, length: u64) -> Result<()> {
        match length {
            _ if length > self.longest => Err(memfd::too_long()),
            _ if length > self.room => Err(memfd::no_room()),
            _ => Ok(()),
        }
    }
}

impl Exported for Export {
    fn handed(&self) -> Result<Handed> {
        let file = self.0.fd.try_clone().map_err(Error::system("duplicate the descriptor"))?.into();
        let length = self.0.segment.header().length;
        Ok(Handed { file, kind: Kind::Segment, length, importers_write: false })
    }
}

impl AsFd for Export {
    /// The descriptor, open for reading.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export").field("path", &self.path()).field("segment", &self.0.segment).finish()
    }
}
