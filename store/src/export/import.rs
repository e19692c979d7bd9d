//! What another process hands over: asked for at its socket, checked, and followed by the connection.
//!
//! Nothing that the exporter says is believed: what the descriptor is, how it was opened, its seals and its length are asked
//! of the kernel, the seals first, so that the length stays. Its answers are waited for no longer than the caller says.
//!
//! The connection stays open. A byte that can be read there tells of a change, and stays unread until
//! [`refresh`](Import::refresh); its end tells that the export was removed, or that the exporter is gone.
//!
//! Source: SPEC 18.4.

use std::fmt;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use graven_format::directory::check_name;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::memory::check_limit;
use super::permit::Access;
use super::protocol::{ANSWER, Answer, Answered, Asked, Kind, NEWS, Refusal, Request};
use crate::os::file_system;
use crate::os::held::Held;
use crate::os::memory;
use crate::os::socket::{self, Received};
use crate::os::timeout::{Deadline, SHORT, SLICE, Timeout};
use crate::{Cause, Error, ExportError, Result, Segment};

/// How long an exporter may take to answer who refreshes.
const PATIENCE: Timeout = Timeout::Within(Duration::from_secs(2));
/// How long to sleep at once where nothing else says.
const LONGEST: Duration = Duration::from_secs(3600);

/// A segment, or memory, of another process, got by name at the socket of its [`Exporter`](crate::Exporter).
///
/// It takes one connection and one descriptor, whatever is attached of it. What was got stays readable, whatever the
/// exporter does or however it ends: [`check`](Import::check), [`changed`](Import::changed) and [`wait`](Import::wait) tell.
/// In a forked child those and `refresh` are EPERM, and reading and attaching go on.
///
/// # Examples
/// ```
/// use graven_store::{Access, At, ExportMemory, Exporter, Import, Permit, Timeout};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("socket");
/// let mut memory = ExportMemory::options().size(1 << 20).create()?;
/// let exporter = Exporter::bind(&path)?;
/// exporter.make("board", &memory, Permit::mode(0o644).rebind(true))?;
/// # std::thread::scope(|scope| {
/// # scope.spawn(|| exporter.run());
/// # let mut work = || {
///
/// // Another process, while the exporter serves:
/// let mut import = Import::connect(&path, "board", Access::Read, Timeout::Forever)?;
/// let mut first = import.attach(0, 4096, At::Anywhere)?;
///
/// memory.write_at(0, b"hello")?;
/// let mut bytes = [0; 5];
/// import.read_at(0, &mut bytes)?;
/// assert_eq!(&bytes, b"hello");
///
/// // The name leads to other memory of the same length:
/// exporter.rebind("board", &ExportMemory::options().size(1 << 20).create()?)?;
/// assert!(import.changed()?);
/// import.refresh()?; // what is read from now on
/// first.refresh(&import)?; // what is at the same address from now on
///
/// exporter.remove("board")?;
/// assert_eq!(import.wait(Timeout::Forever).unwrap_err().errno(), 116); // ESTALE
/// # Ok::<(), graven_store::Error>(())
/// # };
/// # let done = work();
/// # exporter.stop().unwrap();
/// # done
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// Source: SPEC 18.4.
pub struct Import {
    connection: Held,
    name: String,
    path: PathBuf,
    pub(super) access: Access,
    number: u32,
    /// Whether news was received, but not what it is about.
    behind: AtomicBool,
    given: Given,
}

/// What was given, and has been checked.
struct Given {
    /// INVARIANT: a file whose length is sealed, and `length`; open for reading, and for writing as asked for.
    file: File,
    kind: Kind,
    generation: u64,
    length: u64,
    segment: Option<Segment>,
}

/// Why there is nothing.
enum Failure {
    /// The connection has ended.
    Ended,
    Error(Error),
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Error(error.into())
    }
}

impl Import {
    /// What a name leads to, at an exporter's socket. The name that needs none is "".
    ///
    /// Of a sealed segment the seals and the header are checked, and what is adopted later then; of memory the seal of its
    /// length. [`Timeout::Now`] gives the exporter the moment that it needs to answer.
    ///
    /// # Errors
    /// - [`Cause::System`]: no socket there (ENOENT); its mode or a directory's does not let this user (EACCES); EMFILE.
    /// - [`ExportError::Ended`] (ESTALE): nobody serves it any more.
    /// - [`ExportError::NoName`] (ENOENT), [`ExportError::Denied`] (EACCES): the permit; [`ExportError::ReadOnly`] (EPERM):
    ///   importers only read it.
    /// - [`ExportError::Unanswered`] (ETIMEDOUT).
    /// - [`ExportError::Protocol`], [`Cause::NotRegular`], [`Cause::Header`] (EINVAL), [`Cause::NotSealed`] (EPERM): what
    ///   was given is not what it should be. [`Cause::Name`] (EINVAL).
    pub fn connect(path: impl AsRef<Path>, name: &str, access: Access, timeout: Timeout) -> Result<Import> {
        let path = path.as_ref();
        let connect = || {
            check_name(name).map_err(Error::new)?;
            let deadline = match timeout {
                Timeout::Now => Timeout::Within(SLICE),
                timeout => timeout,
            };
            let deadline = deadline.start();
            let request = Request { number: 0, what: Asked::Open { access, name: name.to_owned() } };
            loop {
                let connection = connected(path, deadline)?;
                match ask(connection.get()?, &request, access, deadline, &mut false) {
                    Ok(given) => {
                        let (name, path) = (name.to_owned(), path.to_owned());
                        let behind = AtomicBool::new(false);
                        return Ok(Import { connection, name, path, access, number: 0, behind, given });
                    }
                    Err(Failure::Error(error)) => return Err(named(error, name)),
                    // Dropped before an answer: the exporter has ended, or made place for others.
                    Err(Failure::Ended) => match deadline.left(SHORT) {
                        Some(pause) => thread::sleep(pause),
                        None => return Err(Error::new(ExportError::Unanswered)),
                    },
                }
            }
        };
        connect().map_err(|error: Error| error.of_file(path))
    }

    /// How many bytes it has. Never 0, and the same for good.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> u64 {
        self.given.length
    }

    /// The segment, if it is one. It stays as it is when the import is refreshed.
    ///
    /// # Errors
    /// [`ExportError::NoSegment`] (EINVAL): it is memory.
    pub fn segment(&self) -> Result<&Segment> {
        self.given.segment.as_ref().ok_or_else(|| self.failed(ExportError::NoSegment))
    }

    /// Copies bytes out. Those that have no memory are zeros, and get none. What others write meanwhile may be there in part.
    ///
    /// # Errors
    /// [`Cause::Bounds`] (EINVAL): not all of them are in it.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.check_bounds(offset, bytes.len() as u64)?;
        let read = self.given.file.read_exact_at(bytes, offset);
        read.map_err(Error::system("read the import")).map_err(|error| self.failed(error))
    }

    /// Copies bytes in, and gives those memory that have none.
    ///
    /// # Errors
    /// - [`ExportError::ReadOnly`] (EPERM): it was imported for reading.
    /// - [`Cause::Bounds`] (EINVAL): not all of them are in it.
    /// - [`Cause::System`]: no room (ENOSPC); behind the process's limit of file sizes (EFBIG), without its signal.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        if self.access == Access::Read {
            return Err(self.failed(ExportError::ReadOnly));
        }
        self.check_bounds(offset, bytes.len() as u64)?;
        check_limit(offset.saturating_add(bytes.len() as u64)).map_err(|error| self.failed(error))?;
        let written = self.given.file.write_all_at(bytes, offset);
        written.map_err(Error::system("write the import")).map_err(|error| self.failed(error))
    }

    /// Whether the name leads to something else than when it was connected or refreshed. A look, of less than a
    /// microsecond: nothing is asked of the exporter.
    ///
    /// # Errors
    /// [`ExportError::Ended`] (ESTALE): it was removed, or the exporter is gone. [`Cause::Forked`] (EPERM).
    pub fn changed(&self) -> Result<bool> {
        self.look(Duration::ZERO).map_err(|error| self.failed(error))
    }

    /// Whether the export is still there.
    ///
    /// # Errors
    /// [`ExportError::Ended`] (ESTALE): it was removed, or the exporter is gone. [`Cause::Forked`] (EPERM).
    pub fn check(&self) -> Result<()> {
        self.changed().map(drop)
    }

    /// Waits until the name leads to something else. It is so until [`refresh`](Import::refresh).
    ///
    /// # Errors
    /// - [`ExportError::Ended`] (ESTALE): it was removed, or the exporter is gone.
    /// - [`ExportError::Unchanged`] (ETIMEDOUT).
    /// - [`Cause::Forked`] (EPERM).
    pub fn wait(&self, timeout: Timeout) -> Result<()> {
        let deadline = timeout.start();
        loop {
            let left = deadline.left(LONGEST);
            match self.look(left.unwrap_or_default()).map_err(|error| self.failed(error))? {
                true => return Ok(()),
                false if left.is_none() => return Err(self.failed(ExportError::Unchanged)),
                false => {}
            }
        }
    }

    /// Gets what the name leads to now. Attachments stay as they are, until [they are refreshed](super::Attachment::refresh).
    /// Cost: a request, and an answer of the exporter's; it may take 2 s, and after an error everything is as it was.
    ///
    /// # Errors
    /// - [`ExportError::Ended`] (ESTALE): it was removed, or the exporter is gone.
    /// - [`ExportError::Unanswered`] (ETIMEDOUT).
    /// - What was given is not what it should be: as [`connect`](Import::connect).
    /// - [`Cause::Forked`] (EPERM); EMFILE.
    pub fn refresh(&mut self) -> Result<()> {
        self.number = self.number.wrapping_add(1);
        let request = Request { number: self.number, what: Asked::Fetch };
        let mut news = false;
        let mut fetch = || {
            let given = ask(self.connection.get()?, &request, self.access, PATIENCE.start(), &mut news);
            let given = given.map_err(|failure| match failure {
                Failure::Ended => Error::new(ExportError::Ended),
                Failure::Error(error) => named(error, &self.name),
            })?;
            let before = &self.given;
            let like = (given.kind, given.length) == (before.kind, before.length);
            match like && given.generation >= before.generation {
                true => Ok(given),
                false => Err(protocol("it leads to something of another kind or length, or older")),
            }
        };
        let fetched = fetch();
        if news {
            self.behind.store(true, Ordering::Relaxed);
        }
        self.given = fetched.map_err(|error| self.failed(error))?;
        self.behind.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// What of it is mapped.
    pub(super) fn file(&self) -> &File {
        &self.given.file
    }

    pub(super) fn is_memory(&self) -> bool {
        self.given.kind == Kind::Memory
    }

    pub(super) fn failed(&self, error: impl Into<Error>) -> Error {
        error.into().of_file(&self.path)
    }

    /// # Errors
    /// [`Cause::Bounds`] (EINVAL).
    pub(super) fn check_bounds(&self, offset: u64, length: u64) -> Result<()> {
        let size = self.given.length;
        match offset.checked_add(length) {
            Some(end) if end <= size => Ok(()),
            _ => Err(self.failed(Cause::Bounds { offset, length, size })),
        }
    }

    /// Waits so long for news; whether there is some.
    fn look(&self, time: Duration) -> Result<bool> {
        let fd = self.connection.get()?;
        let behind = self.behind.load(Ordering::Relaxed);
        let ready = match socket::until_readable(fd, if behind { Duration::ZERO } else { time }) {
            Err(Errno::EINTR) => return Ok(behind),
            ready => ready.map_err(Error::system("look for news"))?,
        };
        if ready.ended {
            return Err(Error::new(ExportError::Ended));
        }
        if behind {
            return Ok(true);
        }
        let mut bytes = [0; ANSWER];
        match ready.readable.then(|| socket::peek(fd, &mut bytes)) {
            None | Some(Err(Errno::EAGAIN)) => Ok(false),
            Some(Ok(0) | Err(_)) => Err(Error::new(ExportError::Ended)),
            Some(Ok(1)) if bytes.starts_with(&NEWS) => Ok(true),
            Some(Ok(length)) => {
                // An answer to who did not wait for it. If another thread has just taken it, what comes after is taken here.
                let answer = bytes.get(..length).and_then(Answer::decode);
                match socket::receive(fd, &mut bytes) {
                    Ok(1) if bytes.starts_with(&NEWS) => {
                        self.behind.store(true, Ordering::Relaxed);
                        Ok(true)
                    }
                    _ if answer.is_some() => Ok(false),
                    _ => Err(protocol("a message is none")),
                }
            }
        }
    }
}

/// A connection to who listens at the path.
fn connected(path: &Path, deadline: Deadline) -> Result<Held> {
    let action = "connect to the exporter";
    let connection = Held::open(socket::unconnected).map_err(Error::system(action))?;
    loop {
        let left = deadline.left(LONGEST).ok_or_else(|| Error::new(ExportError::Unanswered))?;
        match socket::connect(connection.get()?, path, left) {
            Ok(()) => return Ok(connection),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(Errno::ECONNREFUSED) => return Err(Error::new(ExportError::Ended)),
            Err(errno) => return Err(Error::system(action)(errno)),
        }
    }
}

/// Asks, and checks what is given. Whether news came before that is told also if nothing is given.
fn ask(
    fd: BorrowedFd<'_>,
    request: &Request,
    access: Access,
    deadline: Deadline,
    news: &mut bool,
) -> std::result::Result<Given, Failure> {
    let unanswered = || Error::new(ExportError::Unanswered);
    let bytes = request.encode();
    loop {
        match socket::send(fd, &bytes, None) {
            Ok(()) => break,
            Err(Errno::EAGAIN) => thread::sleep(deadline.left(SHORT).ok_or_else(unanswered)?),
            // There may be an answer nevertheless.
            Err(Errno::EPIPE | Errno::ECONNRESET) => break,
            Err(errno) => return Err(Error::system("ask the exporter")(errno).into()),
        }
    }
    let mut resets = 0;
    loop {
        let mut bytes = [0; ANSWER];
        let received = match socket::receive_with(fd, &mut bytes) {
            Ok(received) => received,
            Err(Errno::EAGAIN) => {
                let left = deadline.left(LONGEST).ok_or_else(unanswered)?;
                let _ = socket::until_readable(fd, left);
                continue;
            }
            // Said once, before what is there to be received.
            Err(Errno::ECONNRESET) if resets == 0 => {
                resets += 1;
                continue;
            }
            Err(Errno::ECONNRESET) => return Err(Failure::Ended),
            Err(errno) => return Err(Error::system("hear from the exporter")(errno).into()),
        };
        deadline.left(LONGEST).ok_or_else(unanswered)?;
        let Received { length, mut fds, more } = received;
        if length == 0 && fds.is_empty() {
            return Err(Failure::Ended);
        }
        if length == 1 && bytes.starts_with(&NEWS) && fds.is_empty() {
            *news = true;
            continue; // of what the answer knows, which comes after
        }
        let answer = bytes.get(..length).and_then(Answer::decode);
        let answer = answer.ok_or_else(|| protocol("a message is none"))?;
        if answer.number != request.number {
            continue; // to who did not wait for it
        }
        let (kind, generation, length) = match answer.what {
            Answered::Refused(why) => return Err(refused(why).into()),
            Answered::Given { kind, generation, length } => (kind, generation, length),
        };
        return match (fds.pop(), fds.is_empty() && !more) {
            (Some(fd), true) => Ok(adopt(fd, access, kind, generation, length)?),
            (None, false) => Err(Error::system("receive a descriptor")(Errno::EMFILE).into()),
            _ => Err(protocol("not one descriptor came with it").into()),
        };
    }
}

/// What was given, if it is what it should be.
fn adopt(fd: OwnedFd, access: Access, kind: Kind, generation: u64, length: u64) -> Result<Given> {
    let file = File::from(fd);
    let metadata = || file.metadata().map_err(Error::system("stat the import"));
    if !metadata()?.is_file() {
        return Err(Error::new(Cause::NotRegular));
    }
    if file_system::is_huge(&file) {
        return Err(protocol("it is of huge pages"));
    }
    let flags = fcntl(&file, FcntlArg::F_GETFL).map_err(Error::system("look at the descriptor"))?;
    let wanted = match access {
        Access::Read => OFlag::O_RDONLY,
        Access::Write => OFlag::O_RDWR,
    };
    let relevant = OFlag::O_ACCMODE | OFlag::O_APPEND | OFlag::O_PATH;
    if OFlag::from_bits_retain(flags) & relevant != wanted {
        return Err(protocol("the descriptor was opened otherwise than asked for"));
    }
    let segment = match (kind, access) {
        (Kind::Segment, Access::Read) => Some(Segment::map_sealed(&file)?),
        (Kind::Segment, Access::Write) => return Err(protocol("nobody writes a segment")),
        (Kind::Memory, _) => {
            memory::check_kept_length(&file)?;
            if access == Access::Write && !memory::may_write(&file) {
                return Err(Error::new(ExportError::ReadOnly));
            }
            None
        }
    };
    // Asked after the seals, so it stays.
    match metadata()?.len() == length {
        true => Ok(Given { file, kind, generation, length, segment }),
        false => Err(protocol("it is of another length")),
    }
}

fn protocol(what: &'static str) -> Error {
    Error::new(ExportError::Protocol { what })
}

fn refused(why: Refusal) -> Error {
    match why {
        Refusal::NoName => Error::new(ExportError::NoName { name: String::new() }),
        Refusal::Denied => Error::new(ExportError::Denied),
        Refusal::ReadOnly => Error::new(ExportError::ReadOnly),
        Refusal::Malformed => protocol("it takes the request for none"),
        Refusal::Failed => Error::system("import it: the exporter could not open it")(Errno::EIO),
    }
}

/// With the name that the error is about.
fn named(error: Error, name: &str) -> Error {
    match error.cause() {
        Cause::Export(ExportError::NoName { .. }) => {
            Error::new(ExportError::NoName { name: name.to_owned() })
        }
        _ => error,
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        // Closing does not do where another process has a copy for a moment.
        if let Ok(fd) = self.connection.get() {
            socket::end(fd);
        }
    }
}

/// The connection: readable when something has changed, until [`refresh`](Import::refresh), or when it has ended. For
/// poll(2) or epoll(7) beside other descriptors; not to be read. In a forked child it is another descriptor.
impl AsFd for Import {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.get().unwrap_or(self.given.file.as_fd())
    }
}

impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Import")
            .field("path", &self.path)
            .field("name", &self.name)
            .field("access", &self.access)
            .field("len", &self.given.length)
            .field("generation", &self.given.generation)
            .finish_non_exhaustive()
    }
}
