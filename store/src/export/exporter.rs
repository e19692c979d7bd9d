//! Handing over: a socket at a path, names behind it, and who may have what they lead to.
//!
//! ```text
//! make:    the name leads to it
//! connect: a request, with a name: who is it, by the kernel? may they, by the permit? then the file, opened anew for them
//! rebind:  the name leads to another; one byte to each importer that has none unread
//! fetch:   a request of an importer: the file that the name leads to now; it has no byte unread then
//! remove:  the name is gone; its connections are ended
//! ```
//! - A connection is an importer's notification: a byte tells of change, its end of removal or of this process's death. So a
//!   forked child has none of the sockets: [`Held`].
//! - Descriptors are sent on request only. One that nobody receives would hold memory that the name has long left.
//! - Nothing here waits for a peer. One that does not read what it asked for is dropped; of those that connect and ask
//!   nothing [`PENDING`] are kept, and the oldest makes place for the next. Whoever is dropped before an answer connects again.
//!
//! Source: SPEC 18.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use graven_format::directory::check_name;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::handed::{Exported, Handed};
use super::permit::{Access, Permit};
use super::protocol::{Answer, Answered, Asked, LONGEST, NEWS, Refusal, Request};
#[cfg(doc)]
use crate::Cause;
use crate::os::held::{FileId, Held, Process};
use crate::os::socket;
use crate::{Error, ExportError, Result};

/// Connections without a request that are kept.
const PENDING: usize = 64;
/// Connections that are accepted, and requests that are answered, in one turn.
const TURN: usize = 64;

/// What epoll calls the socket that listens, the wish to stop, and the first connection.
const LISTENER: u64 = 0;
const STOP: u64 = 1;
const FIRST: u64 = 2;

/// A socket at a path, through which other processes import what this one [makes](Exporter::make).
///
/// Nothing happens by itself: [`run`](Exporter::run) serves, on a thread of the program's, or [`turn`](Exporter::turn) does
/// whenever the descriptor is readable, in a loop of the program's. Names grant nothing; [`Permit`]s say who gets what.
///
/// What was made stays importable after the handle on it is dropped. Dropping the exporter ends all of that: importers have
/// ESTALE, and keep what they have. In a forked child the sockets are closed, and everything is EPERM.
///
/// # Examples
/// ```
/// use graven_store::{Access, Export, Exporter, Import, Permit, Timeout};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("socket");
/// let exporter = Exporter::bind(&path)?;
/// exporter.make("primes", &Export::new(&vec![2u32, 3, 5, 7])?, Permit::mode(0o644))?;
///
/// std::thread::scope(|scope| {
///     scope.spawn(|| exporter.run());
///     // Another process:
///     let import = Import::connect(&path, "primes", Access::Read, Timeout::Forever)?;
///     assert_eq!(import.segment()?.root::<Vec<u32>>()?[3], 7);
///
///     let absent = Import::connect(&path, "cubes", Access::Read, Timeout::Forever);
///     assert_eq!(absent.unwrap_err().errno(), 2); // ENOENT
///     exporter.stop()
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// Source: SPEC 18; unix(7).
pub struct Exporter {
    epoll: Epoll,
    listener: Held,
    stop: EventFd,
    stopping: AtomicBool,
    path: PathBuf,
    file: FileId,
    process: Process,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    made: BTreeMap<String, Made>,
    connections: HashMap<u64, Connection>,
    /// Those without a request, the oldest first; and some that have ended since.
    pending: VecDeque<u64>,
    next: u64,
    /// Given up for a moment where there is no descriptor left: to answer, or to take a connection and end it.
    spare: Option<File>,
}

impl State {
    fn keep_spare(&mut self) {
        if self.spare.is_none() {
            self.spare = spare().ok();
        }
    }
}

struct Made {
    handed: Handed,
    permit: Permit,
    generation: u64,
    importers: BTreeSet<u64>,
}

struct Connection {
    fd: Held,
    /// What it was opened for.
    of: Option<(String, Access)>,
    /// Whether it was told of a change since it last fetched.
    told: bool,
}

impl Exporter {
    /// A socket at a path where nothing is. Everybody who may use the directory may connect, whatever the umask; permits
    /// say who is given something. To keep others from connecting, change the file's mode: connecting is writing.
    ///
    /// The file is removed when the exporter is dropped. One that a killed exporter left is to be removed first.
    ///
    /// # Errors
    /// [`Cause::System`]: something is at the path (EADDRINUSE); it is longer than 107 bytes (ENAMETOOLONG); no such
    /// directory (ENOENT), or not to write to (EACCES); EMFILE; EOPNOTSUPP without /proc.
    pub fn bind(path: impl AsRef<Path>) -> Result<Exporter> {
        let path = path.as_ref();
        Exporter::bind_at(path).map_err(|error| error.of_file(path))
    }

    fn bind_at(path: &Path) -> Result<Exporter> {
        let action = "serve at the socket";
        let process = Process::current().map_err(Error::system("watch for forks"))?;
        let spare = spare()?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(Error::system(action))?;
        let stop = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        let stop = stop.map_err(Error::system(action))?;
        let absolute = std::path::absolute(path).map_err(Error::system(action))?;
        let mut file = None;
        let listener = Held::open(|| {
            let (fd, at) = socket::listen(path, 0o666)?;
            file = Some(at);
            Ok::<_, io::Error>(fd)
        });
        let listener = listener.map_err(Error::system(action))?;
        let file = file.unwrap_or_default();
        let readable = |id| EpollEvent::new(EpollFlags::EPOLLIN, id);
        epoll.add(listener.get()?, readable(LISTENER)).map_err(Error::system(action))?;
        epoll.add(&stop, readable(STOP)).map_err(Error::system(action))?;
        let state = State { next: FIRST, spare: Some(spare), ..State::default() };
        let (stopping, state) = (AtomicBool::new(false), Mutex::new(state));
        Ok(Exporter { epoll, listener, stop, stopping, path: absolute, file, process, state })
    }

    /// Lets a name lead to a sealed segment, an [`Export`](crate::Export), or to a memory, an
    /// [`ExportMemory`](crate::ExportMemory), for those that the permit lets. O(1).
    ///
    /// The exporter keeps a descriptor: dropping `what` ends nothing.
    ///
    /// # Errors
    /// - [`ExportError::Mode`] (EINVAL): the permit's mode is above 0777.
    /// - [`Cause::Name`] (EINVAL): more than 255 bytes, or a control character.
    /// - [`ExportError::NameTaken`] (EEXIST).
    /// - [`Cause::Forked`] (EPERM); [`Cause::System`]: EMFILE.
    pub fn make(&self, name: &str, what: &impl Exported, permit: Permit) -> Result<()> {
        self.process.check()?;
        permit.check()?;
        check_name(name).map_err(Error::new)?;
        let mut state = self.state();
        if state.made.contains_key(name) {
            return Err(Error::new(ExportError::NameTaken { name: name.to_owned() }));
        }
        let made = Made { handed: what.handed()?, permit, generation: 1, importers: BTreeSet::new() };
        state.made.insert(name.to_owned(), made);
        Ok(())
    }

    /// Lets a name lead to another segment or memory. Importers are told, and go on with what they have until they
    /// [refresh](crate::Import::refresh). O(importers), and it waits for none of them.
    ///
    /// # Errors
    /// - [`ExportError::NoName`] (ENOENT).
    /// - [`ExportError::Bound`] (EPERM): the permit does not let it.
    /// - [`ExportError::Unlike`] (EINVAL): of another kind or length, or importers may write the one only.
    /// - [`Cause::Forked`] (EPERM); [`Cause::System`]: EMFILE.
    pub fn rebind(&self, name: &str, what: &impl Exported) -> Result<()> {
        self.process.check()?;
        let mut state = self.state();
        let State { made, connections, .. } = &mut *state;
        let made = made.get_mut(name).ok_or_else(|| no_name(name))?;
        if !made.permit.lets_rebind() {
            return Err(Error::new(ExportError::Bound { name: name.to_owned() }));
        }
        let handed = what.handed()?;
        if !handed.is_like(&made.handed) {
            return Err(Error::new(ExportError::Unlike { had: made.handed.length, has: handed.length }));
        }
        made.handed = handed;
        made.generation += 1;
        let mut lost = Vec::new();
        for &id in &made.importers {
            let Some(connection) = connections.get_mut(&id).filter(|connection| !connection.told) else {
                continue;
            };
            match connection.fd.get().map(|fd| socket::send(fd, &NEWS, None)) {
                Ok(Ok(())) => connection.told = true,
                // Gone, or not reading.
                _ => lost.push(id),
            }
        }
        lost.into_iter().for_each(|id| self.end(&mut state, id));
        Ok(())
    }

    /// Ends a name. Importers have ESTALE, and keep what they have; the name is free.
    ///
    /// # Errors
    /// [`ExportError::NoName`] (ENOENT); [`Cause::Forked`] (EPERM).
    pub fn remove(&self, name: &str) -> Result<()> {
        self.process.check()?;
        self.take(name, |_| Ok(())).map(drop)
    }

    /// Ends a name, and takes all memory away from what it leads to: it is zeros then, for whoever still has it. Each page
    /// that is loaded through a mapping gets memory again, which is the loader's.
    ///
    /// # Errors
    /// As [`remove`](Exporter::remove); [`ExportError::NoHoles`] (EPERM): a sealed segment, or a memory that importers only
    /// read, and nothing has changed then.
    pub fn remove_empty(&self, name: &str) -> Result<()> {
        self.process.check()?;
        self.take(name, Handed::check_holes)?.empty()
    }

    fn take(&self, name: &str, check: impl FnOnce(&Handed) -> Result<()>) -> Result<Handed> {
        let mut state = self.state();
        check(&state.made.get(name).ok_or_else(|| no_name(name))?.handed)?;
        let made = state.made.remove(name).ok_or_else(|| no_name(name))?;
        made.importers.into_iter().for_each(|id| self.end(&mut state, id));
        Ok(made.handed)
    }

    /// Serves until [`stop`](Exporter::stop), on this thread. Others may make, rebind and remove meanwhile.
    ///
    /// # Errors
    /// [`Cause::Forked`] (EPERM); [`Cause::System`].
    pub fn run(&self) -> Result<()> {
        loop {
            self.process.check()?;
            match self.epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::NONE) {
                Ok(_) if self.stopping.swap(false, Ordering::SeqCst) => {
                    let _ = self.stop.read();
                    return Ok(());
                }
                Ok(_) => self.turn()?,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Error::system("wait for importers")(errno)),
            }
        }
    }

    /// Makes [`run`](Exporter::run) return, once: the one that is running, or the next. For those who call `run`: until it
    /// has returned, the descriptor is readable, and [`turn`](Exporter::turn) has nothing to do.
    ///
    /// # Errors
    /// [`Cause::Forked`] (EPERM).
    pub fn stop(&self) -> Result<()> {
        self.process.check()?;
        self.stopping.store(true, Ordering::SeqCst);
        self.stop.write(1).map(drop).map_err(Error::system("stop serving"))
    }

    /// Does some of what there is to do, and never waits: takes connections, and answers requests. What is left keeps the
    /// descriptor readable.
    ///
    /// # Errors
    /// [`Cause::Forked`] (EPERM); [`Cause::System`].
    ///
    /// # Examples
    /// ```
    /// # use graven_store::{Access, Export, Exporter, Import, Permit, Timeout};
    /// # use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    /// # use std::os::fd::AsFd;
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("socket");
    /// let exporter = Exporter::bind(&path)?;
    /// exporter.make("", &Export::new(&7u64)?, Permit::mode(0o600))?;
    /// let importer = std::thread::spawn(move || Import::connect(path, "", Access::Read, Timeout::Forever));
    /// while !importer.is_finished() {
    ///     let mut fds = [PollFd::new(exporter.as_fd(), PollFlags::POLLIN)];
    ///     poll(&mut fds, PollTimeout::from(10u16))?; // among the program's other descriptors
    ///     exporter.turn()?;
    /// }
    /// assert_eq!(*importer.join().unwrap()?.segment()?.root::<u64>()?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn turn(&self) -> Result<()> {
        self.process.check()?;
        let mut state = self.state();
        let mut events = [EpollEvent::empty(); TURN];
        let found = match self.epoll.wait(&mut events, EpollTimeout::ZERO) {
            Err(Errno::EINTR) => 0,
            found => found.map_err(Error::system("look for importers"))?,
        };
        for event in events.iter().take(found) {
            match event.data() {
                LISTENER => self.accept(&mut state)?,
                STOP if !self.stopping.load(Ordering::SeqCst) => drop(self.stop.read()),
                STOP => {}
                id => self.serve(&mut state, id),
            }
        }
        Ok(())
    }

    /// Takes connections, and answers what they ask already.
    fn accept(&self, state: &mut State) -> Result<()> {
        for _ in 0..TURN {
            let listener = self.listener.get()?;
            let fd = match Held::open(|| socket::accept(listener)) {
                Ok(fd) => fd,
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::EAGAIN) => return Ok(()),
                    Some(Errno::EINTR | Errno::ECONNABORTED) => continue,
                    Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS) => {
                        // The kernel says so before it looks whether there is a connection to take.
                        if !socket::until_readable(listener, Duration::ZERO).is_ok_and(|ready| ready.readable)
                        {
                            return Ok(());
                        }
                        self.make_room(state);
                        continue;
                    }
                    _ => return Err(Error::system("take a connection")(error)),
                },
            };
            let id = state.next;
            state.next += 1;
            let events = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP;
            let event = EpollEvent::new(events, id);
            if !fd.get().is_ok_and(|fd| self.epoll.add(fd, event).is_ok()) {
                continue;
            }
            state.connections.insert(id, Connection { fd, of: None, told: false });
            state.pending.push_back(id);
            self.serve(state, id);
            self.keep_pending(state, PENDING);
        }
        Ok(())
    }

    /// Drops the oldest of those without a request until so many are left.
    fn keep_pending(&self, state: &mut State, most: usize) {
        while state.pending.len() > most {
            let Some(oldest) = state.pending.pop_front() else { return };
            if state.connections.get(&oldest).is_some_and(|connection| connection.of.is_none()) {
                self.end(state, oldest);
            }
        }
    }

    /// No descriptor is left for the next connection: one of those that ask nothing makes place, or else the next itself.
    fn make_room(&self, state: &mut State) {
        let before = state.connections.len();
        while state.connections.len() == before && !state.pending.is_empty() {
            let most = state.pending.len() - 1;
            self.keep_pending(state, most);
        }
        if state.connections.len() == before {
            state.spare = None;
            if let Ok(listener) = self.listener.get() {
                drop(socket::accept(listener));
            }
            state.keep_spare();
        }
    }

    /// Answers a request of a connection, or notices its end.
    fn serve(&self, state: &mut State, id: u64) {
        let Some(connection) = state.connections.get_mut(&id) else { return };
        let Ok(fd) = connection.fd.get() else { return };
        let mut bytes = [0; LONGEST];
        let request = match socket::receive(fd, &mut bytes) {
            Err(Errno::EAGAIN) => return,
            Ok(0) | Err(_) => return self.end(state, id),
            Ok(length) => bytes.get(..length).and_then(Request::decode),
        };
        let number = request.as_ref().map_or(0, |request| request.number);
        let asked = request.map(|request| request.what);
        let opened = match (asked, &connection.of) {
            (Some(Asked::Open { access, name }), None) => may_open(&state.made, fd, name, access),
            (Some(Asked::Fetch), Some(opened)) => Ok(opened.clone()),
            _ => Err(Refusal::Malformed),
        };
        let given = opened.and_then(|(name, access)| {
            let made = state.made.get_mut(&name).ok_or(Refusal::NoName)?;
            let open = || made.handed.open(access == Access::Write);
            let file = open().or_else(|_| {
                // It is needed until the answer is sent.
                state.spare = None;
                open()
            });
            let file = file.map_err(|_| Refusal::Failed)?;
            made.importers.insert(id);
            connection.of = Some((name, access));
            // Its bytes are read before the answer, or tell of what comes after.
            connection.told = false;
            let Handed { kind, length, .. } = made.handed;
            Ok((Answered::Given { kind, generation: made.generation, length }, file))
        });
        let sent = match &given {
            Ok((what, file)) => {
                socket::send(fd, &Answer { number, what: *what }.encode(), Some(file.as_fd()))
            }
            Err(why) => socket::send(fd, &Answer { number, what: Answered::Refused(*why) }.encode(), None),
        };
        let done = sent.is_ok() && given.is_ok();
        drop(given);
        state.keep_spare();
        if !done {
            return self.end(state, id);
        }
        state.pending.retain(|pending| *pending != id);
    }

    /// Ends a connection, for the peer too.
    fn end(&self, state: &mut State, id: u64) {
        state.pending.retain(|pending| *pending != id);
        let Some(Connection { fd, of, .. }) = state.connections.remove(&id) else { return };
        if let Some(made) = of.and_then(|(name, _)| state.made.get_mut(&name)) {
            made.importers.remove(&id);
        }
        if let Ok(fd) = fd.get() {
            // Closing does not do where another process has a copy for a moment.
            let _ = self.epoll.delete(fd);
            socket::end(fd);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a peer may open.
fn may_open(
    made: &BTreeMap<String, Made>,
    fd: BorrowedFd<'_>,
    name: String,
    access: Access,
) -> Result<(String, Access), Refusal> {
    let made = made.get(&name).ok_or(Refusal::NoName)?;
    let peer = socket::peer(fd).map_err(|_| Refusal::Denied)?;
    if !made.permit.lets(peer, || socket::peer_groups(fd).unwrap_or_default(), access) {
        return Err(Refusal::Denied);
    }
    if access == Access::Write && !made.handed.importers_write {
        return Err(Refusal::ReadOnly);
    }
    Ok((name, access))
}

fn spare() -> Result<File> {
    File::open("/dev/null").map_err(Error::system("open /dev/null"))
}

fn no_name(name: &str) -> Error {
    Error::new(ExportError::NoName { name: name.to_owned() })
}

impl Drop for Exporter {
    fn drop(&mut self) {
        if self.process.check().is_err() {
            return; // the parent's
        }
        socket::remove(&self.path, self.file);
        let mut state = self.state();
        let ids: Vec<u64> = state.connections.keys().copied().collect();
        ids.into_iter().for_each(|id| self.end(&mut state, id));
        drop(state);
        if let Ok(listener) = self.listener.get() {
            socket::end(listener);
        }
    }
}

/// Readable exactly when [`turn`](Exporter::turn) has something to do, for poll(2) or epoll(7) beside other descriptors.
impl AsFd for Exporter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Exporter");
        f.field("path", &self.path);
        // In a forked child nobody unlocks what another thread had locked.
        if self.process.check().is_ok() {
            let state = self.state();
            f.field("names", &state.made.keys()).field("connections", &state.connections.len());
        }
        f.finish_non_exhaustive()
    }
}
