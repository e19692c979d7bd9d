//! Counted wake-ups between those who are attached.
//!
//! ```text
//! notify:  count += 1; wake one sleeper; if anybody watches, ring
//! wait:    until the time is over: if the count is not 0, count -= 1, and return
//!              if the owner was killed, return that; sleep while the count is 0, 25 ms at most
//!          having taken the last one, or none: quiet
//! watch:   have inotify(7) tell of the file; watchers += 1; if there is news, ring
//! ring:    write a byte of the header page by pwrite(2), of which inotify tells
//! quiet:   read the watch empty; if there is news, ring
//! news:    the count is not 0, or the owner was killed
//! ```
//! - Sleeping in slices: who is killed wakes nobody, and a sleeper that was woken and killed has taken the wake-up along.
//! - Ringing only where somebody watches: a notifier adds to the count and then nothing to the watchers, a watcher adds
//!   itself and then nothing to the count. Each is one step that reads and writes, so the later of the two on the watchers
//!   sees what the earlier has done before: the watcher the count, or else the notifier the watcher.
//! - Ringing too often: readable says that there may be news, and who looks finds out. So watchers never leave, and who
//!   is killed costs the others a system call for each notification; and a count may be taken before its bell is rung.
//! - Looking five times, 1 ms apart, when a descriptor was closed: the kernel tells of that shortly before the locks go
//!   with it, of which the owner's says that it lives.
//! - A timer in the place of inotify, where it is not to be had (its instances are few) or the handle is read-only: the
//!   descriptor is readable every 25 ms.

use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::Duration;

use graven_format::RegionHeader;
use nix::sys::inotify::AddWatchFlags;
use nix::sys::uio::pwrite;

use super::any::AnyRegion;
use super::handle::Region;
use crate::os::timeout::{SLICE, Timeout};
use crate::os::watch::Watch;
use crate::{Error, RegionError, Result};

impl<T: ?Sized> Region<T> {
    /// Notifies: one [`wait`](Region::wait), of any process, returns for it. Counted: three notifications are three waits.
    ///
    /// # Errors
    /// [`RegionError::ReadOnly`], [`Cause::Forked`](crate::Cause::Forked) (EPERM).
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir_in("/dev/shm")?;
    /// # let dir = dir.path();
    /// # use graven_store::{Store, Timeout};
    /// # // SAFETY: only this program writes below `dir`.
    /// # let store = unsafe { Store::open(dir)? };
    /// let region = store.region("bell").size(1).create()?;
    /// region.notify()?;
    /// region.notify()?;
    /// region.wait(Timeout::Now)?;
    /// region.wait(Timeout::Now)?;
    /// assert_eq!(region.wait(Timeout::Now).unwrap_err().errno(), 110); // ETIMEDOUT
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    /// Source: SPEC 16.5.
    pub fn notify(&self) -> Result<()> {
        self.any.notify(|count| count.checked_add(1)).map_err(|error| self.any.failed(error))
    }

    /// Notifies unless a notification is there that nobody has taken: three of these are one wait.
    ///
    /// # Errors
    /// As [`notify`](Region::notify).
    pub fn notify_once(&self) -> Result<()> {
        self.any.notify(|count| (count == 0).then_some(1)).map_err(|error| self.any.failed(error))
    }

    /// Takes a notification, sleeping until there is one.
    ///
    /// # Errors
    /// - [`RegionError::NotNotified`] (ETIMEDOUT), also with [`Timeout::Now`].
    /// - [`RegionError::OwnerDied`] (ESTALE): there is none, and the process that [created](super::RegionOptions::create)
    ///   the region was killed, noticed within 25 ms. An owner that drops its handle just leaves.
    /// - [`RegionError::ReadOnly`], [`Cause::Forked`](crate::Cause::Forked) (EPERM).
    pub fn wait(&self, timeout: Timeout) -> Result<()> {
        self.any.wait(timeout).map_err(|error| self.any.failed(error))
    }
}

impl AnyRegion {
    fn notify(&self, raise: impl FnMut(u64) -> Option<u64>) -> Result<()> {
        self.process.check()?;
        let count = self.map.word_mut(RegionHeader::NOTIFICATIONS)?;
        if count.update(raise).is_some() {
            count.wake(1);
            // Adding nothing orders this look behind the count, as the watcher's own steps are ordered: one of the two
            // sees the other.
            if self.map.word_mut(RegionHeader::WATCHERS)?.fetch_add(0) != 0 {
                self.ring();
            }
        }
        Ok(())
    }

    fn wait(&self, timeout: Timeout) -> Result<()> {
        self.process.check()?;
        let count = self.map.word_mut(RegionHeader::NOTIFICATIONS)?;
        let deadline = timeout.start();
        loop {
            if let Some(before) = count.update(|count| count.checked_sub(1)) {
                if before == 1 {
                    self.quiet();
                }
                return Ok(());
            }
            if self.owner_died()? {
                return Err(Error::new(RegionError::OwnerDied));
            }
            match deadline.left(SLICE) {
                Some(left) => count.wait(0, left),
                None => {
                    self.quiet();
                    return Err(Error::new(RegionError::NotNotified));
                }
            }
        }
    }

    /// Tells those who watch the file.
    fn ring(&self) {
        if let Ok(fd) = self.lock.writer().and_then(|held| held.get()) {
            // Nobody reads the byte. Its block is there; and who is not told sees the count when they look.
            let _ = pwrite(fd, &[0], RegionHeader::BELL as i64);
        }
    }

    /// Makes the watch unreadable, unless there is something to wait for no longer.
    fn quiet(&self) {
        let Some(watch) = self.watch.get() else { return };
        let closed = watch.as_ref().is_some_and(Watch::drain);
        let news =
            || self.map.word(RegionHeader::NOTIFICATIONS).load() != 0 || self.owner_died().unwrap_or(false);
        // The kernel tells that a descriptor is being closed shortly before its locks are released.
        let looks = if closed { 5 } else { 1 };
        for look in 0..looks {
            if look > 0 {
                thread::sleep(Duration::from_millis(1));
            }
            if news() {
                return self.ring();
            }
        }
    }

    fn watch(&self) -> Option<Watch> {
        let watchers = self.map.word_mut(RegionHeader::WATCHERS);
        if let (Ok(watchers), Ok(watch)) = (watchers, self.watch_file()) {
            watchers.fetch_add(1);
            let count = self.map.word_mut(RegionHeader::NOTIFICATIONS);
            // As in `notify`.
            if count.is_ok_and(|count| count.fetch_add(0) != 0) || self.owner_died().unwrap_or(false) {
                self.ring();
            }
            return Some(watch);
        }
        Watch::slices().ok()
    }

    fn watch_file(&self) -> Result<Watch> {
        let fd = self.lock.held()?.get()?;
        // The file, whatever its name is by now.
        Watch::file(Some(fd), AddWatchFlags::empty()).map_err(Error::system("watch the region"))
    }
}

/// Readable when [`wait`](Region::wait) may have something to return: a notification, or the owner's death. To be used
/// with poll(2) or epoll(7) beside other descriptors; follow with `wait(Timeout::Now)`, which makes it unreadable when
/// there is nothing left.
///
/// Made on first use. Takes one inotify(7) instance; where there is none left, it is a timer that expires every 25 ms.
impl<T: ?Sized> AsFd for Region<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.any.watch.get_or_init(|| self.any.watch()) {
            Some(watch) => watch.as_fd(),
            // A regular file is always readable to poll(2), and refused by epoll(7).
            None => {
                let file = self.any.lock.held().and_then(|held| held.get());
                file.unwrap_or(self.any.dir.as_fd())
            }
        }
    }
}
