//! Regions: named memory that processes change together, under locks.
//!
//! | module | owns |
//! |---|---|
//! | `options` | creating and attaching |
//! | `map` | the pages in memory |
//! | `lock` | who may touch which bytes |
//! | `guard` | the bytes of a lock that is held |
//! | `access` | checked copies in and out |
//! | `typed` | regions that hold an archived value |
//! | `saved` | snapshots in files |
//! | `notify` | counted wake-ups |
//!
//! A region is a file `KEY.rgn` of the store: a header page with a few shared words, and the body. It appears with all of
//! its blocks allocated, or not at all, and never changes its size.
//!
//! Arithmetic on what a header says is under `clippy::arithmetic_side_effects` where it is decoded; its sizes fit each other and
//! the file from there on, and ranges are compared with them before they are added to.
//!
//! Source: SPEC 16.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use graven_format::RegionHeader;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode, fchmod, fstat};
use nix::unistd::{Gid, Uid, fchown};

use crate::attach;
use crate::dir::{Dir, file_id};
use crate::held::{FileId, Held, Process};
use crate::name::Name;
use crate::ofd::{self, Sharing};
use crate::sync::Counter;
use crate::{Error, RegionError, Result, Store, Timeout};

mod access;
mod guard;
mod lock;
mod map;
mod notify;
mod options;
mod saved;
mod typed;

pub use access::Number;
pub use guard::{Guard, SharedGuard};
pub use options::RegionOptions;

use guard::Locked;
use lock::{ATTACHMENTS, Lock, OWNER, REMOVAL, UNATTACHED};
use map::Map;
use notify::Watch;
use typed::Root;

/// Named memory that several processes map and change, under locks that outlive no process.
///
/// Made by [`Store::region`](crate::Store::region), or under GEOPM's names by [`Region::owner`] and [`Region::user`].
/// Bytes are reached through a [`Guard`], or copied by [`read_at`](Region::read_at), [`put`](Region::put) and their like,
/// which lock the range they need. A `Region<T>` holds an archived `T` instead, which is edited in place.
///
/// Dropping the handle detaches. The name stays until [`unlink`](Region::unlink), unless the region was created with
/// [`delete_on_last_detach`](RegionOptions::delete_on_last_detach). A fork's child inherits the mapping, and with it the
/// attachment; but the handle is its parent's: locks, notifications and removal are [`Cause::Forked`](crate::Cause::Forked)
/// (EPERM) there, and dropping it does no more than unmap. Attach again in the child. (clone(2) by other ways than libc's
/// `fork` goes unnoticed: its child shares its parent's locks until it calls exec(2).)
///
/// # Examples
/// ```
/// # let dir = tempfile::tempdir_in("/dev/shm")?;
/// # let (dir, Timeout) = (dir.path(), graven_store::Timeout::Now);
/// use graven_store::{Store, Timeout};
/// // SAFETY: only this program writes below `dir`.
/// let store = unsafe { Store::open(dir)? };
/// let region = store.region("counters").size(64).create()?;
/// region.lock()?[0] = 7;
///
/// let other = store.region("counters").attach(Timeout::Now)?; // in any process
/// assert_eq!(other.get::<u64>(0)?, 7);
/// assert_eq!(other.get::<u64>(60).unwrap_err().errno(), 22); // EINVAL: 4 bytes too far
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// Source: SPEC 16.
pub struct Region<T: ?Sized = [u8]> {
    inner: Inner,
    root: Root,
    /// How many edits there had been when this handle last found the value valid, or edited it.
    checked: Counter,
    _holds: PhantomData<fn(&T)>,
}

/// How long to wait for what takes others a moment, without being asked to wait: they may be stopped, or hostile.
const PATIENCE: Timeout = Timeout::Within(Duration::from_secs(2));
/// When to look again.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// An attached region, whatever it holds.
pub(crate) struct Inner {
    key: String,
    dir: Dir,
    file: String,
    id: FileId,
    header: RegionHeader,
    created: bool,
    process: Process,
    /// Carries the owner's lock, in the process that created the region.
    owner: Option<Held>,
    lock: Arc<Lock>,
    watch: OnceLock<Watch>,
    /// Before `end`: who is no longer mapped is no longer attached.
    map: Map,
    /// Carries the attachment where the mapping does not. A forked child has a copy, as of the mapping.
    _kept: Option<OwnedFd>,
    end: End,
}

impl Inner {
    fn failed(&self, error: impl Into<Error>) -> Error {
        error.into().of_file(&self.dir.path(&self.file))
    }

    /// Whether the process that created the region was killed.
    fn owner_died(&self) -> Result<bool> {
        if self.map.word(RegionHeader::OWNED).load() == 0 {
            return Ok(false);
        }
        let fd = self.lock.any()?.get()?;
        let owner =
            ofd::conflict(fd, Sharing::Shared, &OWNER).map_err(Error::system("look for the owner"))?;
        // The owner may have left while we looked.
        Ok(owner.is_none() && self.map.word(RegionHeader::OWNED).load() != 0)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(owner) = self.owner.take().filter(|_| self.process.check().is_ok()) else { return };
        if let Ok(owned) = self.map.word_mut(RegionHeader::OWNED) {
            owned.store(0);
        }
        if let Ok(fd) = owner.get() {
            let _ = ofd::unlock(fd, &OWNER);
        }
    }
}

/// Removes the name after the last detach, where that was asked for.
struct End {
    dir: Dir,
    file: String,
    id: FileId,
    transient: bool,
    process: Process,
}

impl Drop for End {
    fn drop(&mut self) {
        if self.transient && self.process.check().is_ok() {
            // What cannot be removed now is for `sweep`.
            let _ = remove(&self.dir, &self.file, self.id, &UNATTACHED);
        }
    }
}

/// Removes the name of a file, if it is still its name and `range`, of the locks that keep it, is free. `None`: the name
/// is another file's or nobody's; `false`: somebody has one of the locks.
fn remove(dir: &Dir, file: &str, id: FileId, range: &Range<u64>) -> Result<Option<bool>> {
    let open = || dir.open_file(file, OFlag::O_RDWR);
    let held = match Held::open(open) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(Error::system("open the region"))?,
    };
    let fd = held.get()?;
    if file_id(&fstat(fd).map_err(Error::system("stat the region"))?) != id {
        return Ok(None);
    }
    // The description is this call's own, so other threads are kept out too.
    if !ofd::try_lock(fd, Sharing::Exclusive, range).map_err(Error::system("lock the region's name"))? {
        return Ok(Some(false));
    }
    // Only the holder of this lock may remove the name of this file: it stays what it is until we are done.
    let named = dir.stat(file).map_err(Error::system("stat the region"))?;
    let removed = match named.filter(|stat| file_id(stat) == id) {
        Some(_) => Some(dir.unlink(file).map_err(Error::system("unlink the region"))?),
        None => None,
    };
    let _ = ofd::unlock(fd, range);
    Ok(removed)
}

/// Removes the regions of a directory that end with their last attachment and have none left, since those who were
/// attached have been killed. Their keys. What cannot be removed is left to the next.
pub(crate) fn sweep(dir: &Dir) -> Result<Vec<String>> {
    let over = |key: &Name| -> Result<bool> {
        let file = file_of(key);
        let held = hold(|| dir.open_file(&file, OFlag::O_RDONLY), "open the region")?;
        let (header, stat) = options::read_header(held.get()?)?;
        Ok(header.transient && remove(dir, &file, file_id(&stat), &UNATTACHED)? == Some(true))
    };
    let mut keys = keys(dir)?;
    keys.retain(|key| over(key).unwrap_or(false));
    Ok(keys.iter().map(Name::to_string).collect())
}

/// The keys of the regions of a directory, sorted.
fn keys(dir: &Dir) -> Result<Vec<Name>> {
    let names = dir.names().map_err(Error::system("list the store"))?;
    let mut keys: Vec<Name> = names.iter().filter_map(|file| key_of(file.to_str()?)).collect();
    keys.sort();
    Ok(keys)
}

/// The name of a region's file.
pub(crate) fn file_of(key: &Name) -> String {
    format!("{key}.rgn")
}

/// The key of a region's file; `None` if it is not one.
pub(crate) fn key_of(file: &str) -> Option<Name> {
    Name::new(file.strip_suffix(".rgn")?).ok()
}

impl Store {
    /// How to create the region of that key, or attach to it. A key is a name as any: 1 to 200 bytes of `[A-Za-z0-9._-]`,
    /// no dot first; it does not conflict with a name of the same spelling.
    ///
    /// # Examples
    /// See [`Region`].
    pub fn region(&self, key: &str) -> RegionOptions {
        RegionOptions::new(self.dir.clone(), key)
    }

    /// The keys of the regions there are, sorted.
    ///
    /// # Errors
    /// [`Cause::System`](crate::Cause::System): as readdir(3).
    pub fn regions(&self) -> Result<Vec<String>> {
        let keys = keys(&self.dir).map_err(|error| error.of_file(self.dir.own_path()))?;
        Ok(keys.iter().map(Name::to_string).collect())
    }
}

impl<T: ?Sized> Region<T> {
    /// The key.
    pub fn key(&self) -> &str {
        &self.inner.key
    }

    /// Bytes of the body, as many as were asked for when the region was created.
    pub fn size(&self) -> u64 {
        self.inner.header.size
    }

    /// A number that no other region has, also none that had the same key before.
    pub fn id(&self) -> u64 {
        self.inner.header.id
    }

    /// Whether this handle created the region.
    pub fn created(&self) -> bool {
        self.inner.created
    }

    /// The address of the body's first byte: a multiple of the page size, and the same as long as the handle lives.
    ///
    /// For code that keeps its own order over these bytes, with atomics or locks of its own. Safe code goes through a
    /// [`Guard`].
    pub fn address(&self) -> NonNull<u8> {
        self.inner.map.body().cast()
    }

    /// How many are attached: handles of any process, but a process and its forked children count once per handle.
    /// Those that were killed are not.
    ///
    /// Two system calls for each, the cost of which grows with their number. Counting ends at 10,000, which stands for as
    /// many or more.
    ///
    /// # Errors
    /// [`Cause::Forked`](crate::Cause::Forked) (EPERM); as fcntl(2).
    pub fn attached(&self) -> Result<u64> {
        let count = || {
            let fd = self.inner.lock.any()?.get()?;
            attach::count(fd, &ATTACHMENTS).map_err(Error::system("count attachments"))
        };
        count().map_err(|error| self.inner.failed(error))
    }

    /// Removes the region's name. Who is attached stays attached; a region created under the key later is another one,
    /// and is never removed in this one's place.
    ///
    /// # Errors
    /// [`RegionError::Unlinked`] (ENOENT): it has no name any more; [`RegionError::Kept`] (EBUSY): somebody, who need not be
    /// allowed to write, keeps others from removing it, for 2 s by now; [`Cause::Forked`](crate::Cause::Forked) (EPERM);
    /// EACCES, as unlink(2).
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir_in("/dev/shm")?;
    /// # let dir = dir.path();
    /// # use graven_store::{Store, Timeout};
    /// # // SAFETY: only this program writes below `dir`.
    /// # let store = unsafe { Store::open(dir)? };
    /// let old = store.region("table").size(8).create()?;
    /// old.unlink()?;
    /// let new = store.region("table").size(8).create()?;
    /// assert_eq!(old.unlink().unwrap_err().errno(), 2); // ENOENT: the name is the new one's
    /// assert_eq!(store.region("table").attach(Timeout::Now)?.id(), new.id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unlink(&self) -> Result<()> {
        let Inner { dir, file, id, process, .. } = &self.inner;
        let unlink = || {
            process.check()?;
            let patience = PATIENCE.start();
            loop {
                match remove(dir, file, *id, &REMOVAL)? {
                    Some(true) => return Ok(()),
                    // Somebody is about to: they will be done soon, or die; unless they only want to be in the way.
                    Some(false) => match patience.left(LOOK_AGAIN) {
                        Some(pause) => thread::sleep(pause),
                        None => return Err(Error::new(RegionError::Kept)),
                    },
                    None => return Err(Error::new(RegionError::Unlinked)),
                }
            }
        };
        unlink().map_err(|error| self.inner.failed(error))
    }

    /// Sets the permission bits, for those who attach from now on.
    ///
    /// # Errors
    /// [`RegionError::Unlinked`] (ENOENT); [`Cause::Forked`](crate::Cause::Forked), EPERM as fchmod(2).
    pub fn chmod(&self, mode: u32) -> Result<()> {
        self.change(|fd| fchmod(fd, Mode::from_bits_truncate(mode & 0o777)), "change the region's mode")
    }

    /// Gives the region to another user or group, for those who attach from now on; `None` leaves that one as it is.
    ///
    /// # Errors
    /// [`RegionError::Unlinked`] (ENOENT); [`Cause::Forked`](crate::Cause::Forked), EPERM as fchown(2).
    pub fn chown(&self, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
        self.change(|fd| fchown(fd, uid, gid), "change the region's owner")
    }

    /// Changes the inode behind the descriptor, not whatever has the name by now.
    fn change(
        &self,
        change: impl FnOnce(std::os::fd::BorrowedFd<'_>) -> nix::Result<()>,
        action: &'static str,
    ) -> Result<()> {
        let changed = || {
            let fd = self.inner.lock.any()?.get()?;
            if fstat(fd).map_err(Error::system("stat the region"))?.st_nlink == 0 {
                return Err(Error::new(RegionError::Unlinked));
            }
            change(fd).map_err(Error::system(action))
        };
        changed().map_err(|error| self.inner.failed(error))
    }

    fn locked(&self, range: Option<Range<u64>>, sharing: Sharing, timeout: Timeout) -> Result<Locked<'_>> {
        Locked::new(&self.inner, range, sharing, timeout).map_err(|error| self.inner.failed(error))
    }
}

impl<T: ?Sized> fmt::Debug for Region<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("key", &self.inner.key)
            .field("size", &self.inner.header.size)
            .field("id", &self.inner.header.id)
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

/// A descriptor that is registered from its first moment.
fn hold<E>(open: impl FnOnce() -> Result<OwnedFd, E>, action: &'static str) -> Result<Held>
where
    E: Into<io::Error>,
{
    Held::open(|| open().map_err(Into::into)).map_err(Error::system::<io::Error>(action))
}

/// The kernel's number for a descriptor's file.
fn stat_of(fd: impl AsFd) -> Result<FileStat> {
    fstat(fd).map_err(Error::system("stat the region"))
}
