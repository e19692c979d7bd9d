//! Creating regions and attaching to them.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::time::Duration;

use graven_format::{Header, RegionHeader};
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod};
use nix::sys::uio::pread;

use super::any::{AnyRegion, End, PATIENCE, file_of, hold, remove, stat_of};
use super::handle::Region;
use super::lock::{ATTACHMENTS, Lock, OWNER, UNATTACHED};
use super::map::Map;
use super::root::Root;
use crate::names::name::Name;
use crate::os::attach;
use crate::os::blocks;
use crate::os::dir::{Dir, file_id};
use crate::os::file_system;
use crate::os::held::{self, Held, Process};
use crate::os::ofd::{self, Sharing};
use crate::os::page::{At, kernel_page_size};
use crate::os::sync::Counter;
use crate::os::temp::Temp;
use crate::os::timeout::{LONG, SHORT, Timeout};
use crate::{Cause, Error, RegionError, Result, Store};

/// How long to look for a region that somebody is about to remove, without being asked to wait.
const MOMENT: Timeout = Timeout::Within(Duration::from_millis(100));

/// How to create a region, or attach to one. Made by [`Store::region`].
///
/// # Examples
/// ```
/// # let dir = tempfile::tempdir_in("/dev/shm")?;
/// # let dir = dir.path();
/// use std::time::Duration;
/// use graven_store::{Store, Timeout};
/// // SAFETY: only this program writes below `dir`.
/// let store = unsafe { Store::open(dir)? };
/// let absent = store.region("board").attach(Timeout::Within(Duration::from_millis(10)));
/// assert_eq!(absent.unwrap_err().errno(), 110); // ETIMEDOUT
///
/// let first = store.region("board").size(1 << 20).secure().create_or_attach()?;
/// let second = store.region("board").create_or_attach()?; // size 0: as it is
/// assert!(first.created() && !second.created());
/// assert_eq!(second.size(), 1 << 20);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RegionOptions {
    dir: Dir,
    key: String,
    size: u64,
    mode: u32,
    secure: bool,
    at: At,
    transient: bool,
    read_only: bool,
}

/// What an attempt to attach found.
enum Attempt {
    Region(Box<AnyRegion>),
    Nothing,
    /// Something that is going, or has just gone.
    Going,
}

impl RegionOptions {
    pub(crate) fn new(dir: Dir, key: &str) -> RegionOptions {
        RegionOptions {
            dir,
            key: key.to_owned(),
            size: 0,
            mode: 0o666,
            secure: false,
            at: At::Anywhere,
            transient: false,
            read_only: false,
        }
    }

    /// Bytes of the body. Default: 0, which only an existing region has.
    pub fn size(mut self, size: u64) -> RegionOptions {
        self.size = size;
        self
    }

    /// The nine permission bits of a new region, less the umask as for open(2). Default: 0666. Who may attach for
    /// writing needs to read, too.
    pub fn mode(mut self, mode: u32) -> RegionOptions {
        self.mode = mode & 0o777;
        self.secure = false;
        self
    }

    /// A new region is for this user only: 0600 whatever the umask.
    pub fn secure(mut self) -> RegionOptions {
        self.secure = true;
        self
    }

    /// Where the body is mapped. Default: anywhere.
    pub fn at(mut self, at: At) -> RegionOptions {
        self.at = at;
        self
    }

    /// Whether a new region ends when the last handle on it, of any process, is dropped or killed. Default: no.
    ///
    /// What cannot be removed by the last drop is left to [`Store::sweep`], or to the next who creates the key: after those
    /// that were killed, after read-only handles, and where a process was just being started, which has a copy of all
    /// descriptors until it calls exec(2).
    pub fn delete_on_last_detach(mut self, delete: bool) -> RegionOptions {
        self.transient = delete;
        self
    }

    /// Attaches for reading: permission to read the file is enough, and shared locks are all there is. Default: no.
    pub fn read_only(mut self, read_only: bool) -> RegionOptions {
        self.read_only = read_only;
        self
    }

    /// Creates the region and attaches to it. This process is its owner as long as the handle lives: should it be
    /// killed, or end without dropping the handle, those who [`wait`](Region::wait) for a notification are told.
    ///
    /// It appears under its key with everything in place, or not at all. Its bytes are zero. Cost: the kernel allocates
    /// and clears every page.
    ///
    /// # Errors
    /// - [`RegionError::Exists`] (EEXIST). A region that [ends with its last
    ///   detach](RegionOptions::delete_on_last_detach) and that nobody is attached to any more is replaced.
    /// - [`RegionError::Size`] (EINVAL): 0, or more than a file can have; [`Cause::StoreName`] (EINVAL).
    /// - [`Cause::AddressTaken`] (EBUSY), [`Cause::Unaligned`] (EINVAL): the exact address.
    /// - [`Cause::System`]: no room (ENOSPC), EACCES, EMFILE, ENOMEM; EOPNOTSUPP where the file system cannot allocate
    ///   blocks ahead (NFS, some FUSE), or copies blocks when they are written (btrfs, xfs made with reflink), as there a
    ///   full disk would be a signal rather than an error.
    ///
    /// # Examples
    /// See [`Region`].
    pub fn create(self) -> Result<Region> {
        self.create_from(true, self.size, false, |_, _, _| Ok(())).map(Region::raw)
    }

    /// Attaches to the region, or creates it if there is none. Nobody is its owner.
    ///
    /// Of any number of processes that call this at the same time exactly one creates.
    ///
    /// # Errors
    /// - [`RegionError::Absent`] (ENOENT): no size was asked for, and there is none.
    /// - [`RegionError::Smaller`] (EINVAL): it has less than the size asked for.
    /// - [`RegionError::Kept`] (EBUSY): somebody has been about to remove it for 2 s.
    /// - As [`create`](RegionOptions::create) and [`attach`](RegionOptions::attach).
    pub fn create_or_attach(self) -> Result<Region> {
        let create = || self.create_once(false, self.size, false, |_, _, _| Ok(()));
        self.create_or_attach_from(self.size > 0, create).and_then(Region::raw_checked)
    }

    /// Attaches to the region, waiting for it if there is none yet.
    ///
    /// While it waits it looks every 1 to 20 ms.
    ///
    /// # Errors
    /// - [`RegionError::Absent`] (ENOENT) with [`Timeout::Now`], [`RegionError::NotCreated`] (ETIMEDOUT) with another.
    /// - [`RegionError::Header`], [`Cause::NotRegular`] (EINVAL): the file is no region; [`RegionError::Pages`] (EINVAL).
    /// - [`RegionError::Smaller`] (EINVAL): it has less than the size asked for.
    /// - [`Cause::AddressTaken`] (EBUSY), [`Cause::Unaligned`] (EINVAL): the exact address.
    /// - [`Cause::System`]: at once where the system refuses (EACCES); EMFILE, ENOMEM; EOPNOTSUPP as
    ///   [`create`](RegionOptions::create), but for reading; and for reading on overlayfs, where a mapping may be one of the
    ///   file in the layer below.
    pub fn attach(self, timeout: Timeout) -> Result<Region> {
        self.attach_waiting(timeout).map(Region::raw)
    }

    fn file(&self) -> Result<String> {
        Ok(file_of(&Name::new(&self.key)?))
    }

    pub(crate) fn of_file(&self, error: Error) -> Error {
        match self.file() {
            Ok(file) => error.of_file(&self.dir.path(file)),
            Err(_) => error,
        }
    }

    pub(crate) fn attach_waiting(&self, timeout: Timeout) -> Result<AnyRegion> {
        let (mut looks, mut moment) = (timeout.looks(LONG), None);
        let mut attach = || loop {
            match self.attach_once()? {
                Attempt::Region(any) => return Ok(*any),
                Attempt::Going
                    if timeout == Timeout::Now
                        && moment.get_or_insert_with(|| MOMENT.looks(SHORT)).again() => {}
                Attempt::Going | Attempt::Nothing if looks.again() => {}
                Attempt::Going | Attempt::Nothing if timeout == Timeout::Now => {
                    return Err(Error::new(RegionError::Absent));
                }
                Attempt::Going | Attempt::Nothing => return Err(Error::new(RegionError::NotCreated)),
            }
        };
        attach().map_err(|error| self.of_file(error))
    }

    pub(crate) fn create_or_attach_from(
        &self,
        may_create: bool,
        create: impl Fn() -> Result<Option<AnyRegion>>,
    ) -> Result<AnyRegion> {
        let mut looks = PATIENCE.looks(SHORT);
        let mut attach = || loop {
            match self.attach_once()? {
                Attempt::Region(any) => return Ok(*any),
                Attempt::Going if looks.again() => {}
                Attempt::Going => return Err(Error::new(RegionError::Kept)),
                Attempt::Nothing if !may_create => return Err(Error::new(RegionError::Absent)),
                Attempt::Nothing => {
                    if let Some(any) = create()? {
                        return Ok(any);
                    }
                }
            }
        };
        attach().map_err(|error| self.of_file(error))
    }

    pub(crate) fn create_from(
        &self,
        owned: bool,
        size: u64,
        typed: bool,
        fill: impl Fn(&File, u64, u64) -> Result<()>,
    ) -> Result<AnyRegion> {
        let create = || {
            if let Some(any) = self.create_once(owned, size, typed, &fill)? {
                return Ok(any);
            }
            self.remove_leftover()?;
            self.create_once(owned, size, typed, &fill)?.ok_or_else(|| Error::new(RegionError::Exists))
        };
        create().map_err(|error| self.of_file(error))
    }

    /// Removes a region of the same key that should have ended with its last attachment, and whose last attachment was
    /// killed.
    fn remove_leftover(&self) -> Result<()> {
        let file = self.file()?;
        let Ok(held) = hold(|| self.dir.open_file(&file, OFlag::O_RDONLY), "open the region") else {
            return Ok(());
        };
        if let Ok((RegionHeader { transient: true, .. }, stat)) = read_header(held.get()?) {
            remove(&self.dir, &file, file_id(&stat), &UNATTACHED)?;
        }
        Ok(())
    }

    /// `None`: there is a file of that name.
    pub(crate) fn create_once(
        &self,
        owned: bool,
        size: u64,
        typed: bool,
        fill: impl Fn(&File, u64, u64) -> Result<()>,
    ) -> Result<Option<AnyRegion>> {
        let file = self.file()?;
        if self.read_only {
            return Err(Error::new(RegionError::ReadOnly));
        }
        let page_size = kernel_page_size().max(Header::MIN_PAGE_SIZE.into()) as u32;
        let id = getrandom::u64().map_err(Error::system("choose a number for the region"))?.max(1);
        let header = RegionHeader { typed, transient: self.transient, page_size, size, id };
        if size == 0 || header.length() > RegionHeader::MAX_LENGTH {
            return Err(Error::new(RegionError::Size { asked: size }));
        }
        if self.dir.stat(&file).map_err(Error::system("look for the region"))?.is_some() {
            return Ok(None);
        }
        let mode = if self.secure { 0o600 } else { self.mode };
        let temp = Temp::create(&self.dir, &file, None, mode).map_err(Error::system("create the region"))?;
        let new = temp.file().map_err(Error::system("create the region"))?;
        check_blocks(new)?;
        let protect =
            |mode| fchmod(new, Mode::from_bits_truncate(mode)).map_err(Error::system("protect the region"));
        let mode = match self.secure {
            true => mode,
            // What the umask has left of it.
            false => stat_of(new)?.st_mode & 0o777,
        };
        // As long as it has no name this process has to open it, whatever will be allowed later.
        protect(mode | 0o600)?;
        allocate(new, header.length())?;
        new.write_all_at(&header.encode(), 0).map_err(Error::system("write the region's header"))?;
        fill(new, page_size.into(), header.length() - u64::from(page_size))?;
        // Serializing the value may have forked.
        temp.process().check()?;
        let reopen = || temp.reopen(OFlag::O_RDWR);
        let owner = match owned {
            true => Some(hold(reopen, "open the region")?),
            false => None,
        };
        if let Some(owner) = &owner {
            // Nobody else can have it: the file has no name.
            ofd::try_lock(owner.get()?, Sharing::Exclusive, &OWNER)
                .map_err(Error::system("lock the region"))?;
        }
        let attached = hold(reopen, "open the region")?;
        let Some(mut any) = self.open(file.clone(), &header, attached, &reopen)? else { return Ok(None) };
        if owner.is_some() {
            any.map.word_mut(RegionHeader::OWNED)?.store(1);
        }
        protect(mode)?;
        match temp.link() {
            Err(error) if error.raw_os_error() == Some(Errno::EEXIST as i32) => {
                // The file never had its name: there is none to remove.
                any.end.transient = false;
                return Ok(None);
            }
            linked => linked.map_err(Error::system("give the region its name"))?,
        }
        (any.owner, any.created) = (owner, true);
        Ok(Some(any))
    }

    fn attach_once(&self) -> Result<Attempt> {
        let file = self.file()?;
        let flags = if self.read_only { OFlag::O_RDONLY } else { OFlag::O_RDWR };
        let open = || self.dir.open_file(&file, flags);
        let held = match Held::open(open) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Attempt::Nothing),
            result => result.map_err(Error::system("open the region"))?,
        };
        let (header, stat) = read_header(held.get()?)?;
        if header.size < self.size {
            return Err(Error::new(RegionError::Smaller { asked: self.size, existing: header.size }));
        }
        check_pages(header.page_size, kernel_page_size())?;
        if !self.read_only {
            check_blocks(held.get()?)?;
        }
        // Again by the path, so it may be another file by now.
        let same = || {
            let fd = open()?;
            let same = file_id(&nix::sys::stat::fstat(&fd)?) == file_id(&stat);
            if same { Ok(fd) } else { Err(std::io::Error::from(Errno::ENOENT)) }
        };
        match self.open(file.clone(), &header, held, &same) {
            // Removed since it was opened: it would be a region of this process alone.
            Ok(Some(any)) if stat_of(any.lock.held()?.get()?)?.st_nlink == 0 => Ok(Attempt::Going),
            Ok(Some(any)) => Ok(Attempt::Region(Box::new(any))),
            Ok(None) => Ok(Attempt::Going),
            Err(error) if error.errno() == Errno::ENOENT as i32 => Ok(Attempt::Going),
            Err(error) => Err(error),
        }
    }

    /// Attaches the description of a descriptor, and maps it. `reopen` gives others of the same file. `None`: somebody is
    /// about to remove its name.
    fn open(
        &self,
        file: String,
        header: &RegionHeader,
        attached: Held,
        reopen: &dyn Fn() -> std::io::Result<OwnedFd>,
    ) -> Result<Option<AnyRegion>> {
        let writable = !self.read_only;
        let id = file_id(&stat_of(attached.get()?)?);
        let other = reopen().map_err(Error::system("open the region"))?;
        let map = |fd: BorrowedFd<'_>| Map::new(fd, header, self.at, writable);
        let Some((map, kept)) = attach::attach(attached, other, &ATTACHMENTS, map)? else { return Ok(None) };
        // Asked only where the lock did not live on, or a stranger's is in the way of seeing that it does.
        if self.read_only && kept.as_ref().is_some_and(file_system::is_overlay) {
            return Err(Error::system(
                "attach to a region for reading on overlayfs, where what is mapped may not be the file that others write; \
                 attach for writing, or put the store on tmpfs, as /dev/shm is",
            )(Errno::EOPNOTSUPP));
        }
        let lock = held::shared(id, Lock::new);
        lock.descriptor(writable, || hold(reopen, "open the region"))?;
        let process = Process::current().map_err(Error::system("watch for forks"))?;
        let end = End { dir: self.dir.clone(), file: file.clone(), id, transient: header.transient, process };
        Ok(Some(AnyRegion {
            key: self.key.clone(),
            dir: self.dir.clone(),
            file,
            id,
            header: *header,
            created: false,
            process,
            owner: None,
            lock,
            watch: OnceLock::new(),
            map,
            _kept: kept,
            end,
        }))
    }
}

/// The header of a region's file, which has the length that it says.
pub(crate) fn read_header(fd: impl AsFd) -> Result<(RegionHeader, FileStat)> {
    let stat = stat_of(&fd)?;
    if stat.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFREG.bits() {
        return Err(Error::new(Cause::NotRegular));
    }
    let mut bytes = [0; RegionHeader::SIZE];
    // Regular files give what they have, up to the end.
    let read = pread(&fd, &mut bytes, 0).map_err(Error::system("read the region's header"))?;
    let header = RegionHeader::decode(&bytes[..read]).and_then(|header| {
        header.check_length(stat.st_size as u64)?;
        Ok(header)
    });
    Ok((header.map_err(RegionError::Header)?, stat))
}

/// Whether a body behind a header page of that size can be mapped.
fn check_pages(region: u32, machine: u64) -> Result<()> {
    match u64::from(region).is_multiple_of(machine) {
        true => Ok(()),
        false => Err(Error::new(RegionError::Pages { region, machine })),
    }
}

/// Whether a store through a mapping finds room if the file's block is allocated.
fn check_blocks(file: impl AsFd) -> Result<()> {
    match file_system::copies_blocks(file) {
        true => Err(Error::system(
            "have a region on a file system that copies blocks when they are written (btrfs, or xfs made with reflink): \
             storing to memory would be SIGBUS where the disk is full; put the store on tmpfs, as /dev/shm is",
        )(Errno::EOPNOTSUPP)),
        false => Ok(()),
    }
}

/// Gives a file blocks for all of its bytes, so that none is missed when they are written through a mapping.
fn allocate(file: &File, length: u64) -> Result<()> {
    blocks::allocate(file, FallocateFlags::empty(), 0..length).map_err(|errno| match errno {
        Errno::EOPNOTSUPP => {
            let action = "allocate the region's blocks, as this file system lacks fallocate(2); tmpfs and ext4 have it";
            Error::system(action)(errno)
        }
        errno => Error::system("allocate the region's blocks")(errno),
    })
}

impl Region {
    /// A handle on bytes, of a region that may hold something else: then they cannot be written.
    pub(super) fn raw(any: AnyRegion) -> Region {
        Region { any, root: Root::NONE, checked: Counter::new(), _holds: std::marker::PhantomData }
    }

    /// As [`raw`](Region::raw), where a region of bytes was asked for.
    fn raw_checked(any: AnyRegion) -> Result<Region> {
        match any.header.typed {
            true => Err(any.failed(RegionError::Typed)),
            false => Ok(Region::raw(any)),
        }
    }

    /// Creates a region of that size: `store.region(key).size(size).create()` under GEOPM's name.
    ///
    /// # Errors
    /// As [`RegionOptions::create`].
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir_in("/dev/shm")?;
    /// # let dir = dir.path();
    /// # use graven_store::{Region, Store, Timeout};
    /// # // SAFETY: only this program writes below `dir`.
    /// # let store = unsafe { Store::open(dir)? };
    /// let owner = Region::owner(&store, "status", 4096)?;
    /// let user = Region::user(&store, "status", Timeout::Now)?;
    /// owner.put(0, 3u32)?;
    /// assert_eq!(user.get::<u32>(0)?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn owner(store: &Store, key: &str, size: u64) -> Result<Region> {
        store.region(key).size(size).create()
    }

    /// Creates a region of that size for this user only: `store.region(key).size(size).secure().create()` under GEOPM's
    /// name.
    ///
    /// # Errors
    /// As [`RegionOptions::create`].
    pub fn owner_secure(store: &Store, key: &str, size: u64) -> Result<Region> {
        store.region(key).size(size).secure().create()
    }

    /// Attaches to a region: `store.region(key).attach(timeout)` under GEOPM's name.
    ///
    /// # Errors
    /// As [`RegionOptions::attach`].
    pub fn user(store: &Store, key: &str, timeout: Timeout) -> Result<Region> {
        store.region(key).attach(timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_of_smaller_pages_than_the_machines_is_refused_with_both() {
        check_pages(4096, 4096).unwrap();
        check_pages(65536, 4096).unwrap();
        let error = check_pages(4096, 65536).unwrap_err();
        let Cause::Region(cause) = error.cause() else { panic!("{error}") };
        assert_eq!(*cause, RegionError::Pages { region: 4096, machine: 65536 });
        assert_eq!(error.errno(), Errno::EINVAL as i32);
    }
}
