//! Handles on regions: what is known of one, and what is done with it as a whole.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use nix::sys::stat::{Mode, fchmod, fstat};
use nix::unistd::{Gid, Uid, fchown};

use super::any::{AnyRegion, PATIENCE, remove};
use super::guard::Locked;
use super::lock::{ATTACHMENTS, REMOVAL};
use super::root::Root;
use crate::os::attach;
use crate::os::ofd::Sharing;
use crate::os::sync::Counter;
use crate::os::timeout::{SHORT, Timeout};
use crate::{Error, RegionError, Result};

/// Named memory that several processes map and change, under locks that outlive no process.
///
/// Made by [`Store::region`](crate::Store::region), or under GEOPM's names by [`Region::owner`] and [`Region::user`].
/// Bytes are reached through a [`Guard`](crate::Guard), or copied by [`read_at`](Region::read_at), [`put`](Region::put) and their like,
/// which lock the range they need. A `Region<T>` holds an archived `T` instead, which is edited in place.
///
/// Dropping the handle detaches. The name stays until [`unlink`](Region::unlink), unless the region was created with
/// [`delete_on_last_detach`](crate::RegionOptions::delete_on_last_detach). A fork's child inherits the mapping, and with it the
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
    pub(super) any: AnyRegion,
    pub(super) root: Root,
    /// How many edits there had been when this handle last found the value valid, or edited it.
    pub(super) checked: Counter,
    pub(super) _holds: PhantomData<fn(&T)>,
}

impl<T: ?Sized> Region<T> {
    /// The key.
    pub fn key(&self) -> &str {
        &self.any.key
    }

    /// Bytes of the body, as many as were asked for when the region was created.
    pub fn size(&self) -> u64 {
        self.any.header.size
    }

    /// A number that no other region has, also none that had the same key before.
    pub fn id(&self) -> u64 {
        self.any.header.id
    }

    /// Whether this handle created the region.
    pub fn created(&self) -> bool {
        self.any.created
    }

    /// The address of the body's first byte: a multiple of the page size, and the same as long as the handle lives.
    ///
    /// For code that keeps its own order over these bytes, with atomics or locks of its own. Safe code goes through a
    /// [`Guard`](crate::Guard).
    pub fn address(&self) -> NonNull<u8> {
        self.any.map.body().cast()
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
            let fd = self.any.lock.held()?.get()?;
            attach::count(fd, &ATTACHMENTS).map_err(Error::system("count attachments"))
        };
        count().map_err(|error| self.any.failed(error))
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
        let AnyRegion { dir, file, id, process, .. } = &self.any;
        let unlink = || {
            process.check()?;
            let mut looks = PATIENCE.looks(SHORT);
            loop {
                match remove(dir, file, *id, &REMOVAL)? {
                    Some(true) => return Ok(()),
                    // Somebody is about to: they will be done soon, or die; unless they only want to be in the way.
                    Some(false) if looks.again() => {}
                    Some(false) => return Err(Error::new(RegionError::Kept)),
                    None => return Err(Error::new(RegionError::Unlinked)),
                }
            }
        };
        unlink().map_err(|error| self.any.failed(error))
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
        change: impl FnOnce(BorrowedFd<'_>) -> nix::Result<()>,
        action: &'static str,
    ) -> Result<()> {
        let changed = || {
            let fd = self.any.lock.held()?.get()?;
            if fstat(fd).map_err(Error::system("stat the region"))?.st_nlink == 0 {
                return Err(Error::new(RegionError::Unlinked));
            }
            change(fd).map_err(Error::system(action))
        };
        changed().map_err(|error| self.any.failed(error))
    }

    pub(super) fn locked(
        &self,
        range: Option<Range<u64>>,
        sharing: Sharing,
        timeout: Timeout,
    ) -> Result<Locked<'_>> {
        Locked::new(&self.any, range, sharing, timeout).map_err(|error| self.any.failed(error))
    }
}

impl<T: ?Sized> fmt::Debug for Region<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("key", &self.any.key)
            .field("size", &self.any.header.size)
            .field("id", &self.any.header.id)
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}
